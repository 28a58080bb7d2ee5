/* SPDX-License-Identifier: Apache-2.0 */
#include "run/plan_cache.h"
#include "support/plan_fixture.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "support/flow.h"
#include "support/op_test.h"

/* x, reshaped to what `shape` says: a partition of its own, then Relu. */
typedef struct Fixture {
    PlanFixture plans;
    PlanCache cache;
} Fixture;

static void open_cache(Fixture *fixture) {
    plan_fixture_open(&fixture->plans);
    Cut *cut = &fixture->plans.cut;
    flow_inputs(&cut->graph, "x shape");
    cut_declare(cut, "x", STRIDER_F32, shape_unknown());
    cut_declare(cut, "shape", STRIDER_I64, DIMS(2));
    flow_node(&cut->graph, 21, "Reshape", "x shape", "a");
    flow_node(&cut->graph, 21, "Relu", "a", "y");
    flow_outputs(&cut->graph, "y");
    cut_graph(cut);
    assert_int_equal(cut->program->n_items, 2);
    plan_cache_init(&fixture->cache, &fixture->plans.counter.allocator);
}

static void close_cache(Fixture *fixture) {
    plan_cache_free(&fixture->cache);
    plan_fixture_close(&fixture->plans);
}

/* The plan of the Reshape for x [length] and the shape [rows, columns]. */
static CachedPlan *get_reshape(Fixture *fixture, int64_t length, int64_t rows, int64_t columns) {
    const Type types[] = {type_of(STRIDER_F32, DIMS(length)), type_of(STRIDER_I64, DIMS(2))};
    const Tensor shape = tensor_i64(DIMS(2), rows, columns);
    const Tensor *const contents[] = {NULL, &shape};
    const PlanRequest request = plan_fixture_request(&fixture->plans, 0, types, contents);
    CachedPlan *held = NULL;
    Error error;
    if (plan_cache_get(&fixture->cache, &request, &held, &error))
        fail_msg("%s", error.message);
    return held;
}

static CachedPlan *get_relu(Fixture *fixture, DType dtype, Shape shape) {
    const Type type = type_of(dtype, shape);
    const Tensor *const contents[] = {NULL};
    const PlanRequest request = plan_fixture_request(&fixture->plans, 1, &type, contents);
    CachedPlan *held = NULL;
    Error error;
    if (plan_cache_get(&fixture->cache, &request, &held, &error))
        fail_msg("%s", error.message);
    return held;
}

static void let_go(Fixture *fixture, CachedPlan *held) {
    plan_cache_release(held, &fixture->plans.budget);
}

static void the_same_key_is_the_same_plan(void **state) {
    (void)state;
    Fixture fixture;
    open_cache(&fixture);
    CachedPlan *first = get_reshape(&fixture, 12, 3, 4), *second = get_reshape(&fixture, 12, 3, 4);
    assert_ptr_equal(first, second);
    assert_int_equal(first->holders, 2);
    let_go(&fixture, second);
    let_go(&fixture, first);
    close_cache(&fixture);
}

static void other_types_contents_and_partitions_are_other_plans(void **state) {
    (void)state;
    Fixture fixture;
    open_cache(&fixture);
    CachedPlan *held[] = {
        get_reshape(&fixture, 12, 3, 4),
        get_reshape(&fixture, 12, 4, 3),
        get_reshape(&fixture, 12, -1, 3), /* the same shape, but not the same contents */
        get_reshape(&fixture, 24, 6, 4),
        get_relu(&fixture, STRIDER_F32, DIMS(3, 4)),
        get_relu(&fixture, STRIDER_F32, DIMS(4, 3)),
        get_relu(&fixture, STRIDER_F64, DIMS(3, 4)),
        get_relu(&fixture, STRIDER_F32, DIMS(3, 4, 1)),
    };
    enum { HELD = sizeof held / sizeof *held };
    for (int i = 0; i < HELD; i++)
        for (int j = 0; j < i; j++)
            assert_ptr_not_equal(held[i]->plan, held[j]->plan);
    for (int i = 0; i < HELD; i++) {
        assert_int_equal(held[i]->holders, 1);
        let_go(&fixture, held[i]);
    }
    close_cache(&fixture);
}

static void another_target_is_another_plan(void **state) {
    (void)state;
    Fixture fixture;
    open_cache(&fixture);
    PlanTarget *target = &fixture.plans.target;
    const PlanTarget usual = *target;
    PlanTarget targets[6];
    for (int i = 0; i < 6; i++)
        targets[i] = usual;
    targets[1].reference = true;
    targets[2].max_layer_error = 0.5;
    targets[3].keep_values = true;
    targets[4].shapes = usual.shapes == STRIDER_SHAPES_CHECK ? STRIDER_SHAPES_WARN : STRIDER_SHAPES_CHECK;
    targets[5].cpu = &cpu_targets[usual.cpu == &cpu_targets[0]];
    CachedPlan *held[6];
    for (int i = 0; i < 6; i++) {
        *target = targets[i];
        held[i] = get_relu(&fixture, STRIDER_F32, DIMS(64));
        for (int j = 0; j < i; j++)
            assert_ptr_not_equal(held[i]->plan, held[j]->plan);
    }
    for (int i = 0; i < 6; i++) {
        *target = targets[i];
        assert_ptr_equal(get_relu(&fixture, STRIDER_F32, DIMS(64)), held[i]);
        let_go(&fixture, held[i]);
        let_go(&fixture, held[i]);
    }
    close_cache(&fixture);
}

/* The contents of a key are the caller's, who may change them. */
static void contents_are_kept(void **state) {
    (void)state;
    Fixture fixture;
    open_cache(&fixture);
    int64_t numbers[] = {3, 4};
    const Type types[] = {type_of(STRIDER_F32, DIMS(12)), type_of(STRIDER_I64, DIMS(2))};
    const Tensor shape = op_test_tensor(STRIDER_I64, DIMS(2), numbers, sizeof numbers);
    const Tensor *const contents[] = {NULL, &shape};
    const PlanRequest request = plan_fixture_request(&fixture.plans, 0, types, contents);
    const PlanKey key = {request.partition, types, contents, request.target};
    CachedPlan *first = NULL, *second = NULL;
    Error error;
    assert_int_equal(plan_cache_get(&fixture.cache, &request, &first, &error), STRIDER_OK);
    assert_true(cached_plan_fits(first, &key));
    numbers[0] = 2, numbers[1] = 6;
    assert_false(cached_plan_fits(first, &key));
    assert_int_equal(plan_cache_get(&fixture.cache, &request, &second, &error), STRIDER_OK);
    assert_ptr_not_equal(first, second);
    let_go(&fixture, first);
    let_go(&fixture, second);
    close_cache(&fixture);
}

static void a_plan_goes_with_its_last_holder(void **state) {
    (void)state;
    Fixture fixture;
    open_cache(&fixture);
    CachedPlan *first = get_relu(&fixture, STRIDER_F32, DIMS(64));
    const size_t with_one = fixture.plans.counter.blocks;
    const uint64_t booked = budget_used(&fixture.plans.budget);
    assert_true(booked >= first->plan->budget.used_bytes && booked > 0);
    assert_ptr_equal(get_relu(&fixture, STRIDER_F32, DIMS(64)), first);
    assert_int_equal(fixture.plans.counter.blocks, with_one);
    assert_int_equal(budget_used(&fixture.plans.budget), 2 * booked);
    let_go(&fixture, first);
    assert_int_equal(fixture.plans.counter.blocks, with_one);
    assert_int_equal(budget_used(&fixture.plans.budget), booked);
    let_go(&fixture, first);
    assert_int_equal(fixture.plans.counter.blocks, 0);
    close_cache(&fixture);
}

/* Many, so that some share a bucket: each is found again, whatever went in between. */
static void plans_in_one_bucket_are_told_apart(void **state) {
    (void)state;
    enum { PLANS = 200 };
    Fixture fixture;
    CachedPlan *held[PLANS];
    open_cache(&fixture);
    for (int i = 0; i < PLANS; i++)
        held[i] = get_relu(&fixture, STRIDER_F32, DIMS(i + 1));
    for (int i = 0; i < PLANS; i += 2)
        let_go(&fixture, held[i]);
    for (int i = 1; i < PLANS; i += 2) {
        assert_ptr_equal(get_relu(&fixture, STRIDER_F32, DIMS(i + 1)), held[i]);
        let_go(&fixture, held[i]);
        let_go(&fixture, held[i]);
    }
    close_cache(&fixture);
}

static void what_cannot_be_planned_is_not_kept(void **state) {
    (void)state;
    Fixture fixture;
    open_cache(&fixture);
    const Type types[] = {type_of(STRIDER_F32, DIMS(12)), type_of(STRIDER_I64, DIMS(2))};
    const Tensor shape = tensor_i64(DIMS(2), 5, 5);
    const Tensor *const contents[] = {NULL, &shape};
    PlanRequest request = plan_fixture_request(&fixture.plans, 0, types, contents);
    CachedPlan *held = NULL;
    Error error;
    assert_int_equal(plan_cache_get(&fixture.cache, &request, &held, &error), STRIDER_BAD_MODEL);
    assert_null(held);
    assert_int_equal(fixture.plans.counter.blocks, 0);
    Budget small;
    budget_init(&small, &fixture.plans.counter.allocator, 100);
    CachedPlan *there = get_reshape(&fixture, 12, 3, 4);
    const Tensor fitting = tensor_i64(DIMS(2), 3, 4);
    const Tensor *const fitting_contents[] = {NULL, &fitting};
    request.contents = fitting_contents;
    request.budget = &small;
    assert_int_equal(plan_cache_get(&fixture.cache, &request, &held, &error), STRIDER_OUT_OF_MEMORY);
    assert_null(held);
    assert_int_equal(there->holders, 1);
    let_go(&fixture, there);
    budget_free(&small);
    close_cache(&fixture);
}

/* --- several threads --- */

enum { THREADS = 4, TURNS = 50 };

typedef struct Asker {
    Fixture *fixture;
    pthread_barrier_t *barrier;
    CachedPlan *held[TURNS];
    int failed;
} Asker;

static void *ask(void *context) {
    Asker *asker = context;
    for (int i = 0; i < TURNS; i++) {
        const Type type = type_of(STRIDER_F32, DIMS(i + 1));
        const Tensor *const contents[] = {NULL};
        const PlanRequest request = plan_fixture_request(&asker->fixture->plans, 1, &type, contents);
        Error error;
        pthread_barrier_wait(asker->barrier);
        asker->failed +=
            plan_cache_get(&asker->fixture->cache, &request, &asker->held[i], &error) != STRIDER_OK;
    }
    return NULL;
}

static void who_asks_at_once_gets_one_plan(void **state) {
    (void)state;
    Fixture fixture;
    Asker askers[THREADS] = {0};
    pthread_t threads[THREADS];
    pthread_barrier_t barrier;
    open_cache(&fixture);
    pthread_barrier_init(&barrier, NULL, THREADS);
    for (int i = 0; i < THREADS; i++) {
        askers[i] = (Asker){.fixture = &fixture, .barrier = &barrier};
        assert_int_equal(pthread_create(&threads[i], NULL, ask, &askers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&barrier);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(askers[i].failed, 0);
    for (int turn = 0; turn < TURNS; turn++) {
        assert_int_equal(askers[0].held[turn]->holders, THREADS);
        for (int i = 0; i < THREADS; i++)
            assert_ptr_equal(askers[i].held[turn], askers[0].held[turn]);
        for (int i = 0; i < THREADS; i++)
            let_go(&fixture, askers[i].held[turn]);
    }
    close_cache(&fixture);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_key_is_the_same_plan),
        cmocka_unit_test(other_types_contents_and_partitions_are_other_plans),
        cmocka_unit_test(another_target_is_another_plan),
        cmocka_unit_test(contents_are_kept),
        cmocka_unit_test(a_plan_goes_with_its_last_holder),
        cmocka_unit_test(plans_in_one_bucket_are_told_apart),
        cmocka_unit_test(what_cannot_be_planned_is_not_kept),
        cmocka_unit_test(who_asks_at_once_gets_one_plan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
