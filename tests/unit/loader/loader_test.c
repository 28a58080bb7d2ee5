/* SPDX-License-Identifier: Apache-2.0 */
/* Models as bytes, through the public interface: what loads, and what it then computes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "strider/strider.h"
#include "support/tiny_model.h"

static strider_error error;

static void put_float_attribute(Proto *node, const char *name, float value, const char *reference) {
    Proto attribute = {0};
    proto_text(&attribute, 1, name);
    if (reference)
        proto_text(&attribute, 21, reference);
    else
        proto_float(&attribute, 2, value);
    proto_int(&attribute, 20, 1);
    proto_message(node, 5, &attribute);
}

/* Loads and runs on x = 1, 2, ...; returns the status, with the outputs in `y`. */
static strider_status run(const Proto *model, const char *folder, size_t size, float *y) {
    strider_model *loaded;
    strider_session *session = NULL;
    float x[16];
    for (size_t i = 0; i < 16; i++)
        x[i] = (float)(i + 1);
    strider_status status =
        strider_model_load_memory(model->data, model->size, folder, NULL, &loaded, &error);
    if (status)
        return status;
    strider_tensor input = {STRIDER_F32, 1, {(int64_t)size}, x},
                   output = {STRIDER_F32, 1, {(int64_t)size}, y};
    status = strider_session_create(loaded, NULL, &session, &error);
    if (!status)
        status = strider_session_run(session, &input, 1, &output, 1, &error);
    strider_session_free(session);
    strider_model_free(loaded);
    return status;
}

static void assert_runs(const Proto *model, const char *folder, size_t size, const float *expected) {
    float y[16];
    if (run(model, folder, size, y))
        fail_msg("%s", error.message);
    for (size_t i = 0; i < size; i++)
        assert_float_equal(y[i], expected[i], 1e-6);
}

/* --- tensors --- */

/* Adds Cast(w) to x, where w is 1, 2, 3 of that type, raw or in its list, of `count` entries. */
static void check_packed(int onnx_type, const void *raw, size_t raw_size, int list_field, const int64_t *list,
                         int count) {
    for (int form = 0; form < 2; form++) {
        Proto graph = start_graph(3), tensor = {0}, cast = make_node("Cast", "", "w", "f");
        proto_int_attribute(&cast, "to", 1);
        proto_message(&graph, GRAPH_NODE, &cast);
        put_node(&graph, GRAPH_NODE, "Add", "", "x f", "y");
        proto_int(&tensor, 1, 3);
        proto_int(&tensor, 2, onnx_type);
        proto_text(&tensor, 8, "w");
        if (form == 0)
            proto_bytes(&tensor, 9, raw, raw_size);
        for (int i = 0; form == 1 && i < count; i++) {
            if (list_field == 4)
                proto_float(&tensor, 4, (float)list[i]);
            else
                proto_int(&tensor, list_field, list[i]);
        }
        if (form == 0 || list_field) {
            proto_message(&graph, GRAPH_INITIALIZER, &tensor);
            Proto model = finish_model(&graph, 8);
            assert_runs(&model, NULL, 3, (const float[]){2, 4, 6});
            proto_free(&model);
        } else {
            proto_free(&tensor);
            proto_free(&graph);
        }
    }
}

static void check_type(int onnx_type, const void *raw, size_t raw_size, int list_field, const int64_t *list) {
    check_packed(onnx_type, raw, raw_size, list_field, list, 3);
}

static void every_type_loads_raw_and_from_its_list(void **state) {
    (void)state;
    const int64_t plain[] = {1, 2, 3}, half[] = {0x3c00, 0x4000, 0x4200}, brain[] = {0x3f80, 0x4000, 0x4040};
    check_type(1, (float[]){1, 2, 3}, 12, 4, plain);
    check_type(11, (double[]){1, 2, 3}, 24, 0, plain);
    check_type(10, (uint16_t[]){0x3c00, 0x4000, 0x4200}, 6, 5, half);
    check_type(16, (uint16_t[]){0x3f80, 0x4000, 0x4040}, 6, 5, brain);
    check_type(2, (uint8_t[]){1, 2, 3}, 3, 5, plain);
    check_type(3, (int8_t[]){1, 2, 3}, 3, 5, plain);
    check_type(4, (uint16_t[]){1, 2, 3}, 6, 5, plain);
    check_type(5, (int16_t[]){1, 2, 3}, 6, 5, plain);
    check_type(6, (int32_t[]){1, 2, 3}, 12, 5, plain);
    check_type(7, (int64_t[]){1, 2, 3}, 24, 7, plain);
    check_type(12, (uint32_t[]){1, 2, 3}, 12, 11, plain);
    check_type(13, (uint64_t[]){1, 2, 3}, 24, 11, plain);
    check_type(17, "\x38\x40\x44", 3, 5, (int64_t[]){0x38, 0x40, 0x44});
    check_type(18, "\x40\x48\x4c", 3, 5, (int64_t[]){0x40, 0x48, 0x4c});
    check_type(19, "\x3c\x40\x42", 3, 5, (int64_t[]){0x3c, 0x40, 0x42});
    check_type(20, "\x40\x44\x46", 3, 5, (int64_t[]){0x40, 0x44, 0x46});
    check_type(27, "\x08\x44\x01", 3, 5, (int64_t[]){0x08, 0x10, 0x14});
    check_type(28, "\x0c\x24\x01", 3, 5, (int64_t[]){0x0c, 0x10, 0x12});
    for (int int4 = 21; int4 <= 22; int4++)
        check_packed(int4, "\x21\x03", 2, 5, (int64_t[]){0x21, 0x03}, 2);
    check_packed(23, "\x42\x05", 2, 5, (int64_t[]){0x42, 0x05}, 2);
    check_packed(25, "\x39", 1, 5, (int64_t[]){0x39}, 1);
}

/* A tensor of packed elements: bytes of raw_data, or entries of its list. */
static strider_status load_packed(int onnx_type, int64_t elements, size_t bytes, bool in_list) {
    Proto graph = start_graph(3), tensor = {0};
    put_node(&graph, GRAPH_NODE, "Relu", "", "x", "y");
    proto_int(&tensor, 1, elements);
    proto_int(&tensor, 2, onnx_type);
    proto_text(&tensor, 8, "w");
    if (!in_list)
        proto_bytes(&tensor, 9, "\1\2\3\4\5\6\7\10", bytes);
    for (size_t i = 0; in_list && i < bytes; i++)
        proto_int(&tensor, 5, 1);
    proto_message(&graph, GRAPH_INITIALIZER, &tensor);
    Proto model = finish_model(&graph, 8);
    strider_model *loaded;
    const strider_status status =
        strider_model_load_memory(model.data, model.size, NULL, NULL, &loaded, &error);
    strider_model_free(status ? NULL : loaded);
    proto_free(&model);
    return status;
}

static void packed_elements_need_as_many_bytes_as_they_fill(void **state) {
    (void)state;
    static const struct {
        int onnx_type, elements;
        size_t bytes;
        bool one_an_entry;
    } cases[] = {{21, 5, 3, false}, {22, 4, 2, false}, {23, 1, 1, false}, {25, 9, 3, false},
                 {26, 8, 2, false}, {27, 5, 4, true},  {28, 4, 3, true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int in_list = 0; in_list < 2; in_list++) {
            const size_t need = in_list && cases[i].one_an_entry ? (size_t)cases[i].elements : cases[i].bytes;
            assert_int_equal(load_packed(cases[i].onnx_type, cases[i].elements, need, in_list), STRIDER_OK);
            assert_int_equal(load_packed(cases[i].onnx_type, cases[i].elements, need + 1, in_list),
                             STRIDER_BAD_MODEL);
            assert_non_null(strstr(error.message, "its dimensions need"));
            assert_int_equal(load_packed(cases[i].onnx_type, cases[i].elements, need - 1, in_list),
                             STRIDER_BAD_MODEL);
        }
}

static void external_data_is_read_at_its_offset(void **state) {
    (void)state;
    char folder[] = "/tmp/strider_loader_XXXXXX", path[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/weights.bin", folder);
    FILE *file = fopen(path, "wb");
    assert_int_equal(fwrite((float[]){9, 10, 20, 30}, 4, 4, file), 4);
    fclose(file);
    Proto graph = start_graph(3), tensor = {0};
    const char *entries[][2] = {{"location", "weights.bin"}, {"offset", "4"}, {"length", "12"}};
    put_node(&graph, GRAPH_NODE, "Add", "", "x w", "y");
    proto_int(&tensor, 1, 3);
    proto_int(&tensor, 2, 1);
    proto_text(&tensor, 8, "w");
    for (int i = 0; i < 3; i++) {
        Proto entry = {0};
        proto_text(&entry, 1, entries[i][0]);
        proto_text(&entry, 2, entries[i][1]);
        proto_message(&tensor, 13, &entry);
    }
    proto_int(&tensor, 14, 1);
    proto_message(&graph, GRAPH_INITIALIZER, &tensor);
    Proto model = finish_model(&graph, 10);
    assert_runs(&model, folder, 3, (const float[]){11, 22, 33});
    float y[16];
    assert_int_equal(run(&model, NULL, 3, y), STRIDER_BAD_MODEL); /* no folder, no external data */
    proto_free(&model);
    unlink(path);
    rmdir(folder);
}

static void an_initializer_that_is_an_input_is_a_constant_before_ir_4_and_a_default_since(void **state) {
    (void)state;
    for (int64_t ir = 3; ir <= 4; ir++) {
        Proto graph = start_graph(3);
        int64_t three = 3;
        proto_value(&graph, GRAPH_INPUT, "w", 1, &three, 1);
        put_weight(&graph, "w", (const float[]){1, 1, 1}, 3);
        put_node(&graph, GRAPH_NODE, "Add", "", "x w", "y");
        Proto model = finish_model(&graph, ir);
        assert_runs(&model, NULL, 3, (const float[]){2, 3, 4});
        strider_model *loaded;
        assert_int_equal(strider_model_load_memory(model.data, model.size, NULL, NULL, &loaded, &error),
                         STRIDER_OK);
        assert_int_equal(strider_model_input_count(loaded), ir == 3 ? 1 : 2);
        strider_model_free(loaded);
        proto_free(&model);
    }
}

/* The shape of an input may be given also where it has a default value of another. */
static void a_default_value_may_be_overridden(void **state) {
    (void)state;
    int64_t open = -1;
    Proto graph = start_graph(3);
    proto_value(&graph, GRAPH_INPUT, "w", 1, &open, 1);
    put_weight(&graph, "w", (const float[]){10}, 1);
    put_node(&graph, GRAPH_NODE, "Add", "", "x w", "y");
    Proto model = finish_model(&graph, 8);
    for (int given = 0; given < 2; given++) {
        strider_input_shape shape = {.name = "w", .rank = 1, .dims = {3}};
        strider_load_options options = strider_load_options_default();
        options.input_shapes = &shape;
        options.input_shape_count = (size_t)given;
        strider_model *loaded;
        strider_session *session;
        float x[] = {1, 2, 3}, y[3], w[] = {7, 8, 9};
        strider_tensor inputs[] = {{STRIDER_F32, 1, {3}, x}, {STRIDER_F32, 1, {3}, w}},
                       output = {STRIDER_F32, 1, {3}, y};
        assert_int_equal(strider_model_load_memory(model.data, model.size, NULL, &options, &loaded, &error),
                         0);
        strider_value_info info;
        assert_int_equal(strider_model_get_input(loaded, 1, &info), STRIDER_OK);
        assert_true(info.is_optional);
        assert_int_equal(info.dims[0], given ? 3 : -1);
        assert_int_equal(strider_session_create(loaded, NULL, &session, &error), STRIDER_OK);
        for (int override = 1; override >= 0; override--) {
            assert_int_equal(strider_session_run(session, inputs, 1 + (size_t) override, &output, 1, &error),
                             0);
            for (int i = 0; i < 3; i++)
                assert_float_equal(y[i], override ? x[i] + w[i] : x[i] + 10, 0);
        }
        strider_session_free(session);
        strider_model_free(loaded);
    }
    proto_free(&model);
}

/* --- functions --- */

/* f(a) = LeakyRelu(a - 2, alpha: slope), slope 0.5 unless given. */
static void put_leaky(Proto *model) {
    Proto function = {0}, value = {0}, leaky = make_node("LeakyRelu", "", "d", "out"),
          constant = make_node("Constant", "", "", "two");
    proto_text(&function, 1, "leaky");
    proto_text(&function, 10, "local");
    proto_text(&function, 4, "a");
    proto_text(&function, 5, "out");
    proto_text(&value, 1, "slope");
    proto_float(&value, 2, 0.5f);
    proto_int(&value, 20, 1);
    proto_message(&function, 11, &value);
    put_float_attribute(&constant, "value_float", 2, NULL);
    proto_message(&function, 7, &constant);
    put_node(&function, 7, "Sub", "", "a two", "d");
    put_float_attribute(&leaky, "alpha", 0, "slope");
    proto_message(&function, 7, &leaky);
    put_opset(&function, 9, "", 17);
    proto_message(model, MODEL_FUNCTION, &function);
}

static void functions_are_inlined_with_their_attributes(void **state) {
    (void)state;
    Proto graph = start_graph(3), call = make_node("leaky", "local", "x", "h");
    put_float_attribute(&call, "slope", 4, NULL);
    proto_message(&graph, GRAPH_NODE, &call);
    put_node(&graph, GRAPH_NODE, "leaky", "local", "h", "y"); /* its own two, and the default slope */
    Proto model = finish_model(&graph, 8);
    put_leaky(&model);
    /* 1, 2, 3 become -4, 0, 1, and those -3, -1, -0.5 */
    assert_runs(&model, NULL, 3, (const float[]){-3, -1, -0.5f});
    proto_free(&model);
}

/* Thirds of x, not halves: x + its first element. */
static void an_output_of_split_without_a_name_counts(void **state) {
    (void)state;
    Proto graph = start_graph(3), split = make_node("Split", "", "x", "a");
    proto_text(&split, 2, "b");
    proto_text(&split, 2, "");
    proto_message(&graph, GRAPH_NODE, &split);
    Proto add = make_node("Add", "", "x", "y");
    proto_text(&add, 1, "a");
    proto_message(&graph, GRAPH_NODE, &add);
    Proto model = finish_model(&graph, 8);
    assert_runs(&model, NULL, 3, (const float[]){2, 3, 4});
    proto_free(&model);
}

static void put_caller(Proto *model, const char *name, const char *callee, int calls) {
    Proto function = {0};
    proto_text(&function, 1, name);
    proto_text(&function, 10, "local");
    proto_text(&function, 4, "a0");
    char from[16] = "a0", to[16];
    for (int i = 1; i <= calls; i++) {
        snprintf(to, sizeof to, "a%d", i);
        put_node(&function, 7, callee, "local", from, to);
        snprintf(from, sizeof from, "%s", to);
    }
    proto_text(&function, 5, from);
    put_opset(&function, 9, "local", 1);
    put_opset(&function, 9, "", 17);
    proto_message(model, MODEL_FUNCTION, &function);
}

static void a_function_that_calls_itself_is_refused(void **state) {
    (void)state;
    float y[16];
    Proto graph = start_graph(3);
    put_node(&graph, GRAPH_NODE, "self", "local", "x", "y");
    Proto model = finish_model(&graph, 8);
    put_caller(&model, "self", "self", 1);
    assert_int_equal(run(&model, NULL, 3, y), STRIDER_LIMIT_EXCEEDED);
    proto_free(&model);
}

static void functions_that_double_each_other_meet_the_limit_of_nodes(void **state) {
    (void)state;
    Proto graph = start_graph(3);
    put_node(&graph, GRAPH_NODE, "f0", "local", "x", "y");
    Proto model = finish_model(&graph, 8);
    for (int i = 0; i < 40; i++) {
        char name[16], callee[16];
        snprintf(name, sizeof name, "f%d", i);
        snprintf(callee, sizeof callee, "f%d", i + 1);
        put_caller(&model, name, callee, 2);
    }
    put_caller(&model, "f40", "f40x", 0);
    strider_load_options options = strider_load_options_default();
    strider_model *loaded;
    options.max_nodes = 20000;
    assert_int_equal(strider_model_load_memory(model.data, model.size, NULL, &options, &loaded, &error),
                     STRIDER_LIMIT_EXCEEDED);
    proto_free(&model);
}

static void nodes_may_stand_in_any_order(void **state) {
    (void)state;
    Proto graph = start_graph(3);
    put_node(&graph, GRAPH_NODE, "Neg", "", "b", "y");
    put_node(&graph, GRAPH_NODE, "Add", "", "a x", "b");
    put_node(&graph, GRAPH_NODE, "Mul", "", "x x", "a");
    Proto model = finish_model(&graph, 8);
    assert_runs(&model, NULL, 3, (const float[]){-2, -6, -12});
    proto_free(&model);
}

/* Bytes that end anywhere give an error, never a read after them; the copy has its own block for the
 * sanitizer. */
static void models_cut_at_every_byte_are_refused(void **state) {
    (void)state;
    Proto graph = start_graph(3);
    put_weight(&graph, "w", (const float[]){1, 1, 1}, 3);
    put_node(&graph, GRAPH_NODE, "Add", "", "x w", "h");
    put_node(&graph, GRAPH_NODE, "leaky", "local", "h", "y");
    Proto model = {0};
    proto_int(&model, 1, 8);
    put_opset(&model, 8, "", 17);
    put_opset(&model, 8, "local", 1);
    put_leaky(&model);
    proto_message(&model, MODEL_GRAPH, &graph);
    for (size_t n = 0; n < model.size; n++) {
        strider_model *loaded;
        unsigned char *cut = malloc(n + 1);
        memcpy(cut, model.data, n);
        assert_int_not_equal(strider_model_load_memory(cut, n, NULL, NULL, &loaded, &error), STRIDER_OK);
        assert_true(error.message[0] != '\0');
        free(cut);
    }
    proto_free(&model);
}

/* Every allocation fails once: an error each time, and nothing leaks or is used after. */
static long allowed;

static void *failing_allocate(void *context, size_t size, size_t alignment) {
    (void)context;
    void *memory;
    return allowed-- > 0 && posix_memalign(&memory, alignment, size) == 0 ? memory : NULL;
}

static void failing_release(void *context, void *memory) {
    (void)context;
    free(memory);
}

static void every_failed_allocation_is_an_error(void **state) {
    (void)state;
    static const strider_allocator allocator = {NULL, failing_allocate, failing_release};
    Proto graph = start_graph(3);
    put_weight(&graph, "w", (const float[]){1, 1, 1}, 3);
    put_node(&graph, GRAPH_NODE, "Add", "", "x w", "h");
    put_node(&graph, GRAPH_NODE, "leaky", "local", "h", "y");
    Proto model = finish_model(&graph, 8);
    put_leaky(&model);
    strider_load_options options = strider_load_options_default();
    options.allocator = &allocator;
    bool done = false;
    for (long n = 0; !done && n < 5000; n++) {
        strider_model *loaded;
        strider_session *session = NULL;
        float x[3] = {1, 2, 3};
        strider_tensor input = {STRIDER_F32, 1, {3}, x}, output = {0};
        allowed = n;
        strider_status status =
            strider_model_load_memory(model.data, model.size, NULL, &options, &loaded, &error);
        if (!status)
            status = strider_session_create(loaded, NULL, &session, &error);
        if (!status)
            status = strider_session_run(session, &input, 1, &output, 1, &error);
        done = status == STRIDER_OK;
        assert_true(done || status == STRIDER_OUT_OF_MEMORY);
        strider_session_free(session);
        strider_model_free(loaded);
    }
    assert_true(done);
    proto_free(&model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_loads_raw_and_from_its_list),
        cmocka_unit_test(packed_elements_need_as_many_bytes_as_they_fill),
        cmocka_unit_test(external_data_is_read_at_its_offset),
        cmocka_unit_test(an_initializer_that_is_an_input_is_a_constant_before_ir_4_and_a_default_since),
        cmocka_unit_test(a_default_value_may_be_overridden),
        cmocka_unit_test(functions_are_inlined_with_their_attributes),
        cmocka_unit_test(an_output_of_split_without_a_name_counts),
        cmocka_unit_test(a_function_that_calls_itself_is_refused),
        cmocka_unit_test(functions_that_double_each_other_meet_the_limit_of_nodes),
        cmocka_unit_test(nodes_may_stand_in_any_order),
        cmocka_unit_test(models_cut_at_every_byte_are_refused),
        cmocka_unit_test(every_failed_allocation_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
