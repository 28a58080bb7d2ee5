/* SPDX-License-Identifier: Apache-2.0 */
/* Operators that keep every element in its order: Identity (ONNX 1, 13, 14: sequences, 16: optionals, 19 to
 * 25: types), Reshape (1: the shape is an attribute; 5: an input; 14: allowzero), Flatten (1, 9, 11), Squeeze
 * and Unsqueeze (1, 11: axes are an attribute; 13: an input). */
#include <inttypes.h>
#include <string.h>

#include "base/size.h"
#include "ops/op.h"

static Status copy_reference(EvalContext *ctx) {
    const Tensor *x = ctx->inputs[0];
    Tensor *y = ctx->outputs[0];
    if (!y->data)
        return eval_fail(ctx, STRIDER_BAD_MODEL, "the output's shape does not follow from the inputs");
    memcpy(y->data, x->data, x->size_bytes);
    return STRIDER_OK;
}

static Status identity_infer(InferContext *ctx) {
    ctx->outputs[0] = ctx->inputs[0];
    return STRIDER_OK;
}

/* Of a value of any kind: another reference to it. */
static Status identity_host(HostContext *ctx) {
    if (!ctx->inputs[0])
        return host_fail(ctx, STRIDER_BAD_MODEL, "the input is missing");
    ctx->outputs[0] = run_value_hold(ctx->inputs[0]);
    return STRIDER_OK;
}

const Op op_identity = {
    OP_NAMED(Identity),      .since = 1,
    .inputs = {1, 1},        .outputs = {1, 1},
    .infer = identity_infer, .reference = copy_reference,
    .host = identity_host,   .flags = OP_VIEW | OP_ELEMENTWISE | OP_ANY_KIND | OP_STRINGS,
};

/* --- Reshape --- */

typedef struct ReshapeAttrs {
    bool allowzero;
    int n_shape; /* Reshape-1; -1 where the shape is an input */
    int64_t shape[MAX_RANK];
} ReshapeAttrs;

static Status reshape_parse(ParseContext *ctx, void *attrs_) {
    ReshapeAttrs *attrs = attrs_;
    TRY(parse_ints(ctx, "shape", attrs->shape, MAX_RANK, &attrs->n_shape));
    if (ctx->node->opset >= 5)
        attrs->n_shape = -1;
    if (attrs->n_shape < 0 && ctx->node->n_inputs < 2)
        return parse_fail(ctx, STRIDER_BAD_MODEL, "the shape is missing");
    return parse_bool(ctx, "allowzero", false, &attrs->allowzero);
}

/* Saturates, as elements count none of the zeros. */
static int64_t nonzero_product(const Shape *shape) {
    int64_t product = 1;
    for (int d = 0; d < shape->rank; d++)
        product = i64_product(product, i64_max(shape->dims[d], 1));
    return product;
}

/* Where there are no elements, any number would do: it is the one that there would be if the dimensions of 0
 * were of 1 in both shapes, which is right for a batch of 0 (onnxruntime, with allowzero). */
static Status resolve_minus_one(InferContext *ctx, const Shape *x, Shape *y, int unknown) {
    int64_t elements, others = 1;
    char from[SHAPE_TEXT], to[SHAPE_TEXT];
    y->dims[unknown] = 1;
    bool known = x->rank >= 0 && shape_count(x, 0, x->rank, &elements) && shape_count(y, 0, y->rank, &others);
    y->dims[unknown] = DIM_UNKNOWN;
    if (!known)
        return STRIDER_OK;
    if (elements == 0 && others == 0) {
        elements = nonzero_product(x);
        others = nonzero_product(y); /* whose unknown dimension is below 1 */
    }
    if (others == 0 || elements % others)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "%s does not divide into %s", shape_text(x, from),
                          shape_text(y, to));
    y->dims[unknown] = elements / others;
    return STRIDER_OK;
}

static Status reshape_infer(InferContext *ctx) {
    const ReshapeAttrs *attrs = infer_attrs(ctx);
    const Shape *x = &ctx->inputs[0].shape;
    int64_t wanted[MAX_RANK];
    int count = attrs->n_shape, unknown = -1;
    ctx->outputs[0].dtype = ctx->inputs[0].dtype;
    Shape *y = &ctx->outputs[0].shape;
    if (count >= 0) {
        memcpy(wanted, attrs->shape, sizeof wanted);
    } else {
        TRY(infer_ints(ctx, 1, wanted, MAX_RANK, &count));
        const Shape *list = &ctx->inputs[1].shape;
        if (count < 0 && list->rank == 1 && list->dims[0] >= 0 && list->dims[0] <= MAX_RANK) {
            y->rank = (int)list->dims[0];
            for (int i = 0; i < y->rank; i++)
                y->dims[i] = DIM_UNKNOWN;
        }
        if (count < 0)
            return STRIDER_OK;
    }
    y->rank = count;
    for (int i = 0; i < count; i++) {
        y->dims[i] = wanted[i];
        if (wanted[i] == -1 && unknown >= 0)
            return infer_fail(ctx, STRIDER_BAD_MODEL, "the shape has two dimensions of -1");
        if (wanted[i] == -1)
            unknown = i;
        else if (wanted[i] < 0)
            return infer_fail(ctx, STRIDER_BAD_MODEL, "dimension %d of the shape is %" PRId64, i, wanted[i]);
        else if (wanted[i] == 0 && !attrs->allowzero) {
            if (x->rank >= 0 && i >= x->rank)
                return infer_fail(ctx, STRIDER_BAD_MODEL,
                                  "dimension %d of the shape is 0, but the input has rank %d", i, x->rank);
            y->dims[i] = x->rank >= 0 ? x->dims[i] : DIM_UNKNOWN;
        }
    }
    if (unknown >= 0)
        return resolve_minus_one(ctx, x, y, unknown);
    int64_t before, after;
    char from[SHAPE_TEXT], to[SHAPE_TEXT];
    if (x->rank >= 0 && shape_count(x, 0, x->rank, &before) && shape_is_known(y) &&
        (!shape_count(y, 0, y->rank, &after) || before != after))
        return infer_fail(ctx, STRIDER_BAD_MODEL, "%s cannot become %s", shape_text(x, from),
                          shape_text(y, to));
    return STRIDER_OK;
}

const Op op_reshape = {
    OP_NAMED(Reshape),
    .since = 1,
    .inputs = {1, 2},
    .outputs = {1, 1},
    .attrs_size = sizeof(ReshapeAttrs),
    .parse = reshape_parse,
    .infer = reshape_infer,
    .reads = 1u << 1,
    .shaped_by = 1u << 1,
    .reference = copy_reference,
    .flags = OP_VIEW | OP_STRINGS,
};

/* --- Flatten --- */

typedef struct FlattenAttrs {
    int64_t axis;
} FlattenAttrs;

static Status flatten_parse(ParseContext *ctx, void *attrs_) {
    FlattenAttrs *attrs = attrs_;
    return parse_int(ctx, "axis", 1, &attrs->axis);
}

/* The product of dimensions, as a symbol itself where it is one symbol times ones. */
static int64_t joined_dim(const Shape *x, int from, int to) {
    int64_t count, symbol = DIM_UNKNOWN;
    int others = 0;
    if (shape_count(x, from, to, &count))
        return count;
    for (int i = from; i < to; i++) {
        symbol = x->dims[i] < 0 ? x->dims[i] : symbol;
        others += x->dims[i] != 1;
    }
    return others == 1 ? symbol : DIM_UNKNOWN;
}

static Status flatten_infer(InferContext *ctx) {
    const FlattenAttrs *attrs = infer_attrs(ctx);
    const Shape *x = &ctx->inputs[0].shape;
    ctx->outputs[0].dtype = ctx->inputs[0].dtype;
    ctx->outputs[0].shape = (Shape){.rank = 2, .dims = {DIM_UNKNOWN, DIM_UNKNOWN}};
    if (x->rank < 0)
        return STRIDER_OK;
    int64_t axis = attrs->axis < 0 ? attrs->axis + x->rank : attrs->axis;
    if (axis < 0 || axis > x->rank)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "axis %" PRId64 " is outside [%d, %d]", attrs->axis,
                          -x->rank, x->rank);
    ctx->outputs[0].shape.dims[0] = joined_dim(x, 0, (int)axis);
    ctx->outputs[0].shape.dims[1] = joined_dim(x, (int)axis, x->rank);
    return STRIDER_OK;
}

const Op op_flatten = {
    OP_NAMED(Flatten),
    .since = 1,
    .inputs = {1, 1},
    .outputs = {1, 1},
    .attrs_size = sizeof(FlattenAttrs),
    .parse = flatten_parse,
    .infer = flatten_infer,
    .reference = copy_reference,
    .flags = OP_VIEW | OP_STRINGS,
};

/* --- Squeeze, Unsqueeze --- */

typedef struct AxesAttrs {
    int n_axes; /* -1 where absent */
    int64_t axes[MAX_RANK];
} AxesAttrs;

static Status axes_parse(ParseContext *ctx, void *attrs_) {
    AxesAttrs *attrs = attrs_;
    return parse_ints(ctx, "axes", attrs->axes, MAX_RANK, &attrs->n_axes);
}

/* The axes as a bit set over `rank`; *count is -1 where they are absent, -2 where they are not known yet. */
static Status get_axes(InferContext *ctx, int rank, unsigned *mask, int *count) {
    const AxesAttrs *attrs = infer_attrs(ctx);
    int64_t axes[MAX_RANK];
    *mask = 0;
    *count = attrs->n_axes;
    memcpy(axes, attrs->axes, sizeof axes);
    if (infer_has_input(ctx, 1)) {
        TRY(infer_ints(ctx, 1, axes, MAX_RANK, count));
        if (*count < 0)
            *count = -2;
    }
    for (int i = 0; i < *count && rank >= 0; i++) {
        int axis;
        TRY(infer_axis(ctx, axes[i], rank, &axis));
        if (*mask >> axis & 1)
            return infer_fail(ctx, STRIDER_BAD_MODEL, "axis %d is given twice", axis);
        *mask |= 1u << axis;
    }
    return STRIDER_OK;
}

static Status squeeze_infer(InferContext *ctx) {
    const Shape *x = &ctx->inputs[0].shape;
    unsigned mask;
    int count;
    ctx->outputs[0].dtype = ctx->inputs[0].dtype;
    TRY(get_axes(ctx, x->rank, &mask, &count));
    if (x->rank < 0 || count == -2)
        return STRIDER_OK;
    for (int i = 0; i < x->rank; i++) {
        if (count == -1 && x->dims[i] < 0)
            return STRIDER_OK; /* whether it is 1 decides the rank */
        if (count == -1 && x->dims[i] == 1)
            mask |= 1u << i;
        if ((mask >> i & 1) && x->dims[i] >= 0 && x->dims[i] != 1)
            return infer_fail(ctx, STRIDER_BAD_MODEL, "axis %d has %" PRId64 " elements, not 1", i,
                              x->dims[i]);
    }
    Shape *y = &ctx->outputs[0].shape;
    y->rank = 0;
    for (int i = 0; i < x->rank; i++)
        if (!(mask >> i & 1))
            y->dims[y->rank++] = x->dims[i];
    return STRIDER_OK;
}

static Status unsqueeze_infer(InferContext *ctx) {
    const Shape *x = &ctx->inputs[0].shape;
    unsigned mask;
    int count;
    ctx->outputs[0].dtype = ctx->inputs[0].dtype;
    TRY(get_axes(ctx, -1, &mask, &count));
    if (count == -1)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "the axes are missing");
    if (x->rank < 0 || count < 0)
        return STRIDER_OK;
    int rank = x->rank + count;
    if (rank > MAX_RANK)
        return infer_fail(ctx, STRIDER_UNSUPPORTED, "the result has %d dimensions, at most %d are supported",
                          rank, MAX_RANK);
    TRY(get_axes(ctx, rank, &mask, &count));
    Shape *y = &ctx->outputs[0].shape;
    y->rank = rank;
    for (int i = 0, from = 0; i < rank; i++)
        y->dims[i] = mask >> i & 1 ? 1 : x->dims[from++];
    return STRIDER_OK;
}

const Op op_squeeze = {
    OP_NAMED(Squeeze),
    .since = 1,
    .inputs = {1, 2},
    .outputs = {1, 1},
    .attrs_size = sizeof(AxesAttrs),
    .parse = axes_parse,
    .infer = squeeze_infer,
    .reads = 1u << 1,
    .shaped_by = 1u << 1,
    .reference = copy_reference,
    .flags = OP_VIEW | OP_STRINGS,
};

const Op op_unsqueeze = {
    OP_NAMED(Unsqueeze),
    .since = 1,
    .inputs = {1, 2},
    .outputs = {1, 1},
    .attrs_size = sizeof(AxesAttrs),
    .parse = axes_parse,
    .infer = unsqueeze_infer,
    .reads = 1u << 1,
    .shaped_by = 1u << 1,
    .reference = copy_reference,
    .flags = OP_VIEW | OP_STRINGS,
};
