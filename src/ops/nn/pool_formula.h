/* SPDX-License-Identifier: Apache-2.0 */
/* What MaxPool and LpPool do with a window's elements, in a type REAL, as in unary_formula.h. */
#ifndef OPS_NN_POOL_FORMULA_H
#define OPS_NN_POOL_FORMULA_H

#include <stdbool.h>

#include "ops/shared_math.h"

/* Whether an element is the maximum so far, at `index` in its plane, which is -1 while there is none.  NaN is
 * larger than everything, as in torch. */
SHARED bool pool_is_max(REAL value, REAL max, INDEX index) {
    return index < 0 || value > max || (value != value && max == max);
}

/* MaxPool's Indices: the index in the whole tensor that stands for one in plane `plane` of `depth` x `height`
 * x `width`; 0 for -1, of a window without elements. */
SHARED INDEX pool_flat_index(INDEX plane, INDEX depth, INDEX height, INDEX width, INDEX index,
                             bool column_major) {
    const INDEX at = index < 0 ? 0 : index, x = at % width, y = at / width % height,
                z = at / (width * height);
    return plane * (depth * height * width) + (column_major ? z + depth * (y + height * x) : at);
}

/* LpPool: (sum of |x|^p)^(1/p), counted in `peak`, the largest |x|, where that keeps powers from overflow. */
SHARED bool pool_is_scaled(REAL peak) {
    return peak > 0 && peak < (REAL)INFINITY;
}

SHARED REAL pool_power(REAL x, REAL p, REAL peak) {
    return pow(fabs(x) / (pool_is_scaled(peak) ? peak : 1), p);
}

SHARED REAL pool_norm(REAL sum, REAL p, REAL peak) {
    return pow(sum, 1 / p) * (pool_is_scaled(peak) ? peak : 1);
}

#endif
