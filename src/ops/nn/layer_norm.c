/* SPDX-License-Identifier: Apache-2.0 */
/* LayerNormalization (ONNX 17): y = (x - mean) / sqrt(variance + epsilon) * scale + b, with mean and
 * population variance over the dimensions from `axis` on; outputs Mean and 1 / sqrt(variance + epsilon) keep
 * those dimensions as 1. RMSNormalization (ONNX 23): y = x / sqrt(mean of x^2 + epsilon) * scale.  Scale and
 * b broadcast to x. */
#include "ops/nn/layer_norm.h"

#include <inttypes.h>
#include <math.h>

#include "ops/broadcast.h"
#include "ops/post_ops.h"

static Status layer_norm_parse(ParseContext *ctx, void *attrs_) {
    LayerNormAttrs *attrs = attrs_;
    TRY(parse_int(ctx, "axis", -1, &attrs->axis));
    TRY(parse_float(ctx, "epsilon", 1e-5f, &attrs->epsilon));
    return parse_dtype(ctx, "stash_type", STRIDER_F32, &attrs->stash);
}

/* That a parameter broadcasts to x, and x not to it. */
static Status check_parameter(InferContext *ctx, int port, const Shape *x) {
    TRY(infer_require_dtype(ctx, port, DTYPES_FLOAT));
    if (!infer_has_input(ctx, port))
        return STRIDER_OK;
    const Shape *shape = &ctx->inputs[port].shape;
    TRY(infer_require_rank(ctx, port, 0, x->rank));
    for (int i = 1; i <= shape->rank; i++) {
        int64_t have = shape->dims[shape->rank - i], want = x->dims[x->rank - i];
        if (have >= 0 && want >= 0 && have != 1 && have != want)
            return infer_fail(ctx, STRIDER_BAD_MODEL,
                              "input %d has %" PRId64 " values in a dimension where X has %" PRId64, port,
                              have, want);
    }
    return STRIDER_OK;
}

static Status layer_norm_infer(InferContext *ctx) {
    const LayerNormAttrs *attrs = infer_attrs(ctx);
    TRY(infer_require_dtype(ctx, LAYER_NORM_X, DTYPES_FLOAT));
    if (!dtype_is_float(attrs->stash))
        return infer_fail(ctx, STRIDER_BAD_MODEL, "stash_type is %s, must be a float type",
                          dtype_name(attrs->stash));
    const Shape *x = &ctx->inputs[LAYER_NORM_X].shape;
    ctx->outputs[0] = ctx->inputs[LAYER_NORM_X];
    Shape statistics = *x;
    if (x->rank >= 0) {
        int axis;
        TRY(infer_axis(ctx, attrs->axis, x->rank, &axis));
        for (int i = axis; i < x->rank; i++)
            statistics.dims[i] = 1;
        for (int port = LAYER_NORM_SCALE; port < ctx->n_inputs; port++)
            TRY(check_parameter(ctx, port, x));
    }
    for (int i = 1; i < ctx->n_outputs; i++)
        ctx->outputs[i].tensor = type_of(attrs->stash, statistics);
    return STRIDER_OK;
}

void layer_norm_geometry(const LayerNormAttrs *attrs, const Shape *x, int64_t *groups, int64_t *count) {
    int axis = (int)(attrs->axis < 0 ? attrs->axis + x->rank : attrs->axis);
    *groups = shape_size(x, 0, axis);
    *count = shape_size(x, axis, x->rank);
}

/* What is subtracted from a group, and what then divides it. */
static void statistics(const double *x, int64_t count, bool centred, double epsilon, double *mean,
                       double *inverse) {
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < count; i++)
        sum += x[i];
    *mean = centred ? sum / (double)count : 0;
    for (int64_t i = 0; i < count; i++)
        squares += (x[i] - *mean) * (x[i] - *mean);
    *inverse = 1 / sqrt(squares / (double)count + epsilon);
}

/* y = x * scale + b. */
static void scale_and_shift(const EvalContext *ctx, double *x) {
    const Shape *shape = &ctx->inputs[LAYER_NORM_X]->type.shape;
    for (int port = LAYER_NORM_SCALE; port < node_own_inputs(ctx->node); port++) {
        const Tensor *parameter = ctx->inputs[port];
        if (!parameter)
            continue;
        const Shape *shapes[] = {&parameter->type.shape};
        Broadcast broadcast = broadcast_make(shape, 1, shapes);
        int64_t counters[MAX_RANK] = {0}, offsets[BROADCAST_MAX] = {0}, elements = shape_elements(shape);
        for (int64_t i = 0; i < elements; i++) {
            double value = tensor_get_f64(parameter, offsets[0]);
            x[i] = port == LAYER_NORM_SCALE ? x[i] * value : x[i] + value;
            broadcast_next(&broadcast, counters, offsets);
        }
    }
}

static Status normalise(EvalContext *ctx, bool centred) {
    const LayerNormAttrs *attrs = eval_attrs(ctx);
    int64_t groups, count;
    layer_norm_geometry(attrs, &ctx->inputs[LAYER_NORM_X]->type.shape, &groups, &count);
    double *x;
    TRY(eval_load_doubles(ctx, LAYER_NORM_X, &x));
    Tensor *y = eval_output(ctx, 0), *means = eval_output(ctx, 1), *inverses = eval_output(ctx, 2);
    for (int64_t group = 0; group < groups; group++) {
        double mean, inverse, *values = x + group * count;
        statistics(values, count, centred, (double)attrs->epsilon, &mean, &inverse);
        for (int64_t i = 0; i < count; i++)
            values[i] = (values[i] - mean) * inverse;
        if (means)
            tensor_set_f64(means, group, mean);
        if (inverses)
            tensor_set_f64(inverses, group, inverse);
    }
    scale_and_shift(ctx, x);
    if (y)
        eval_store_doubles(ctx, x);
    return STRIDER_OK;
}

static Status layer_norm_reference(EvalContext *ctx) {
    return normalise(ctx, true);
}

static Status rms_norm_reference(EvalContext *ctx) {
    return normalise(ctx, false);
}

const Op op_layer_norm = {
    OP_NAMED(LayerNormalization),
    .since = 17,
    .inputs = {2, 3},
    .outputs = {1, 3},
    .attrs_size = sizeof(LayerNormAttrs),
    .parse = layer_norm_parse,
    .infer = layer_norm_infer,
    .reference = layer_norm_reference,
    .scratch = scratch_of_input,
    .channel_axis = -1,
    .flags = OP_POST_OPS,
};

const Op op_rms_norm = {
    OP_NAMED(RMSNormalization),
    .since = 23,
    .inputs = {2, 2},
    .outputs = {1, 1},
    .attrs_size = sizeof(LayerNormAttrs),
    .parse = layer_norm_parse,
    .infer = layer_norm_infer,
    .reference = rms_norm_reference,
    .scratch = scratch_of_input,
    .channel_axis = -1,
    .flags = OP_POST_OPS,
};
