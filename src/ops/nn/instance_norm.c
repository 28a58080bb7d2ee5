/* SPDX-License-Identifier: Apache-2.0 */
/* InstanceNormalization (ONNX 1, 6, 22) and GroupNormalization (18; 21: scale and bias for each channel):
 *   y = (x - mean) / sqrt(variance + epsilon) * scale[c] + b[c]
 * with mean and population variance over the spatial dimensions of a channel, or of a group of channels, of
 * one image. MeanVarianceNormalization (9, 13): y = (x - mean) / (standard deviation + 1e-9) over `axes`, by
 * default [0, 2, 3]. */
#include "ops/nn/instance_norm.h"

#include <inttypes.h>
#include <math.h>

#include "ops/post_ops.h"

static Status instance_norm_parse(ParseContext *ctx, void *attrs_) {
    InstanceNormAttrs *attrs = attrs_;
    return parse_float(ctx, "epsilon", 1e-5f, &attrs->epsilon);
}

static Status group_norm_parse(ParseContext *ctx, void *attrs_) {
    InstanceNormAttrs *attrs = attrs_;
    TRY(parse_float(ctx, "epsilon", 1e-5f, &attrs->epsilon));
    TRY(parse_require(ctx, "num_groups"));
    TRY(parse_int(ctx, "num_groups", 0, &attrs->groups));
    attrs->group_scale = ctx->node->opset < 21;
    if (attrs->groups < 1)
        return parse_fail(ctx, STRIDER_BAD_MODEL, "num_groups is %" PRId64 ", must be at least 1",
                          attrs->groups);
    return STRIDER_OK;
}

static Status instance_norm_infer(InferContext *ctx) {
    const InstanceNormAttrs *attrs = infer_attrs(ctx);
    TRY(infer_require_dtype(ctx, INSTANCE_NORM_X, DTYPES_FLOAT));
    TRY(infer_require_rank(ctx, INSTANCE_NORM_X, 2, -1));
    const Shape *x = &ctx->inputs[INSTANCE_NORM_X].shape;
    int64_t channels = x->rank >= 0 ? x->dims[1] : DIM_UNKNOWN;
    if (attrs->groups && channels >= 0 && channels % attrs->groups)
        return infer_fail(ctx, STRIDER_BAD_MODEL,
                          "num_groups %" PRId64 " does not divide %" PRId64 " channels", attrs->groups,
                          channels);
    int64_t wanted = attrs->group_scale ? attrs->groups : channels;
    for (int port = INSTANCE_NORM_SCALE; port <= INSTANCE_NORM_B; port++) {
        TRY(infer_require_same_dtype(ctx, INSTANCE_NORM_X, port));
        TRY(infer_require_rank(ctx, port, 1, 1));
        const Shape *shape = &ctx->inputs[port].shape;
        if (shape->rank == 1 && shape->dims[0] >= 0 && wanted >= 0 && shape->dims[0] != wanted)
            return infer_fail(ctx, STRIDER_BAD_MODEL, "input %d has %" PRId64 " values, must have %" PRId64,
                              port, shape->dims[0], wanted);
    }
    ctx->outputs[0] = ctx->inputs[INSTANCE_NORM_X];
    return STRIDER_OK;
}

/* Makes the mean 0 and the variance 1. */
static void standardise(double *x, int64_t count, double epsilon) {
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < count; i++)
        sum += x[i];
    double mean = sum / (double)count;
    for (int64_t i = 0; i < count; i++)
        squares += (x[i] - mean) * (x[i] - mean);
    double divisor = sqrt(squares / (double)count + epsilon);
    for (int64_t i = 0; i < count; i++)
        x[i] = (x[i] - mean) / divisor;
}

static Status instance_norm_reference(EvalContext *ctx) {
    const InstanceNormAttrs *attrs = eval_attrs(ctx);
    const Shape *shape = &ctx->inputs[INSTANCE_NORM_X]->type.shape;
    const Tensor *scale = ctx->inputs[INSTANCE_NORM_SCALE], *b = ctx->inputs[INSTANCE_NORM_B];
    int64_t batch = shape->dims[0], channels = shape->dims[1], plane = shape_size(shape, 2, shape->rank);
    int64_t groups = attrs->groups ? attrs->groups : channels;
    double *x;
    TRY(eval_load_doubles(ctx, INSTANCE_NORM_X, &x));
    for (int64_t i = 0; channels && i < batch * groups; i++)
        standardise(x + i * (channels / groups) * plane, channels / groups * plane, (double)attrs->epsilon);
    for (int64_t i = 0; i < batch * channels; i++) {
        int64_t channel = i % channels;
        int64_t parameter = attrs->group_scale ? channel / (channels / groups) : channel;
        for (int64_t j = 0; j < plane; j++)
            x[i * plane + j] =
                x[i * plane + j] * tensor_get_f64(scale, parameter) + tensor_get_f64(b, parameter);
    }
    eval_store_doubles(ctx, x);
    return STRIDER_OK;
}

const Op op_instance_norm = {
    OP_NAMED(InstanceNormalization),
    .since = 1,
    .inputs = {3, 3},
    .outputs = {1, 1},
    .attrs_size = sizeof(InstanceNormAttrs),
    .parse = instance_norm_parse,
    .infer = instance_norm_infer,
    .reference = instance_norm_reference,
    .scratch = scratch_of_input,
    .channel_axis = 1,
    .flags = OP_POST_OPS,
};

const Op op_group_norm = {
    OP_NAMED(GroupNormalization),
    .since = 18,
    .inputs = {3, 3},
    .outputs = {1, 1},
    .attrs_size = sizeof(InstanceNormAttrs),
    .parse = group_norm_parse,
    .infer = instance_norm_infer,
    .reference = instance_norm_reference,
    .scratch = scratch_of_input,
    .channel_axis = 1,
    .flags = OP_POST_OPS,
    .ignores = {"stash_type"},
};

/* --- MeanVarianceNormalization --- */

static Status mvn_parse(ParseContext *ctx, void *attrs_) {
    MvnAttrs *attrs = attrs_;
    TRY(parse_ints(ctx, "axes", attrs->axes, MAX_RANK, &attrs->n_axes));
    if (attrs->n_axes < 0)
        *attrs = (MvnAttrs){.n_axes = 3, .axes = {0, 2, 3}};
    return STRIDER_OK;
}

static Status mvn_infer(InferContext *ctx) {
    const MvnAttrs *attrs = infer_attrs(ctx);
    TRY(infer_require_dtype(ctx, 0, DTYPES_FLOAT));
    unsigned seen = 0;
    for (int i = 0; i < attrs->n_axes && ctx->inputs[0].shape.rank >= 0; i++) {
        int axis;
        TRY(infer_axis(ctx, attrs->axes[i], ctx->inputs[0].shape.rank, &axis));
        if (seen >> axis & 1)
            return infer_fail(ctx, STRIDER_BAD_MODEL, "axis %d stands twice in axes", axis);
        seen |= 1u << axis;
    }
    ctx->outputs[0] = ctx->inputs[0];
    return STRIDER_OK;
}

/* Which group each element belongs to: the row-major index of its position in the dimensions that are not
 * reduced. */
typedef struct MvnGroups {
    int rank;
    int64_t dims[MAX_RANK], strides[MAX_RANK]; /* stride 0 where reduced */
    int64_t groups, count;                     /* count: elements in each */
} MvnGroups;

static MvnGroups mvn_groups(const MvnAttrs *attrs, const Shape *x) {
    MvnGroups g = {.rank = x->rank, .groups = 1, .count = 1};
    unsigned reduced = 0;
    for (int i = 0; i < attrs->n_axes; i++)
        reduced |= 1u << (attrs->axes[i] < 0 ? attrs->axes[i] + x->rank : attrs->axes[i]);
    for (int i = x->rank - 1; i >= 0; i--) {
        g.dims[i] = x->dims[i];
        if (reduced >> i & 1) {
            g.count *= x->dims[i];
        } else {
            g.strides[i] = g.groups;
            g.groups *= x->dims[i];
        }
    }
    return g;
}

static int64_t group_of(const MvnGroups *g, int64_t index) {
    int64_t group = 0;
    for (int i = g->rank - 1; i >= 0; i--) {
        group += index % g->dims[i] * g->strides[i];
        index /= g->dims[i];
    }
    return group;
}

static Status mvn_reference(EvalContext *ctx) {
    const Shape *shape = &ctx->inputs[0]->type.shape;
    MvnGroups g = mvn_groups(eval_attrs(ctx), shape);
    int64_t elements = shape_elements(shape);
    double *x, *means, *squares;
    TRY(eval_load_doubles(ctx, 0, &x));
    TRY(eval_alloc_doubles(ctx, g.groups, &means));
    TRY(eval_alloc_doubles(ctx, g.groups, &squares));
    for (int64_t i = 0; i < g.groups; i++)
        means[i] = squares[i] = 0;
    for (int64_t i = 0; i < elements; i++)
        means[group_of(&g, i)] += x[i] / (double)g.count;
    for (int64_t i = 0; i < elements; i++) {
        x[i] -= means[group_of(&g, i)];
        squares[group_of(&g, i)] += x[i] * x[i] / (double)g.count;
    }
    for (int64_t i = 0; i < elements; i++)
        x[i] /= sqrt(squares[group_of(&g, i)]) + 1e-9;
    tensor_store_doubles(ctx->outputs[0], x);
    return STRIDER_OK;
}

static Bytes mvn_scratch(const Node *node, const Type *inputs, const Type *outputs) {
    (void)outputs;
    const MvnGroups g = mvn_groups(node->attrs, &inputs[0].shape);
    const Bytes statistics = scratch_of(sizeof(double), g.groups);
    return bytes_sum(scratch_of_tensor(&inputs[0]), bytes_sum(statistics, statistics));
}

const Op op_mean_variance_norm = {
    OP_NAMED(MeanVarianceNormalization),
    .since = 9,
    .inputs = {1, 1},
    .outputs = {1, 1},
    .attrs_size = sizeof(MvnAttrs),
    .parse = mvn_parse,
    .infer = mvn_infer,
    .reference = mvn_reference,
    .scratch = mvn_scratch,
};
