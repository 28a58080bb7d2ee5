/* SPDX-License-Identifier: Apache-2.0 */
/* Register tiles.  Sizes: as many accumulators as leave room for the weights of one lane and a broadcast.
 * With AVX-512's 32 registers 2 x 14 reaches 99 % of the FMA peak, 4 x 7 serves rows of 7; with 16 registers
 * 2 x 6 and 3 x 4.  Other pixel counts are tails: a row is divided into tiles of about equal size. */
#include "ops/cpu/conv/tile_simd.h"

/* Input blocks lie a plane apart, where the hardware does not see the next one coming.  With one tap there is
 * little to do before it is needed, less than memory takes where vectors are narrow. */
enum { PREFETCH_BLOCKS = 2 };

/* The sums of a tile.  Where its last block has at most half a vector of channels, these are half vectors,
 * for which a core that computes wide vectors in two halves takes half the time. */
typedef float half_vector __attribute__((vector_size(STRIDER_WIDTH * 2)));
typedef float half_unaligned __attribute__((vector_size(STRIDER_WIDTH * 2), aligned(4), may_alias));
typedef struct TileSums {
    vf whole[TILE_MAX_BLOCKS][TILE_MAX_PIXELS];
    half_vector half[TILE_MAX_PIXELS];
} TileSums;

/* `blocks`, `half`, `pixels` and `pixel_stride` are constants wherever these are inlined, so that all loops
 * over them unroll and the sums are registers.  `half`: the last block is half a vector. */

/* The products of one channel of input.  With 16 registers the larger tiles have room for the fewer of
 * weights and pixels, and one of the others. */
INLINE void tile_channel(const int blocks, const bool half, const int pixels, const int pixel_stride,
                         const float *in, const float *weights, TileSums *sums) {
    vf held[TILE_MAX_BLOCKS];
    half_vector held_half;
    if (VW < 16 && pixels < blocks) {
#pragma GCC unroll 4
        for (int p = 0; p < pixels; p++)
            held[p] = v_set(in[p * pixel_stride]);
#pragma GCC unroll 4
        for (int o = 0; o < blocks; o++) {
            const vf w = v_load_once(weights + o * VW);
#pragma GCC unroll 4
            for (int p = 0; p < pixels; p++)
                sums->whole[o][p] += w * held[p];
        }
        return;
    }
    if (half)
        held_half = *(const half_unaligned *)(weights + (blocks - 1) * VW);
#pragma GCC unroll 4
    for (int o = 0; o < blocks - half; o++)
        held[o] = pixels < 4 ? v_load_once(weights + o * VW) : v_load(weights + o * VW);
#pragma GCC unroll 14
    for (int p = 0; p < pixels; p++) {
        const float value = in[p * pixel_stride];
#pragma GCC unroll 4
        for (int o = 0; o < blocks - half; o++)
            sums->whole[o][p] += held[o] * value;
        if (half)
            sums->half[p] += held_half * value;
    }
}

/* The half vectors' other half is zero. */
INLINE void widen_half(const int blocks, const int pixels, TileSums *sums) {
#pragma GCC unroll 14
    for (int p = 0; p < pixels; p++) {
#if STRIDER_WIDTH == 16 && defined(__AVX512F__)
        sums->whole[blocks - 1][p] = (vf)_mm512_zextps256_ps512((__m256)sums->half[p]);
#else
        sums->whole[blocks - 1][p] = v_zero();
        memcpy(&sums->whole[blocks - 1][p], &sums->half[p], sizeof sums->half[p]);
#endif
    }
}

INLINE void clear_sums(const int blocks, const int pixels, TileSums *sums) {
#pragma GCC unroll 14
    for (int p = 0; p < pixels; p++) {
        sums->half[p] = (half_vector){0};
#pragma GCC unroll 4
        for (int o = 0; o < blocks; o++)
            sums->whole[o][p] = v_zero(); /* a large bias would cost every product digits */
    }
}

INLINE void copy_sums(const int blocks, const bool half, const int pixels, const TileSums *from,
                      TileSums *to) {
#pragma GCC unroll 14
    for (int p = 0; p < pixels; p++) {
        if (half)
            to->half[p] = from->half[p];
#pragma GCC unroll 4
        for (int o = 0; o < blocks - half; o++)
            to->whole[o][p] = from->whole[o][p];
    }
}

INLINE void add_sums(const int blocks, const bool half, const int pixels, const TileSums *more,
                     TileSums *sums) {
#pragma GCC unroll 14
    for (int p = 0; p < pixels; p++) {
        if (half)
            sums->half[p] += more->half[p];
#pragma GCC unroll 4
        for (int o = 0; o < blocks - half; o++)
            sums->whole[o][p] += more->whole[o][p];
    }
}

/* What the next input block reads. */
typedef struct TileNext {
    const float *weights, *prefetch;
} TileNext;

/* Adds the products of input blocks [first, end). */
INLINE void tile_products(const ConvTile *tile, const int blocks, const bool half, const int pixels,
                          const int pixel_stride, int64_t first, int64_t end, TileNext *next,
                          TileSums *sums) {
    for (int64_t i = first; i < end; i++) {
        const float *block = tile->in + i * tile->in_block_stride;
        /* A plain channel is one lane, which saves a loop. */
        const int block_channels = pixel_stride == 1            ? 1
                                   : i == tile->n_in_blocks - 1 ? tile->tail_channels
                                                                : tile->block_channels;
        if (VW < 16 && pixel_stride != 1 && tile->n_taps == 1) {
            const float *soon = block + PREFETCH_BLOCKS * tile->in_block_stride + tile->taps[0].in;
#pragma GCC unroll 14
            for (int p = 0; p < pixels * pixel_stride; p += TILE_LINE)
                __builtin_prefetch(soon + p);
        }
        if (pixel_stride != 1) { /* not for each tap: that costs small tiles a tenth of their speed */
            const float *soon_end = next->prefetch + tile->prefetch_step;
            for (; next->prefetch < soon_end; next->prefetch += TILE_LINE)
                __builtin_prefetch(next->prefetch, 0, 2);
        }
        const int64_t tap_floats = (int64_t)block_channels * blocks * VW;
        for (int64_t t = 0; t < tile->n_taps; t++) {
            const float *in = block + tile->taps[t].in,
                        *at = next->weights + tile->taps[t].index * tap_floats;
            if (VW < 16 && pixel_stride != 1 && block_channels == VW) {
/* Half as many jumps, of which narrow vectors have more; with all unrolled GCC keeps sums in memory. */
#pragma GCC unroll 2
                for (int l = 0; l < VW; l++, at += blocks * VW)
                    tile_channel(blocks, half, pixels, pixel_stride, in + l, at, sums);
                continue;
            }
            for (int l = 0; l < block_channels; l++, at += blocks * VW)
                tile_channel(blocks, half, pixels, pixel_stride, in + l, at, sums);
        }
        next->weights += tile->all_taps * tap_floats;
    }
}

INLINE void tile_run(const ConvTile *tile, const int blocks, const bool half, const int pixels,
                     const int pixel_stride) {
    TileSums sums, total;
    TileNext next = {tile->weights, tile->prefetch};
    const int64_t n = tile->n_in_blocks;
    int64_t first = 0, end;
    do { /* also where there is no input */
        end = n - first > tile->sum_blocks ? first + tile->sum_blocks : n;
        clear_sums(blocks, pixels, &sums);
        tile_products(tile, blocks, half, pixels, pixel_stride, first, end, &next, &sums);
        if (first > 0)
            add_sums(blocks, half, pixels, &total, &sums);
        if (end < n)
            copy_sums(blocks, half, pixels, &sums, &total);
        first = end;
    } while (first < n);
    if (half)
        widen_half(blocks, pixels, &sums);
    tile_finish(tile, blocks, pixels, sums.whole);
}

#define TILE(BLOCKS, PIXELS)                                                                                 \
    static void blocked_##BLOCKS##_##PIXELS(const ConvTile *tile) {                                          \
        tile_run(tile, BLOCKS, false, PIXELS, VW);                                                           \
    }                                                                                                        \
    static void plain_##BLOCKS##_##PIXELS(const ConvTile *tile) {                                            \
        tile_run(tile, BLOCKS, false, PIXELS, 1);                                                            \
    }
#define HALF_TILE(BLOCKS, PIXELS)                                                                            \
    static void half_##BLOCKS##_##PIXELS(const ConvTile *tile) {                                             \
        tile_run(tile, BLOCKS, true, PIXELS, VW);                                                            \
    }

/* clang-format off */
#if STRIDER_WIDTH == 16
#define FOR_TILES(DO) \
    DO(1, 1) DO(1, 2) DO(1, 3) DO(1, 4) DO(1, 5) DO(1, 6) DO(1, 7) DO(1, 8) DO(1, 9) DO(1, 10) \
    DO(1, 11) DO(1, 12) DO(1, 13) DO(1, 14) \
    DO(2, 1) DO(2, 2) DO(2, 3) DO(2, 4) DO(2, 5) DO(2, 6) DO(2, 7) DO(2, 8) DO(2, 9) DO(2, 10) \
    DO(2, 11) DO(2, 12) DO(2, 13) DO(2, 14) \
    DO(3, 1) DO(3, 2) DO(3, 3) DO(3, 4) DO(3, 5) DO(3, 6) DO(3, 7) DO(3, 8) DO(3, 9) \
    DO(4, 1) DO(4, 2) DO(4, 3) DO(4, 4) DO(4, 5) DO(4, 6) DO(4, 7)
#define MAX_PIXELS { 0, 14, 14, 9, 7 }
#elif STRIDER_WIDTH == 8
#define FOR_TILES(DO) \
    DO(1, 1) DO(1, 2) DO(1, 3) DO(1, 4) DO(1, 5) DO(1, 6) DO(1, 7) DO(1, 8) DO(1, 9) DO(1, 10) \
    DO(1, 11) DO(1, 12) \
    DO(2, 1) DO(2, 2) DO(2, 3) DO(2, 4) DO(2, 5) DO(2, 6) \
    DO(3, 1) DO(3, 2) DO(3, 3) DO(3, 4) \
    DO(4, 1) DO(4, 2) DO(4, 3)
#define MAX_PIXELS { 0, 12, 6, 4, 3 }
#else
#define FOR_TILES(DO) \
    DO(1, 1) DO(1, 2) DO(1, 3) DO(1, 4) DO(1, 5) DO(1, 6) DO(1, 7) DO(1, 8) \
    DO(2, 1) DO(2, 2) DO(2, 3) DO(2, 4) DO(2, 5) \
    DO(3, 1) DO(3, 2) DO(3, 3) \
    DO(4, 1) DO(4, 2)
#define MAX_PIXELS { 0, 8, 5, 3, 2 }
#endif
/* clang-format on */

FOR_TILES(TILE)
#if STRIDER_WIDTH == 16
FOR_TILES(HALF_TILE)
#define HALF_ENTRY(BLOCKS, PIXELS) .half[BLOCKS][PIXELS] = half_##BLOCKS##_##PIXELS,
#else
#define HALF_ENTRY(BLOCKS, PIXELS)
#endif

static void gather(const float *restrict from, int64_t stride, int64_t count, float *restrict to) {
    if (stride == 2) /* a loop of its own, as this one becomes shuffles of vectors */
        for (int64_t i = 0; i < count; i++)
            to[i] = from[2 * i];
    else
        for (int64_t i = 0; i < count; i++)
            to[i] = from[i * stride];
}

#define BLOCKED_ENTRY(BLOCKS, PIXELS) .blocked[BLOCKS][PIXELS] = blocked_##BLOCKS##_##PIXELS,
#define PLAIN_ENTRY(BLOCKS, PIXELS) .plain[BLOCKS][PIXELS] = plain_##BLOCKS##_##PIXELS,

const ConvTiles TARGET(conv_tiles) = {
    .max_pixels = MAX_PIXELS,
    FOR_TILES(BLOCKED_ENTRY) FOR_TILES(HALF_ENTRY) FOR_TILES(PLAIN_ENTRY).gather = gather,
    .gather_vectors = tile_gather_vectors};
