/* SPDX-License-Identifier: Apache-2.0 */
/* The memory that references take besides their outputs: operators state it, plans hold it, and a run takes
 * none from the allocator. */
#include "support/op_test.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "graph/evaluate.h"
#include "ops/op.h"
#include "strider/strider.h"
#include "support/counter.h"
#include "support/tiny_model.h"

/* --- more than is stated --- */

static Status take_two_lines(EvalContext *ctx) {
    double *first, *second;
    TRY(eval_alloc_doubles(ctx, 1, &first));
    *first = 0;
    TRY(eval_alloc_doubles(ctx, 8, &second));
    second[7] = 0;
    return STRIDER_OK;
}

static Bytes state_two_lines(const Node *node, const Type *inputs, const Type *outputs) {
    (void)node, (void)inputs, (void)outputs;
    return bytes_sum(scratch_of(sizeof(double), 1), scratch_of(sizeof(double), 8));
}

static Bytes state_too_little(const Node *node, const Type *inputs, const Type *outputs) {
    (void)node, (void)inputs, (void)outputs;
    return scratch_of(sizeof(double), 8);
}

static Bytes state_more_than_there_is(const Node *node, const Type *inputs, const Type *outputs) {
    (void)node, (void)inputs, (void)outputs;
    return scratch_of(sizeof(double), INT64_MAX);
}

static void a_reference_that_takes_more_than_is_stated_fails(void **state) {
    (void)state;
    static const struct {
        Bytes (*scratch)(const Node *node, const Type *inputs, const Type *outputs);
        Status status;
    } rows[] = {{state_two_lines, STRIDER_OK},
                {state_too_little, STRIDER_OUT_OF_MEMORY},
                {state_more_than_there_is, STRIDER_OUT_OF_MEMORY},
                {NULL, STRIDER_OUT_OF_MEMORY}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const Op op = {.name = "Test", .reference = take_two_lines, .scratch = rows[i].scratch};
        Value value, *outputs[] = {&value};
        const Node node = {.op = &op, .name = "", .n_outputs = 1, .outputs = outputs};
        const ValueType type = value_type_tensor(type_of(STRIDER_F32, shape_scalar()));
        Tensor y = {0};
        Error error = {0};
        assert_int_equal(node_evaluate(&node, NULL, &type, &y, allocator_default(), &error), rows[i].status);
        tensor_free(&y);
    }
}

/* --- how much is stated --- */

static size_t scratch_bytes(OpTest *test) {
    if (op_test_run(test))
        fail_msg("%s: %s", test->op, test->error.message);
    const size_t bytes = test->scratch_bytes;
    op_test_free(test);
    return bytes;
}

static Tensor ones(int port, Shape shape) {
    static float values[OP_TEST_MAX_PORTS][1 << 15];
    const size_t count = (size_t)shape_elements(&shape);
    assert_true(count <= 1 << 15);
    for (size_t i = 0; i < count; i++)
        values[port][i] = 1;
    return op_test_tensor(STRIDER_F32, shape, values[port], count * sizeof(float));
}

#define EINSUM(EQUATION, N, ...)                                                                             \
    {                                                                                                        \
        .op = "Einsum", .opset = 12, .attrs = {attr_string("equation", EQUATION)}, .n_inputs = N,            \
        .inputs = {                                                                                          \
            __VA_ARGS__                                                                                      \
        }                                                                                                    \
    }

static void what_broadcasts_keeps_no_product_waiting(void **state) {
    (void)state;
    OpTest test = EINSUM("abcd,efgh,abcdefgh->", 3, ones(0, DIMS(12, 12, 12, 12)),
                         ones(1, DIMS(12, 12, 12, 12)), ones(2, DIMS(1, 1, 1, 1, 1, 1, 1, 1)));
    assert_true(scratch_bytes(&test) < 1024);
}

static void products_that_outgrow_inputs_and_output_are_not_stored(void **state) {
    (void)state;
    OpTest test = EINSUM("abcd,efgh,ae,bf,cg,dh->", 6, ones(0, DIMS(4, 4, 4, 4)), ones(1, DIMS(4, 4, 4, 4)),
                         ones(2, DIMS(4, 4)), ones(3, DIMS(4, 4)), ones(4, DIMS(4, 4)), ones(5, DIMS(4, 4)));
    assert_true(scratch_bytes(&test) < 16 * 1024); /* the product of the first two has half a million */
    Tensor y = tensor_f32(shape_scalar(), 65536);
    op_test_expect(&test, &y);
}

static void resizing_takes_no_memory_for_taps(void **state) {
    (void)state;
    OpTest test = {.op = "Resize",
                   .opset = 18,
                   .attrs = {attr_string("mode", "cubic"), attr_int("antialias", 1)},
                   .n_inputs = 4,
                   .inputs = {ones(0, DIMS(1, 1, 64, 64)),
                              {.type = {STRIDER_DTYPE_NONE, shape_unknown()}},
                              {.type = {STRIDER_DTYPE_NONE, shape_unknown()}},
                              tensor_i64(DIMS(4), 1, 1, 3, 3)}};
    assert_int_equal(scratch_bytes(&test), 0);
}

/* --- in a run --- */

static void a_run_of_references_takes_no_memory(void **state) {
    (void)state;
    enum { N = 64 };
    static const struct {
        const char *op, *inputs;
    } nodes[] = {{"MatMul", "x x"},
                 {"Gemm", "x x x"},
                 {"Softmax", "x"},
                 {"LpNormalization", "x"},
                 {"ReduceMean", "x"},
                 {"ReduceProd", "x"},
                 {"Sum", "x x x x x x x x x x x x x x x x x x x x"},
                 {"Hardmax", "x"}};
    static const int64_t dims[] = {N, N};
    static float x[N * N];
    const size_t n_nodes = sizeof nodes / sizeof *nodes;
    Counter counter;
    strider_load_options load = strider_load_options_default();
    strider_session_options options = strider_session_options_default();
    Proto graph = {0};
    char name[] = "y0";
    for (size_t i = 0; i < n_nodes; i++) {
        name[1] = (char)('0' + i);
        put_node(&graph, GRAPH_NODE, nodes[i].op, "", nodes[i].inputs, name);
        proto_value(&graph, GRAPH_OUTPUT, name, STRIDER_F32, NULL, 0);
    }
    proto_text(&graph, 2, "references");
    proto_value(&graph, GRAPH_INPUT, "x", STRIDER_F32, dims, 2);
    Proto model = make_model(&graph, 8, 13);
    strider_model *loaded;
    strider_session *session;
    strider_error error;
    counter_init(&counter);
    load.allocator = &counter.allocator;
    if (strider_model_load_memory(model.data, model.size, NULL, &load, &loaded, &error))
        fail_msg("%s", error.message);
    proto_free(&model);
    options.reference = true;
    assert_int_equal(strider_session_create(loaded, &options, &session, &error), STRIDER_OK);
    strider_tensor input = {STRIDER_F32, 2, {N, N}, x}, outputs[sizeof nodes / sizeof *nodes] = {{0}};
    for (int run = 0; run < 2; run++) {
        const size_t before = counter.allocations;
        if (strider_session_run(session, &input, 1, outputs, n_nodes, &error))
            fail_msg("%s", error.message);
        if (run)
            assert_int_equal(counter.allocations, before);
    }
    strider_session_free(session);
    strider_model_free(loaded);
}

/* What is reduced has no elements, the result has: no pointer is NULL on the way. */
static void no_bytes_of_scratch_memory_have_an_address(void **state) {
    (void)state;
    static const char *const ops[] = {"GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"};
    for (int i = 0; i < 3; i++) {
        OpTest test = {.op = ops[i],
                       .opset = 2 - (i < 2),
                       .n_inputs = 1,
                       .inputs = {op_test_tensor(STRIDER_F32, DIMS(1, 2, 0, 3), NULL, 0)}};
        assert_int_equal(op_test_run(&test), STRIDER_OK);
        assert_int_equal(tensor_elements(&test.outputs[0]), 2);
        op_test_free(&test);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_bytes_of_scratch_memory_have_an_address),
        cmocka_unit_test(a_reference_that_takes_more_than_is_stated_fails),
        cmocka_unit_test(what_broadcasts_keeps_no_product_waiting),
        cmocka_unit_test(products_that_outgrow_inputs_and_output_are_not_stored),
        cmocka_unit_test(resizing_takes_no_memory_for_taps),
        cmocka_unit_test(a_run_of_references_takes_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
