/* SPDX-License-Identifier: Apache-2.0 */
/* Register tiles of grouped convolution: tile.h's ConvTile, of one output block, where the groups have
 * as many input as output channels and several share a vector.  Weights are [taps][rotation][width]: lane i
 * of rotation r is what input channel i contributes to output (i - r) modulo the group, within its group. */
#ifndef OPS_CPU_CONV_GROUPED_H
#define OPS_CPU_CONV_GROUPED_H

#include "ops/cpu/conv/tile.h"
#include "ops/cpu/cpu.h"

enum { GROUPED_MAX_LOG = 3 };

/* By the logarithm to base 2 of a group's channels, 0 for those of one; NULL where that is no part of a
 * vector.  `blocked` is filled for one output block. */
typedef struct ConvGroupedTiles {
    const ConvTiles *of[GROUPED_MAX_LOG + 1];
} ConvGroupedTiles;

TARGET_TABLES(ConvGroupedTiles, conv_grouped_tiles)

/* For groups of so many input and output channels; NULL: none. */
static inline const ConvTiles *conv_grouped_tiles_of(const CpuTarget *target, int64_t in_group,
                                                     int64_t out_group) {
    for (int log = 0; log <= GROUPED_MAX_LOG; log++)
        if (in_group == out_group && in_group == 1 << log)
            return conv_grouped_tiles_for(target)->of[log];
    return NULL;
}

/* Where the weight between channel `c` of a group's inputs and the block's output `m` stands. */
typedef struct ConvGroupedPlace {
    int64_t rotation, lane;
} ConvGroupedPlace;

static inline ConvGroupedPlace conv_grouped_place(int64_t group, int64_t m, int64_t c) {
    return (ConvGroupedPlace){(c - m % group + group) % group, m / group * group + c};
}

#endif
