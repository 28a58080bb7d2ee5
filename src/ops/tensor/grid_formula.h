/* SPDX-License-Identifier: Apache-2.0 */
/* Where GridSample and DeformConv read, in a type REAL, which the includer defines: double for the plain
 * definition, float for the kernels of other devices.  floor() and its like must be there for that type. */
#ifndef OPS_TENSOR_GRID_FORMULA_H
#define OPS_TENSOR_GRID_FORMULA_H

#include "ops/shared_math.h"
#include "ops/tensor/grid_kind.h"

enum { GRID_OUTSIDE = -1 };

/* A grid's coordinate, from -1 to 1, in elements. */
SHARED REAL grid_place(bool align_corners, REAL coordinate, INDEX length) {
    return align_corners ? (coordinate + 1) / 2 * (REAL)(length - 1)
                         : ((coordinate + 1) * (REAL)length - 1) / 2;
}

/* Thrown back at both ends until it is between them. */
SHARED REAL grid_reflect(bool align_corners, REAL x, INDEX length) {
    const REAL low = align_corners ? 0 : (REAL)-0.5,
               high = align_corners ? (REAL)(length - 1) : (REAL)length - (REAL)0.5, range = high - low;
    if (!(range > 0))
        return low;
    const REAL past = fmod(fabs(x - low), 2 * range);
    return past <= range ? low + past : high - (past - range);
}

/* Of a whole number; GRID_OUTSIDE: it counts as 0. */
SHARED INDEX grid_index(GridSampleAttrs attrs, REAL x, INDEX length) {
    const REAL last = (REAL)(length - 1);
    if (length == 0 || (attrs.padding == GRID_ZEROS && !(x >= 0 && x <= last)))
        return GRID_OUTSIDE;
    if (attrs.padding == GRID_REFLECTION)
        x = grid_reflect(attrs.align_corners, x, length);
    return (INDEX)fmin(fmax(x, (REAL)0), last);
}

SHARED int grid_tap_count(GridMode mode) {
    return mode == GRID_NEAREST ? 1 : mode == GRID_LINEAR ? 2 : 4;
}

/* The weight of an element at this distance, for cubic ones. */
SHARED REAL grid_cubic(REAL distance) {
    const REAL a = (REAL)-0.75, d = fabs(distance);
    return d <= 1 ? ((a + 2) * d - (a + 3)) * d * d + 1 : ((a * d - 5 * a) * d + 8 * a) * d - 4 * a;
}

/* Tap `tap` of one dimension at a position, which is no NaN unless the nearest element is asked for. */
SHARED INDEX grid_tap(GridSampleAttrs attrs, REAL position, INDEX length, int tap, REAL *weight) {
    *weight = 1;
    if (attrs.padding == GRID_REFLECTION)
        position = grid_reflect(attrs.align_corners, position, length);
    if (attrs.mode == GRID_NEAREST)
        return grid_index(attrs, rint(position), length);
    /* Beyond, all taps are the same. */
    position = fmin(fmax(position, (REAL)-3), (REAL)length + 2);
    const REAL low = floor(position), t = position - low,
               at = (REAL)(attrs.mode == GRID_CUBIC ? tap - 1 : tap);
    *weight = attrs.mode == GRID_CUBIC ? grid_cubic(t - at) : tap ? t : 1 - t;
    return grid_index(attrs, low + at, length);
}

#endif
