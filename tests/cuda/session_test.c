/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions on the virtual device, through the public functions: what they wait for, what they record, and
 * what becomes of them when memory runs out.  The argument is the repository. */
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

#include "strider/strider.h"
#include "virtual_device.h"

enum { PIXELS = 64, CLASSES = 10, MOST_BATCH = 16, MOST_ELEMENTS = 1 << 21, RUNS = 4 };

static const char *repository;
static char digits[512];
static strider_error error;
static float pixels[MOST_BATCH * PIXELS], scores[MOST_BATCH * CLASSES], expected[MOST_BATCH * CLASSES];

static void must(strider_status status) {
    if (status)
        fail_msg("%s: %s", strider_status_name(status), error.message);
}

typedef struct Fixture {
    strider_model *model;
    strider_session *session;
    char log[700];
} Fixture;

static void keep_message(void *context, strider_log_level level, const char *message) {
    (void)level;
    snprintf(((Fixture *)context)->log, sizeof((Fixture *)context)->log, "%s", message);
}

static void open_model(Fixture *fixture, const char *path, const char *device, bool record) {
    strider_load_options load = strider_load_options_default();
    strider_session_options options = strider_session_options_default();
    *fixture = (Fixture){0};
    load.log = keep_message;
    load.log_context = fixture;
    options.device = device;
    options.threads = 1;
    options.record_runs = record;
    must(strider_model_load(path, &load, &fixture->model, &error));
    must(strider_session_create(fixture->model, &options, &fixture->session, &error));
}

static void close_model(Fixture *fixture) {
    strider_session_free(fixture->session);
    strider_model_free(fixture->model);
}

static strider_status run(const Fixture *fixture, int64_t batch, float *to) {
    strider_tensor input = {STRIDER_F32, 4, {batch, 1, 8, 8}, pixels}, output = {0};
    strider_status status = strider_session_run(fixture->session, &input, 1, &output, 1, &error);
    if (!status)
        memcpy(to, output.data, (size_t)(batch * CLASSES) * sizeof *to);
    return status;
}

static void expect_close(const Fixture *fixture, int64_t batch) {
    Fixture cpu;
    must(run(fixture, batch, scores));
    open_model(&cpu, digits, "cpu", false);
    must(run(&cpu, batch, expected));
    close_model(&cpu);
    for (int64_t i = 0; i < batch * CLASSES; i++)
        if (!(fabsf(scores[i] - expected[i]) < 1e-4f))
            fail_msg("score %lld is %g, not %g", (long long)i, (double)scores[i], (double)expected[i]);
}

static void fill(float *values, size_t count, unsigned seed) {
    for (size_t i = 0; i < count; i++) {
        seed = seed * 1664525u + 1013904223u;
        values[i] = (float)(seed >> 8) / (float)(1 << 24) - 0.5f;
    }
}

/* --- waiting
 * ----------------------------------------------------------------------------------------------------- */

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

/* --- recording
 * --------------------------------------------------------------------------------------------------- */

static void runs_are_recorded_without_a_difference(const char *path) {
    static float values[2][MOST_ELEMENTS];
    Fixture plain, recorded;
    strider_value_info info;
    open_model(&plain, path, "cuda", false);
    open_model(&recorded, path, "cuda", true);
    must(strider_model_get_input(plain.model, 0, &info));
    strider_tensor input = {.dtype = STRIDER_F32, .rank = info.rank}, outputs[2] = {0};
    for (int i = 0; i < info.rank; i++)
        input.dims[i] = info.dims[i] > 0 ? info.dims[i] : 1;
    const size_t count = (size_t)strider_tensor_elements(&input);
    assert_true(count <= MOST_ELEMENTS);
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

/* --- memory
 * ------------------------------------------------------------------------------------------------------ */

/* From now on there are `spare` bytes more than those in use. */
static void limit_memory(size_t spare) {
    char text[32];
    size_t free_bytes, total_bytes;
    cudaMemGetInfo(&free_bytes, &total_bytes);
    snprintf(text, sizeof text, "%zu", total_bytes - free_bytes + spare);
    setenv("VCUDA_MEMORY", text, 1);
}

static void a_session_survives_a_lack_of_memory(void **state) {
    (void)state;
    Fixture cuda;
    open_model(&cuda, digits, "cuda", true);
    expect_close(&cuda, 1);
    limit_memory(100);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(run(&cuda, MOST_BATCH, scores), STRIDER_OUT_OF_MEMORY);
        assert_non_null(strstr(error.message, "device cuda:0: out of memory: "));
        assert_non_null(strstr(error.message, " free"));
        expect_close(&cuda, 1);
    }
    unsetenv("VCUDA_MEMORY");
    expect_close(&cuda, MOST_BATCH);
    close_model(&cuda);
}

static void each_allocation_may_fail_once(void **state) {
    (void)state;
    strider_status status = STRIDER_OUT_OF_MEMORY;
    for (int n = 1; status; n++) {
        char setting[40];
        Fixture cuda;
        open_model(&cuda, digits, "cuda", false);
        snprintf(setting, sizeof setting, "cudaMalloc:%d", n);
        setenv("VCUDA_FAIL", setting, 1);
        status = run(&cuda, 1, scores);
        unsetenv("VCUDA_FAIL");
        assert_true(!status || status == STRIDER_OUT_OF_MEMORY);
        assert_true(status || n > 1);
        expect_close(&cuda, 1);
        close_model(&cuda);
    }
}

static bool some_step_is(const Fixture *fixture, const char *kernel) {
    strider_step_info step;
    for (size_t i = 0; strider_session_get_step(fixture->session, i, &step) == STRIDER_OK; i++)
        if (strncmp(step.kernel, kernel, strlen(kernel)) == 0)
            return true;
    return false;
}

/* The engine that cuDNN likes best needs 4104 bytes more than the next. */
static void a_workspace_without_room_makes_way_for_a_smaller_one(void **state) {
    (void)state;
    Fixture cuda;
    strider_plan_info large;
    open_model(&cuda, digits, "cuda", false);
    must(run(&cuda, 1, scores)); /* the weights are there from now on */
    assert_true(some_step_is(&cuda, "cudnn engine 3"));
    must(run(&cuda, 2, scores));
    must(strider_session_get_plan(cuda.session, &large));
    close_model(&cuda);

    open_model(&cuda, digits, "cuda", false);
    must(run(&cuda, 1, scores));
    strider_plan_info small;
    must(strider_session_get_plan(cuda.session, &small));
    limit_memory((size_t)(large.device_arena_bytes - small.device_arena_bytes) - 256);
    expect_close(&cuda, 2);
    assert_true(some_step_is(&cuda, "cudnn engine 4"));
    assert_false(some_step_is(&cuda, "cudnn engine 3"));
    unsetenv("VCUDA_MEMORY");
    expect_close(&cuda, 3);
    assert_true(some_step_is(&cuda, "cudnn engine 3"));
    close_model(&cuda);
}

static void auto_goes_on_with_the_cpu(void **state) {
    (void)state;
    Fixture any;
    strider_plan_info plan;
    open_model(&any, digits, "auto", true);
    expect_close(&any, 1);
    must(strider_session_get_plan(any.session, &plan));
    assert_string_equal(plan.device, "cuda:0");
    limit_memory(100);
    expect_close(&any, MOST_BATCH);
    unsetenv("VCUDA_MEMORY");
    must(strider_session_get_plan(any.session, &plan));
    assert_string_equal(plan.device, "cpu");
    assert_non_null(strstr(any.log, "running on the CPU: device cuda:0: out of memory: "));
    expect_close(&any, 1);
    close_model(&any);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_waits_once_and_allocates_nothing),
        cmocka_unit_test(a_missing_wait_shows),
        cmocka_unit_test(copies_may_be_larger_than_what_they_go_through),
        cmocka_unit_test(recorded_runs_have_the_same_bits),
        cmocka_unit_test(what_moved_is_recorded_anew),
        cmocka_unit_test(a_replay_that_fails_is_told),
        cmocka_unit_test(without_a_recording_runs_go_on),
        cmocka_unit_test(a_session_survives_a_lack_of_memory),
        cmocka_unit_test(each_allocation_may_fail_once),
        cmocka_unit_test(a_workspace_without_room_makes_way_for_a_smaller_one),
        cmocka_unit_test(auto_goes_on_with_the_cpu),
    };
    if (argc != 2)
        return 2;
    repository = argv[1];
    snprintf(digits, sizeof digits, "%s/models/digits/digits.onnx", repository);
    fill(pixels, MOST_BATCH * PIXELS, 7);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
