/* SPDX-License-Identifier: Apache-2.0 */
/* StringSplit (ONNX 20): the parts of each string between delimiters, as a further dimension that is filled
 * up with empty strings, and how many there are.  Without a delimiter strings are split at runs of ASCII's
 * white space, and such runs at their ends say nothing.  After `maxsplit` splits the rest is the last part.
 * Parts are views of the input's bytes. */
#include "ops/op.h"

typedef struct SplitAttrs {
    const char *delimiter; /* "": white space */
    int64_t max_splits;
} SplitAttrs;

static Status string_split_parse(ParseContext *ctx, void *attrs_) {
    SplitAttrs *attrs = attrs_;
    TRY(parse_string(ctx, "delimiter", "", &attrs->delimiter));
    TRY(parse_int(ctx, "maxsplit", INT64_MAX, &attrs->max_splits));
    if (attrs->max_splits < 0)
        attrs->max_splits = INT64_MAX;
    return STRIDER_OK;
}

static Status string_split_infer(InferContext *ctx) {
    const Shape *x = &ctx->inputs[0].shape;
    TRY(infer_require_dtype(ctx, 0, DTYPES_STRING));
    TRY(infer_require_rank(ctx, 0, 0, MAX_RANK - 1));
    ctx->outputs[0].dtype = STRIDER_STRING;
    if (ctx->n_outputs > 1)
        ctx->outputs[1].tensor = type_of(STRIDER_I64, *x);
    if (x->rank < 0)
        return STRIDER_OK;
    ctx->outputs[0].shape = *x;
    ctx->outputs[0].shape.dims[ctx->outputs[0].shape.rank++] = DIM_UNKNOWN;
    return STRIDER_OK;
}

static bool is_space(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static String tail_of(String text, size_t from) {
    return from == text.size ? (String){0} : (String){text.data + from, text.size - from};
}

static String without_space(String text) {
    size_t from = 0;
    while (from < text.size && is_space(text.data[from]))
        from++;
    return tail_of(text, from);
}

/* Where the first delimiter begins; the text's size where there is none. */
static size_t find(String text, const char *delimiter, size_t length) {
    const char *found = text.size >= length ? memmem(text.data, text.size, delimiter, length) : NULL;
    return found ? (size_t)(found - text.data) : text.size;
}

/* Takes the first part off *rest; false where there is none.  `splits` are left. */
static bool next_part(const char *delimiter, int64_t splits, String *rest, bool *ends, String *part) {
    const size_t length = strlen(delimiter);
    if (!length)
        *rest = without_space(*rest);
    if (*ends || (!length && !rest->size))
        return false;
    size_t size = rest->size;
    if (splits > 0 && length)
        size = find(*rest, delimiter, length);
    for (size_t i = 0; splits > 0 && !length && size == rest->size && i < rest->size; i++)
        if (is_space(rest->data[i]))
            size = i;
    *part = (String){rest->data, size};
    *ends = size == rest->size;
    *rest = *ends ? (String){0} : tail_of(*rest, size + (length ? length : 1));
    return true;
}

static int64_t split(const SplitAttrs *attrs, String text, String *parts) {
    int64_t count = 0;
    bool ends = false;
    String part;
    while (next_part(attrs->delimiter, attrs->max_splits - count, &text, &ends, &part)) {
        if (parts)
            parts[count] = part;
        count++;
    }
    return count;
}

static Status string_split_reference(EvalContext *ctx) {
    const SplitAttrs *attrs = eval_attrs(ctx);
    const Tensor *x = ctx->inputs[0];
    const String *strings = x->data;
    Tensor *counts = eval_output(ctx, 1);
    int64_t most = 0;
    for (int64_t i = 0; i < tensor_elements(x); i++) {
        const int64_t count = split(attrs, strings[i], NULL);
        most = i64_max(most, count);
        if (counts)
            tensor_set_i64(counts, i, count);
    }
    if (!eval_output(ctx, 0))
        return STRIDER_OK;
    Shape shape = x->type.shape;
    shape.dims[shape.rank++] = most;
    TRY(eval_set_output_shape(ctx, 0, STRIDER_STRING, &shape));
    String *parts = ctx->outputs[0]->data;
    memset(parts, 0, ctx->outputs[0]->size_bytes);
    for (int64_t i = 0; i < tensor_elements(x); i++)
        split(attrs, strings[i], parts + i * most);
    return STRIDER_OK;
}

const Op op_string_split = {
    OP_NAMED(StringSplit),
    .since = 20,
    .inputs = {1, 1},
    .outputs = {1, 2},
    .attrs_size = sizeof(SplitAttrs),
    .parse = string_split_parse,
    .infer = string_split_infer,
    .reference = string_split_reference,
    .flags = OP_STRINGS | OP_DATA_DEPENDENT,
};
