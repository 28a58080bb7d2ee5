/* SPDX-License-Identifier: Apache-2.0 */
/* QLinearAveragePool and QLinearGlobalAveragePool of onnxruntime (com.microsoft 1): AveragePool on uint8 or
 * int8, y = saturate(round(average(x_scale (x - x_zero)) / y_scale) + y_zero) where padding that counts is 0
 * as a real number, and so is what the last window has beyond the padding with ceil_mode, as onnxruntime
 * counts.  With channels_last the channels are the last dimension. */
#include "ops/quantization/qlinear_pool.h"

#include "ops/quantization/products.h"
#include "ops/quantization/qlinear.h"

/* [N, D..., C] as [N, C, D...], or the reverse. */
static Shape channels_first(const Shape *shape) {
    Shape moved = *shape;
    moved.dims[1] = shape->dims[shape->rank - 1];
    for (int d = 2; d < shape->rank; d++)
        moved.dims[d] = shape->dims[d - 1];
    return moved;
}

static Shape channels_last(const Shape *shape) {
    Shape moved = *shape;
    moved.dims[shape->rank - 1] = shape->dims[1];
    for (int d = 2; d < shape->rank; d++)
        moved.dims[d - 1] = shape->dims[d];
    return moved;
}

Shape qlinear_pool_shape(const QLinearPoolAttrs *attrs, const Shape *shape) {
    return attrs->channels_last ? channels_first(shape) : *shape;
}

static Status check_inputs(InferContext *ctx) {
    const DType dtype = ctx->inputs[QPOOL_X].dtype;
    TRY(infer_require_dtype(ctx, QPOOL_X, DTYPES_8));
    TRY(infer_require_rank(ctx, QPOOL_X, 3, 2 + MAX_SPATIAL));
    TRY(qlinear_check(ctx, QPOOL_X_SCALE, QPOOL_X_ZERO, dtype));
    TRY(qlinear_check(ctx, QPOOL_Y_SCALE, QPOOL_Y_ZERO, dtype));
    ctx->outputs[0].dtype = dtype;
    return STRIDER_OK;
}

static Status average_parse(ParseContext *ctx, void *attrs_) {
    QLinearPoolAttrs *attrs = attrs_;
    TRY(pool_parse(ctx, &attrs->pool));
    attrs->pool.counts_beyond = true;
    return parse_bool(ctx, "channels_last", false, &attrs->channels_last);
}

static Status average_infer(InferContext *ctx) {
    const QLinearPoolAttrs *attrs = infer_attrs(ctx);
    TRY(check_inputs(ctx));
    if (ctx->inputs[QPOOL_X].shape.rank < 0)
        return STRIDER_OK;
    const Shape x = qlinear_pool_shape(attrs, &ctx->inputs[QPOOL_X].shape);
    Shape y;
    TRY(pool_infer_shape(ctx, &x, &y));
    ctx->outputs[0].shape = attrs->channels_last ? channels_last(&y) : y;
    return STRIDER_OK;
}

static Status global_parse(ParseContext *ctx, void *attrs_) {
    QLinearPoolAttrs *attrs = attrs_;
    return parse_bool(ctx, "channels_last", false, &attrs->channels_last);
}

static Status global_infer(InferContext *ctx) {
    const QLinearPoolAttrs *attrs = infer_attrs(ctx);
    TRY(check_inputs(ctx));
    if (ctx->inputs[QPOOL_X].shape.rank < 0)
        return STRIDER_OK;
    Shape y = qlinear_pool_shape(attrs, &ctx->inputs[QPOOL_X].shape);
    for (int d = 2; d < y.rank; d++)
        y.dims[d] = 1;
    ctx->outputs[0].shape = attrs->channels_last ? channels_last(&y) : y;
    return STRIDER_OK;
}

/* --- reference() --- */

typedef struct Averages {
    Tensor *y;
    QLinear of_x, of_y;
    IntegerRange range;
    int64_t channels, pixels; /* of the output; channels lie together where `is_last` */
    bool is_last;
} Averages;

static Averages averages_of(const EvalContext *ctx, const Shape *y) {
    const QLinearPoolAttrs *attrs = eval_attrs(ctx);
    return (Averages){.y = ctx->outputs[0],
                      .of_x = qlinear_of(ctx, QPOOL_X_SCALE, QPOOL_X_ZERO),
                      .of_y = qlinear_of(ctx, QPOOL_Y_SCALE, QPOOL_Y_ZERO),
                      .range = integer_range(ctx->outputs[0]->type.dtype),
                      .channels = y->dims[1],
                      .pixels = shape_size(y, 2, y->rank),
                      .is_last = attrs->channels_last};
}

/* Where element `index` of [N, C, pixels] lies. */
static int64_t place(int64_t index, int64_t channels, int64_t pixels, bool is_last) {
    const int64_t plane = index / pixels, pixel = index % pixels;
    return is_last ? (plane / channels * pixels + pixel) * channels + plane % channels : index;
}

/* `average` is of x - x_zero. */
static void put(void *context, int64_t index, double average) {
    const Averages *out = context;
    const float real = (float)((double)out->of_x.scale * average);
    tensor_set_i64(out->y, place(index, out->channels, out->pixels, out->is_last),
                   qlinear_quantize(out->of_y, real, out->range));
}

/* x - x_zero as [N, C, pixels]. */
static Status load_planes(EvalContext *ctx, const Shape *shape, double **values) {
    const QLinearPoolAttrs *attrs = eval_attrs(ctx);
    const QLinear of_x = qlinear_of(ctx, QPOOL_X_SCALE, QPOOL_X_ZERO);
    const int64_t count = shape_elements(shape), pixels = shape_size(shape, 2, shape->rank);
    TRY(eval_alloc_doubles(ctx, count, values));
    for (int64_t i = 0; i < count; i++)
        (*values)[i] = (double)(tensor_get_i64(ctx->inputs[QPOOL_X],
                                               place(i, shape->dims[1], pixels, attrs->channels_last)) -
                                of_x.zero);
    return STRIDER_OK;
}

static Status average_reference(EvalContext *ctx) {
    const QLinearPoolAttrs *attrs = eval_attrs(ctx);
    const Shape x = qlinear_pool_shape(attrs, &ctx->inputs[QPOOL_X]->type.shape),
                y = qlinear_pool_shape(attrs, &ctx->outputs[0]->type.shape);
    Averages out = averages_of(ctx, &y);
    double *values;
    TRY(load_planes(ctx, &x, &values));
    pool_averages(&attrs->pool, &x, values, &(PoolStore){put, &out});
    return STRIDER_OK;
}

static Status global_reference(EvalContext *ctx) {
    const QLinearPoolAttrs *attrs = eval_attrs(ctx);
    const Shape x = qlinear_pool_shape(attrs, &ctx->inputs[QPOOL_X]->type.shape),
                y = qlinear_pool_shape(attrs, &ctx->outputs[0]->type.shape);
    Averages out = averages_of(ctx, &y);
    const int64_t planes = i64_product(x.dims[0], x.dims[1]), pixels = shape_size(&x, 2, x.rank);
    double *values;
    TRY(load_planes(ctx, &x, &values));
    for (int64_t p = 0; p < planes; p++) {
        double sum = 0;
        for (int64_t i = 0; i < pixels; i++)
            sum += values[p * pixels + i];
        put(&out, p, sum / (double)pixels);
    }
    return STRIDER_OK;
}

const Op op_qlinear_average_pool = {
    OP_NAMED(QLinearAveragePool), .domain = "com.microsoft", .since = 1,
    .inputs = {2, QPOOL_INPUTS},  .outputs = {1, 1},         .attrs_size = sizeof(QLinearPoolAttrs),
    .parse = average_parse,       .infer = average_infer,    .reference = average_reference,
    .scratch = scratch_of_input,
};

const Op op_qlinear_global_average_pool = {
    OP_NAMED(QLinearGlobalAveragePool),
    .domain = "com.microsoft",
    .since = 1,
    .inputs = {2, QPOOL_INPUTS},
    .outputs = {1, 1},
    .attrs_size = sizeof(QLinearPoolAttrs),
    .parse = global_parse,
    .infer = global_infer,
    .reference = global_reference,
    .scratch = scratch_of_input,
};
