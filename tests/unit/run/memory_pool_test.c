/* SPDX-License-Identifier: Apache-2.0 */
#include "run/pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/budget.h"
#include "support/counter.h"

typedef struct Fixture {
    Counter counter;
    Pool pool;
} Fixture;

static void open_pool(Fixture *fixture) {
    counter_init(&fixture->counter);
    pool_init(&fixture->pool, &fixture->counter.allocator);
}

/* Nothing is left once it is trimmed. */
static void close_pool(Fixture *fixture) {
    pool_trim(&fixture->pool);
    assert_int_equal(fixture->counter.blocks, 0);
    assert_int_equal(fixture->counter.used_bytes, 0);
}

static void what_was_freed_is_given_again(void **state) {
    (void)state;
    Fixture fixture;
    open_pool(&fixture);
    const Allocator *allocator = &fixture.pool.allocator;
    void *first = memory_alloc(allocator, 1000), *second = memory_alloc(allocator, 1000);
    assert_non_null(first);
    assert_ptr_not_equal(first, second);
    assert_int_equal(fixture.counter.allocations, 2);
    memory_free(allocator, first);
    assert_int_equal(fixture.counter.blocks, 2);
    assert_ptr_equal(memory_alloc(allocator, 999), first);
    memory_free(allocator, second);
    assert_ptr_equal(memory_alloc(allocator, 1000), second);
    assert_int_equal(fixture.counter.allocations, 2);
    memory_free(allocator, first);
    memory_free(allocator, second);
    close_pool(&fixture);
}

static void a_block_is_as_large_as_asked_and_wastes_a_quarter_at_most(void **state) {
    (void)state;
    enum { SIZES = 5000 };
    for (size_t size = 0; size < SIZES; size++) {
        Fixture fixture;
        open_pool(&fixture);
        char *block = memory_alloc(&fixture.pool.allocator, size);
        assert_non_null(block);
        assert_int_equal((uintptr_t)block % MEMORY_ALIGNMENT, 0);
        memset(block, 1, size);
        const size_t max_bytes = size <= MEMORY_ALIGNMENT ? MEMORY_ALIGNMENT : size + size / 4;
        assert_in_range(fixture.counter.used_bytes, size + MEMORY_ALIGNMENT, max_bytes + MEMORY_ALIGNMENT);
        memory_free(&fixture.pool.allocator, block);
        close_pool(&fixture);
    }
}

/* A size that an unused block of another class could not hold gets one of its own. */
static void a_freed_block_is_never_given_for_more_than_it_holds(void **state) {
    (void)state;
    Fixture fixture;
    open_pool(&fixture);
    const Allocator *allocator = &fixture.pool.allocator;
    for (size_t size = 1; size < (size_t)1 << 20; size += 1 + size / 7) {
        char *block = memory_alloc(allocator, size);
        const size_t before = fixture.counter.allocations;
        memory_free(allocator, block);
        for (size_t larger = size; larger <= 2 * size + MEMORY_ALIGNMENT; larger += 1 + size / 9) {
            char *other = memory_alloc(allocator, larger);
            memset(other, 2, larger); /* what is beyond its block the sanitizers see */
            memory_free(allocator, other);
        }
        assert_ptr_equal(memory_alloc(allocator, size), block);
        memory_free(allocator, block);
        assert_true(fixture.counter.allocations >= before);
        pool_trim(&fixture.pool);
    }
    close_pool(&fixture);
}

static void what_nobody_uses_goes_before_memory_is_refused(void **state) {
    (void)state;
    Fixture fixture;
    open_pool(&fixture);
    const Allocator *allocator = &fixture.pool.allocator;
    Budget budget;
    budget_init(&budget, &fixture.counter.allocator, 10000);
    pool_init(&fixture.pool, &budget.allocator);
    void *held = memory_alloc(allocator, 100), *small = memory_alloc(allocator, 4000);
    memory_free(allocator, small);
    void *large = memory_alloc(allocator, 8000);
    assert_non_null(large);
    assert_null(memory_alloc(allocator, 4000));
    memory_free(allocator, large);
    assert_non_null(small = memory_alloc(allocator, 4000));
    memory_free(allocator, small);
    memory_free(allocator, held);
    close_pool(&fixture);
    budget_free(&budget);
}

static void what_no_machine_has_is_refused(void **state) {
    (void)state;
    Fixture fixture;
    open_pool(&fixture);
    static const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 63, SIZE_MAX / 2, ((size_t)1 << 61) + 1};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        assert_null(memory_alloc(&fixture.pool.allocator, sizes[i]));
    fixture.counter.is_full = true;
    assert_null(memory_alloc(&fixture.pool.allocator, 1));
    fixture.counter.is_full = false;
    close_pool(&fixture);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_freed_is_given_again),
        cmocka_unit_test(a_block_is_as_large_as_asked_and_wastes_a_quarter_at_most),
        cmocka_unit_test(a_freed_block_is_never_given_for_more_than_it_holds),
        cmocka_unit_test(what_nobody_uses_goes_before_memory_is_refused),
        cmocka_unit_test(what_no_machine_has_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
