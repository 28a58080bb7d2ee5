/* SPDX-License-Identifier: Apache-2.0 */
/* Four rows of four floats turned into columns, as packing does it. */
#ifndef OPS_CPU_TRANSPOSE_4_H
#define OPS_CPU_TRANSPOSE_4_H

#include <stdint.h>

typedef float v4 __attribute__((vector_size(16)));
typedef float v4_anywhere __attribute__((vector_size(16), aligned(1), may_alias));

/* to[i][r] = from[r * row + i], where `from` may have any alignment. */
static inline __attribute__((always_inline)) void transpose_4(const float *from, int64_t row, v4 to[4]) {
    const v4 a = *(const v4_anywhere *)from, b = *(const v4_anywhere *)(from + row),
             c = *(const v4_anywhere *)(from + 2 * row), d = *(const v4_anywhere *)(from + 3 * row);
    const v4 ab_low = {a[0], b[0], a[1], b[1]}, ab_high = {a[2], b[2], a[3], b[3]};
    const v4 cd_low = {c[0], d[0], c[1], d[1]}, cd_high = {c[2], d[2], c[3], d[3]};
    to[0] = (v4){ab_low[0], ab_low[1], cd_low[0], cd_low[1]};
    to[1] = (v4){ab_low[2], ab_low[3], cd_low[2], cd_low[3]};
    to[2] = (v4){ab_high[0], ab_high[1], cd_high[0], cd_high[1]};
    to[3] = (v4){ab_high[2], ab_high[3], cd_high[2], cd_high[3]};
}

#endif
