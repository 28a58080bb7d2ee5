/* SPDX-License-Identifier: Apache-2.0 */
#include "graph/symbols.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void names_of_dimensions_are_told_apart(void **state) {
    (void)state;
    enum { MANY = 20000 };
    Region region;
    region_init(&region, allocator_default(), 0);
    SymbolTable table = {.region = &region};
    char text[32];
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < MANY; i++) {
            snprintf(text, sizeof text, "batch%d", i);
            const int64_t dim = symbol_dim(&table, text);
            assert_int_equal(dim, -2 - i);
            assert_string_equal(symbol_text(&table, dim), text);
        }
    assert_null(symbol_text(&table, -2 - MANY));
    region_free(&region);
}

static void what_is_no_name_has_no_text(void **state) {
    (void)state;
    Region region;
    region_init(&region, allocator_default(), 0);
    SymbolTable table = {.region = &region};
    assert_int_equal(symbol_dim(&table, "n"), -2);
    static const int64_t dims[] = {0, 5, INT64_MAX, DIM_UNKNOWN, -3, INT64_MIN};
    for (size_t i = 0; i < sizeof dims / sizeof *dims; i++)
        assert_null(symbol_text(&table, dims[i]));
    assert_string_equal(symbol_text(&table, -2), "n");
    region_free(&region);
}

static void names_have_a_byte_and_at_most_120(void **state) {
    (void)state;
    Region region;
    region_init(&region, allocator_default(), 0);
    SymbolTable table = {.region = &region};
    char text[122];
    memset(text, 'n', sizeof text);
    text[121] = '\0';
    assert_int_equal(symbol_dim(&table, ""), DIM_UNKNOWN);
    assert_int_equal(symbol_dim(&table, text), DIM_UNKNOWN);
    text[120] = '\0';
    const int64_t dim = symbol_dim(&table, text);
    assert_int_equal(dim, -2);
    assert_string_equal(symbol_text(&table, dim), text);
    text[0] = 'm'; /* the table has a copy */
    assert_int_equal(symbol_dim(&table, text), -3);
    region_free(&region);
}

static void without_memory_a_name_is_unknown(void **state) {
    (void)state;
    Region region;
    region_init(&region, allocator_default(), 100000);
    SymbolTable table = {.region = &region};
    char text[32];
    int count = 0;
    int64_t dim;
    do {
        snprintf(text, sizeof text, "n%d", count);
        dim = symbol_dim(&table, text);
    } while (dim != DIM_UNKNOWN && ++count < 100000);
    assert_in_range(count, 1, 99999);
    assert_int_equal(symbol_dim(&table, "n0"), -2);
    snprintf(text, sizeof text, "n%d", count - 1);
    assert_string_equal(symbol_text(&table, -1 - count), text);
    region_free(&region);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_of_dimensions_are_told_apart),
        cmocka_unit_test(what_is_no_name_has_no_text),
        cmocka_unit_test(names_have_a_byte_and_at_most_120),
        cmocka_unit_test(without_memory_a_name_is_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
