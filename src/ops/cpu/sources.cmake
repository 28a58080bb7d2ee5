list(APPEND sources
    ops/cpu/conv_depthwise.c
    ops/cpu/conv_direct.c
    ops/cpu/cpu.c
    ops/cpu/copy.c
    ops/cpu/elementwise.c
    ops/cpu/gemm.c
    ops/cpu/kernels.c
    ops/cpu/normalize.c
    ops/cpu/pad.c
    ops/cpu/parts.c
    ops/cpu/pool.c
    ops/cpu/reduce.c
    ops/cpu/reorder.c
    ops/cpu/resize.c
    ops/cpu/strided_copy.c
    ops/cpu/transpose.c
)
list(APPEND templates
    ops/cpu/conv_depthwise_tmpl.c
    ops/cpu/conv_tile_tmpl.c
    ops/cpu/elementwise_tmpl.c
    ops/cpu/gemm_tmpl.c
    ops/cpu/normalize_tmpl.c
    ops/cpu/pool_tmpl.c
    ops/cpu/resize_tmpl.c
)
