/* SPDX-License-Identifier: Apache-2.0 */
/* TfIdfVectorizer. */
#include "support/op_test.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define attr_floats(NAME, ...)                                                                               \
    ((Attr){.name = NAME,                                                                                    \
            .kind = ATTR_FLOATS,                                                                             \
            .floats = (const float[]){__VA_ARGS__},                                                          \
            .count = sizeof((float[]){__VA_ARGS__}) / sizeof(float)})

/* A pool of the 1-grams 2, 3, 5, 4 and the 2-grams 5 6, 7 8, 6 7. */
#define VECTORIZER(MODE, MIN, MAX, SKIPS, X, ...)                                                            \
    {                                                                                                        \
        .op = "TfIdfVectorizer", .opset = 9, .n_inputs = 1, .inputs = {X}, .attrs = {                        \
            attr_string("mode", MODE),                                                                       \
            attr_int("min_gram_length", MIN),                                                                \
            attr_int("max_gram_length", MAX),                                                                \
            attr_int("max_skip_count", SKIPS),                                                               \
            attr_ints("ngram_counts", 0, 4),                                                                 \
            attr_ints("ngram_indexes", 0, 1, 2, 3, 4, 5, 6),                                                 \
            attr_ints("pool_int64s", 2, 3, 5, 4, 5, 6, 7, 8, 6, 7),                                          \
            __VA_ARGS__                                                                                      \
        }                                                                                                    \
    }

#define WORDS tensor_i64(DIMS(12), 1, 1, 3, 3, 3, 7, 8, 6, 7, 5, 6, 8)

static void ngrams_are_counted_at_every_distance(void **state) {
    (void)state;
    static const struct {
        int64_t min, max, skips;
        float y[7];
    } rows[] = {{2, 2, 0, {0, 0, 0, 0, 1, 1, 1}}, {1, 1, 3, {0, 3, 1, 0, 0, 0, 0}},
                {1, 2, 0, {0, 3, 1, 0, 1, 1, 1}}, {2, 2, 5, {0, 0, 0, 0, 1, 3, 1}},
                {1, 2, 5, {0, 3, 1, 0, 1, 3, 1}}, {2, 2, INT64_MAX, {0, 0, 0, 0, 1, 3, 1}}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        OpTest test = VECTORIZER("TF", rows[i].min, rows[i].max, rows[i].skips, WORDS, {0});
        float y[7];
        memcpy(y, rows[i].y, sizeof y);
        Tensor expected = op_test_tensor(STRIDER_F32, DIMS(7), y, sizeof y);
        op_test_expect(&test, &expected);
    }
}

static void rows_are_counted_apart_and_weighed(void **state) {
    (void)state;
    static const char *const modes[] = {"TF", "IDF", "TFIDF"};
    static const float ys[3][14] = {{0, 3, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0},
                                    {0, 3, 0, 0, 0, 0, 0, 0, 0, 4, 0, 6, 0, 0},
                                    {0, 9, 0, 0, 0, 0, 0, 0, 0, 4, 0, 6, 0, 0}};
    for (int i = 0; i < 3; i++) {
        OpTest test = VECTORIZER(modes[i], 1, 2, 0, tensor_typed(STRIDER_I32, DIMS(2, 3), 3, 3, 3, 9, 5, 6),
                                 attr_floats("weights", 2, 3, 4, 5, 6, 7, 8));
        float y[14];
        memcpy(y, ys[i], sizeof y);
        Tensor expected = op_test_tensor(STRIDER_F32, DIMS(2, 7), y, sizeof y);
        op_test_expect(&test, &expected);
    }
    OpTest unweighed = VECTORIZER("IDF", 1, 1, 0, tensor_i64(DIMS(2), 3, 3), {0});
    Tensor once = tensor_f32(DIMS(7), 0, 1, 0, 0, 0, 0, 0);
    op_test_expect(&unweighed, &once);
    OpTest empty = VECTORIZER("TF", 1, 2, 0, op_test_tensor(STRIDER_I64, DIMS(0), "", 0), {0});
    Tensor zeros = tensor_f32(DIMS(7), 0, 0, 0, 0, 0, 0, 0);
    op_test_expect(&empty, &zeros);
}

static void of_equal_ngrams_the_last_counts(void **state) {
    (void)state;
    OpTest test = {.op = "TfIdfVectorizer",
                   .opset = 9,
                   .attrs = {attr_string("mode", "TF"), attr_int("min_gram_length", 1),
                             attr_int("max_gram_length", 1), attr_int("max_skip_count", 0),
                             attr_ints("ngram_counts", 0), attr_ints("ngram_indexes", 0, 1, 3),
                             attr_ints("pool_int64s", 4, 4, 9)},
                   .n_inputs = 1,
                   .inputs = {tensor_i64(DIMS(3), 4, 9, 4)}};
    Tensor y = tensor_f32(DIMS(4), 0, 2, 0, 1);
    op_test_expect(&test, &y);
}

static void pools_that_do_not_hold_together_are_refused(void **state) {
    (void)state;
    OpTest lengths = VECTORIZER("TF", 2, 1, 0, WORDS, {0});
    op_test_expect_error(&lengths, STRIDER_BAD_MODEL, "n-grams of 2 to 1 items");
    OpTest mode = VECTORIZER("DF", 1, 1, 0, WORDS, {0});
    op_test_expect_error(&mode, STRIDER_BAD_MODEL, "unknown value \"DF\"");
    OpTest counts = VECTORIZER("TF", 1, 2, 0, WORDS, {0});
    counts.attrs[4] = attr_ints("ngram_counts", 0, 11);
    op_test_expect_error(&counts, STRIDER_BAD_MODEL, "items 0 to 11 of a pool of 10");
    counts.attrs[4] = attr_ints("ngram_counts", 4, 0);
    op_test_expect_error(&counts, STRIDER_BAD_MODEL, "items 4 to 0 of a pool of 10");
    OpTest few = VECTORIZER("TF", 1, 2, 0, WORDS, {0});
    few.attrs[5] = attr_ints("ngram_indexes", 0, 1);
    op_test_expect_error(&few, STRIDER_BAD_MODEL, "more n-grams than the 2");
    few.attrs[5] = attr_ints("ngram_indexes", 0, 1, 2, 3, 4, 5, -1);
    op_test_expect_error(&few, STRIDER_BAD_MODEL, "has the index -1");
    OpTest weights = VECTORIZER("IDF", 1, 2, 0, WORDS, attr_floats("weights", 1, 2));
    op_test_expect_error(&weights, STRIDER_BAD_MODEL, "2 weights for an output of 7");
    OpTest skips = VECTORIZER("TF", 1, 2, INT64_MAX, {.data = NULL}, {0});
    skips.infer_only = true;
    skips.inputs[0] = (Tensor){.type = {STRIDER_I64, DIMS(1 << 20)}};
    op_test_expect_error(&skips, STRIDER_UNSUPPORTED, "skips, more than 1024");
    OpTest rank = VECTORIZER("TF", 1, 2, 0, tensor_i64(shape_scalar(), 1), {0});
    op_test_expect_error(&rank, STRIDER_BAD_MODEL, "rank 0");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ngrams_are_counted_at_every_distance),
        cmocka_unit_test(rows_are_counted_apart_and_weighed),
        cmocka_unit_test(of_equal_ngrams_the_last_counts),
        cmocka_unit_test(pools_that_do_not_hold_together_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
