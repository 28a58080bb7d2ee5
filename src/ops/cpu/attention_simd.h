/* SPDX-License-Identifier: Apache-2.0 */
/* What attention is made of: register tiles whose left operand lies in rows, and float32 from other types. */
#ifndef OPS_CPU_ATTENTION_SIMD_H
#define OPS_CPU_ATTENTION_SIMD_H

#include "ops/cpu/attention.h"
#include "ops/cpu/row_tile_simd.h"

enum { PANEL = ATTENTION_COLUMNS * VW, STEP = ATTENTION_STEP };

/* --- products --- */

/* c = a b, or c + a b: `rows` rows of k elements, STEP apart, times k rows of vectors. */
INLINE void product(const float *a, const float *b, int64_t b_step, int64_t k, bool adds, float *c,
                    int64_t c_step, const int rows, const int vectors) {
    vf acc[TILE_ROWS][ATTENTION_COLUMNS] = {{v_zero()}};
    if (adds) {
#pragma GCC unroll 14
        for (int r = 0; r < rows; r++)
#pragma GCC unroll 2
            for (int v = 0; v < vectors; v++)
                acc[r][v] = v_load(c + r * c_step + v * VW);
    }
    for (int64_t i = 0; i < k; i++, a++, b += b_step) {
        vf right[ATTENTION_COLUMNS];
#pragma GCC unroll 2
        for (int v = 0; v < vectors; v++)
            right[v] = v_load(b + v * VW);
#pragma GCC unroll 14
        for (int r = 0; r < rows; r++) {
            const float left = a[r * STEP];
#pragma GCC unroll 2
            for (int v = 0; v < vectors; v++)
                acc[r][v] += right[v] * left;
        }
    }
#pragma GCC unroll 14
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 2
        for (int v = 0; v < vectors; v++)
            v_store(c + r * c_step + v * VW, acc[r][v]);
}

typedef void (*ProductFunction)(const float *a, const float *b, int64_t b_step, int64_t k, bool adds,
                                float *c, int64_t c_step);

#define PRODUCT(ROWS, VECTORS)                                                                               \
    static void product_##ROWS##_##VECTORS(const float *a, const float *b, int64_t b_step, int64_t k,        \
                                           bool adds, float *c, int64_t c_step) {                            \
        product(a, b, b_step, k, adds, c, c_step, ROWS, VECTORS);                                            \
    }
#define PRODUCTS(ROWS) PRODUCT(ROWS, 1) PRODUCT(ROWS, 2)
#define ENTRY(ROWS) {product_##ROWS##_1, product_##ROWS##_2},

FOR_TILES(PRODUCTS)

static const ProductFunction products[TILE_ROWS][ATTENTION_COLUMNS] = {FOR_TILES(ENTRY)};

/* --- types --- */

INLINE void floats_of(DType dtype, const void *from, int64_t at, int64_t count, float *to) {
    const uint16_t *halves = (const uint16_t *)from + at;
    if (dtype == STRIDER_F32)
        memcpy(to, (const float *)from + at, (size_t)count * sizeof *to);
    else if (dtype == STRIDER_F16)
        for (int64_t i = 0; i < count; i++)
            to[i] = f16_to_f32(halves[i]);
    else
        for (int64_t i = 0; i < count; i++)
            to[i] = bf16_to_f32(halves[i]);
}

INLINE void store_floats(DType dtype, void *to, const float *from, int64_t count) {
    uint16_t *halves = to;
    if (dtype == STRIDER_F32)
        memcpy(to, from, (size_t)count * sizeof *from);
    else
        for (int64_t i = 0; i < count; i++)
            halves[i] = dtype == STRIDER_F16 ? f32_to_f16(from[i]) : f32_to_bf16(from[i]);
}

#endif
