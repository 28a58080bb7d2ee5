/* SPDX-License-Identifier: Apache-2.0 */
/* Plans are made once: for equal iterations of a loop, for all sessions of a model, and while several threads
 * ask at once.  Sessions have one thread each, so that ThreadSanitizer, which does not know how OpenMP's
 * threads meet, may watch this. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>

#include "run/session.h"
#include "support/run_models.h"

#include <cmocka.h>

static size_t count_plans(const strider_model *model) {
    size_t count = 0;
    for (size_t i = 0; i < model->plans.n_buckets; i++)
        for (const CachedPlan *plan = model->plans.buckets[i]; plan; plan = plan->next)
            count++;
    return count;
}

static int holders_of_all(const strider_model *model) {
    int count = 0;
    for (size_t i = 0; i < model->plans.n_buckets; i++)
        for (const CachedPlan *plan = model->plans.buckets[i]; plan; plan = plan->next)
            count += plan->holders;
    return count;
}

static void a_thousand_equal_iterations_have_one_plan(void **state) {
    (void)state;
    static const RunModelKind kinds[] = {CASE_LOOP, CASE_SEQUENCE, CASE_NESTED};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        RunModel model;
        run_model_open_loop(&model, kinds[i], 1000);
        model.integers[0] = 4; /* what is carried has one shape in all iterations */
        model.integers[1] = 6;
        strider_session *session = run_model_session(&model, false, 1);
        run_model_run(&model, session);
        const size_t plans = count_plans(model.model);
        for (size_t at = 0; at < session->n_partitions; at++)
            assert_true(session->bindings[at].count <= 1);
        assert_in_range(plans, 1, session->n_partitions);
        const size_t before = model.counter.allocations;
        run_model_run(&model, session);
        assert_int_equal(count_plans(model.model), plans);
        assert_int_equal(model.counter.allocations, before);
        strider_session_free(session);
        assert_int_equal(count_plans(model.model), 0);
        run_model_close(&model);
    }
}

/* --- several sessions --- */

enum { SESSIONS = 4, RUNS_EACH = 20 };

typedef struct Runner {
    const RunModel *model;
    strider_session *session;
    pthread_barrier_t *start;
    strider_error error;
    int failed;
} Runner;

static void *run_often(void *context) {
    Runner *runner = context;
    pthread_barrier_wait(runner->start);
    for (int i = 0; i < RUNS_EACH; i++)
        runner->failed += !run_model_try(runner->model, runner->session, &runner->error);
    return NULL;
}

static void run_at_once(Runner *runners) {
    pthread_t threads[SESSIONS];
    pthread_barrier_t start;
    pthread_barrier_init(&start, NULL, SESSIONS);
    for (int i = 0; i < SESSIONS; i++) {
        runners[i].start = &start;
        assert_int_equal(pthread_create(&threads[i], NULL, run_often, &runners[i]), 0);
    }
    for (int i = 0; i < SESSIONS; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&start);
    for (int i = 0; i < SESSIONS; i++)
        if (runners[i].failed)
            fail_msg("%d runs failed: %s", runners[i].failed, runners[i].error.message);
}

static void expect_shared(const Runner *runners) {
    const strider_session *first = runners[0].session;
    size_t n_bound = 0;
    for (size_t at = 0; at < first->n_partitions; at++)
        for (int i = 0; i < SESSIONS; i++) {
            const BindingList *list = &runners[i].session->bindings[at];
            assert_int_equal(list->count, first->bindings[at].count);
            for (int item = 0; item < list->count; item++)
                assert_ptr_equal(list->items[item]->plan, first->bindings[at].items[item]->plan);
            n_bound += (size_t)list->count;
        }
    const strider_model *model = runners[0].model->model;
    assert_int_equal(n_bound, SESSIONS * count_plans(model));
    assert_int_equal(holders_of_all(model), n_bound);
}

/* The first runs begin at once, so that all ask for each plan while one of them makes it. */
static void sessions_share_plans_and_run_them_at_once(void **state) {
    (void)state;
    for (int kind = 0; kind < RUN_MODEL_KINDS; kind++) {
        RunModel model;
        Runner runners[SESSIONS] = {0};
        run_model_open(&model, kind);
        for (int i = 0; i < SESSIONS; i++)
            runners[i] = (Runner){.model = &model, .session = run_model_session(&model, false, 1)};
        run_at_once(runners);
        expect_shared(runners);
        const size_t plans = count_plans(model.model);
        for (int i = 0; i < SESSIONS; i++) {
            assert_int_equal(count_plans(model.model), plans);
            strider_session_free(runners[i].session);
        }
        assert_int_equal(count_plans(model.model), 0);
        run_model_close(&model);
    }
}

static void a_plan_counts_in_each_session_that_holds_it(void **state) {
    (void)state;
    RunModel model;
    strider_plan_info alone, again;
    run_model_open(&model, CASE_PLAIN);
    strider_session *first = run_model_session(&model, false, 1);
    run_model_run(&model, first);
    assert_int_equal(strider_session_get_plan(first, &alone), STRIDER_OK);
    strider_session *second = run_model_session(&model, false, 1);
    run_model_run(&model, second);
    assert_int_equal(strider_session_get_plan(second, &again), STRIDER_OK);
    /* The one who makes a plan holds more while it does. */
    assert_in_range(again.memory_bytes, alone.memory_bytes - (64 << 10), alone.memory_bytes);
    strider_session_free(first);
    run_model_run(&model, second);
    strider_session_free(second);
    run_model_close(&model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thousand_equal_iterations_have_one_plan),
        cmocka_unit_test(sessions_share_plans_and_run_them_at_once),
        cmocka_unit_test(a_plan_counts_in_each_session_that_holds_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
