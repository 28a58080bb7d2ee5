/* SPDX-License-Identifier: Apache-2.0 */
/* LabelEncoder (ai.onnx.ml 1, 2, 4): each element is a key, and becomes the value at the key's place; what is
 * no key becomes the default.  Of equal keys the last counts; all NaN are equal.  Version 1 has one list of
 * strings, whose places are the integers.  Keys are found by bisection. */
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "ops/op.h"
#include "ops/tensor/order.h"

/* A key and its place; numbers are ordered by `number`, strings by their bytes. */
typedef struct Key {
    uint64_t number;
    String text;
    int64_t place;
} Key;

typedef struct LabelEncoderAttrs {
    Tensor keys, values, fallback; /* in one dimension; the fallback is one element */
    Key *sorted;                   /* without repetitions */
    int64_t n_sorted;
} LabelEncoderAttrs;

/* --- attributes --- */

static Tensor list_of(DType dtype, int64_t count, const void *data) {
    const Shape shape = shape_make(1, &count);
    return tensor_view(dtype, &shape, (void *)data);
}

static Status strings_of(ParseContext *ctx, const char *const *texts, int64_t count, Tensor *list) {
    String *strings = region_alloc_array(ctx->region, (size_t)count + 1, sizeof *strings);
    if (!strings)
        return parse_fail(ctx, STRIDER_OUT_OF_MEMORY, "no memory for a list of strings");
    for (int64_t i = 0; i < count; i++)
        strings[i] = (String){texts[i], strlen(texts[i])};
    *list = list_of(STRIDER_STRING, count, strings);
    return STRIDER_OK;
}

/* One of PREFIX_strings, PREFIX_int64s, PREFIX_floats, PREFIX_tensor. */
static Status parse_list(ParseContext *ctx, const char *prefix, Tensor *list) {
    static const struct {
        const char *suffix;
        AttrKind kind;
    } forms[] = {
        {"strings", ATTR_STRINGS}, {"int64s", ATTR_INTS}, {"floats", ATTR_FLOATS}, {"tensor", ATTR_TENSOR}};
    const Attr *found = NULL;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        const Attr *attr =
            attrs_find(ctx->attrs, region_format(ctx->region, "%s_%s", prefix, forms[i].suffix));
        if (attr && (found || attr->kind != forms[i].kind))
            return parse_fail(ctx, STRIDER_BAD_MODEL, "attribute %s is %s", attr->name,
                              found ? "one of two lists" : "of another kind");
        found = attr ? attr : found;
    }
    if (!found)
        return parse_fail(ctx, STRIDER_BAD_MODEL, "attributes %s_... are missing", prefix);
    if (found->kind == ATTR_STRINGS)
        return strings_of(ctx, found->strings, (int64_t)found->count, list);
    if (found->kind != ATTR_TENSOR)
        *list = found->kind == ATTR_INTS ? list_of(STRIDER_I64, (int64_t)found->count, found->ints)
                                         : list_of(STRIDER_F32, (int64_t)found->count, found->floats);
    else
        *list = list_of(found->tensor->type.dtype, tensor_elements(found->tensor), found->tensor->data);
    return STRIDER_OK;
}

/* The default that goes with the values: of their type. */
static Status parse_fallback(ParseContext *ctx, DType dtype, Tensor *fallback) {
    const Attr *tensor = attrs_find(ctx->attrs, "default_tensor");
    const char *text;
    void *element = region_alloc(ctx->region, sizeof(String));
    if (!element)
        return parse_fail(ctx, STRIDER_OUT_OF_MEMORY, "no memory for a default");
    *fallback = list_of(dtype, 1, element);
    if (tensor && tensor->kind == ATTR_TENSOR) {
        if (tensor->tensor->type.dtype != dtype || tensor_elements(tensor->tensor) != 1)
            return parse_fail(ctx, STRIDER_BAD_MODEL,
                              "default_tensor is not one element of the values' type");
        memcpy(element, tensor->tensor->data, dtype_size(dtype));
        return STRIDER_OK;
    }
    int64_t integer;
    float real;
    TRY(parse_int(ctx, "default_int64", -1, &integer));
    TRY(parse_float(ctx, "default_float", -0.0f, &real));
    TRY(parse_string(ctx, "default_string", "_Unused", &text));
    if (dtype == STRIDER_STRING)
        *(String *)element = (String){text, strlen(text)};
    else if (dtype_is_float(dtype))
        tensor_set_f64(fallback, 0, (double)real);
    else
        tensor_set_i64(fallback, 0, integer);
    return STRIDER_OK;
}

static int compare(const Key *a, const Key *b) {
    if (a->number != b->number)
        return a->number < b->number ? -1 : 1;
    const size_t shared = a->text.size < b->text.size ? a->text.size : b->text.size;
    const int order = shared ? memcmp(a->text.data, b->text.data, shared) : 0;
    return order ? order : (a->text.size > b->text.size) - (a->text.size < b->text.size);
}

static int by_key(const void *a_, const void *b_) {
    const Key *a = a_, *b = b_;
    const int order = compare(a, b);
    return order ? order : (a->place > b->place) - (a->place < b->place);
}

static Key key_at(const Tensor *keys, int64_t at) {
    if (keys->type.dtype == STRIDER_STRING)
        return (Key){.text = ((const String *)keys->data)[at], .place = at};
    return (Key){.number = tensor_order_key(keys, at), .place = at};
}

static Status sort_keys(ParseContext *ctx, LabelEncoderAttrs *attrs) {
    const int64_t count = tensor_elements(&attrs->keys);
    attrs->sorted = region_alloc_array(ctx->region, (size_t)count + 1, sizeof *attrs->sorted);
    if (!attrs->sorted)
        return parse_fail(ctx, STRIDER_OUT_OF_MEMORY, "no memory for the keys");
    for (int64_t i = 0; i < count; i++)
        attrs->sorted[i] = key_at(&attrs->keys, i);
    qsort(attrs->sorted, (size_t)count, sizeof *attrs->sorted, by_key);
    for (int64_t i = 0; i < count; i++) {
        const bool repeats =
            attrs->n_sorted && !compare(&attrs->sorted[attrs->n_sorted - 1], &attrs->sorted[i]);
        attrs->n_sorted += !repeats;
        attrs->sorted[attrs->n_sorted - 1] = attrs->sorted[i];
    }
    return STRIDER_OK;
}

static Status label_encoder_parse(ParseContext *ctx, void *attrs_) {
    LabelEncoderAttrs *attrs = attrs_;
    TRY(parse_list(ctx, "keys", &attrs->keys));
    TRY(parse_list(ctx, "values", &attrs->values));
    if (tensor_elements(&attrs->keys) != tensor_elements(&attrs->values))
        return parse_fail(ctx, STRIDER_BAD_MODEL, "there are %lld keys and %lld values",
                          (long long)tensor_elements(&attrs->keys),
                          (long long)tensor_elements(&attrs->values));
    TRY(parse_fallback(ctx, attrs->values.type.dtype, &attrs->fallback));
    return sort_keys(ctx, attrs);
}

/* --- types --- */

enum { LABEL_TYPES = DTYPES_NUMERIC | DTYPES_STRING };

static Status label_encoder_infer(InferContext *ctx) {
    const LabelEncoderAttrs *attrs = infer_attrs(ctx);
    TRY(infer_require_dtype(ctx, 0, DTYPE_BIT(attrs->keys.type.dtype) & LABEL_TYPES));
    ctx->outputs[0].tensor = type_of(attrs->values.type.dtype, ctx->inputs[0].shape);
    return STRIDER_OK;
}

/* --- reference --- */

static const Key *find(const LabelEncoderAttrs *attrs, const Key *wanted) {
    int64_t low = 0, high = attrs->n_sorted;
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        const int order = compare(&attrs->sorted[middle], wanted);
        if (order == 0)
            return &attrs->sorted[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static Status label_encoder_reference(EvalContext *ctx) {
    const LabelEncoderAttrs *attrs = eval_attrs(ctx);
    const Tensor *x = ctx->inputs[0];
    const size_t size = dtype_size(attrs->values.type.dtype);
    char *y = ctx->outputs[0]->data;
    for (int64_t i = 0; i < tensor_elements(x); i++, y += size) {
        const Key wanted = key_at(x, i), *key = find(attrs, &wanted);
        memcpy(y, key ? (const char *)attrs->values.data + (size_t)key->place * size : attrs->fallback.data,
               size);
    }
    return STRIDER_OK;
}

#define LABEL_ENCODER(ROW, SINCE, PARSE, INFER, REFERENCE)                                                   \
    const Op ROW = {                                                                                         \
        OP_NAMED(LabelEncoder), .domain = "ai.onnx.ml", .since = SINCE,                                      \
        .inputs = {1, 1},       .outputs = {1, 1},      .attrs_size = sizeof(LabelEncoderAttrs),             \
        .parse = PARSE,         .infer = INFER,         .reference = REFERENCE,                              \
        .flags = OP_STRINGS,                                                                                 \
    };

/* --- version 1 --- */

static Status classes_parse(ParseContext *ctx, void *attrs_) {
    LabelEncoderAttrs *attrs = attrs_;
    const char *const *classes;
    int64_t count;
    TRY(parse_strings(ctx, "classes_strings", &classes, &count));
    if (count < 0)
        return parse_fail(ctx, STRIDER_BAD_MODEL, "attribute classes_strings is missing");
    TRY(strings_of(ctx, classes, count, &attrs->keys));
    TRY(parse_fallback(ctx, STRIDER_I64, &attrs->values));
    TRY(parse_fallback(ctx, STRIDER_STRING, &attrs->fallback));
    return sort_keys(ctx, attrs);
}

static Status classes_infer(InferContext *ctx) {
    TRY(infer_require_dtype(ctx, 0, DTYPE_BIT(STRIDER_I64) | DTYPES_STRING));
    const DType x = ctx->inputs[0].dtype;
    ctx->outputs[0].tensor = type_of(x == STRIDER_STRING ? STRIDER_I64
                                     : x                 ? STRIDER_STRING
                                                         : STRIDER_DTYPE_NONE,
                                     ctx->inputs[0].shape);
    return STRIDER_OK;
}

/* `keys` are the classes, `values` the default integer, `fallback` the default string. */
static Status classes_reference(EvalContext *ctx) {
    const LabelEncoderAttrs *attrs = eval_attrs(ctx);
    const Tensor *x = ctx->inputs[0];
    Tensor *y = ctx->outputs[0];
    const int64_t classes = tensor_elements(&attrs->keys);
    for (int64_t i = 0; i < tensor_elements(x); i++) {
        if (x->type.dtype == STRIDER_STRING) {
            const Key wanted = key_at(x, i), *key = find(attrs, &wanted);
            ((int64_t *)y->data)[i] = key ? key->place : *(const int64_t *)attrs->values.data;
        } else {
            const int64_t place = ((const int64_t *)x->data)[i];
            ((String *)y->data)[i] = place >= 0 && place < classes ? ((const String *)attrs->keys.data)[place]
                                                                   : *(const String *)attrs->fallback.data;
        }
    }
    return STRIDER_OK;
}

LABEL_ENCODER(op_label_encoder_1, 1, classes_parse, classes_infer, classes_reference)
LABEL_ENCODER(op_label_encoder, 2, label_encoder_parse, label_encoder_infer, label_encoder_reference)
