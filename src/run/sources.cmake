list(APPEND sources
    run/binding.c
    run/devices.c
    run/executor.c
    run/frame.c
    run/interpreter.c
    run/machine.c
    run/plan_cache.c
    run/pool.c
    run/record.c
    run/session.c
    run/session_bindings.c
    run/session_devices.c
    run/session_memory.c
    run/session_report.c
    run/session_values.c
)
