/* SPDX-License-Identifier: Apache-2.0 */
/* Operators on strings, and those that move them; TfIdfVectorizer. */
#include "support/op_test.h"

#include <math.h>
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

static void strings_are_counted_as_integers_are(void **state) {
    (void)state;
    OpTest test = {.op = "TfIdfVectorizer",
                   .opset = 9,
                   .attrs = {attr_string("mode", "TF"),
                             attr_int("min_gram_length", 1),
                             attr_int("max_gram_length", 2),
                             attr_int("max_skip_count", 0),
                             attr_ints("ngram_counts", 0, 2),
                             attr_ints("ngram_indexes", 0, 1, 2),
                             {.name = "pool_strings",
                              .kind = ATTR_STRINGS,
                              .strings = (const char *const[]){"be", "to", "to", "be"},
                              .count = 4}},
                   .n_inputs = 1,
                   .inputs = {tensor_strings(DIMS(2, 4), "to", "be", "or", "not", "to", "be", "t", "tobe")}};
    Tensor y = tensor_f32(DIMS(2, 3), 1, 1, 1, 1, 1, 1);
    op_test_expect(&test, &y);
    test = (OpTest)VECTORIZER("TF", 1, 2, 0, tensor_strings(DIMS(1), "1"), {0});
    op_test_expect_error(&test, STRIDER_UNSUPPORTED, "string");
}

/* --- moving --- */

#define ABCD tensor_strings(DIMS(2, 2), "a", "bc", "", "d")

static void operators_that_move_elements_move_strings(void **state) {
    (void)state;
    const Tensor scalar = tensor_i64(shape_scalar(), 1);
    struct {
        OpTest test;
        Tensor y;
    } rows[] = {
        {{.op = "Identity", .opset = 16, .n_inputs = 1, .inputs = {ABCD}}, ABCD},
        {{.op = "Transpose", .opset = 13, .n_inputs = 1, .inputs = {ABCD}},
         tensor_strings(DIMS(2, 2), "a", "", "bc", "d")},
        {{.op = "Reshape", .opset = 13, .n_inputs = 2, .inputs = {ABCD, tensor_i64(DIMS(1), 4)}},
         tensor_strings(DIMS(4), "a", "bc", "", "d")},
        {{.op = "Concat", .opset = 13, .attrs = {attr_int("axis", 1)}, .n_inputs = 2, .inputs = {ABCD, ABCD}},
         tensor_strings(DIMS(2, 4), "a", "bc", "a", "bc", "", "d", "", "d")},
        {{.op = "Slice",
          .opset = 13,
          .n_inputs = 4,
          .inputs = {ABCD, tensor_i64(DIMS(1), 1), tensor_i64(DIMS(1), 2), tensor_i64(DIMS(1), 1)}},
         tensor_strings(DIMS(2, 1), "bc", "d")},
        {{.op = "Gather", .opset = 13, .n_inputs = 2, .inputs = {ABCD, scalar}},
         tensor_strings(DIMS(2), "", "d")},
        {{.op = "GatherElements", .opset = 13, .n_inputs = 2, .inputs = {ABCD, tensor_i64(DIMS(1, 2), 1, 0)}},
         tensor_strings(DIMS(1, 2), "", "bc")},
        {{.op = "GatherND", .opset = 13, .n_inputs = 2, .inputs = {ABCD, tensor_i64(DIMS(1, 2), 0, 1)}},
         tensor_strings(DIMS(1), "bc")},
        {{.op = "ScatterElements",
          .opset = 13,
          .n_inputs = 3,
          .inputs = {ABCD, tensor_i64(DIMS(1, 1), 1), tensor_strings(DIMS(1, 1), "new")}},
         tensor_strings(DIMS(2, 2), "a", "bc", "new", "d")},
        {{.op = "ScatterND",
          .opset = 13,
          .n_inputs = 3,
          .inputs = {ABCD, tensor_i64(DIMS(1, 2), 0, 0), tensor_strings(DIMS(1), "new")}},
         tensor_strings(DIMS(2, 2), "new", "bc", "", "d")},
        {{.op = "Expand",
          .opset = 13,
          .n_inputs = 2,
          .inputs = {tensor_strings(DIMS(1), "x"), tensor_i64(DIMS(1), 3)}},
         tensor_strings(DIMS(3), "x", "x", "x")},
        {{.op = "Tile",
          .opset = 13,
          .n_inputs = 2,
          .inputs = {tensor_strings(DIMS(2), "x", "y"), tensor_i64(DIMS(1), 2)}},
         tensor_strings(DIMS(4), "x", "y", "x", "y")},
        {{.op = "Pad",
          .opset = 19,
          .n_inputs = 2,
          .inputs = {tensor_strings(DIMS(1), "x"), tensor_i64(DIMS(2), 1, 1)}},
         tensor_strings(DIMS(3), "", "x", "")},
        {{.op = "Pad",
          .opset = 19,
          .n_inputs = 3,
          .inputs = {tensor_strings(DIMS(1), "x"), tensor_i64(DIMS(2), 1, 0),
                     tensor_strings(shape_scalar(), "pad")}},
         tensor_strings(DIMS(2), "pad", "x")},
        {{.op = "Where",
          .opset = 16,
          .n_inputs = 3,
          .inputs = {tensor_typed(STRIDER_BOOL, DIMS(2), 1, 0), tensor_strings(DIMS(2), "a", "b"),
                     tensor_strings(DIMS(1), "c")}},
         tensor_strings(DIMS(2), "a", "c")},
        {{.op = "OneHot",
          .opset = 11,
          .n_inputs = 3,
          .inputs = {tensor_i64(DIMS(1), 1), tensor_i64(DIMS(1), 3), tensor_strings(DIMS(2), "off", "on")}},
         tensor_strings(DIMS(1, 3), "off", "on", "off")},
        {{.op = "ReverseSequence",
          .opset = 10,
          .n_inputs = 2,
          .inputs = {tensor_strings(DIMS(2, 1), "a", "b"), tensor_i64(DIMS(1), 2)}},
         tensor_strings(DIMS(2, 1), "b", "a")},
        {{.op = "Trilu", .opset = 14, .n_inputs = 1, .inputs = {ABCD}},
         tensor_strings(DIMS(2, 2), "a", "bc", "", "d")},
        {{.op = "CenterCropPad",
          .opset = 18,
          .n_inputs = 2,
          .inputs = {tensor_strings(DIMS(1), "x"), tensor_i64(DIMS(1), 3)}},
         tensor_strings(DIMS(3), "", "x", "")},
        {{.op = "Compress",
          .opset = 11,
          .n_inputs = 2,
          .inputs = {ABCD, tensor_typed(STRIDER_BOOL, DIMS(4), 0, 1, 0, 1)}},
         tensor_strings(DIMS(2), "bc", "d")},
        {{.op = "Split", .opset = 13, .n_inputs = 1, .inputs = {tensor_strings(DIMS(1), "x")}},
         tensor_strings(DIMS(1), "x")},
        {{.op = "DepthToSpace",
          .opset = 13,
          .attrs = {attr_int("blocksize", 2)},
          .n_inputs = 1,
          .inputs = {tensor_strings(DIMS(1, 4, 1, 1), "a", "b", "c", "d")}},
         tensor_strings(DIMS(1, 1, 2, 2), "a", "b", "c", "d")},
        {{.op = "Shape", .opset = 13, .n_inputs = 1, .inputs = {ABCD}}, tensor_i64(DIMS(2), 2, 2)},
        {{.op = "Equal", .opset = 19, .n_inputs = 2, .inputs = {ABCD, tensor_strings(DIMS(2), "a", "d")}},
         tensor_typed(STRIDER_BOOL, DIMS(2, 2), 1, 0, 0, 1)},
        {{.op = "Cast", .opset = 9, .attrs = {attr_int("to", 8)}, .n_inputs = 1, .inputs = {ABCD}}, ABCD},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        op_test_expect(&rows[i].test, &rows[i].y);
}

/* Their elements are wider than all others, and no numbers. */
static void all_other_operators_refuse_strings(void **state) {
    (void)state;
    static const char *const ops[] = {
        "Relu",     "Abs",     "Not",           "Softmax", "ReduceSum", "ArgMax", "CumSum",
        "TopK",     "Resize",  "MaxPool",       "Det",     "Erf",       "Clip",   "IsNaN",
        "EyeLike",  "Hardmax", "GlobalMaxPool", "NonZero", "Unique",    "DFT",    "RandomNormalLike",
        "Bernoulli"};
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        OpTest test = {.op = ops[i], .opset = 20, .n_inputs = 1, .inputs = {tensor_strings(DIMS(1, 1), "a")}};
        Status status = op_test_run(&test);
        if (status != STRIDER_UNSUPPORTED && status != STRIDER_BAD_MODEL)
            fail_msg("%s takes strings: %d", ops[i], (int)status);
        op_test_free(&test);
    }
    Tensor a = tensor_strings(DIMS(1), "a");
    OpTest sum = {.op = "Add", .opset = 14, .n_inputs = 2, .inputs = {a, a}};
    op_test_expect_error(&sum, STRIDER_UNSUPPORTED, "string");
    OpTest filled = {.op = "ConstantOfShape",
                     .opset = 9,
                     .attrs = {{.name = "value", .kind = ATTR_TENSOR, .tensor = &a}},
                     .n_inputs = 1,
                     .inputs = {tensor_i64(DIMS(1), 2)}};
    op_test_expect_error(&filled, STRIDER_UNSUPPORTED, "output 0 of strings");
}

/* --- Cast --- */

static void numbers_become_the_shortest_text(void **state) {
    (void)state;
    static const struct {
        DType dtype;
        double value;
        const char *text;
    } rows[] = {{STRIDER_F32, 314.15926, "314.15927"},
                {STRIDER_F32, 0.1, "0.1"},
                {STRIDER_F32, 1, "1.0"},
                {STRIDER_F32, -0.0, "-0.0"},
                {STRIDER_F32, 16777216, "16777216.0"},
                {STRIDER_F32, 1e15, "1000000000000000.0"},
                {STRIDER_F32, 1e16, "1e+16"},
                {STRIDER_F32, 0.0001, "0.0001"},
                {STRIDER_F32, 0.00001, "1e-05"},
                {STRIDER_F32, 1.17549435e-38, "1.1754944e-38"},
                {STRIDER_F64, 0.1, "0.1"},
                {STRIDER_F64, 1.0 / 3, "0.3333333333333333"},
                {STRIDER_F64, 1.7976931348623157e308, "1.7976931348623157e+308"},
                {STRIDER_F16, 0.1, "0.1"},
                {STRIDER_F16, 65504, "65500.0"},
                {STRIDER_BF16, 3.140625, "3.14"},
                {STRIDER_F32, NAN, "NaN"},
                {STRIDER_F32, INFINITY, "INF"},
                {STRIDER_F32, -INFINITY, "-INF"},
                {STRIDER_I8, -128, "-128"},
                {STRIDER_U8, 255, "255"},
                {STRIDER_I64, -0x1p63, "-9223372036854775808"},
                {STRIDER_BOOL, 1, "True"},
                {STRIDER_BOOL, 0, "False"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        OpTest test = {.op = "Cast",
                       .opset = 13,
                       .attrs = {attr_int("to", 8)},
                       .n_inputs = 1,
                       .inputs = {tensor_typed(rows[i].dtype, DIMS(1), rows[i].value)}};
        Tensor y = tensor_strings(DIMS(1), rows[i].text);
        op_test_expect(&test, &y);
    }
    uint64_t largest = UINT64_MAX;
    OpTest wide = {.op = "Cast",
                   .opset = 13,
                   .attrs = {attr_int("to", 8)},
                   .n_inputs = 1,
                   .inputs = {op_test_tensor(STRIDER_U64, DIMS(1), &largest, 8)}};
    Tensor y = tensor_strings(DIMS(1), "18446744073709551615");
    op_test_expect(&wide, &y);
}

static void texts_become_numbers(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int number; /* ONNX's, of the type */
        DType dtype;
        double value;
    } rows[] = {{"3.14", 1, STRIDER_F32, 3.14f},     {"1000", 1, STRIDER_F32, 1000},
                {"1e-5", 11, STRIDER_F64, 1e-5},     {"1E8", 11, STRIDER_F64, 1e8},
                {"+inf", 1, STRIDER_F32, INFINITY},  {"INF", 1, STRIDER_F32, INFINITY},
                {"-Inf", 1, STRIDER_F32, -INFINITY}, {"nan", 1, STRIDER_F32, NAN},
                {".5", 10, STRIDER_F16, 0.5},        {"-0", 1, STRIDER_F32, -0.0},
                {"100.5", 7, STRIDER_I64, 100},      {"-7", 6, STRIDER_I32, -7},
                {"300", 2, STRIDER_U8, 255},         {"-1", 13, STRIDER_U64, 0},
                {"true", 9, STRIDER_BOOL, 1},        {"FALSE", 9, STRIDER_BOOL, 0},
                {"2", 9, STRIDER_BOOL, 1},           {"1e400", 11, STRIDER_F64, INFINITY}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        OpTest test = {.op = "Cast",
                       .opset = 13,
                       .attrs = {attr_int("to", rows[i].number)},
                       .n_inputs = 1,
                       .inputs = {tensor_strings(DIMS(1), rows[i].text)}};
        Tensor y = tensor_typed(rows[i].dtype, DIMS(1), rows[i].value);
        op_test_expect(&test, &y);
    }
    OpTest exact = {.op = "Cast",
                    .opset = 13,
                    .attrs = {attr_int("to", 7)},
                    .n_inputs = 1,
                    .inputs = {tensor_strings(DIMS(1), "9007199254740993")}};
    Tensor y = tensor_i64(DIMS(1), 9007199254740993);
    op_test_expect(&exact, &y);
    static const char *const wrong[] = {"", "abc", "1x", "0x10", "1 ", " 1", "nan(1)", "--1", "1e", "true"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        OpTest test = {.op = "Cast",
                       .opset = 13,
                       .attrs = {attr_int("to", 1)},
                       .n_inputs = 1,
                       .inputs = {tensor_strings(DIMS(2), "1", wrong[i])}};
        op_test_expect_error(&test, STRIDER_BAD_MODEL, "element 1");
    }
}

/* --- StringConcat, StringSplit, StringNormalizer --- */

static void concat_appends_with_broadcasting(void **state) {
    (void)state;
    OpTest test = {.op = "StringConcat",
                   .opset = 20,
                   .n_inputs = 2,
                   .inputs = {tensor_strings(DIMS(2, 1), "a", ""), tensor_strings(DIMS(2), "x", "")}};
    Tensor y = tensor_strings(DIMS(2, 2), "ax", "a", "x", "");
    op_test_expect(&test, &y);
    OpTest wide = {.op = "StringConcat",
                   .opset = 20,
                   .n_inputs = 2,
                   .inputs = {tensor_strings(DIMS(2), "a", ""), tensor_strings(DIMS(3), "x", "", "")}};
    op_test_expect_error(&wide, STRIDER_BAD_MODEL, "do not broadcast");
}

static void split_gives_parts_and_their_number(void **state) {
    (void)state;
    const struct {
        const char *delimiter;
        int64_t maxsplit;
        Tensor x, parts, counts;
    } rows[] = {
        {".", -1, tensor_strings(DIMS(2), "a.bc", "d"), tensor_strings(DIMS(2, 2), "a", "bc", "d", ""),
         tensor_i64(DIMS(2), 2, 1)},
        {"", -1, tensor_strings(DIMS(3), "  a b\tc\n", "", " \r "),
         tensor_strings(DIMS(3, 3), "a", "b", "c", "", "", "", "", "", ""), tensor_i64(DIMS(3), 3, 0, 0)},
        {"", 1, tensor_strings(DIMS(1), " a  b c "), tensor_strings(DIMS(1, 2), "a", "b c "),
         tensor_i64(DIMS(1), 2)},
        {"", 0, tensor_strings(DIMS(1), " a b "), tensor_strings(DIMS(1, 1), "a b "), tensor_i64(DIMS(1), 1)},
        {"--", 1, tensor_strings(DIMS(1), "a--b--c"), tensor_strings(DIMS(1, 2), "a", "b--c"),
         tensor_i64(DIMS(1), 2)},
        {"-", -1, tensor_strings(DIMS(3), "o-n--", "", "-"),
         tensor_strings(DIMS(3, 4), "o", "n", "", "", "", "", "", "", "", "", "", ""),
         tensor_i64(DIMS(3), 4, 1, 2)},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        OpTest test = {
            .op = "StringSplit",
            .opset = 20,
            .attrs = {attr_string("delimiter", rows[i].delimiter), attr_int("maxsplit", rows[i].maxsplit)},
            .n_inputs = 1,
            .n_outputs = 2,
            .inputs = {rows[i].x}};
        if (op_test_run(&test))
            fail_msg("%s", test.error.message);
        assert_tensor_close(&test.outputs[0], &rows[i].parts, 0, 0);
        assert_tensor_close(&test.outputs[1], &rows[i].counts, 0, 0);
        op_test_free(&test);
    }
    OpTest none = {.op = "StringSplit",
                   .opset = 20,
                   .n_inputs = 1,
                   .inputs = {op_test_tensor(STRIDER_STRING, DIMS(0), "", 0)}};
    Tensor empty = op_test_tensor(STRIDER_STRING, DIMS(0, 0), "", 0);
    op_test_expect(&none, &empty);
}

static void normalizer_drops_words_and_changes_case(void **state) {
    (void)state;
    const Attr stopwords = {.name = "stopwords",
                            .kind = ATTR_STRINGS,
                            .strings = (const char *const[]){"Monday", "\xc3\x84hm"},
                            .count = 2};
    const struct {
        const char *change;
        int sensitive;
        Tensor x, y;
    } rows[] = {
        {"NONE", 1, tensor_strings(DIMS(3), "monday", "Monday", "day"),
         tensor_strings(DIMS(2), "monday", "day")},
        {"NONE", 0, tensor_strings(DIMS(1, 4), "monday", "MONDAY", "\xc3\xa4HM", "day"),
         tensor_strings(DIMS(1, 1), "day")},
        {"UPPER", 1, tensor_strings(DIMS(2), "d\xc3\xa4y", "Monday"), tensor_strings(DIMS(1), "D\xc3\x84Y")},
        {"LOWER", 0,
         tensor_strings(DIMS(2), "\xd0\x96X",
                        "a\xff"
                        "B"),
         tensor_strings(DIMS(2), "\xd0\xb6x",
                        "a\xff"
                        "b")},
        {"UPPER", 0, tensor_strings(DIMS(2), "monday", "Monday"), tensor_strings(DIMS(1), "")},
        {"NONE", 0, tensor_strings(DIMS(1, 1), "Monday"), tensor_strings(DIMS(1, 1), "")},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        OpTest test = {.op = "StringNormalizer",
                       .opset = 10,
                       .attrs = {attr_string("case_change_action", rows[i].change),
                                 attr_int("is_case_sensitive", rows[i].sensitive), stopwords},
                       .n_inputs = 1,
                       .inputs = {rows[i].x}};
        op_test_expect(&test, &rows[i].y);
    }
    OpTest two = {.op = "StringNormalizer",
                  .opset = 10,
                  .n_inputs = 1,
                  .inputs = {tensor_strings(DIMS(2, 1), "a", "b")}};
    op_test_expect_error(&two, STRIDER_BAD_MODEL, "2 rows");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ngrams_are_counted_at_every_distance),
        cmocka_unit_test(rows_are_counted_apart_and_weighed),
        cmocka_unit_test(of_equal_ngrams_the_last_counts),
        cmocka_unit_test(pools_that_do_not_hold_together_are_refused),
        cmocka_unit_test(strings_are_counted_as_integers_are),
        cmocka_unit_test(operators_that_move_elements_move_strings),
        cmocka_unit_test(all_other_operators_refuse_strings),
        cmocka_unit_test(numbers_become_the_shortest_text),
        cmocka_unit_test(texts_become_numbers),
        cmocka_unit_test(concat_appends_with_broadcasting),
        cmocka_unit_test(split_gives_parts_and_their_number),
        cmocka_unit_test(normalizer_drops_words_and_changes_case),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
