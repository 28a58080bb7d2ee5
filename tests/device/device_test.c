/* SPDX-License-Identifier: Apache-2.0 */
/* Plans over two devices, through the public functions: the digits on "twin" (see twin.c), which
 * $STRIDER_TWIN_MODULE names.  The first argument is the repository. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "strider/strider.h"
#include "support/session_fixture.h"

/* The digits. */
static void open_on(Fixture *fixture, const char *device) {
    open_model(fixture, digits, device, false);
}

static void agrees_with_the_cpu_for_every_shape(void **state) {
    (void)state;
    Fixture twin;
    open_on(&twin, "twin");
    for (int64_t round = 0; round < 2; round++)
        for (int64_t batch = 1; batch <= 3; batch++)
            expect_close(&twin, batch);
    close_model(&twin);
}

static void weights_are_uploaded_once_for_all_plans(void **state) {
    (void)state;
    Fixture twin;
    strider_plan_info first, second;
    open_on(&twin, "twin");
    must(run(&twin, 1, scores));
    must(strider_session_get_plan(twin.session, &first));
    must(run(&twin, 2, scores));
    must(strider_session_get_plan(twin.session, &second));
    assert_string_equal(second.device, "twin:0");
    assert_true(first.device_weight_bytes >= 14378 * sizeof(float)); /* all parameters are on it */
    assert_int_equal(first.device_weight_bytes, second.device_weight_bytes);
    assert_true(second.device_arena_bytes > first.device_arena_bytes);
    close_model(&twin);
}

/* y = x + the dimensions of x, which are a constant of each plan. */
static void open_shape_adder(Fixture *fixture, bool record_runs) {
    const int64_t open[] = {-1, 2};
    Proto graph = {0}, cast = make_node("Cast", "", "dims", "floats");
    put_node(&graph, GRAPH_NODE, "Shape", "", "x", "dims");
    proto_int_attribute(&cast, "to", STRIDER_F32);
    proto_message(&graph, GRAPH_NODE, &cast);
    put_node(&graph, GRAPH_NODE, "Add", "", "x floats", "y");
    proto_value(&graph, GRAPH_INPUT, "x", STRIDER_F32, open, 2);
    proto_value(&graph, GRAPH_OUTPUT, "y", STRIDER_F32, open, 2);
    open_graph(fixture, &graph, "twin", record_runs);
}

static void constants_of_a_plan_are_uploaded_while_planning(void **state) {
    (void)state;
    Fixture twin;
    strider_plan_info plan;
    open_shape_adder(&twin, false);
    for (int64_t round = 0; round < 40; round++) { /* more shapes than plans are kept */
        const int64_t rows = 1 + round % 20;
        strider_tensor input = {STRIDER_F32, 2, {rows, 2}, pixels}, output = {0};
        for (int again = 0; again < 2; again++) {
            must(strider_session_run(twin.session, &input, 1, &output, 1, &error));
            for (int64_t i = 0; i < rows * 2; i++)
                assert_true(((float *)output.data)[i] == pixels[i] + (i % 2 ? 2 : (float)rows));
        }
        must(strider_session_get_plan(twin.session, &plan));
        assert_int_equal(plan.upload_count, 1); /* of x */
        assert_int_equal(plan.device_weight_bytes, 2 * sizeof(float));
    }
    close_model(&twin);
}

/* --- recordings --- */

/* Adds on other inputs than in any run before, which must not show. */
static strider_status add_shape(const Fixture *fixture, int64_t rows) {
    static float from;
    float x[6];
    for (int i = 0; i < 6; i++)
        x[i] = from++;
    strider_tensor input = {STRIDER_F32, 2, {rows, 2}, x}, output = {0};
    const strider_status status = strider_session_run(fixture->session, &input, 1, &output, 1, &error);
    for (int64_t i = 0; !status && i < rows * 2; i++)
        assert_true(((float *)output.data)[i] == x[i] + (i % 2 ? 2 : (float)rows));
    return status;
}

static size_t recorded_steps(const Fixture *fixture) {
    strider_plan_info plan;
    must(strider_session_get_plan(fixture->session, &plan));
    return plan.recorded_steps;
}

static void the_third_run_is_recorded_and_later_ones_replay_it(void **state) {
    (void)state;
    Fixture twin;
    open_shape_adder(&twin, true);
    for (int run = 1; run <= 6; run++)
        for (int64_t rows = 1; rows <= 2; rows++) { /* two plans in turn, each with its own recording */
            must(add_shape(&twin, rows));
            assert_int_equal(recorded_steps(&twin), run < 3 ? 0 : 3);
        }
    must(add_shape(&twin, 3)); /* a larger plan, for which the arena may move */
    for (int run = 1; run <= 4; run++)
        must(add_shape(&twin, 2));
    close_model(&twin);
}

/* A run that cannot be recorded is done plainly, as are all after it; one that cannot be replayed fails, and
 * is recorded anew. */
static void runs_go_on_where_recordings_fail(void **state) {
    (void)state;
    static const struct {
        const char *setting;
        bool is_replay;
    } cases[] = {{"record:1", false},  {"upload:1", false}, {"submit:1", false},    {"download:1", false},
                 {"finish:1", false},  {"launch:1", false}, {"replay:1", true},     {"upload:1", true},
                 {"download:1", true}, {"launch:1", true},  {"synchronize:1", true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Fixture twin;
        open_shape_adder(&twin, true);
        for (int run = 1; run <= (cases[i].is_replay ? 3 : 2); run++)
            must(add_shape(&twin, 3));
        setenv("TWIN_FAIL", cases[i].setting, 1);
        const strider_status status = add_shape(&twin, 3);
        unsetenv("TWIN_FAIL");
        assert_int_equal(status, cases[i].is_replay ? STRIDER_DEVICE_FAILED : STRIDER_OK);
        for (int run = 0; run < 3; run++) {
            must(add_shape(&twin, 3));
            assert_int_equal(recorded_steps(&twin), cases[i].is_replay ? 3 : 0);
        }
        close_model(&twin);
    }
}

/* --- steps --- */

/* Conv runs on the device, MaxPool on the CPU, and each crossing is a step that can be seen. */
static void copies_are_steps(void **state) {
    (void)state;
    Fixture twin;
    char kinds[400] = "";
    strider_step_info step;
    open_on(&twin, "twin");
    strider_session_set_profiling(twin.session, true);
    must(run(&twin, 1, scores));
    for (size_t i = 0; strider_session_get_step(twin.session, i, &step) == STRIDER_OK; i++) {
        strcat(kinds, step.op_type[0] ? step.op_type : step.kernel);
        strcat(kinds, strcmp(step.device, "cpu") == 0 ? "/cpu " : "/twin ");
        assert_true(step.time_ns > 0);
    }
    assert_string_equal(kinds,
                        "upload/twin Conv/twin Conv/twin download/twin reorder/cpu MaxPool/cpu reorder/cpu "
                        "upload/twin Conv/twin GlobalAveragePool/twin Gemm/twin download/twin ");
    close_model(&twin);
}

/* With keep_values what each step computed is there after the run, on whichever device. */
static void the_output_of_each_step_can_be_read(void **state) {
    (void)state;
    Fixture twin;
    strider_session_options options = strider_session_options_default();
    strider_session *kept;
    strider_tensor input = {STRIDER_F32, 4, {1, 1, 8, 8}, pixels}, output = {0};
    strider_step_info step;
    float last[CLASSES];
    size_t n_read = 0;
    open_on(&twin, "twin");
    must(run(&twin, 1, scores));
    assert_int_equal(strider_session_read_step(twin.session, 0, last, &error), STRIDER_INVALID_ARGUMENT);
    options.device = "twin";
    options.keep_values = true;
    must(strider_session_create(twin.model, &options, &kept, &error));
    must(strider_session_run(kept, &input, 1, &output, 1, &error));
    for (size_t i = 0; strider_session_get_step(kept, i, &step) == STRIDER_OK; i++) {
        float *data = malloc(step.output_bytes);
        must(strider_session_read_step(kept, i, data, &error));
        for (size_t k = 0; k < step.output_bytes / sizeof *data; k++)
            assert_false(data[k] != data[k]); /* memory that nothing was written to is NaN */
        if (strcmp(step.op_type, "Gemm") == 0) {
            assert_int_equal(step.output_bytes, sizeof last);
            memcpy(last, data, sizeof last);
            n_read++;
        }
        free(data);
    }
    assert_int_equal(n_read, 1);
    expect_scores(last, scores, 1);
    strider_session_free(kept);
    close_model(&twin);
}

/* Each call of the device fails once: the error is reported, and the session works after. */
static void a_session_survives_failures_of_its_device(void **state) {
    (void)state;
    static const char *const calls[] = {"reserve", "upload", "download", "submit", "synchronize"};
    Fixture cpu, twin;
    float expected[CLASSES];
    open_on(&cpu, "cpu");
    must(run(&cpu, 1, expected));
    for (int i = 0; i < 5; i++) {
        strider_status status = STRIDER_DEVICE_FAILED;
        for (int n = 1; status; n++) {
            char setting[40];
            snprintf(setting, sizeof setting, "%s:%d", calls[i], n);
            open_on(&twin, "twin");
            setenv("TWIN_FAIL", setting, 1);
            status = run(&twin, 1, scores);
            unsetenv("TWIN_FAIL");
            assert_true(status || n > 2);
            if (status) {
                assert_int_equal(status, STRIDER_DEVICE_FAILED);
                assert_non_null(strstr(error.message, calls[i]));
                must(run(&twin, 1, scores));
            }
            expect_scores(scores, expected, 1);
            close_model(&twin);
        }
    }
    close_model(&cpu);
}

static void a_full_device_is_out_of_memory(void **state) {
    (void)state;
    Fixture twin;
    setenv("TWIN_MEMORY", "1050000", 1); /* the weights fit, the activations do not */
    open_on(&twin, "twin");
    assert_int_equal(run(&twin, 1, scores), STRIDER_OUT_OF_MEMORY);
    unsetenv("TWIN_MEMORY");
    must(run(&twin, 1, scores));
    close_model(&twin);
}

static void expect_refusal(const char *device, strider_status status, const char *message) {
    Fixture fixture;
    assert_int_equal(try_open_model(&fixture, digits, device, false), status);
    if (!strstr(error.message, message))
        fail_msg("\"%s\" is not in \"%s\"", message, error.message);
    close_model(&fixture);
}

static void modules_that_cannot_be_used_are_named(void **state) {
    (void)state;
    char module[512];
    snprintf(module, sizeof module, "%s", getenv("STRIDER_TWIN_MODULE"));
    expect_refusal("twin:1", STRIDER_DEVICE_FAILED, "there is one");
    expect_refusal("abacus", STRIDER_INVALID_ARGUMENT, "abacus");
    expect_refusal("twin:", STRIDER_INVALID_ARGUMENT, "twin:");
    setenv("STRIDER_TWIN_MODULE", "/nowhere/libstrider_twin.so", 1);
    expect_refusal("twin", STRIDER_DEVICE_FAILED, "/nowhere/libstrider_twin.so");
    setenv("STRIDER_TWIN_MODULE", "libm.so.6", 1);
    expect_refusal("twin", STRIDER_DEVICE_FAILED, "no module of Strider");
    setenv("STRIDER_TWIN_MODULE", module, 1);
}

/* With both builds named; what else it exports is not called. */
static void a_module_of_another_build_is_refused(void **state) {
    (void)state;
    expect_refusal("foreign", STRIDER_DEVICE_FAILED,
                   "belongs to Strider 0.0.1 (build 0123456789abcdef), this is " STRIDER_VERSION " (build ");
    const char *own = strstr(error.message, "this is " STRIDER_VERSION " (build ");
    assert_non_null(own);
    own += strlen("this is " STRIDER_VERSION " (build ");
    assert_int_equal(strspn(own, "0123456789abcdef"), 16);
    assert_true(strncmp(own, "0123456789abcdef", 16) != 0);
    assert_int_equal(own[16], ')');
}

static void auto_falls_back_to_the_cpu_and_says_so(void **state) {
    (void)state;
    Fixture fixture;
    strider_plan_info plan;
    setenv("STRIDER_CUDA_MODULE", "/nowhere/libstrider_cuda.so", 1);
    open_on(&fixture, "auto");
    must(run(&fixture, 1, scores));
    must(strider_session_get_plan(fixture.session, &plan));
    assert_string_equal(plan.device, "cpu");
    assert_non_null(strstr(fixture.log, "running on the CPU"));
    assert_non_null(strstr(fixture.log, "/nowhere/libstrider_cuda.so"));
    close_model(&fixture);
}

static void the_cpu_is_the_first_device(void **state) {
    (void)state;
    strider_device_info info;
    must(strider_device_get(0, &info));
    assert_string_equal(info.name, "cpu");
    assert_string_equal(info.problem, "");
    must(strider_device_get(1, &info));
    assert_non_null(strstr(info.problem, "/nowhere/libstrider_cuda.so"));
    assert_int_equal(strider_device_get(2, &info), STRIDER_INVALID_ARGUMENT);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_the_cpu_for_every_shape),
        cmocka_unit_test(weights_are_uploaded_once_for_all_plans),
        cmocka_unit_test(constants_of_a_plan_are_uploaded_while_planning),
        cmocka_unit_test(the_third_run_is_recorded_and_later_ones_replay_it),
        cmocka_unit_test(runs_go_on_where_recordings_fail),
        cmocka_unit_test(copies_are_steps),
        cmocka_unit_test(the_output_of_each_step_can_be_read),
        cmocka_unit_test(a_session_survives_failures_of_its_device),
        cmocka_unit_test(a_full_device_is_out_of_memory),
        cmocka_unit_test(modules_that_cannot_be_used_are_named),
        cmocka_unit_test(a_module_of_another_build_is_refused),
        cmocka_unit_test(auto_falls_back_to_the_cpu_and_says_so),
        cmocka_unit_test(the_cpu_is_the_first_device),
    };
    if (argc != 2 || !getenv("STRIDER_TWIN_MODULE"))
        return 2;
    set_up(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
