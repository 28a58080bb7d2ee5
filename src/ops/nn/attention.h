/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPS_NN_ATTENTION_H
#define OPS_NN_ATTENTION_H

#include "base/size.h"
#include "ops/op.h"

enum {
    ATTENTION_Q,
    ATTENTION_K,
    ATTENTION_V,
    ATTENTION_MASK,
    ATTENTION_PAST_KEY,
    ATTENTION_PAST_VALUE,
    ATTENTION_LENGTHS, /* nonpad_kv_seqlen */
    ATTENTION_PORTS
};
enum { ATTENTION_Y, ATTENTION_PRESENT_KEY, ATTENTION_PRESENT_VALUE, ATTENTION_SCORES };

/* How the last three dimensions of a tensor of rank 4 lie: ONNX's order, or with the rows before the heads,
 * as a Transpose that a pass took away would have made it.  Of rank 3 ONNX packs the heads into the last
 * dimension. */
typedef enum AttentionOrder { ATTENTION_HEADS_FIRST, ATTENTION_ROWS_FIRST } AttentionOrder;

/* What the optional output of scores holds. */
typedef enum AttentionScores {
    SCORES_RAW,
    SCORES_CAPPED,
    SCORES_WITH_BIAS,
    SCORES_SOFTMAX,
    SCORES_KINDS
} AttentionScores;

typedef struct AttentionAttrs {
    int64_t q_heads, kv_heads; /* 0 where they are not given: rank 4 says them */
    bool is_causal, has_scale;
    float scale;   /* where it is given; else 1 / sqrt of the head's size */
    float softcap; /* 0: none */
    AttentionScores scores;
    int64_t left, right; /* keys that a row sees beside its own position; -1: all */
    /* Set by passes, never by a model. */
    bool is_fused; /* all dimensions before the last three are the batch, also none; a mask has all keys, and
                    * its batches repeat */
    AttentionOrder order[ATTENTION_V + 1], y_order;
    bool nan_where_none; /* a row that sees no key is NaN, as of a plain Softmax, instead of 0 */
} AttentionAttrs;

/* Steps in elements. */
typedef struct AttentionSteps {
    int64_t batch, head, row;
} AttentionSteps;

/* `batch` times `q_heads` products of `rows` of size `size` by `keys` of them, the first `past` of which are
 * in the inputs of the past; query head h goes with head h / (q_heads / kv_heads) of keys and values. */
typedef struct AttentionGeometry {
    int64_t batch, q_heads, kv_heads, group, rows, past, new_keys, keys, size, v_size;
    AttentionSteps q, k, v, y; /* the last dimension's elements lie together */
    AttentionSteps mask;       /* 0 where it is broadcast */
    int64_t mask_batches;      /* those of the mask, which repeat */
    int64_t mask_keys; /* of the mask's rows: keys after these are not seen; `keys` where there is none */
    bool has_lengths;
} AttentionGeometry;

/* From known shapes that infer() has accepted, by port; NULL where an input is absent. */
AttentionGeometry attention_geometry(const AttentionAttrs *attrs, const Shape *const shapes[ATTENTION_PORTS]);
/* Computes it as documented, row by row. */
Status attention_reference(EvalContext *ctx);
/* The element of the mask from which on a row reads it. */
static inline int64_t attention_mask_row(const AttentionGeometry *g, int64_t batch, int64_t head,
                                         int64_t row) {
    return batch % g->mask_batches * g->mask.batch + head * g->mask.head + row * g->mask.row;
}
double attention_scale(const AttentionAttrs *attrs, const AttentionGeometry *geometry);

/* The past and the new rows of keys or values, and where all of them go, in ONNX's order of dimensions. */
typedef struct AttentionPresent {
    AttentionSteps steps;
    int64_t size;
    const void *now, *past; /* past NULL: none */
    void *to;
} AttentionPresent;

/* Copies those of one of batch * kv_heads matrices, of elements of so many bytes. */
void attention_copy_present(const AttentionGeometry *geometry, const AttentionPresent *present,
                            size_t element_bytes, int64_t matrix);

/* The keys that a row may see, whatever the mask says. */
typedef struct AttentionRange {
    int64_t begin, end;
} AttentionRange;

/* `length` is the batch's element of nonpad_kv_seqlen, any number, where that is given. */
static inline AttentionRange attention_range(const AttentionAttrs *attrs, const AttentionGeometry *g,
                                             int64_t length, int64_t row) {
    AttentionRange range = {0, i64_min(g->keys, g->mask_keys)};
    int64_t position = i64_sum(row, g->past);
    if (g->has_lengths) {
        position = i64_sum(row, i64_sum(length, -g->rows));
        range.end = i64_min(range.end, length);
    }
    if (attrs->is_causal)
        range.end = i64_min(range.end, i64_sum(position, 1));
    if (attrs->right >= 0)
        range.end = i64_min(range.end, i64_sum(i64_sum(position, attrs->right), 1));
    if (attrs->left >= 0)
        range.begin = i64_max(range.begin, i64_sum(position, -attrs->left));
    range.end = i64_max(range.end, 0);
    range.begin = i64_min(range.begin, range.end);
    return range;
}

#endif
