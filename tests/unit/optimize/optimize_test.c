/* SPDX-License-Identifier: Apache-2.0 */
/* Each pass by itself: what it makes of a graph, and that the graph computes the same. */
#include "optimize/optimize.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "graph/evaluate.h"
#include "graph/op.h"
#include "ops/nn/conv.h"
#include "ops/op.h"
#include "ops/post_ops.h"
#include "ops/tensor/concat.h"
#include "optimize/rewrite.h"
#include "support/graph_builder.h"
#include "support/pass_check.h"

static void constants_are_folded(void **state) {
    (void)state;
    Graph graph;
    graph_init(&graph, allocator_default());
    Value *x = add_input(&graph, "x", DIMS(2, 3)), *a = add_constant(&graph, "a", DIMS(3), 1, 0);
    Value *b = add_constant(&graph, "b", DIMS(3), 2, 0);
    finish(&graph, ADD("Add", "y", x, ADD("Mul", "p", a, ADD("Exp", "e", b))));
    check_pass(&graph, pass_fold_constants, 1);
    graph_free(&graph);
}

static void shapes_that_are_known_are_folded(void **state) {
    (void)state;
    Graph graph;
    graph_init(&graph, allocator_default());
    Value *x = add_input(&graph, "x", DIMS(2, 3, 4));
    finish(&graph, ADD("Reshape", "y", x, ADD("Shape", "s", x)));
    OK(pass_fold_constants(&graph, &error)); /* before it, the output's shape was not known */
    assert_int_equal(graph.n_nodes, 1);
    assert_true(shape_equal(&graph.outputs[0]->type.shape, &x->type.shape));
    graph_free(&graph);
}

static void identities_go_and_the_output_keeps_its_name(void **state) {
    (void)state;
    Graph graph;
    graph_init(&graph, allocator_default());
    Value *x = add_input(&graph, "x", DIMS(2, 3));
    Value *relu = ADD("Relu", "r", ADD("Identity", "i", x));
    finish(&graph, ADD("Identity", "y", ADD("Dropout", "d", relu)));
    check_pass(&graph, pass_remove_identities, 1);
    graph_free(&graph);
}

static void an_identity_from_input_to_output_stays(void **state) {
    (void)state;
    Graph graph;
    graph_init(&graph, allocator_default());
    finish(&graph, ADD("Identity", "y", add_input(&graph, "x", DIMS(2, 3))));
    check_pass(&graph, pass_remove_identities, 1);
    graph_free(&graph);
}

/* Of what an Identity hands on: two outputs of the graph, an output that another node reads too, and one that
 * stands after another Identity. */
static void identities_before_several_readers_go_and_all_compute_the_same(void **state) {
    (void)state;
    for (int form = 0; form < 4; form++) {
        Graph graph;
        graph_init(&graph, allocator_default());
        Value *x = add_input(&graph, "x", DIMS(2, 3)), *s = ADD("Sin", "s", x);
        Value *i = form == 3 ? s : ADD("Identity", "i", s), *first = ADD("Identity", "first", i);
        OK(graph_add_output(&graph, first, &error));
        Value *second = form == 1   ? ADD("Exp", "e", first)
                        : form == 2 ? ADD("Exp", "e", ADD("Identity", "i2", i))
                                    : ADD("Dropout", "second", i);
        finish(&graph, second);
        check_pass(&graph, pass_remove_identities, 2);
        OK(graph_validate(&graph, &error)); /* no output that nothing makes */
        assert_string_equal(graph.outputs[0]->name, "first");
        assert_string_equal(graph.outputs[1]->name, form == 1 || form == 2 ? "e" : "second");
        for (size_t n = 0; n < graph.n_nodes; n++)
            for (int port = 0; port < graph.nodes[n]->n_inputs; port++)
                assert_true(graph.nodes[n]->inputs[port]->is_input || graph.nodes[n]->inputs[port]->producer);
        graph_free(&graph);
    }
}

static void dead_nodes_go(void **state) {
    (void)state;
    Graph graph;
    graph_init(&graph, allocator_default());
    Value *x = add_input(&graph, "x", DIMS(2, 3));
    ADD("Exp", "unused", ADD("Relu", "unused too", x));
    finish(&graph, ADD("Neg", "y", x));
    check_pass(&graph, pass_remove_dead, 1);
    graph_free(&graph);
}

static Value *add_conv(Graph *graph, const char *name, Value *x, int64_t in, int64_t out, const char *op) {
    char w_name[32], b_name[32];
    snprintf(w_name, sizeof w_name, "%s.w", name);
    snprintf(b_name, sizeof b_name, "%s.b", name);
    bool transposed = strcmp(op, "ConvTranspose") == 0;
    Value *inputs[] = {
        x, add_constant(graph, w_name, transposed ? DIMS(in, out, 3, 3) : DIMS(out, in, 3, 3), 5, 0),
        add_constant(graph, b_name, DIMS(out), 6, 0)};
    return add(graph, op, name, (Attrs){{attr_ints("pads", 1, 1, 1, 1)}}, 3, inputs);
}

static Value *add_batch_norm(Graph *graph, const char *name, Value *x, int64_t channels) {
    Value *inputs[5] = {x};
    for (int i = 1; i < 5; i++) {
        char constant[32];
        snprintf(constant, sizeof constant, "%s.%d", name, i);
        inputs[i] = add_constant(graph, constant, DIMS(channels), (uint64_t)i, i == 4 ? 0.5f : 0);
    }
    return add(graph, "BatchNormalization", name, (Attrs){0}, 5, inputs);
}

static void batch_normalization_becomes_scale_and_bias(void **state) {
    (void)state;
    static const char *const ops[] = {"Conv", "ConvTranspose"};
    for (int i = 0; i < 2; i++) {
        Graph graph;
        graph_init(&graph, allocator_default());
        Value *conv = add_conv(&graph, "c", add_input(&graph, "x", DIMS(2, 3, 5, 6)), 3, 4, ops[i]);
        Value *norm = add_batch_norm(&graph, "n", conv, 4);
        Value *scaled = ADD("Mul", "k", norm, add_constant(&graph, "factor", DIMS(1, 4, 1, 1), 8, 0));
        finish(&graph, ADD("Add", "y", add_scalar(&graph, "one", 1), scaled));
        check_pass(&graph, pass_fuse_batch_norm, 1);
        graph_free(&graph);
    }
}

/* (x - mean) / deviation * 3 and the like, by numbers for each channel or for all; one alone, one by other
 * dimensions, and one that divides by x stay. */
static void scales_and_shifts_in_a_row_become_one_batch_normalization(void **state) {
    (void)state;
    for (int form = 0; form < 6; form++) {
        Graph graph;
        graph_init(&graph, allocator_default());
        Value *x = add_input(&graph, "x", DIMS(2, 3, 5, 6)), *y = ADD("Relu", "r", x),
              *three = add_scalar(&graph, "3", 3);
        Value *mean = add_constant(&graph, "mean", form == 3 ? DIMS(5, 1) : DIMS(3, 1, 1), 3, 0);
        Value *deviation = add_constant(&graph, "deviation", DIMS(1, 3, 1, 1), 4, 0.5f);
        y = form == 4   ? ADD("Div", "a", three, y)
            : form == 5 ? ADD("Sub", "a", three, y)
                        : ADD("Sub", "a", y, mean);
        if (form == 1)
            y = ADD("Sigmoid", "s", y);
        if (form != 2)
            y = ADD("Div", "b", y, deviation);
        y = form == 1 || form == 2 ? y : ADD("Mul", "c", three, y);
        y = form == 2 ? add_batch_norm(&graph, "n", y, 3) : ADD("Neg", "n", y);
        finish(&graph, y);
        static const size_t nodes[] = {3, 5, 2, 4, 4, 4};
        check_pass(&graph, pass_fuse_batch_norm, nodes[form]);
        graph_free(&graph);
    }
}

static void a_result_that_others_read_is_not_fused(void **state) {
    (void)state;
    Graph graph;
    graph_init(&graph, allocator_default());
    Value *conv = add_conv(&graph, "c", add_input(&graph, "x", DIMS(1, 3, 5, 6)), 3, 4, "Conv");
    finish(&graph, ADD("Mul", "y", ADD("Relu", "r", conv), conv));
    check_pass(&graph, pass_fuse_epilogues, 3);
    graph_free(&graph);
}

static void residuals_and_activations_become_epilogues(void **state) {
    (void)state;
    Graph graph;
    graph_init(&graph, allocator_default());
    Value *x = add_input(&graph, "x", DIMS(2, 4, 5, 6)), *first = add_conv(&graph, "c1", x, 4, 4, "Conv");
    Value *second = add_conv(&graph, "c2", ADD("Relu", "r1", first), 4, 4, "Conv");
    Value *sum = ADD("Add", "a", second, x); /* residual, then activation */
    Value *third = add_conv(&graph, "c3", ADD("Relu", "r2", sum), 4, 4, "Conv");
    finish(&graph, ADD("Add", "y", ADD("Sigmoid", "s", third), x)); /* activation, then residual */
    check_pass(&graph, pass_fuse_epilogues, 3);
    static const PostOpKind expected[3][2] = {{POST_ACTIVATION, POST_ACTIVATION},
                                              {POST_RESIDUAL, POST_ACTIVATION},
                                              {POST_ACTIVATION, POST_RESIDUAL}};
    for (int n = 0; n < 3; n++) {
        const Node *node = graph.nodes[n];
        assert_int_equal(node->n_post_ops, n ? 2 : 1);
        for (int i = 0; i < node->n_post_ops; i++) {
            const PostOp *op = &node->post_ops[i];
            assert_int_equal(op->kind, expected[n][i]);
            if (op->kind == POST_RESIDUAL)
                assert_ptr_equal(node->inputs[op->port], x);
        }
    }
    assert_string_equal(graph.nodes[1]->fused, "Add+Relu");
    graph_free(&graph);
}

/* A folded normalisation is a scale and a bias in the place of the node's own bias, whatever follows. */
static void a_normalisation_becomes_the_first_post_operations(void **state) {
    (void)state;
    Graph graph;
    graph_init(&graph, allocator_default());
    Value *x = add_input(&graph, "x", DIMS(2, 4, 5, 6)), *conv = add_conv(&graph, "c", x, 4, 4, "Conv");
    Value *sum = ADD("Add", "a", add_batch_norm(&graph, "n", conv, 4), x);
    finish(&graph, ADD("Relu", "y", sum));
    check_pass(&graph, pass_fuse_batch_norm, 3);
    check_pass(&graph, pass_fuse_epilogues, 1);
    const Node *node = graph.nodes[0];
    Epilogue epilogue;
    assert_int_equal(node->n_post_ops, 4);
    assert_true(node_epilogue(node, &epilogue));
    assert_null(node->inputs[CONV_B]);
    assert_int_equal(node_own_inputs(node), CONV_INPUTS);
    assert_non_null(node->inputs[epilogue.scale_port]->constant);
    assert_non_null(node->inputs[epilogue.bias_port]->constant);
    assert_ptr_equal(node->inputs[epilogue.residual_port], x);
    assert_int_equal(epilogue.activation.kind, UNARY_RELU);
    assert_false(epilogue.residual_last);
    graph_free(&graph);
}

/* Weights, or a bias, that a run computes: the bias is scaled and shifted in that run. */
static void a_normalisation_follows_what_a_run_computes(void **state) {
    (void)state;
    for (int form = 1; form < 4; form++) {
        Graph graph;
        graph_init(&graph, allocator_default());
        Value *inputs[] = {add_input(&graph, "x", DIMS(2, 3, 5, 6)),
                           form & 1 ? add_input(&graph, "w", DIMS(4, 3, 3, 3))
                                    : add_constant(&graph, "w", DIMS(4, 3, 3, 3), 5, 0),
                           form & 2 ? ADD("Neg", "b", add_input(&graph, "a", DIMS(4)))
                                    : add_constant(&graph, "b", DIMS(4), 6, 0)};
        Value *norm = add_batch_norm(&graph, "n", add(&graph, "Conv", "c", (Attrs){0}, 3, inputs), 4);
        finish(&graph, ADD("Mul", "y", norm, add_constant(&graph, "factor", DIMS(4, 1, 1), 8, 0.5f)));
        check_pass(&graph, pass_fuse_batch_norm, form & 2 ? 1 + 1 + 3 : 1);
        const Node *conv = graph.nodes[graph.n_nodes - 1];
        Epilogue epilogue;
        assert_int_equal(conv->op->kind, OP_Conv);
        assert_true(node_epilogue(conv, &epilogue));
        assert_non_null(conv->inputs[epilogue.scale_port]->constant);
        assert_null(conv->inputs[CONV_B]);
        assert_int_equal(conv->inputs[epilogue.bias_port]->constant != NULL, !(form & 2));
        graph_free(&graph);
    }
}

/* What no kernel computes is told from what kernels do. */
static void post_operations_in_another_order_make_no_epilogue(void **state) {
    (void)state;
    static const PostOp scale = {.kind = POST_SCALE, .port = 3}, bias = {.kind = POST_BIAS, .port = 4},
                        relu = {.kind = POST_ACTIVATION, .port = -1, .function = UNARY_RELU},
                        exponential = {.kind = POST_ACTIVATION, .port = -1, .function = UNARY_EXP},
                        residual = {.kind = POST_RESIDUAL, .port = 5};
    const struct {
        PostOp list[2];
        bool is_epilogue;
    } rows[] = {{{scale, bias}, true},       {{bias, scale}, false}, {{relu, bias}, false},
                {{residual, bias}, false},   {{relu, relu}, false},  {{relu, residual}, true},
                {{residual, relu}, true},    {{bias, bias}, false},  {{residual, residual}, false},
                {{bias, exponential}, false}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const Node node = {.post_ops = rows[i].list, .n_post_ops = 2};
        Epilogue epilogue;
        assert_int_equal(node_epilogue(&node, &epilogue), rows[i].is_epilogue);
    }
}

/* Integers wrap around, which no epilogue does. */
static void products_of_integers_take_no_post_operations(void **state) {
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        Graph graph;
        graph_init(&graph, allocator_default());
        Value *a = add_input(&graph, "a", DIMS(2, 3)), *b = add_input(&graph, "b", DIMS(3, 2));
        a->declared.dtype = b->declared.dtype = a->type.dtype = b->type.dtype = STRIDER_I32;
        finish(&graph, ADD("Relu", "y", ADD(kind ? "Gemm" : "MatMul", "m", a, b)));
        OK(pass_fuse_epilogues(&graph, &error));
        assert_int_equal(graph.n_nodes, 2);
        graph_free(&graph);
    }
}

static void an_activation_becomes_part_of_batch_normalization(void **state) {
    (void)state;
    Graph graph;
    graph_init(&graph, allocator_default());
    Value *x = add_input(&graph, "x", DIMS(2, 3, 5, 6));
    finish(&graph, ADD("Relu", "y", add_batch_norm(&graph, "n", x, 3)));
    check_pass(&graph, pass_fuse_epilogues, 1);
    graph_free(&graph);
}

/* Of their own inputs some are absent; the residual stands after all that there may be. */
static void residuals_and_activations_become_part_of_normalisations(void **state) {
    (void)state;
    static const struct {
        const char *op;
        Attrs attrs;
        int n_inputs, residual_port;
    } rows[] = {{"InstanceNormalization", {{{0}}}, 3, 3},
                {"GroupNormalization", {{{.name = "num_groups", .kind = ATTR_INT, .i = 2}}}, 3, 3},
                {"LayerNormalization", {{{0}}}, 3, 3},
                {"LayerNormalization", {{{0}}}, 2, 3},
                {"RMSNormalization", {{{0}}}, 2, 2}};
    for (size_t row = 0; row < sizeof rows / sizeof *rows; row++)
        for (int last = 0; last < 2; last++) {
            Graph graph;
            graph_init(&graph, allocator_default());
            Value *x = add_input(&graph, "x", DIMS(2, 4, 4)), *r = add_input(&graph, "r", DIMS(2, 4, 4));
            Value *inputs[] = {x, add_constant(&graph, "scale", DIMS(4), 1, 0),
                               add_constant(&graph, "b", DIMS(4), 2, 0)};
            Value *norm = add_of(&graph, 23, rows[row].op, "n", rows[row].attrs, rows[row].n_inputs, inputs);
            finish(&graph, last ? ADD("Add", "y", r, ADD("Sigmoid", "s", norm))
                                : ADD("Sigmoid", "y", ADD("Add", "s", norm, r)));
            check_pass(&graph, pass_fuse_epilogues, 1);
            const PostOp *residual = node_post_op(graph.nodes[0], POST_RESIDUAL);
            assert_non_null(residual);
            assert_int_equal(residual->port, rows[row].residual_port);
            graph_free(&graph);
        }
}

static void the_bias_of_a_linear_layer_becomes_part_of_the_product(void **state) {
    (void)state;
    for (int row = 0; row < 2; row++) { /* a column of values is none for each column */
        Graph graph;
        graph_init(&graph, allocator_default());
        Value *x = add_input(&graph, "x", DIMS(2, 5, 4)), *w = add_constant(&graph, "w", DIMS(4, 5), 1, 0);
        Value *bias = add_constant(&graph, "b", row ? DIMS(1, 5) : DIMS(5, 1), 2, 0);
        Value *sum = ADD("Add", "s", bias, ADD("MatMul", "m", x, w));
        finish(&graph, ADD("Add", "y", ADD("Relu", "r", sum), add_input(&graph, "z", DIMS(2, 5, 5))));
        check_pass(&graph, pass_fuse_epilogues, row ? 1 : 4);
        OK(graph_infer(&graph, STRIDER_SHAPES_CHECK, NULL, &error));
        graph_free(&graph);
    }
}

/* What a dense block writes: each Concat is then the one before and what is new.  One with another axis, one
 * that begins otherwise and one of the same inputs stay. */
static void concats_that_begin_alike_are_nested(void **state) {
    (void)state;
    Graph graph;
    graph_init(&graph, allocator_default());
    const Attrs axis_1 = {{attr_int("axis", 1)}}, axis_0 = {{attr_int("axis", 0)}};
    Value *a = add_input(&graph, "a", DIMS(2, 3)), *b = add_input(&graph, "b", DIMS(2, 3)),
          *c = ADD("Relu", "c", a);
    Value *two = add(&graph, "Concat", "two", axis_1, 2, (Value *[]){a, b});
    Value *three = add(&graph, "Concat", "three", axis_1, 3, (Value *[]){a, b, c});
    Value *four = add(&graph, "Concat", "four", axis_1, 4, (Value *[]){a, b, c, a});
    Value *same = add(&graph, "Concat", "same", axis_1, 4, (Value *[]){a, b, c, a});
    Value *upright = add(&graph, "Concat", "upright", axis_0, 3, (Value *[]){a, b, c});
    Value *turned = add(&graph, "Concat", "turned", axis_1, 3, (Value *[]){b, a, c});
    Value *wide = add(&graph, "Concat", "wide", axis_1, 5, (Value *[]){two, three, turned, four, same});
    finish(&graph, ADD("Add", "y", wide, ADD("ReduceSum", "s", upright)));
    check_pass(&graph, pass_fuse_concats, graph.n_nodes);
    static const char *const names[] = {"two", "three", "four", "same", "upright", "turned"};
    static const int counts[] = {2, 2, 2, 4, 3, 3};
    for (size_t n = 0; n < graph.n_nodes; n++)
        for (int i = 0; i < 6; i++)
            if (strcmp(graph.nodes[n]->name, names[i]) == 0)
                assert_int_equal(graph.nodes[n]->n_inputs, counts[i]);
    graph_free(&graph);
}

static Value *add_shape(Graph *graph, const char *name, int n, const int64_t *dims) {
    Value *value = NULL;
    Tensor tensor;
    const Shape shape = DIMS(n);
    OK(graph_add_value(graph, name, &value, &error));
    OK(tensor_alloc(&tensor, graph->region.allocator, STRIDER_I64, &shape, &error));
    memcpy(tensor.data, dims, (size_t)n * sizeof *dims);
    OK(graph_set_constant(graph, value, tensor, &error));
    return value;
}

#define INTS(NAME, ...)                                                                                      \
    add_shape(&graph, NAME, (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)),                       \
              (int64_t[]){__VA_ARGS__})

/* Of [2, 12, 3, 4], with or without a Concat before it and a Split or Slices after it; one with parts that
 * others read, and one whose other dimensions change too, stay. */
static void channel_shuffles_become_concats_with_an_order(void **state) {
    (void)state;
    for (int form = 0; form < 6; form++) {
        Graph graph;
        graph_init(&graph, allocator_default());
        Value *a = add_input(&graph, "a", DIMS(2, 6, 3, 4)), *b = add_input(&graph, "b", DIMS(2, 6, 3, 4));
        const Attrs axis = {{attr_int("axis", 1)}}, perm = {{attr_ints("perm", 0, 2, 1, 3, 4)}};
        Value *joined = add(&graph, "Concat", "joined", axis, 2, (Value *[]){a, b});
        Value *apart = form == 5 ? INTS("apart", -1, 3, 4, 4, 3) : INTS("apart", 2, 3, 4, 3, 4);
        Value *turned =
            add(&graph, "Transpose", "turned", perm, 1, (Value *[]){ADD("Reshape", "split", joined, apart)});
        Value *y = ADD("Reshape", "y", turned, INTS("back", 0, -1, 3, 4));
        if (form == 1) /* both parts */
            y = ADD("Sub", "z", ADD("Slice", "s1", y, INTS("b1", 0), INTS("e1", 5), INTS("x1", 1)),
                    ADD("Slice", "s2", y, INTS("b2", 7), INTS("e2", 1000), INTS("x2", -3)));
        else if (form == 2) /* a part and all */
            y = add(&graph, "Concat", "z", axis, 2,
                    (Value *[]){ADD("Slice", "s1", y, INTS("b1", 2), INTS("e1", 9), INTS("x1", 1)), y});
        else if (form == 3) /* no part of the channels alone */
            y = ADD("Slice", "z", y, INTS("b1", 0, 1), INTS("e1", 5, 2), INTS("x1", 1, 2));
        else if (form == 4)
            y = ADD("Mul", "z", y, ADD("ReduceSum", "other reader", joined));
        finish(&graph, y);
        OK(pass_fold_constants(&graph, &error)); /* the shapes that Reshapes give */
        static const size_t nodes[] = {1, 3, 3, 2, 4, 4};
        check_pass(&graph, pass_fuse_shuffles, nodes[form]);
        graph_free(&graph);
    }
}

/* Each result is small enough to be folded, a file of them would take all memory. */
static void what_is_folded_is_limited_in_all(void **state) {
    (void)state;
    enum { NODES = 300, MAX_FOLDED_MIB = 256 };
    Graph graph;
    Value *number = NULL, *y = NULL;
    Tensor tensor;
    graph_init(&graph, allocator_default());
    const Shape one = DIMS(1);
    OK(tensor_alloc(&tensor, graph.region.allocator, STRIDER_F64, &one, &error));
    *(double *)tensor.data = 1;
    OK(graph_add_value(&graph, "number", &number, &error));
    OK(graph_set_constant(&graph, number, tensor, &error));
    Value *mebibyte = INTS("mebibyte", (1 << 20) / (int64_t)sizeof(double));
    for (int i = 0; i < NODES; i++) {
        char name[16];
        snprintf(name, sizeof name, "y%d", i);
        y = ADD("Expand", name, number, mebibyte);
    }
    finish(&graph, y);
    OK(pass_fold_constants(&graph, &error));
    assert_int_equal(graph.n_nodes, NODES - MAX_FOLDED_MIB);
    graph_free(&graph);
}

/* Four times as large as they were, and beyond what any node may add. */
static void weights_that_are_kept_as_integers_become_real_numbers_once(void **state) {
    (void)state;
    Graph graph;
    graph_init(&graph, allocator_default());
    Value *weights = NULL, *scale = NULL;
    Tensor tensor;
    const Shape many = DIMS(1 << 20), one = DIMS(1);
    OK(tensor_alloc(&tensor, graph.region.allocator, STRIDER_I8, &many, &error));
    memset(tensor.data, 3, tensor.size_bytes);
    OK(graph_add_value(&graph, "weights", &weights, &error));
    OK(graph_set_constant(&graph, weights, tensor, &error));
    OK(tensor_alloc(&tensor, graph.region.allocator, STRIDER_F32, &one, &error));
    *(float *)tensor.data = 0.5f;
    OK(graph_add_value(&graph, "scale", &scale, &error));
    OK(graph_set_constant(&graph, scale, tensor, &error));
    Value *y = ADD("DequantizeLinear", "y", weights, scale);
    finish(&graph, y);
    OK(pass_fold_constants(&graph, &error));
    assert_int_equal(graph.n_nodes, 0);
    assert_true(((const float *)y->constant->data)[many.dims[0] - 1] == 1.5f);
    graph_free(&graph);
}

/* Both outputs are parts of one shuffle of one input, with an open batch. */
static void a_split_after_a_shuffle_becomes_two_concats(void **state) {
    (void)state;
    Graph graph;
    Node *split = NULL;
    graph_init(&graph, allocator_default());
    Value *x = add_input(&graph, "x", DIMS(DIM_UNKNOWN, 8, 5)), *turned, *y;
    turned = add(&graph, "Transpose", "turned", (Attrs){{attr_ints("perm", 0, 2, 1, 3)}}, 1,
                 (Value *[]){ADD("Reshape", "split", x, INTS("apart", -1, 2, 4, 5))});
    y = ADD("Reshape", "back", turned, INTS("together", -1, 8, 5));
    OK(graph_add_node(&graph, op_find("", "Split", 11), "parts", 1, 2, &split, &error));
    const Attr attrs[] = {attr_int("axis", -2), attr_ints("split", 3, 5)};
    ParseContext parse = {split, &(AttrList){(Attr *)attrs, 2}, &graph.region, &error};
    split->opset = 11;
    OK(split->op->parse(&parse, split->attrs));
    node_set_input(split, 0, y);
    for (int i = 0; i < 2; i++) {
        Value *part = NULL;
        OK(graph_add_value(&graph, i ? "rest" : "first", &part, &error));
        node_set_output(split, i, part);
    }
    finish(&graph, add(&graph, "Concat", "z", (Attrs){{attr_int("axis", 1)}}, 2,
                       (Value *[]){split->outputs[1], split->outputs[0]}));
    OK(pass_fuse_shuffles(&graph, &error));
    assert_int_equal(graph.n_nodes, 3);
    static const int64_t order[] = {0, 4, 1, 5, 2, 6, 3, 7};
    for (int i = 0; i < 2; i++) {
        const Node *part = split->outputs[i]->producer;
        const ConcatAttrs *concat = part->attrs;
        assert_string_equal(part->op->name, "Concat");
        assert_int_equal(concat->n_order, i ? 5 : 3);
        assert_memory_equal(concat->order, order + (i ? 3 : 0), (size_t)concat->n_order * sizeof *order);
        assert_ptr_equal(part->inputs[0], x);
    }
    OK(graph_validate(&graph, &error));
    graph_free(&graph);
}

/* Of two dimensions or one, with and without b, the square in two ways, operands in either order; means of
 * other axes, or a centred value that others read too, stay. */
static void layer_normalization_of_several_nodes_is_joined(void **state) {
    (void)state;
    for (int form = 0; form < 6; form++) {
        Graph graph;
        graph_init(&graph, allocator_default());
        const Attrs last = {{attr_ints("axes", -1)}}, two = {{attr_ints("axes", 2, 1)}},
                    other = {{attr_ints("axes", 1)}};
        const Attrs *axes = form == 1 ? &two : &last;
        Value *x = add_input(&graph, "x", DIMS(2, 5, 8)), *eps = add_scalar(&graph, "eps", 1e-5f);
        Value *scale = add_constant(&graph, "scale", form == 1 ? DIMS(5, 8) : DIMS(8), 3, 0.5f);
        Value *b = add_constant(&graph, "b", DIMS(8), 4, 0);
        Value *c = ADD("Sub", "c", x, add_old(&graph, "ReduceMean", "m", form == 4 ? other : *axes, x));
        Value *square = form == 2 ? ADD("Mul", "q", c, c) : ADD("Pow", "q", c, add_scalar(&graph, "2", 2));
        Value *variance = add_old(&graph, "ReduceMean", "v", form == 4 ? other : *axes, square);
        Value *sum = form % 2 ? ADD("Add", "s", variance, eps) : ADD("Add", "s", eps, variance);
        Value *scaled = ADD("Mul", "n", scale, ADD("Div", "d", c, ADD("Sqrt", "r", sum)));
        Value *y = form == 3 ? scaled : ADD("Add", "y", scaled, b);
        if (form == 5)
            y = ADD("Max", "z", y, c);
        finish(&graph, y);
        check_pass(&graph, pass_fuse_layer_norms, form == 4 ? 9 : form == 5 ? 10 : 1);
        graph_free(&graph);
    }
}

static Value *add_transpose(Graph *graph, const char *name, Value *x, bool to_channels_first) {
    const Attrs first = {{attr_ints("perm", 0, 3, 1, 2)}}, last = {{attr_ints("perm", 0, 2, 3, 1)}};
    return add(graph, "Transpose", name, to_channels_first ? first : last, 1, &x);
}

/* A residual block as an export of a channels-last network writes it. */
static void transposes_around_convolutions_cancel(void **state) {
    (void)state;
    Graph graph;
    graph_init(&graph, allocator_default());
    Value *x = add_transpose(&graph, "t1", add_input(&graph, "x", DIMS(2, 5, 6, 4)), true);
    Value *a = add_transpose(&graph, "t2", add_conv(&graph, "c1", x, 4, 4, "Conv"), false);
    a = ADD("Add", "biased", add_constant(&graph, "bias", DIMS(4), 7, 0), a);
    a = ADD("Clip", "clipped", a, add_scalar(&graph, "low", 0), add_scalar(&graph, "high", 6));
    Value *b = add_transpose(&graph, "t3", a, true);
    b = add_transpose(&graph, "t4", add_conv(&graph, "c2", b, 4, 4, "Conv"), false);
    b = ADD("PRelu", "p", b, add_constant(&graph, "slope", DIMS(4), 8, 0));
    finish(&graph, ADD("Mul", "y", b, b));
    check_pass(&graph, pass_push_transposes, 8);
    assert_int_equal(count_nodes(&graph, "Transpose"), 2);
    assert_true(is_op(graph.nodes[1], OP_Conv) && is_op(graph.nodes[7], OP_Transpose));
    graph_free(&graph);
}

/* A slope that belongs to the channels, as it broadcasts to nothing, would belong to others on the other
 * side; and which it is may not be known. */
static void transposes_do_not_pass_slopes_of_channels(void **state) {
    (void)state;
    for (int form = 0; form < 2; form++) {
        Graph graph;
        graph_init(&graph, allocator_default());
        Value *x = add_input(&graph, "x", DIMS(2, 5, form ? DIM_UNKNOWN : 6, 4));
        x = ADD("PRelu", "p", add_transpose(&graph, "t1", x, true),
                add_constant(&graph, "slope", DIMS(4), 8, 0));
        finish(&graph, add_transpose(&graph, "t2", x, false));
        if (form)
            OK(pass_push_transposes(&graph, &error));
        else
            check_pass(&graph, pass_push_transposes, 3);
        assert_int_equal(count_nodes(&graph, "Transpose"), 2);
        graph_free(&graph);
    }
}

/* Both operands of a Concat; operands that others read, that permute otherwise or are constants that would
 * have to move stay as they are. */
static void transposes_move_only_where_there_are_no_more_after(void **state) {
    (void)state;
    for (int form = 0; form < 6; form++) {
        Graph graph;
        graph_init(&graph, allocator_default());
        Value *a = add_transpose(&graph, "a2", add_input(&graph, "a", DIMS(2, 5, 5, 5)), true);
        Value *b = add_transpose(&graph, "b2", add_input(&graph, "b", DIMS(2, 5, 5, 5)), form != 2);
        Value *y = NULL;
        if (form < 3)
            y = add(&graph, "Concat", "join", (Attrs){{attr_int("axis", -3)}}, 2, (Value *[]){a, b});
        else if (form == 3)
            y = ADD("Mul", "m", ADD("Add", "s", a, b), add_constant(&graph, "k", DIMS(5, 1, 5), 3, 0));
        else if (form == 4)
            y = ADD("Sub", "m", ADD("Neg", "n", a), b);
        else
            y = add_transpose(&graph, "t", a, true);
        if (form == 1 || form == 5)
            y = ADD("Add", "other", y,
                    add(&graph, "Tile", "tile", (Attrs){0}, 2,
                        (Value *[]){a, INTS("r", 1, form == 1 ? 2 : 1, 1, 1)}));
        finish(&graph, y);
        static const size_t nodes[] = {2, 5, 3, 3, 3, 4}, transposes[] = {1, 2, 2, 1, 1, 2};
        OK(pass_remove_dead(&graph, &error));
        check_pass(&graph, pass_push_transposes, nodes[form]);
        assert_int_equal(count_nodes(&graph, "Transpose"), transposes[form]);
        graph_free(&graph);
    }
}

static void transposes_in_a_row_are_joined(void **state) {
    (void)state;
    for (int form = 0; form < 3; form++) { /* one; none; one that moves nothing, to the output */
        Graph graph;
        graph_init(&graph, allocator_default());
        Value *x = add_transpose(&graph, "t1", add_input(&graph, "x", DIMS(2, 5, 6, 4)), true);
        Value *y = add_transpose(&graph, "t2", x, form == 0);
        finish(&graph, form == 1 ? ADD("Softmax", "y", y) : y);
        check_pass(&graph, pass_push_transposes, 1);
        assert_int_equal(count_nodes(&graph, "Transpose"), form != 1);
        graph_free(&graph);
    }
}

static void of_two_summed_convolutions_the_later_takes_the_other(void **state) {
    (void)state;
    Graph graph;
    graph_init(&graph, allocator_default());
    Value *x = add_input(&graph, "x", DIMS(1, 4, 5, 6));
    Value *a = add_conv(&graph, "c1", x, 4, 4, "Conv"), *b = add_conv(&graph, "c2", x, 4, 4, "Conv");
    finish(&graph, ADD("Relu", "y", ADD("Add", "s", a, b)));
    check_pass(&graph, pass_fuse_epilogues, 2);
    graph_free(&graph);
}

/* x Sigmoid(x), x Tanh(Softplus(x)), x Clip(x + 3, 0, 6) / 6, and Gelu in its orders. */
static void activations_of_several_nodes_are_joined(void **state) {
    (void)state;
    for (int kind = 0; kind < 6; kind++) {
        Graph graph;
        graph_init(&graph, allocator_default());
        Value *x = add_input(&graph, "x", DIMS(3, 7)), *y = NULL, *half = add_scalar(&graph, "half", 0.5f);
        Value *root = add_scalar(&graph, "root", 1.41421356f), *one = add_scalar(&graph, "1", 1);
        Value *three = add_scalar(&graph, "3", 3), *six = add_scalar(&graph, "6", 6),
              *zero = add_scalar(&graph, "0", 0);
        Value *erf = NULL;
        if (kind >= 3)
            erf = ADD("Add", "e1", ADD("Erf", "e", ADD("Div", "d", x, root)), one);
        if (kind == 0)
            y = ADD("Mul", "y", x, ADD("Sigmoid", "s", x));
        else if (kind == 1)
            y = ADD("Mul", "y", x, ADD("Tanh", "t", ADD("Softplus", "s", x)));
        else if (kind == 2)
            y = ADD("Div", "y", ADD("Mul", "m", x, ADD("Clip", "c", ADD("Add", "a", x, three), zero, six)),
                    six);
        else if (kind == 3)
            y = ADD("Mul", "y", ADD("Mul", "m", x, erf), half);
        else if (kind == 4)
            y = ADD("Mul", "y", x, ADD("Mul", "m", erf, half));
        else
            y = ADD("Mul", "y", ADD("Mul", "m", x, half), erf);
        finish(&graph, y);
        check_pass(&graph, pass_fuse_activations, 1);
        graph_free(&graph);
    }
}

/* --- Einsum --- */

static void check_einsums(const char *equation, int n, const Shape *shapes, bool lowers) {
    static const char *const names[] = {"a", "b", "c", "d"};
    Graph graph;
    graph_init(&graph, allocator_default());
    Value *inputs[4];
    for (int i = 0; i < n; i++)
        inputs[i] = add_input(&graph, names[i], shapes[i]);
    Value *y = add(&graph, "Einsum", "y", (Attrs){{attr_string("equation", equation)}}, n, inputs);
    finish(&graph, ADD("Relu", "z", y));
    Tensor before = compute_graph(&graph);
    OK(pass_lower_einsum(&graph, &error));
    if ((count_nodes(&graph, "Einsum") == 0) != lowers)
        fail_msg("%s is %slowered", equation, lowers ? "not " : "");
    Tensor after = compute_graph(&graph);
    assert_tensor_close(&after, &before, 1e-5, 1e-5);
    tensor_free(&before);
    tensor_free(&after);
    OK(graph_validate(&graph, &error));
    graph_free(&graph);
}

static void check_einsum(const char *equation, Shape a, Shape b, bool lowers) {
    check_einsums(equation, b.rank < 0 ? 1 : 2, (const Shape[]){a, b}, lowers);
}

static void einsum_becomes_products(void **state) {
    (void)state;
    const Shape none = shape_unknown();
    check_einsum("bij,bjk->bik", DIMS(2, 3, 4), DIMS(2, 4, 5), true);
    check_einsum("bhid,bhjd->bhij", DIMS(2, 3, 4, 5), DIMS(2, 3, 6, 5), true);
    check_einsum("bhij,bhjd->bihd", DIMS(2, 3, 4, 5), DIMS(2, 3, 5, 6), true);
    check_einsum("bchw,kc->bkhw", DIMS(2, 3, 4, 5), DIMS(6, 3), true);
    check_einsum("nkctv,kvw->nctw", DIMS(2, 3, 4, 5, 6), DIMS(3, 6, 7), true);
    check_einsum("bhwc,hkc->bhwk", DIMS(2, 3, 4, 5), DIMS(3, 6, 5), true);
    check_einsum("bhwc,wkc->bhwk", DIMS(2, 3, 4, 5), DIMS(4, 6, 5), true);
    check_einsum("bqc,bchw->bqhw", DIMS(2, 3, 4), DIMS(2, 4, 5, 6), true);
    check_einsum("i,j->ij", DIMS(3), DIMS(4), true);
    check_einsum("i,j->ji", DIMS(3), DIMS(4), true);
    check_einsum("bi,bi->b", DIMS(3, 4), DIMS(3, 4), true);
    check_einsum("bi,i->b", DIMS(3, 4), DIMS(4), true);
    check_einsum("ij,ij->", DIMS(3, 4), DIMS(3, 4), true);
    check_einsum("bc,cb->bc", DIMS(3, 4), DIMS(4, 3), true);
    check_einsum("bc,c->cb", DIMS(3, 4), DIMS(4), true);
    check_einsum("...ij,...jk->...ik", DIMS(2, 3, 4, 5), DIMS(3, 5, 6), true);
    check_einsum("aib,jbc->ij", DIMS(2, 3, 4), DIMS(5, 4, 6), true); /* a and c are summed by themselves */
    check_einsum("ij,jk", DIMS(3, 4), DIMS(4, 5), true);
    check_einsum("ab,cd->acbd", DIMS(2, 3), DIMS(4, 5), true);
    check_einsum("ikb,jkb->ijb", DIMS(3, 2, 4), DIMS(5, 2, 4), true); /* the last label is of both */
    check_einsum("ij->ji", DIMS(3, 4), none, true);
    check_einsum("bij->jb", DIMS(2, 3, 4), none, true);
    check_einsum("ij->", DIMS(3, 4), none, true);
}

/* Rows that stand before a label of both inputs are a matrix's all the same. */
static void einsum_multiplies_whole_matrices(void **state) {
    (void)state;
    Graph graph;
    graph_init(&graph, allocator_default());
    Value *inputs[2] = {add_input(&graph, "a", DIMS(2, 3, 4, 6)), add_input(&graph, "b", DIMS(2, 3, 6, 5))};
    finish(&graph,
           add(&graph, "Einsum", "y", (Attrs){{attr_string("equation", "bhij,bhjd->bihd")}}, 2, inputs));
    OK(pass_lower_einsum(&graph, &error));
    const Value *product = graph.nodes[0]->outputs[0];
    assert_string_equal(graph.nodes[0]->op->name, "MatMul");
    const Shape expected = DIMS(2, 3, 4, 5);
    assert_true(shape_equal(&product->type.shape, &expected));
    graph_free(&graph);
}

static void einsum_of_a_letter_twice_takes_the_diagonal(void **state) {
    (void)state;
    const Shape none = shape_unknown();
    check_einsum("ii->i", DIMS(4, 4), none, true);
    check_einsum("ii", DIMS(4, 4), none, true);
    check_einsum("bii->bi", DIMS(2, 3, 3), none, true);
    check_einsum("ibi->ib", DIMS(3, 2, 3), none, true);
    check_einsum("iii->i", DIMS(3, 3, 3), none, true);
    check_einsum("iijj->ji", DIMS(2, 2, 5, 5), none, true);
    check_einsum("bii,bij->bj", DIMS(2, 3, 3), DIMS(2, 3, 4), true);
    check_einsum("ii->i", DIMS(1, 1), none, true);
}

static void einsum_of_many_inputs_becomes_products_of_two(void **state) {
    (void)state;
    check_einsums("ij,jk,kl->il", 3, (const Shape[]){DIMS(3, 4), DIMS(4, 5), DIMS(5, 6)}, true);
    check_einsums("bij,jk,bkl->bil", 3, (const Shape[]){DIMS(2, 3, 4), DIMS(4, 5), DIMS(2, 5, 6)}, true);
    check_einsums("i,j,k->kij", 3, (const Shape[]){DIMS(3), DIMS(4), DIMS(5)}, true);
    check_einsums("bi,bij,bj->b", 3, (const Shape[]){DIMS(2, 3), DIMS(2, 3, 4), DIMS(2, 4)}, true);
    check_einsums("abc,ad,be->dec", 3, (const Shape[]){DIMS(2, 3, 4), DIMS(2, 5), DIMS(3, 6)}, true);
    check_einsums("ij,ij,ij->i", 3, (const Shape[]){DIMS(3, 4), DIMS(3, 4), DIMS(3, 4)}, true);
    check_einsums("a,b,c,d->", 4, (const Shape[]){DIMS(3), DIMS(4), DIMS(5), DIMS(6)}, true);
    check_einsums("ab,bc,cd,de->ae", 4, (const Shape[]){DIMS(20, 3), DIMS(3, 20), DIMS(20, 3), DIMS(3, 20)},
                  true);
}

/* The two that make the smallest product go first; where each product of two would be far larger than all
 * there is, the sum is left as it is. */
static void einsum_keeps_products_on_the_way_small(void **state) {
    (void)state;
    Graph graph;
    graph_init(&graph, allocator_default());
    Value *edges[6];
    for (int i = 0; i < 6; i++)
        edges[i] = add_input(&graph, (const char *[]){"a", "b", "c", "d", "e", "f"}[i], DIMS(200, 200));
    finish(&graph,
           add(&graph, "Einsum", "y", (Attrs){{attr_string("equation", "ab,ac,ad,bc,bd,cd->")}}, 6, edges));
    OK(pass_lower_einsum(&graph, &error));
    assert_int_equal(count_nodes(&graph, "Einsum"), 1);
    graph_free(&graph);
    graph_init(&graph, allocator_default());
    Value *inputs[] = {add_input(&graph, "a", DIMS(50, 2)), add_input(&graph, "b", DIMS(2, 50)),
                       add_input(&graph, "c", DIMS(50, 3))};
    finish(&graph, add(&graph, "Einsum", "y", (Attrs){{attr_string("equation", "ij,jk,kl->il")}}, 3, inputs));
    OK(pass_lower_einsum(&graph, &error));
    assert_int_equal(graph.n_nodes, 2);
    assert_ptr_equal(graph.nodes[0]->inputs[0], inputs[1]);
    assert_ptr_equal(graph.nodes[0]->inputs[1], inputs[2]);
    graph_free(&graph);
}

static void einsum_stays_where_matrices_do_not_fit(void **state) {
    (void)state;
    check_einsum("bii->bi", DIMS(2, 1, 1), shape_unknown(), true);
    check_einsum("ij->ij", DIMS(2, 3), shape_unknown(), false);
    check_einsum("bij,bjk->bik", DIMS(2, 3, 4), DIMS(1, 4, 5), false); /* ones broadcast */
    check_einsum("ij,jk->ik", DIMS(3, 4), DIMS(1, 5), false);
}

/* --- normalisations --- */

static void check_norm(const char *op, Attrs attrs, Shape shape) {
    Graph graph;
    graph_init(&graph, allocator_default());
    Value *x = add_input(&graph, "x", shape);
    finish(&graph, add(&graph, op, "y", attrs, 1, &x));
    Tensor before = compute_graph(&graph);
    OK(pass_lower_norms(&graph, &error));
    assert_int_equal(count_nodes(&graph, op), 0);
    Tensor after = compute_graph(&graph);
    assert_tensor_close(&after, &before, 1e-5, 1e-6);
    tensor_free(&before);
    tensor_free(&after);
    OK(graph_validate(&graph, &error));
    graph_free(&graph);
}

static void norms_become_reductions(void **state) {
    (void)state;
    const char *const lp = "LpNormalization", *const mvn = "MeanVarianceNormalization";
    check_norm(mvn, (Attrs){0}, DIMS(2, 3, 4, 5));
    check_norm(mvn, (Attrs){{attr_ints("axes", 2, 3)}}, DIMS(2, 3, 4, 5));
    check_norm(mvn, (Attrs){{attr_ints("axes", -1, 0)}}, DIMS(4, 6));
    check_norm(mvn, (Attrs){{attr_ints("axes", 1)}}, DIMS(4, 1)); /* no deviation */
    check_norm(lp, (Attrs){0}, DIMS(2, 3, 4));
    check_norm(lp, (Attrs){{attr_int("axis", 0), attr_int("p", 1)}}, DIMS(3, 4));
    check_norm(lp, (Attrs){{attr_int("axis", 1), attr_int("p", 2)}}, DIMS(2, 3, 4));
    check_norm("GlobalLpPool", (Attrs){{attr_int("p", 1)}}, DIMS(2, 3, 4));
    check_norm("GlobalLpPool", (Attrs){0}, DIMS(2, 3, 4, 5));
}

/* --- halves --- */

static Value *half(Graph *graph, const char *name, Value *x) {
    return add(graph, "Cast", name, (Attrs){{attr_int("to", 10)}}, 1, &x);
}

static void halves_are_computed_as_floats(void **state) {
    (void)state;
    Graph graph;
    graph_init(&graph, allocator_default());
    Value *x = half(&graph, "x16", add_input(&graph, "x", DIMS(2, 3, 8, 8)));
    Value *w = half(&graph, "w16", add_constant(&graph, "w", DIMS(4, 3, 3, 3), 1, 0));
    Value *inputs[2] = {x, w}, *y = add(&graph, "Conv", "c", (Attrs){0}, 2, inputs);
    y = ADD("Mul", "m", ADD("Sigmoid", "s", ADD("Relu", "r", y)), y);
    finish(&graph, y);
    Tensor before = compute_graph(&graph);
    OK(pass_widen_halves(&graph, &error));
    OK(pass_remove_dead(&graph, &error));
    assert_int_equal(graph.outputs[0]->type.dtype, STRIDER_F16);
    assert_string_equal(graph.outputs[0]->name, "m");
    assert_int_equal(count_nodes(&graph, "Cast"),
                     5); /* two of the test's, two before the Conv, one at the end */
    Tensor after = compute_graph(&graph);
    assert_int_equal(after.type.dtype, STRIDER_F16);
    assert_tensor_close(&after, &before, 4e-3, 4e-3);
    tensor_free(&before);
    tensor_free(&after);
    OK(graph_validate(&graph, &error));
    graph_free(&graph);
}

static void what_is_not_widened_reads_halves(void **state) {
    (void)state;
    Graph graph;
    graph_init(&graph, allocator_default());
    Value *x = half(&graph, "x16", add_input(&graph, "x", DIMS(2, 3)));
    Value *e = ADD("Exp", "e", x), *s = ADD("Shape", "s", e);
    OK(graph_add_output(&graph, s, &error));
    finish(&graph, ADD("Identity", "y", e)); /* an Identity is none of them */
    OK(pass_widen_halves(&graph, &error));
    OK(pass_remove_dead(&graph, &error));
    assert_int_equal(count_nodes(&graph, "Cast"), 3);
    assert_int_equal(graph.outputs[1]->type.dtype, STRIDER_F16);
    OK(graph_validate(&graph, &error));
    graph_free(&graph);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(constants_are_folded),
        cmocka_unit_test(shapes_that_are_known_are_folded),
        cmocka_unit_test(identities_go_and_the_output_keeps_its_name),
        cmocka_unit_test(an_identity_from_input_to_output_stays),
        cmocka_unit_test(identities_before_several_readers_go_and_all_compute_the_same),
        cmocka_unit_test(dead_nodes_go),
        cmocka_unit_test(batch_normalization_becomes_scale_and_bias),
        cmocka_unit_test(scales_and_shifts_in_a_row_become_one_batch_normalization),
        cmocka_unit_test(a_result_that_others_read_is_not_fused),
        cmocka_unit_test(residuals_and_activations_become_epilogues),
        cmocka_unit_test(a_normalisation_becomes_the_first_post_operations),
        cmocka_unit_test(a_normalisation_follows_what_a_run_computes),
        cmocka_unit_test(post_operations_in_another_order_make_no_epilogue),
        cmocka_unit_test(products_of_integers_take_no_post_operations),
        cmocka_unit_test(an_activation_becomes_part_of_batch_normalization),
        cmocka_unit_test(residuals_and_activations_become_part_of_normalisations),
        cmocka_unit_test(the_bias_of_a_linear_layer_becomes_part_of_the_product),
        cmocka_unit_test(concats_that_begin_alike_are_nested),
        cmocka_unit_test(what_is_folded_is_limited_in_all),
        cmocka_unit_test(weights_that_are_kept_as_integers_become_real_numbers_once),
        cmocka_unit_test(channel_shuffles_become_concats_with_an_order),
        cmocka_unit_test(a_split_after_a_shuffle_becomes_two_concats),
        cmocka_unit_test(layer_normalization_of_several_nodes_is_joined),
        cmocka_unit_test(transposes_around_convolutions_cancel),
        cmocka_unit_test(transposes_do_not_pass_slopes_of_channels),
        cmocka_unit_test(transposes_move_only_where_there_are_no_more_after),
        cmocka_unit_test(transposes_in_a_row_are_joined),
        cmocka_unit_test(of_two_summed_convolutions_the_later_takes_the_other),
        cmocka_unit_test(activations_of_several_nodes_are_joined),
        cmocka_unit_test(einsum_becomes_products),
        cmocka_unit_test(einsum_multiplies_whole_matrices),
        cmocka_unit_test(einsum_of_a_letter_twice_takes_the_diagonal),
        cmocka_unit_test(einsum_of_many_inputs_becomes_products_of_two),
        cmocka_unit_test(einsum_keeps_products_on_the_way_small),
        cmocka_unit_test(einsum_stays_where_matrices_do_not_fit),
        cmocka_unit_test(norms_become_reductions),
        cmocka_unit_test(halves_are_computed_as_floats),
        cmocka_unit_test(what_is_not_widened_reads_halves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
