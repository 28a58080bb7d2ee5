list(APPEND sources pack/pack.c pack/pack_fill.c)
