/* SPDX-License-Identifier: Apache-2.0 */
/* Convolutions of quantised operands, as Conv's, exact in integers:
 *     ConvInteger (ONNX 10)    y = conv(x - x_zero, w - w_zero), int32, which may wrap around
 *     QLinearConv (ONNX 10)    the same, with an int32 bias, quantised again
 * The zero point and scale of the weights are one number, or one for each output channel.  Padding is x_zero.
 */
#include "ops/nn/conv.h"
#include "ops/quantization/products.h"

static Status integer_conv_parse(ParseContext *ctx, void *attrs) {
    return conv_parse_common(ctx, attrs);
}

static Status integer_conv_infer(InferContext *ctx) {
    const ProductPorts *ports = product_ports(ctx->node->op->kind);
    TRY(product_infer_dtypes(ctx, ports, DTYPES_8));
    TRY(conv_infer_shape(ctx, ports->a, ports->b));
    const Shape *w = &ctx->inputs[ports->b].shape;
    const int64_t channels = w->rank > 0 ? w->dims[0] : DIM_UNKNOWN;
    TRY(product_require_number(ctx, ports->a_scale, "the scale of x"));
    TRY(product_require_number(ctx, ports->a_zero, "the zero point of x"));
    TRY(product_require_list(ctx, ports->b_scale, channels, "the scale of w"));
    TRY(product_require_list(ctx, ports->b_zero, channels, "the zero point of w"));
    TRY(product_require_number(ctx, ports->y_scale, "the scale of y"));
    TRY(product_require_number(ctx, ports->y_zero, "the zero point of y"));
    return ports->bias < 0 ? STRIDER_OK : conv_check_bias(ctx, ports->bias, channels);
}

typedef struct IntegerConv {
    EvalContext *ctx;
    const ProductPorts *ports;
    const Tensor *bias;
    Requantize requantize;
} IntegerConv;

static void store(void *context, int64_t channel, int64_t index, double sum) {
    const IntegerConv *conv = context;
    product_store(conv->ctx->outputs[0], index, sum + product_parameter(conv->bias, channel, 0),
                  product_multiplier(conv->ctx, conv->ports, 1, 0, channel), &conv->requantize);
}

/* Elements as doubles, less their zero points: of the weights one for each of the `lists` output channels. */
static Status load_centred(EvalContext *ctx, int port, int zero_port, int64_t lists, double **values) {
    const Tensor *zero = product_input(ctx, zero_port);
    TRY(eval_load_doubles(ctx, port, values));
    const int64_t count = tensor_elements(ctx->inputs[port]);
    for (int64_t i = 0; i < count; i++)
        (*values)[i] -= product_parameter(zero, i / (count / lists), 0);
    return STRIDER_OK;
}

/* Sums are whole numbers far below 2^53, so exact as doubles. */
static Status integer_conv_reference(EvalContext *ctx) {
    const ProductPorts *ports = product_ports(ctx->node->op->kind);
    IntegerConv conv = {ctx, ports, product_input(ctx, ports->bias), product_requantize(ctx, ports)};
    const ConvGeometry plain = conv_geometry(eval_attrs(ctx), &ctx->inputs[ports->a]->type.shape,
                                             &ctx->inputs[ports->b]->type.shape);
    const ConvGeometry geometry = conv_geometry_3d(&plain);
    ConvOperands operands = {0};
    TRY(load_centred(ctx, ports->a, ports->a_zero, 1, &operands.x));
    TRY(load_centred(ctx, ports->b, ports->b_zero, geometry.out_channels, &operands.w));
    conv_products(&geometry, &operands, store, &conv);
    return STRIDER_OK;
}

/* Both operands as doubles. */
static Bytes integer_conv_scratch(const Node *node, const Type *inputs, const Type *outputs) {
    (void)outputs;
    const ProductPorts *ports = product_ports(node->op->kind);
    return bytes_sum(scratch_of_tensor(&inputs[ports->a]), scratch_of_tensor(&inputs[ports->b]));
}

static const char *integer_conv_explain(const Node *node, const Shape *x, char text[EXPLANATION_TEXT]) {
    const ConvAttrs *attrs = node->attrs;
    const Shape *w = &node->inputs[product_ports(node->op->kind)->b]->type.shape;
    text[0] = '\0';
    return x->rank < 3 || w->rank != x->rank ? text : window_formula(&attrs->window, x, w->dims + 2, text);
}

static uint64_t integer_conv_macs(const Node *node, const Type *inputs, const Type *outputs) {
    const Shape *w = &inputs[product_ports(node->op->kind)->b].shape;
    return (uint64_t)i64_product(shape_elements(&outputs[0].shape), shape_size(w, 1, w->rank));
}

const Op op_conv_integer = {
    OP_NAMED(ConvInteger),
    .since = 10,
    .inputs = {2, 4},
    .outputs = {1, 1},
    .attrs_size = sizeof(ConvAttrs),
    .parse = integer_conv_parse,
    .infer = integer_conv_infer,
    .reference = integer_conv_reference,
    .scratch = integer_conv_scratch,
    .explain_shape = integer_conv_explain,
    .strict_shape = true,
    .macs = integer_conv_macs,
};

const Op op_qlinear_conv = {
    OP_NAMED(QLinearConv),
    .since = 10,
    .inputs = {8, 9},
    .outputs = {1, 1},
    .attrs_size = sizeof(ConvAttrs),
    .parse = integer_conv_parse,
    .infer = integer_conv_infer,
    .reference = integer_conv_reference,
    .scratch = integer_conv_scratch,
    .explain_shape = integer_conv_explain,
    .strict_shape = true,
    .macs = integer_conv_macs,
};
