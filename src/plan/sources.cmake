list(APPEND sources plan/builder.c plan/choose.c plan/measure.c plan/memory.c plan/plan.c plan/transfer.c plan/tuning.c)
