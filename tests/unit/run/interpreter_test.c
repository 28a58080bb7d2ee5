/* SPDX-License-Identifier: Apache-2.0 */
#include "run/interpreter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "support/run_models.h"

static void every_kind_of_item_makes_what_it_should(void **state) {
    (void)state;
    for (int kind = 0; kind < RUN_MODEL_KINDS; kind++)
        for (int reference = 0; reference < 2; reference++) {
            RunModel model;
            run_model_open(&model, kind);
            strider_session *session = run_model_session(&model, reference, 1 + reference);
            for (int turn = 0; turn < 3; turn++)
                run_model_run(&model, session);
            strider_session_free(session);
            run_model_close(&model);
        }
}

/* Allocations of a run, after one like it. */
static size_t allocations_of_run(RunModel *model, strider_session *session) {
    const size_t before = model->counter.allocations;
    run_model_run(model, session);
    return model->counter.allocations - before;
}

static void a_second_run_allocates_nothing(void **state) {
    (void)state;
    for (int kind = 0; kind < RUN_MODEL_KINDS; kind++)
        for (int reference = 0; reference < 2; reference++)
            for (int threads = 1; threads < 3; threads++) {
                RunModel model;
                run_model_open(&model, kind);
                strider_session *session = run_model_session(&model, reference, threads);
                assert_true(allocations_of_run(&model, session) > 0);
                for (int turn = 0; turn < 3; turn++)
                    if (allocations_of_run(&model, session))
                        fail_msg("model %d allocates in run %d", kind, turn + 2);
                strider_session_free(session);
                run_model_close(&model);
            }
}

static void expect_trace(const strider_session *session, const char *expected) {
    char kinds[32] = "";
    for (size_t i = 0; i < session->n_trace; i++) {
        assert_int_equal(session->trace[i].binding == NULL, session->trace[i].node != NULL);
        kinds[i] = session->trace[i].binding ? 'P' : 'N';
    }
    assert_string_equal(kinds, expected);
}

static void a_trace_is_kept_of_the_main_program(void **state) {
    (void)state;
    static const struct {
        RunModelKind kind;
        const char *trace;
    } cases[] = {{CASE_PLAIN, "P"}, {CASE_FOUND, "PNP"}, {CASE_BRANCH, "PNP"}, {CASE_NESTED, "N"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        RunModel model;
        run_model_open(&model, cases[i].kind);
        strider_session *session = run_model_session(&model, false, 1);
        run_model_run(&model, session);
        expect_trace(session, cases[i].trace);
        run_model_run(&model, session);
        expect_trace(session, cases[i].trace);
        strider_session_free(session);
        run_model_close(&model);
    }
}

static void a_kernel_refuses_contents_and_the_next_run_is_right(void **state) {
    (void)state;
    for (int reference = 0; reference < 2; reference++)
        for (int threads = 1; threads < 3; threads++) {
            RunModel model;
            strider_error error;
            run_model_open(&model, CASE_DETECTED);
            strider_session *session = run_model_session(&model, reference, threads);
            for (int turn = 0; turn < 3; turn++) {
                run_model_run(&model, session);
                model.integers[0]++;
                assert_false(run_model_try(&model, session, &error));
                assert_int_equal(error.status, STRIDER_BAD_MODEL);
                assert_non_null(strstr(error.message, "(RoiAlign): roi 0 is of image 3, but there are 1"));
                model.integers[0]--;
            }
            run_model_run(&model, session);
            strider_session_free(session);
            run_model_close(&model);
        }
}

/* Each request for memory in turn is refused; then the session runs as ever. */
static void a_run_that_fails_leaves_nothing_and_the_next_one_is_right(void **state) {
    (void)state;
    for (int kind = 0; kind < RUN_MODEL_KINDS; kind++) {
        RunModel model;
        run_model_open(&model, kind);
        size_t refused = 0;
        bool done = false;
        while (!done) {
            strider_session *session = run_model_session(&model, false, 1);
            strider_error error;
            model.counter.max_allocations = model.counter.allocations + refused++;
            done = run_model_try(&model, session, &error);
            if (!done)
                assert_int_equal(error.status, STRIDER_OUT_OF_MEMORY);
            model.counter.max_allocations = SIZE_MAX;
            run_model_run(&model, session);
            strider_session_free(session);
        }
        assert_true(refused > 5);
        run_model_close(&model);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_item_makes_what_it_should),
        cmocka_unit_test(a_second_run_allocates_nothing),
        cmocka_unit_test(a_trace_is_kept_of_the_main_program),
        cmocka_unit_test(a_kernel_refuses_contents_and_the_next_run_is_right),
        cmocka_unit_test(a_run_that_fails_leaves_nothing_and_the_next_one_is_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
