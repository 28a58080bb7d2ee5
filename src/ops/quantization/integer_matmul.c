/* SPDX-License-Identifier: Apache-2.0 */
/* Products of quantised matrices, as MatMul's:
 *     MatMulInteger (ONNX 10)         y = (a - a_zero) (b - b_zero), int32, which may wrap around
 *     QLinearMatMul (ONNX 10, 21: floats of 8 bits, scales of 16)    the same, quantised again
 *     QGemm (com.microsoft)           y = alpha a_scale b_scale ((a - a_zero)' (b - b_zero)' + c), quantised
 *                                     where there is a y_scale, else float32
 * Zero points and scales are one number; of a also one for each row, [M] or [..., M, 1]; of b one for each
 * column, [N] or [..., 1, N]. */
#include <inttypes.h>

#include "ops/math/gemm.h"
#include "ops/math/matmul.h"
#include "ops/quantization/products.h"

/* An operand's scale or zero point: one number, a list of `count`, or of its rank with `count` in dimension
 * `rank - from_end` and else what the operand has, but 1 in the other of the last two. */
static Status check_parameter(InferContext *ctx, int port, const Shape *operand, int from_end,
                              const char *what) {
    if (port < 0 || !infer_has_input(ctx, port) || operand->rank < 0)
        return STRIDER_OK;
    const Shape *shape = &ctx->inputs[port].shape;
    if (operand->rank < 2)
        return product_require_number(ctx, port, what);
    const int axis = operand->rank - from_end;
    if (shape->rank < 2 || shape->rank != operand->rank)
        return product_require_list(ctx, port, operand->dims[axis], what);
    Shape wanted = *operand;
    wanted.dims[operand->rank - (from_end == 1 ? 2 : 1)] = 1;
    char have_text[SHAPE_TEXT], wanted_text[SHAPE_TEXT];
    if (!shape_agrees(shape, &wanted))
        return infer_fail(ctx, STRIDER_BAD_MODEL, "%s (input %d) has shape %s, must have %s", what, port,
                          shape_text(shape, have_text), shape_text(&wanted, wanted_text));
    return STRIDER_OK;
}

static Status check_parameters(InferContext *ctx, const ProductPorts *ports) {
    const Shape *a = &ctx->inputs[ports->a].shape, *b = &ctx->inputs[ports->b].shape;
    TRY(check_parameter(ctx, ports->a_scale, a, 2, "the scale of a"));
    TRY(check_parameter(ctx, ports->a_zero, a, 2, "the zero point of a"));
    TRY(check_parameter(ctx, ports->b_scale, b, 1, "the scale of b"));
    TRY(check_parameter(ctx, ports->b_zero, b, 1, "the zero point of b"));
    TRY(product_require_number(ctx, ports->y_scale, "the scale of y"));
    return product_require_number(ctx, ports->y_zero, "the zero point of y");
}

static Status integer_matmul_infer(InferContext *ctx) {
    const ProductPorts *ports = product_ports(ctx->node->op->kind);
    TRY(product_infer_dtypes(
        ctx, ports, DTYPES_8 | (ctx->node->op->kind == OP_QLinearMatMul ? (unsigned)DTYPES_FLOAT8 : 0)));
    TRY(matmul_infer_shape(ctx, ports->a, ports->b));
    return check_parameters(ctx, ports);
}

/* The index of a parameter: of row or column `index` of `count` in the operand's matrix number `matrix`. */
static int64_t parameter_at(const Tensor *parameter, int64_t matrix, int64_t index, int64_t count) {
    return parameter && parameter->type.shape.rank > 1 ? matrix * count + index : index;
}

/* An operand of [matrices, rows, columns] less its zero points, which are the rows' or the columns'. */
static Status load_centred(EvalContext *ctx, int port, int zero_port, int64_t rows, int64_t columns,
                           bool of_rows, double **values) {
    const Tensor *zero = product_input(ctx, zero_port);
    TRY(eval_load_doubles(ctx, port, values));
    const int64_t count = tensor_elements(ctx->inputs[port]);
    for (int64_t i = 0; zero && i < count; i++) {
        const int64_t matrix = i / (rows * columns), row = i / columns % rows, column = i % columns;
        const int64_t at =
            of_rows ? parameter_at(zero, matrix, row, rows) : parameter_at(zero, matrix, column, columns);
        (*values)[i] -= product_parameter(zero, at, 0);
    }
    return STRIDER_OK;
}

static Status integer_matmul_reference(EvalContext *ctx) {
    const ProductPorts *ports = product_ports(ctx->node->op->kind);
    const MatMulGeometry g =
        matmul_geometry(&ctx->inputs[ports->a]->type.shape, &ctx->inputs[ports->b]->type.shape);
    const Tensor *a_scale = product_input(ctx, ports->a_scale), *b_scale = product_input(ctx, ports->b_scale);
    const Requantize requantize = product_requantize(ctx, ports);
    double *a, *b;
    TRY(load_centred(ctx, ports->a, ports->a_zero, g.m, g.k, true, &a));
    TRY(load_centred(ctx, ports->b, ports->b_zero, g.k, g.n, false, &b));
    int64_t index = 0;
    for (int64_t i = 0; i < g.batch; i++) {
        int64_t a_at, b_at;
        matmul_operands(&g, i, &a_at, &b_at);
        for (int64_t m = 0; m < g.m; m++)
            for (int64_t n = 0; n < g.n; n++, index++) {
                double sum = 0;
                for (int64_t k = 0; k < g.k; k++)
                    sum += a[(a_at * g.m + m) * g.k + k] * b[(b_at * g.k + k) * g.n + n];
                const float multiplier = product_multiplier(
                    ctx, ports, 1, parameter_at(a_scale, a_at, m, g.m), parameter_at(b_scale, b_at, n, g.n));
                product_store(ctx->outputs[0], index, sum, multiplier, &requantize);
            }
    }
    return STRIDER_OK;
}

/* Both operands as doubles. */
static Bytes product_scratch(const Node *node, const Type *inputs, const Type *outputs) {
    (void)outputs;
    const ProductPorts *ports = product_ports(node->op->kind);
    return bytes_sum(scratch_of_tensor(&inputs[ports->a]), scratch_of_tensor(&inputs[ports->b]));
}

static uint64_t integer_matmul_macs(const Node *node, const Type *inputs, const Type *outputs) {
    const Shape *a = &inputs[product_ports(node->op->kind)->a].shape;
    return (uint64_t)count_of(shape_elements(&outputs[0].shape), a->dims[a->rank - 1]);
}

const Op op_matmul_integer = {
    OP_NAMED(MatMulInteger),
    .since = 10,
    .inputs = {2, 4},
    .outputs = {1, 1},
    .infer = integer_matmul_infer,
    .reference = integer_matmul_reference,
    .scratch = product_scratch,
    .macs = integer_matmul_macs,
};

const Op op_qlinear_matmul = {
    OP_NAMED(QLinearMatMul),
    .since = 10,
    .inputs = {8, 8},
    .outputs = {1, 1},
    .infer = integer_matmul_infer,
    .reference = integer_matmul_reference,
    .scratch = product_scratch,
    .macs = integer_matmul_macs,
};

/* --- QGemm --- */

static Status qgemm_parse(ParseContext *ctx, void *attrs_) {
    GemmAttrs *attrs = attrs_;
    attrs->beta = 1;
    TRY(parse_float(ctx, "alpha", 1, &attrs->alpha));
    TRY(parse_bool(ctx, "transA", false, &attrs->trans_a));
    return parse_bool(ctx, "transB", false, &attrs->trans_b);
}

static Status qgemm_infer(InferContext *ctx) {
    const ProductPorts *ports = product_ports(OP_QGemm);
    TRY(product_infer_dtypes(ctx, ports, DTYPES_8));
    TRY(gemm_infer_shape(ctx, ports->a, ports->b, ports->bias));
    const Shape *y = &ctx->outputs[0].shape;
    TRY(product_require_number(ctx, ports->a_scale, "the scale of a"));
    TRY(product_require_number(ctx, ports->a_zero, "the zero point of a"));
    TRY(product_require_list(ctx, ports->b_scale, y->dims[1], "the scale of b"));
    TRY(product_require_list(ctx, ports->b_zero, y->dims[1], "the zero point of b"));
    TRY(product_require_number(ctx, ports->y_scale, "the scale of y"));
    return product_require_number(ctx, ports->y_zero, "the zero point of y");
}

static Status qgemm_reference(EvalContext *ctx) {
    const ProductPorts *ports = product_ports(OP_QGemm);
    const GemmAttrs *attrs = eval_attrs(ctx);
    const Tensor *c = product_input(ctx, ports->bias), *b_zero = product_input(ctx, ports->b_zero);
    const GemmGeometry g = gemm_geometry(attrs, &ctx->inputs[ports->a]->type.shape,
                                         &ctx->inputs[ports->b]->type.shape, c ? &c->type.shape : NULL);
    const GemmStrides s = gemm_strides(attrs, &g);
    const Requantize requantize = product_requantize(ctx, ports);
    const double a_zero = product_parameter(product_input(ctx, ports->a_zero), 0, 0);
    double *a, *b;
    TRY(eval_load_doubles(ctx, ports->a, &a));
    TRY(eval_load_doubles(ctx, ports->b, &b));
    for (int64_t m = 0; m < g.m; m++)
        for (int64_t n = 0; n < g.n; n++) {
            const double zero = product_parameter(b_zero, n, 0);
            double sum = c ? tensor_get_f64(c, m * g.c_row + n * g.c_column) : 0;
            for (int64_t k = 0; k < g.k; k++)
                sum += (a[m * s.a_row + k * s.a_column] - a_zero) * (b[k * s.b_row + n * s.b_column] - zero);
            product_store(ctx->outputs[0], m * g.n + n, sum,
                          product_multiplier(ctx, ports, attrs->alpha, 0, n), &requantize);
        }
    return STRIDER_OK;
}

static uint64_t qgemm_macs(const Node *node, const Type *inputs, const Type *outputs) {
    const GemmAttrs *attrs = node->attrs;
    return (uint64_t)count_of(shape_elements(&outputs[0].shape), inputs[0].shape.dims[!attrs->trans_a]);
}

const Op op_qgemm = {
    OP_NAMED(QGemm),
    .domain = "com.microsoft",
    .since = 1,
    .inputs = {6, 9},
    .outputs = {1, 1},
    .attrs_size = sizeof(GemmAttrs),
    .parse = qgemm_parse,
    .infer = qgemm_infer,
    .reference = qgemm_reference,
    .scratch = product_scratch,
    .macs = qgemm_macs,
};
