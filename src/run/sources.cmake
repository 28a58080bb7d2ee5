list(APPEND sources run/devices.c run/dynamic.c run/executor.c run/machine.c run/record.c run/session.c run/session_devices.c run/session_memory.c run/session_report.c)
