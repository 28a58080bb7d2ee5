list(APPEND sources optimize/optimize.c optimize/remove_dead.c)
