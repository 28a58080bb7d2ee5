/* SPDX-License-Identifier: Apache-2.0 */
/* QuantizeLinear and DequantizeLinear: their attributes, and which scale an element has; shared with kernels.
 */
#ifndef OPS_QUANTIZATION_QUANTIZE_H
#define OPS_QUANTIZATION_QUANTIZE_H

#include "ops/op.h"

enum { QUANTIZE_X, QUANTIZE_SCALE, QUANTIZE_ZERO, QUANTIZE_INPUTS };

typedef struct QuantizeAttrs {
    int64_t axis, block_size; /* 0: no blocks */
    DType output;             /* STRIDER_DTYPE_NONE: follows from the inputs */
    DType precision;          /* QuantizeLinear: of the division; STRIDER_DTYPE_NONE: the scale's */
    bool saturate;            /* QuantizeLinear: to floats of 8 bits */
} QuantizeAttrs;

/* The input as [outer, axis, inner].  The scale and the zero point of element [o, a, i] have the index
 *     o * outer_step + a / block * axis_step + i * inner_step. */
typedef struct QuantizeGeometry {
    int64_t outer, axis, inner;
    int64_t block, outer_step, axis_step, inner_step;
} QuantizeGeometry;

/* From known shapes that infer() has accepted. */
QuantizeGeometry quantize_geometry(const QuantizeAttrs *attrs, const Shape *x, const Shape *scale);

/* The least and the largest number of an integer type of up to 32 bits. */
typedef struct IntegerRange {
    int64_t low, high;
} IntegerRange;
IntegerRange integer_range(DType dtype);

/* Rounds to nearest even, adds the zero point and saturates; NaN becomes the least number, as in onnxruntime.
 * Integers only. */
int64_t quantize_to_integer(double quotient, int64_t zero, IntegerRange range);

/* Rounded to a float type; unchanged for float64 and for what is no float. */
double round_to_dtype(double value, DType dtype);

#endif
