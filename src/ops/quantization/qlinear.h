/* SPDX-License-Identifier: Apache-2.0 */
/* Operators of onnxruntime's domain com.microsoft on tensors of uint8 or int8: what they share. */
#ifndef OPS_QUANTIZATION_QLINEAR_H
#define OPS_QUANTIZATION_QLINEAR_H

#include "ops/quantization/quantize.h"

/* How a tensor's integers stand for real numbers: scale * (q - zero). */
typedef struct QLinear {
    float scale;
    int64_t zero;
} QLinear;

/* The inputs of QLinearAdd and QLinearMul. */
enum { ADD_A, ADD_A_SCALE, ADD_A_ZERO, ADD_B, ADD_B_SCALE, ADD_B_ZERO, ADD_C_SCALE, ADD_C_ZERO, ADD_INPUTS };

/* Of QLinearSigmoid and QLinearLeakyRelu. */
enum { UNARY_X, UNARY_X_SCALE, UNARY_X_ZERO, UNARY_Y_SCALE, UNARY_Y_ZERO, UNARY_INPUTS };

/* Of QLinearConcat: each part is elements, scale and zero point, the first one from CONCAT_X on. */
enum { CONCAT_Y_SCALE, CONCAT_Y_ZERO, CONCAT_X, QLINEAR_PART = 3 };

/* What QLinearSigmoid and QLinearLeakyRelu compute of a real number; QLinearConcat: the number itself. */
float qlinear_function(const Node *node, float x);

/* From the inputs at these ports; the zero point is 0 where it is absent. */
QLinear qlinear_of(const EvalContext *ctx, int scale_port, int zero_port);

static inline float qlinear_real(QLinear of, int64_t q) {
    return of.scale * (float)(q - of.zero);
}
static inline int64_t qlinear_quantize(QLinear to, float real, IntegerRange range) {
    return quantize_to_integer((double)(real / to.scale), to.zero, range);
}

/* BAD_MODEL where the input is absent: of those that follow an optional one. */
Status qlinear_require(InferContext *ctx, int port) MUST_CHECK;
/* That the scale is one float32, and the zero point, where it is there, one of `dtype`. */
Status qlinear_check(InferContext *ctx, int scale_port, int zero_port, DType dtype) MUST_CHECK;

#endif
