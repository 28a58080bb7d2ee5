/* SPDX-License-Identifier: Apache-2.0 */
/* Attention.  With keys that are logarithms of whole numbers, a query of 1 weighs values by these numbers. */
#include "ops/nn/attention.h"
#include "support/op_test.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define LN2 0.69314718055994531
#define LN3 1.0986122886681098
#define LN4 1.3862943611198906
#define LN6 1.791759469228055

static OpTest attention(Tensor q, Tensor k, Tensor v, int opset) {
    return (OpTest){.op = "Attention", .opset = opset, .n_inputs = 3, .inputs = {q, k, v}};
}

/* One head of size 1 with four rows, and keys that weigh 1, 2, 3 and 4. */
#define FOUR_ROWS(OPSET)                                                                                     \
    attention(tensor_f32(DIMS(1, 1, 4, 1), 1, 1, 1, 1),                                                      \
              tensor_typed(STRIDER_F32, DIMS(1, 1, 4, 1), 0, LN2, LN3, LN4),                                 \
              tensor_f32(DIMS(1, 1, 4, 1), 10, 20, 30, 40), OPSET)

static void values_are_weighed_by_their_keys(void **state) {
    (void)state;
    OpTest test = FOUR_ROWS(23);
    Tensor y = tensor_f32(DIMS(1, 1, 4, 1), 30, 30, 30, 30);
    op_test_expect(&test, &y);
    OpTest two = attention(tensor_f32(DIMS(1, 1, 1, 2), 1, 0), tensor_f32(DIMS(1, 1, 2, 2), 1, 0, 0, 1),
                           tensor_f32(DIMS(1, 1, 2, 1), 4, 8), 23);
    two.attrs[0] = attr_float("scale", (float)LN3);
    Tensor five = tensor_f32(DIMS(1, 1, 1, 1), 5);
    op_test_expect(&two, &five);
}

/* Without the attribute scores are divided by the root of the head's size. */
static void the_scale_follows_from_the_head(void **state) {
    (void)state;
    OpTest test = attention(tensor_f32(DIMS(1, 1, 1, 4), 1, 1, 1, 1),
                            tensor_typed(STRIDER_F32, DIMS(1, 1, 2, 4), 0, 0, 0, 0, LN3, LN3, 0, 0),
                            tensor_f32(DIMS(1, 1, 2, 1), 4, 8), 23);
    Tensor y = tensor_f32(DIMS(1, 1, 1, 1), 7);
    op_test_expect(&test, &y);
}

static void every_float_type_is_computed(void **state) {
    (void)state;
    static const DType dtypes[] = {STRIDER_F16, STRIDER_BF16, STRIDER_F64};
    for (int i = 0; i < 3; i++) {
        OpTest test = attention(tensor_typed(dtypes[i], DIMS(1, 1, 1, 1), 1),
                                tensor_typed(dtypes[i], DIMS(1, 1, 2, 1), 2, 2),
                                tensor_typed(dtypes[i], DIMS(1, 1, 2, 2), 1, 3, 2, 5), 23);
        Tensor y = tensor_typed(dtypes[i], DIMS(1, 1, 1, 2), 1.5, 4);
        op_test_expect(&test, &y);
    }
}

static void a_mask_is_added_or_chooses(void **state) {
    (void)state;
    const struct {
        Tensor mask;
        float y[4];
    } cases[] = {
        {tensor_typed(STRIDER_BOOL, DIMS(4), 1, 0, 0, 1), {34, 34, 34, 34}},
        {tensor_typed(STRIDER_BOOL, DIMS(2), 1, 1), {50.0f / 3, 50.0f / 3, 50.0f / 3, 50.0f / 3}},
        {tensor_typed(STRIDER_BOOL, DIMS(4, 1), 1, 1, 0, 1), {10, 10, 0, 10}},
        {tensor_typed(STRIDER_F32, DIMS(1, 1, 1, 4), LN4, LN2, 0, -INFINITY),
         {210.0f / 11, 210.0f / 11, 210.0f / 11, 210.0f / 11}},
        {tensor_typed(STRIDER_BOOL, DIMS(1, 4, 4), 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1),
         {10, 20, 0, 250.0f / 7}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        OpTest test = FOUR_ROWS(23);
        test.n_inputs = 4;
        test.inputs[ATTENTION_MASK] = cases[i].mask;
        const float *v = cases[i].y;
        Tensor y = tensor_f32(DIMS(1, 1, 4, 1), v[0], v[1], v[2], v[3]);
        op_test_expect(&test, &y);
    }
}

static void rows_see_what_windows_leave(void **state) {
    (void)state;
    const struct {
        int opset, causal, left, right;
        float y[4];
    } cases[] = {
        {23, 1, -1, -1, {10, 50.0f / 3, 140.0f / 6, 30}}, {25, 0, 0, 0, {10, 20, 30, 40}},
        {25, 0, 1, 0, {10, 50.0f / 3, 26, 250.0f / 7}},   {25, 0, -1, 1, {50.0f / 3, 140.0f / 6, 30, 30}},
        {25, 1, 1, 3, {10, 50.0f / 3, 26, 250.0f / 7}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        OpTest test = FOUR_ROWS(cases[i].opset);
        test.attrs[0] = attr_int("is_causal", cases[i].causal);
        if (cases[i].opset == 25) {
            test.attrs[1] = attr_int("left_window_size", cases[i].left);
            test.attrs[2] = attr_int("right_window_size", cases[i].right);
        }
        const float *v = cases[i].y;
        Tensor y = tensor_f32(DIMS(1, 1, 4, 1), v[0], v[1], v[2], v[3]);
        op_test_expect(&test, &y);
    }
}

/* What is not seen is not looked at. */
static void what_is_masked_has_no_part(void **state) {
    (void)state;
    OpTest test = attention(tensor_f32(DIMS(1, 1, 1, 1), 1), tensor_f32(DIMS(1, 1, 2, 1), 1, NAN),
                            tensor_f32(DIMS(1, 1, 2, 1), 7, INFINITY), 23);
    test.n_inputs = 4;
    test.inputs[ATTENTION_MASK] = tensor_typed(STRIDER_BOOL, DIMS(2), 1, 0);
    Tensor y = tensor_f32(DIMS(1, 1, 1, 1), 7);
    op_test_expect(&test, &y);
}

/* Two batches, of which the second has more rows than keys: its first row sees none. */
static void lengths_end_what_is_seen(void **state) {
    (void)state;
    for (int causal = 0; causal < 2; causal++) {
        OpTest test = attention(tensor_f32(DIMS(2, 1, 2, 1), 1, 1, 1, 1),
                                tensor_typed(STRIDER_F32, DIMS(2, 1, 3, 1), 0, LN2, LN3, 0, LN2, LN3),
                                tensor_f32(DIMS(2, 1, 3, 1), 10, 20, 30, 10, 20, 30), 24);
        test.n_inputs = 7;
        test.inputs[ATTENTION_LENGTHS] = tensor_i64(DIMS(2), 3, 1);
        test.attrs[0] = attr_int("is_causal", causal);
        Tensor all = tensor_f32(DIMS(2, 1, 2, 1), 140.0f / 6, 140.0f / 6, 10, 10);
        Tensor bounded = tensor_f32(DIMS(2, 1, 2, 1), 50.0f / 3, 140.0f / 6, 0, 10);
        op_test_expect(&test, causal ? &bounded : &all);
    }
}

static void any_length_is_safe(void **state) {
    (void)state;
    static const int64_t lengths[] = {-5, 0, 100, INT64_MAX, INT64_MIN};
    for (int i = 0; i < 5; i++) {
        OpTest test = FOUR_ROWS(25);
        test.n_inputs = 7;
        test.inputs[ATTENTION_LENGTHS] = tensor_i64(DIMS(1), lengths[i]);
        Tensor y = tensor_f32(DIMS(1, 1, 4, 1), 30, 30, 30, 30),
               none = tensor_f32(DIMS(1, 1, 4, 1), 0, 0, 0, 0);
        op_test_expect(&test, lengths[i] > 0 ? &y : &none);
    }
}

/* Heads 0 and 1 of Q go with head 0 of keys, 2 and 3 with head 1. */
static void query_heads_share_keys(void **state) {
    (void)state;
    OpTest test = attention(tensor_f32(DIMS(1, 4, 1, 1), 1, 0, 1, 0),
                            tensor_typed(STRIDER_F32, DIMS(1, 2, 2, 1), 0, LN3, 0, LN4),
                            tensor_f32(DIMS(1, 2, 2, 1), 4, 8, 10, 20), 23);
    Tensor y = tensor_f32(DIMS(1, 4, 1, 1), 7, 6, 18, 15);
    op_test_expect(&test, &y);
}

/* Rank 3: [batch, rows, heads * size]. */
static void heads_may_be_packed(void **state) {
    (void)state;
    OpTest test = attention(tensor_f32(DIMS(1, 2, 2), 1, 0, 0, 1),
                            tensor_typed(STRIDER_F32, DIMS(1, 2, 2), 0, 0, LN3, LN4),
                            tensor_f32(DIMS(1, 2, 4), 4, 1, 10, 2, 8, 1, 20, 4), 23);
    test.attrs[0] = attr_int("q_num_heads", 2);
    test.attrs[1] = attr_int("kv_num_heads", 2);
    test.n_outputs = 4;
    if (op_test_run(&test))
        fail_msg("%s", test.error.message);
    const Tensor y = tensor_f32(DIMS(1, 2, 4), 7, 1, 15, 3, 6, 1, 18, 3.6f),
                 k = tensor_typed(STRIDER_F32, DIMS(1, 2, 2, 1), 0, LN3, 0, LN4),
                 v = tensor_f32(DIMS(1, 2, 2, 2), 4, 1, 8, 1, 10, 2, 20, 4),
                 raw = tensor_typed(STRIDER_F32, DIMS(1, 2, 2, 2), 0, LN3, 0, 0, 0, 0, 0, LN4);
    assert_tensor_close(&test.outputs[ATTENTION_Y], &y, 1e-6, 1e-6);
    assert_tensor_close(&test.outputs[ATTENTION_PRESENT_KEY], &k, 0, 0);
    assert_tensor_close(&test.outputs[ATTENTION_PRESENT_VALUE], &v, 0, 0);
    assert_tensor_close(&test.outputs[ATTENTION_SCORES], &raw, 1e-6, 1e-6);
    op_test_free(&test);
}

/* The present is the past and then what is new; rows of a causal head come after the past. */
static void keys_of_the_past_come_first(void **state) {
    (void)state;
    OpTest test =
        attention(tensor_f32(DIMS(1, 1, 2, 1), 1, 1), tensor_typed(STRIDER_F32, DIMS(1, 1, 2, 1), LN3, LN4),
                  tensor_f32(DIMS(1, 1, 2, 1), 30, 40), 23);
    test.n_inputs = 6;
    test.inputs[ATTENTION_PAST_KEY] = tensor_typed(STRIDER_F32, DIMS(1, 1, 2, 1), 0, LN2);
    test.inputs[ATTENTION_PAST_VALUE] = tensor_f32(DIMS(1, 1, 2, 1), 10, 20);
    test.attrs[0] = attr_int("is_causal", 1);
    test.n_outputs = 3;
    if (op_test_run(&test))
        fail_msg("%s", test.error.message);
    const Tensor y = tensor_f32(DIMS(1, 1, 2, 1), 140.0f / 6, 30),
                 k = tensor_typed(STRIDER_F32, DIMS(1, 1, 4, 1), 0, LN2, LN3, LN4),
                 v = tensor_f32(DIMS(1, 1, 4, 1), 10, 20, 30, 40);
    assert_tensor_close(&test.outputs[ATTENTION_Y], &y, 1e-6, 1e-6);
    assert_tensor_close(&test.outputs[ATTENTION_PRESENT_KEY], &k, 0, 0);
    assert_tensor_close(&test.outputs[ATTENTION_PRESENT_VALUE], &v, 0, 0);
    op_test_free(&test);
}

/* 6 tanh(x / 6) of scores that are 6 artanh(ln w / 6), so that the capped ones are logarithms again. */
static void scores_come_out_at_every_stage(void **state) {
    (void)state;
    const double raw[] = {0, 6 * atanh(LN2 / 6), 6 * atanh(LN3 / 6), 6 * atanh(LN4 / 6)};
    const double expected[SCORES_KINDS][4] = {{raw[0], raw[1], raw[2], raw[3]},
                                              {0, LN2, LN3, LN4},
                                              {LN2, LN2, -INFINITY, LN6},
                                              {2.0 / 10, 2.0 / 10, 0, 6.0 / 10}};
    for (int kind = 0; kind < SCORES_KINDS; kind++) {
        OpTest test = attention(tensor_f32(DIMS(1, 1, 1, 1), 1),
                                tensor_typed(STRIDER_F32, DIMS(1, 1, 4, 1), raw[0], raw[1], raw[2], raw[3]),
                                tensor_f32(DIMS(1, 1, 4, 1), 10, 20, 30, 40), 23);
        test.attrs[0] = attr_float("softcap", 6);
        test.attrs[1] = attr_int("qk_matmul_output_mode", kind);
        test.n_inputs = 4;
        test.inputs[ATTENTION_MASK] = tensor_typed(STRIDER_F32, DIMS(1, 4), LN2, 0, -INFINITY, LN6 - LN4);
        test.n_outputs = 4;
        if (op_test_run(&test))
            fail_msg("%s", test.error.message);
        const double *s = expected[kind];
        const Tensor scores = tensor_typed(STRIDER_F32, DIMS(1, 1, 1, 4), s[0], s[1], s[2], s[3]);
        const Tensor y = tensor_f32(DIMS(1, 1, 1, 1), (2 * 10 + 2 * 20 + 6 * 40) / 10.0f);
        assert_tensor_close(&test.outputs[ATTENTION_SCORES], &scores, 1e-6, 1e-6);
        assert_tensor_close(&test.outputs[ATTENTION_Y], &y, 1e-6, 1e-6);
        op_test_free(&test);
    }
}

/* --- what passes set --- */

static void rows_first(AttentionAttrs *attrs) {
    attrs->order[ATTENTION_Q] = attrs->order[ATTENTION_V] = attrs->y_order = ATTENTION_ROWS_FIRST;
}

static void geometry_follows_the_order_of_dimensions(void **state) {
    (void)state;
    AttentionAttrs attrs = {.left = -1, .right = -1};
    const Shape q = DIMS(2, 5, 3, 8), k = DIMS(2, 3, 7, 8), v = DIMS(2, 7, 3, 4);
    const Shape *shapes[ATTENTION_PORTS] = {&q, &k, &v};
    rows_first(&attrs);
    const AttentionGeometry g = attention_geometry(&attrs, shapes);
    assert_int_equal(g.q_heads, 3);
    assert_int_equal(g.rows, 5);
    assert_int_equal(g.keys, 7);
    assert_int_equal(g.v_size, 4);
    assert_int_equal(g.q.head, 8);
    assert_int_equal(g.q.row, 24);
    assert_int_equal(g.k.head, 56);
    assert_int_equal(g.y.row, 12);
    attrs = (AttentionAttrs){.is_fused = true, .left = -1, .right = -1};
    const Shape one = DIMS(6, 5, 8), other = DIMS(6, 7, 8);
    const Shape *ranks_3[ATTENTION_PORTS] = {&one, &other, &other};
    const AttentionGeometry h = attention_geometry(&attrs, ranks_3);
    assert_int_equal(h.batch, 1);
    assert_int_equal(h.q_heads, 6);
    assert_int_equal(h.keys, 7);
}

/* --- what is wrong --- */

static Tensor typed(DType dtype, Shape shape) {
    return (Tensor){.type = {dtype, shape}};
}

static Tensor f32(Shape shape) {
    return typed(STRIDER_F32, shape);
}

static OpTest shapes_only(Shape q, Shape k, Shape v) {
    OpTest test = attention(f32(q), f32(k), f32(v), 25);
    test.infer_only = true;
    return test;
}

static void shapes_that_do_not_fit_are_refused(void **state) {
    (void)state;
    const struct {
        Shape q, k, v;
        const char *message;
    } cases[] = {
        {DIMS(1, 2, 3, 4), DIMS(2, 2, 3, 4), DIMS(1, 2, 3, 4), "the batches of Q and K differ: 1 and 2"},
        {DIMS(1, 2, 3, 4), DIMS(1, 2, 3, 4), DIMS(2, 2, 3, 4), "the batches of Q and V differ: 1 and 2"},
        {DIMS(1, 2, 3, 4), DIMS(1, 2, 3, 4), DIMS(1, 1, 3, 4), "the heads of K and V differ: 2 and 1"},
        {DIMS(1, 2, 3, 4), DIMS(1, 2, 3, 4), DIMS(1, 2, 5, 4), "the keys and values differ: 3 and 5"},
        {DIMS(1, 2, 3, 4), DIMS(1, 2, 3, 5), DIMS(1, 2, 3, 4), "the head sizes of Q and K differ: 4 and 5"},
        {DIMS(1, 3, 3, 4), DIMS(1, 2, 3, 4), DIMS(1, 2, 3, 4), "3 heads of Q are no multiple of 2 of K"},
        {DIMS(1, 3, 3, 4), DIMS(1, 0, 3, 4), DIMS(1, 0, 3, 4), "3 heads of Q are no multiple of 0 of K"},
        {DIMS(1, 3, 8), DIMS(1, 2, 3, 4), DIMS(1, 2, 3, 4), "inputs of rank 3 need the attributes"},
        {DIMS(1, 2), DIMS(1, 2, 3, 4), DIMS(1, 2, 3, 4), "input 0 has rank 2, must have 3 to 4"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        OpTest test = shapes_only(cases[i].q, cases[i].k, cases[i].v);
        op_test_expect_error(&test, STRIDER_BAD_MODEL, cases[i].message);
    }
}

static void attributes_that_do_not_fit_are_refused(void **state) {
    (void)state;
    const struct {
        Attr attr;
        const char *message;
    } cases[] = {
        {attr_int("q_num_heads", -1), "q_num_heads is -1, must be positive"},
        {attr_int("kv_num_heads", 0), "kv_num_heads is 0, must be positive"},
        {attr_int("q_num_heads", 3), "the heads of an input and of the attributes differ: 2 and 3"},
        {attr_int("left_window_size", -2), "left_window_size is -2, must be -1 or more"},
        {attr_int("qk_matmul_output_mode", 4), "qk_matmul_output_mode is 4, must be 0 to 3"},
        {attr_int("softmax_precision", 6), "softmax_precision is int32, must be a float type"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        OpTest test = shapes_only(DIMS(1, 2, 3, 4), DIMS(1, 2, 3, 4), DIMS(1, 2, 3, 4));
        test.attrs[0] = cases[i].attr;
        op_test_expect_error(&test, STRIDER_BAD_MODEL, cases[i].message);
    }
}

static void other_inputs_that_do_not_fit_are_refused(void **state) {
    (void)state;
    const Shape past = DIMS(1, 2, 5, 4);
    const Tensor none = {.data = NULL};
    const struct {
        int port;
        Tensor tensor, next;
        const char *message;
    } cases[] = {
        {ATTENTION_MASK, f32(DIMS(4)), none, "the mask has 4 keys where there are 3"},
        {ATTENTION_MASK, f32(DIMS(2, 3)), none, "the mask has 2 rows where there are 3"},
        {ATTENTION_MASK, f32(DIMS(3, 3, 3)), none, "the mask has 3 heads where there are 2"},
        {ATTENTION_MASK, f32(DIMS(2, 2, 3, 3)), none, "the mask has 2 batches where there are 1"},
        {ATTENTION_MASK, f32(shape_scalar()), none, "input 3 has rank 0, must have 1 to 4"},
        {ATTENTION_PAST_KEY, f32(past), none, "past_key and past_value must be given together"},
        {ATTENTION_PAST_KEY, f32(past), f32(DIMS(1, 2, 6, 4)), "the past keys and values differ: 5 and 6"},
        {ATTENTION_PAST_KEY, f32(past), f32(DIMS(1, 3, 5, 4)),
         "the heads of the past and the new keys differ"},
        {ATTENTION_PAST_KEY, typed(STRIDER_F16, past), f32(past), "they must be of one type"},
        {ATTENTION_LENGTHS, typed(STRIDER_I64, DIMS(2)), none,
         "the batches of Q and of nonpad_kv_seqlen differ"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        OpTest test = shapes_only(DIMS(1, 2, 3, 4), DIMS(1, 2, 3, 4), DIMS(1, 2, 3, 4));
        test.n_inputs = ATTENTION_PORTS;
        test.inputs[cases[i].port] = cases[i].tensor;
        if (cases[i].next.type.dtype)
            test.inputs[cases[i].port + 1] = cases[i].next;
        op_test_expect_error(&test, STRIDER_BAD_MODEL, cases[i].message);
    }
}

static void unknown_shapes_leave_unknown_dimensions(void **state) {
    (void)state;
    OpTest test = shapes_only(DIMS(-1, 2, 3, 4), DIMS(5, 2, -1, 4), shape_unknown());
    test.n_outputs = 4;
    assert_int_equal(op_test_run(&test), STRIDER_OK);
    assert_shape(&test.output_types[ATTENTION_Y].shape, DIMS(5, 2, 3, -1));
    assert_shape(&test.output_types[ATTENTION_PRESENT_KEY].shape, DIMS(5, 2, -1, 4));
    assert_shape(&test.output_types[ATTENTION_SCORES].shape, DIMS(5, 2, 3, -1));
    op_test_free(&test);
    test = shapes_only(DIMS(1, 3, 8), DIMS(1, -1, 8), DIMS(1, 6, -1));
    test.attrs[0] = attr_int("q_num_heads", 4);
    test.attrs[1] = attr_int("kv_num_heads", 4);
    assert_int_equal(op_test_run(&test), STRIDER_OK);
    assert_shape(&test.output_types[ATTENTION_Y].shape, DIMS(1, 3, -1));
    op_test_free(&test);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_weighed_by_their_keys),
        cmocka_unit_test(the_scale_follows_from_the_head),
        cmocka_unit_test(every_float_type_is_computed),
        cmocka_unit_test(a_mask_is_added_or_chooses),
        cmocka_unit_test(rows_see_what_windows_leave),
        cmocka_unit_test(what_is_masked_has_no_part),
        cmocka_unit_test(lengths_end_what_is_seen),
        cmocka_unit_test(any_length_is_safe),
        cmocka_unit_test(query_heads_share_keys),
        cmocka_unit_test(heads_may_be_packed),
        cmocka_unit_test(keys_of_the_past_come_first),
        cmocka_unit_test(scores_come_out_at_every_stage),
        cmocka_unit_test(geometry_follows_the_order_of_dimensions),
        cmocka_unit_test(shapes_that_do_not_fit_are_refused),
        cmocka_unit_test(attributes_that_do_not_fit_are_refused),
        cmocka_unit_test(other_inputs_that_do_not_fit_are_refused),
        cmocka_unit_test(unknown_shapes_leave_unknown_dimensions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
