/* SPDX-License-Identifier: Apache-2.0 */
/* Register tiles for groups of 1, 2, 4 or 8 channels, several of which share a vector.  Output o of a group
 * needs the group's inputs o, o + 1, ... (modulo the group); input vectors are multiplied lane by lane as
 * they lie, into a sum for each of these rotations, and only the sums are rotated into their places at the
 * end. */
#include "ops/cpu/conv/grouped.h"

#include "ops/cpu/conv/tile_simd.h"

/* Output lane o takes lane (o + rotation) modulo the group, within its group. */
INLINE vf rotate(vf sum, int group, int rotation) {
    vi from;
    for (int lane = 0; lane < VW; lane++)
        from[lane] = lane / group * group + (lane + rotation) % group;
    return v_permute(sum, from);
}

INLINE void grouped_run(const ConvTile *tile, const int group, const int pixels) {
    vf sums[8][TILE_MAX_PIXELS];
#pragma GCC unroll 8
    for (int r = 0; r < group; r++)
#pragma GCC unroll 14
        for (int p = 0; p < pixels; p++)
            sums[r][p] = v_zero();
    for (int64_t t = 0; t < tile->n_taps; t++) {
        const float *in = tile->in + tile->taps[t].in,
                    *weights = tile->weights + tile->taps[t].index * group * VW;
#pragma GCC unroll 8
        for (int r = 0; r < group; r++) {
            const vf w = v_load(weights + r * VW);
#pragma GCC unroll 14
            for (int p = 0; p < pixels; p++)
                sums[r][p] += w * v_load(in + p * VW);
        }
    }
    vf acc[TILE_MAX_BLOCKS][TILE_MAX_PIXELS];
#pragma GCC unroll 14
    for (int p = 0; p < pixels; p++) {
        acc[0][p] = sums[0][p];
#pragma GCC unroll 8
        for (int r = 1; r < group; r++)
            acc[0][p] += rotate(sums[r][p], group, r);
    }
    tile_finish(tile, 1, pixels, acc);
}

#define TILE(GROUP, PIXELS)                                                                                  \
    static void grouped_##GROUP##_##PIXELS(const ConvTile *tile) {                                           \
        grouped_run(tile, GROUP, PIXELS);                                                                    \
    }
#define ENTRY(GROUP, PIXELS) .blocked[1][PIXELS] = grouped_##GROUP##_##PIXELS,

/* clang-format off */
#if STRIDER_WIDTH == 16
#define MAX_1 14
#define MAX_2 14
#define MAX_4 7
#define MAX_8 3
#define TILES_1(DO) DO(1, 1) DO(1, 2) DO(1, 3) DO(1, 4) DO(1, 5) DO(1, 6) DO(1, 7) DO(1, 8) DO(1, 9) DO(1, 10) \
    DO(1, 11) DO(1, 12) DO(1, 13) DO(1, 14)
#define TILES_2(DO) DO(2, 1) DO(2, 2) DO(2, 3) DO(2, 4) DO(2, 5) DO(2, 6) DO(2, 7) DO(2, 8) DO(2, 9) DO(2, 10) \
    DO(2, 11) DO(2, 12) DO(2, 13) DO(2, 14)
#define TILES_4(DO) DO(4, 1) DO(4, 2) DO(4, 3) DO(4, 4) DO(4, 5) DO(4, 6) DO(4, 7)
#define TILES_8(DO) DO(8, 1) DO(8, 2) DO(8, 3)
#else
#define MAX_1 12
#define MAX_2 6
#define MAX_4 3
#define TILES_1(DO) DO(1, 1) DO(1, 2) DO(1, 3) DO(1, 4) DO(1, 5) DO(1, 6) DO(1, 7) DO(1, 8) DO(1, 9) DO(1, 10) \
    DO(1, 11) DO(1, 12)
#define TILES_2(DO) DO(2, 1) DO(2, 2) DO(2, 3) DO(2, 4) DO(2, 5) DO(2, 6)
#define TILES_4(DO) DO(4, 1) DO(4, 2) DO(4, 3)
#endif
/* clang-format on */

#define TILES(GROUP)                                                                                         \
    TILES_##GROUP(TILE) static const ConvTiles tiles_##GROUP = {                                             \
        .max_pixels = {0, MAX_##GROUP}, .gather_vectors = tile_gather_vectors, TILES_##GROUP(ENTRY)};

TILES(1)
TILES(2)
#if STRIDER_WIDTH >= 8
TILES(4)
#endif
#if STRIDER_WIDTH >= 16
TILES(8)
#endif

const ConvGroupedTiles TARGET(conv_grouped_tiles) = {.of = {
                                                         [0] = &tiles_1,
                                                         [1] = &tiles_2,
#if STRIDER_WIDTH >= 8
                                                         [2] = &tiles_4,
#endif
#if STRIDER_WIDTH >= 16
                                                         [3] = &tiles_8,
#endif
                                                     }};
