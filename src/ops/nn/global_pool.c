/* SPDX-License-Identifier: Apache-2.0 */
/* GlobalAveragePool (ONNX 1, 22), GlobalMaxPool (1, 22), GlobalLpPool (1, 2, 22): each channel's plane to one
 * element. */
#include <inttypes.h>
#include <math.h>

#include "ops/nn/pool.h"

#define REAL double
#include "ops/nn/pool_formula.h"

static Status global_pool_parse(ParseContext *ctx, void *attrs_) {
    GlobalPoolAttrs *attrs = attrs_;
    const Attr *p = attrs_find(ctx->attrs, "p");
    if (p && p->kind == ATTR_FLOAT) /* GlobalLpPool-1 */
        attrs->p = i64_from_double((double)p->f);
    else
        TRY(parse_int(ctx, "p", 2, &attrs->p));
    if (attrs->p < 1)
        return parse_fail(ctx, STRIDER_BAD_MODEL, "p is %" PRId64 ", must be at least 1", attrs->p);
    return STRIDER_OK;
}

static Status global_pool_infer(InferContext *ctx) {
    TRY(infer_require_dtype(ctx, 0, DTYPES_FLOAT));
    TRY(infer_require_rank(ctx, 0, 2, -1));
    ctx->outputs[0] = ctx->inputs[0];
    for (int i = 2; i < ctx->inputs[0].shape.rank; i++)
        ctx->outputs[0].shape.dims[i] = 1;
    return STRIDER_OK;
}

static double average(const double *x, int64_t count, int64_t p) {
    (void)p;
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += x[i];
    return sum / (double)count;
}

static double maximum(const double *x, int64_t count, int64_t p) {
    (void)p;
    double max = -INFINITY;
    for (int64_t i = 0; i < count; i++)
        if (x[i] > max || isnan(x[i]))
            max = x[i];
    return max;
}

static double norm(const double *x, int64_t count, int64_t p) {
    double sum = 0, peak = 0;
    for (int64_t i = 0; i < count; i++)
        if (pool_is_max(fabs(x[i]), peak, i - 1))
            peak = fabs(x[i]);
    for (int64_t i = 0; i < count; i++)
        sum += pool_power(x[i], (double)p, peak);
    return pool_norm(sum, (double)p, peak);
}

static Status global_pool(EvalContext *ctx, double (*reduce)(const double *x, int64_t count, int64_t p)) {
    const GlobalPoolAttrs *attrs = eval_attrs(ctx);
    const Shape *shape = &ctx->inputs[0]->type.shape;
    int64_t planes = shape_size(shape, 0, 2), size = shape_size(shape, 2, shape->rank);
    double *x;
    TRY(eval_load_doubles(ctx, 0, &x));
    for (int64_t i = 0; i < planes; i++)
        tensor_set_f64(ctx->outputs[0], i, reduce(x + i * size, size, attrs->p));
    return STRIDER_OK;
}

static Status global_average_pool_reference(EvalContext *ctx) {
    return global_pool(ctx, average);
}

static Status global_max_pool_reference(EvalContext *ctx) {
    return global_pool(ctx, maximum);
}

static Status global_lp_pool_reference(EvalContext *ctx) {
    return global_pool(ctx, norm);
}

const Op op_global_average_pool = {
    OP_NAMED(GlobalAveragePool),
    .since = 1,
    .inputs = {1, 1},
    .outputs = {1, 1},
    .attrs_size = sizeof(GlobalPoolAttrs),
    .parse = global_pool_parse,
    .infer = global_pool_infer,
    .reference = global_average_pool_reference,
    .scratch = scratch_of_input,
};

const Op op_global_max_pool = {
    OP_NAMED(GlobalMaxPool),
    .since = 1,
    .inputs = {1, 1},
    .outputs = {1, 1},
    .attrs_size = sizeof(GlobalPoolAttrs),
    .parse = global_pool_parse,
    .infer = global_pool_infer,
    .reference = global_max_pool_reference,
    .scratch = scratch_of_input,
};

const Op op_global_lp_pool = {
    OP_NAMED(GlobalLpPool),
    .since = 1,
    .inputs = {1, 1},
    .outputs = {1, 1},
    .attrs_size = sizeof(GlobalPoolAttrs),
    .parse = global_pool_parse,
    .infer = global_pool_infer,
    .reference = global_lp_pool_reference,
    .scratch = scratch_of_input,
};
