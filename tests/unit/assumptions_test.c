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
#include "support/proto_writer.h"

enum { FIELD_NODE = 1, FIELD_NAME = 2, FIELD_INITIALIZER = 5, FIELD_INPUT = 11, FIELD_OUTPUT = 12 };
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
    Proto tensor = {0};
    size_t count = 1;
    for (int i = 0; i < rank; i++) {
        proto_int(&tensor, 1, dims[i]);
        count *= (size_t)dims[i];
    }
    float *values = calloc(count, sizeof *values);
    fill_random(values, count, 3);
    for (size_t i = 0; i < count; i++)
        values[i] = rank ? values[i] * scale : scale;
    proto_int(&tensor, 2, 1);
    proto_text(&tensor, 8, name);
    proto_bytes(&tensor, 9, values, count * sizeof *values);
    free(values);
    proto_message(graph, FIELD_INITIALIZER, &tensor);
}

static void add_ints(Proto *graph, const char *name, int64_t count, const int64_t *values) {
    Proto tensor = {0};
    proto_int(&tensor, 1, count);
    proto_int(&tensor, 2, 7);
    proto_text(&tensor, 8, name);
    proto_bytes(&tensor, 9, values, (size_t)count * sizeof *values);
    proto_message(graph, FIELD_INITIALIZER, &tensor);
}

/* `inputs` are names with spaces between. */
static void add_node(Proto *graph, const char *op, const char *inputs, const char *output) {
    Proto node = {0};
    char list[100];
    snprintf(list, sizeof list, "%s", inputs);
    for (char *rest = list, *name; (name = strtok_r(rest, " ", &rest));)
        proto_text(&node, 1, name);
    proto_text(&node, 2, output);
    proto_text(&node, 4, op);
    if (strcmp(op, "Conv") == 0)
        proto_ints_attribute(&node, "pads", (const int64_t[]){1, 1, 1, 1}, 4);
    proto_message(graph, FIELD_NODE, &node);
}

/* The bytes must stay as long as the model. */
typedef struct Loaded {
    strider_model *model;
    Proto bytes;
} Loaded;

static Loaded load(const Proto *graph, bool optimize) {
    Proto opset = {0}, copy = {0};
    Loaded loaded = {0};
    strider_load_options options = strider_load_options_default();
    strider_error error;
    proto_put(&copy, graph->data, graph->size);
    proto_text(&copy, FIELD_NAME, "g");
    proto_int(&opset, 2, 13);
    proto_int(&loaded.bytes, 1, 8);
    proto_message(&loaded.bytes, 7, &copy);
    proto_message(&loaded.bytes, 8, &opset);
    options.optimize = optimize;
    if (strider_model_load_memory(loaded.bytes.data, loaded.bytes.size, NULL, &options, &loaded.model,
                                  &error))
        fail_msg("%s", error.message);
    return loaded;
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

enum { MOST_INPUTS = 2 };

static strider_session *make_session(const strider_model *model, bool override) {
    strider_session_options options = strider_session_options_default();
    strider_session *session = NULL;
    strider_error error;
    options.threads = 1;
    options.override_shapes = override;
    if (strider_session_create(model, &options, &session, &error))
        fail_msg("%s", error.message);
    return session;
}

static Run run(strider_session *session, int n, const strider_tensor *shapes) {
    strider_tensor inputs[MOST_INPUTS];
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

/* The product, and what stands behind it up to "y"; the Add in either order of its operands. */
static Proto make_residual(const char *op, int tail) {
    static const char *const tails[][6] = {{"Add", "p r", "y"},
                                           {"Add", "r p", "y"},
                                           {"Relu", "p", "a", "Add", "a r", "y"},
                                           {"Add", "r p", "a", "Relu", "a", "y"},
                                           {"Add", "p r", "a", "Clip", "a low high", "y"}};
    const bool is_2d = op[0] == 'G' || op[0] == 'M';
    const int rank = is_2d ? 2 : 4;
    const bool is_conv = strcmp(op, "Conv") == 0, is_transposed = strcmp(op, "ConvTranspose") == 0;
    Proto graph = {0};
    add_floats(&graph, "w", rank, (const int64_t[]){4, 4, is_conv ? 3 : 1, is_conv ? 3 : 1}, 0.5f);
    add_floats(&graph, "low", 0, NULL, -0.25f);
    add_floats(&graph, "high", 0, NULL, 0.5f);
    add_node(&graph, op, "x w", "p");
    for (int i = 0; i < 6 && tails[tail][i]; i += 3)
        add_node(&graph, tails[tail][i], tails[tail][i + 1], tails[tail][i + 2]);
    for (int i = 0; i < 2; i++)
        add_input(&graph, FIELD_INPUT, i ? "r" : "x", rank,
                  is_transposed ? (const int64_t[]){OPEN, 4, 5, 6} : (const int64_t[]){OPEN, 4, OPEN, OPEN});
    add_input(&graph, FIELD_OUTPUT, "y", -1, NULL);
    return graph;
}

static void a_residual_of_another_shape_than_its_name_says_is_added_by_itself(void **state) {
    (void)state;
    static const char *const ops[] = {"Conv", "ConvTranspose", "Gemm", "MatMul"};
    static const strider_tensor shapes[][2] = {
        {{.rank = 4, .dims = {2, 4, 5, 5}}, {.rank = 4, .dims = {2, 4, 5, 5}}},
        {{.rank = 4, .dims = {3, 4, 5, 6}}, {.rank = 4, .dims = {1, 4, 5, 6}}}, /* repeated */
        {{.rank = 4, .dims = {1, 4, 5, 6}}, {.rank = 4, .dims = {3, 4, 5, 6}}}, /* larger than the product */
        {{.rank = 4, .dims = {2, 4, 5, 6}}, {.rank = 4, .dims = {2, 4, 1, 1}}},
        {{.rank = 4, .dims = {1, 4, 1, 6}}, {.rank = 4, .dims = {2, 4, 5, 1}}},
        {{.rank = 4, .dims = {2, 4, 5, 5}}, {.rank = 4, .dims = {2, 4, 5, 5}}}, /* as at first */
    };
    for (int op = 0; op < 4; op++)
        for (int tail = 0; tail < 5; tail++) {
            Proto graph = make_residual(ops[op], tail);
            Loaded model = load(&graph, true), plain = load(&graph, false);
            strider_session *session = make_session(model.model, false),
                            *as_it_is = make_session(plain.model, false);
            if (count_nodes(model.model) != 1)
                fail_msg("%s, %d: not fused", ops[op], tail);
            for (int i = 0; i < 6; i++) {
                strider_tensor inputs[2] = {shapes[i][0], shapes[i][1]};
                if (op == 1 && (inputs[0].dims[3] != 6 || inputs[1].dims[3] != 6 || inputs[0].dims[2] != 5 ||
                                inputs[1].dims[2] != 5))
                    continue; /* its spatial sizes are fixed, as their names would not be equal */
                if (op >= 2)
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

/* Sizes that the model declares as numbers, which a session overrides. */
static void a_residual_whose_size_a_session_overrides_is_added_by_itself(void **state) {
    (void)state;
    Proto graph = {0};
    add_floats(&graph, "w", 4, (const int64_t[]){4, 4, 3, 3}, 0.5f);
    add_node(&graph, "Conv", "x w", "p");
    add_node(&graph, "Add", "p r", "y");
    for (int i = 0; i < 2; i++)
        add_input(&graph, FIELD_INPUT, i ? "r" : "x", 4, (const int64_t[]){1, 4, 6, 6});
    add_input(&graph, FIELD_OUTPUT, "y", -1, NULL);
    Loaded model = load(&graph, true), plain = load(&graph, false);
    strider_session *session = make_session(model.model, true), *as_it_is = make_session(plain.model, true);
    const strider_tensor inputs[] = {{.rank = 4, .dims = {2, 4, 7, 6}}, {.rank = 4, .dims = {1, 4, 1, 6}}};
    assert_int_equal(count_nodes(model.model), 1);
    Run fused = run(session, 2, inputs), separate = run(as_it_is, 2, inputs);
    assert_same(&fused, &separate, "overridden", 0);
    free(fused.data);
    free(separate.data);
    strider_session_free(session);
    strider_session_free(as_it_is);
    unload(&model);
    unload(&plain);
    proto_free(&graph);
}

/* A Reshape by the input's own shape, one that changes nothing of the declared shape, and the bias of a
 * product with a matrix that is an input: what they became holds for the declared sizes alone. */
static void sizes_that_were_relied_on_cannot_be_overridden(void **state) {
    (void)state;
    for (int form = 0; form < 4; form++) {
        Proto graph = {0};
        const int64_t other = form == 2 ? 1 : 5;
        add_ints(&graph, "rows", 2, (const int64_t[]){1, -1});
        add_floats(&graph, "b", 1, (const int64_t[]){3}, 1);
        if (form == 0) {
            add_node(&graph, "Shape", "x", "s");
            add_node(&graph, "Reshape", "r s", "y");
        } else if (form == 1) {
            add_node(&graph, "Reshape", "x rows", "z");
            add_node(&graph, "Add", "z r", "y");
        } else if (form == 2) {
            add_node(&graph, "MatMul", "r x", "p");
            add_node(&graph, "Add", "p b", "y");
        } else {
            add_node(&graph, "Add", "x r", "y");
        }
        add_input(&graph, FIELD_INPUT, "x", 2, form == 2 ? (const int64_t[]){3, 3} : (const int64_t[]){1, 3});
        add_input(&graph, FIELD_INPUT, "r", 2, (const int64_t[]){1, 3});
        add_input(&graph, FIELD_OUTPUT, "y", -1, NULL);
        Loaded model = load(&graph, true);
        strider_session *session = make_session(model.model, true);
        strider_tensor inputs[] = {{.rank = 2, .dims = {other, 3}}, {.rank = 2, .dims = {1, 3}}};
        if (form == 2) {
            inputs[0].dims[0] = 3;
            inputs[0].dims[1] = 1;
        }
        Run result = run(session, 2, inputs);
        assert_int_equal(result.status, form == 3 ? STRIDER_OK : STRIDER_INVALID_ARGUMENT);
        if (form < 3)
            assert_non_null(strstr(result.error.message, "without optimising"));
        free(result.data);
        inputs[0].dims[0] = form == 2 ? 3 : 1; /* as declared */
        inputs[0].dims[1] = 3;
        result = run(session, 2, inputs);
        assert_int_equal(result.status, STRIDER_OK);
        free(result.data);
        strider_session_free(session);
        unload(&model);
        proto_free(&graph);
    }
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
    proto_message(&graph, FIELD_INITIALIZER, &half);
    add_node(&graph, "Div", "x root", "d");
    add_node(&graph, "Erf", "d", "e");
    add_node(&graph, "Add", "e one", "a");
    add_node(&graph, "Mul", "x a", "m");
    add_node(&graph, "Mul", "m half", "y");
    add_input(&graph, FIELD_INPUT, "x", -1, NULL);
    add_input(&graph, FIELD_OUTPUT, "y", -1, NULL);
    Loaded model = load(&graph, true);
    strider_session *session = make_session(model.model, false);
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
        cmocka_unit_test(a_residual_whose_size_a_session_overrides_is_added_by_itself),
        cmocka_unit_test(sizes_that_were_relied_on_cannot_be_overridden),
        cmocka_unit_test(constants_of_one_element_with_more_dimensions_keep_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
