/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/budget.h"

#include <cmocka.h>

#include "support/counter.h"

static void blocks_of_every_alignment_are_counted_and_given_back(void **state) {
    (void)state;
    Counter caller;
    counter_init(&caller);
    Budget budget;
    budget_init(&budget, &caller.allocator, 1 << 30);
    enum { N = 40 };
    void *blocks[N];
    uint64_t sum = 0;
    for (size_t i = 0; i < N; i++) {
        const size_t alignment = (size_t)64 << i % 16, size = 1 + i * 1000;
        blocks[i] = budget.allocator.allocate(budget.allocator.context, size, alignment);
        assert_non_null(blocks[i]);
        assert_int_equal((uintptr_t)blocks[i] % alignment, 0);
        memset(blocks[i], (int)i, size);
        sum += size;
    }
    assert_int_equal(budget_used(&budget), sum);
    for (size_t i = 0; i < N; i++)
        assert_int_equal(*(unsigned char *)blocks[i], i);
    for (size_t i = 0; i < N; i++) /* in another order than they came */
        memory_free(&budget.allocator, blocks[i * 7 % N]);
    assert_int_equal(budget_used(&budget), 0);
    assert_int_equal(budget.peak_bytes, sum);
    assert_int_equal(caller.blocks, 0);
    budget_free(&budget);
}

static void the_limit_is_exact(void **state) {
    (void)state;
    Budget budget;
    budget_init(&budget, allocator_default(), 1000);
    void *first = memory_alloc(&budget.allocator, 600), *second = memory_alloc(&budget.allocator, 400);
    assert_non_null(first);
    assert_non_null(second);
    assert_int_equal(budget_left(&budget), 0);
    assert_null(memory_alloc(&budget.allocator, 1));
    memory_free(&budget.allocator, second);
    assert_null(memory_alloc(&budget.allocator, 401));
    assert_null(memory_alloc(&budget.allocator, SIZE_MAX));
    memory_free(&budget.allocator, first);
    budget_free(&budget);
}

static void a_refusal_by_the_limit_is_told_from_one_by_the_system(void **state) {
    (void)state;
    Counter caller;
    counter_init(&caller);
    Budget budget;
    Error err = {0};
    budget_init(&budget, &caller.allocator, 1000);
    assert_null(memory_alloc(&budget.allocator, 1001));
    assert_int_equal(budget_status(&budget, STRIDER_OUT_OF_MEMORY, "max_bytes", &err),
                     STRIDER_LIMIT_EXCEEDED);
    assert_string_equal(err.message,
                        "1001 bytes more than the 0 in use would exceed the limit of 1000 (max_bytes)");
    caller.is_full = true;
    assert_null(memory_alloc(&budget.allocator, 10));
    assert_null(memory_alloc_large(&budget.allocator, 10));
    assert_int_equal(budget_status(&budget, STRIDER_OUT_OF_MEMORY, "max_bytes", &err), STRIDER_OUT_OF_MEMORY);
    assert_int_equal(budget_status(&budget, STRIDER_OK, "max_bytes", &err), STRIDER_OK);
    assert_int_equal(budget_used(&budget), 0);
    budget_free(&budget);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_of_every_alignment_are_counted_and_given_back),
        cmocka_unit_test(the_limit_is_exact),
        cmocka_unit_test(a_refusal_by_the_limit_is_told_from_one_by_the_system),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
