list(APPEND sources run/dynamic.c run/executor.c run/machine.c run/session.c)
