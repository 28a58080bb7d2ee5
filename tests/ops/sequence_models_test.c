/* SPDX-License-Identifier: Apache-2.0 */
/* RotaryEmbedding, LinearAttention, CausalConvWithState, TensorScatter, SwiGLU and FlexAttention. */
#include "support/flow.h"
#include "support/op_test.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define LN2 0.69314718055994531
#define LN3 1.0986122886681098

static Tensor typed(DType dtype, Shape shape) {
    return (Tensor){.type = {dtype, shape}};
}

/* --- RotaryEmbedding --- */

/* Two heads of four elements, in two rows; by a quarter of a turn (a, b) becomes (-b, a). */
static void rotary_turns_pairs(void **state) {
    (void)state;
    const struct {
        int interleaved, size;
        Tensor cos, sin;
        float y[8];
    } cases[] = {
        {0,
         0,
         tensor_f32(DIMS(1, 2, 2), 0, 1, 1, 0),
         tensor_f32(DIMS(1, 2, 2), 1, 0, 0, 1),
         {-3, 2, 1, 4, 5, -8, 7, 6}},
        {1,
         0,
         tensor_f32(DIMS(1, 2, 2), 0, 1, 1, 0),
         tensor_f32(DIMS(1, 2, 2), 1, 0, 0, 1),
         {-2, 1, 3, 4, 5, 6, -8, 7}},
        {0,
         2,
         tensor_f32(DIMS(1, 2, 1), 0, 0.6f),
         tensor_f32(DIMS(1, 2, 1), 1, 0.8f),
         {-2, 1, 3, 4, -1.8f, 7.6f, 7, 8}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        OpTest test = {
            .op = "RotaryEmbedding",
            .opset = 23,
            .attrs = {attr_int("interleaved", cases[i].interleaved),
                      attr_int("rotary_embedding_dim", cases[i].size)},
            .n_inputs = 3,
            .inputs = {tensor_f32(DIMS(1, 1, 2, 4), 1, 2, 3, 4, 5, 6, 7, 8), cases[i].cos, cases[i].sin}};
        const float *v = cases[i].y;
        Tensor y = tensor_f32(DIMS(1, 1, 2, 4), v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7]);
        op_test_expect(&test, &y);
    }
}

/* Rank 3 packs the heads; both of a row are turned alike. */
static void rotary_looks_positions_up(void **state) {
    (void)state;
    OpTest test = {.op = "RotaryEmbedding",
                   .opset = 23,
                   .attrs = {attr_int("num_heads", 2)},
                   .n_inputs = 4,
                   .inputs = {tensor_f32(DIMS(1, 2, 4), 1, 2, 3, 4, 5, 6, 7, 8),
                              tensor_f32(DIMS(3, 1), 5, 1, 0), tensor_f32(DIMS(3, 1), 5, 0, 1),
                              tensor_i64(DIMS(1, 2), 2, 1)}};
    Tensor y = tensor_f32(DIMS(1, 2, 4), -2, 1, -4, 3, 5, 6, 7, 8);
    op_test_expect(&test, &y);
    test.inputs[3] = tensor_i64(DIMS(1, 2), 2, 3);
    op_test_expect_error(&test, STRIDER_BAD_MODEL, "position 3 is outside [0, 3)");
    test.inputs[3] = tensor_i64(DIMS(1, 2), -1, 0);
    op_test_expect_error(&test, STRIDER_BAD_MODEL, "position -1 is outside [0, 3)");
}

static void rotary_refuses_what_does_not_fit(void **state) {
    (void)state;
    const struct {
        Shape x, cos;
        Attr attr;
        const char *message;
    } cases[] = {
        {DIMS(1, 2, 6), DIMS(1, 2, 3), attr_int("interleaved", 0), "needs the attribute num_heads"},
        {DIMS(1, 2, 6), DIMS(1, 2, 3), attr_int("num_heads", 4), "4 heads do not divide 6 columns"},
        {DIMS(1, 2, 6), DIMS(1, 2, 3), attr_int("num_heads", -4), "num_heads is -4, must be positive"},
        {DIMS(1, 2, 6), DIMS(1, 2, 3), attr_int("num_heads", 2), "a head has 3 elements, must be even"},
        {DIMS(1, 1, 2, 6), DIMS(1, 2, 3), attr_int("num_heads", 2), "num_heads is 2, the input has 1"},
        {DIMS(1, 1, 2, 6), DIMS(1, 2, 3), attr_int("rotary_embedding_dim", 8), "a head has 6 elements"},
        {DIMS(1, 1, 2, 6), DIMS(1, 2, 3), attr_int("rotary_embedding_dim", 3),
         "must be even and not negative"},
        {DIMS(1, 1, 2, 6), DIMS(1, 3, 3), attr_int("interleaved", 0),
         "dimension 1 of input 1 is 3, must be 2"},
        {DIMS(1, 1, 2, 6), DIMS(1, 2, 2), attr_int("interleaved", 0),
         "dimension 2 of input 1 is 2, must be 3"},
        {DIMS(1, 1, 2, 6), DIMS(9, 3), attr_int("interleaved", 0), "input 1 has rank 2, must have 3"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        OpTest test = {.op = "RotaryEmbedding",
                       .opset = 23,
                       .attrs = {cases[i].attr},
                       .n_inputs = 3,
                       .inputs = {typed(STRIDER_F32, cases[i].x), typed(STRIDER_F32, cases[i].cos),
                                  typed(STRIDER_F32, cases[i].cos)},
                       .infer_only = true};
        op_test_expect_error(&test, STRIDER_BAD_MODEL, cases[i].message);
    }
}

/* --- LinearAttention --- */

/* Two steps of one head of size 1: the state is one number. */
static void linear_attention_follows_its_rule(void **state) {
    (void)state;
    const struct {
        const char *rule;
        bool decays, corrects;
        float y[2], present;
    } cases[] = {
        {"linear", false, false, {20 + 2 * 3, 2 * (26 + 4 * 5)}, 46},
        {"gated", true, false, {10 + 2 * 3, 2 * (16.0f / 4 + 4 * 5)}, 24},
        /* 20 + 0.5 * 2 * (3 - 40) = -17, -17 + 0.25 * 4 * (5 + 68) = 56 */
        {"delta", false, true, {-17, 2 * 56}, 56},
        /* 10 + (3 - 20) = -7; -7/4 + (5 + 7) = 10.25 */
        {"gated_delta", true, true, {-7, 2 * 10.25f}, 10.25f},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        OpTest test = {.op = "LinearAttention",
                       .opset = 27,
                       .attrs = {attr_int("q_num_heads", 1), attr_int("kv_num_heads", 1),
                                 attr_string("update_rule", cases[i].rule)},
                       .n_inputs = 6,
                       .inputs = {tensor_f32(DIMS(1, 2, 1), 1, 2), tensor_f32(DIMS(1, 2, 1), 2, 4),
                                  tensor_f32(DIMS(1, 2, 1), 3, 5), tensor_f32(DIMS(1, 1, 1, 1), 20)},
                       .n_outputs = 2};
        const Tensor decay = tensor_typed(STRIDER_F32, DIMS(1, 2, 1), -LN2, -2 * LN2),
                     beta = tensor_f32(DIMS(1, 2, 1), 0.5f, 0.25f);
        if (cases[i].decays)
            test.inputs[4] = decay;
        if (cases[i].corrects)
            test.inputs[5] = beta;
        if (op_test_run(&test))
            fail_msg("%s", test.error.message);
        const Tensor y = tensor_f32(DIMS(1, 2, 1), cases[i].y[0], cases[i].y[1]),
                     present = tensor_f32(DIMS(1, 1, 1, 1), cases[i].present);
        assert_tensor_close(&test.outputs[0], &y, 1e-6, 1e-6);
        assert_tensor_close(&test.outputs[1], &present, 1e-6, 1e-6);
        op_test_free(&test);
    }
}

/* Two query heads read one state of [2, 2] without a past, whose rows have decays of their own. */
static void linear_attention_of_several_heads(void **state) {
    (void)state;
    OpTest test = {.op = "LinearAttention",
                   .opset = 27,
                   .attrs = {attr_int("q_num_heads", 2), attr_int("kv_num_heads", 1),
                             attr_string("update_rule", "gated"), attr_float("scale", 2)},
                   .n_inputs = 5,
                   .inputs = {tensor_f32(DIMS(1, 2, 4), 1, 0, 0, 1, 1, 1, 2, 0),
                              tensor_f32(DIMS(1, 2, 2), 1, 10, 1, 1),
                              tensor_f32(DIMS(1, 2, 2), 2, 4, 1, 1),
                              {0},
                              tensor_typed(STRIDER_F32, DIMS(1, 2, 2), 0, 0, -LN2, 0)},
                   .n_outputs = 2};
    if (op_test_run(&test))
        fail_msg("%s", test.error.message);
    /* The state is [[2, 4], [20, 40]], then [[1, 2], [20, 40]] and 1 more each. */
    const Tensor y = tensor_f32(DIMS(1, 2, 4), 4, 8, 40, 80, 46, 88, 8, 12),
                 present = tensor_f32(DIMS(1, 1, 2, 2), 2, 3, 21, 41);
    assert_tensor_close(&test.outputs[0], &y, 1e-6, 1e-6);
    assert_tensor_close(&test.outputs[1], &present, 1e-6, 1e-6);
    op_test_free(&test);
}

static void linear_attention_refuses_what_does_not_fit(void **state) {
    (void)state;
    const struct {
        const char *rule;
        int heads;
        Shape q, k, past, decay, beta;
        const char *message;
    } cases[] = {
        {"gated", 2, DIMS(1, 3, 4), DIMS(1, 3, 4), {0}, {0}, {0}, "needs the input decay"},
        {"linear", 2, DIMS(1, 3, 4), DIMS(1, 3, 4), {0}, {0}, DIMS(1, 3, 2), "takes no beta"},
        {"linear",
         2,
         DIMS(1, 3, 5),
         DIMS(1, 3, 4),
         {0},
         {0},
         {0},
         "2 heads do not divide input 0's 5 columns"},
        {"linear", 2, DIMS(1, 3, 8), DIMS(1, 3, 4), {0}, {0}, {0}, "dimension 2 of input 1 is 4, must be 8"},
        {"linear", 2, DIMS(1, 3, 4), DIMS(1, 2, 4), {0}, {0}, {0}, "dimension 1 of input 1 is 2, must be 3"},
        {"linear",
         2,
         DIMS(1, 3, 4),
         DIMS(1, 3, 4),
         DIMS(1, 2, 3, 2),
         {0},
         {0},
         "dimension 2 of input 3 is 3"},
        {"gated", 2, DIMS(1, 3, 4), DIMS(1, 3, 4), {0}, DIMS(1, 3, 3), {0}, "must have 2 or 4"},
        {"delta", 2, DIMS(1, 3, 4), DIMS(1, 3, 4), {0}, {0}, DIMS(1, 3, 3), "must have 2 or 1"},
        {"delta", 0, DIMS(1, 3, 4), DIMS(1, 3, 4), {0}, {0}, DIMS(1, 3, 1), "and both positive"},
        {"other", 2, DIMS(1, 3, 4), DIMS(1, 3, 4), {0}, {0}, {0}, "unknown value \"other\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        OpTest test = {.op = "LinearAttention",
                       .opset = 27,
                       .attrs = {attr_int("q_num_heads", cases[i].heads), attr_int("kv_num_heads", 2),
                                 attr_string("update_rule", cases[i].rule)},
                       .n_inputs = 6,
                       .inputs = {typed(STRIDER_F32, cases[i].q), typed(STRIDER_F32, cases[i].k),
                                  typed(STRIDER_F32, DIMS(1, 3, 4))},
                       .infer_only = true};
        const Shape *more[] = {&cases[i].past, &cases[i].decay, &cases[i].beta};
        for (int port = 3; port < 6; port++)
            if (more[port - 3]->rank)
                test.inputs[port] = typed(STRIDER_F32, *more[port - 3]);
        op_test_expect_error(&test, STRIDER_BAD_MODEL, cases[i].message);
    }
}

/* --- CausalConvWithState --- */

static void causal_conv_goes_on_from_its_state(void **state) {
    (void)state;
    OpTest test = {.op = "CausalConvWithState",
                   .opset = 27,
                   .n_inputs = 4,
                   .inputs = {tensor_f32(DIMS(1, 2, 2), 1, 2, 5, 6),
                              tensor_f32(DIMS(2, 1, 3), 1, 10, 100, 1, 0, 0), tensor_f32(DIMS(2), 0.5f, 0),
                              tensor_f32(DIMS(1, 2, 2), 7, 8, 3, 4)},
                   .n_outputs = 2};
    if (op_test_run(&test))
        fail_msg("%s", test.error.message);
    const Tensor y = tensor_f32(DIMS(1, 2, 2), 187.5f, 218.5f, 3, 4),
                 present = tensor_f32(DIMS(1, 2, 2), 1, 2, 5, 6);
    assert_tensor_close(&test.outputs[0], &y, 1e-6, 1e-6);
    assert_tensor_close(&test.outputs[1], &present, 0, 0);
    op_test_free(&test);
}

/* Input shorter than the kernel, zeros before it, and an activation: 2 / (1 + e^-2). */
static void causal_conv_begins_with_zeros(void **state) {
    (void)state;
    OpTest test = {.op = "CausalConvWithState",
                   .opset = 27,
                   .attrs = {attr_string("activation", "swish")},
                   .n_inputs = 2,
                   .inputs = {tensor_f32(DIMS(1, 1, 1), 2), tensor_f32(DIMS(1, 1, 4), 5, 5, 5, 1)},
                   .n_outputs = 2};
    if (op_test_run(&test))
        fail_msg("%s", test.error.message);
    const Tensor y = tensor_f32(DIMS(1, 1, 1), 1.7615942f), present = tensor_f32(DIMS(1, 1, 3), 0, 0, 2);
    assert_tensor_close(&test.outputs[0], &y, 1e-6, 1e-6);
    assert_tensor_close(&test.outputs[1], &present, 0, 0);
    op_test_free(&test);
}

static void causal_conv_refuses_what_does_not_fit(void **state) {
    (void)state;
    const struct {
        Shape weight, bias, past;
        const char *message;
    } cases[] = {
        {DIMS(2, 1, 4), DIMS(3), DIMS(1, 3, 3), "input 1 has 2 channels, must have 3"},
        {DIMS(3, 2, 4), DIMS(3), DIMS(1, 3, 3), "input 1 has 2 channels a group, must have 1"},
        {DIMS(3, 1, 4), DIMS(2), DIMS(1, 3, 3), "input 2 has 2 channels, must have 3"},
        {DIMS(3, 1, 4), DIMS(3), DIMS(1, 3, 4), "input 3 has 4 positions, must have 3"},
        {DIMS(3, 1, 4), DIMS(3), DIMS(2, 3, 3), "input 3 has 2 batches, must have 1"},
        {DIMS(3, 1, 0), DIMS(3), DIMS(1, 3, 0), "the weight has no positions"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        OpTest test = {.op = "CausalConvWithState",
                       .opset = 27,
                       .n_inputs = 4,
                       .inputs = {typed(STRIDER_F32, DIMS(1, 3, 5)), typed(STRIDER_F32, cases[i].weight),
                                  typed(STRIDER_F32, cases[i].bias), typed(STRIDER_F32, cases[i].past)},
                       .infer_only = true};
        op_test_expect_error(&test, STRIDER_BAD_MODEL, cases[i].message);
    }
}

/* --- TensorScatter --- */

static void tensor_scatter_writes_rows(void **state) {
    (void)state;
    const struct {
        const char *mode;
        int64_t first, second;
        float y[12];
    } cases[] = {
        {"linear", 1, 0, {1, 1, 20, 21, 22, 23, 24, 25, 26, 27, 1, 1}},
        {"circular", 2, -4, {22, 23, 1, 1, 20, 21, 26, 27, 1, 1, 24, 25}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        OpTest test = {.op = "TensorScatter",
                       .opset = 24,
                       .attrs = {attr_string("mode", cases[i].mode)},
                       .n_inputs = 3,
                       .inputs = {tensor_f32(DIMS(2, 3, 2), 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1),
                                  tensor_f32(DIMS(2, 2, 2), 20, 21, 22, 23, 24, 25, 26, 27),
                                  tensor_i64(DIMS(2), cases[i].first, cases[i].second)}};
        const float *v = cases[i].y;
        Tensor y = tensor_f32(DIMS(2, 3, 2), v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7], v[8], v[9],
                              v[10], v[11]);
        op_test_expect(&test, &y);
    }
}

/* Without indices from the first row on; dimensions between batches and rows go along. */
static void tensor_scatter_along_another_axis(void **state) {
    (void)state;
    OpTest test = {.op = "TensorScatter",
                   .opset = 24,
                   .attrs = {attr_int("axis", 2)},
                   .n_inputs = 2,
                   .inputs = {tensor_i64(DIMS(1, 2, 3), 1, 2, 3, 4, 5, 6), tensor_i64(DIMS(1, 2, 1), 7, 8)}};
    Tensor y = tensor_i64(DIMS(1, 2, 3), 7, 2, 3, 8, 5, 6);
    op_test_expect(&test, &y);
}

static void tensor_scatter_refuses_what_does_not_fit(void **state) {
    (void)state;
    static const int64_t firsts[] = {-1, 2, INT64_MAX};
    for (int i = 0; i < 3; i++) {
        OpTest test = {.op = "TensorScatter",
                       .opset = 24,
                       .n_inputs = 3,
                       .inputs = {tensor_f32(DIMS(1, 3, 1), 1, 2, 3), tensor_f32(DIMS(1, 2, 1), 4, 5),
                                  tensor_i64(DIMS(1), firsts[i])}};
        op_test_expect_error(&test, STRIDER_BAD_MODEL, "do not fit a cache of 3");
    }
    const struct {
        Shape update, indices;
        int axis;
        const char *message;
    } cases[] = {
        {DIMS(1, 4, 1), DIMS(1), 1, "the update has 4 elements in dimension 1, the cache 3"},
        {DIMS(1, 2, 2), DIMS(1), 1, "the update has 2 elements in dimension 2, the cache 1"},
        {DIMS(1, 2, 1), DIMS(2), 1, "2 write indices for 1 batches"},
        {DIMS(1, 2, 1), DIMS(1), 0, "axis must not be the dimension of batches"},
        {DIMS(1, 2, 1), DIMS(1), 3, "axis 3 is outside"},
        {DIMS(1, 2), DIMS(1), 1, "input 1 has rank 2, must have 3"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        OpTest test = {.op = "TensorScatter",
                       .opset = 24,
                       .attrs = {attr_int("axis", cases[i].axis)},
                       .n_inputs = 3,
                       .inputs = {typed(STRIDER_F32, DIMS(1, 3, 1)), typed(STRIDER_F32, cases[i].update),
                                  typed(STRIDER_I64, cases[i].indices)},
                       .infer_only = true};
        op_test_expect_error(&test, STRIDER_BAD_MODEL, cases[i].message);
    }
}

/* --- SwiGLU --- */

static void swiglu_gates(void **state) {
    (void)state;
    OpTest test = {.op = "SwiGLU",
                   .opset = 28,
                   .attrs = {attr_float("alpha", (float)LN3)},
                   .n_inputs = 2,
                   .inputs = {tensor_f32(DIMS(3), 1, -1, 0), tensor_f32(DIMS(3), 8, 8, 8)}};
    Tensor y = tensor_f32(DIMS(3), 6, -2, 0);
    op_test_expect(&test, &y);
    test.inputs[1] = tensor_f32(DIMS(1), 8);
    op_test_expect_error(&test, STRIDER_BAD_MODEL, "the inputs have different shapes, [3] and [1]");
}

/* --- FlexAttention --- */

static Graph flex_graph;

/* Of one row and two keys that weigh 1 and 3, for two query heads that share them. */
static Node *flex_node(unsigned absent) {
    graph_init(&flex_graph, allocator_default());
    flow_inputs(&flex_graph, "q k v");
    Node *node = flow_node(&flex_graph, 1, "ai.onnx.preview:FlexAttention", "q k v", "y");
    node->absent_bodies = absent;
    flow_outputs(&flex_graph, "y");
    return node;
}

static Status flex_run(Tensor expected, Error *error) {
    const Allocator *allocator = allocator_default();
    RunValue *inputs[] = {flow_tensor(allocator, tensor_f32(DIMS(1, 2, 1, 1), 1, 1)),
                          flow_tensor(allocator, tensor_typed(STRIDER_F32, DIMS(1, 1, 2, 1), 0, LN3)),
                          flow_tensor(allocator, tensor_f32(DIMS(1, 1, 2, 1), 4, 8))};
    RunValue *outputs[1] = {NULL};
    for (int i = 0; i < 3; i++)
        flex_graph.inputs[i]->declared = value_type_tensor(inputs[i]->tensor.type);
    Status status = flow_infer(&flex_graph, error);
    if (!status)
        status = flow_run(&flex_graph, allocator, inputs, outputs, error);
    else
        for (int i = 0; i < 3; i++)
            run_value_release(inputs[i]);
    if (!status)
        flow_expect(outputs[0], expected);
    graph_free(&flex_graph);
    return status;
}

/* Scores doubled weigh 1 and 9; probabilities doubled double the result. */
static void flex_attention_runs_its_bodies(void **state) {
    (void)state;
    static const float expected[] = {7.6f * 2, 7 * 2, 7.6f, 7}; /* by absent bodies */
    for (unsigned absent = 0; absent < 4; absent++) {
        Error error;
        Node *node = flex_node(absent);
        for (unsigned i = 0; i < 2; i++)
            if (!(absent >> i & 1)) {
                Graph *body = flow_body(&flex_graph, node, "x");
                flow_node(body, 13, "Add", "x x", "twice");
                flow_outputs(body, "twice");
            }
        if (flex_run(tensor_f32(DIMS(1, 2, 1, 1), expected[absent], expected[absent]), &error))
            fail_msg("%s", error.message);
    }
}

static void flex_attention_refuses_bodies_that_do_not_fit(void **state) {
    (void)state;
    Error error;
    Node *node = flex_node(1);
    Graph *body = flow_body(&flex_graph, node, "x");
    flow_node(body, 13, "Shape", "x", "shape");
    flow_outputs(body, "shape");
    assert_int_equal(flex_run(tensor_f32(DIMS(1), 0), &error), STRIDER_BAD_MODEL);
    assert_non_null(
        strstr(error.message, "prob_mod gives int64 [4], must give float32 [1, 2, 1, 2] as it gets"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rotary_turns_pairs),
        cmocka_unit_test(rotary_looks_positions_up),
        cmocka_unit_test(rotary_refuses_what_does_not_fit),
        cmocka_unit_test(linear_attention_follows_its_rule),
        cmocka_unit_test(linear_attention_of_several_heads),
        cmocka_unit_test(linear_attention_refuses_what_does_not_fit),
        cmocka_unit_test(causal_conv_goes_on_from_its_state),
        cmocka_unit_test(causal_conv_begins_with_zeros),
        cmocka_unit_test(causal_conv_refuses_what_does_not_fit),
        cmocka_unit_test(tensor_scatter_writes_rows),
        cmocka_unit_test(tensor_scatter_along_another_axis),
        cmocka_unit_test(tensor_scatter_refuses_what_does_not_fit),
        cmocka_unit_test(swiglu_gates),
        cmocka_unit_test(flex_attention_runs_its_bodies),
        cmocka_unit_test(flex_attention_refuses_bodies_that_do_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
