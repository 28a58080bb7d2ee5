/* SPDX-License-Identifier: Apache-2.0 */
/* StringNormalizer (ONNX 10): of strings [C] or [1, C] those that are none of `stopwords`, in upper or lower
 * case where case_change_action says so; one empty string where none is left.  Letters change one by one, as
 * Unicode's simple mappings say, whatever `locale` names; bytes that are no UTF-8 stay. */
#include <locale.h>
#include <stdlib.h>
#include <wctype.h>

#include "ops/op.h"
#include "ops/text/utf8.h"

typedef enum Change { CHANGE_NONE, CHANGE_LOWER, CHANGE_UPPER } Change;

typedef struct NormalizerAttrs {
    String *stopwords; /* sorted */
    size_t n_stopwords;
    bool is_case_sensitive;
    int change;
} NormalizerAttrs;

/* --- letters --- */

static locale_t open_unicode(void) {
    return newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
}

static void close_unicode(locale_t unicode) {
    if (unicode)
        freelocale(unicode);
}

/* Lower or upper case letters of Unicode, where the system knows them; else of ASCII. */
static uint32_t change_code(uint32_t code, Change change, locale_t unicode) {
    if (code < 0x80) {
        const bool is_other =
            change == CHANGE_LOWER ? code >= 'A' && code <= 'Z' : code >= 'a' && code <= 'z';
        return is_other ? code ^ 0x20 : code;
    }
    if (!unicode || code == UTF8_INVALID)
        return code;
    const wint_t changed =
        change == CHANGE_LOWER ? towlower_l((wint_t)code, unicode) : towupper_l((wint_t)code, unicode);
    return changed <= 0x10ffff ? (uint32_t)changed : code;
}

typedef struct Order {
    bool any_case;
    locale_t unicode;
} Order;

/* The code point at *at, in lower case where any will do; bytes that are no UTF-8 come after all of them. */
static uint32_t next_code(String text, size_t *at, const Order *order) {
    size_t used;
    const uint32_t code = utf8_decode(text.data + *at, text.size - *at, &used);
    const uint32_t byte = (unsigned char)text.data[*at];
    *at += used;
    if (code == UTF8_INVALID)
        return 0x110000 + byte;
    return order->any_case ? change_code(code, CHANGE_LOWER, order->unicode) : code;
}

static int compare(String a, String b, const Order *order) {
    size_t at_a = 0, at_b = 0;
    while (at_a < a.size && at_b < b.size) {
        const uint32_t code_a = next_code(a, &at_a, order), code_b = next_code(b, &at_b, order);
        if (code_a != code_b)
            return code_a < code_b ? -1 : 1;
    }
    return (at_a < a.size) - (at_b < b.size);
}

/* --- attributes --- */

static int by_order(const void *a, const void *b, void *order) {
    return compare(*(const String *)a, *(const String *)b, order);
}

static Status sort_stopwords(ParseContext *ctx, const Attr *words) {
    NormalizerAttrs *attrs = ctx->node->attrs;
    attrs->stopwords = region_alloc_array(ctx->region, words->count + 1, sizeof *attrs->stopwords);
    if (!attrs->stopwords)
        return parse_fail(ctx, STRIDER_OUT_OF_MEMORY, "no memory for %zu words", words->count);
    attrs->n_stopwords = words->count;
    for (size_t i = 0; i < words->count; i++)
        attrs->stopwords[i] = (String){words->strings[i], strlen(words->strings[i])};
    Order order = {!attrs->is_case_sensitive, open_unicode()};
    qsort_r(attrs->stopwords, attrs->n_stopwords, sizeof *attrs->stopwords, by_order, &order);
    close_unicode(order.unicode);
    return STRIDER_OK;
}

static Status normalizer_parse(ParseContext *ctx, void *attrs_) {
    static const char *const changes[] = {"NONE", "LOWER", "UPPER", NULL};
    NormalizerAttrs *attrs = attrs_;
    const Attr *words = attrs_find(ctx->attrs, "stopwords");
    if (words && words->kind != ATTR_STRINGS)
        return parse_fail(ctx, STRIDER_BAD_MODEL, "attribute stopwords is no list of strings");
    TRY(parse_bool(ctx, "is_case_sensitive", false, &attrs->is_case_sensitive));
    TRY(parse_enum(ctx, "case_change_action", changes, CHANGE_NONE, &attrs->change));
    return words ? sort_stopwords(ctx, words) : STRIDER_OK;
}

/* --- strings --- */

static Status normalizer_infer(InferContext *ctx) {
    const Shape *x = &ctx->inputs[0].shape;
    TRY(infer_require_dtype(ctx, 0, DTYPES_STRING));
    TRY(infer_require_rank(ctx, 0, 1, 2));
    if (x->rank == 2 && x->dims[0] >= 0 && x->dims[0] != 1)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "strings of %lld rows, must be of one",
                          (long long)x->dims[0]);
    ctx->outputs[0].tensor = type_of(STRIDER_STRING, *x);
    if (x->rank >= 0)
        ctx->outputs[0].shape.dims[x->rank - 1] = DIM_UNKNOWN;
    if (x->rank == 2)
        ctx->outputs[0].shape.dims[0] = 1;
    return STRIDER_OK;
}

/* The bytes of the text with its letters changed, put to `to` unless that is NULL; returns how many. */
static size_t change_text(String text, Change change, locale_t unicode, char *to) {
    size_t used, count = 0;
    for (size_t at = 0; at < text.size; at += used) {
        char bytes[4];
        const uint32_t code = utf8_decode(text.data + at, text.size - at, &used);
        const size_t n = code == UTF8_INVALID ? 1 : utf8_encode(change_code(code, change, unicode), bytes);
        if (to)
            memcpy(to + count, code == UTF8_INVALID ? text.data + at : bytes, n);
        count += n;
    }
    return count;
}

static bool is_stopword(const NormalizerAttrs *attrs, String text, locale_t unicode) {
    const Order order = {!attrs->is_case_sensitive, unicode};
    size_t low = 0, high = attrs->n_stopwords;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const int difference = compare(attrs->stopwords[middle], text, &order);
        if (difference == 0)
            return true;
        if (difference < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

static Status normalize(EvalContext *ctx, locale_t unicode) {
    const NormalizerAttrs *attrs = eval_attrs(ctx);
    const Tensor *x = ctx->inputs[0];
    const String *strings = x->data;
    const int64_t count = tensor_elements(x);
    Shape shape = x->type.shape;
    int64_t kept = 0;
    for (int64_t i = 0; i < count; i++)
        kept += !is_stopword(attrs, strings[i], unicode);
    shape.dims[shape.rank - 1] = i64_max(kept, 1);
    TRY(eval_set_output_shape(ctx, 0, STRIDER_STRING, &shape));
    String *y = ctx->outputs[0]->data;
    y[0] = (String){0};
    for (int64_t i = 0; i < count; i++) {
        if (is_stopword(attrs, strings[i], unicode))
            continue;
        *y = strings[i];
        if (attrs->change != CHANGE_NONE) {
            char *bytes;
            y->size = change_text(strings[i], (Change)attrs->change, unicode, NULL);
            TRY(eval_alloc_string(ctx, y->size, &bytes));
            change_text(strings[i], (Change)attrs->change, unicode, bytes);
            y->data = bytes;
        }
        y++;
    }
    return STRIDER_OK;
}

static Status normalizer_reference(EvalContext *ctx) {
    const locale_t unicode = open_unicode();
    const Status status = normalize(ctx, unicode);
    close_unicode(unicode);
    return status;
}

const Op op_string_normalizer = {
    OP_NAMED(StringNormalizer),
    .since = 10,
    .inputs = {1, 1},
    .outputs = {1, 1},
    .attrs_size = sizeof(NormalizerAttrs),
    .parse = normalizer_parse,
    .infer = normalizer_infer,
    .reference = normalizer_reference,
    .ignores = {"locale"},
    .flags = OP_STRINGS | OP_MAKES_STRINGS | OP_DATA_DEPENDENT,
};
