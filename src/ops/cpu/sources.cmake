list(APPEND sources ops/cpu/copy.c ops/cpu/kernels.c ops/cpu/reorder.c)
