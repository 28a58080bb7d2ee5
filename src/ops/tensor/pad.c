/* SPDX-License-Identifier: Apache-2.0 */
/* Pad.  ONNX 1: `paddings`; 2: pads and value are attributes; 11: inputs; 18: axes; 19: wrap (taken at 18 as
 * well, where torch's exporter writes it).  Negative pads crop. */
#include "ops/tensor/pad.h"

#include <inttypes.h>
#include <string.h>

#include "base/size.h"

static Status pad_parse(ParseContext *ctx, void *attrs_) {
    static const char *const modes[] = {"constant", "reflect", "edge", "wrap", NULL};
    PadAttrs *attrs = attrs_;
    int mode;
    TRY(parse_enum(ctx, "mode", modes, PAD_CONSTANT, &mode));
    attrs->mode = (PadMode)mode;
    TRY(parse_ints(ctx, parse_has(ctx, "paddings") ? "paddings" : "pads", attrs->pads, 2 * MAX_RANK,
                   &attrs->n_pads));
    if (attrs->n_pads < 0 && ctx->node->n_inputs < 2)
        return parse_fail(ctx, STRIDER_BAD_MODEL, "pads are missing");
    return parse_float(ctx, "value", 0, &attrs->value);
}

const char *pad_resolve(const PadAttrs *attrs, int rank, int n_inputs, const Tensor *const *inputs,
                        int64_t begin[MAX_RANK], int64_t end[MAX_RANK]) {
    const int64_t largest = (int64_t)1 << 40;
    const Tensor *pads = n_inputs > 1 ? inputs[1] : NULL, *axes = n_inputs > 3 ? inputs[3] : NULL;
    int64_t n = axes ? tensor_elements(axes) : rank;
    unsigned seen = 0;
    memset(begin, 0, MAX_RANK * sizeof *begin);
    memset(end, 0, MAX_RANK * sizeof *end);
    if ((pads ? tensor_elements(pads) : attrs->n_pads) != 2 * n)
        return "the number of pads is not twice the number of axes";
    for (int64_t i = 0; i < n; i++) {
        int64_t axis = axes ? tensor_get_i64(axes, i) : i;
        axis += axis < 0 ? rank : 0;
        if (axis < 0 || axis >= rank || (seen >> axis & 1))
            return "the axes are not distinct axes of the input";
        seen |= 1u << axis;
        begin[axis] = pads ? tensor_get_i64(pads, i) : attrs->pads[i];
        end[axis] = pads ? tensor_get_i64(pads, n + i) : attrs->pads[n + i];
        if (begin[axis] < -largest || begin[axis] > largest || end[axis] < -largest || end[axis] > largest)
            return "a pad is out of all bounds";
    }
    return NULL;
}

/* Whether there is an element to repeat, where one is. */
static bool pad_has_source(PadMode mode, int64_t in, int64_t begin, int64_t end) {
    const int64_t cropped = i64_max(-begin, 0) + i64_max(-end, 0);
    return mode == PAD_CONSTANT || (mode == PAD_WRAP ? cropped < in : in > 0);
}

static Status pad_dim(InferContext *ctx, PadMode mode, int axis, int64_t in, int64_t begin, int64_t end,
                      int64_t *out) {
    if (in < 0) {
        *out = begin + end == 0
                   ? in
                   : infer_derived_dim(ctx, in, "%s %c %" PRId64,
                                       symbol_text(ctx->symbols, in) ? symbol_text(ctx->symbols, in) : "",
                                       begin + end < 0 ? '-' : '+',
                                       begin + end < 0 ? -(begin + end) : begin + end);
        return STRIDER_OK;
    }
    if (!i64_add(in, begin + end, out))
        return infer_fail(ctx, STRIDER_LIMIT_EXCEEDED, "dimension %d of %" PRId64 " overflows by its pads",
                          axis, in);
    if (*out < 0)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "the pads leave %" PRId64 " elements in dimension %d", *out,
                          axis);
    int64_t max_pad = i64_max(begin, end);
    if (mode == PAD_REFLECT && max_pad > 0 && max_pad > in - 1)
        return infer_fail(ctx, STRIDER_BAD_MODEL,
                          "reflecting %" PRId64 " elements of a dimension of %" PRId64, max_pad, in);
    if (*out > 0 && !pad_has_source(mode, in, begin, end))
        return infer_fail(ctx, STRIDER_BAD_MODEL, "dimension %d is empty, there is nothing to repeat", axis);
    return STRIDER_OK;
}

/* An empty one is refused as onnxruntime does, rather than taken for 0. */
static Status check_value(InferContext *ctx) {
    int64_t count;
    if (!infer_has_input(ctx, 2))
        return STRIDER_OK;
    const Shape *shape = &ctx->inputs[2].shape;
    if (shape->rank >= 0 && shape_count(shape, 0, shape->rank, &count) && count != 1)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "the value has %" PRId64 " elements, must be one", count);
    return STRIDER_OK;
}

static Status pad_infer(InferContext *ctx) {
    const PadAttrs *attrs = infer_attrs(ctx);
    const Shape *x = &ctx->inputs[0].shape;
    Shape *y = &ctx->outputs[0].shape;
    ctx->outputs[0].dtype = ctx->inputs[0].dtype;
    TRY(infer_require_dtype(ctx, 1, DTYPES_INDEX));
    TRY(infer_require_same_dtype(ctx, 0, 2));
    TRY(check_value(ctx));
    if (x->rank < 0)
        return STRIDER_OK;
    y->rank = x->rank;
    int64_t begin[MAX_RANK], end[MAX_RANK];
    bool known = !(infer_has_input(ctx, 1) && !ctx->input_values[1]) &&
                 !(infer_has_input(ctx, 3) && !ctx->input_values[3]);
    const char *wrong =
        known ? pad_resolve(attrs, x->rank, ctx->n_inputs, ctx->input_values, begin, end) : NULL;
    if (wrong)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "%s", wrong);
    for (int i = 0; i < x->rank; i++) {
        y->dims[i] = DIM_UNKNOWN;
        if (known)
            TRY(pad_dim(ctx, attrs->mode, i, x->dims[i], begin[i], end[i], &y->dims[i]));
    }
    return STRIDER_OK;
}

static Status pad_reference(EvalContext *ctx) {
    const PadAttrs *attrs = eval_attrs(ctx);
    const Tensor *x = ctx->inputs[0], *value = eval_input(ctx, 2);
    const Shape *in = &x->type.shape;
    int64_t begin[MAX_RANK], end[MAX_RANK], strides[MAX_RANK], counters[MAX_RANK] = {0};
    const char *wrong = pad_resolve(attrs, in->rank, ctx->n_inputs, ctx->inputs, begin, end);
    if (wrong)
        return eval_fail(ctx, STRIDER_BAD_MODEL, "%s", wrong);
    Shape out = *in;
    for (int d = 0; d < in->rank; d++) {
        if (!i64_add(in->dims[d], begin[d] + end[d], &out.dims[d]) || out.dims[d] < 0 ||
            (out.dims[d] && !pad_has_source(attrs->mode, in->dims[d], begin[d], end[d])))
            return eval_fail(ctx, STRIDER_BAD_MODEL, "the pads do not fit dimension %d of %" PRId64, d,
                             in->dims[d]);
    }
    TRY(eval_set_output_shape(ctx, 0, x->type.dtype, &out));
    Tensor *y = ctx->outputs[0];
    Tensor filler = {.type = {x->type.dtype, shape_scalar()}, .data = &(String){0}};
    size_t size = dtype_size(x->type.dtype);
    if (value)
        memcpy(filler.data, value->data, size);
    else
        tensor_set_f64(&filler, 0, (double)attrs->value);
    shape_strides(in, strides);
    for (int64_t i = 0; i < tensor_elements(y); i++) {
        int64_t from = 0;
        for (int d = 0; d < in->rank && from >= 0; d++) {
            int64_t at = pad_source(attrs->mode, counters[d], begin[d], in->dims[d], out.dims[d]);
            from = at < 0 ? -1 : from + at * strides[d];
        }
        memcpy((char *)y->data + (size_t)i * size,
               from < 0 ? filler.data : (const char *)x->data + (size_t)from * size, size);
        for (int d = in->rank - 1; d >= 0 && ++counters[d] == out.dims[d]; d--)
            counters[d] = 0;
    }
    return STRIDER_OK;
}

const Op op_pad = {
    OP_NAMED(Pad),
    .since = 1,
    .inputs = {1, 4},
    .outputs = {1, 1},
    .attrs_size = sizeof(PadAttrs),
    .parse = pad_parse,
    .infer = pad_infer,
    .reads = 1u << 1 | 1u << 3,
    .shaped_by = 1u << 1 | 1u << 3,
    .reference = pad_reference,
    .flags = OP_STRINGS,
};
