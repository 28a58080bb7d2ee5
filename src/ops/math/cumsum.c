/* SPDX-License-Identifier: Apache-2.0 */
/* CumSum (ONNX 11, 14) and CumProd (26): running sums and products along one axis, which is an input.
 * `exclusive` leaves an element out of its own sum, `reverse` starts at the end.  Floats are accumulated in
 * float64, integers wrap around. */
#include "ops/math/cumsum.h"

#include <string.h>

#include "base/wrap.h"

static Status cumulate_parse(ParseContext *ctx, void *attrs_) {
    CumulateAttrs *attrs = attrs_;
    TRY(parse_bool(ctx, "exclusive", false, &attrs->exclusive));
    return parse_bool(ctx, "reverse", false, &attrs->reverse);
}

static Status cumulate_infer(InferContext *ctx) {
    int64_t axis;
    int count, rank = ctx->inputs[0].shape.rank, normal;
    TRY(infer_require_dtype(ctx, 0, DTYPES_NUMERIC));
    TRY(infer_require_dtype(ctx, 1, DTYPES_INDEX));
    TRY(infer_ints(ctx, 1, &axis, 1, &count));
    if (count == 0)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "the axis is an empty tensor");
    if (count == 1 && rank >= 0)
        TRY(infer_axis(ctx, axis, rank, &normal));
    ctx->outputs[0] = ctx->inputs[0];
    return STRIDER_OK;
}

typedef struct Line {
    int64_t start, stride, n; /* in elements */
} Line;

static void cumulate_floats(const Tensor *x, Tensor *y, Line line, bool product, bool exclusive) {
    double sum = product ? 1 : 0;
    for (int64_t k = 0; k < line.n; k++) {
        int64_t at = line.start + k * line.stride;
        double before = sum, value = tensor_get_f64(x, at);
        sum = product ? sum * value : sum + value;
        tensor_set_f64(y, at, exclusive ? before : sum);
    }
}

static void cumulate_integers(const Tensor *x, Tensor *y, Line line, bool product, bool exclusive) {
    uint64_t sum = product ? 1 : 0;
    for (int64_t k = 0; k < line.n; k++) {
        int64_t at = line.start + k * line.stride;
        uint64_t before = sum, value = tensor_get_bits(x, at);
        sum = product ? wrap_mul(sum, value) : wrap_add(sum, value);
        tensor_set_bits(y, at, exclusive ? before : sum);
    }
}

static Status cumulate_reference(EvalContext *ctx) {
    const CumulateAttrs *attrs = eval_attrs(ctx);
    const Tensor *x = ctx->inputs[0];
    const Shape *shape = &x->type.shape;
    int64_t axis;
    int count;
    TRY(eval_ints(ctx, 1, &axis, 1, &count));
    if (count != 1 || axis < -shape->rank || axis >= shape->rank)
        return eval_fail(ctx, STRIDER_BAD_MODEL, "the axis is not an axis of an input of rank %d",
                         shape->rank);
    int at = (int)(axis < 0 ? axis + shape->rank : axis);
    bool product = ctx->node->op->kind == OP_CumProd;
    int64_t outer = shape_size(shape, 0, at), inner = shape_size(shape, at + 1, shape->rank),
            n = shape->dims[at];
    for (int64_t o = 0; o < outer && n; o++)
        for (int64_t i = 0; i < inner; i++) {
            Line line = {.start = o * n * inner + i, .stride = inner, .n = n};
            if (attrs->reverse)
                line = (Line){.start = line.start + (n - 1) * inner, .stride = -inner, .n = n};
            if (dtype_is_float(x->type.dtype))
                cumulate_floats(x, ctx->outputs[0], line, product, attrs->exclusive);
            else
                cumulate_integers(x, ctx->outputs[0], line, product, attrs->exclusive);
        }
    return STRIDER_OK;
}

#define CUMULATE(ROW, NAME, SINCE)                                                                           \
    const Op ROW = {                                                                                         \
        OP_NAMED(NAME),                                                                                      \
        .since = SINCE,                                                                                      \
        .inputs = {2, 2},                                                                                    \
        .outputs = {1, 1},                                                                                   \
        .attrs_size = sizeof(CumulateAttrs),                                                                 \
        .parse = cumulate_parse,                                                                             \
        .infer = cumulate_infer,                                                                             \
        .reads = 1u << 1,                                                                                    \
        .reference = cumulate_reference,                                                                     \
    };

CUMULATE(op_cum_sum, CumSum, 11)
CUMULATE(op_cum_prod, CumProd, 26)
