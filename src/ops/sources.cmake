list(APPEND sources
    ops/activation.c
    ops/conv.c
    ops/conv_transpose.c
    ops/global_pool.c
    ops/op_helpers.c
    ops/op_table.c
    ops/pool.c
    ops/window.c
)
