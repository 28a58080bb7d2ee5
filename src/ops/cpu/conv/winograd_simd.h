/* SPDX-License-Identifier: Apache-2.0 */
/* The end of Winograd's convolutions, for templates: bias, residual, activation and the store. */
#ifndef OPS_CPU_CONV_WINOGRAD_SIMD_H
#define OPS_CPU_CONV_WINOGRAD_SIMD_H

#include "ops/cpu/conv/winograd.h"
#include "ops/cpu/unary_simd.h"

/* One pixel: what is behind the products, and the store. */
INLINE void store_pixel(const WinogradStore *store, vf low, vf high, vf bias, int64_t at, vf value) {
    const Epilogue *epilogue = store->epilogue;
    value += bias;
    if (store->residual && !epilogue->residual_last)
        value += v_load(store->residual + at);
    value = activation_is_clamp(epilogue->activation) ? v_min(high, v_max(low, value))
                                                      : v_activate(epilogue->activation, value);
    if (store->residual && epilogue->residual_last)
        value += v_load(store->residual + at);
    if (store->lanes < VW)
        value = v_first_lanes(value, store->lanes);
    v_store(store->out + at, value);
}

/* Not inlined: the activations are many. */
static void store_column(const WinogradStore *store, int64_t x, const vf *column) {
    const vf bias = v_load(store->bias);
    vf low, high;
    activation_bounds(store->epilogue->activation, &low, &high);
    for (int y = 0; y < store->rows; y++)
        store_pixel(store, low, high, bias, y * store->row_stride + x * store->pixel_stride, column[y]);
}

/* What is the same for all columns of a tile. */
typedef struct StoreBounds {
    vf low, high, bias;
    int simple; /* a clamp and no more */
} StoreBounds;

INLINE StoreBounds store_bounds(const WinogradStore *store) {
    StoreBounds bounds = {.bias = v_load(store->bias),
                          .simple = activation_is_clamp(store->epilogue->activation) && !store->residual &&
                                    store->lanes == VW};
    activation_bounds(store->epilogue->activation, &bounds.low, &bounds.high);
    return bounds;
}

/* Column x of a tile of `m` rows, a constant; `store` may lie in registers. */
INLINE void finish_column(const int m, const WinogradStore *store, const StoreBounds *bounds, int x,
                          const vf *column) {
    if (!bounds->simple) {
        store_column(store, x, column);
        return;
    }
    float *out = store->out + x * store->pixel_stride;
#pragma GCC unroll 6
    for (int y = 0; y < m; y++) {
        if (y == store->rows)
            break;
        v_store(out + y * store->row_stride,
                v_min(bounds->high, v_max(bounds->low, column[y] + bounds->bias)));
    }
}

#endif
