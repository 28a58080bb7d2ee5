/* SPDX-License-Identifier: Apache-2.0 */
/* MaxPool with Indices: what the preparation hands to the templates. */
#ifndef OPS_CPU_POOL_INDICES_H
#define OPS_CPU_POOL_INDICES_H

#include "ops/cpu/cpu.h"

/* One tap of a row of outputs: output k sees line[k * stride], which is element at + k * stride of its plane.
 * `most` and `index` are the largest so far and where it stands, -1 while there is none. */
typedef void PoolTap(const void *line, int32_t at, int64_t stride, int64_t count, void *most, int32_t *index);
/* Sets `most` to the least number. */
typedef void PoolLeast(void *most, int64_t count);

typedef struct PoolIndicesRows {
    PoolTap *tap;
    PoolLeast *least;
} PoolIndicesRows;

typedef struct PoolIndicesTable {
    PoolIndicesRows f32, f64, i8, u8;
} PoolIndicesTable;

TARGET_TABLES(PoolIndicesTable, pool_indices)

#endif
