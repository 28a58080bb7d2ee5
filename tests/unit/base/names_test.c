/* SPDX-License-Identifier: Apache-2.0 */
#include "base/names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { MANY = 5000 };

static char names[MANY][16];
static int items[MANY];

static void make_names(void) {
    for (int i = 0; i < MANY; i++)
        snprintf(names[i], sizeof names[i], "%s%d", i % 2 ? "value." : "", i);
}

static void every_name_finds_its_own(void **state) {
    (void)state;
    Region region;
    region_init(&region, allocator_default(), 0);
    NameMap map = {.region = &region};
    make_names();
    for (int i = 0; i < MANY; i++) {
        assert_false(names_find(&map, names[i], NULL));
        assert_true(names_add(&map, names[i], &items[i]));
    }
    for (int i = 0; i < MANY; i++) {
        char same[16];
        void *item = NULL;
        memcpy(same, names[i], sizeof same); /* at another address */
        assert_true(names_find(&map, same, &item));
        assert_ptr_equal(item, &items[i]);
    }
    assert_int_equal(map.count, MANY);
    assert_false(names_find(&map, "value", NULL));
    assert_false(names_find(&map, "value.", NULL));
    region_free(&region);
}

static void nothing_is_found_among_none(void **state) {
    (void)state;
    const NameMap map = {0};
    assert_false(names_find(&map, "x", NULL));
    assert_false(names_find(&map, "", NULL));
}

/* Of all lengths around the eight bytes that are hashed at a time, and with bytes above 127. */
static void names_of_any_length_are_told_apart(void **state) {
    (void)state;
    Region region;
    region_init(&region, allocator_default(), 0);
    NameMap map = {.region = &region};
    static const char text[] = "\xc3\xa4\xff-------------------------------";
    for (size_t length = 0; length < sizeof text; length++) {
        const char *name = region_string(&region, text, length);
        assert_false(names_find(&map, name, NULL));
        assert_true(names_add(&map, name, &items[length]));
    }
    for (size_t length = 0; length < sizeof text; length++) {
        void *item = NULL;
        assert_true(names_find(&map, region_string(&region, text, length), &item));
        assert_ptr_equal(item, &items[length]);
    }
    region_free(&region);
}

static void a_forgotten_name_may_be_added_again(void **state) {
    (void)state;
    Region region;
    region_init(&region, allocator_default(), 0);
    NameMap map = {.region = &region};
    void *item = &items[1];
    names_forget(&map, "a");
    assert_true(names_add(&map, "a", &items[0]) && names_add(&map, "b", &items[1]));
    names_forget(&map, "a");
    assert_true(names_find(&map, "a", &item));
    assert_null(item);
    assert_true(names_add(&map, "a", &items[2]));
    assert_true(names_find(&map, "a", &item));
    assert_ptr_equal(item, &items[2]);
    assert_true(names_find(&map, "b", &item));
    assert_ptr_equal(item, &items[1]);
    region_free(&region);
}

static void without_memory_the_others_stay(void **state) {
    (void)state;
    enum { ROOM = 100000 }; /* for the table of some, not of all */
    Region region;
    region_init(&region, allocator_default(), ROOM);
    NameMap map = {.region = &region};
    int count = 0;
    make_names();
    while (count < MANY && names_add(&map, names[count], &items[count]))
        count++;
    assert_in_range(count, 8, MANY - 1);
    for (int i = 0; i < count; i++) {
        void *item = NULL;
        assert_true(names_find(&map, names[i], &item));
        assert_ptr_equal(item, &items[i]);
    }
    assert_false(names_find(&map, names[count], NULL));
    region_free(&region);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_name_finds_its_own),
        cmocka_unit_test(nothing_is_found_among_none),
        cmocka_unit_test(names_of_any_length_are_told_apart),
        cmocka_unit_test(a_forgotten_name_may_be_added_again),
        cmocka_unit_test(without_memory_the_others_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
