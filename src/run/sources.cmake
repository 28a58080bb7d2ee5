list(APPEND sources run/dynamic.c run/executor.c run/session.c)
