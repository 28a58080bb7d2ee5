/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel_test.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "ops/nn/attention.h"

/* Of batch, heads of queries, heads of keys, rows, keys, size and size of values. */
static KernelTest attention_test(int64_t n, int64_t heads, int64_t kv_heads, int64_t rows, int64_t keys,
                                 int64_t size, int64_t v_size) {
    return (KernelTest){.op = "Attention",
                        .opset = 25,
                        .inputs = {DIMS(n, heads, rows, size), DIMS(n, kv_heads, keys, size),
                                   DIMS(n, kv_heads, keys, v_size)},
                        .n_inputs = 3,
                        .low = -2,
                        .high = 2,
                        .rtol = 1e-5,
                        .atol = 2e-6,
                        .must_accept = true,
                        .seed = (uint64_t)(rows * 1000 + keys)};
}

static const int64_t row_counts[] = {1, 3, 5, 14, 15, 49, 70};
static const int64_t key_counts[] = {1, 5, 16, 31, 33, 49, 256, 300, 530};
static const int64_t sizes[] = {1, 3, 8, 16, 20, 32, 64, 300};

enum {
    N_ROWS = sizeof row_counts / sizeof *row_counts,
    N_KEYS = sizeof key_counts / sizeof *key_counts,
    N_SIZES = sizeof sizes / sizeof *sizes
};

static void attention_of_all_sizes(void **state) {
    (void)state;
    uint64_t seed = 1;
    for (int i = 0; i < N_ROWS; i++)
        for (int j = 0; j < N_KEYS; j++)
            kernel_test_check(attention_test(1, 2, 2, row_counts[i], key_counts[j],
                                             sizes[random_below(&seed, N_SIZES)],
                                             sizes[random_below(&seed, N_SIZES)]));
}

static void add_mask(KernelTest *test, Shape shape, uint8_t *bools) {
    test->n_inputs = 4;
    test->inputs[ATTENTION_MASK] = shape;
    if (!bools)
        return;
    uint64_t seed = test->seed;
    for (int64_t i = 0; i < shape_elements(&shape); i++)
        bools[i] = random_below(&seed, 3) > 0;
    test->given[ATTENTION_MASK] = tensor_view(STRIDER_BOOL, &shape, bools);
}

static void attention_with_every_mask(void **state) {
    (void)state;
    static uint8_t bools[2 * 4 * 19 * 300];
    for (int j = 0; j < N_KEYS; j++)
        for (int form = 0; form < 14; form++) {
            const int64_t keys = key_counts[j] > 300 ? 300 : key_counts[j], fewer = keys - keys / 3;
            const Shape shapes[] = {DIMS(keys),           DIMS(19, keys),       DIMS(4, 1, keys),
                                    DIMS(2, 1, 19, keys), DIMS(2, 4, 19, keys), DIMS(1, 4, 1, fewer),
                                    DIMS(19, 1)};
            KernelTest test = attention_test(2, 4, 2, 19, keys, 16, 16);
            add_mask(&test, shapes[form / 2], form % 2 ? bools : NULL);
            kernel_test_check(test);
        }
}

/* Of a mask's first three rows: all, some and none are -infinity. */
static void rows_that_see_nothing(void **state) {
    (void)state;
    float mask[6 * 290];
    for (int64_t i = 0; i < 6 * 290; i++)
        mask[i] = i < 290 || (i < 700 && i % 3) ? -INFINITY : (float)(i % 7);
    const Shape shape = DIMS(6, 290);
    KernelTest test = attention_test(1, 2, 1, 6, 290, 16, 20);
    test.n_inputs = 4;
    test.given[ATTENTION_MASK] = tensor_view(STRIDER_F32, &shape, mask);
    kernel_test_check(test);
}

static void attention_of_windows(void **state) {
    (void)state;
    static const int windows[][3] = {{1, -1, -1}, {0, 3, 2}, {1, 40, -1},
                                     {0, -1, 0},  {0, 0, 0}, {0, 300, 300}};
    for (size_t i = 0; i < sizeof windows / sizeof *windows; i++)
        for (int j = 0; j < N_KEYS; j++) {
            KernelTest test = attention_test(1, 2, 1, 70, key_counts[j], 16, 32);
            test.attrs[0] = attr_int("is_causal", windows[i][0]);
            test.attrs[1] = attr_int("left_window_size", windows[i][1]);
            test.attrs[2] = attr_int("right_window_size", windows[i][2]);
            kernel_test_check(test);
            add_mask(&test, DIMS(key_counts[j]), NULL);
            kernel_test_check(test);
        }
}

static void attention_of_lengths(void **state) {
    (void)state;
    static const int64_t lengths[][3] = {{5, 300, 40}, {0, -7, 1}, {INT64_MAX, INT64_MIN, 299}};
    for (int i = 0; i < 6; i++) {
        KernelTest test = attention_test(3, 2, 2, 9, 300, 16, 16);
        const Shape shape = DIMS(3);
        test.attrs[0] = attr_int("is_causal", i % 2);
        test.n_inputs = 7;
        test.absent = 1 << ATTENTION_MASK | 1 << ATTENTION_PAST_KEY | 1 << ATTENTION_PAST_VALUE;
        test.given[ATTENTION_LENGTHS] = tensor_view(STRIDER_I64, &shape, (void *)lengths[i / 2]);
        kernel_test_check(test);
    }
}

static void attention_after_a_past(void **state) {
    (void)state;
    static const int64_t pasts[] = {1, 31, 256, 270};
    for (int i = 0; i < 16; i++) {
        const int64_t past = pasts[i % 4];
        KernelTest test = attention_test(2, 4, 2, 5, 33, 20, 16);
        test.n_inputs = 6;
        test.absent = 1 << ATTENTION_MASK;
        test.inputs[ATTENTION_PAST_KEY] = DIMS(2, 2, past, 20);
        test.inputs[ATTENTION_PAST_VALUE] = DIMS(2, 2, past, 16);
        test.attrs[0] = attr_int("is_causal", i / 4 % 2);
        test.n_outputs = 3;
        test.unused_outputs = i >= 12 ? 6 : i >= 8 ? 2 : 0;
        kernel_test_check(test);
    }
}

static void attention_of_packed_heads_with_a_cap(void **state) {
    (void)state;
    for (int i = 0; i < N_ROWS; i++) {
        KernelTest test = attention_test(1, 1, 1, 1, 1, 1, 1);
        test.inputs[ATTENTION_Q] = DIMS(2, row_counts[i], 6 * 8);
        test.inputs[ATTENTION_K] = DIMS(2, 40, 2 * 8);
        test.inputs[ATTENTION_V] = DIMS(2, 40, 2 * 20);
        test.attrs[0] = attr_int("q_num_heads", 6);
        test.attrs[1] = attr_int("kv_num_heads", 2);
        test.attrs[2] = attr_float("scale", 0.7f);
        test.attrs[3] = attr_float("softcap", i % 2 ? 1.5f : 0);
        kernel_test_check(test);
    }
}

/* Inputs of a 16-bit type, whose results are rounded once more. */
static void attention_of_short_floats(void **state) {
    (void)state;
    static uint16_t halves[5][2 * 2 * 300 * 20];
    const Shape shapes[] = {DIMS(2, 2, 9, 20), DIMS(2, 2, 40, 20),  DIMS(2, 2, 40, 12),
                            DIMS(9, 300),      DIMS(2, 2, 260, 20), DIMS(2, 2, 260, 12)};
    static uint16_t more[2 * 2 * 300 * 20];
    for (int form = 0; form < 4; form++) {
        const DType dtype = form % 2 ? STRIDER_BF16 : STRIDER_F16;
        KernelTest test = attention_test(1, 1, 1, 1, 1, 1, 1);
        test.n_inputs = 6;
        test.n_outputs = 3;
        test.rtol = form % 2 ? 8e-3 : 1e-3;
        for (int port = 0; port < 6; port++) {
            test.given[port] = tensor_view(dtype, &shapes[port], port < 5 ? halves[port] : more);
            for (int64_t i = 0; i < tensor_elements(&test.given[port]); i++)
                tensor_set_f64(&test.given[port], i, (double)((i * 37 + port * 11) % 101) / 50 - 1);
        }
        if (form > 1)
            test.absent = 1 << ATTENTION_MASK;
        kernel_test_check(test);
    }
}

/* --- what passes set --- */

static void set_rows_first(Node *node) {
    AttentionAttrs *attrs = node->attrs;
    attrs->is_fused = true;
    attrs->order[ATTENTION_Q] = attrs->order[ATTENTION_K] = attrs->y_order = ATTENTION_ROWS_FIRST;
}

static void set_fused(Node *node) {
    AttentionAttrs *attrs = node->attrs;
    attrs->is_fused = attrs->nan_where_none = true;
}

static void attention_as_passes_make_it(void **state) {
    (void)state;
    for (int i = 0; i < N_ROWS; i++) {
        KernelTest test = attention_test(2, 3, 3, 1, 41, 16, 32);
        test.inputs[ATTENTION_Q] = DIMS(2, row_counts[i], 3, 16);
        test.inputs[ATTENTION_K] = DIMS(2, 41, 3, 16);
        test.adjust = set_rows_first;
        kernel_test_check(test);
        KernelTest flat = attention_test(1, 1, 1, 1, 1, 1, 1);
        flat.inputs[ATTENTION_Q] = DIMS(6, row_counts[i], 16);
        flat.inputs[ATTENTION_K] = flat.inputs[ATTENTION_V] = DIMS(6, 41, 16);
        flat.adjust = set_fused;
        uint8_t bools[70 * 41] = {0};
        add_mask(&flat, DIMS(row_counts[i], 41), bools);
        for (int j = 0; j < 41; j++)
            bools[j] = 0;
        kernel_test_check(flat);
        KernelTest windows = attention_test(1, 1, 1, 1, 1, 1, 1);
        windows.inputs[ATTENTION_Q] = DIMS(3, 2, 5, row_counts[i], 16);
        windows.inputs[ATTENTION_K] = windows.inputs[ATTENTION_V] = DIMS(3, 2, 5, 41, 16);
        windows.adjust = set_fused;
        add_mask(&windows, DIMS(1, 2, 1, row_counts[i], 41), NULL);
        kernel_test_check(windows);
    }
}

/* --- what stands beside it --- */

static void rotary_embedding(void **state) {
    (void)state;
    static const int64_t sizes_of_heads[] = {2, 6, 16, 18, 34, 64};
    static const int64_t positions[] = {5, 0, 3, 3, 1, 4};
    for (int i = 0; i < 6; i++)
        for (int form = 0; form < 8; form++) {
            const int64_t size = sizes_of_heads[i], turned = form & 4 ? (size + 2) / 4 * 2 : size;
            KernelTest test = {.op = "RotaryEmbedding",
                               .opset = 23,
                               .attrs = {attr_int("interleaved", form & 1), attr_int("num_heads", 5),
                                         attr_int("rotary_embedding_dim", form & 4 ? turned : 0)},
                               .inputs = {form & 2 ? DIMS(2, 3, 5 * size) : DIMS(2, 5, 3, size),
                                          DIMS(2, 3, turned / 2), DIMS(2, 3, turned / 2)},
                               .n_inputs = 3,
                               .must_accept = true};
            kernel_test_check(test);
            const Shape shape = DIMS(2, 3);
            test.inputs[1] = test.inputs[2] = DIMS(6, turned / 2);
            test.n_inputs = 4;
            test.given[3] = tensor_view(STRIDER_I64, &shape, (void *)positions);
            kernel_test_check(test);
        }
}

static void swiglu(void **state) {
    (void)state;
    for (int c = 0; c < N_TEST_CHANNELS; c++)
        kernel_test_check(
            (KernelTest){.op = "SwiGLU",
                         .opset = 28,
                         .attrs = {attr_float("alpha", 1.7f)},
                         .inputs = {DIMS(2, test_channels[c], 70, 71), DIMS(2, test_channels[c], 70, 71)},
                         .n_inputs = 2,
                         .low = -20,
                         .high = 20,
                         .rtol = 1e-6,
                         .must_accept = true});
}

int attention_kernel_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attention_of_all_sizes),
        cmocka_unit_test(attention_with_every_mask),
        cmocka_unit_test(rows_that_see_nothing),
        cmocka_unit_test(attention_of_windows),
        cmocka_unit_test(attention_of_lengths),
        cmocka_unit_test(attention_after_a_past),
        cmocka_unit_test(attention_of_packed_heads_with_a_cap),
        cmocka_unit_test(attention_of_short_floats),
        cmocka_unit_test(attention_as_passes_make_it),
        cmocka_unit_test(rotary_embedding),
        cmocka_unit_test(swiglu),
    };
    return cmocka_run_group_tests_name("attention kernels", tests, NULL, NULL);
}

void attention_kernel_times(void) {
    static const struct {
        const char *label;
        int64_t n, heads, rows, keys, size;
    } cases[] = {
        {"vit_b_16", 1, 12, 197, 197, 64},         {"swin_t, first stage", 64, 3, 49, 49, 32},
        {"swin_t, last stage", 1, 24, 49, 49, 32}, {"1024 of 512, one head", 1, 1, 1024, 1024, 512},
        {"4096 of 64", 1, 8, 4096, 4096, 64},      {"decoding after 2048", 1, 32, 1, 2048, 64},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        kernel_test_time(attention_test(cases[i].n, cases[i].heads, cases[i].heads, cases[i].rows,
                                        cases[i].keys, cases[i].size, cases[i].size),
                         cases[i].label);
}
