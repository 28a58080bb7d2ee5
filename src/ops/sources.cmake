list(APPEND sources
    ops/activation.c
    ops/op_helpers.c
    ops/op_table.c
)
