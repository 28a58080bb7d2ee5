/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPS_NN_ROTARY_EMBEDDING_H
#define OPS_NN_ROTARY_EMBEDDING_H

#include "ops/op.h"

enum { ROTARY_X, ROTARY_COS, ROTARY_SIN, ROTARY_POSITIONS };

typedef struct RotaryAttrs {
    int64_t heads; /* 0 where it is not given: rank 4 says them */
    int64_t size;  /* of what is turned of a head; 0: all */
    bool interleaved;
} RotaryAttrs;

/* Rows of `head_size` elements, of which the first 2 * `half` are turned by a row of `half` cosines and
 * sines. */
typedef struct RotaryGeometry {
    int64_t batch, heads, rows, head_size, half;
    int64_t head_step, row_step; /* in elements, of X and Y */
    int64_t positions;           /* rows of the caches that positions may name; 0 where these lie by row */
} RotaryGeometry;

/* From known shapes that infer() has accepted. */
RotaryGeometry rotary_geometry(const RotaryAttrs *attrs, const Shape *x, const Shape *cos,
                               bool has_positions);

#endif
