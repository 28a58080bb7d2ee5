/* SPDX-License-Identifier: Apache-2.0 */
/* A row of frequencies needs the taps' columns at one point only: three vectors, from which the row's six
 * follow by two multiplications and four additions.  With 32 registers these feed six frequencies of four
 * image tiles at once, so that 24 products pay for them; with 16 registers the row is done in two halves of
 * three frequencies, of which the first keeps the columns for the second in L1. */
#include "ops/cpu/conv/winograd_skinny.h"

#include "ops/cpu/simd.h"

enum { HALVES = STRIDER_WIDTH == 16 ? 1 : 2, N_SUMS = SKINNY_FREQUENCIES / HALVES, LINE = 16 };

/* A column of the taps at the row's point: the row of G (winograd_tmpl.c) times it. */
INLINE vf column_at(const int row, const float *taps, int x) {
    const float *top = taps + x * VW, *middle = top + 3 * VW, *bottom = top + 6 * VW;
    if (row == 0)
        return v_load(top);
    if (row == 5)
        return v_load(bottom);
    const vf even =
        row < 3 ? v_load(top) + v_set(0.5f) * v_load(bottom) : v_set(0.5f) * v_load(top) + v_load(bottom);
    return row % 2 ? even + v_load(middle) : even - v_load(middle);
}

/* The same in the second half of a row, and kept for it in the first. */
INLINE vf half_column(const int row, const int first, const float *taps, float *kept, int x) {
    if (HALVES == 1 || row == 0 || row == SKINNY_FREQUENCIES - 1)
        return column_at(row, taps, x);
    if (first > 0)
        return v_load(kept + x * VW);
    const vf column = column_at(row, taps, x);
    v_store(kept + x * VW, column);
    return column;
}

INLINE void multiply_tiles(const int tiles, vf sums[SKINNY_MAX_TILES], vf weights, const float *in) {
#pragma GCC unroll 4
    for (int t = 0; t < tiles; t++)
        sums[t] += weights * in[t * VW];
}

/* Frequencies [first, first + N_SUMS) of a row; `row`, `tiles` and `first` are constants wherever this is
 * inlined. */
INLINE void skinny_products(const SkinnyProducts *products, const int row, const int tiles, const int first,
                            float *kept) {
    const bool lower = first == 0, upper = first + N_SUMS == SKINNY_FREQUENCIES;
    vf sums[N_SUMS][SKINNY_MAX_TILES];
    float *out = products->sums + first * products->sums_frequency_stride;
    const int64_t out_stride = products->sums_frequency_stride, stride = products->in_frequency_stride;
#pragma GCC unroll 6
    for (int f = 0; f < N_SUMS; f++)
#pragma GCC unroll 4
        for (int t = 0; t < tiles; t++)
            sums[f][t] = v_zero();
    const int64_t soon = 9 * VW / (SKINNY_FREQUENCIES * HALVES); /* floats to fetch for each channel */
    const float *prefetch =
        products->prefetch + (row * HALVES + first / N_SUMS) * products->n_in_blocks * VW * soon;
    const float *weights = products->weights, *block = products->in + first * stride;
    for (int64_t i = 0; i < products->n_in_blocks; i++, block += products->in_block_stride) {
        const int block_channels = i == products->n_in_blocks - 1 ? products->tail_channels : VW;
        const float *in = block;
        for (int l = 0; l < block_channels; l++, in++, weights += 9 * VW, kept += 3 * VW, prefetch += soon) {
            __builtin_prefetch(prefetch, 0, 2);
            if (soon > LINE)
                __builtin_prefetch(prefetch + soon - 1, 0, 2);
            /* In this order no more than four vectors are needed beside the sums. */
            const vf left = half_column(row, first, weights, kept, 0);
            if (lower)
                multiply_tiles(tiles, sums[0], left, in);
            const vf right = half_column(row, first, weights, kept, 2);
            if (upper && HALVES == 2)
                multiply_tiles(tiles, sums[5 - first], right, in + (5 - first) * stride);
            const vf even_a = left + v_set(0.5f) * right, even_b = v_set(0.5f) * left + right;
            const vf middle = half_column(row, first, weights, kept, 1);
            if (lower) {
                multiply_tiles(tiles, sums[1], even_a + middle, in + stride);
                multiply_tiles(tiles, sums[2], even_a - middle, in + 2 * stride);
            }
            if (upper) {
                multiply_tiles(tiles, sums[3 - first], even_b + middle, in + (3 - first) * stride);
                multiply_tiles(tiles, sums[4 - first], even_b - middle, in + (4 - first) * stride);
            }
            if (upper && HALVES == 1)
                multiply_tiles(tiles, sums[5 - first], right, in + (5 - first) * stride);
        }
    }
#pragma GCC unroll 6
    for (int f = 0; f < N_SUMS; f++)
#pragma GCC unroll 4
        for (int t = 0; t < tiles; t++) {
            float *to = out + f * out_stride + t * VW;
            v_store(to, products->add ? sums[f][t] + v_load(to) : sums[f][t]);
        }
}

#define SKINNY(ROW, TILES)                                                                                   \
    static void skinny_##ROW##_##TILES(const SkinnyProducts *products) {                                     \
        float kept[HALVES == 2 ? SKINNY_CHUNK_BLOCKS * VW * 3 * VW : 1];                                     \
        skinny_products(products, ROW, TILES, 0, kept);                                                      \
        if (HALVES == 2)                                                                                     \
            skinny_products(products, ROW, TILES, N_SUMS % SKINNY_FREQUENCIES, kept);                        \
    }

/* clang-format off */
#define FOR_TILES(DO, ROW) DO(ROW, 1) DO(ROW, 2) DO(ROW, 3) DO(ROW, 4)
#define FOR_ALL(DO) \
    FOR_TILES(DO, 0) FOR_TILES(DO, 1) FOR_TILES(DO, 2) FOR_TILES(DO, 3) FOR_TILES(DO, 4) FOR_TILES(DO, 5)
/* clang-format on */

FOR_ALL(SKINNY)

#define ENTRY(ROW, TILES) .of[ROW][TILES] = skinny_##ROW##_##TILES,

const WinogradSkinny TARGET(winograd_skinny) = {FOR_ALL(ENTRY)};
