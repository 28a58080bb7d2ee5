/* SPDX-License-Identifier: Apache-2.0 */
/* DynamicQuantizeLSTM (com.microsoft 1): LSTM with W [directions, inputs, 4 hidden] and R [directions,
 * hidden, 4 hidden] in 8 bits, whose zero points and scales are one for each direction or for each column.  X
 * as a whole, and in each step the h of all rows, are quantised to uint8 by their own range, which includes
 * 0, as onnxruntime does on one thread.  Of a sequence that has ended its last h counts. */
#include <inttypes.h>

#include "ops/rnn/lstm.h"

/* --- shapes --- */

/* A scale or zero point: [directions] or [directions, 4 hidden]. */
static Status check_parameter(InferContext *ctx, int port, int64_t columns) {
    const RecurrentAttrs *attrs = infer_attrs(ctx);
    TRY(infer_require_rank(ctx, port, 1, 2));
    return recurrent_require_shape(
        ctx, port, (Shape){ctx->inputs[port].shape.rank == 1 ? 1 : 2, {attrs->directions, columns}});
}

/* W or R with its scale and zero point. */
static Status check_weights(InferContext *ctx, int port, int scale, int64_t rows, int64_t columns) {
    const RecurrentAttrs *attrs = infer_attrs(ctx);
    TRY(infer_require_dtype(ctx, port, DTYPE_BIT(STRIDER_I8) | DTYPE_BIT(STRIDER_U8)));
    TRY(recurrent_require_shape(ctx, port, (Shape){3, {attrs->directions, rows, columns}}));
    for (int i = scale; i < scale + 2; i++)
        if (!infer_has_input(ctx, i))
            return infer_fail(ctx, STRIDER_BAD_MODEL, "input %d, a scale or zero point, is missing", i);
    TRY(infer_require_dtype(ctx, scale, DTYPE_BIT(STRIDER_F32)));
    TRY(infer_require_same_dtype(ctx, port, scale + 1));
    TRY(check_parameter(ctx, scale, columns));
    return check_parameter(ctx, scale + 1, columns);
}

static Status infer(InferContext *ctx) {
    static const int floats[] = {RECURRENT_X, RECURRENT_B, RECURRENT_H, RECURRENT_C, RECURRENT_PEEPHOLES};
    const RecurrentAttrs *attrs = infer_attrs(ctx);
    const Shape *x = &ctx->inputs[RECURRENT_X].shape, *r = &ctx->inputs[RECURRENT_R].shape;
    for (size_t i = 0; i < sizeof floats / sizeof *floats; i++)
        TRY(infer_require_dtype(ctx, floats[i], DTYPE_BIT(STRIDER_F32)));
    TRY(infer_require_dtype(ctx, RECURRENT_LENGTHS, DTYPE_BIT(STRIDER_I32)));
    TRY(infer_require_rank(ctx, RECURRENT_X, 3, 3));
    TRY(infer_require_rank(ctx, RECURRENT_R, 3, 3));
    const int64_t hidden = attrs->hidden ? attrs->hidden : r->rank < 0 ? DIM_UNKNOWN : r->dims[1];
    const int64_t columns = hidden < 0 ? DIM_UNKNOWN : i64_product(4, hidden);
    const int64_t inputs = x->rank < 0 ? DIM_UNKNOWN : x->dims[2];
    TRY(check_weights(ctx, RECURRENT_W, DQ_W_SCALE, inputs, columns));
    TRY(check_weights(ctx, RECURRENT_R, DQ_R_SCALE, hidden, columns));
    return recurrent_infer_types(ctx, hidden);
}

/* --- the computation --- */

/* In float32 as onnxruntime, so that the same values are rounded the same way.  NaN stays, and is in no
 * range.
 */
static void quantise(double *values, int64_t count) {
    float low = 0, high = 0;
    for (int64_t i = 0; i < count; i++) {
        low = fminf(low, (float)values[i]);
        high = fmaxf(high, (float)values[i]);
    }
    const float scale = high > low ? (high - low) / 255 : 1;
    const float zero = nearbyintf(fminf(255, fmaxf(0, 0 - low / scale)));
    for (int64_t i = 0; i < count; i++) {
        const float rounded = nearbyintf((float)values[i] / scale);
        values[i] = (double)scale * (double)(rounded < -zero        ? -zero
                                             : rounded > 255 - zero ? 255 - zero
                                                                    : rounded);
    }
}

/* Weights [direction][row][column] as [direction][column][row], with their values. */
static Status load_weights(EvalContext *ctx, int port, int scale_port, double **result) {
    const Tensor *weights = ctx->inputs[port], *scale = ctx->inputs[scale_port],
                 *zero = ctx->inputs[scale_port + 1];
    const int64_t *dims = weights->type.shape.dims, rows = dims[1], columns = dims[2];
    const bool scale_each = scale->type.shape.rank == 2, zero_each = zero->type.shape.rank == 2;
    TRY(eval_alloc_doubles(ctx, tensor_elements(weights), result));
    for (int64_t d = 0; d < dims[0]; d++)
        for (int64_t column = 0; column < columns; column++) {
            const double factor = tensor_get_f64(scale, scale_each ? d * columns + column : d);
            const double origin = tensor_get_f64(zero, zero_each ? d * columns + column : d);
            for (int64_t row = 0; row < rows; row++)
                (*result)[(d * columns + column) * rows + row] =
                    factor * (tensor_get_f64(weights, (d * rows + row) * columns + column) - origin);
        }
    return STRIDER_OK;
}

static Status reference(EvalContext *ctx) {
    RecurrentRun run;
    TRY(recurrent_load(ctx, &run));
    TRY(load_weights(ctx, RECURRENT_W, DQ_W_SCALE, &run.w));
    TRY(load_weights(ctx, RECURRENT_R, DQ_R_SCALE, &run.r));
    /* What lies after the longest sequence does not count. */
    int64_t steps = run.lengths ? 0 : run.g.steps;
    for (int64_t row = 0; run.lengths && row < run.g.batch; row++)
        steps = i64_max(steps, run.lengths[row]);
    quantise(run.x, steps * run.g.batch * run.g.inputs);
    run.quantise = quantise;
    recurrent_walk(&run, lstm_cell);
    return STRIDER_OK;
}

const Op op_dynamic_quantize_lstm = {
    OP_NAMED(DynamicQuantizeLSTM),
    .domain = "com.microsoft",
    .since = 1,
    .inputs = {3, DQ_INPUTS},
    .outputs = {0, 3},
    .attrs_size = sizeof(RecurrentAttrs),
    .parse = recurrent_parse,
    .infer = infer,
    .reference = reference,
    .scratch = recurrent_scratch,
    .macs = recurrent_macs,
};
