/* SPDX-License-Identifier: Apache-2.0 */
/* What passes assume of shapes holds for the inputs of a run, or is undone: models run by the library as they
 * are optimised and as they are in the file, and agree. */
#include "support/op_test.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "strider/strider.h"
#include "support/tiny_model.h"

enum { OPEN = -1 };

/* A float input; each open size is called S, all the same. */
static void add_input(Proto *graph, int field, const char *name, int rank, const int64_t *dims) {
    Proto info = {0}, type = {0}, tensor = {0}, shape = {0};
    for (int i = 0; i < rank; i++) {
        Proto dim = {0};
        if (dims[i] == OPEN)
            proto_text(&dim, 2, "S");
        else
            proto_int(&dim, 1, dims[i]);
        proto_message(&shape, 1, &dim);
    }
    proto_int(&tensor, 1, STRIDER_F32);
    if (rank >= 0)
        proto_message(&tensor, 2, &shape);
    proto_message(&type, 1, &tensor);
    proto_text(&info, 1, name);
    proto_message(&info, 2, &type);
    proto_message(graph, field, &info);
}

static void add_floats(Proto *graph, const char *name, int rank, const int64_t *dims, float scale) {
    size_t count = 1;
    for (int i = 0; i < rank; i++)
        count *= (size_t)dims[i];
    float *values = calloc(count, sizeof *values);
    fill_random(values, count, 3);
    for (size_t i = 0; i < count; i++)
        values[i] = rank ? values[i] * scale : scale;
    put_tensor(graph, name, ONNX_FLOAT, rank, dims, values, count * sizeof *values);
    free(values);
}

static void add_ints(Proto *graph, const char *name, int64_t count, const int64_t *values) {
    put_tensor(graph, name, ONNX_INT64, 1, &count, values, (size_t)count * sizeof *values);
}

/* `inputs` are names with spaces between. */
static void add_node(Proto *graph, const char *op, const char *inputs, const char *output) {
    Proto node = make_node(op, "", inputs, output);
    if (strcmp(op, "Conv") == 0)
        proto_ints_attribute(&node, "pads", (const int64_t[]){1, 1, 1, 1}, 4);
    if (strcmp(op, "Transpose") == 0)
        proto_ints_attribute(&node, "perm", (const int64_t[]){0, 2, 1}, 3);
    if (strcmp(op, "Einsum") == 0)
        proto_text_attribute(&node, "equation", inputs[0] == 'q' ? "bij,bjd->bid" : "bid,bjd->bij");
    proto_message(graph, GRAPH_NODE, &node);
}

/* The bytes must stay as long as the model. */
typedef struct Loaded {
    strider_model *model;
    Proto bytes;
} Loaded;

/* At the sizes of `given`, where that is not NULL, of the inputs "x" and "r". */
static Loaded load_at(const Proto *graph, bool optimize, const strider_tensor *given) {
    Proto copy = {0};
    Loaded loaded = {0};
    strider_load_options options = strider_load_options_default();
    strider_error error;
    proto_put(&copy, graph->data, graph->size);
    proto_text(&copy, GRAPH_NAME, "g");
    loaded.bytes = make_model(&copy, 8, 13);
    options.optimize = optimize;
    strider_input_shape shapes[2] = {{.name = "x"}, {.name = "r"}};
    for (int i = 0; given && i < 2; i++) {
        shapes[i].rank = given[i].rank;
        memcpy(shapes[i].dims, given[i].dims, sizeof shapes[i].dims);
        options.input_shapes = shapes;
        options.input_shape_count = 2;
    }
    if (strider_model_load_memory(loaded.bytes.data, loaded.bytes.size, NULL, &options, &loaded.model,
                                  &error))
        fail_msg("%s", error.message);
    return loaded;
}

static Loaded load(const Proto *graph, bool optimize) {
    return load_at(graph, optimize, NULL);
}

static void unload(Loaded *loaded) {
    strider_model_free(loaded->model);
    proto_free(&loaded->bytes);
}

typedef struct Run {
    strider_status status;
    strider_tensor output;
    strider_error error;
    float *data;
} Run;

enum { MAX_INPUTS = 2 };

static strider_session *make_session(const strider_model *model) {
    strider_session_options options = strider_session_options_default();
    strider_session *session = NULL;
    strider_error error;
    options.threads = 1;
    if (strider_session_create(model, &options, &session, &error))
        fail_msg("%s", error.message);
    return session;
}

static Run run(strider_session *session, int n, const strider_tensor *shapes) {
    strider_tensor inputs[MAX_INPUTS];
    Run made = {0};
    for (int i = 0; i < n; i++) {
        const size_t count = (size_t)strider_tensor_elements(&shapes[i]);
        inputs[i] = shapes[i];
        inputs[i].dtype = STRIDER_F32;
        inputs[i].data = calloc(count + 1, sizeof(float));
        fill_random(inputs[i].data, count, (uint64_t)i + 10);
    }
    made.status = strider_session_run(session, inputs, (size_t)n, &made.output, 1, &made.error);
    if (!made.status) {
        const size_t bytes = (size_t)strider_tensor_elements(&made.output) * sizeof(float);
        made.data = malloc(bytes + 1);
        memcpy(made.data, made.output.data, bytes);
    }
    for (int i = 0; i < n; i++)
        free(inputs[i].data);
    return made;
}

static void assert_same(const Run *a, const Run *b, const char *what, int form) {
    if (a->status || b->status)
        fail_msg("%s, %d: %s%s", what, form, a->status ? a->error.message : "",
                 b->status ? b->error.message : "");
    assert_int_equal(a->output.rank, b->output.rank);
    assert_memory_equal(a->output.dims, b->output.dims, (size_t)a->output.rank * sizeof(int64_t));
    for (int64_t i = 0; i < strider_tensor_elements(&a->output); i++)
        if (!(fabsf(a->data[i] - b->data[i]) <= 1e-5f + 1e-5f * fabsf(b->data[i])))
            fail_msg("%s, %d: element %d is %g and %g", what, form, (int)i, (double)a->data[i],
                     (double)b->data[i]);
}

static size_t count_nodes(const strider_model *model) {
    return strider_model_get_info(model).node_count;
}

/* The product or the normalisation, and what stands after it up to "y"; the Add in either order of its
 * operands. */
static Proto make_residual(const char *op, int tail) {
    static const char *const tails[][6] = {{"Add", "p r", "y"},
                                           {"Add", "r p", "y"},
                                           {"Relu", "p", "a", "Add", "a r", "y"},
                                           {"Add", "r p", "a", "Relu", "a", "y"},
                                           {"Add", "p r", "a", "Clip", "a low high", "y"}};
    const bool is_2d = op[0] == 'G' || op[0] == 'M';
    const int rank = is_2d ? 2 : 4;
    const bool is_conv = strcmp(op, "Conv") == 0, is_transposed = strcmp(op, "ConvTranspose") == 0,
               is_norm = strcmp(op, "InstanceNormalization") == 0;
    Proto graph = {0};
    if (is_norm)
        add_floats(&graph, "w", 1, (const int64_t[]){4}, 0.5f);
    else
        add_floats(&graph, "w", rank, (const int64_t[]){4, 4, is_conv ? 3 : 1, is_conv ? 3 : 1}, 0.5f);
    add_floats(&graph, "low", 0, NULL, -0.25f);
    add_floats(&graph, "high", 0, NULL, 0.5f);
    add_node(&graph, op, is_norm ? "x w w" : "x w", "p");
    for (int i = 0; i < 6 && tails[tail][i]; i += 3)
        add_node(&graph, tails[tail][i], tails[tail][i + 1], tails[tail][i + 2]);
    for (int i = 0; i < 2; i++)
        add_input(&graph, GRAPH_INPUT, i ? "r" : "x", rank,
                  is_transposed ? (const int64_t[]){OPEN, 4, 5, 6} : (const int64_t[]){OPEN, 4, OPEN, OPEN});
    add_input(&graph, GRAPH_OUTPUT, "y", -1, NULL);
    return graph;
}

static void a_residual_of_another_shape_than_its_name_says_is_added_by_itself(void **state) {
    (void)state;
    static const char *const ops[] = {"Conv", "ConvTranspose", "InstanceNormalization", "Gemm", "MatMul"};
    static const strider_tensor shapes[][2] = {
        {{.rank = 4, .dims = {2, 4, 5, 5}}, {.rank = 4, .dims = {2, 4, 5, 5}}},
        {{.rank = 4, .dims = {3, 4, 5, 6}}, {.rank = 4, .dims = {1, 4, 5, 6}}}, /* repeated */
        {{.rank = 4, .dims = {1, 4, 5, 6}}, {.rank = 4, .dims = {3, 4, 5, 6}}}, /* larger than the product */
        {{.rank = 4, .dims = {2, 4, 5, 6}}, {.rank = 4, .dims = {2, 4, 1, 1}}},
        {{.rank = 4, .dims = {1, 4, 1, 6}}, {.rank = 4, .dims = {2, 4, 5, 1}}},
        {{.rank = 4, .dims = {2, 4, 5, 5}}, {.rank = 4, .dims = {2, 4, 5, 5}}}, /* as at first */
    };
    for (int op = 0; op < 5; op++)
        for (int tail = 0; tail < 5; tail++) {
            Proto graph = make_residual(ops[op], tail);
            Loaded model = load(&graph, true), plain = load(&graph, false);
            strider_session *session = make_session(model.model), *as_it_is = make_session(plain.model);
            if (count_nodes(model.model) != 1)
                fail_msg("%s, %d: not fused", ops[op], tail);
            for (int i = 0; i < 6; i++) {
                strider_tensor inputs[2] = {shapes[i][0], shapes[i][1]};
                if (op == 1 && (inputs[0].dims[3] != 6 || inputs[1].dims[3] != 6 || inputs[0].dims[2] != 5 ||
                                inputs[1].dims[2] != 5))
                    continue; /* its spatial sizes are fixed, as their names would not be equal */
                if (op >= 3)
                    inputs[0].rank = inputs[1].rank = 2;
                Run fused = run(session, 2, inputs), separate = run(as_it_is, 2, inputs);
                assert_same(&fused, &separate, ops[op], 10 * tail + i);
                free(fused.data);
                free(separate.data);
            }
            strider_session_free(session);
            strider_session_free(as_it_is);
            unload(&model);
            unload(&plain);
            proto_free(&graph);
        }
}

/* The graph optimised and as it is, at shapes in turn; returns how many nodes the first one has. */
static int compare_with_plain(const Proto *graph, const strider_tensor shapes[][2], int n_shapes,
                              const char *what, int number) {
    Loaded model = load(graph, true), plain = load(graph, false);
    strider_session *session = make_session(model.model), *as_it_is = make_session(plain.model);
    for (int i = 0; i < n_shapes; i++) {
        Run optimized = run(session, 2, shapes[i]), separate = run(as_it_is, 2, shapes[i]);
        assert_same(&optimized, &separate, what, number + i);
        free(optimized.data);
        free(separate.data);
    }
    const int nodes = (int)count_nodes(model.model);
    strider_session_free(session);
    strider_session_free(as_it_is);
    unload(&model);
    unload(&plain);
    return nodes;
}

/* Products that repeat one of their operands, and a mask that repeats or is larger than the scores. */
static void attention_of_other_shapes_than_names_say_is_computed_by_its_parts(void **state) {
    (void)state;
    static const strider_tensor shapes[][2] = {
        {{.rank = 3, .dims = {2, 5, 4}}, {.rank = 3, .dims = {2, 5, 4}}},
        {{.rank = 3, .dims = {1, 5, 4}}, {.rank = 3, .dims = {3, 5, 4}}},
        {{.rank = 3, .dims = {3, 5, 4}}, {.rank = 3, .dims = {1, 5, 4}}},
        {{.rank = 3, .dims = {3, 5, 4}}, {.rank = 3, .dims = {3, 1, 4}}},
        {{.rank = 3, .dims = {2, 5, 4}}, {.rank = 3, .dims = {2, 5, 4}}}, /* as at first */
    };
    for (int masked = 0; masked < 2; masked++) {
        Proto graph = {0};
        add_floats(&graph, "scale", 0, NULL, 0.5f);
        add_node(&graph, "Transpose", masked ? "x" : "r", "t");
        add_node(&graph, "MatMul", "x t", "p");
        add_node(&graph, "Mul", "p scale", "s");
        if (masked) {
            add_floats(&graph, "w", 2, (const int64_t[]){4, 1}, 1);
            add_node(&graph, "MatMul", "r w", "column"); /* [S, S, 1] */
            add_node(&graph, "Transpose", "column", "mask");
            add_node(&graph, "Add", "s mask", "m");
        }
        add_node(&graph, "Softmax", masked ? "m" : "s", "q");
        add_node(&graph, "MatMul", masked ? "q x" : "q r", "y");
        for (int i = 0; i < 2; i++)
            add_input(&graph, GRAPH_INPUT, i ? "r" : "x", 3, (const int64_t[]){OPEN, OPEN, 4});
        add_input(&graph, GRAPH_OUTPUT, "y", -1, NULL);
        assert_int_equal(compare_with_plain(&graph, shapes, 5, "attention", 10 * masked), masked ? 3 : 1);
        proto_free(&graph);
    }
}

/* Sums over a dimension of no known size, of which one side may be 1; alone, with what is fused after it, and
 * as the products of an attention. */
static void einsum_that_repeats_ones_is_computed_as_it_is(void **state) {
    (void)state;
    static const strider_tensor shapes[][2] = {
        {{.rank = 3, .dims = {2, 5, 4}}, {.rank = 3, .dims = {2, 3, 4}}},
        {{.rank = 3, .dims = {2, 5, 4}}, {.rank = 3, .dims = {2, 3, 1}}},
        {{.rank = 3, .dims = {2, 5, 1}}, {.rank = 3, .dims = {1, 3, 4}}},
        {{.rank = 3, .dims = {1, 5, 4}}, {.rank = 3, .dims = {2, 5, 4}}},
        {{.rank = 3, .dims = {2, 5, 4}}, {.rank = 3, .dims = {2, 3, 4}}}, /* as at first */
    };
    static const char *const tails[][9] = {
        {0},
        {"Relu", "p", "y"},
        {"Add", "p p2", "a", "Relu", "a", "y"},
        {"Softmax", "p", "q", "Einsum", "q r", "y"},
    };
    for (int tail = 0; tail < 4; tail++) {
        Proto graph = {0};
        add_node(&graph, "Einsum", "x r", tail ? "p" : "y");
        if (tail == 2)
            add_node(&graph, "Einsum", "x r", "p2");
        for (int i = 0; i < 6 && tails[tail][i]; i += 3)
            add_node(&graph, tails[tail][i], tails[tail][i + 1], tails[tail][i + 2]);
        for (int i = 0; i < 2; i++)
            add_input(&graph, GRAPH_INPUT, i ? "r" : "x", 3, (const int64_t[]){OPEN, OPEN, OPEN});
        add_input(&graph, GRAPH_OUTPUT, "y", -1, NULL);
        compare_with_plain(&graph, shapes, 5, "einsum", 10 * tail);
        proto_free(&graph);
    }
}

/* A residual, a Reshape by the input's own shape, one that changes nothing of the declared shape, and the
 * bias of a product with a matrix that is an input: all of it holds for other sizes where these are given in
 * time. */
static void shapes_given_while_loading_take_the_place_of_declared_ones(void **state) {
    (void)state;
    static const strider_tensor declared[][2] = {
        {{.rank = 4, .dims = {1, 4, 6, 6}}, {.rank = 4, .dims = {1, 4, 6, 6}}},
        {{.rank = 2, .dims = {1, 3}}, {.rank = 2, .dims = {1, 3}}},
        {{.rank = 2, .dims = {1, 3}}, {.rank = 2, .dims = {1, 3}}},
        {{.rank = 2, .dims = {3, 3}}, {.rank = 2, .dims = {1, 3}}},
    };
    static const strider_tensor given[][2] = {
        {{.rank = 4, .dims = {2, 4, 7, 6}}, {.rank = 4, .dims = {1, 4, 1, 6}}},
        {{.rank = 2, .dims = {5, 3}}, {.rank = 2, .dims = {3, 5}}},
        {{.rank = 2, .dims = {2, 6}}, {.rank = 2, .dims = {1, 12}}},
        {{.rank = 2, .dims = {3, 1}}, {.rank = 2, .dims = {4, 3}}},
    };
    for (int form = 0; form < 4; form++) {
        Proto graph = {0};
        add_floats(&graph, "w", 4, (const int64_t[]){4, 4, 3, 3}, 0.5f);
        add_ints(&graph, "rows", 2, (const int64_t[]){1, -1});
        add_floats(&graph, "b", 1, (const int64_t[]){3}, 1);
        const char *const ops[][2] = {
            {"Conv", "Add"}, {"Shape", "Reshape"}, {"Reshape", "Add"}, {"MatMul", "Add"}};
        const char *const reads[][2] = {{"x w", "p r"}, {"x", "r p"}, {"x rows", "p r"}, {"r x", "p b"}};
        add_node(&graph, ops[form][0], reads[form][0], "p");
        add_node(&graph, ops[form][1], reads[form][1], "y");
        for (int i = 0; i < 2; i++)
            add_input(&graph, GRAPH_INPUT, i ? "r" : "x", declared[form][i].rank, declared[form][i].dims);
        add_input(&graph, GRAPH_OUTPUT, "y", -1, NULL);
        Loaded model = load_at(&graph, true, given[form]), plain = load_at(&graph, false, given[form]);
        strider_session *session = make_session(model.model), *as_it_is = make_session(plain.model);
        Run optimised = run(session, 2, given[form]), separate = run(as_it_is, 2, given[form]);
        assert_same(&optimised, &separate, "given", form);
        Run as_declared = run(session, 2, declared[form]);
        assert_int_equal(as_declared.status, STRIDER_INVALID_ARGUMENT);
        free(optimised.data);
        free(separate.data);
        strider_session_free(session);
        strider_session_free(as_it_is);
        unload(&model);
        unload(&plain);
        proto_free(&graph);
    }
}

static void a_shape_that_no_input_can_have_is_refused_while_loading(void **state) {
    (void)state;
    Proto graph = {0}, bytes = {0};
    add_node(&graph, "Relu", "x", "y");
    add_input(&graph, GRAPH_INPUT, "x", 2, (const int64_t[]){1, 3});
    add_input(&graph, GRAPH_OUTPUT, "y", -1, NULL);
    proto_message(&bytes, 7, &graph);
    const strider_input_shape shapes[] = {{.name = "y", .rank = 2},
                                          {.name = "z"},
                                          {.name = "x", .rank = 3},
                                          {.name = "x", .rank = -1},
                                          {.rank = 2}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        strider_load_options options = strider_load_options_default();
        strider_model *model;
        strider_error error;
        options.input_shapes = &shapes[i];
        options.input_shape_count = 1;
        assert_int_equal(strider_model_load_memory(bytes.data, bytes.size, NULL, &options, &model, &error),
                         STRIDER_INVALID_ARGUMENT);
        assert_non_null(strstr(error.message, "given"));
    }
    proto_free(&bytes);
}

/* x Sigmoid(x) of an input of unknown rank stays; as does x (1 + Erf(x / sqrt 2)) / 2 by a constant of more
 * dimensions than x has. */
static void constants_of_one_element_with_more_dimensions_keep_them(void **state) {
    (void)state;
    Proto graph = {0};
    add_floats(&graph, "root", 0, NULL, 1.41421356f);
    add_floats(&graph, "one", 0, NULL, 1);
    Proto half = {0};
    for (int i = 0; i < 3; i++)
        proto_int(&half, 1, 1);
    proto_int(&half, 2, 1);
    proto_text(&half, 8, "half");
    proto_bytes(&half, 9, &(const float){0.5f}, sizeof(float));
    proto_message(&graph, GRAPH_INITIALIZER, &half);
    add_node(&graph, "Div", "x root", "d");
    add_node(&graph, "Erf", "d", "e");
    add_node(&graph, "Add", "e one", "a");
    add_node(&graph, "Mul", "x a", "m");
    add_node(&graph, "Mul", "m half", "y");
    add_input(&graph, GRAPH_INPUT, "x", -1, NULL);
    add_input(&graph, GRAPH_OUTPUT, "y", -1, NULL);
    Loaded model = load(&graph, true);
    strider_session *session = make_session(model.model);
    Run result = run(session, 1, &(const strider_tensor){.rank = 1, .dims = {7}});
    assert_int_equal(result.status, STRIDER_OK);
    assert_int_equal(result.output.rank, 3);
    free(result.data);
    strider_session_free(session);
    unload(&model);
    proto_free(&graph);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_residual_of_another_shape_than_its_name_says_is_added_by_itself),
        cmocka_unit_test(attention_of_other_shapes_than_names_say_is_computed_by_its_parts),
        cmocka_unit_test(einsum_that_repeats_ones_is_computed_as_it_is),
        cmocka_unit_test(shapes_given_while_loading_take_the_place_of_declared_ones),
        cmocka_unit_test(a_shape_that_no_input_can_have_is_refused_while_loading),
        cmocka_unit_test(constants_of_one_element_with_more_dimensions_keep_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
