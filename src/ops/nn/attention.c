/* SPDX-License-Identifier: Apache-2.0 */
/* Attention: Y = softmax(cap(Q K^T * scale) + bias) V of each head, where
 *     cap(x) = softcap * tanh(x / softcap), or x
 *     bias is the mask, a sum, or -infinity where it is false, and -infinity for keys outside of what a row
 * sees: with is_causal those up to its own position, at most left_window_size before and right_window_size
 * after it, and the first nonpad_kv_seqlen of a batch. The position of row i is i, after past keys i + their
 * number, with nonpad_kv_seqlen counted from the end of these. A row that sees no key is 0.  Several query
 * heads may share one of keys and values.  What a row does not see has no part in it, be it NaN or infinite.
 * ONNX 23, 24 (nonpad_kv_seqlen), 25 (windows). */
#include "ops/nn/attention.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* --- attributes --- */

static Status parse_heads(ParseContext *ctx, const char *name, int64_t *heads) {
    TRY(parse_int(ctx, name, 0, heads));
    if (*heads < 0 || (*heads == 0 && parse_has(ctx, name)))
        return parse_fail(ctx, STRIDER_BAD_MODEL, "%s is %" PRId64 ", must be positive", name, *heads);
    return STRIDER_OK;
}

static Status parse_window(ParseContext *ctx, const char *name, int64_t *size) {
    TRY(parse_int(ctx, name, -1, size));
    if (*size < -1)
        return parse_fail(ctx, STRIDER_BAD_MODEL, "%s is %" PRId64 ", must be -1 or more", name, *size);
    return STRIDER_OK;
}

static Status attention_parse(ParseContext *ctx, void *attrs_) {
    AttentionAttrs *attrs = attrs_;
    int64_t scores;
    DType precision;
    TRY(parse_heads(ctx, "q_num_heads", &attrs->q_heads));
    TRY(parse_heads(ctx, "kv_num_heads", &attrs->kv_heads));
    TRY(parse_bool(ctx, "is_causal", false, &attrs->is_causal));
    attrs->has_scale = parse_has(ctx, "scale");
    TRY(parse_float(ctx, "scale", 0, &attrs->scale));
    TRY(parse_float(ctx, "softcap", 0, &attrs->softcap));
    TRY(parse_int(ctx, "qk_matmul_output_mode", SCORES_RAW, &scores));
    TRY(parse_dtype(ctx, "softmax_precision", STRIDER_F32, &precision));
    attrs->left = attrs->right = -1;
    if (ctx->node->opset >= 25) {
        TRY(parse_window(ctx, "left_window_size", &attrs->left));
        TRY(parse_window(ctx, "right_window_size", &attrs->right));
    }
    if (scores < 0 || scores >= SCORES_KINDS)
        return parse_fail(ctx, STRIDER_BAD_MODEL, "qk_matmul_output_mode is %" PRId64 ", must be 0 to %d",
                          scores, SCORES_KINDS - 1);
    if (!dtype_is_float(precision))
        return parse_fail(ctx, STRIDER_BAD_MODEL, "softmax_precision is %s, must be a float type",
                          dtype_name(precision));
    attrs->scores = (AttentionScores)scores;
    return STRIDER_OK;
}

/* --- shapes --- */

enum { BATCH, HEADS, ROWS, SIZE, N_DIMS };

/* Where the last three of the four dimensions stand in a shape of rank 4; elsewhere they are shifted. */
static void places_of(AttentionOrder order, int places[N_DIMS]) {
    places[HEADS] = order == ATTENTION_HEADS_FIRST ? 1 : 2;
    places[ROWS] = order == ATTENTION_HEADS_FIRST ? 2 : 1;
    places[SIZE] = 3;
}

/* The product of dimensions [0, count); DIM_UNKNOWN where one is not known, a single one as it is. */
static int64_t joined_dims(const Shape *shape, int count) {
    int64_t product;
    if (count == 1)
        return shape->dims[0];
    return shape_count(shape, 0, count, &product) ? product : DIM_UNKNOWN;
}

/* The four dimensions of Q, K or V; the size of a head is not known where heads do not divide it. */
static void operand_dims(const AttentionAttrs *attrs, int port, const Shape *shape, int64_t dims[N_DIMS]) {
    const int64_t heads = port == ATTENTION_Q ? attrs->q_heads : attrs->kv_heads;
    int places[N_DIMS];
    places_of(attrs->order[port], places);
    if (shape->rank > 3 || attrs->is_fused) {
        dims[BATCH] = shape->rank > 3 ? joined_dims(shape, shape->rank - 3) : 1;
        for (int i = HEADS; i < N_DIMS; i++)
            dims[i] = shape->dims[places[i] + shape->rank - 4];
        return;
    }
    const bool divides = shape->dims[2] >= 0 && heads > 0 && shape->dims[2] % heads == 0;
    dims[BATCH] = shape->dims[0];
    dims[HEADS] = heads;
    dims[ROWS] = shape->dims[1];
    dims[SIZE] = divides ? shape->dims[2] / heads : DIM_UNKNOWN;
}

/* What holds of two dimensions that must be the same. */
static Status join_dims(InferContext *ctx, const char *what, int64_t *a, int64_t *b) {
    if (*a >= 0 && *b >= 0 && *a != *b)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "%s differ: %" PRId64 " and %" PRId64, what, *a, *b);
    if (*a < 0)
        *a = *b;
    *b = *a;
    return STRIDER_OK;
}

static Status check_packed(InferContext *ctx, int port) {
    const AttentionAttrs *attrs = infer_attrs(ctx);
    const int64_t heads = port == ATTENTION_Q ? attrs->q_heads : attrs->kv_heads,
                  width = ctx->inputs[port].shape.dims[2];
    if (!heads)
        return infer_fail(ctx, STRIDER_BAD_MODEL,
                          "inputs of rank 3 need the attributes q_num_heads and kv_num_heads");
    if (width >= 0 && width % heads)
        return infer_fail(ctx, STRIDER_BAD_MODEL,
                          "%" PRId64 " heads do not divide input %d's %" PRId64 " columns", heads, port,
                          width);
    return STRIDER_OK;
}

/* What is known of Q, K and V together. */
typedef struct Known {
    int rank; /* RANK_UNKNOWN */
    int64_t q[N_DIMS], k[N_DIMS], v[N_DIMS];
    int64_t past, keys;
} Known;

static Status join_operands(InferContext *ctx, Known *known) {
    TRY(join_dims(ctx, "the batches of Q and K", &known->q[BATCH], &known->k[BATCH]));
    TRY(join_dims(ctx, "the batches of Q and V", &known->q[BATCH], &known->v[BATCH]));
    TRY(join_dims(ctx, "the heads of K and V", &known->k[HEADS], &known->v[HEADS]));
    TRY(join_dims(ctx, "the keys and values", &known->k[ROWS], &known->v[ROWS]));
    TRY(join_dims(ctx, "the head sizes of Q and K", &known->q[SIZE], &known->k[SIZE]));
    const int64_t q_heads = known->q[HEADS], kv_heads = known->k[HEADS];
    if (q_heads >= 0 && kv_heads >= 0 && (kv_heads == 0 ? q_heads != 0 : q_heads % kv_heads != 0))
        return infer_fail(ctx, STRIDER_BAD_MODEL,
                          "%" PRId64 " heads of Q are no multiple of %" PRId64 " of K", q_heads, kv_heads);
    return STRIDER_OK;
}

static Status know_operands(InferContext *ctx, Known *known) {
    const AttentionAttrs *attrs = infer_attrs(ctx);
    int64_t *dims[] = {known->q, known->k, known->v};
    *known = (Known){.rank = RANK_UNKNOWN};
    for (int port = ATTENTION_Q; port <= ATTENTION_V; port++) {
        const Shape *shape = &ctx->inputs[port].shape;
        TRY(infer_require_rank(ctx, port, 3, attrs->is_fused ? -1 : 4));
        for (int i = 0; i < N_DIMS; i++)
            dims[port][i] = DIM_UNKNOWN;
        if (shape->rank < 0)
            continue;
        if (known->rank >= 0 && known->rank != shape->rank)
            return infer_fail(ctx, STRIDER_BAD_MODEL, "Q, K and V have different ranks");
        known->rank = shape->rank;
        if (shape->rank == 3 && !attrs->is_fused)
            TRY(check_packed(ctx, port));
        operand_dims(attrs, port, shape, dims[port]);
        int64_t heads = port == ATTENTION_Q ? attrs->q_heads : attrs->kv_heads;
        if (heads)
            TRY(join_dims(ctx, "the heads of an input and of the attributes", &dims[port][HEADS], &heads));
    }
    return join_operands(ctx, known);
}

static Status know_past(InferContext *ctx, Known *known) {
    int64_t *const news[] = {known->k, known->v};
    known->past = infer_has_input(ctx, ATTENTION_PAST_KEY) ? DIM_UNKNOWN : 0;
    if (infer_has_input(ctx, ATTENTION_PAST_KEY) != infer_has_input(ctx, ATTENTION_PAST_VALUE))
        return infer_fail(ctx, STRIDER_BAD_MODEL, "past_key and past_value must be given together");
    if (known->past && infer_has_input(ctx, ATTENTION_LENGTHS))
        return infer_fail(ctx, STRIDER_BAD_MODEL, "past_key and nonpad_kv_seqlen must not be given together");
    for (int i = 0; i < 2 && known->past; i++) {
        TRY(infer_require_rank(ctx, ATTENTION_PAST_KEY + i, 4, 4));
        Shape shape = ctx->inputs[ATTENTION_PAST_KEY + i].shape;
        if (shape.rank < 0)
            continue;
        TRY(join_dims(ctx, "the batches of the past and the new keys", &shape.dims[BATCH], &news[i][BATCH]));
        TRY(join_dims(ctx, "the heads of the past and the new keys", &shape.dims[HEADS], &news[i][HEADS]));
        TRY(join_dims(ctx, "the head sizes of the past and the new keys", &shape.dims[SIZE], &news[i][SIZE]));
        TRY(join_dims(ctx, "the past keys and values", &known->past, &shape.dims[ROWS]));
    }
    known->keys = known->past == 0 ? known->k[ROWS] : DIM_UNKNOWN;
    if (known->past >= 0 && known->k[ROWS] >= 0 && !i64_add(known->past, known->k[ROWS], &known->keys))
        return infer_fail(ctx, STRIDER_LIMIT_EXCEEDED, "too many keys");
    return STRIDER_OK;
}

static Status check_mask_dim(InferContext *ctx, const char *what, int64_t have, int64_t want, bool fits) {
    if (have >= 0 && want >= 0 && !fits)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "the mask has %" PRId64 " %s where there are %" PRId64,
                          have, what, want);
    return STRIDER_OK;
}

/* That the mask broadcasts to the scores; its last dimension may have fewer keys. */
static Status check_mask(InferContext *ctx, const Known *known) {
    const AttentionAttrs *attrs = infer_attrs(ctx);
    const Shape *mask = &ctx->inputs[ATTENTION_MASK].shape;
    if (!infer_has_input(ctx, ATTENTION_MASK) || mask->rank < 0)
        return STRIDER_OK;
    TRY(infer_require_rank(ctx, ATTENTION_MASK, 1, attrs->is_fused ? -1 : 4));
    const int64_t keys = mask->dims[mask->rank - 1], rows = mask->rank > 1 ? mask->dims[mask->rank - 2] : 1,
                  heads = mask->rank > 2 ? mask->dims[mask->rank - 3] : 1,
                  batch = mask->rank > 3 ? joined_dims(mask, mask->rank - 3) : 1;
    const bool repeats = attrs->is_fused && batch > 0 && known->q[BATCH] % batch == 0;
    TRY(check_mask_dim(ctx, "keys", keys, known->keys,
                       attrs->is_fused ? keys == known->keys : keys <= known->keys));
    TRY(check_mask_dim(ctx, "rows", rows, known->q[ROWS], rows == 1 || rows == known->q[ROWS]));
    TRY(check_mask_dim(ctx, "heads", heads, known->q[HEADS], heads == 1 || heads == known->q[HEADS]));
    return check_mask_dim(ctx, "batches", batch, known->q[BATCH],
                          repeats || batch == 1 || batch == known->q[BATCH]);
}

static Status check_lengths(InferContext *ctx, const Known *known) {
    if (!infer_has_input(ctx, ATTENTION_LENGTHS))
        return STRIDER_OK;
    TRY(infer_require_dtype(ctx, ATTENTION_LENGTHS, DTYPE_BIT(STRIDER_I64)));
    TRY(infer_require_rank(ctx, ATTENTION_LENGTHS, 1, 1));
    Shape shape = ctx->inputs[ATTENTION_LENGTHS].shape;
    int64_t batch = known->q[BATCH];
    return shape.rank < 0
               ? STRIDER_OK
               : join_dims(ctx, "the batches of Q and of nonpad_kv_seqlen", &shape.dims[0], &batch);
}

static Shape y_shape(InferContext *ctx, const Known *known) {
    const AttentionAttrs *attrs = infer_attrs(ctx);
    const int64_t dims[] = {known->q[BATCH], known->q[HEADS], known->q[ROWS], known->v[SIZE]};
    const Shape *q = &ctx->inputs[ATTENTION_Q].shape;
    Shape shape = {.rank = known->rank};
    int places[N_DIMS];
    places_of(attrs->y_order, places);
    if (known->rank < 0)
        return shape;
    if (known->rank == 3 && !attrs->is_fused) {
        shape.dims[0] = dims[BATCH];
        shape.dims[1] = dims[ROWS];
        shape.dims[2] = DIM_UNKNOWN;
        if (dims[HEADS] >= 0 && dims[SIZE] >= 0)
            shape.dims[2] = i64_product(dims[HEADS], dims[SIZE]);
        return shape;
    }
    for (int i = 0; i < known->rank - 3; i++)
        shape.dims[i] = known->rank == 4 ? dims[BATCH] : q->rank < 0 ? DIM_UNKNOWN : q->dims[i];
    for (int i = HEADS; i < N_DIMS; i++)
        shape.dims[places[i] + known->rank - 4] = dims[i];
    return shape;
}

static Status require_types(InferContext *ctx) {
    TRY(infer_require_dtype(ctx, ATTENTION_Q, DTYPES_FLOAT));
    TRY(infer_require_dtype(ctx, ATTENTION_V, DTYPES_FLOAT));
    TRY(infer_require_dtype(ctx, ATTENTION_MASK, DTYPES_ALL));
    TRY(infer_require_same_dtype(ctx, ATTENTION_Q, ATTENTION_K));
    TRY(infer_require_same_dtype(ctx, ATTENTION_Q, ATTENTION_PAST_KEY));
    return infer_require_same_dtype(ctx, ATTENTION_V, ATTENTION_PAST_VALUE);
}

static Status attention_infer(InferContext *ctx) {
    Known known;
    TRY(require_types(ctx));
    TRY(know_operands(ctx, &known));
    TRY(know_past(ctx, &known));
    TRY(check_mask(ctx, &known));
    TRY(check_lengths(ctx, &known));
    const DType dtype = ctx->inputs[ATTENTION_Q].dtype, v_dtype = ctx->inputs[ATTENTION_V].dtype;
    const Type types[] = {
        type_of(dtype, y_shape(ctx, &known)),
        type_of(dtype, shape_make(4, (int64_t[]){known.k[BATCH], known.k[HEADS], known.keys, known.k[SIZE]})),
        type_of(v_dtype,
                shape_make(4, (int64_t[]){known.v[BATCH], known.v[HEADS], known.keys, known.v[SIZE]})),
        type_of(dtype,
                shape_make(4, (int64_t[]){known.q[BATCH], known.q[HEADS], known.q[ROWS], known.keys}))};
    for (int i = 0; i < ctx->n_outputs; i++)
        ctx->outputs[i].tensor = types[i];
    return STRIDER_OK;
}

/* --- geometry --- */

static AttentionSteps steps_of(const int64_t dims[N_DIMS], bool rows_first) {
    const int64_t size = dims[SIZE], matrix = dims[ROWS] * size;
    if (rows_first)
        return (AttentionSteps){dims[HEADS] * matrix, size, dims[HEADS] * size};
    return (AttentionSteps){dims[HEADS] * matrix, matrix, size};
}

static void place_mask(const Shape *mask, AttentionGeometry *g) {
    int64_t steps[N_DIMS] = {0}, step = 1;
    for (int i = 1; i <= mask->rank && i < N_DIMS; i++) {
        const int64_t size = mask->dims[mask->rank - i];
        steps[N_DIMS - i] = size == 1 ? 0 : step;
        step *= size;
    }
    g->mask = (AttentionSteps){step, steps[HEADS], steps[ROWS]};
    g->mask_batches = mask->rank > 3 ? i64_max(shape_size(mask, 0, mask->rank - 3), 1) : 1;
    g->mask_keys = mask->dims[mask->rank - 1];
}

AttentionGeometry attention_geometry(const AttentionAttrs *attrs,
                                     const Shape *const shapes[ATTENTION_PORTS]) {
    int64_t dims[ATTENTION_V + 1][N_DIMS];
    const bool packed = shapes[ATTENTION_Q]->rank == 3 && !attrs->is_fused;
    const Shape *past = shapes[ATTENTION_PAST_KEY];
    for (int port = ATTENTION_Q; port <= ATTENTION_V; port++)
        operand_dims(attrs, port, shapes[port], dims[port]);
    const int64_t *q = dims[ATTENTION_Q], *k = dims[ATTENTION_K], *v = dims[ATTENTION_V];
    AttentionGeometry g = {.batch = q[BATCH],
                           .q_heads = q[HEADS],
                           .kv_heads = k[HEADS],
                           .rows = q[ROWS],
                           .past = past ? past->dims[ROWS] : 0,
                           .new_keys = k[ROWS],
                           .size = q[SIZE],
                           .v_size = v[SIZE],
                           .has_lengths = shapes[ATTENTION_LENGTHS] != NULL};
    g.group = g.kv_heads ? g.q_heads / g.kv_heads : 1;
    g.keys = g.past + g.new_keys;
    g.q = steps_of(q, packed || attrs->order[ATTENTION_Q] == ATTENTION_ROWS_FIRST);
    g.k = steps_of(k, packed || attrs->order[ATTENTION_K] == ATTENTION_ROWS_FIRST);
    g.v = steps_of(v, packed || attrs->order[ATTENTION_V] == ATTENTION_ROWS_FIRST);
    g.y = steps_of((int64_t[]){g.batch, g.q_heads, g.rows, g.v_size},
                   packed || attrs->y_order == ATTENTION_ROWS_FIRST);
    g.mask_keys = g.keys;
    g.mask_batches = 1;
    if (shapes[ATTENTION_MASK])
        place_mask(shapes[ATTENTION_MASK], &g);
    return g;
}

double attention_scale(const AttentionAttrs *attrs, const AttentionGeometry *geometry) {
    return attrs->has_scale ? (double)attrs->scale : 1 / sqrt((double)geometry->size);
}

void attention_copy_present(const AttentionGeometry *g, const AttentionPresent *present, size_t element_bytes,
                            int64_t matrix) {
    const size_t row = bytes_of(element_bytes, present->size).n, past = bytes_of(row, g->past).n;
    const AttentionSteps *steps = &present->steps;
    const int64_t first = matrix / g->kv_heads * steps->batch + matrix % g->kv_heads * steps->head;
    char *to = (char *)present->to + bytes_of(row, matrix, g->keys).n;
    if (g->past)
        memcpy(to, (const char *)present->past + bytes_of(past, matrix).n, past);
    to += past;
    for (int64_t key = 0; key < g->new_keys; key++, to += row)
        memcpy(to, (const char *)present->now + bytes_of(element_bytes, first + key * steps->row).n, row);
}

static AttentionGeometry geometry_of(const Node *node, const Type *inputs) {
    const Shape *shapes[ATTENTION_PORTS] = {NULL};
    for (int port = 0; port < node_own_inputs(node); port++)
        shapes[port] = inputs[port].dtype ? &inputs[port].shape : NULL;
    return attention_geometry(node->attrs, shapes);
}

static Bytes attention_scratch(const Node *node, const Type *inputs, const Type *outputs) {
    (void)outputs;
    static const int loaded[] = {ATTENTION_Q, ATTENTION_K, ATTENTION_V, ATTENTION_PAST_KEY,
                                 ATTENTION_PAST_VALUE};
    Bytes sum = scratch_of(sizeof(double), geometry_of(node, inputs).keys);
    for (size_t i = 0; i < sizeof loaded / sizeof *loaded; i++)
        if (loaded[i] < node_own_inputs(node))
            sum = bytes_sum(sum, scratch_of_tensor(&inputs[loaded[i]]));
    return sum;
}

static uint64_t attention_macs(const Node *node, const Type *inputs, const Type *outputs) {
    (void)outputs;
    const AttentionGeometry g = geometry_of(node, inputs);
    return (uint64_t)count_of(g.batch, g.q_heads, g.rows, g.keys, i64_sum(g.size, g.v_size));
}

const Op op_attention = {
    OP_NAMED(Attention),
    .since = 23,
    .inputs = {3, ATTENTION_PORTS},
    .outputs = {1, 4},
    .attrs_size = sizeof(AttentionAttrs),
    .parse = attention_parse,
    .infer = attention_infer,
    .reference = attention_reference,
    .scratch = attention_scratch,
    .macs = attention_macs,
};
