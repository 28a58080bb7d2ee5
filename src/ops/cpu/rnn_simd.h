/* SPDX-License-Identifier: Apache-2.0 */
/* What the recurrent layers' template is made of: panels of weights, and register tiles of sums. */
#ifndef OPS_CPU_RNN_SIMD_H
#define OPS_CPU_RNN_SIMD_H

#include "ops/cpu/rnn.h"
#include "ops/cpu/simd.h"
#include "ops/cpu/transpose_4.h"

#if STRIDER_WIDTH == 16
enum { TILE_ROWS = 6 };
#else
enum { TILE_ROWS = 3 };
#endif

INLINE vf load_count(const float *from, int64_t count) {
    return count >= VW ? v_load(from) : v_load_first(from, count, 0);
}

INLINE void store_count(float *to, vf value, int64_t count) {
    if (count >= VW)
        v_store(to, value);
    else
        v_store_first(to, value, count);
}

/* --- panels --- */

INLINE int64_t panel_at(const RnnProduct *product, int64_t chunk) {
    return product->at + chunk * VW * product->gates * product->k;
}

static void pack(const RnnArgs *args, const RnnProduct *product, const float *from, int64_t chunk,
                 float *panels) {
    const int64_t hidden = args->g.hidden, k = product->k, whole = k / 4 * 4, row = product->gates * VW;
    const int64_t lanes = hidden - chunk * VW < VW ? hidden - chunk * VW : VW;
    float *to = panels + panel_at(product, chunk);
    memset(to, 0, (size_t)(k * row) * sizeof *to);
    for (int gate = product->first; gate < product->first + product->gates; gate++, to += VW) {
        const float *rows = from + (gate * hidden + chunk * VW) * k;
        for (int64_t lane = 0; lane + 4 <= lanes; lane += 4)
            for (int64_t i = 0; i < whole; i += 4) {
                v4 columns[4];
                transpose_4(rows + lane * k + i, k, columns);
                for (int j = 0; j < 4; j++)
                    *(v4_anywhere *)(to + (i + j) * row + lane) = columns[j];
            }
        for (int64_t lane = 0; lane < lanes; lane++)
            for (int64_t i = lane < lanes / 4 * 4 ? whole : 0; i < k; i++)
                memcpy(to + i * row + lane, rows + lane * k + i, sizeof *to);
    }
}

/* --- sums --- */

/* Floats that a tile leaves for what follows. */
typedef float TileSums[TILE_ROWS][RNN_MAX_GATES][VW];

/* sums[r][gate] = start[gate] + sum over k of h[r][k] panel[k][gate].  Where there are few sums, further ones
 * take turns, so that none waits for the one before. */
INLINE void sum_tile(const float *panel, const float *h, int64_t h_row, int64_t count, const float *start,
                     TileSums sums, const int rows, const int gates) {
    const int turns = rows * gates >= 8 ? 1 : rows * gates >= 4 ? 2 : 4;
    vf acc[4][TILE_ROWS][RNN_MAX_GATES] = {{{v_zero()}}};
#pragma GCC unroll 6
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int gate = 0; gate < gates; gate++)
            acc[0][r][gate] = v_load(start + gate * VW);
    int64_t k = 0;
    for (; k + turns <= count; k += turns, panel += turns * gates * VW)
#pragma GCC unroll 4
        for (int turn = 0; turn < turns; turn++)
#pragma GCC unroll 4
            for (int gate = 0; gate < gates; gate++) {
                const vf weights = v_load_once(panel + (turn * gates + gate) * VW);
#pragma GCC unroll 6
                for (int r = 0; r < rows; r++)
                    acc[turn][r][gate] += weights * h[r * h_row + k + turn];
            }
    for (; k < count; k++, panel += gates * VW)
#pragma GCC unroll 4
        for (int gate = 0; gate < gates; gate++)
#pragma GCC unroll 6
            for (int r = 0; r < rows; r++)
                acc[0][r][gate] += v_load(panel + gate * VW) * h[r * h_row + k];
#pragma GCC unroll 6
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int gate = 0; gate < gates; gate++) {
#pragma GCC unroll 4
            for (int turn = 1; turn < turns; turn++)
                acc[0][r][gate] += acc[turn][r][gate];
            v_store(sums[r][gate], acc[0][r][gate]);
        }
}

typedef void (*TileFunction)(const float *panel, const float *h, int64_t h_row, int64_t count,
                             const float *start, TileSums sums);

#define TILE(ROWS, GATES)                                                                                    \
    static void tile_##ROWS##_##GATES(const float *panel, const float *h, int64_t h_row, int64_t count,      \
                                      const float *start, TileSums sums) {                                   \
        sum_tile(panel, h, h_row, count, start, sums, ROWS, GATES);                                          \
    }
#define TILES(ROWS) TILE(ROWS, 1) TILE(ROWS, 2) TILE(ROWS, 3) TILE(ROWS, 4)
#define ENTRY(ROWS) {tile_##ROWS##_1, tile_##ROWS##_2, tile_##ROWS##_3, tile_##ROWS##_4},

#if STRIDER_WIDTH == 16
#define FOR_ROWS(DO) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6)
#else
#define FOR_ROWS(DO) DO(1) DO(2) DO(3)
#endif

FOR_ROWS(TILES)

static const TileFunction tiles[TILE_ROWS][RNN_MAX_GATES] = {FOR_ROWS(ENTRY)};

INLINE void sum_rows(const float *panel, const float *h, int64_t h_row, const RnnProduct *product,
                     const float *start, TileSums sums, int64_t rows) {
    tiles[rows - 1][product->gates - 1](panel, h, h_row, product->k, start, sums);
}

/* --- quantised operands --- */

/* What stands for 8 bits: the distance of their values, and which of them is 0. */
typedef struct Quantisation {
    float scale, zero;
} Quantisation;

/* The range of some values, widened to hold 0; NaN does not count. */
typedef struct Range {
    vf low, high;
} Range;

INLINE void widen(Range *range, const float *values, int64_t count) {
    for (int64_t i = 0; i < count; i += VW) {
        const vf x = load_count(values + i, count - i);
        range->low = v_select(x < range->low, x, range->low);
        range->high = v_select(x > range->high, x, range->high);
    }
}

INLINE vf round_even(vf x) {
    const vf magic = v_set(12582912.0f); /* 1.5 * 2^23: the fraction is rounded away */
    return (x + magic) - magic;
}

static Quantisation quantisation_of(const Range *range) {
    const float low = -v_max_lanes(-range->low), high = v_max_lanes(range->high);
    const float scale = high > low ? (high - low) / 255 : 1, zero = 0 - low / scale;
    return (Quantisation){scale, round_even(v_set(zero < 0 ? 0 : zero > 255 ? 255 : zero))[0]};
}

/* Rounded to 8 bits, as distances from 0 in units of the scale. */
static void quantise(Quantisation q, const float *from, float *to, int64_t count) {
    const vf scale = v_set(q.scale), low = v_set(-q.zero), high = v_set(255 - q.zero);
    for (int64_t i = 0; i < count; i += VW) {
        const vf x = round_even(load_count(from + i, count - i) / scale);
        store_count(to + i, v_min(high, v_max(low, x)), count - i);
    }
}

#endif
