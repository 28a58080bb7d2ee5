/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of sessions on the virtual device when its memory runs out.  The argument is the repository.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/session_fixture.h"
#include "virtual_device.h"

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
        assert_int_equal(run(&cuda, MAX_BATCH, scores), STRIDER_OUT_OF_MEMORY);
        assert_non_null(strstr(error.message, "device cuda:0: out of memory: "));
        assert_non_null(strstr(error.message, " free"));
        expect_close(&cuda, 1);
    }
    unsetenv("VCUDA_MEMORY");
    expect_close(&cuda, MAX_BATCH);
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
    expect_close(&any, MAX_BATCH);
    unsetenv("VCUDA_MEMORY");
    must(strider_session_get_plan(any.session, &plan));
    assert_string_equal(plan.device, "cpu");
    assert_non_null(strstr(any.log, "running on the CPU: device cuda:0: out of memory: "));
    expect_close(&any, 1);
    close_model(&any);
}

/* --- after a shape that a run computes --- */

enum { BORDER = 6 };

/* y is as many times exp(0) as the fourth power of the place of x's largest element says: what comes after
 * ConstantOfShape is planned, and needs more memory than what comes before, in the run. */
static void open_border(Fixture *fixture, const char *device) {
    const int64_t size = BORDER, unknown = -1;
    Proto graph = {0};
    put_node(&graph, GRAPH_NODE, "Relu", "", "x", "a");
    put_node(&graph, GRAPH_NODE, "ArgMax", "", "a", "b");
    put_node(&graph, GRAPH_NODE, "Mul", "", "b b", "b2");
    put_node(&graph, GRAPH_NODE, "Mul", "", "b2 b2", "b4");
    put_node(&graph, GRAPH_NODE, "ConstantOfShape", "", "b4", "c");
    put_node(&graph, GRAPH_NODE, "Exp", "", "c", "y");
    proto_text(&graph, 2, "border");
    proto_value(&graph, GRAPH_INPUT, "x", STRIDER_F32, &size, 1);
    proto_value(&graph, GRAPH_OUTPUT, "y", STRIDER_F32, &unknown, 1);
    open_graph(fixture, &graph, device, false);
}

static strider_status run_border(const Fixture *fixture) {
    float x[BORDER] = {1, -1, 0, 2, -4, 5};
    strider_tensor input = {STRIDER_F32, 1, {BORDER}, x}, output = {0};
    const strider_status status = strider_session_run(fixture->session, &input, 1, &output, 1, &error);
    if (status)
        return status;
    assert_int_equal(strider_tensor_elements(&output), 625);
    for (int i = 0; i < 625; i++)
        assert_true(((const float *)output.data)[i] == 1);
    return STRIDER_OK;
}

/* In the middle of a run, too, there may be no memory: `auto` begins it again on the CPU. */
static void a_run_may_leave_the_device_in_its_middle(void **state) {
    (void)state;
    static const char *const devices[] = {"cuda", "auto"};
    for (int i = 0; i < 2; i++) {
        int failures = 0;
        for (bool failed = true; failed; failures++) {
            char setting[40];
            Fixture any;
            open_border(&any, devices[i]);
            snprintf(setting, sizeof setting, "cudaMalloc:%d", failures + 1);
            setenv("VCUDA_FAIL", setting, 1);
            const strider_status status = run_border(&any);
            unsetenv("VCUDA_FAIL");
            failed = i ? strstr(any.log, "running on the CPU: device cuda:0: out of memory") != NULL : status;
            assert_int_equal(status, failed && !i ? STRIDER_OUT_OF_MEMORY : STRIDER_OK);
            must(run_border(&any));
            close_model(&any);
        }
        assert_true(failures > 2); /* before it and after */
    }
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_survives_a_lack_of_memory),
        cmocka_unit_test(each_allocation_may_fail_once),
        cmocka_unit_test(a_workspace_without_room_makes_way_for_a_smaller_one),
        cmocka_unit_test(auto_goes_on_with_the_cpu),
        cmocka_unit_test(a_run_may_leave_the_device_in_its_middle),
    };
    if (argc != 2)
        return 2;
    set_up(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
