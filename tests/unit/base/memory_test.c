/* SPDX-License-Identifier: Apache-2.0 */
#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/counter.h"

static bool is_zero(const void *memory, size_t size) {
    const char *bytes = memory;
    for (size_t i = 0; i < size; i++)
        if (bytes[i])
            return false;
    return true;
}

static bool is_aligned(const void *memory, size_t alignment) {
    return (uintptr_t)memory % alignment == 0;
}

static void blocks_are_aligned_and_given_back(void **state) {
    (void)state;
    Counter counter;
    counter_init(&counter);
    static const size_t sizes[] = {0, 1, 63, 64, 65, 100000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        void *memory = memory_alloc(&counter.allocator, sizes[i]);
        assert_non_null(memory);
        assert_true(is_aligned(memory, MEMORY_ALIGNMENT));
        memset(memory, 1, sizes[i]);
        memory_free(&counter.allocator, memory);
    }
    memory_free(&counter.allocator, NULL);
    assert_int_equal(counter.blocks, 0);
    assert_int_equal(counter.peak_bytes, 100000);
}

static void what_is_too_large_is_not_asked_for(void **state) {
    (void)state;
    Counter counter;
    counter_init(&counter);
    assert_null(memory_alloc(&counter.allocator, SIZE_MAX));
    assert_null(memory_alloc(&counter.allocator, (size_t)PTRDIFF_MAX + 1));
    assert_null(memory_alloc_zeroed(&counter.allocator, SIZE_MAX / 2, 3));
    assert_int_equal(counter.peak_bytes, 0);
    counter.is_full = true;
    assert_null(memory_alloc(&counter.allocator, 1));
    assert_null(memory_alloc_zeroed(&counter.allocator, 1, 1));
    assert_null(memory_alloc_large(&counter.allocator, 1 << 20));
}

static void zeroed_blocks_are_zero(void **state) {
    (void)state;
    for (int round = 0; round < 2; round++) {
        char *memory = memory_alloc_zeroed(allocator_default(), 1000, 7);
        assert_true(is_zero(memory, 7000));
        memset(memory, 1, 7000); /* where the next one may lie */
        memory_free(allocator_default(), memory);
    }
}

static void large_blocks_are_whole_large_pages(void **state) {
    (void)state;
    enum { PAGE = 2 << 20, MIN_BYTES = 256 << 10 };
    static const size_t sizes[][2] = {{0, 0},
                                      {1, 1},
                                      {MIN_BYTES - 1, MIN_BYTES - 1},
                                      {MIN_BYTES, PAGE},
                                      {PAGE, PAGE},
                                      {PAGE + 1, 2 * PAGE},
                                      {SIZE_MAX, SIZE_MAX}};
    Counter counter;
    counter_init(&counter);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        assert_int_equal(memory_large_size(sizes[i][0]), sizes[i][1]);
    void *memory = memory_alloc_large(&counter.allocator, PAGE + 1);
    assert_true(is_aligned(memory, PAGE));
    assert_int_equal(counter.used_bytes, 2 * PAGE);
    memset(memory, 1, 2 * PAGE);
    memory_free(&counter.allocator, memory);
    memory = memory_alloc_large(&counter.allocator, 1000);
    assert_int_equal(counter.used_bytes, 1000);
    memory_free(&counter.allocator, memory);
}

static void a_machine_has_no_more_than_its_pages(void **state) {
    (void)state;
    const uint64_t pages = (uint64_t)sysconf(_SC_PHYS_PAGES), page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
    assert_true(memory_of_machine() >= 1 && memory_of_machine() <= pages * page_bytes);
}

/* --- regions --- */

static void a_region_hands_out_zeroed_blocks_that_do_not_overlap(void **state) {
    (void)state;
    enum { N = 300 };
    Counter counter;
    Region region;
    counter_init(&counter);
    region_init(&region, &counter.allocator, 0);
    char *blocks[N];
    for (size_t i = 0; i < N; i++) {
        const size_t size = i * i % 6000;
        blocks[i] = region_alloc(&region, size);
        assert_non_null(blocks[i]);
        assert_true(is_aligned(blocks[i], size >= 4096 ? MEMORY_ALIGNMENT : 16));
        assert_true(is_zero(blocks[i], size));
        memset(blocks[i], (int)(i % 255 + 1), size);
    }
    for (size_t i = 0; i < N; i++)
        for (size_t k = 0; k < i * i % 6000; k++)
            assert_int_equal((unsigned char)blocks[i][k], i % 255 + 1);
    assert_int_equal(region.total_bytes, counter.used_bytes);
    region_free(&region);
    assert_int_equal(counter.blocks, 0);
    assert_int_equal(region.total_bytes, 0);
    assert_non_null(region_alloc(&region, 1)); /* it can be used again */
    region_free(&region);
    assert_int_equal(counter.blocks, 0);
}

/* Blocks grow with what is in them. */
static void a_region_of_little_takes_little_and_one_of_much_few_blocks(void **state) {
    (void)state;
    enum { PIECES = 1 << 16, PIECE = 16 };
    Counter counter;
    counter_init(&counter);
    Region region;
    region_init(&region, &counter.allocator, 0);
    assert_non_null(region_alloc(&region, 1));
    assert_in_range(region.total_bytes, 4096, 5000);
    for (int i = 0; i < PIECES; i++) {
        assert_non_null(region_alloc(&region, PIECE));
        assert_true(region.total_bytes <= 2 * PIECE * ((size_t)i + 2) + 8192);
    }
    assert_true(counter.blocks <= PIECES * PIECE / (64 << 10) + 6);
    region_free(&region);
    assert_int_equal(counter.blocks, 0);
}

static void a_region_keeps_its_limit(void **state) {
    (void)state;
    Counter counter;
    Region region;
    counter_init(&counter);
    region_init(&region, &counter.allocator, 200000);
    size_t taken = 0;
    while (taken < 1000 && region_alloc(&region, 1000))
        taken++;
    assert_in_range(taken, 64, 200); /* at least a block of 64 KiB, and never more than the limit */
    assert_true(counter.peak_bytes <= 200000);
    assert_null(region_alloc(&region, 100000));
    region_free(&region);
    assert_non_null(region_alloc(&region, 100000));
    region_free(&region);
    assert_null(region_alloc(&region, SIZE_MAX));
    assert_null(region_alloc(&region, SIZE_MAX - 20));
    assert_null(region_alloc_array(&region, SIZE_MAX / 2, 3));
    assert_null(region_string(&region, "", SIZE_MAX));
    counter.is_full = true;
    assert_null(region_alloc(&region, 1));
    assert_null(region_format(&region, "%d", 1));
    assert_int_equal(counter.blocks, 0);
}

static void texts_are_copied(void **state) {
    (void)state;
    Region region;
    region_init(&region, allocator_default(), 0);
    char text[] = "abcdef";
    const char *copy = region_string(&region, text, 3), *none = region_string(&region, NULL, 0),
               *made = region_format(&region, "%s.%d", text, 17);
    text[0] = 'x';
    assert_string_equal(copy, "abc");
    assert_string_equal(none, "");
    assert_string_equal(made, "abcdef.17");
    region_free(&region);
}

static void arrays_grow_and_keep_what_is_in_them(void **state) {
    (void)state;
    enum { N = 5000 };
    Region region;
    region_init(&region, allocator_default(), 0);
    int *items = NULL;
    size_t capacity = 0;
    for (size_t i = 0; i < N; i++) {
        assert_true(region_grow(&region, &items, i, &capacity, sizeof *items));
        assert_true(capacity > i);
        items[i] = (int)i;
    }
    for (int i = 0; i < N; i++)
        assert_int_equal(items[i], i);
    region.limit_bytes = 1;
    const int *before = items;
    size_t full = capacity;
    assert_false(region_grow(&region, &items, capacity, &full, sizeof *items));
    assert_ptr_equal(items, before);
    assert_int_equal(full, capacity);
    region_free(&region);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_are_aligned_and_given_back),
        cmocka_unit_test(what_is_too_large_is_not_asked_for),
        cmocka_unit_test(zeroed_blocks_are_zero),
        cmocka_unit_test(large_blocks_are_whole_large_pages),
        cmocka_unit_test(a_machine_has_no_more_than_its_pages),
        cmocka_unit_test(a_region_hands_out_zeroed_blocks_that_do_not_overlap),
        cmocka_unit_test(a_region_of_little_takes_little_and_one_of_much_few_blocks),
        cmocka_unit_test(a_region_keeps_its_limit),
        cmocka_unit_test(texts_are_copied),
        cmocka_unit_test(arrays_grow_and_keep_what_is_in_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
