/* SPDX-License-Identifier: Apache-2.0 */
/* infer() and reference() of operators that are made for it: what they are shown, and what becomes of what
 * they make. */
#include "graph/evaluate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "support/counter.h"

static Error error;

/* --- operators --- */

/* What infer() was shown, and says. */
static struct {
    const Tensor *values[3];
    int64_t contents[3];
    ValueType says;
} seen;

static Status seeing_infer(InferContext *ctx) {
    for (int i = 0; i < ctx->n_inputs; i++) {
        seen.values[i] = ctx->input_values[i];
        seen.contents[i] = seen.values[i] ? *(const int64_t *)seen.values[i]->data : 0;
    }
    for (int i = 0; i < ctx->n_outputs; i++) {
        assert_int_equal(ctx->outputs[i].kind, VALUE_TENSOR);
        assert_int_equal(ctx->outputs[i].dtype, STRIDER_DTYPE_NONE);
        assert_int_equal(ctx->outputs[i].shape.rank, RANK_UNKNOWN);
        ctx->outputs[i] = seen.says;
    }
    return STRIDER_OK;
}

static struct {
    int calls;
    Status result;
    size_t scratch_bytes;
} evaluated;

/* Input 0 plus its place, and 100 for each further output. */
static Status adding_reference(EvalContext *ctx) {
    evaluated.calls++;
    evaluated.scratch_bytes = ctx->scratch_bytes;
    for (int port = 0; port < ctx->n_outputs; port++)
        for (int64_t i = 0; ctx->outputs[port] && i < tensor_elements(ctx->outputs[port]); i++)
            ((float *)ctx->outputs[port]->data)[i] =
                ((const float *)ctx->inputs[0]->data)[i] + (float)(i + 100 * port);
    return evaluated.result;
}

static Bytes scratch(const Node *node, const Type *inputs, const Type *outputs) {
    assert_int_equal(node->n_inputs, 2);
    assert_int_equal(inputs[0].dtype, STRIDER_F32);
    assert_int_equal(inputs[1].dtype, STRIDER_DTYPE_NONE); /* absent */
    assert_int_equal(outputs[0].dtype, STRIDER_F32);
    return bytes_of(1, 48);
}

static const Op seeing = {.name = "Seeing", .infer = seeing_infer, .reads = 5},
                adding = {.name = "Adding", .reference = adding_reference},
                scratching = {.name = "Scratching", .reference = adding_reference, .scratch = scratch},
                sequences = {.name = "Sequences", .infer = seeing_infer, .flags = OP_ANY_KIND};

/* --- infer --- */

static ValueType tensor_type(DType dtype, int64_t dim) {
    return value_type_tensor(type_of(dtype, shape_make(1, &dim)));
}

static void contents_are_read_of_the_ports_that_are_named(void **state) {
    (void)state;
    const Node node = {.op = &seeing, .n_inputs = 3};
    assert_true(node_reads(&node, 0) && node_reads(&node, 2));
    assert_false(node_reads(&node, 1) || node_reads(&node, 32) || node_reads(&node, 1000));
}

static void sequences_are_for_operators_that_take_them(void **state) {
    (void)state;
    Node node = {.op = &seeing, .n_inputs = 1, .n_outputs = 1, .name = "n"};
    const ValueType sequence = {.kind = VALUE_SEQUENCE, .tensor = {STRIDER_F32, {.rank = RANK_UNKNOWN}}};
    const Tensor *none[1] = {NULL};
    ValueType output;
    seen.says = tensor_type(STRIDER_F32, 3);
    assert_int_equal(node_infer(&node, &sequence, none, NULL, &output, &error), STRIDER_BAD_MODEL);
    assert_non_null(strstr(error.message, "\"n\" (Seeing)"));
    assert_non_null(strstr(error.message, "sequence of"));
    node.op = &sequences;
    assert_int_equal(node_infer(&node, &sequence, none, NULL, &output, &error), STRIDER_OK);
    assert_true(shape_equal(&output.shape, &seen.says.shape));
}

static void outputs_that_no_memory_could_hold_are_refused(void **state) {
    (void)state;
    const Node node = {.op = &seeing, .n_outputs = 1, .name = ""};
    ValueType output;
    seen.says = tensor_type(STRIDER_F64, (int64_t)1 << 62);
    assert_int_equal(node_infer(&node, NULL, NULL, NULL, &output, &error), STRIDER_LIMIT_EXCEEDED);
    assert_non_null(strstr(error.message, "[4611686018427387904]"));
    seen.says = tensor_type(STRIDER_F64, DIM_UNKNOWN);
    assert_int_equal(node_infer(&node, NULL, NULL, NULL, &output, &error), STRIDER_OK);
}

/* A constant of a file may lie at any address; infer() sees a copy then, unless it is too large to be a shape
 * or the like. */
static void constants_are_shown_aligned(void **state) {
    (void)state;
    enum { LARGE = 10000 };
    static _Alignas(16) char memory[(LARGE + 1) * sizeof(int64_t)];
    Counter counter;
    Region region;
    counter_init(&counter);
    region_init(&region, &counter.allocator, 0);
    SymbolTable symbols = {.region = &region};
    for (int form = 0; form < 3; form++) {
        const int64_t count = form == 2 ? LARGE : 2, value = 0x0102030405060708;
        const Shape shape = shape_make(1, &count);
        char *data = memory + (form ? 3 : 0);
        memcpy(data, &value, sizeof value);
        Tensor tensor = tensor_view(STRIDER_I64, &shape, data);
        tensor.unaligned = form > 0;
        Value constant = {.constant = &tensor, .type = value_type_tensor(tensor.type)};
        Value *inputs[3] = {&constant, &constant, NULL};
        ValueType output;
        const Node node = {.op = &seeing, .n_inputs = 3, .n_outputs = 1, .inputs = inputs, .name = ""};
        seen.says = tensor_type(STRIDER_F32, 3);
        assert_int_equal(node_infer_in_graph(&node, &symbols, &output, &error), STRIDER_OK);
        assert_int_equal(seen.values[0] == &tensor, form == 0);
        assert_int_equal(seen.contents[0], form == 2 ? 0 : value);
        assert_null(seen.values[1]); /* port 1 is not read */
        assert_null(seen.values[2]); /* absent */
        assert_int_equal(counter.blocks, 0);
    }
    region_free(&region);
}

/* --- evaluate --- */

static float numbers[3] = {1, 2, 3}, written[3];

static Tensor input_of(int64_t count) {
    const Shape shape = shape_make(1, &count);
    return tensor_view(STRIDER_F32, &shape, numbers);
}

static void outputs_get_memory_where_they_have_none(void **state) {
    (void)state;
    Counter counter;
    counter_init(&counter);
    const Tensor input = input_of(3), *inputs[1] = {&input};
    Value value;
    Value *output_values[3] = {&value, NULL, &value};
    const Node node = {.op = &adding, .n_inputs = 1, .n_outputs = 3, .outputs = output_values, .name = ""};
    const ValueType types[3] = {tensor_type(STRIDER_F32, 3), tensor_type(STRIDER_F32, 3),
                                tensor_type(STRIDER_F32, 3)};
    Tensor outputs[3] = {[2] = tensor_view(STRIDER_F32, &types[2].shape, written)};
    evaluated.result = STRIDER_OK;
    assert_int_equal(node_evaluate(&node, inputs, types, outputs, &counter.allocator, &error), STRIDER_OK);
    for (int i = 0; i < 3; i++) {
        assert_true(((float *)outputs[0].data)[i] == (float)(1 + 2 * i));
        assert_true(written[i] == (float)(201 + 2 * i));
    }
    assert_null(outputs[1].data);
    assert_int_equal(counter.blocks, 1);
    tensor_free(&outputs[0]);
    assert_int_equal(counter.blocks, 0);
}

static void after_a_failure_only_the_callers_memory_is_left(void **state) {
    (void)state;
    Counter counter;
    counter_init(&counter);
    const Tensor input = input_of(3), *inputs[1] = {&input};
    Value value;
    Value *output_values[2] = {&value, &value};
    const Node node = {.op = &adding, .n_inputs = 1, .n_outputs = 2, .outputs = output_values, .name = ""};
    const ValueType types[2] = {tensor_type(STRIDER_F32, 3), tensor_type(STRIDER_F32, 3)};
    Tensor outputs[2] = {[1] = tensor_view(STRIDER_F32, &types[1].shape, written)};
    evaluated.result = STRIDER_BAD_MODEL;
    assert_int_equal(node_evaluate(&node, inputs, types, outputs, &counter.allocator, &error),
                     STRIDER_BAD_MODEL);
    assert_null(outputs[0].data);
    assert_ptr_equal(outputs[1].data, written);
    assert_int_equal(counter.blocks, 0);
    counter.is_full = true;
    assert_int_equal(node_evaluate(&node, inputs, types, outputs, &counter.allocator, &error),
                     STRIDER_OUT_OF_MEMORY);
}

static void empty_outputs_are_not_computed(void **state) {
    (void)state;
    const Tensor input = input_of(0), *inputs[1] = {&input};
    Value value;
    Value *output_values[1] = {&value};
    const Node node = {.op = &adding, .n_inputs = 1, .n_outputs = 1, .outputs = output_values, .name = ""};
    const ValueType type = tensor_type(STRIDER_F32, 0);
    Tensor output = {0};
    evaluated.calls = 0;
    assert_int_equal(node_evaluate(&node, inputs, &type, &output, allocator_default(), &error), STRIDER_OK);
    assert_int_equal(evaluated.calls, 0);
    assert_non_null(output.data);
    tensor_free(&output);
}

static void a_reference_gets_the_scratch_memory_that_it_states(void **state) {
    (void)state;
    Counter counter;
    counter_init(&counter);
    const Tensor input = input_of(3), *inputs[2] = {&input, NULL};
    Value value;
    Value *output_values[1] = {&value};
    const Node node = {
        .op = &scratching, .n_inputs = 2, .n_outputs = 1, .outputs = output_values, .name = ""};
    const ValueType type = tensor_type(STRIDER_F32, 3);
    Tensor output = tensor_view(STRIDER_F32, &type.shape, written);
    evaluated.result = STRIDER_OK;
    assert_int_equal(node_evaluate(&node, inputs, &type, &output, &counter.allocator, &error), STRIDER_OK);
    assert_int_equal(evaluated.scratch_bytes, 48);
    assert_int_equal(counter.blocks, 0);
}

static void what_has_no_reference_is_unsupported(void **state) {
    (void)state;
    const Node node = {.op = &seeing, .name = "n"};
    assert_int_equal(node_evaluate(&node, NULL, NULL, NULL, allocator_default(), &error),
                     STRIDER_UNSUPPORTED);
    assert_non_null(strstr(error.message, "\"n\" (Seeing)"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(contents_are_read_of_the_ports_that_are_named),
        cmocka_unit_test(sequences_are_for_operators_that_take_them),
        cmocka_unit_test(outputs_that_no_memory_could_hold_are_refused),
        cmocka_unit_test(constants_are_shown_aligned),
        cmocka_unit_test(outputs_get_memory_where_they_have_none),
        cmocka_unit_test(after_a_failure_only_the_callers_memory_is_left),
        cmocka_unit_test(empty_outputs_are_not_computed),
        cmocka_unit_test(a_reference_gets_the_scratch_memory_that_it_states),
        cmocka_unit_test(what_has_no_reference_is_unsupported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
