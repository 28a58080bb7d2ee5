list(APPEND sources plan/choose.c plan/memory.c plan/pack.c plan/plan.c)
