/* SPDX-License-Identifier: Apache-2.0 */
/* LinearAttention (ONNX 27): a state S of [key size, value size] for each head of keys, that each step
 * changes and reads: linear       S += k v^T gated        S = e^g S + k v^T delta        S += beta k (v - S^T
 * k)^T gated_delta  S = e^g S, then as delta o = scale * S^T q with the decay g of each head, or of each of
 * its rows of S.  Heads are packed into the last dimension; several query heads may share one of keys.
 * chunk_size is a hint and changes nothing. */
#include <inttypes.h>
#include <math.h>

#include "base/size.h"
#include "ops/op.h"

enum { LINEAR_Q, LINEAR_K, LINEAR_V, LINEAR_PAST, LINEAR_DECAY, LINEAR_BETA };
enum { LINEAR_Y, LINEAR_PRESENT };

typedef struct LinearAttentionAttrs {
    int64_t q_heads, kv_heads;
    float scale; /* 0: 1 / sqrt of the key size */
    bool decays, corrects;
} LinearAttentionAttrs;

static Status linear_attention_parse(ParseContext *ctx, void *attrs_) {
    static const char *const rules[] = {"linear", "gated", "delta", "gated_delta", NULL};
    enum { GATED = 1, DELTA = 2 }; /* bits of the rule's number */
    LinearAttentionAttrs *attrs = attrs_;
    int64_t chunk;
    int rule;
    TRY(parse_require(ctx, "q_num_heads"));
    TRY(parse_require(ctx, "kv_num_heads"));
    TRY(parse_int(ctx, "q_num_heads", 0, &attrs->q_heads));
    TRY(parse_int(ctx, "kv_num_heads", 0, &attrs->kv_heads));
    TRY(parse_float(ctx, "scale", 0, &attrs->scale));
    TRY(parse_int(ctx, "chunk_size", 0, &chunk));
    TRY(parse_enum(ctx, "update_rule", rules, GATED | DELTA, &rule));
    if (attrs->q_heads <= 0 || attrs->kv_heads <= 0 || attrs->q_heads % attrs->kv_heads)
        return parse_fail(ctx, STRIDER_BAD_MODEL,
                          "q_num_heads is %" PRId64 ", must be a multiple of kv_num_heads, %" PRId64
                          ", and both positive",
                          attrs->q_heads, attrs->kv_heads);
    attrs->decays = rule & GATED;
    attrs->corrects = rule & DELTA;
    return STRIDER_OK;
}

/* --- shapes --- */

/* The size of each of the heads that the last dimension holds. */
static Status size_of(InferContext *ctx, int port, int64_t heads, int64_t *size) {
    const int64_t width = infer_input_dim(ctx, port, 2);
    *size = width < 0 ? DIM_UNKNOWN : width / heads;
    if (width >= 0 && width % heads)
        return infer_fail(ctx, STRIDER_BAD_MODEL,
                          "%" PRId64 " heads do not divide input %d's %" PRId64 " columns", heads, port,
                          width);
    return STRIDER_OK;
}

static Status check_dim(InferContext *ctx, int port, int at, int64_t wanted) {
    const int64_t have = infer_input_dim(ctx, port, at);
    if (have >= 0 && wanted >= 0 && have != wanted)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "dimension %d of input %d is %" PRId64 ", must be %" PRId64,
                          at, port, have, wanted);
    return STRIDER_OK;
}

/* That the rule's inputs are there and no others. */
static Status check_presence(InferContext *ctx) {
    const LinearAttentionAttrs *attrs = infer_attrs(ctx);
    if (infer_has_input(ctx, LINEAR_DECAY) != attrs->decays)
        return infer_fail(ctx, STRIDER_BAD_MODEL,
                          attrs->decays ? "the update rule needs the input decay"
                                        : "the update rule takes no decay");
    if (infer_has_input(ctx, LINEAR_BETA) != attrs->corrects)
        return infer_fail(ctx, STRIDER_BAD_MODEL,
                          attrs->corrects ? "the update rule needs the input beta"
                                          : "the update rule takes no beta");
    return STRIDER_OK;
}

/* Of one width or another. */
static Status check_width(InferContext *ctx, int port, int64_t one, int64_t other) {
    const int64_t width = infer_input_dim(ctx, port, 2);
    if (width >= 0 && one >= 0 && other >= 0 && width != one && width != other)
        return infer_fail(ctx, STRIDER_BAD_MODEL,
                          "input %d has %" PRId64 " columns, must have %" PRId64 " or %" PRId64, port, width,
                          one, other);
    return STRIDER_OK;
}

static Status linear_attention_infer(InferContext *ctx) {
    const LinearAttentionAttrs *attrs = infer_attrs(ctx);
    int64_t size, k_size, v_size;
    TRY(check_presence(ctx));
    for (int port = LINEAR_Q; port < ctx->n_inputs; port++) {
        TRY(infer_require_dtype(ctx, port, DTYPES_FLOAT));
        if (infer_has_input(ctx, port))
            TRY(infer_require_rank(ctx, port, port == LINEAR_PAST ? 4 : 3, port == LINEAR_PAST ? 4 : 3));
        if (port != LINEAR_PAST)
            TRY(infer_require_same_dtype(ctx, LINEAR_Q, port));
        for (int at = 0; at < (port == LINEAR_PAST ? 1 : 2); at++)
            TRY(check_dim(ctx, port, at, infer_input_dim(ctx, LINEAR_Q, at)));
    }
    TRY(size_of(ctx, LINEAR_Q, attrs->q_heads, &size));
    TRY(size_of(ctx, LINEAR_K, attrs->kv_heads, &k_size));
    TRY(size_of(ctx, LINEAR_V, attrs->kv_heads, &v_size));
    size = size < 0 ? k_size : size;
    TRY(check_dim(ctx, LINEAR_K, 2, size < 0 ? DIM_UNKNOWN : i64_product(size, attrs->kv_heads)));
    TRY(check_width(ctx, LINEAR_DECAY, attrs->kv_heads,
                    size < 0 ? DIM_UNKNOWN : i64_product(size, attrs->kv_heads)));
    TRY(check_width(ctx, LINEAR_BETA, attrs->kv_heads, 1));
    TRY(check_dim(ctx, LINEAR_PAST, 1, attrs->kv_heads));
    TRY(check_dim(ctx, LINEAR_PAST, 2, size));
    TRY(check_dim(ctx, LINEAR_PAST, 3, v_size));
    const DType dtype = ctx->inputs[LINEAR_Q].dtype;
    const int64_t batch = infer_input_dim(ctx, LINEAR_Q, 0), steps = infer_input_dim(ctx, LINEAR_Q, 1);
    const int64_t width = v_size < 0 ? DIM_UNKNOWN : i64_product(v_size, attrs->q_heads);
    ctx->outputs[LINEAR_Y].tensor = type_of(dtype, shape_make(3, (int64_t[]){batch, steps, width}));
    if (ctx->n_outputs > LINEAR_PRESENT)
        ctx->outputs[LINEAR_PRESENT].tensor =
            type_of(infer_has_input(ctx, LINEAR_PAST) ? ctx->inputs[LINEAR_PAST].dtype : dtype,
                    shape_make(4, (int64_t[]){batch, attrs->kv_heads, size, v_size}));
    return STRIDER_OK;
}

/* --- arithmetic --- */

typedef struct Recurrence {
    const LinearAttentionAttrs *attrs;
    int64_t batch, steps, size, v_size, decay_width, beta_width;
    double scale, *q, *k, *v, *past, *decay, *beta, *state, *change;
} Recurrence;

static void decay_state(const Recurrence *r, double *state, int64_t row, int64_t head) {
    const bool by_row = r->decay_width != r->attrs->kv_heads;
    for (int64_t i = 0; i < r->size; i++) {
        const int64_t at = by_row ? head * r->size + i : head;
        const double factor = exp(r->decay[row * r->decay_width + at]);
        for (int64_t j = 0; j < r->v_size; j++)
            state[i * r->v_size + j] *= factor;
    }
}

/* What a step adds along the key: the value, or how far what the state has for the key is from it. */
static void find_change(const Recurrence *r, const double *state, const double *k, const double *v,
                        int64_t row, int64_t head) {
    const double beta = r->beta ? r->beta[row * r->beta_width + head % r->beta_width] : 1;
    for (int64_t j = 0; j < r->v_size; j++) {
        double held = 0;
        for (int64_t i = 0; r->attrs->corrects && i < r->size; i++)
            held += state[i * r->v_size + j] * k[i];
        r->change[j] = beta * (v[j] - held);
    }
}

static void update_state(const Recurrence *r, double *state, int64_t row, int64_t head) {
    const int64_t at = row * r->attrs->kv_heads + head;
    const double *k = r->k + at * r->size;
    if (r->attrs->decays)
        decay_state(r, state, row, head);
    find_change(r, state, k, r->v + at * r->v_size, row, head);
    for (int64_t i = 0; i < r->size; i++)
        for (int64_t j = 0; j < r->v_size; j++)
            state[i * r->v_size + j] += k[i] * r->change[j];
}

static void read_state(const Recurrence *r, const double *state, int64_t at, Tensor *y) {
    const double *q = r->q + at * r->size;
    for (int64_t j = 0; j < r->v_size; j++) {
        double sum = 0;
        for (int64_t i = 0; i < r->size; i++)
            sum += q[i] * state[i * r->v_size + j];
        tensor_set_f64(y, at * r->v_size + j, sum * r->scale);
    }
}

static void run_head(const Recurrence *r, int64_t batch, int64_t head, Tensor *y) {
    const int64_t group = r->attrs->q_heads / r->attrs->kv_heads, count = r->size * r->v_size,
                  first = (batch * r->attrs->kv_heads + head) * count;
    double *state = r->state + first;
    for (int64_t i = 0; i < count; i++)
        state[i] = r->past ? r->past[first + i] : 0;
    for (int64_t step = 0; step < r->steps; step++) {
        const int64_t row = batch * r->steps + step;
        update_state(r, state, row, head);
        for (int64_t i = 0; y && i < group; i++)
            read_state(r, state, row * r->attrs->q_heads + head * group + i, y);
    }
}

static Status load(EvalContext *ctx, Recurrence *r) {
    TRY(eval_load_doubles(ctx, LINEAR_Q, &r->q));
    TRY(eval_load_doubles(ctx, LINEAR_K, &r->k));
    TRY(eval_load_doubles(ctx, LINEAR_V, &r->v));
    TRY(eval_load_doubles(ctx, LINEAR_PAST, &r->past));
    TRY(eval_load_doubles(ctx, LINEAR_DECAY, &r->decay));
    TRY(eval_load_doubles(ctx, LINEAR_BETA, &r->beta));
    TRY(eval_alloc_doubles(ctx, r->v_size, &r->change));
    return eval_alloc_doubles(ctx, count_of(r->batch, r->attrs->kv_heads, r->size, r->v_size), &r->state);
}

static Recurrence recurrence_of(const LinearAttentionAttrs *attrs, const Shape *q, const Shape *v,
                                const Shape *decay, const Shape *beta) {
    const int64_t size = q->dims[2] / attrs->q_heads;
    return (Recurrence){.attrs = attrs,
                        .batch = q->dims[0],
                        .steps = q->dims[1],
                        .size = size,
                        .v_size = v->dims[2] / attrs->kv_heads,
                        .decay_width = decay ? decay->dims[2] : 0,
                        .beta_width = beta ? beta->dims[2] : 1,
                        .scale = attrs->scale != 0 ? (double)attrs->scale : 1 / sqrt((double)size)};
}

static const Shape *shape_of(const EvalContext *ctx, int port) {
    const Tensor *tensor = eval_input(ctx, port);
    return tensor ? &tensor->type.shape : NULL;
}

static Status linear_attention_reference(EvalContext *ctx) {
    Recurrence r = recurrence_of(eval_attrs(ctx), shape_of(ctx, LINEAR_Q), shape_of(ctx, LINEAR_V),
                                 shape_of(ctx, LINEAR_DECAY), shape_of(ctx, LINEAR_BETA));
    TRY(load(ctx, &r));
    for (int64_t batch = 0; batch < r.batch; batch++)
        for (int64_t head = 0; head < r.attrs->kv_heads; head++)
            run_head(&r, batch, head, eval_output(ctx, LINEAR_Y));
    if (eval_output(ctx, LINEAR_PRESENT))
        tensor_store_doubles(eval_output(ctx, LINEAR_PRESENT), r.state);
    return STRIDER_OK;
}

static Bytes linear_attention_scratch(const Node *node, const Type *inputs, const Type *outputs) {
    const Recurrence r =
        recurrence_of(node->attrs, &inputs[LINEAR_Q].shape, &inputs[LINEAR_V].shape, NULL, NULL);
    const Bytes own =
        bytes_sum(scratch_of(sizeof(double), r.v_size),
                  scratch_of(sizeof(double), count_of(r.batch, r.attrs->kv_heads, r.size, r.v_size)));
    return bytes_sum(scratch_of_inputs(node, inputs, outputs), own);
}

static uint64_t linear_attention_macs(const Node *node, const Type *inputs, const Type *outputs) {
    (void)outputs;
    const Recurrence r =
        recurrence_of(node->attrs, &inputs[LINEAR_Q].shape, &inputs[LINEAR_V].shape, NULL, NULL);
    return (uint64_t)count_of(r.batch, r.steps, r.size, r.v_size,
                              i64_sum(r.attrs->q_heads, r.attrs->kv_heads));
}

const Op op_linear_attention = {
    OP_NAMED(LinearAttention),
    .since = 27,
    .inputs = {3, 6},
    .outputs = {1, 2},
    .attrs_size = sizeof(LinearAttentionAttrs),
    .parse = linear_attention_parse,
    .infer = linear_attention_infer,
    .reference = linear_attention_reference,
    .scratch = linear_attention_scratch,
    .macs = linear_attention_macs,
};
