/* SPDX-License-Identifier: Apache-2.0 */
/* Products of quantised operands, exact in integers: which input of an operator is what, and what becomes of
 * the sums.  Shared by references and kernels. */
#ifndef OPS_QUANTIZATION_PRODUCTS_H
#define OPS_QUANTIZATION_PRODUCTS_H

#include "ops/quantization/quantize.h"

/* The input ports; -1 where the operator has no such input. */
typedef struct ProductPorts {
    int a, a_scale, a_zero; /* a convolution's x */
    int b, b_scale, b_zero; /* its weights */
    int bias;               /* int32, with the scale of the sums */
    int y_scale, y_zero;
} ProductPorts;

/* Of MatMulInteger, QLinearMatMul, QGemm, ConvInteger and QLinearConv, by OpKind. */
const ProductPorts *product_ports(int kind);

enum {
    DTYPES_8 = 1u << STRIDER_I8 | 1u << STRIDER_U8,
};

/* Types of operands, scales, zero points and bias, and the output's data type. */
Status product_infer_dtypes(InferContext *ctx, const ProductPorts *ports, unsigned accepted) MUST_CHECK;
/* BAD_MODEL unless the input is absent, unknown, or one number. */
Status product_require_number(InferContext *ctx, int port, const char *what) MUST_CHECK;
/* The same, or a list of `count`. */
Status product_require_list(InferContext *ctx, int port, int64_t count, const char *what) MUST_CHECK;

/* An input of reference(); NULL where the operator has none such or it is absent. */
static inline const Tensor *product_input(const EvalContext *ctx, int port) {
    return port < 0 ? NULL : eval_input(ctx, port);
}
/* Element `index` of a list, or the one number; `absent` where there is no tensor. */
double product_parameter(const Tensor *list, int64_t index, double absent);

/* What sums become: of int32 themselves, modulo 2^32; real numbers, times the multiplier; or quantised again,
 * as onnxruntime does: round(float(sum) * multiplier) + zero_point, saturated. */
typedef struct Requantize {
    DType dtype;
    double zero;
} Requantize;
Requantize product_requantize(const EvalContext *ctx, const ProductPorts *ports);
/* `sum` is an integer, unless the operands were floats of 8 bits. */
void product_store(Tensor *y, int64_t index, double sum, float multiplier, const Requantize *requantize);
/* The multiplier of sums of row or column `b_index` of b and `a_index` of a: a_scale * b_scale / y_scale in
 * float32, each scale 1 where it is absent. */
float product_multiplier(const EvalContext *ctx, const ProductPorts *ports, float alpha, int64_t a_index,
                         int64_t b_index);

#endif
