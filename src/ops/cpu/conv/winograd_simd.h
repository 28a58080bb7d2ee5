/* SPDX-License-Identifier: Apache-2.0 */
/* The end of Winograd's convolutions, for templates: bias, residual, activation and the store. */
#ifndef OPS_CPU_CONV_WINOGRAD_SIMD_H
#define OPS_CPU_CONV_WINOGRAD_SIMD_H

#include "ops/cpu/conv/winograd.h"
#include "ops/cpu/epilogue_simd.h"

/* Not inlined: the activations are many. */
static void store_column(const WinogradStore *store, int64_t x, const vf *column) {
    const VectorEpilogue epilogue = vector_epilogue(store->epilogue, store->residual);
    const vf bias = v_load(store->bias);
    for (int y = 0; y < store->rows; y++) {
        const int64_t at = y * store->row_stride + x * store->pixel_stride;
        vf value = epilogue_whole(&epilogue, column[y] + bias, at, VW);
        if (store->channels < VW)
            value = v_first_lanes(value, store->channels);
        v_store(store->out + at, value);
    }
}

/* What is the same for all columns of a tile. */
typedef struct StoreEnd {
    VectorEpilogue epilogue;
    vf bias;
    int simple; /* a clamp and no more */
} StoreEnd;

INLINE StoreEnd store_end(const WinogradStore *store) {
    StoreEnd end = {.epilogue = vector_epilogue(store->epilogue, store->residual),
                    .bias = v_load(store->bias)};
    end.simple = !end.epilogue.is_activated && !store->residual && store->channels == VW;
    return end;
}

/* Column x of a tile of `m` rows, a constant; `store` may lie in registers. */
INLINE void finish_column(const int m, const WinogradStore *store, const StoreEnd *end, int x,
                          const vf *column) {
    if (!end->simple) {
        store_column(store, x, column);
        return;
    }
    float *out = store->out + x * store->pixel_stride;
#pragma GCC unroll 6
    for (int y = 0; y < m; y++) {
        if (y == store->rows)
            break;
        v_store(out + y * store->row_stride, epilogue_clamp(&end->epilogue, column[y] + end->bias));
    }
}

#endif
