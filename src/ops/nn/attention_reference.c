/* SPDX-License-Identifier: Apache-2.0 */
/* Attention in float64, a row of scores at a time. */
#include <math.h>

#include "ops/nn/attention.h"

typedef struct Attention {
    EvalContext *ctx;
    const AttentionAttrs *attrs;
    AttentionGeometry g;
    double scale;
    double *q, *k, *v, *past_k, *past_v;
    double *scores; /* of the keys of one row */
} Attention;

/* Row `key` of keys or values. */
static const double *row_of(const Attention *a, const double *past, const double *now, AttentionSteps steps,
                            int64_t size, int64_t batch, int64_t head, int64_t key) {
    const AttentionGeometry *g = &a->g;
    if (key < g->past)
        return past + ((batch * g->kv_heads + head) * g->past + key) * size;
    return now + batch * steps.batch + head * steps.head + (key - g->past) * steps.row;
}

/* What the mask adds to a score. */
static double bias_of(const Attention *a, int64_t at) {
    const Tensor *mask = eval_input(a->ctx, ATTENTION_MASK);
    if (!mask)
        return 0;
    const double value = tensor_get_f64(mask, at);
    return mask->type.dtype != STRIDER_BOOL ? value : value != 0 ? 0 : -INFINITY;
}

static double product_of(const Attention *a, const double *q, const double *k) {
    double sum = 0;
    for (int64_t i = 0; i < a->g.size; i++)
        sum += q[i] * k[i];
    return sum * a->scale;
}

static void softmax(const Attention *a, AttentionRange range) {
    double max = -INFINITY, sum = 0, *scores = a->scores;
    bool is_seen = false;
    for (int64_t j = 0; j < a->g.keys; j++) {
        if (j < range.begin || j >= range.end)
            scores[j] = -INFINITY;
        is_seen = is_seen || scores[j] > -INFINITY || isnan(scores[j]);
        max = scores[j] > max ? scores[j] : max;
    }
    for (int64_t j = 0; j < a->g.keys; j++)
        sum += scores[j] = is_seen ? exp(scores[j] - max) : 0;
    for (int64_t j = 0; j < a->g.keys; j++)
        scores[j] = is_seen ? scores[j] / sum : a->attrs->nan_where_none ? NAN : 0;
}

/* Scores of a row, and softmax of them; what is asked for goes to `out` on the way, from element `at` on. */
static void score_row(const Attention *a, int64_t batch, int64_t head, int64_t row, AttentionRange range,
                      Tensor *out, int64_t at) {
    const AttentionGeometry *g = &a->g;
    const AttentionAttrs *attrs = a->attrs;
    const double *q = a->q + batch * g->q.batch + head * g->q.head + row * g->q.row;
    const double cap = (double)attrs->softcap;
    const int64_t mask_row = attention_mask_row(g, batch, head, row);
    for (int64_t j = out ? 0 : range.begin; j < (out ? g->keys : range.end); j++) {
        const double *k = row_of(a, a->past_k, a->k, g->k, g->size, batch, head / g->group, j);
        const double raw = product_of(a, q, k), capped = cap > 0 ? cap * tanh(raw / cap) : raw;
        const bool in_range = j >= range.begin && j < range.end;
        const double bias = in_range ? bias_of(a, mask_row + j) : -INFINITY;
        const double values[] = {raw, capped, capped + bias};
        a->scores[j] = bias == -INFINITY ? bias : values[SCORES_WITH_BIAS];
        if (out && attrs->scores != SCORES_SOFTMAX)
            tensor_set_f64(out, at + j, values[attrs->scores]);
    }
    softmax(a, range);
    for (int64_t j = 0; out && attrs->scores == SCORES_SOFTMAX && j < g->keys; j++)
        tensor_set_f64(out, at + j, a->scores[j]);
}

static void attend_row(const Attention *a, int64_t batch, int64_t head, int64_t row, AttentionRange range) {
    const AttentionGeometry *g = &a->g;
    Tensor *y = eval_output(a->ctx, ATTENTION_Y);
    for (int64_t i = 0; y && i < g->v_size; i++) {
        double sum = range.begin == range.end && a->attrs->nan_where_none ? NAN : 0;
        for (int64_t j = range.begin; j < range.end; j++) {
            const double *v = row_of(a, a->past_v, a->v, g->v, g->v_size, batch, head / g->group, j);
            sum += a->scores[j] == 0 ? 0 : a->scores[j] * v[i];
        }
        tensor_set_f64(y, batch * g->y.batch + head * g->y.head + row * g->y.row + i, sum);
    }
}

static void store_present(const Attention *a, int output, int port, AttentionSteps steps, int64_t size) {
    const Tensor *now = eval_input(a->ctx, port),
                 *past = eval_input(a->ctx, port - ATTENTION_K + ATTENTION_PAST_KEY);
    Tensor *to = eval_output(a->ctx, output);
    if (!to)
        return;
    const AttentionPresent present = {steps, size, now->data, past ? past->data : NULL, to->data};
    for (int64_t matrix = 0; matrix < a->g.batch * a->g.kv_heads; matrix++)
        attention_copy_present(&a->g, &present, dtype_size(now->type.dtype), matrix);
}

static Status load(Attention *a) {
    const Shape *shapes[ATTENTION_PORTS] = {NULL};
    for (int port = 0; port < ATTENTION_PORTS; port++)
        shapes[port] = eval_input(a->ctx, port) ? &eval_input(a->ctx, port)->type.shape : NULL;
    a->g = attention_geometry(a->attrs, shapes);
    a->scale = attention_scale(a->attrs, &a->g);
    TRY(eval_load_doubles(a->ctx, ATTENTION_Q, &a->q));
    TRY(eval_load_doubles(a->ctx, ATTENTION_K, &a->k));
    TRY(eval_load_doubles(a->ctx, ATTENTION_V, &a->v));
    TRY(eval_load_doubles(a->ctx, ATTENTION_PAST_KEY, &a->past_k));
    TRY(eval_load_doubles(a->ctx, ATTENTION_PAST_VALUE, &a->past_v));
    return eval_alloc_doubles(a->ctx, a->g.keys, &a->scores);
}

Status attention_reference(EvalContext *ctx) {
    Attention a = {.ctx = ctx, .attrs = eval_attrs(ctx)};
    TRY(load(&a));
    const AttentionGeometry *g = &a.g;
    const Tensor *lengths = eval_input(ctx, ATTENTION_LENGTHS);
    int64_t at = 0;
    for (int64_t batch = 0; batch < g->batch; batch++)
        for (int64_t head = 0; head < g->q_heads; head++)
            for (int64_t row = 0; row < g->rows; row++, at += g->keys) {
                const AttentionRange range =
                    attention_range(a.attrs, g, lengths ? tensor_get_i64(lengths, batch) : 0, row);
                score_row(&a, batch, head, row, range, eval_output(ctx, ATTENTION_SCORES), at);
                attend_row(&a, batch, head, row, range);
            }
    store_present(&a, ATTENTION_PRESENT_KEY, ATTENTION_K, g->k, g->size);
    store_present(&a, ATTENTION_PRESENT_VALUE, ATTENTION_V, g->v, g->v_size);
    return STRIDER_OK;
}
