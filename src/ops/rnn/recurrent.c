/* SPDX-License-Identifier: Apache-2.0 */
/* Attributes and shapes of recurrent layers.  ONNX 1 (output_sequence says whether Y is wanted, which the
 * name of the output says as well), 3 (linear_before_reset), 7, 14 (layout), 22 (types). X is [steps, batch,
 * inputs], W [directions, gates * hidden, inputs], R [directions, gates * hidden, hidden], B [directions, 2 *
 * gates * hidden]: W's, then R's.  Y is [steps, directions, batch, hidden], states [directions, batch,
 * hidden]; with layout 1 the batch comes first in all of them. */
#include "ops/rnn/recurrent.h"

#include <inttypes.h>
#include <strings.h>

static bool is_lstm(const Node *node) {
    return node->op->kind == OP_LSTM || node->op->kind == OP_DynamicQuantizeLSTM;
}

int recurrent_gates(const Node *node) {
    return is_lstm(node) ? 4 : node->op->kind == OP_GRU ? 3 : 1;
}

static int activations_of(const Node *node) {
    return is_lstm(node) ? 3 : node->op->kind == OP_GRU ? 2 : 1;
}

/* --- activations --- */

/* Affine and ScaledTanh are no operators any more, whose defaults would be theirs: these change nothing. */
typedef struct ActivationRow {
    const char *name;
    UnaryKind kind;
    bool has_alpha, has_beta;
    float alpha, beta;
} ActivationRow;

static const ActivationRow activation_rows[] = {
    {"Sigmoid", UNARY_SIGMOID, false, false, 0, 0},
    {"Tanh", UNARY_TANH, false, false, 0, 0},
    {"Relu", UNARY_RELU, false, false, 0, 0},
    {"Affine", UNARY_AFFINE, true, true, 1, 0},
    {"LeakyRelu", UNARY_LEAKY_RELU, true, false, 0.01f, 0},
    {"ThresholdedRelu", UNARY_THRESHOLDED_RELU, true, false, 1, 0},
    {"ScaledTanh", UNARY_SCALED_TANH, true, true, 1, 1},
    {"HardSigmoid", UNARY_HARD_SIGMOID, true, true, 0.2f, 0.5f},
    {"Elu", UNARY_ELU, true, false, 1, 0},
    {"Softsign", UNARY_SOFTSIGN, false, false, 0, 0},
    {"Softplus", UNARY_SOFTPLUS, false, false, 0, 0},
};

/* Exporters spell them in lower case, too. */
static const ActivationRow *find_activation(const char *name) {
    for (size_t i = 0; i < sizeof activation_rows / sizeof *activation_rows; i++)
        if (strcasecmp(activation_rows[i].name, name) == 0)
            return &activation_rows[i];
    return NULL;
}

/* Numbers that functions take one after the other. */
typedef struct Numbers {
    const float *values;
    int64_t count;
} Numbers;

static float next_number(Numbers *numbers, bool takes, float fallback) {
    if (!takes || numbers->count <= 0)
        return fallback;
    numbers->count--;
    return *numbers->values++;
}

static Status parse_activations(ParseContext *ctx, RecurrentAttrs *attrs) {
    static const char *const of_gates[] = {"Sigmoid", "Tanh", "Tanh"}, *const of_rnn[] = {"Tanh"};
    const int each = activations_of(ctx->node);
    const char *const *names, *const *defaults = each == 1 ? of_rnn : of_gates;
    int64_t count;
    Numbers alpha, beta;
    TRY(parse_strings(ctx, "activations", &names, &count));
    TRY(parse_floats(ctx, "activation_alpha", &alpha.values, &alpha.count));
    TRY(parse_floats(ctx, "activation_beta", &beta.values, &beta.count));
    /* RNN's default lists two where there may be one direction. */
    if (count >= 0 && count < each * attrs->directions)
        return parse_fail(ctx, STRIDER_BAD_MODEL,
                          "activations has %" PRId64 " names, must have %d for each of %d directions", count,
                          each, attrs->directions);
    for (int d = 0; d < attrs->directions; d++)
        for (int i = 0; i < each; i++) {
            const char *name = count < 0 ? defaults[i] : names[d * each + i];
            const ActivationRow *row = find_activation(name);
            if (!row)
                return parse_fail(ctx, STRIDER_BAD_MODEL, "activations has the unknown name \"%.60s\"", name);
            attrs->activations[d][i] = (Unary){row->kind, next_number(&alpha, row->has_alpha, row->alpha),
                                               next_number(&beta, row->has_beta, row->beta)};
        }
    return STRIDER_OK;
}

Status recurrent_parse(ParseContext *ctx, void *attrs_) {
    static const char *const directions[] = {"forward", "reverse", "bidirectional", NULL};
    RecurrentAttrs *attrs = attrs_;
    int direction;
    TRY(parse_enum(ctx, "direction", directions, 0, &direction));
    attrs->directions = direction == 2 ? 2 : 1;
    attrs->first_reversed = direction == 1;
    TRY(parse_int(ctx, "hidden_size", 0, &attrs->hidden));
    if (attrs->hidden < 0 || (attrs->hidden == 0 && parse_has(ctx, "hidden_size")))
        return parse_fail(ctx, STRIDER_BAD_MODEL, "hidden_size is %" PRId64 ", must be positive",
                          attrs->hidden);
    TRY(parse_float(ctx, "clip", INFINITY, &attrs->clip));
    if (!(attrs->clip >= 0))
        return parse_fail(ctx, STRIDER_BAD_MODEL, "clip is %g, must not be negative", (double)attrs->clip);
    TRY(parse_bool(ctx, "input_forget", false, &attrs->couples_gates));
    TRY(parse_bool(ctx, "linear_before_reset", false, &attrs->resets_after));
    if (ctx->node->op->kind != OP_DynamicQuantizeLSTM)
        TRY(parse_bool(ctx, "layout", false, &attrs->batch_first));
    return parse_activations(ctx, attrs);
}

/* --- shapes --- */

Status recurrent_require_shape(InferContext *ctx, int port, Shape want) {
    if (!infer_has_input(ctx, port) || shape_agrees(&ctx->inputs[port].shape, &want))
        return STRIDER_OK;
    char have_text[SHAPE_TEXT], want_text[SHAPE_TEXT];
    return infer_fail(ctx, STRIDER_BAD_MODEL, "input %d has shape %s, must have %s", port,
                      shape_text(&ctx->inputs[port].shape, have_text), shape_text(&want, want_text));
}

/* [directions, batch, hidden] or, where it comes first, [batch, directions, hidden]. */
static Shape state_shape(const RecurrentAttrs *attrs, int64_t batch, int64_t hidden) {
    return attrs->batch_first ? (Shape){3, {batch, attrs->directions, hidden}}
                              : (Shape){3, {attrs->directions, batch, hidden}};
}

static int64_t times(int64_t factor, int64_t dim) {
    return dim < 0 ? DIM_UNKNOWN : i64_product(factor, dim);
}

Status recurrent_infer_types(InferContext *ctx, int64_t hidden) {
    const RecurrentAttrs *attrs = infer_attrs(ctx);
    const int gates = recurrent_gates(ctx->node);
    const Shape *x = &ctx->inputs[RECURRENT_X].shape;
    TRY(infer_require_rank(ctx, RECURRENT_X, 3, 3));
    const int64_t steps = x->rank < 0 ? DIM_UNKNOWN : x->dims[attrs->batch_first],
                  batch = x->rank < 0 ? DIM_UNKNOWN : x->dims[!attrs->batch_first];
    if (hidden == 0 || (x->rank == 3 && x->dims[2] == 0))
        return infer_fail(ctx, STRIDER_BAD_MODEL, "the layer has no %s", hidden ? "inputs" : "hidden units");
    const Shape state = state_shape(attrs, batch, hidden);
    TRY(recurrent_require_shape(ctx, RECURRENT_B, (Shape){2, {attrs->directions, times(2 * gates, hidden)}}));
    TRY(recurrent_require_shape(ctx, RECURRENT_LENGTHS, (Shape){1, {batch}}));
    TRY(recurrent_require_shape(ctx, RECURRENT_H, state));
    TRY(recurrent_require_shape(ctx, RECURRENT_C, state));
    TRY(recurrent_require_shape(ctx, RECURRENT_PEEPHOLES, (Shape){2, {attrs->directions, times(3, hidden)}}));
    for (int i = 0; i < ctx->n_outputs; i++)
        ctx->outputs[i].tensor = type_of(ctx->inputs[RECURRENT_X].dtype, state);
    if (ctx->n_outputs > RECURRENT_Y)
        ctx->outputs[RECURRENT_Y].shape = attrs->batch_first
                                              ? (Shape){4, {batch, steps, attrs->directions, hidden}}
                                              : (Shape){4, {steps, attrs->directions, batch, hidden}};
    return STRIDER_OK;
}

Status recurrent_infer(InferContext *ctx) {
    const RecurrentAttrs *attrs = infer_attrs(ctx);
    const Shape *x = &ctx->inputs[RECURRENT_X].shape, *r = &ctx->inputs[RECURRENT_R].shape;
    TRY(infer_require_dtype(ctx, RECURRENT_X, DTYPES_FLOAT));
    for (int port = RECURRENT_W; port < ctx->n_inputs; port++)
        if (port != RECURRENT_LENGTHS)
            TRY(infer_require_same_dtype(ctx, RECURRENT_X, port));
    TRY(infer_require_dtype(ctx, RECURRENT_LENGTHS, DTYPE_BIT(STRIDER_I32)));
    TRY(infer_require_rank(ctx, RECURRENT_R, 3, 3));
    const int64_t hidden = attrs->hidden ? attrs->hidden : r->rank < 0 ? DIM_UNKNOWN : r->dims[2];
    const int64_t rows = times(recurrent_gates(ctx->node), hidden);
    TRY(recurrent_require_shape(ctx, RECURRENT_R, (Shape){3, {attrs->directions, rows, hidden}}));
    TRY(infer_require_rank(ctx, RECURRENT_X, 3, 3));
    const int64_t inputs = x->rank < 0 ? DIM_UNKNOWN : x->dims[2];
    TRY(recurrent_require_shape(ctx, RECURRENT_W, (Shape){3, {attrs->directions, rows, inputs}}));
    return recurrent_infer_types(ctx, hidden);
}

RecurrentGeometry recurrent_geometry(const Node *node, const Shape *x, const Shape *r) {
    const RecurrentAttrs *attrs = node->attrs;
    /* R's rows are its last dimension where it is quantised. */
    const int64_t hidden = r->dims[node->op->kind == OP_DynamicQuantizeLSTM ? 1 : 2];
    RecurrentGeometry g = {.gates = recurrent_gates(node),
                           .directions = attrs->directions,
                           .steps = x->dims[attrs->batch_first],
                           .batch = x->dims[!attrs->batch_first],
                           .inputs = x->dims[2],
                           .hidden = hidden};
    if (attrs->batch_first) {
        g.x_step = g.inputs;
        g.x_row = i64_product(g.steps, g.inputs);
        g.y_direction = hidden;
        g.y_step = g.directions * hidden;
        g.y_row = i64_product(g.steps, g.y_step);
        g.state_direction = hidden;
        g.state_row = g.directions * hidden;
    } else {
        g.x_row = g.inputs;
        g.x_step = i64_product(g.batch, g.inputs);
        g.y_row = g.state_row = hidden;
        g.y_direction = g.state_direction = i64_product(g.batch, hidden);
        g.y_step = i64_product(g.directions, g.y_direction);
    }
    return g;
}

Status recurrent_check_lengths(const Node *node, const RecurrentGeometry *g, const int32_t *lengths,
                               Error *err) {
    for (int64_t i = 0; lengths && i < g->batch; i++)
        if (lengths[i] < 0 || lengths[i] > g->steps)
            return node_fail(node, err, STRIDER_BAD_MODEL,
                             "sequence %" PRId64 " has length %d, but there are %" PRId64 " steps", i,
                             (int)lengths[i], g->steps);
    return STRIDER_OK;
}

uint64_t recurrent_macs(const Node *node, const Type *inputs, const Type *outputs) {
    (void)outputs;
    const RecurrentGeometry g =
        recurrent_geometry(node, &inputs[RECURRENT_X].shape, &inputs[RECURRENT_R].shape);
    return (uint64_t)count_of(g.directions, g.steps, g.batch, g.gates, g.hidden, i64_sum(g.inputs, g.hidden));
}
