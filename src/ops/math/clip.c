/* SPDX-License-Identifier: Apache-2.0 */
/* Clip: min(max(x, low), high).  ONNX 1 and 6: bounds are attributes; 11: optional inputs; 12: integers; 13:
 * a low above the high gives the high.  NaN stays. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "ops/math/unary.h"

typedef struct ClipAttrs {
    bool has_low, has_high; /* as attributes */
    float low, high;
} ClipAttrs;

static Status clip_parse(ParseContext *ctx, void *attrs_) {
    ClipAttrs *attrs = attrs_;
    attrs->has_low = parse_has(ctx, "min");
    attrs->has_high = parse_has(ctx, "max");
    TRY(parse_float(ctx, "min", -FLT_MAX, &attrs->low));
    return parse_float(ctx, "max", FLT_MAX, &attrs->high);
}

static Status clip_infer(InferContext *ctx) {
    TRY(infer_require_dtype(ctx, 0, DTYPES_NUMERIC));
    for (int port = 1; port < ctx->n_inputs; port++) {
        TRY(infer_require_same_dtype(ctx, 0, port));
        TRY(infer_require_scalar(ctx, port));
    }
    ctx->outputs[0] = ctx->inputs[0];
    return STRIDER_OK;
}

bool clip_bounds(const Node *node, double *low, double *high) {
    const ClipAttrs *attrs = node->attrs;
    double *bounds[] = {low, high};
    *low = attrs->has_low ? (double)attrs->low : -INFINITY;
    *high = attrs->has_high ? (double)attrs->high : INFINITY;
    for (int port = 1; port < node->n_inputs; port++) {
        if (!node->inputs[port])
            continue;
        if (!node->inputs[port]->constant)
            return false;
        *bounds[port - 1] = tensor_get_f64(node->inputs[port]->constant, 0);
    }
    return true;
}

static bool less(uint64_t a, uint64_t b, bool is_signed) {
    return is_signed ? (int64_t)a < (int64_t)b : a < b;
}

static Status clip_reference(EvalContext *ctx) {
    const ClipAttrs *attrs = eval_attrs(ctx);
    const Tensor *x = ctx->inputs[0], *low = eval_input(ctx, 1), *high = eval_input(ctx, 2);
    Tensor *y = ctx->outputs[0];
    int64_t count = tensor_elements(x);
    if (dtype_is_integer(x->type.dtype)) { /* 64 bits do not fit a double; bounds are inputs since opset 11 */
        bool is_signed = dtype_is_signed(x->type.dtype);
        for (int64_t i = 0; i < count; i++) {
            uint64_t value = tensor_get_bits(x, i);
            if (low && less(value, tensor_get_bits(low, 0), is_signed))
                value = tensor_get_bits(low, 0);
            if (high && less(tensor_get_bits(high, 0), value, is_signed))
                value = tensor_get_bits(high, 0);
            tensor_set_bits(y, i, value);
        }
        return STRIDER_OK;
    }
    double from = low ? tensor_get_f64(low, 0) : attrs->has_low ? (double)attrs->low : -INFINITY;
    double to = high ? tensor_get_f64(high, 0) : attrs->has_high ? (double)attrs->high : INFINITY;
    for (int64_t i = 0; i < count; i++) {
        double value = tensor_get_f64(x, i);
        value = value < from ? from : value;
        tensor_set_f64(y, i, value > to ? to : value);
    }
    return STRIDER_OK;
}

const Op op_clip = {
    OP_NAMED(Clip),
    .since = 1,
    .inputs = {1, 3},
    .outputs = {1, 1},
    .attrs_size = sizeof(ClipAttrs),
    .parse = clip_parse,
    .infer = clip_infer,
    .reference = clip_reference,
    .flags = OP_ELEMENTWISE,
};
