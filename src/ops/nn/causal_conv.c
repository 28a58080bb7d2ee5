/* SPDX-License-Identifier: Apache-2.0 */
/* CausalConvWithState (ONNX 27): each channel's sum over the last k positions, with what came before the
 * input in past_state, or zeros: s = concat(past_state, input), y[t] = activation(sum over i < k of s[t + i]
 * * weight[i] + bias) and present_state the last k - 1 of s.  The activation is none or x / (1 + e^-x). */
#include <inttypes.h>
#include <math.h>

#include "base/size.h"
#include "ops/op.h"

enum { CAUSAL_X, CAUSAL_WEIGHT, CAUSAL_BIAS, CAUSAL_PAST };
enum { CAUSAL_Y, CAUSAL_PRESENT };

typedef struct CausalConvAttrs {
    bool is_silu;
} CausalConvAttrs;

static Status causal_conv_parse(ParseContext *ctx, void *attrs_) {
    static const char *const names[] = {"none", "silu", "swish", NULL};
    CausalConvAttrs *attrs = attrs_;
    int activation;
    TRY(parse_enum(ctx, "activation", names, 0, &activation));
    attrs->is_silu = activation > 0;
    return STRIDER_OK;
}

/* Dimension `at` of an input that must be `wanted`, where both are known. */
static Status check_dim(InferContext *ctx, int port, int at, int64_t wanted, const char *what) {
    const int64_t have = infer_input_dim(ctx, port, at);
    if (have >= 0 && wanted >= 0 && have != wanted)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "input %d has %" PRId64 " %s, must have %" PRId64, port,
                          have, what, wanted);
    return STRIDER_OK;
}

static Status causal_conv_infer(InferContext *ctx) {
    TRY(infer_require_dtype(ctx, CAUSAL_X, DTYPES_FLOAT));
    for (int port = CAUSAL_WEIGHT; port < ctx->n_inputs; port++)
        TRY(infer_require_same_dtype(ctx, CAUSAL_X, port));
    for (int port = CAUSAL_X; port < ctx->n_inputs; port++)
        if (infer_has_input(ctx, port))
            TRY(infer_require_rank(ctx, port, port == CAUSAL_BIAS ? 1 : 3, port == CAUSAL_BIAS ? 1 : 3));
    const int64_t batch = infer_input_dim(ctx, CAUSAL_X, 0), channels = infer_input_dim(ctx, CAUSAL_X, 1),
                  k = infer_input_dim(ctx, CAUSAL_WEIGHT, 2), carried = k < 0 ? DIM_UNKNOWN : k - 1;
    if (k == 0)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "the weight has no positions");
    TRY(check_dim(ctx, CAUSAL_WEIGHT, 0, channels, "channels"));
    TRY(check_dim(ctx, CAUSAL_WEIGHT, 1, 1, "channels a group"));
    TRY(check_dim(ctx, CAUSAL_BIAS, 0, channels, "channels"));
    TRY(check_dim(ctx, CAUSAL_PAST, 0, batch, "batches"));
    TRY(check_dim(ctx, CAUSAL_PAST, 1, channels, "channels"));
    TRY(check_dim(ctx, CAUSAL_PAST, 2, carried, "positions"));
    ctx->outputs[CAUSAL_Y] = ctx->inputs[CAUSAL_X];
    if (ctx->n_outputs > CAUSAL_PRESENT)
        ctx->outputs[CAUSAL_PRESENT].tensor =
            type_of(ctx->inputs[CAUSAL_X].dtype, shape_make(3, (int64_t[]){batch, channels, carried}));
    return STRIDER_OK;
}

/* A channel's positions, those of the past first. */
typedef struct Positions {
    const double *past, *now; /* past NULL: zeros */
    int64_t carried;
} Positions;

static double position(const Positions *s, int64_t at) {
    if (at >= s->carried)
        return s->now[at - s->carried];
    return s->past ? s->past[at] : 0;
}

static double causal_sum(const Positions *s, const double *weight, int64_t t) {
    double sum = 0;
    for (int64_t i = 0; i <= s->carried; i++)
        sum += position(s, t + i) * weight[i];
    return sum;
}

static Status causal_conv_reference(EvalContext *ctx) {
    const CausalConvAttrs *attrs = eval_attrs(ctx);
    const Shape *x = &ctx->inputs[CAUSAL_X]->type.shape;
    const int64_t channels = x->dims[1], length = x->dims[2];
    const int64_t carried = ctx->inputs[CAUSAL_WEIGHT]->type.shape.dims[2] - 1;
    Tensor *y = eval_output(ctx, CAUSAL_Y), *present = eval_output(ctx, CAUSAL_PRESENT);
    double *now, *weight, *bias, *past;
    TRY(eval_load_doubles(ctx, CAUSAL_X, &now));
    TRY(eval_load_doubles(ctx, CAUSAL_WEIGHT, &weight));
    TRY(eval_load_doubles(ctx, CAUSAL_BIAS, &bias));
    TRY(eval_load_doubles(ctx, CAUSAL_PAST, &past));
    for (int64_t i = 0; i < x->dims[0] * channels; i++) {
        const Positions s = {past ? past + i * carried : NULL, now + i * length, carried};
        const int64_t channel = i % channels;
        for (int64_t t = 0; y && t < length; t++) {
            const double sum =
                causal_sum(&s, weight + channel * (carried + 1), t) + (bias ? bias[channel] : 0);
            tensor_set_f64(y, i * length + t, attrs->is_silu ? sum / (1 + exp(-sum)) : sum);
        }
        for (int64_t t = 0; present && t < carried; t++)
            tensor_set_f64(present, i * carried + t, position(&s, length + t));
    }
    return STRIDER_OK;
}

static uint64_t causal_conv_macs(const Node *node, const Type *inputs, const Type *outputs) {
    (void)node, (void)outputs;
    const Shape *x = &inputs[CAUSAL_X].shape;
    return (uint64_t)count_of(x->dims[0], x->dims[1], x->dims[2], inputs[CAUSAL_WEIGHT].shape.dims[2]);
}

const Op op_causal_conv = {
    OP_NAMED(CausalConvWithState),
    .since = 27,
    .inputs = {2, 4},
    .outputs = {1, 2},
    .attrs_size = sizeof(CausalConvAttrs),
    .parse = causal_conv_parse,
    .infer = causal_conv_infer,
    .reference = causal_conv_reference,
    .scratch = scratch_of_inputs,
    .macs = causal_conv_macs,
};
