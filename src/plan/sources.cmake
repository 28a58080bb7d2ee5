list(APPEND sources plan/choose.c plan/measure.c plan/memory.c plan/pack.c plan/pack_fill.c plan/place.c plan/plan.c plan/tuning.c)
