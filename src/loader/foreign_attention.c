/* SPDX-License-Identifier: Apache-2.0 */
/* Attention, QAttention and MultiHeadAttention of com.microsoft as ONNX's Attention; their meaning is that of
 * onnxruntime's docs/ContribOperators.md. */
#include "loader/foreign.h"

enum { QUERY, KEY, VALUE, PARTS };

typedef struct AttentionParts {
    Value *qkv[PARTS]; /* [batch, positions, heads * size] */
    Value *bias;       /* of the scores, or NULL */
    Value *past[2];    /* [batch, heads, positions, size], or NULL */
} AttentionParts;

static Status refuse(const Expansion *e, const char *what) {
    return where_fail(e->loading, e->where, STRIDER_UNSUPPORTED, what);
}

static Status refuse_input(const Expansion *e, int port, const char *what) {
    return expansion_input(e, port) ? refuse(e, what) : STRIDER_OK;
}

/* --- shapes --- */

static Status split(Expansion *e, Value *x, int64_t axis, int count, Value **parts) {
    Node *node;
    return expansion_add(
        e,
        &(NewNode){.type = "Split",
                   .opset = 18,
                   .attrs = ATTRS(expansion_int_attr("axis", axis), expansion_int_attr("num_outputs", count)),
                   .n_inputs = 1,
                   .n_outputs = count,
                   .inputs = &x},
        parts, &node);
}

static Status split_to(Expansion *e, Value *x, Value *sizes, Value **parts) {
    Node *node;
    return expansion_add(e,
                         &(NewNode){.type = "Split",
                                    .opset = 13,
                                    .attrs = ATTRS(expansion_int_attr("axis", -1)),
                                    .n_inputs = 2,
                                    .n_outputs = PARTS,
                                    .inputs = (Value *[]){x, sizes}},
                         parts, &node);
}

static Status reshape(Expansion *e, int count, const int64_t *dims, Value **y) {
    Value *shape;
    TRY(expansion_ints(e, count, dims, &shape));
    return expansion_apply(e, "Reshape", 13, NO_ATTRS, INPUTS(*y, shape), y);
}

/* A dimension of 1 at each of the axes, or the reverse. */
static Status change_axes(Expansion *e, const char *type, int count, const int64_t *values, Value **y) {
    Value *axes;
    TRY(expansion_ints(e, count, values, &axes));
    return expansion_apply(e, type, 13, NO_ATTRS, INPUTS(*y, axes), y);
}

static Status swap_heads(Expansion *e, Value **y) {
    static const int64_t order[] = {0, 2, 1, 3};
    return expansion_apply(e, "Transpose", 13, ATTRS(expansion_ints_attr("perm", order, 4)), INPUTS(*y), y);
}

static bool has_rank(const Value *value, int rank) {
    return value && value->type.shape.rank == rank;
}

/* --- masks --- */

/* 0 where the mask of [batch, keys] or [batch, rows, keys] is not 0, else mask_filter_value; added to the
 * bias. */
static Status add_mask(Expansion *e, Value *mask, AttentionParts *parts) {
    static const int64_t axes[] = {1, 2};
    const Shape scalar = shape_scalar();
    const int rank = mask ? mask->type.shape.rank : 2;
    Value *bias = mask, *none, *much;
    float filter;
    TRY(parse_float(&e->parse, "mask_filter_value", -10000, &filter));
    if (!mask)
        return STRIDER_OK;
    if (rank >= 0 && rank != 2 && rank != 3)
        return refuse(e, "a mask of other than 2 or 3 dimensions is not supported");
    TRY(expansion_apply(e, "Cast", 13, ATTRS(expansion_int_attr("to", 9)), INPUTS(bias), &bias));
    TRY(change_axes(e, "Unsqueeze", rank == 3 ? 1 : 2, axes, &bias));
    TRY(expansion_floats_like(e, parts->qkv[QUERY], &scalar, &(float){0}, &none));
    TRY(expansion_floats_like(e, parts->qkv[QUERY], &scalar, &filter, &much));
    TRY(expansion_apply(e, "Where", 9, NO_ATTRS, INPUTS(bias, none, much), &bias));
    TRY(expansion_sum(e, parts->bias, &bias));
    parts->bias = bias;
    return STRIDER_OK;
}

/* --- Attention of ONNX --- */

/* `heads` is 0 where the operands have a dimension of heads. */
static Status attend(Expansion *e, const AttentionParts *parts, int64_t heads, Value *outputs[PARTS]) {
    Value *inputs[] = {parts->qkv[QUERY], parts->qkv[KEY], parts->qkv[VALUE],
                       parts->bias,       parts->past[0],  parts->past[1]};
    Attr attrs[4];
    size_t count = 0;
    bool is_causal;
    float scale;
    Node *node;
    TRY(parse_bool(&e->parse, "unidirectional", false, &is_causal));
    TRY(parse_float(&e->parse, "scale", 0, &scale));
    attrs[count++] = expansion_int_attr("is_causal", is_causal);
    if (scale != 0)
        attrs[count++] = expansion_float_attr("scale", scale);
    if (heads) {
        attrs[count++] = expansion_int_attr("q_num_heads", heads);
        attrs[count++] = expansion_int_attr("kv_num_heads", heads);
    }
    const int n_inputs = parts->past[0] ? 6 : parts->bias ? 4 : 3;
    return expansion_add(e,
                         &(NewNode){.type = "Attention",
                                    .opset = 24,
                                    .attrs = {attrs, count},
                                    .n_inputs = n_inputs,
                                    .n_outputs = PARTS,
                                    .inputs = inputs},
                         outputs, &node);
}

static Status parse_heads(Expansion *e, int64_t *heads) {
    TRY(parse_require(&e->parse, "num_heads"));
    TRY(parse_int(&e->parse, "num_heads", 0, heads));
    return *heads > 0 ? STRIDER_OK : parse_fail(&e->parse, STRIDER_BAD_MODEL, "num_heads must be positive");
}

/* --- Attention and QAttention: the projections are a part of them --- */

/* `all` are the projections of queries, keys and values, one after the other. */
static Status split_projections(Expansion *e, Value *all, AttentionParts *parts) {
    int64_t sizes[PARTS];
    int count;
    Value *split_sizes;
    TRY(parse_ints(&e->parse, "qkv_hidden_sizes", sizes, PARTS, &count));
    if (count <= 0)
        return split(e, all, -1, PARTS, parts->qkv);
    if (count != PARTS)
        return parse_fail(&e->parse, STRIDER_BAD_MODEL, "qkv_hidden_sizes has %d values, must have %d", count,
                          PARTS);
    TRY(expansion_ints(e, PARTS, sizes, &split_sizes));
    return split_to(e, all, split_sizes, parts->qkv);
}

/* Keys and values in one tensor, [2, ...]. */
static Status split_past(Expansion *e, Value *past, AttentionParts *parts) {
    if (!past)
        return STRIDER_OK;
    TRY(split(e, past, 0, 2, parts->past));
    for (int i = 0; i < 2; i++)
        TRY(change_axes(e, "Squeeze", 1, &(int64_t){0}, &parts->past[i]));
    return STRIDER_OK;
}

static Status put_present(Expansion *e, Value *key, Value *value) {
    Value *present;
    if (!expansion_wants(e, 1))
        return STRIDER_OK;
    TRY(change_axes(e, "Unsqueeze", 1, &(int64_t){0}, &key));
    TRY(change_axes(e, "Unsqueeze", 1, &(int64_t){0}, &value));
    TRY(expansion_apply(e, "Concat", 13, ATTRS(expansion_int_attr("axis", 0)), INPUTS(key, value), &present));
    return expansion_output(e, 1, present);
}

static Status attend_to_projections(Expansion *e, Value *all, Value *mask, Value *past,
                                    AttentionParts *parts) {
    Value *outputs[PARTS];
    int64_t heads;
    bool rotates, shares;
    TRY(parse_heads(e, &heads));
    TRY(parse_bool(&e->parse, "do_rotary", false, &rotates));
    TRY(parse_bool(&e->parse, "past_present_share_buffer", false, &shares));
    if (rotates || shares)
        return refuse(e, "do_rotary and past_present_share_buffer are not supported");
    TRY(split_projections(e, all, parts));
    TRY(split_past(e, past, parts));
    TRY(add_mask(e, mask, parts));
    TRY(attend(e, parts, heads, outputs));
    TRY(put_present(e, outputs[KEY], outputs[VALUE]));
    return expansion_output(e, 0, outputs[0]);
}

Status expand_attention(Expansion *e) {
    enum { IN_X, IN_WEIGHTS, IN_BIAS, IN_MASK, IN_PAST, IN_SCORE_BIAS, IN_PAST_LENGTH };
    AttentionParts parts = {.bias = expansion_input(e, IN_SCORE_BIAS)};
    Value *all;
    TRY(refuse_input(e, IN_PAST_LENGTH, "past_sequence_length is not supported"));
    TRY(expansion_apply(e, "MatMul", 13, NO_ATTRS,
                        INPUTS(expansion_input(e, IN_X), expansion_input(e, IN_WEIGHTS)), &all));
    TRY(expansion_sum(e, expansion_input(e, IN_BIAS), &all));
    return attend_to_projections(e, all, expansion_input(e, IN_MASK), expansion_input(e, IN_PAST), &parts);
}

Status expand_qattention(Expansion *e) {
    enum {
        IN_X,
        IN_WEIGHTS,
        IN_BIAS,
        IN_X_SCALE,
        IN_WEIGHTS_SCALE,
        IN_MASK,
        IN_X_ZERO,
        IN_WEIGHTS_ZERO,
        IN_PAST
    };
    AttentionParts parts = {0};
    Value *all;
    TRY(expansion_integer_product(e,
                                  &(IntegerFactors){.a = expansion_input(e, IN_X),
                                                    .b = expansion_input(e, IN_WEIGHTS),
                                                    .a_scale = expansion_input(e, IN_X_SCALE),
                                                    .b_scale = expansion_input(e, IN_WEIGHTS_SCALE),
                                                    .a_zero = expansion_input(e, IN_X_ZERO),
                                                    .b_zero = expansion_input(e, IN_WEIGHTS_ZERO),
                                                    .bias = expansion_input(e, IN_BIAS)},
                                  &all));
    return attend_to_projections(e, all, expansion_input(e, IN_MASK), expansion_input(e, IN_PAST), &parts);
}

/* --- MultiHeadAttention: of what was projected --- */

enum {
    IN_QUERY,
    IN_KEY,
    IN_VALUE,
    IN_QKV_BIAS,
    IN_KEY_MASK,
    IN_ATTENTION_BIAS,
    IN_PAST_KEY,
    IN_PAST_VALUE,
    IN_LENGTH,
    IN_CACHE
};

/* Several in one tensor, [batch, positions, heads, count, size], become lists of all heads. */
static Status unpack(Expansion *e, Value *packed, int count, Value **parts) {
    TRY(split(e, packed, 3, count, parts));
    for (int i = 0; i < count; i++)
        TRY(reshape(e, 3, (const int64_t[]){0, 0, -1}, &parts[i]));
    return STRIDER_OK;
}

/* One bias for all three, one after the other. */
static Status add_bias(Expansion *e, AttentionParts *parts) {
    Value *sizes[PARTS], *all, *biases[PARTS];
    if (!expansion_input(e, IN_QKV_BIAS))
        return STRIDER_OK;
    for (int i = 0; i < PARTS; i++)
        TRY(expansion_apply(e, "Shape", 15,
                            ATTRS(expansion_int_attr("start", 2), expansion_int_attr("end", 3)),
                            INPUTS(parts->qkv[i]), &sizes[i]));
    TRY(expansion_apply(e, "Concat", 13, ATTRS(expansion_int_attr("axis", 0)), PARTS, sizes, &all));
    TRY(split_to(e, expansion_input(e, IN_QKV_BIAS), all, biases));
    for (int i = 0; i < PARTS; i++)
        TRY(expansion_sum(e, biases[i], &parts->qkv[i]));
    return STRIDER_OK;
}

static Status find_parts(Expansion *e, AttentionParts *parts) {
    Value *query = expansion_input(e, IN_QUERY), *key = expansion_input(e, IN_KEY),
          *value = expansion_input(e, IN_VALUE);
    if (!key)
        TRY(unpack(e, query, PARTS, parts->qkv));
    else if (!value)
        TRY(unpack(e, key, 2, &parts->qkv[KEY]));
    if (key)
        parts->qkv[QUERY] = query;
    if (key && value) {
        parts->qkv[KEY] = key;
        parts->qkv[VALUE] = value;
    }
    return key || !value ? add_bias(e, parts)
                         : where_fail(e->loading, e->where, STRIDER_BAD_MODEL, "it has values without keys");
}

/* Keys and values of [batch, heads, positions, size], as they were kept. */
static Status attend_to_kept(Expansion *e, AttentionParts *parts, int64_t heads, Value *outputs[PARTS]) {
    TRY(refuse_input(e, IN_QKV_BIAS, "a bias beside keys with a dimension of heads is not supported"));
    parts->qkv[QUERY] = expansion_input(e, IN_QUERY);
    parts->qkv[KEY] = expansion_input(e, IN_KEY);
    parts->qkv[VALUE] = expansion_input(e, IN_VALUE);
    TRY(reshape(e, 4, (const int64_t[]){0, 0, heads, -1}, &parts->qkv[QUERY]));
    TRY(swap_heads(e, &parts->qkv[QUERY]));
    TRY(add_mask(e, expansion_input(e, IN_KEY_MASK), parts));
    TRY(attend(e, parts, 0, outputs));
    TRY(swap_heads(e, &outputs[0]));
    return reshape(e, 3, (const int64_t[]){0, 0, -1}, &outputs[0]);
}

Status expand_multi_head_attention(Expansion *e) {
    AttentionParts parts = {.bias = expansion_input(e, IN_ATTENTION_BIAS),
                            .past = {expansion_input(e, IN_PAST_KEY), expansion_input(e, IN_PAST_VALUE)}};
    Value *outputs[PARTS];
    int64_t heads;
    TRY(parse_heads(e, &heads));
    TRY(refuse_input(e, IN_LENGTH, "past_sequence_length is not supported"));
    TRY(refuse_input(e, IN_CACHE, "cache_indirection is not supported"));
    if (expansion_wants(e, 3))
        return refuse(e, "its output 3 is not supported");
    if (!parts.past[0] != !parts.past[1])
        return where_fail(e->loading, e->where, STRIDER_BAD_MODEL,
                          "it has past keys or values without the other");
    if (has_rank(expansion_input(e, IN_KEY), 4)) {
        TRY(attend_to_kept(e, &parts, heads, outputs));
    } else {
        TRY(find_parts(e, &parts));
        TRY(add_mask(e, expansion_input(e, IN_KEY_MASK), &parts));
        TRY(attend(e, &parts, heads, outputs));
    }
    TRY(expansion_output(e, 1, outputs[KEY]));
    TRY(expansion_output(e, 2, outputs[VALUE]));
    return expansion_output(e, 0, outputs[0]);
}
