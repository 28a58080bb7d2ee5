/* SPDX-License-Identifier: Apache-2.0 */
/* LSTM, GRU, RNN and DynamicQuantizeLSTM against PyTorch in float64 and onnxruntime. */
#include "rnn_values.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* Numbers that a float of any type has exactly. */
static double value_at(int64_t i, int port) {
    return (double)((i * 7 + (port < LENGTHS ? port + 1 : port) * 5) % 17 - 8) / 16;
}

static int gates_of(const char *op) {
    return strcmp(op, "GRU") == 0 ? 3 : strcmp(op, "RNN") == 0 ? 1 : 4;
}

static Shape shape_of(const Case *c, int port) {
    const int64_t rows = gates_of(c->op) * HIDDEN, d = c->directions;
    const Shape shapes[] = {DIMS(STEPS, BATCH, INPUTS), DIMS(d, rows, INPUTS), DIMS(d, rows, HIDDEN),
                            DIMS(d, 2 * rows),          DIMS(BATCH),           DIMS(d, BATCH, HIDDEN),
                            DIMS(d, BATCH, HIDDEN),     DIMS(d, 3 * HIDDEN)};
    return shapes[port];
}

static int ports_of(const Case *c) {
    return strcmp(c->op, "LSTM") == 0 ? P + 1 : H + 1;
}

/* The test of a case in a type, whose inputs lie in `memory`. */
static OpTest test_of(const Case *c, DType dtype, uint64_t memory[MAX_PORTS][MAX_VALUES]) {
    OpTest test = {.op = c->op, .opset = c->opset, .n_inputs = ports_of(c)};
    test.n_outputs = gates_of(c->op) == 4 ? 3 : 2;
    memcpy(test.attrs, c->attrs, sizeof c->attrs);
    static const double lengths[BATCH] = {3, 2};
    for (int port = 0; port < test.n_inputs; port++) {
        if (port >= B && !(c->ports & WITH(port)))
            continue;
        double values[MAX_VALUES];
        const Shape shape = shape_of(c, port);
        for (int64_t i = 0; i < shape_elements(&shape); i++)
            values[i] = value_at(i, port);
        test.inputs[port] =
            op_test_convert(port == LENGTHS ? STRIDER_I32 : dtype, shape, memory[port],
                            port == LENGTHS ? lengths : values, (size_t)shape_elements(&shape));
    }
    return test;
}

static void assert_results(const OpTest *test, const double *results, double tolerance) {
    for (int i = 0; i < test->n_outputs; i++) {
        const Tensor *got = &test->outputs[i];
        uint64_t memory[MAX_RESULTS];
        const int64_t count = tensor_elements(got);
        const Tensor expected =
            op_test_convert(got->type.dtype, got->type.shape, memory, results, (size_t)count);
        assert_tensor_close(got, &expected, tolerance, tolerance);
        results += count;
    }
}

static void layers_have_the_values_of_torch_and_onnxruntime_in_every_type(void **state) {
    (void)state;
    static const struct {
        DType dtype;
        double tolerance;
    } types[] = {{STRIDER_F32, 2e-7}, {STRIDER_F64, 2e-7}, {STRIDER_F16, 1e-3}, {STRIDER_BF16, 8e-3}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int t = 0; t < 4; t++) {
            uint64_t memory[MAX_PORTS][MAX_VALUES];
            OpTest test = test_of(&cases[i], types[t].dtype, memory);
            if (op_test_run(&test))
                fail_msg("%s: %s", test.op, test.error.message);
            assert_results(&test, cases[i].results, types[t].tolerance);
            op_test_free(&test);
        }
}

/* The same elements with the first two dimensions exchanged. */
static void exchange(Tensor *tensor, float *memory) {
    Shape *shape = &tensor->type.shape;
    const int64_t first = shape->dims[0], second = shape->dims[1], rest = shape_size(shape, 2, shape->rank);
    for (int64_t i = 0; i < first; i++)
        for (int64_t j = 0; j < second; j++)
            memcpy(memory + (j * first + i) * rest, (const float *)tensor->data + (i * second + j) * rest,
                   (size_t)rest * sizeof(float));
    shape->dims[0] = second;
    shape->dims[1] = first;
    tensor->data = memory;
}

/* Y [batch, steps, directions, hidden] from [steps, directions, batch, hidden]. */
static void put_batch_first(const Case *c, const double *y, double *result) {
    for (int64_t t = 0; t < STEPS; t++)
        for (int64_t d = 0; d < c->directions; d++)
            for (int64_t b = 0; b < BATCH; b++)
                for (int64_t i = 0; i < HIDDEN; i++)
                    result[((b * STEPS + t) * c->directions + d) * HIDDEN + i] =
                        y[((t * c->directions + d) * BATCH + b) * HIDDEN + i];
}

static void layout_1_has_the_batch_first(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t memory[MAX_PORTS][MAX_VALUES];
        float exchanged[MAX_PORTS][MAX_VALUES];
        OpTest test = test_of(&cases[i], STRIDER_F32, memory);
        test.opset = 14;
        test.attrs[5] = attr_int("layout", 1);
        for (int a = 0; a < 5; a++) /* the list ends at the first one without a name */
            if (!test.attrs[a].name)
                test.attrs[a] = attr_int("hidden_size", HIDDEN);
        static const int ports[] = {X, H, C};
        for (int p = 0; p < 3; p++)
            if (test.inputs[ports[p]].type.dtype)
                exchange(&test.inputs[ports[p]], exchanged[ports[p]]);
        assert_int_equal(op_test_run(&test), STRIDER_OK);
        double results[MAX_RESULTS];
        const int64_t in_y = STEPS * cases[i].directions * BATCH * HIDDEN,
                      in_state = cases[i].directions * BATCH * HIDDEN;
        put_batch_first(&cases[i], cases[i].results, results);
        for (int s = 0; s < test.n_outputs - 1; s++)
            for (int64_t d = 0; d < cases[i].directions; d++)
                for (int64_t b = 0; b < BATCH; b++)
                    for (int64_t j = 0; j < HIDDEN; j++)
                        results[in_y + s * in_state + (b * cases[i].directions + d) * HIDDEN + j] =
                            cases[i].results[in_y + s * in_state + (d * BATCH + b) * HIDDEN + j];
        assert_results(&test, results, 2e-7);
        op_test_free(&test);
    }
}

/* --- DynamicQuantizeLSTM --- */

static double quantised_value(const QuantisedCase *c, int64_t i, int port) {
    const double middle = c->dtype == STRIDER_U8 ? 128 : 0;
    if (port == W || port == R)
        return middle + nearbyint(value_at(i, port) * 100);
    if (port == W_ZERO || port == R_ZERO)
        return middle;
    if (port == W_SCALE || port == R_SCALE)
        return 0.01 * (1 + value_at(i, port == W_SCALE ? 8 : 9) / 2);
    return value_at(i, port);
}

static OpTest quantised_test(const QuantisedCase *c, uint64_t memory[MAX_PORTS][MAX_VALUES]) {
    const Shape scale = c->each ? DIMS(2, 4 * HIDDEN) : DIMS(2);
    const Shape shapes[MAX_PORTS] = {DIMS(STEPS, BATCH, INPUTS),
                                     DIMS(2, INPUTS, 4 * HIDDEN),
                                     DIMS(2, HIDDEN, 4 * HIDDEN),
                                     DIMS(2, 8 * HIDDEN),
                                     DIMS(BATCH),
                                     DIMS(2, BATCH, HIDDEN),
                                     DIMS(2, BATCH, HIDDEN),
                                     DIMS(2, 3 * HIDDEN),
                                     scale,
                                     scale,
                                     scale,
                                     scale};
    OpTest test = {.op = "DynamicQuantizeLSTM",
                   .domain = "com.microsoft",
                   .opset = 1,
                   .attrs = {BOTH, INT("hidden_size", HIDDEN)},
                   .n_inputs = MAX_PORTS,
                   .n_outputs = 3};
    for (int port = 0; port < MAX_PORTS; port++) {
        const bool is_quantised = port == W || port == R || port == W_ZERO || port == R_ZERO;
        double values[MAX_VALUES];
        if (port == LENGTHS)
            continue;
        for (int64_t i = 0; i < shape_elements(&shapes[port]); i++)
            values[i] = quantised_value(c, i, port);
        test.inputs[port] = op_test_convert(is_quantised ? c->dtype : STRIDER_F32, shapes[port], memory[port],
                                            values, (size_t)shape_elements(&shapes[port]));
    }
    return test;
}

static void quantised_layers_have_the_values_of_onnxruntime(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof quantised_cases / sizeof *quantised_cases; i++) {
        uint64_t memory[MAX_PORTS][MAX_VALUES];
        OpTest test = quantised_test(&quantised_cases[i], memory);
        if (op_test_run(&test))
            fail_msg("%s", test.error.message);
        assert_results(&test, quantised_cases[i].results, 1e-6);
        op_test_free(&test);
    }
}

static void quantised_layers_reject_what_does_not_fit(void **state) {
    (void)state;
    uint64_t memory[MAX_PORTS][MAX_VALUES];
    OpTest test = quantised_test(&quantised_cases[0], memory);
    test.inputs[R_ZERO].type.dtype = STRIDER_U8;
    op_test_expect_error(&test, STRIDER_BAD_MODEL, "must be of one type");
    test = quantised_test(&quantised_cases[0], memory);
    test.inputs[W] = (Tensor){.type = type_of(STRIDER_I8, DIMS(2, INPUTS, 7))};
    op_test_expect_error(&test, STRIDER_BAD_MODEL, "input 1 has shape [2, 3, 7], must have [2, 3, 8]");
    test = quantised_test(&quantised_cases[0], memory);
    test.inputs[W_SCALE] = tensor_f32(DIMS(3), 1, 1, 1);
    op_test_expect_error(&test, STRIDER_BAD_MODEL, "input 8 has shape [3], must have [2]");
    test = quantised_test(&quantised_cases[0], memory);
    test.inputs[R_SCALE].type.dtype = STRIDER_DTYPE_NONE;
    op_test_expect_error(&test, STRIDER_BAD_MODEL, "input 10, a scale or zero point, is missing");
}

/* --- what is refused, and the edges --- */

static OpTest small_lstm(uint64_t memory[MAX_PORTS][MAX_VALUES]) {
    static const Case plain = {"LSTM", 14, 1, WITH(B) | WITH(LENGTHS) | WITH(H) | WITH(C), {{0}}, {0}};
    return test_of(&plain, STRIDER_F32, memory);
}

static const struct {
    Attr attr;
    const char *message;
} bad_attrs[] = {
    {INT("hidden_size", 3), "input 2 has shape [1, 8, 2], must have [1, 12, 3]"},
    {INT("hidden_size", 0), "hidden_size is 0"},
    {FLOAT("clip", -1), "clip is -1"},
    {TEXT("direction", "up"), "unknown value \"up\""},
    {BOTH, "must have [2, 8, 2]"},
    {NAMES("Tanh"), "activations has 1 names, must have 3"},
    {NAMES("Tanh", "Cosh", "Tanh"), "unknown name \"Cosh\""},
};

static void what_does_not_fit_is_refused(void **state) {
    (void)state;
    uint64_t memory[MAX_PORTS][MAX_VALUES];
    for (size_t i = 0; i < sizeof bad_attrs / sizeof *bad_attrs; i++) {
        OpTest test = small_lstm(memory);
        test.attrs[0] = bad_attrs[i].attr;
        op_test_expect_error(&test, STRIDER_BAD_MODEL, bad_attrs[i].message);
    }
    static const int64_t too_short[] = {1, 1, 1};
    static const int ranks[] = {3, 3, 3, 2, 1, 3, 3, 2};
    for (int port = W; port <= P; port++) {
        OpTest test = small_lstm(memory);
        test.infer_only = true;
        test.inputs[port].type =
            type_of(port == LENGTHS ? STRIDER_I32 : STRIDER_F32, shape_make(ranks[port], too_short));
        op_test_expect_error(&test, STRIDER_BAD_MODEL, "must have");
    }
    OpTest rank = small_lstm(memory);
    rank.infer_only = true;
    rank.inputs[X].type.shape = DIMS(3, 6);
    op_test_expect_error(&rank, STRIDER_BAD_MODEL, "input 0 has rank 2");
    OpTest nothing = small_lstm(memory);
    nothing.infer_only = true;
    nothing.inputs[X].type.shape = DIMS(3, 2, 0);
    nothing.inputs[W].type.shape = DIMS(1, 8, 0);
    op_test_expect_error(&nothing, STRIDER_BAD_MODEL, "the layer has no inputs");
    OpTest type = small_lstm(memory);
    type.infer_only = true;
    type.inputs[H].type.dtype = STRIDER_F64;
    op_test_expect_error(&type, STRIDER_BAD_MODEL, "must be of one type");
}

static void a_length_beyond_the_steps_is_refused(void **state) {
    (void)state;
    static const double lengths[][BATCH] = {{3, 4}, {-1, 2}};
    for (int i = 0; i < 2; i++) {
        uint64_t memory[MAX_PORTS][MAX_VALUES];
        OpTest test = small_lstm(memory);
        test.inputs[LENGTHS] = op_test_convert(STRIDER_I32, DIMS(BATCH), memory[LENGTHS], lengths[i], BATCH);
        op_test_expect_error(&test, STRIDER_BAD_MODEL, i ? "has length -1" : "sequence 1 has length 4");
    }
}

static void shapes_follow_as_far_as_they_are_known(void **state) {
    (void)state;
    uint64_t memory[MAX_PORTS][MAX_VALUES];
    OpTest test = small_lstm(memory);
    test.infer_only = true;
    test.inputs[X].type.shape = DIMS(DIM_UNKNOWN, DIM_UNKNOWN, INPUTS);
    assert_int_equal(op_test_run(&test), STRIDER_OK);
    assert_shape(&test.output_types[0].shape, DIMS(DIM_UNKNOWN, 1, DIM_UNKNOWN, HIDDEN));
    assert_shape(&test.output_types[2].shape, DIMS(1, DIM_UNKNOWN, HIDDEN));
    op_test_free(&test);
    test = small_lstm(memory);
    test.infer_only = true;
    for (int port = X; port <= P; port++)
        test.inputs[port].type.shape = shape_unknown();
    assert_int_equal(op_test_run(&test), STRIDER_OK);
    assert_shape(&test.output_types[0].shape, DIMS(DIM_UNKNOWN, 1, DIM_UNKNOWN, DIM_UNKNOWN));
    op_test_free(&test);
}

/* As in onnxruntime. */
static void a_sequence_without_steps_ends_in_zeros(void **state) {
    (void)state;
    static const double lengths[BATCH] = {0, 2};
    uint64_t memory[MAX_PORTS][MAX_VALUES];
    OpTest test = small_lstm(memory);
    test.inputs[LENGTHS] = op_test_convert(STRIDER_I32, DIMS(BATCH), memory[LENGTHS], lengths, BATCH);
    assert_int_equal(op_test_run(&test), STRIDER_OK);
    for (int i = 0; i < HIDDEN; i++) {
        assert_true(tensor_get_f64(&test.outputs[0], i) == 0);
        assert_true(tensor_get_f64(&test.outputs[1], i) == 0 && tensor_get_f64(&test.outputs[2], i) == 0);
        assert_true(tensor_get_f64(&test.outputs[1], HIDDEN + i) != 0);
    }
    op_test_free(&test);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layers_have_the_values_of_torch_and_onnxruntime_in_every_type),
        cmocka_unit_test(layout_1_has_the_batch_first),
        cmocka_unit_test(quantised_layers_have_the_values_of_onnxruntime),
        cmocka_unit_test(quantised_layers_reject_what_does_not_fit),
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(a_length_beyond_the_steps_is_refused),
        cmocka_unit_test(shapes_follow_as_far_as_they_are_known),
        cmocka_unit_test(a_sequence_without_steps_ends_in_zeros),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
