/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions on the virtual device, through the public functions: what they wait for, and what they record.
 * The argument is the repository. */
#include <glob.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run/devices.h"

#include <cmocka.h>

#include "support/session_fixture.h"
#include "virtual_device.h"

enum { MAX_ELEMENTS = 1 << 21 };

static const char *repository;

/* --- waiting --- */

static void a_run_waits_once_and_allocates_nothing(void **state) {
    (void)state;
    for (int record = 0; record < 2; record++) {
        Fixture cuda;
        open_model(&cuda, digits, "cuda", record);
        for (int i = 0; i < RUNS; i++)
            must(run(&cuda, 2, scores));
        const long waits = virtual_synchronizations(), allocations = virtual_allocations();
        must(run(&cuda, 2, scores));
        assert_int_equal(virtual_synchronizations() - waits, 1);
        assert_int_equal(virtual_allocations() - allocations, 0);
        close_model(&cuda);
    }
}

/* A test of the test: without its one wait a run's results are not there, whether it is recorded or not. */
static void a_missing_wait_shows(void **state) {
    (void)state;
    for (int record = 0; record < 2; record++) {
        Fixture cuda;
        open_model(&cuda, digits, "cuda", record);
        for (int i = 0; i < RUNS; i++)
            must(run(&cuda, 1, scores));
        setenv("VCUDA_SKIP", "cudaStreamSynchronize:1", 1);
        must(run(&cuda, 1, scores));
        unsetenv("VCUDA_SKIP");
        assert_true(isnan(scores[0]));
        expect_close(&cuda, 1);
        close_model(&cuda);
    }
}

/* Two copies there and back of more than the pinned memory holds, the second begun before the first is done.
 */
static void copies_may_be_larger_than_what_they_go_through(void **state) {
    (void)state;
    enum { BYTES = 40000001 };
    const DeviceOptions options = {.max_workspace_bytes = 1 << 20, .allocator = allocator_default()};
    Device *device;
    void *memory;
    char *from = malloc(BYTES), *to = malloc(2 * BYTES);
    must(devices_open("cuda", &options, NULL, &device, &error));
    must(device->reserve(device, BYTES, &memory, &error));
    for (size_t round = 0; round < 2; round++) {
        for (size_t i = 0; i < BYTES; i++)
            from[i] = (char)(i * 7 + i / 1001 + round);
        must(device->upload(device, memory, from, BYTES, &error));
        memset(from, 0, BYTES);
        must(device->download(device, to + round * BYTES, memory, BYTES, &error));
    }
    must(device->synchronize(device, &error));
    for (size_t round = 0; round < 2; round++)
        for (size_t i = 0; i < BYTES; i++)
            if (to[round * BYTES + i] != (char)(i * 7 + i / 1001 + round))
                fail_msg("byte %zu of copy %zu differs", i, round);
    device->release(device, memory);
    device->close(device);
    free(from);
    free(to);
}

/* What is told of a failure may free what was to be written to. */
static void a_download_that_fails_writes_nothing_later(void **state) {
    (void)state;
    enum { BYTES = 9000000 /* three chunks */ };
    const DeviceOptions options = {.max_workspace_bytes = 1 << 20, .allocator = allocator_default()};
    Device *device;
    void *memory;
    char *bytes = calloc(2, BYTES), *from = bytes, *to = bytes + BYTES;
    must(devices_open("cuda", &options, NULL, &device, &error));
    must(device->reserve(device, BYTES, &memory, &error));
    memset(from, 7, BYTES);
    must(device->upload(device, memory, from, BYTES, &error));
    must(device->synchronize(device, &error)); /* there is room for all chunks */
    setenv("VCUDA_FAIL", "cudaMemcpyAsync:2", 1);
    assert_int_equal(device->download(device, to, memory, BYTES, &error), STRIDER_DEVICE_FAILED);
    unsetenv("VCUDA_FAIL");
    memset(to, 0, BYTES);
    must(device->synchronize(device, &error));
    for (size_t i = 0; i < BYTES; i++)
        assert_int_equal(to[i], 0);
    device->release(device, memory);
    device->close(device);
    free(bytes);
}

/* --- indices --- */

enum { TABLE = 4, PLACES = 6 };

/* y is an element of `table`: that which `constant` says, or the place of x's largest, which may lie after
 * it. */
static void open_table(Fixture *fixture, const int64_t *constant, bool record) {
    const int64_t places = PLACES, table = TABLE, one = 1;
    Proto graph = {0};
    put_node(&graph, GRAPH_NODE, "ArgMax", "", "x", "place");
    put_node(&graph, GRAPH_NODE, "Gather", "", constant ? "table index" : "table place", "y");
    if (constant)
        put_tensor(&graph, "index", ONNX_INT64, 1, (const int64_t[]){1}, &(const int64_t){*constant},
                   sizeof(int64_t));
    proto_text(&graph, 2, "table");
    proto_value(&graph, GRAPH_INPUT, "x", STRIDER_F32, &places, 1);
    proto_value(&graph, GRAPH_INPUT, "table", STRIDER_F32, &table, 1);
    proto_value(&graph, GRAPH_OUTPUT, "y", STRIDER_F32, &one, 1);
    open_graph(fixture, &graph, "cuda", record);
}

static void expect_element(const Fixture *fixture, int place, int64_t index) {
    float x[PLACES] = {0}, table[TABLE] = {10, 11, 12, 13};
    const strider_tensor inputs[] = {{STRIDER_F32, 1, {PLACES}, x}, {STRIDER_F32, 1, {TABLE}, table}};
    strider_tensor output = {0};
    char message[60];
    x[place] = 1;
    const strider_status status = strider_session_run(fixture->session, inputs, 2, &output, 1, &error);
    if (index >= -TABLE && index < TABLE) {
        must(status);
        assert_true(*(float *)output.data == table[(index + TABLE) % TABLE]);
        return;
    }
    assert_int_equal(status, STRIDER_BAD_MODEL);
    snprintf(message, sizeof message, "index %d is outside a dimension of 4", (int)index);
    assert_non_null(strstr(error.message, message));
}

/* By a kernel, of what a run finds out, also from a recording; by the CPU, of constants.  The run after one
 * that failed is like any other. */
static void indices_out_of_range_are_told(void **state) {
    (void)state;
    for (int record = 0; record < 2; record++) {
        Fixture found;
        open_table(&found, NULL, record);
        for (int place = 0; place < 2 * PLACES; place++)
            expect_element(&found, place % PLACES, place % PLACES);
        close_model(&found);
    }
    for (int64_t index = -TABLE - 1; index <= TABLE; index++) {
        Fixture constant;
        open_table(&constant, &index, false);
        expect_element(&constant, 0, index);
        close_model(&constant);
    }
}

/* --- post-operations --- */

enum { ROWS = 20, IN = 3, OUT = 4 };

static void add_weights(Proto *graph, const char *name, const int64_t *dims, int rank, unsigned seed) {
    float values[IN * OUT];
    size_t count = 1;
    for (int d = 0; d < rank; d++)
        count *= (size_t)dims[d];
    fill(values, count, seed);
    put_tensor(graph, name, ONNX_FLOAT, rank, dims, values, count * sizeof *values);
}

/* What post-operations follow: a product, or a normalisation of what has the output's shape. */
typedef enum PostProducer {
    CONV,
    CONV_OF_INPUTS,
    MATMUL,
    INSTANCE_NORM,
    LAYER_NORM,
    N_PRODUCERS
} PostProducer;

static const char *const producers[] = {"Conv", "Conv", "MatMul", "InstanceNormalization",
                                        "LayerNormalization"};

typedef struct PostCase {
    PostProducer producer;
    bool residual_last;
    const char *activation; /* NULL: none */
} PostCase;

static bool is_conv(const PostCase *test) {
    return test->producer == CONV || test->producer == CONV_OF_INPUTS;
}

static bool is_product(const PostCase *test) {
    return is_conv(test) || test->producer == MATMUL;
}

static bool has_channels(const PostCase *test) {
    return is_conv(test) || test->producer == INSTANCE_NORM;
}

/* With a factor and a bias for each channel, as inputs or by nodes after it; gives its output's name. */
static const char *put_producer(Proto *graph, const PostCase *test) {
    static const int64_t kernel[] = {OUT, IN, 1, 1}, channels[] = {OUT, 1, 1}, matrix[] = {IN, OUT},
                         row[] = {OUT};
    const char *op = producers[test->producer];
    const bool conv = is_conv(test);
    put_node(graph, GRAPH_NODE, op, "", is_product(test) ? "x w" : "x factor bias", "made");
    if (conv)
        put_node(graph, GRAPH_NODE, "Mul", "", "made factor", "scaled");
    if (is_product(test)) {
        put_node(graph, GRAPH_NODE, "Add", "", conv ? "scaled bias" : "made bias", "sum");
        if (test->producer != CONV_OF_INPUTS)
            add_weights(graph, "w", conv ? kernel : matrix, conv ? 4 : 2, 1);
    }
    add_weights(graph, "bias", conv ? channels : row, conv ? 3 : 1, 2);
    if (test->producer != MATMUL)
        add_weights(graph, "factor", conv ? channels : row, conv ? 3 : 1, 3);
    return is_product(test) ? "sum" : "made";
}

/* The shapes of x, which a normalisation has in common with y, and of y. */
static void post_shapes(const PostCase *test, strider_tensor *x, strider_tensor *y) {
    *y = has_channels(test) ? (strider_tensor){STRIDER_F32, 4, {1, OUT, ROWS, 1}, NULL}
                            : (strider_tensor){STRIDER_F32, 2, {ROWS, OUT}, NULL};
    *x = *y;
    if (is_product(test))
        x->dims[1] = IN;
}

/* A node, an activation, and the residual r. */
static void open_post_case(Fixture *fixture, const PostCase *test, const char *device) {
    Proto graph = {0};
    const char *last = put_producer(&graph, test);
    strider_tensor x, y;
    for (int i = 0; i < 2; i++) {
        const bool adds = (i == 1) == test->residual_last;
        const char *next = i ? "y" : "between",
                   *activation = test->activation ? test->activation : "Identity";
        char inputs[20];
        snprintf(inputs, sizeof inputs, "%s%s", last, adds ? " r" : "");
        put_node(&graph, GRAPH_NODE, adds ? "Add" : activation, "", inputs, next);
        last = next;
    }
    post_shapes(test, &x, &y);
    proto_text(&graph, 2, "post");
    proto_value(&graph, GRAPH_INPUT, "x", STRIDER_F32, x.dims, x.rank);
    proto_value(&graph, GRAPH_INPUT, "r", STRIDER_F32, y.dims, y.rank);
    if (test->producer == CONV_OF_INPUTS)
        proto_value(&graph, GRAPH_INPUT, "w", STRIDER_F32, (const int64_t[]){OUT, IN, 1, 1}, 4);
    proto_value(&graph, GRAPH_OUTPUT, "y", STRIDER_F32, y.dims, y.rank);
    open_graph(fixture, &graph, device, false);
    assert_int_equal(strider_model_get_info(fixture->model).node_count, 1);
}

static void run_post_case(const PostCase *test, const char *device, float to[ROWS * OUT]) {
    float x[ROWS * OUT], r[ROWS * OUT], w[OUT * IN];
    Fixture fixture = {0};
    open_post_case(&fixture, test, device);
    fill(x, ROWS * OUT, 4);
    fill(r, ROWS * OUT, 5);
    fill(w, OUT * IN, 1);
    strider_tensor inputs[] = {{0}, {0}, {STRIDER_F32, 4, {OUT, IN, 1, 1}, w}}, output = {0};
    post_shapes(test, &inputs[0], &inputs[1]);
    inputs[0].data = x;
    inputs[1].data = r;
    must(strider_session_run(fixture.session, inputs, test->producer == CONV_OF_INPUTS ? 3 : 2, &output, 1,
                             &error));
    memcpy(to, output.data, ROWS * OUT * sizeof *to);
    close_model(&fixture);
}

static void post_operations_are_those_of_the_cpu(void **state) {
    (void)state;
    static const char *const activations[] = {NULL,      "Relu", "LeakyRelu", "HardSigmoid", "HardSwish",
                                              "Sigmoid", "Tanh", "Elu",       "Softplus"};
    for (size_t a = 0; a < sizeof activations / sizeof *activations; a++)
        for (int kind = 0; kind < 2 * N_PRODUCERS; kind++) {
            const PostCase test = {(PostProducer)(kind / 2), kind % 2, activations[a]};
            const float tolerance = test.producer < INSTANCE_NORM ? 1e-6f : 1e-5f;
            float cpu[ROWS * OUT], cuda[ROWS * OUT];
            run_post_case(&test, "cpu", cpu);
            run_post_case(&test, "cuda", cuda);
            for (int i = 0; i < ROWS * OUT; i++)
                if (!(fabsf(cpu[i] - cuda[i]) <= tolerance))
                    fail_msg("%s %s, residual %s: element %d is %g, not %g", producers[test.producer],
                             test.activation ? test.activation : "", test.residual_last ? "last" : "first", i,
                             (double)cuda[i], (double)cpu[i]);
        }
}

/* --- recording --- */

static void runs_are_recorded_without_a_difference(const char *path) {
    static float values[2][MAX_ELEMENTS];
    Fixture plain, recorded;
    strider_value_info info;
    open_model(&plain, path, "cuda", false);
    open_model(&recorded, path, "cuda", true);
    must(strider_model_get_input(plain.model, 0, &info));
    strider_tensor input = {.dtype = STRIDER_F32, .rank = info.rank}, outputs[2] = {0};
    for (int i = 0; i < info.rank; i++)
        input.dims[i] = info.dims[i] > 0 ? info.dims[i] : 1;
    const size_t count = (size_t)strider_tensor_elements(&input);
    assert_true(count <= MAX_ELEMENTS);
    const long launches = virtual_graph_launches();
    for (unsigned i = 0; i < RUNS; i++) {
        fill(values[i % 2], count, i);
        input.data = values[i % 2];
        outputs[0].data = outputs[1].data = NULL;
        must(strider_session_run(plain.session, &input, 1, &outputs[0], 1, &error));
        must(strider_session_run(recorded.session, &input, 1, &outputs[1], 1, &error));
        if (memcmp(outputs[0].data, outputs[1].data,
                   (size_t)strider_tensor_elements(&outputs[0]) * sizeof(float)) != 0)
            fail_msg("%s: run %u differs", path, i);
    }
    if (virtual_graph_launches() - launches != RUNS - 2)
        fail_msg("%s: %ld launches", path, virtual_graph_launches() - launches);
    close_model(&recorded);
    close_model(&plain);
}

static void recorded_runs_have_the_same_bits(void **state) {
    (void)state;
    char pattern[600];
    glob_t models;
    snprintf(pattern, sizeof pattern, "%s/models/conv2d/mode_*/dynamo/model.onnx", repository);
    assert_int_equal(glob(pattern, 0, NULL, &models), 0);
    for (size_t i = 0; i < models.gl_pathc; i++)
        runs_are_recorded_without_a_difference(models.gl_pathv[i]);
    globfree(&models);
    runs_are_recorded_without_a_difference(digits);
}

static size_t recorded_steps(const Fixture *fixture) {
    strider_plan_info plan;
    must(strider_session_get_plan(fixture->session, &plan));
    return plan.recorded_steps;
}

static void what_moved_is_recorded_anew(void **state) {
    (void)state;
    Fixture cuda;
    open_model(&cuda, digits, "cuda", true);
    for (int round = 0; round < 2; round++)
        for (int64_t batch = 1; batch <= 4; batch++)
            for (int i = 0; i < 4; i++)
                expect_close(&cuda, batch);
    assert_true(virtual_graph_launches() > 0);
    assert_true(recorded_steps(&cuda) > 5);
    close_model(&cuda);
}

/* A replay that fails is no result, and the next run records anew. */
static void a_replay_that_fails_is_told(void **state) {
    (void)state;
    Fixture cuda;
    open_model(&cuda, digits, "cuda", true);
    for (int i = 0; i < RUNS; i++)
        must(run(&cuda, 1, scores));
    setenv("VCUDA_FAIL", "cudaGraphLaunch:1", 1);
    assert_int_equal(run(&cuda, 1, scores), STRIDER_DEVICE_FAILED);
    unsetenv("VCUDA_FAIL");
    for (int i = 0; i < RUNS; i++)
        expect_close(&cuda, 1);
    assert_true(recorded_steps(&cuda) > 5);
    close_model(&cuda);
}

static void without_a_recording_runs_go_on(void **state) {
    (void)state;
    static const char *const failures[] = {"cudaStreamBeginCapture:1", "cudaStreamEndCapture:1",
                                           "cudaGraphInstantiate:1",   "cudaGraphLaunch:1",
                                           "cudaHostAlloc:1",          "cudaMemcpyAsync:1",
                                           "cudaLaunchKernel:1",       "cudnnBackendExecute:1"};
    for (size_t i = 0; i < sizeof failures / sizeof *failures; i++) {
        Fixture cuda;
        open_model(&cuda, digits, "cuda", true);
        for (int k = 0; k < 2; k++)
            must(run(&cuda, 1, scores));
        const long launches = virtual_graph_launches();
        setenv("VCUDA_FAIL", failures[i], 1);
        must(run(&cuda, 1, scores));
        unsetenv("VCUDA_FAIL");
        expect_close(&cuda, 1);
        assert_int_equal(virtual_graph_launches() - launches, 0);
        assert_int_equal(recorded_steps(&cuda), 0);
        close_model(&cuda);
    }
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_waits_once_and_allocates_nothing),
        cmocka_unit_test(a_missing_wait_shows),
        cmocka_unit_test(copies_may_be_larger_than_what_they_go_through),
        cmocka_unit_test(a_download_that_fails_writes_nothing_later),
        cmocka_unit_test(indices_out_of_range_are_told),
        cmocka_unit_test(post_operations_are_those_of_the_cpu),
        cmocka_unit_test(recorded_runs_have_the_same_bits),
        cmocka_unit_test(what_moved_is_recorded_anew),
        cmocka_unit_test(a_replay_that_fails_is_told),
        cmocka_unit_test(without_a_recording_runs_go_on),
    };
    if (argc != 2)
        return 2;
    repository = argv[1];
    set_up(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
