/* SPDX-License-Identifier: Apache-2.0 */
/* A row of frequencies needs the taps' columns at one point only: three vectors, from which the row's six
 * follow by two multiplications and four additions.  With 32 registers these feed six frequencies of four
 * image tiles at once, so that 24 products pay for them; with 16 registers the row is done in two halves of
 * three frequencies. */
#include "ops/cpu/conv_winograd_few.h"

#include "ops/cpu/simd.h"

enum { HALVES = STRIDER_WIDTH == 16 ? 1 : 2, N_SUMS = FEW_FREQUENCIES / HALVES, LINE = 16 };

/* The taps' columns at the row's point: the row of G (conv_winograd_tmpl.c) times the taps. */
INLINE void columns_at(const int row, const float *taps, vf columns[3]) {
#pragma GCC unroll 3
    for (int x = 0; x < 3; x++) {
        const float *top = taps + x * VW, *middle = top + 3 * VW, *bottom = top + 6 * VW;
        if (row == 0) {
            columns[x] = v_load(top);
        } else if (row == 5) {
            columns[x] = v_load(bottom);
        } else {
            const vf even = row < 3 ? v_load(top) + v_set(0.5f) * v_load(bottom)
                                    : v_set(0.5f) * v_load(top) + v_load(bottom);
            columns[x] = row % 2 ? even + v_load(middle) : even - v_load(middle);
        }
    }
}

INLINE void multiply_tiles(const int tiles, vf sums[FEW_MOST_TILES], vf weights, const float *in) {
#pragma GCC unroll 4
    for (int t = 0; t < tiles; t++)
        sums[t] += weights * in[t * VW];
}

/* Frequencies [first, first + N_SUMS) of a row; `row`, `tiles` and `first` are constants wherever this is
 * inlined. */
INLINE void few_products(const FewProducts *products, const int row, const int tiles, const int first) {
    vf sums[N_SUMS][FEW_MOST_TILES];
    float *out = products->sums + first * products->sums_frequency_stride;
    const int64_t out_stride = products->sums_frequency_stride, stride = products->in_frequency_stride;
#pragma GCC unroll 6
    for (int f = 0; f < N_SUMS; f++)
#pragma GCC unroll 4
        for (int t = 0; t < tiles; t++)
            sums[f][t] = products->add ? v_load(out + f * out_stride + t * VW) : v_zero();
    const int64_t soon = 9 * VW / (FEW_FREQUENCIES * HALVES); /* floats to fetch for each channel */
    const float *ahead =
        products->ahead + (row * HALVES + first / N_SUMS) * products->n_in_blocks * VW * soon;
    const float *weights = products->weights, *block = products->in + first * stride;
    for (int64_t i = 0; i < products->n_in_blocks; i++, block += products->in_block_stride) {
        const int lanes = i == products->n_in_blocks - 1 ? products->last_lanes : VW;
        const float *in = block;
        for (int l = 0; l < lanes; l++, in++, weights += 9 * VW, ahead += soon) {
            vf columns[3];
            __builtin_prefetch(ahead, 0, 2);
            if (soon > LINE)
                __builtin_prefetch(ahead + soon - 1, 0, 2);
            columns_at(row, weights, columns);
            if (first == 0) {
                multiply_tiles(tiles, sums[0], columns[0], in);
                const vf even = columns[0] + v_set(0.5f) * columns[2];
                multiply_tiles(tiles, sums[1], even + columns[1], in + stride);
                multiply_tiles(tiles, sums[2], even - columns[1], in + 2 * stride);
            }
            if (first + N_SUMS == FEW_FREQUENCIES) {
                const vf even = v_set(0.5f) * columns[0] + columns[2];
                multiply_tiles(tiles, sums[3 - first], even + columns[1], in + (3 - first) * stride);
                multiply_tiles(tiles, sums[4 - first], even - columns[1], in + (4 - first) * stride);
                multiply_tiles(tiles, sums[5 - first], columns[2], in + (5 - first) * stride);
            }
        }
    }
#pragma GCC unroll 6
    for (int f = 0; f < N_SUMS; f++)
#pragma GCC unroll 4
        for (int t = 0; t < tiles; t++)
            v_store(out + f * out_stride + t * VW, sums[f][t]);
}

#define FEW(ROW, TILES)                                                                                      \
    static void few_##ROW##_##TILES(const FewProducts *products) {                                           \
        few_products(products, ROW, TILES, 0);                                                               \
        if (HALVES == 2)                                                                                     \
            few_products(products, ROW, TILES, N_SUMS % FEW_FREQUENCIES);                                    \
    }

/* clang-format off */
#define FOR_TILES(DO, ROW) DO(ROW, 1) DO(ROW, 2) DO(ROW, 3) DO(ROW, 4)
#define FOR_ALL(DO) \
    FOR_TILES(DO, 0) FOR_TILES(DO, 1) FOR_TILES(DO, 2) FOR_TILES(DO, 3) FOR_TILES(DO, 4) FOR_TILES(DO, 5)
/* clang-format on */

FOR_ALL(FEW)

#define ENTRY(ROW, TILES) .of[ROW][TILES] = few_##ROW##_##TILES,

const WinogradFew ISA(winograd_few) = {FOR_ALL(ENTRY)};
