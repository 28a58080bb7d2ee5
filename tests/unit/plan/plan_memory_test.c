/* SPDX-License-Identifier: Apache-2.0 */
/* Where buffers lie: random lifetimes, in which no two that live at once may share memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/wrap.h"
#include "plan/memory.h"

#include <cmocka.h>

static uint64_t state_of_random;

WRAPS_AROUND static size_t below(size_t n) {
    state_of_random ^= state_of_random << 13;
    state_of_random ^= state_of_random >> 7;
    state_of_random ^= state_of_random << 17;
    return (size_t)(state_of_random % n);
}

typedef struct Fixture {
    Budget budget;
    Device host;
    Plan plan;
    Partition partition; /* without outputs */
    PlanTarget target;
    PlanRequest request;
    PlanBuilder builder;
    Error err;
} Fixture;

/* Step i writes buffer i, and reads up to two of the `reach` buffers before it; the last `n_kept` buffers
 * live to the end. */
static void make(Fixture *f, size_t n, size_t reach, size_t n_kept) {
    *f = (Fixture){0};
    budget_init(&f->budget, allocator_default(), UINT64_MAX);
    f->host = cpu_device(allocator_default());
    f->request = (PlanRequest){.budget = &f->budget};
    f->plan = (Plan){.partition = &f->partition, .n_devices = 1, .devices = {[HOST] = &f->host}};
    region_init(&f->plan.region, &f->budget.allocator, 0);
    f->builder =
        (PlanBuilder){.request = &f->request, .target = &f->target, .plan = &f->plan, .err = &f->err};
    region_init(&f->builder.scratch, &f->budget.allocator, 0);
    for (size_t i = 0; i < n + 1; i++) {
        const int64_t size = below(8) ? (int64_t)below(5000) : 0;
        const Type type = {STRIDER_U8, shape_make(1, &size)};
        const bool is_last = i == n;
        const int n_inputs = is_last ? (int)n_kept : i ? 2 : 0;
        Step *step;
        int buffer;
        assert_int_equal(builder_add_step(&f->builder, NULL, n_inputs, is_last ? 0 : 1, &step), STRIDER_OK);
        for (int port = 0; port < n_inputs; port++)
            step->inputs[port] = is_last ? (int)(n - 1) - port : (int)(i - 1 - below(i < reach ? i : reach));
        step->overwrites = (unsigned)below(4);
        if (is_last)
            continue;
        assert_int_equal(builder_add_buffer(&f->builder, BUFFER_ARENA, &type, HOST, layout_plain(), &buffer),
                         STRIDER_OK);
        step->outputs[0] = buffer;
    }
}

static void free_all(Fixture *f) {
    region_free(&f->builder.scratch);
    region_free(&f->plan.region);
    assert_int_equal(budget_used(&f->budget), 0);
    budget_free(&f->budget);
}

static bool overlap(const Buffer *a, const Buffer *b) {
    return a->first_step <= b->last_step && b->first_step <= a->last_step && a->size_bytes && b->size_bytes &&
           a->arena_offset < b->arena_offset + b->size_bytes &&
           b->arena_offset < a->arena_offset + a->size_bytes;
}

/* Returns the bytes that live at the fullest step: no arena can be smaller. */
static size_t check(const Fixture *f) {
    const Plan *plan = &f->plan;
    size_t *live = calloc(plan->n_steps + 1, sizeof *live), max_live = 0;
    for (size_t i = 0; i < plan->n_buffers; i++) {
        const Buffer *buffer = &plan->buffers[i];
        if (buffer->root != (int)i)
            continue;
        assert_int_equal(buffer->arena_offset % MEMORY_ALIGNMENT, 0);
        assert_true(buffer->arena_offset + buffer->size_bytes <= plan->arena_bytes[HOST]);
        for (size_t j = 0; j < i; j++)
            if (plan->buffers[j].root == (int)j && overlap(buffer, &plan->buffers[j]))
                fail_msg("buffers %zu and %zu overlap", i, j);
        for (int s = buffer->first_step; s <= buffer->last_step && plan->n_steps < 5000; s++)
            live[s] += buffer->size_bytes;
    }
    for (size_t s = 0; s < plan->n_steps; s++)
        max_live = live[s] > max_live ? live[s] : max_live;
    free(live);
    return max_live;
}

WRAPS_AROUND static void buffers_that_live_at_once_share_no_memory(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        Fixture f;
        state_of_random = seed * 0x9e3779b97f4a7c15u;
        const size_t n = 1 + below(400);
        make(&f, n, 1 + below(30), below(n));
        assert_int_equal(place_buffers(&f.builder), STRIDER_OK);
        const size_t min_bytes = check(&f);
        assert_true(f.plan.arena_bytes[HOST] >= min_bytes);
        assert_true(f.plan.arena_bytes[HOST] <= 2 * min_bytes + n * MEMORY_ALIGNMENT);
        free_all(&f);
    }
}

WRAPS_AROUND static void so_do_more_buffers_than_gaps_are_looked_for(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 2; seed++) {
        Fixture f;
        state_of_random = seed * 0x9e3779b97f4a7c15u;
        make(&f, 12000, seed == 1 ? 12000 : 50, 6000);
        assert_int_equal(place_buffers(&f.builder), STRIDER_OK);
        check(&f);
        free_all(&f);
    }
}

static void sizes_that_overflow_together_are_refused(void **state) {
    (void)state;
    Fixture f;
    state_of_random = 1;
    make(&f, 4, 1, 4);
    for (size_t i = 0; i < f.plan.n_buffers; i++)
        f.plan.buffers[i].size_bytes = SIZE_MAX / 2;
    assert_int_equal(place_buffers(&f.builder), STRIDER_LIMIT_EXCEEDED);
    free_all(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buffers_that_live_at_once_share_no_memory),
        cmocka_unit_test(so_do_more_buffers_than_gaps_are_looked_for),
        cmocka_unit_test(sizes_that_overflow_together_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
