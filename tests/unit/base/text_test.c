/* SPDX-License-Identifier: Apache-2.0 */
/* What files say, as messages show it. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Before cmocka.h, which has a macro fail(). */
#include "base/log.h"
#include "base/text.h"

#include <cmocka.h>

static void check_escaped(const char *text, const char *expected) {
    char escaped[200];
    assert_int_equal(text_escape(escaped, sizeof escaped, text), strlen(expected));
    assert_string_equal(escaped, expected);
    text_escape(escaped, sizeof escaped, expected);
    assert_string_equal(escaped, expected); /* once is as often as one likes */
}

static void what_acts_on_a_terminal_is_made_visible(void **state) {
    (void)state;
    check_escaped("conv1/weight:0", "conv1/weight:0");
    check_escaped("\x1b[2J\a\r\n\t\x7f", "\\x1b[2J\\x07\\x0d\\x0a\\x09\\x7f");
    check_escaped("Größe 大小 \xf0\x9f\x99\x82", "Größe 大小 \xf0\x9f\x99\x82");
    check_escaped("\xc2\x85\xc2\x9b", "\\u0085\\u009b");
    check_escaped("a\xe2\x80\xaez\xe2\x80\xa8\xe2\x80\xa9\xe2\x81\xa6\xe2\x80\x8f\xd8\x9c",
                  "a\\u202ez\\u2028\\u2029\\u2066\\u200f\\u061c");
}

static void what_is_not_utf8_is_shown_byte_by_byte(void **state) {
    (void)state;
    check_escaped("a\xffz", "a\\xffz");
    check_escaped("\xc0\xaf", "\\xc0\\xaf");                   /* too long for a slash */
    check_escaped("\xed\xa0\x80", "\\xed\\xa0\\x80");          /* a surrogate */
    check_escaped("\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"); /* beyond the last character */
    check_escaped("\xe5\xa4", "\\xe5\\xa4");                   /* the beginning of one */
}

static void a_cut_leaves_characters_and_escapes_whole(void **state) {
    (void)state;
    const char *text = "a\x1b\xe5\xa4\xa7";
    const char *const expected[] = {"",  "",       "a",      "a",      "a",
                                    "a", "a\\x1b", "a\\x1b", "a\\x1b", "a\\x1b\xe5\xa4\xa7"};
    for (size_t size = 1; size < 10; size++) {
        char cut[10];
        memset(cut, 'X', sizeof cut);
        assert_int_equal(text_escape(cut, size, text), 8);
        assert_string_equal(cut, expected[size]);
        assert_int_equal(text_format(cut, size, "%s", text), 8);
        assert_string_equal(cut, expected[size]);
    }
    assert_int_equal(text_escape(NULL, 0, text), 8);
}

static void formats_are_those_of_printf(void **state) {
    (void)state;
    char ours[400], theirs[400];
#define CHECK(...)                                                                                           \
    do {                                                                                                     \
        const int length = snprintf(theirs, sizeof theirs, __VA_ARGS__);                                     \
        assert_int_equal(text_format(ours, sizeof ours, __VA_ARGS__), length);                               \
        assert_string_equal(ours, theirs);                                                                   \
    } while (0)
    CHECK("plain ü");
    CHECK("%d %i %u %x %X %o %%", -1, INT32_MIN, 3000000000u, 255u, 255u, 8u);
    CHECK("%ld %lld %lu %llu", -1L, LLONG_MIN, ~0UL, ~0ULL);
    CHECK("%zu %td %jd", SIZE_MAX, (ptrdiff_t)-5, (intmax_t)7);
    CHECK("%5d|%-5d|%05d|%+d|%*d|%-*d|%.3d", 1, 2, 3, 4, 5, 6, 5, 7, 8);
    CHECK("%g %.3g %.9g %e %10.2f %5.1f %%", 0.1, 1e9, 3.14159265358979, 2.5, 1.0 / 3, 99.95);
    CHECK("%f", 1e300);
    CHECK("%s|%10s|%-10s|%.2s|%.*s|%*s|%c", "abc", "abc", "abc", "abc", 1, "abc", 6, "abc", 'x');
    CHECK("%p", (void *)ours);
#undef CHECK
}

static void a_name_in_quotes_cannot_end_them(void **state) {
    (void)state;
    char text[100];
    text_format(text, sizeof text, "node \"%s\" fails: %s", "a\" is fine \\", "output \"b\"");
    assert_string_equal(text, "node \"a\\\" is fine \\\\\" fails: output \"b\"");
    text_format(text, sizeof text, "\"%.4s\"|%c", "\"\"\"", '\n');
    assert_string_equal(text, "\"\\\"\\\"\"|\\x0a"); /* a precision counts what is printed */
}

static void widths_count_what_is_printed(void **state) {
    (void)state;
    char text[100];
    text_format(text, sizeof text, "%-6s|%6s|%-6s|%-2s|", "\xe5\xa4\xa7", "\x1b", "abc", "\n");
    assert_string_equal(text, "\xe5\xa4\xa7     |  \\x1b|abc   |\\x0a|");
}

static void a_precision_reads_no_further_and_halves_no_character(void **state) {
    (void)state;
    char text[20], *block = malloc(5); /* of its own, for the sanitizer */
    memcpy(block, "ab\xe5\xa4\xa7", 5);
    text_format(text, sizeof text, "%.*s|", 5, block);
    assert_string_equal(text, "ab\xe5\xa4\xa7|");
    text_format(text, sizeof text, "%.*s|", 4, block);
    assert_string_equal(text, "ab|");
    free(block);
}

static char logged[700];

static void keep(void *context, strider_log_level level, const char *message) {
    (void)context;
    (void)level;
    snprintf(logged, sizeof logged, "%s", message);
}

static void errors_and_logs_are_one_line_of_utf8(void **state) {
    (void)state;
    Error err;
    char name[1000];
    memset(name, 0xe5, sizeof name - 1);
    name[sizeof name - 1] = '\0';
    fail_at(&err, STRIDER_BAD_MODEL, 0, "\"%s\"", name);
    assert_int_equal(strlen(err.message), 637); /* whole escapes after the quote */
    error_name_node(&err, "a\nb", "\x1b[0m");
    assert_string_equal(err.node, "a\\x0ab");
    assert_string_equal(err.op, "\\x1b[0m");
    log_warning(&(Log){keep, NULL}, "%s: \"%s\"", "a\nb", "c\"\n");
    assert_string_equal(logged, "a\\x0ab: \"c\\\"\\x0a\"");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_acts_on_a_terminal_is_made_visible),
        cmocka_unit_test(what_is_not_utf8_is_shown_byte_by_byte),
        cmocka_unit_test(a_cut_leaves_characters_and_escapes_whole),
        cmocka_unit_test(formats_are_those_of_printf),
        cmocka_unit_test(a_name_in_quotes_cannot_end_them),
        cmocka_unit_test(widths_count_what_is_printed),
        cmocka_unit_test(a_precision_reads_no_further_and_halves_no_character),
        cmocka_unit_test(errors_and_logs_are_one_line_of_utf8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
