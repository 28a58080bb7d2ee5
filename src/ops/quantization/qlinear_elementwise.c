/* SPDX-License-Identifier: Apache-2.0 */
/* Operators of onnxruntime (com.microsoft 1) on uint8 or int8, which compute real numbers and quantise them
 * again by the scale and zero point of the output: QLinearAdd, QLinearMul            a + b, a b, with
 * broadcasting QLinearSigmoid, QLinearLeakyRelu QLinearConcat                     each input with a scale and
 * zero point of its own Real numbers are float32. */
#include <math.h>

#include "ops/broadcast.h"
#include "ops/quantization/products.h"
#include "ops/quantization/qlinear.h"
#include "ops/tensor/concat.h"

QLinear qlinear_of(const EvalContext *ctx, int scale_port, int zero_port) {
    const Tensor *zero = eval_input(ctx, zero_port);
    return (QLinear){(float)tensor_get_f64(ctx->inputs[scale_port], 0), zero ? tensor_get_i64(zero, 0) : 0};
}

Status qlinear_require(InferContext *ctx, int port) {
    return infer_has_input(ctx, port) ? STRIDER_OK
                                      : infer_fail(ctx, STRIDER_BAD_MODEL, "input %d is missing", port);
}

Status qlinear_check(InferContext *ctx, int scale_port, int zero_port, DType dtype) {
    TRY(qlinear_require(ctx, scale_port));
    TRY(infer_require_dtype(ctx, scale_port, DTYPE_BIT(STRIDER_F32)));
    TRY(product_require_number(ctx, scale_port, "the scale"));
    TRY(product_require_number(ctx, zero_port, "the zero point"));
    const DType zero = infer_has_input(ctx, zero_port) ? ctx->inputs[zero_port].dtype : dtype;
    if (zero && dtype && zero != dtype)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "the zero point (input %d) is %s, must be %s", zero_port,
                          dtype_name(zero), dtype_name(dtype));
    return STRIDER_OK;
}

/* --- QLinearAdd, QLinearMul --- */

static Status qlinear_binary_infer(InferContext *ctx) {
    const DType dtype = ctx->inputs[ADD_A].dtype;
    TRY(infer_require_dtype(ctx, ADD_A, DTYPES_8));
    TRY(qlinear_require(ctx, ADD_B));
    TRY(infer_require_same_dtype(ctx, ADD_A, ADD_B));
    TRY(qlinear_check(ctx, ADD_A_SCALE, ADD_A_ZERO, dtype));
    TRY(qlinear_check(ctx, ADD_B_SCALE, ADD_B_ZERO, dtype));
    TRY(qlinear_check(ctx, ADD_C_SCALE, ADD_C_ZERO, dtype));
    ctx->outputs[0].dtype = dtype;
    return infer_broadcast(ctx, &ctx->inputs[ADD_A].shape, &ctx->inputs[ADD_B].shape, &ctx->outputs[0].shape);
}

static Status qlinear_binary(EvalContext *ctx, double (*join)(float a, float b)) {
    const Tensor *a = ctx->inputs[ADD_A], *b = ctx->inputs[ADD_B];
    Tensor *y = ctx->outputs[0];
    const QLinear of_a = qlinear_of(ctx, ADD_A_SCALE, ADD_A_ZERO),
                  of_b = qlinear_of(ctx, ADD_B_SCALE, ADD_B_ZERO),
                  of_y = qlinear_of(ctx, ADD_C_SCALE, ADD_C_ZERO);
    const IntegerRange range = integer_range(y->type.dtype);
    const Broadcast broadcast =
        broadcast_make(&y->type.shape, 2, (const Shape *const[]){&a->type.shape, &b->type.shape});
    int64_t counters[MAX_RANK] = {0}, offsets[BROADCAST_MAX] = {0};
    for (int64_t i = 0; i < tensor_elements(y); i++) {
        const double real = join(qlinear_real(of_a, tensor_get_i64(a, offsets[0])),
                                 qlinear_real(of_b, tensor_get_i64(b, offsets[1])));
        tensor_set_i64(y, i, qlinear_quantize(of_y, (float)real, range));
        broadcast_next(&broadcast, counters, offsets);
    }
    return STRIDER_OK;
}

static double sum_of(float a, float b) {
    return (double)a + (double)b;
}

static double product_of(float a, float b) {
    return (double)a * (double)b;
}

static Status qlinear_add_reference(EvalContext *ctx) {
    return qlinear_binary(ctx, sum_of);
}

static Status qlinear_mul_reference(EvalContext *ctx) {
    return qlinear_binary(ctx, product_of);
}

const Op op_qlinear_add = {
    OP_NAMED(QLinearAdd),
    .domain = "com.microsoft",
    .since = 1,
    .inputs = {2, ADD_INPUTS},
    .outputs = {1, 1},
    .infer = qlinear_binary_infer,
    .reference = qlinear_add_reference,
};

const Op op_qlinear_mul = {
    OP_NAMED(QLinearMul),
    .domain = "com.microsoft",
    .since = 1,
    .inputs = {2, ADD_INPUTS},
    .outputs = {1, 1},
    .infer = qlinear_binary_infer,
    .reference = qlinear_mul_reference,
};

/* --- QLinearSigmoid, QLinearLeakyRelu --- */

typedef struct LeakyReluAttrs {
    float alpha;
} LeakyReluAttrs;

static Status leaky_relu_parse(ParseContext *ctx, void *attrs_) {
    LeakyReluAttrs *attrs = attrs_;
    return parse_float(ctx, "alpha", 0.01f, &attrs->alpha);
}

static Status qlinear_unary_infer(InferContext *ctx) {
    const DType dtype = ctx->inputs[UNARY_X].dtype;
    TRY(infer_require_dtype(ctx, UNARY_X, DTYPES_8));
    TRY(qlinear_check(ctx, UNARY_X_SCALE, UNARY_X_ZERO, dtype));
    TRY(qlinear_check(ctx, UNARY_Y_SCALE, UNARY_Y_ZERO, dtype));
    ctx->outputs[0].tensor = ctx->inputs[UNARY_X].tensor;
    return STRIDER_OK;
}

float qlinear_function(const Node *node, float x) {
    const LeakyReluAttrs *attrs = node->attrs;
    switch (node->op->kind) {
    case OP_QLinearSigmoid:
        return (float)(1 / (1 + exp(-(double)x)));
    case OP_QLinearLeakyRelu:
        return x >= 0 ? x : attrs->alpha * x;
    default:
        return x;
    }
}

static Status qlinear_unary_reference(EvalContext *ctx) {
    const Tensor *x = ctx->inputs[UNARY_X];
    const QLinear of_x = qlinear_of(ctx, UNARY_X_SCALE, UNARY_X_ZERO),
                  of_y = qlinear_of(ctx, UNARY_Y_SCALE, UNARY_Y_ZERO);
    const IntegerRange range = integer_range(x->type.dtype);
    for (int64_t i = 0; i < tensor_elements(x); i++) {
        const float y = qlinear_function(ctx->node, qlinear_real(of_x, tensor_get_i64(x, i)));
        tensor_set_i64(ctx->outputs[0], i, qlinear_quantize(of_y, y, range));
    }
    return STRIDER_OK;
}

const Op op_qlinear_sigmoid = {
    OP_NAMED(QLinearSigmoid),
    .domain = "com.microsoft",
    .since = 1,
    .inputs = {2, UNARY_INPUTS},
    .outputs = {1, 1},
    .infer = qlinear_unary_infer,
    .reference = qlinear_unary_reference,
    .flags = OP_ELEMENTWISE,
};

const Op op_qlinear_leaky_relu = {
    OP_NAMED(QLinearLeakyRelu),
    .domain = "com.microsoft",
    .since = 1,
    .inputs = {2, UNARY_INPUTS},
    .outputs = {1, 1},
    .attrs_size = sizeof(LeakyReluAttrs),
    .parse = leaky_relu_parse,
    .infer = qlinear_unary_infer,
    .reference = qlinear_unary_reference,
    .flags = OP_ELEMENTWISE,
};

/* --- QLinearConcat --- */

static Status qlinear_concat_parse(ParseContext *ctx, void *attrs_) {
    AxisAttrs *attrs = attrs_;
    TRY(parse_require(ctx, "axis"));
    return parse_int(ctx, "axis", 0, &attrs->axis);
}

static Status qlinear_concat_infer(InferContext *ctx) {
    const AxisAttrs *attrs = infer_attrs(ctx);
    const DType dtype = ctx->inputs[CONCAT_Y_ZERO].dtype;
    if ((ctx->n_inputs - CONCAT_X) % QLINEAR_PART)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "it has %d inputs, must have 2 and then 3 for each part",
                          ctx->n_inputs);
    TRY(infer_require_dtype(ctx, CONCAT_Y_ZERO, DTYPES_8));
    TRY(qlinear_check(ctx, CONCAT_Y_SCALE, CONCAT_Y_ZERO, dtype));
    for (int i = CONCAT_X; i < ctx->n_inputs; i += QLINEAR_PART) {
        TRY(qlinear_require(ctx, i));
        TRY(infer_require_same_dtype(ctx, CONCAT_Y_ZERO, i));
        TRY(qlinear_check(ctx, i + 1, i + 2, dtype));
    }
    ctx->outputs[0].dtype = dtype;
    int axis;
    return concat_infer_shape(ctx, attrs->axis, CONCAT_X, QLINEAR_PART, &axis);
}

/* One part's rows, from element `at` of each row of the output on. */
static void put_part(EvalContext *ctx, int port, int axis, int64_t at) {
    const Tensor *x = ctx->inputs[port];
    Tensor *y = ctx->outputs[0];
    const QLinear of_x = qlinear_of(ctx, port + 1, port + 2),
                  of_y = qlinear_of(ctx, CONCAT_Y_SCALE, CONCAT_Y_ZERO);
    const IntegerRange range = integer_range(y->type.dtype);
    const Shape *in = &x->type.shape, *out = &y->type.shape;
    const int64_t row = shape_size(in, axis, in->rank), out_row = shape_size(out, axis, out->rank);
    for (int64_t i = 0; i < tensor_elements(x); i++)
        tensor_set_i64(y, i / row * out_row + at + i % row,
                       qlinear_quantize(of_y, qlinear_real(of_x, tensor_get_i64(x, i)), range));
}

static Status qlinear_concat_reference(EvalContext *ctx) {
    const AxisAttrs *attrs = eval_attrs(ctx);
    const int axis = axis_resolve(attrs->axis, ctx->outputs[0]->type.shape.rank);
    int64_t at = 0;
    for (int i = CONCAT_X; i < ctx->n_inputs; i += QLINEAR_PART) {
        const Shape *in = &ctx->inputs[i]->type.shape;
        put_part(ctx, i, axis, at);
        at += shape_size(in, axis, in->rank);
    }
    return STRIDER_OK;
}

const Op op_qlinear_concat = {
    OP_NAMED(QLinearConcat),
    .domain = "com.microsoft",
    .since = 1,
    .inputs = {CONCAT_X + QLINEAR_PART, -1},
    .outputs = {1, 1},
    .attrs_size = sizeof(AxisAttrs),
    .parse = qlinear_concat_parse,
    .infer = qlinear_concat_infer,
    .reference = qlinear_concat_reference,
};
