/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/quantization/products.h"

#include <inttypes.h>

#include "ops/op_kind.h"
#include "tensor/narrow.h"

const ProductPorts *product_ports(int kind) {
    static const ProductPorts matmul_integer = {0, -1, 2, 1, -1, 3, -1, -1, -1},
                              qlinear_matmul = {0, 1, 2, 3, 4, 5, -1, 6, 7},
                              qlinear_conv = {0, 1, 2, 3, 4, 5, 8, 6, 7}, qgemm = {0, 1, 2, 3, 4, 5, 6, 7, 8};
    switch (kind) {
    case OP_MatMulInteger:
    case OP_ConvInteger:
        return &matmul_integer;
    case OP_QLinearMatMul:
        return &qlinear_matmul;
    case OP_QLinearConv:
        return &qlinear_conv;
    default:
        return &qgemm;
    }
}

static bool has(const InferContext *ctx, int port) {
    return port >= 0 && infer_has_input(ctx, port);
}

static DType dtype_of(const InferContext *ctx, int port) {
    return has(ctx, port) ? ctx->inputs[port].dtype : STRIDER_DTYPE_NONE;
}

/* An operand with its scale and zero point. */
static Status check_operand(InferContext *ctx, int port, int scale, int zero, unsigned accepted) {
    const unsigned scales = DTYPE_BIT(STRIDER_F32) | DTYPE_BIT(STRIDER_F16) | DTYPE_BIT(STRIDER_BF16);
    TRY(infer_require_dtype(ctx, port, accepted));
    if (has(ctx, scale))
        TRY(infer_require_dtype(ctx, scale, scales));
    return has(ctx, zero) ? infer_require_same_dtype(ctx, port, zero) : STRIDER_OK;
}

Status product_infer_dtypes(InferContext *ctx, const ProductPorts *ports, unsigned accepted) {
    TRY(check_operand(ctx, ports->a, ports->a_scale, ports->a_zero, accepted));
    TRY(check_operand(ctx, ports->b, ports->b_scale, ports->b_zero, accepted));
    if (has(ctx, ports->bias))
        TRY(infer_require_dtype(ctx, ports->bias, DTYPE_BIT(STRIDER_I32)));
    if (ports->y_scale < 0) {
        ctx->outputs[0].dtype = STRIDER_I32;
    } else if (!has(ctx, ports->y_scale)) {
        ctx->outputs[0].dtype = STRIDER_F32;
    } else {
        if (has(ctx, ports->y_zero))
            TRY(infer_require_dtype(ctx, ports->y_zero, accepted));
        ctx->outputs[0].dtype = dtype_of(ctx, has(ctx, ports->y_zero) ? ports->y_zero : ports->a);
    }
    return STRIDER_OK;
}

static bool is_number(const Shape *shape) {
    return shape->rank == 0 || (shape->rank == 1 && shape->dims[0] == 1);
}

static bool may_be_number(const Shape *shape) {
    return shape->rank < 0 || is_number(shape) || (shape->rank == 1 && shape->dims[0] < 0);
}

Status product_require_number(InferContext *ctx, int port, const char *what) {
    if (!has(ctx, port) || may_be_number(&ctx->inputs[port].shape))
        return STRIDER_OK;
    return infer_fail(ctx, STRIDER_BAD_MODEL, "%s (input %d) must be one number", what, port);
}

Status product_require_list(InferContext *ctx, int port, int64_t count, const char *what) {
    if (!has(ctx, port))
        return STRIDER_OK;
    const Shape *shape = &ctx->inputs[port].shape;
    if (may_be_number(shape) || (shape->rank == 1 && (count < 0 || shape->dims[0] == count)))
        return STRIDER_OK;
    char text[SHAPE_TEXT];
    return infer_fail(ctx, STRIDER_BAD_MODEL,
                      "%s (input %d) has shape %s, must be one number or a list of %" PRId64, what, port,
                      shape_text(shape, text), count);
}

double product_parameter(const Tensor *list, int64_t index, double absent) {
    return list ? tensor_get_f64(list, tensor_elements(list) == 1 ? 0 : index) : absent;
}

Requantize product_requantize(const EvalContext *ctx, const ProductPorts *ports) {
    return (Requantize){ctx->outputs[0]->type.dtype,
                        product_parameter(product_input(ctx, ports->y_zero), 0, 0)};
}

float product_multiplier(const EvalContext *ctx, const ProductPorts *ports, float alpha, int64_t a_index,
                         int64_t b_index) {
    const float a = (float)product_parameter(product_input(ctx, ports->a_scale), a_index, 1),
                b = (float)product_parameter(product_input(ctx, ports->b_scale), b_index, 1),
                y = (float)product_parameter(product_input(ctx, ports->y_scale), 0, 1);
    return alpha * a * b / y;
}

/* Modulo 2^32, as sums that overflow do. */
static int32_t low_32_bits(double sum) {
    return (int32_t)(uint32_t)(uint64_t)i64_from_double(sum);
}

void product_store(Tensor *y, int64_t index, double sum, float multiplier, const Requantize *requantize) {
    const DType dtype = requantize->dtype;
    if (dtype_is_narrow_float(dtype)) {
        const double value = (double)((float)sum * multiplier) + requantize->zero;
        ((uint8_t *)y->data)[index] = narrow_from_f64(dtype, value, true);
        return;
    }
    const int32_t low = low_32_bits(sum);
    if (dtype == STRIDER_I32)
        ((int32_t *)y->data)[index] = low;
    else if (dtype == STRIDER_F32)
        ((float *)y->data)[index] = (float)low * multiplier;
    else
        tensor_set_i64(y, index,
                       quantize_to_integer((double)((float)low * multiplier), (int64_t)requantize->zero,
                                           integer_range(dtype)));
}
