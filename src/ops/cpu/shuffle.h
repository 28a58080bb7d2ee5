/* SPDX-License-Identifier: Apache-2.0 */
/* Channels of several inputs, put together in any order: what the preparation hands to the templates. */
#ifndef OPS_CPU_SHUFFLE_H
#define OPS_CPU_SHUFFLE_H

#include "ops/cpu/cpu.h"

enum { WIDEST_VECTOR = 16 }; /* in floats */

/* Lanes of one block of an input that become lanes of a block of the output. */
typedef struct LaneSource {
    int port;
    int64_t block; /* of the input's channels */
    int32_t from[WIDEST_VECTOR],
        keep[WIDEST_VECTOR]; /* lane i of the output is lane from[i] where keep[i] is -1 */
} LaneSource;

/* `pixels` vectors of the output: each takes the kept lanes of all sources' vectors at the same place, and
 * zero where none is kept. */
typedef void (*ShuffleFunction)(const LaneSource *sources, const float *const *from, int n_sources,
                                int64_t pixels, float *to);

typedef struct ShuffleTable {
    ShuffleFunction shuffle;
} ShuffleTable;

TARGET_TABLES(ShuffleTable, shuffle)

#endif
