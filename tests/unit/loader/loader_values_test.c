/* SPDX-License-Identifier: Apache-2.0 */
/* Types and contents of values that are sequences and optionals. */
#include "loader/loader.h" /* before cmocka.h, which has a macro fail() */

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "strider/strider.h"
#include "support/tiny_model.h"

enum { TENSOR = 1, SEQUENCE = 4, OPTIONAL = 9 }; /* in TypeProto */
enum { HELD_TENSOR = 3, HELD_SEQUENCE = 5 };     /* in OptionalProto; a sequence's tensors have 3, too */

static strider_error error;

/* --- types --- */

static Proto tensor_type(int elem_type, int64_t rows, const char *columns) {
    Proto tensor = {0}, shape = {0}, first = {0}, second = {0}, type = {0};
    proto_int(&tensor, 1, elem_type);
    proto_int(&first, 1, rows);
    proto_text(&second, 2, columns);
    proto_message(&shape, 1, &first);
    proto_message(&shape, 1, &second);
    proto_message(&tensor, 2, &shape);
    proto_message(&type, TENSOR, &tensor);
    return type;
}

/* A sequence or an optional of that type. */
static Proto wrap(int kind, Proto inner) {
    Proto wrapper = {0}, type = {0};
    proto_message(&wrapper, 1, &inner);
    proto_message(&type, kind, &wrapper);
    return type;
}

/* A model whose input "v" has that type, besides y = Relu(x). */
static Proto model_with(Proto type) {
    Proto graph = start_graph(3), info = {0};
    put_node(&graph, GRAPH_NODE, "Relu", "", "x", "y");
    proto_text(&info, 1, "v");
    proto_message(&info, 2, &type);
    proto_message(&graph, GRAPH_INPUT, &info);
    return finish_model(&graph, 8);
}

static void assert_declared(Proto type, const char *text) {
    strider_load_options options = strider_load_options_default();
    LoadedModel model;
    char found[VALUE_TYPE_TEXT];
    Proto proto = model_with(type);
    if (loader_load_memory(proto.data, proto.size, NULL, &options, &model, &error))
        fail_msg("%s", error.message);
    const Value *value = model.graph.inputs[1];
    assert_string_equal(value_type_text(&value->declared, found), text);
    assert_string_equal(symbol_text(model.graph.symbols, value->declared.shape.dims[1]), "n");
    loader_unload(&model);
    strider_model *loaded;
    assert_int_equal(strider_model_load_memory(proto.data, proto.size, NULL, NULL, &loaded, &error),
                     STRIDER_OK);
    strider_model_free(loaded);
    proto_free(&proto);
}

static void declared_types_have_kinds(void **state) {
    (void)state;
    assert_declared(tensor_type(1, 2, "n"), "float32 [2, ?]");
    assert_declared(wrap(SEQUENCE, tensor_type(7, 2, "n")), "sequence of int64 [2, ?]");
    assert_declared(wrap(OPTIONAL, tensor_type(9, 2, "n")), "optional bool [2, ?]");
    assert_declared(wrap(OPTIONAL, wrap(SEQUENCE, tensor_type(1, 2, "n"))),
                    "optional sequence of float32 [2, ?]");
}

static void assert_type_refused(Proto type, const char *message) {
    strider_model *loaded;
    Proto proto = model_with(type);
    assert_int_equal(strider_model_load_memory(proto.data, proto.size, NULL, NULL, &loaded, &error),
                     STRIDER_UNSUPPORTED);
    if (!strstr(error.message, message))
        fail_msg("\"%s\" is not in: %s", message, error.message);
    proto_free(&proto);
}

static void types_that_nothing_can_hold_are_refused(void **state) {
    (void)state;
    assert_type_refused(wrap(SEQUENCE, wrap(SEQUENCE, tensor_type(1, 2, "n"))), "a sequence of sequences");
    assert_type_refused(wrap(SEQUENCE, wrap(OPTIONAL, tensor_type(1, 2, "n"))), "a sequence of optionals");
    assert_type_refused(wrap(OPTIONAL, wrap(OPTIONAL, tensor_type(1, 2, "n"))), "an optional that holds an");
    assert_type_refused(wrap(OPTIONAL, wrap(SEQUENCE, wrap(SEQUENCE, tensor_type(1, 2, "n")))),
                        "a sequence of sequences");
    assert_type_refused(wrap(SEQUENCE, tensor_type(14, 2, "n")), "data type 14 (COMPLEX64)");
}

/* --- contents --- */

static Proto tensor_of(int elem_type, const void *data, int64_t count, size_t size) {
    Proto tensor = {0};
    proto_int(&tensor, 1, count);
    proto_int(&tensor, 2, elem_type);
    proto_text(&tensor, 8, "inner");
    proto_bytes(&tensor, 9, data, size);
    return tensor;
}

/* Of floats 1; 2, 3; ... */
static Proto sequence_of(int count) {
    Proto sequence = {0};
    float values[8], next = 1;
    proto_text(&sequence, 1, "s");
    proto_int(&sequence, 2, 1);
    for (int i = 1; i <= count; i++) {
        for (int j = 0; j < i; j++)
            values[j] = next++;
        Proto tensor = tensor_of(1, values, i, (size_t)i * sizeof *values);
        proto_message(&sequence, HELD_TENSOR, &tensor);
    }
    return sequence;
}

/* From a block of its own, which is gone when the value is looked at. */
static Status read_value(const Proto *proto, ValueKind kind, RunValue **value, char name[16]) {
    unsigned char *copy = malloc(proto->size + 1);
    if (proto->size)
        memcpy(copy, proto->data, proto->size);
    const Status status =
        loader_read_value(copy, proto->size, kind, allocator_default(), value, name, 16, &error);
    free(copy);
    return status;
}

static void assert_tensor(const RunValue *value, int64_t count, double first) {
    assert_int_equal(value->kind, VALUE_TENSOR);
    assert_int_equal(tensor_elements(&value->tensor), count);
    assert_float_equal(tensor_get_f64(&value->tensor, 0), first, 0);
}

static void sequences_are_read(void **state) {
    (void)state;
    char name[16];
    RunValue *value;
    for (int count = 0; count <= 3; count++) {
        Proto proto = sequence_of(count);
        assert_int_equal(read_value(&proto, VALUE_SEQUENCE, &value, name), STRIDER_OK);
        assert_string_equal(name, "s");
        assert_int_equal(value->kind, VALUE_SEQUENCE);
        assert_int_equal(value->references, 1);
        assert_int_equal(value->dtype, count ? STRIDER_F32 : STRIDER_DTYPE_NONE);
        assert_int_equal(value->n_items, count);
        for (int i = 0; i < count; i++)
            assert_tensor(value->items[i], i + 1, 1 + i * (i + 1) / 2);
        run_value_release(value);
        proto_free(&proto);
    }
}

static void optionals_are_read(void **state) {
    (void)state;
    char name[16];
    RunValue *value;
    Proto none = {0}, tensor = tensor_of(7, (int64_t[]){42}, 1, 8), held = {0}, list = {0},
          sequence = sequence_of(2);
    assert_int_equal(read_value(&none, VALUE_OPTIONAL, &value, name), STRIDER_OK);
    assert_int_equal(value->kind, VALUE_OPTIONAL);
    assert_int_equal(value->n_items, 0);
    run_value_release(value);

    proto_text(&held, 1, "o");
    proto_int(&held, 2, 1);
    proto_message(&held, HELD_TENSOR, &tensor);
    assert_int_equal(read_value(&held, VALUE_OPTIONAL, &value, name), STRIDER_OK);
    assert_string_equal(name, "o");
    assert_int_equal(value->n_items, 1);
    assert_tensor(value->items[0], 1, 42);
    assert_int_equal(value->items[0]->references, 1);
    run_value_release(value);

    proto_int(&list, 2, 3);
    proto_message(&list, HELD_SEQUENCE, &sequence);
    assert_int_equal(read_value(&list, VALUE_OPTIONAL, &value, name), STRIDER_OK);
    assert_int_equal(value->items[0]->kind, VALUE_SEQUENCE);
    assert_tensor(value->items[0]->items[1], 2, 2);
    run_value_release(value);
    proto_free(&held);
    proto_free(&list);

    tensor = tensor_of(1, (float[]){5}, 1, 4);
    assert_int_equal(read_value(&tensor, VALUE_TENSOR, &value, name), STRIDER_OK);
    assert_string_equal(name, "inner");
    assert_tensor(value, 1, 5);
    run_value_release(value);
    proto_free(&tensor);
}

static void assert_value_refused(Proto *proto, ValueKind kind, Status status, const char *message) {
    RunValue *value;
    char name[16];
    assert_int_equal(read_value(proto, kind, &value, name), status);
    assert_null(value);
    if (!strstr(error.message, message))
        fail_msg("\"%s\" is not in: %s", message, error.message);
    proto_free(proto);
}

static void odd_contents_are_refused(void **state) {
    (void)state;
    Proto sequence = sequence_of(2), tensor = tensor_of(7, (int64_t[]){42}, 1, 8);
    proto_message(&sequence, HELD_TENSOR, &tensor);
    assert_value_refused(&sequence, VALUE_SEQUENCE, STRIDER_BAD_MODEL,
                         "element 2 of a sequence is int64, those before are float32");

    sequence = (Proto){0};
    proto_int(&sequence, 2, 3);
    assert_value_refused(&sequence, VALUE_SEQUENCE, STRIDER_UNSUPPORTED, "a sequence of what is no tensor");

    Proto optional = {0};
    proto_int(&optional, 2, 5);
    assert_value_refused(&optional, VALUE_OPTIONAL, STRIDER_UNSUPPORTED, "an optional of what is no tensor");

    sequence = sequence_of(1);
    tensor = tensor_of(1, (float[]){1}, 2, 4); /* half of its bytes */
    proto_message(&sequence, HELD_TENSOR, &tensor);
    assert_value_refused(&sequence, VALUE_SEQUENCE, STRIDER_BAD_MODEL, "it has 4 bytes of data");
}

static void contents_cut_at_every_byte_are_no_crash(void **state) {
    (void)state;
    Proto list = {0}, sequence = sequence_of(3);
    proto_int(&list, 2, 3);
    proto_message(&list, HELD_SEQUENCE, &sequence);
    const size_t size = list.size;
    for (list.size = 0; list.size < size; list.size++) {
        RunValue *value;
        char name[16];
        (void)!read_value(&list, VALUE_OPTIONAL, &value, name);
        run_value_release(value);
    }
    proto_free(&list);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(declared_types_have_kinds),
        cmocka_unit_test(types_that_nothing_can_hold_are_refused),
        cmocka_unit_test(sequences_are_read),
        cmocka_unit_test(optionals_are_read),
        cmocka_unit_test(odd_contents_are_refused),
        cmocka_unit_test(contents_cut_at_every_byte_are_no_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
