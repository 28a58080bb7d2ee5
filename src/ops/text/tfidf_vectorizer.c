/* SPDX-License-Identifier: Apache-2.0 */
/* TfIdfVectorizer (ONNX 9): how often each n-gram of a pool stands in a row [C] or in each row of
 * [N, C].  The items of an n-gram may stand up to max_skip_count items apart, all equally far.  Mode TF: the
 * counts; IDF: the weight where the count is not 0; TFIDF: count times weight.  Weights belong to the
 * output's places, as in ONNX's reference implementation and in onnxruntime.
 *
 * The pool is sorted, so that n-grams that begin alike are neighbours: those that go on with an item are
 * found by bisection. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "ops/op.h"

/* What takes time in proportion to more than the input's and the pool's items. */
enum { MAX_SKIPS = 1024, MAX_LENGTH = 256 };

typedef enum Mode { MODE_TF, MODE_IDF, MODE_TFIDF } Mode;

typedef struct Ngram {
    const int64_t *items;
    int64_t length, place;
} Ngram;

typedef struct TfIdfAttrs {
    int mode;
    int64_t min_length, max_length, skips;
    Ngram *ngrams;
    int64_t n_ngrams, places;
    const float *weights; /* NULL: 1 */
    const char **words;   /* the pool's strings, sorted; NULL: it is of integers */
    int64_t n_words;
} TfIdfAttrs;

/* --- the pool --- */

static Status find_list(ParseContext *ctx, const char *name, AttrKind kind, const Attr **list) {
    *list = attrs_find(ctx->attrs, name);
    if (*list && (*list)->kind != kind)
        return parse_fail(ctx, STRIDER_BAD_MODEL, "attribute %s is no list of %s", name,
                          kind == ATTR_INTS     ? "ints"
                          : kind == ATTR_FLOATS ? "floats"
                                                : "strings");
    return STRIDER_OK;
}

static int by_text(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The place of a string among the pool's; -1 where it is none of them. */
static int64_t find_word(const TfIdfAttrs *attrs, String text) {
    int64_t low = 0, high = attrs->n_words;
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        const size_t length = strlen(attrs->words[middle]), shared = length < text.size ? length : text.size;
        const int order = shared ? memcmp(attrs->words[middle], text.data, shared) : 0;
        if (order == 0 && length == text.size)
            return middle;
        if (order < 0 || (order == 0 && length < text.size))
            low = middle + 1;
        else
            high = middle;
    }
    return -1;
}

/* The pool's strings as integers. */
static Status number_words(ParseContext *ctx, const Attr *pool, const int64_t **items) {
    TfIdfAttrs *attrs = ctx->node->attrs;
    int64_t *numbers = region_alloc_array(ctx->region, pool->count + 1, sizeof *numbers);
    attrs->words = region_alloc_array(ctx->region, pool->count + 1, sizeof *attrs->words);
    if (!numbers || !attrs->words)
        return parse_fail(ctx, STRIDER_OUT_OF_MEMORY, "no memory for a pool of %zu strings", pool->count);
    if (pool->count)
        memcpy(attrs->words, pool->strings, bytes_of(sizeof *attrs->words, (int64_t)pool->count).n);
    qsort(attrs->words, pool->count, sizeof *attrs->words, by_text);
    for (size_t i = 0; i < pool->count; i++)
        if (i == 0 || strcmp(attrs->words[i], attrs->words[attrs->n_words - 1]) != 0)
            attrs->words[attrs->n_words++] = attrs->words[i];
    for (size_t i = 0; i < pool->count; i++)
        numbers[i] = find_word(attrs, (String){pool->strings[i], strlen(pool->strings[i])});
    *items = numbers;
    return STRIDER_OK;
}

static int by_items(const void *a_, const void *b_) {
    const Ngram *a = a_, *b = b_;
    for (int64_t i = 0; i < a->length && i < b->length; i++)
        if (a->items[i] != b->items[i])
            return a->items[i] < b->items[i] ? -1 : 1;
    if (a->length != b->length)
        return a->length < b->length ? -1 : 1;
    return (a->items > b->items) - (a->items < b->items);
}

/* Of the n-grams with n items, which stand one after another; their places go on where the last ones' ended.
 */
static Status add_ngrams(ParseContext *ctx, const Attr *places, const int64_t *items, int64_t count,
                         int64_t n, int64_t *numbered) {
    TfIdfAttrs *attrs = ctx->node->attrs;
    for (int64_t i = 0; i < count / n; i++, ++*numbered) {
        if (*numbered >= (int64_t)places->count)
            return parse_fail(ctx, STRIDER_BAD_MODEL,
                              "the pool has more n-grams than the %zu of ngram_indexes", places->count);
        if (n >= attrs->min_length && n <= attrs->max_length)
            attrs->ngrams[attrs->n_ngrams++] = (Ngram){items + i * n, n, places->ints[*numbered]};
    }
    return STRIDER_OK;
}

/* Of equal n-grams the last one counts. */
static void drop_repeated(TfIdfAttrs *attrs) {
    int64_t kept = 0;
    for (int64_t i = 0; i < attrs->n_ngrams; i++) {
        const Ngram *ngram = &attrs->ngrams[i], *next = i + 1 < attrs->n_ngrams ? ngram + 1 : NULL;
        if (!next || next->length != ngram->length ||
            memcmp(next->items, ngram->items, (size_t)ngram->length * sizeof *ngram->items) != 0)
            attrs->ngrams[kept++] = *ngram;
    }
    attrs->n_ngrams = kept;
}

/* Where the 1-grams, 2-grams and so on begin in the pool says ngram_counts. */
static Status read_pool(ParseContext *ctx, const int64_t *items, size_t n_items, const Attr *counts,
                        const Attr *places) {
    TfIdfAttrs *attrs = ctx->node->attrs;
    int64_t numbered = 0;
    attrs->ngrams = region_alloc_array(ctx->region, places->count + 1, sizeof *attrs->ngrams);
    if (!attrs->ngrams)
        return parse_fail(ctx, STRIDER_OUT_OF_MEMORY, "no memory for %zu n-grams", places->count);
    for (size_t n = 0; n < counts->count; n++) {
        const int64_t from = counts->ints[n],
                      to = n + 1 < counts->count ? counts->ints[n + 1] : (int64_t)n_items;
        if (from < 0 || to < from || to > (int64_t)n_items)
            return parse_fail(ctx, STRIDER_BAD_MODEL,
                              "ngram_counts says that the n-grams of %zu items are items %" PRId64
                              " to %" PRId64 " of a pool of %zu",
                              n + 1, from, to, n_items);
        TRY(add_ngrams(ctx, places, items + from, to - from, (int64_t)n + 1, &numbered));
    }
    qsort(attrs->ngrams, (size_t)attrs->n_ngrams, sizeof *attrs->ngrams, by_items);
    drop_repeated(attrs);
    return STRIDER_OK;
}

/* --- attributes --- */

static Status parse_lengths(ParseContext *ctx, size_t lengths) {
    TfIdfAttrs *attrs = ctx->node->attrs;
    TRY(parse_int(ctx, "min_gram_length", 1, &attrs->min_length));
    TRY(parse_int(ctx, "max_gram_length", 1, &attrs->max_length));
    TRY(parse_int(ctx, "max_skip_count", 0, &attrs->skips));
    if (attrs->min_length < 1 || attrs->max_length < attrs->min_length || attrs->skips < 0)
        return parse_fail(ctx, STRIDER_BAD_MODEL,
                          "n-grams of %" PRId64 " to %" PRId64 " items with %" PRId64 " skips",
                          attrs->min_length, attrs->max_length, attrs->skips);
    attrs->max_length = i64_min(attrs->max_length, (int64_t)lengths);
    if (attrs->max_length > MAX_LENGTH)
        return parse_fail(ctx, STRIDER_UNSUPPORTED, "n-grams of %" PRId64 " items, more than %d",
                          attrs->max_length, MAX_LENGTH);
    return STRIDER_OK;
}

static Status parse_weights(ParseContext *ctx, const Attr *places) {
    TfIdfAttrs *attrs = ctx->node->attrs;
    const Attr *weights;
    for (size_t i = 0; i < places->count; i++) {
        if (places->ints[i] < 0 || places->ints[i] >= INT32_MAX)
            return parse_fail(ctx, STRIDER_BAD_MODEL, "ngram_indexes has the index %" PRId64,
                              places->ints[i]);
        attrs->places = i64_max(attrs->places, places->ints[i] + 1);
    }
    TRY(find_list(ctx, "weights", ATTR_FLOATS, &weights));
    if (!weights || weights->count == 0)
        return STRIDER_OK;
    if ((int64_t)weights->count < attrs->places)
        return parse_fail(ctx, STRIDER_BAD_MODEL, "%zu weights for an output of %" PRId64, weights->count,
                          attrs->places);
    attrs->weights = weights->floats;
    return STRIDER_OK;
}

static Status tfidf_parse(ParseContext *ctx, void *attrs_) {
    static const char *const modes[] = {"TF", "IDF", "TFIDF", NULL};
    static const char *const required[] = {"mode",           "ngram_counts",    "ngram_indexes",
                                           "max_skip_count", "min_gram_length", "max_gram_length"};
    TfIdfAttrs *attrs = attrs_;
    const Attr *pool, *words, *counts, *places;
    for (size_t i = 0; i < sizeof required / sizeof *required; i++)
        TRY(parse_require(ctx, required[i]));
    TRY(parse_enum(ctx, "mode", modes, MODE_TF, &attrs->mode));
    TRY(find_list(ctx, "pool_int64s", ATTR_INTS, &pool));
    TRY(find_list(ctx, "ngram_counts", ATTR_INTS, &counts));
    TRY(find_list(ctx, "ngram_indexes", ATTR_INTS, &places));
    TRY(find_list(ctx, "pool_strings", ATTR_STRINGS, &words));
    if (!pool == !words)
        return parse_fail(ctx, STRIDER_BAD_MODEL, "one of pool_int64s and pool_strings must be there");
    TRY(parse_lengths(ctx, counts->count));
    TRY(parse_weights(ctx, places));
    const int64_t *items = pool ? pool->ints : NULL;
    if (words)
        TRY(number_words(ctx, words, &items));
    return read_pool(ctx, items, pool ? pool->count : words->count, counts, places);
}

/* --- counting --- */

static Status tfidf_infer(InferContext *ctx) {
    const TfIdfAttrs *attrs = infer_attrs(ctx);
    const Shape *x = &ctx->inputs[0].shape;
    TRY(infer_require_dtype(ctx, 0, attrs->words ? DTYPES_STRING : DTYPES_INDEX));
    TRY(infer_require_rank(ctx, 0, 1, 2));
    ctx->outputs[0].dtype = STRIDER_F32;
    if (x->rank < 0)
        return STRIDER_OK;
    const int64_t row = x->dims[x->rank - 1];
    if (i64_min(attrs->skips, row) > MAX_SKIPS && attrs->max_length > 1)
        return infer_fail(ctx, STRIDER_UNSUPPORTED, "%" PRId64 " skips, more than %d", attrs->skips,
                          MAX_SKIPS);
    ctx->outputs[0].shape = *x;
    ctx->outputs[0].shape.dims[x->rank - 1] = attrs->places;
    return STRIDER_OK;
}

/* The first of the sorted n-grams [low, high), which begin alike, whose item `depth` is not below `item`, or
 * with `after` is above it. */
static int64_t bisect(const Ngram *ngrams, int64_t low, int64_t high, int64_t depth, int64_t item,
                      bool after) {
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        const Ngram *ngram = &ngrams[middle];
        const bool below =
            ngram->length <= depth || (after ? ngram->items[depth] <= item : ngram->items[depth] < item);
        if (below)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Counts the n-grams of at least `shortest` items that begin at the row's item `start`. */
static void count_from(const TfIdfAttrs *attrs, const Tensor *x, int64_t start, int64_t end, int64_t distance,
                       int64_t shortest, float *counts) {
    int64_t low = 0, high = attrs->n_ngrams;
    for (int64_t depth = 0, at = start; depth < attrs->max_length && at < end; depth++, at += distance) {
        const int64_t item =
            attrs->words ? find_word(attrs, ((const String *)x->data)[at]) : tensor_get_i64(x, at);
        low = bisect(attrs->ngrams, low, high, depth, item, false);
        high = bisect(attrs->ngrams, low, high, depth, item, true);
        if (low == high)
            return;
        if (attrs->ngrams[low].length == depth + 1 && depth + 1 >= shortest)
            counts[attrs->ngrams[low].place]++;
    }
}

static void count_row(const TfIdfAttrs *attrs, const Tensor *x, int64_t begin, int64_t end, float *counts) {
    int64_t shortest = attrs->min_length;
    for (int64_t distance = 1; distance <= i64_min(attrs->skips, end - begin) + 1; distance++) {
        for (int64_t start = begin; start < end - distance * (shortest - 1); start++)
            count_from(attrs, x, start, end, distance, shortest, counts);
        if (shortest == 1 && ++shortest > attrs->max_length) /* single items know no distance */
            return;
    }
}

static void weigh(const TfIdfAttrs *attrs, float *counts) {
    for (int64_t i = 0; i < attrs->places && attrs->mode != MODE_TF; i++) {
        const float weight = attrs->weights ? attrs->weights[i] : 1;
        counts[i] = attrs->mode == MODE_TFIDF ? counts[i] * weight : counts[i] > 0 ? weight : 0;
    }
}

static Status tfidf_reference(EvalContext *ctx) {
    const TfIdfAttrs *attrs = eval_attrs(ctx);
    const Tensor *x = ctx->inputs[0];
    const Shape *shape = &x->type.shape;
    const int64_t rows = shape_size(shape, 0, shape->rank - 1), row = shape->dims[shape->rank - 1];
    float *y = ctx->outputs[0]->data;
    memset(y, 0, ctx->outputs[0]->size_bytes);
    for (int64_t i = 0; i < rows; i++) {
        count_row(attrs, x, i * row, (i + 1) * row, y + i * attrs->places);
        weigh(attrs, y + i * attrs->places);
    }
    return STRIDER_OK;
}

const Op op_tfidf_vectorizer = {
    OP_NAMED(TfIdfVectorizer),
    .since = 9,
    .inputs = {1, 1},
    .outputs = {1, 1},
    .attrs_size = sizeof(TfIdfAttrs),
    .parse = tfidf_parse,
    .infer = tfidf_infer,
    .reference = tfidf_reference,
    .flags = OP_STRINGS,
};
