/* SPDX-License-Identifier: Apache-2.0 */
/* Regular expressions, as RE2 understands them; RegexFullMatch. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "support/op_test.h"

#include <cmocka.h>

#include "ops/text/regex.h"

/* Whether the pattern matches all of the text; -1 where it is refused. */
static int matches(const char *pattern, String text) {
    Region region;
    Regex regex;
    Error err = {0};
    int result = -1;
    region_init(&region, allocator_default(), 0);
    if (regex_compile(pattern, &region, &regex, &err) == STRIDER_OK) {
        void *scratch = malloc(regex_scratch_bytes(&regex).n);
        assert_non_null(scratch);
        result = regex_matches(&regex, text, scratch);
        free(scratch);
    }
    region_free(&region);
    return result;
}

/* Texts that match, then those that do not; each list ends with NULL. */
typedef struct Row {
    const char *pattern, *good[6], *bad[6];
} Row;

static void expect_rows(const Row *rows, size_t count) {
    for (size_t i = 0; i < count; i++)
        for (int good = 0; good < 2; good++) {
            const char *const *texts = good ? rows[i].good : rows[i].bad;
            for (int k = 0; k < 6 && texts[k]; k++)
                if (matches(rows[i].pattern, (String){texts[k], strlen(texts[k])}) != good)
                    fail_msg("\"%s\" and \"%s\": not %d", rows[i].pattern, texts[k], good);
        }
}

static void characters_sequences_and_choices(void **state) {
    (void)state;
    static const Row rows[] = {
        {"", {""}, {"a", " "}},
        {"abc", {"abc"}, {"", "ab", "abcd", "xabc", "ABC"}},
        {"a|b", {"a", "b"}, {"", "ab", "c"}},
        {"|a", {"", "a"}, {"aa"}},
        {"ab|cd|", {"ab", "cd", ""}, {"abcd", "ad"}},
        {"a(b|c)d", {"abd", "acd"}, {"ad", "abcd", "abd "}},
        {"(?:ab)(?P<name>c)(?<other>d)", {"abcd"}, {"abc"}},
        {"a.c",
         {"abc", "a.c",
          "a\xc3\xa4"
          "c"},
         {"ac", "a\nc", "abbc",
          "a\xff"
          "c"}},
        {"\xc3\xa4+", {"\xc3\xa4", "\xc3\xa4\xc3\xa4"}, {"", "\xc3", "\xc3\xa4\xa4"}},
        {"a{", {"a{"}, {"a"}},
        {"a{,2}", {"a{,2}"}, {"a", "aa"}},
        {"x]", {"x]"}, {"x"}},
    };
    expect_rows(rows, sizeof rows / sizeof *rows);
}

static void repetitions(void **state) {
    (void)state;
    static const Row rows[] = {
        {"a*", {"", "a", "aaaa"}, {"b", "aab"}},
        {"a+", {"a", "aaa"}, {"", "ba"}},
        {"a?b", {"b", "ab"}, {"aab", "a"}},
        {"a{3}", {"aaa"}, {"aa", "aaaa"}},
        {"a{2,}", {"aa", "aaaaa"}, {"", "a"}},
        {"a{1,3}", {"a", "aa", "aaa"}, {"", "aaaa"}},
        {"a{0}b", {"b"}, {"ab"}},
        {"(ab){2,3}", {"abab", "ababab"}, {"ab", "abababab", "aba"}},
        {"a*?b+?c??", {"b", "aabb", "abc"}, {"a", "bcc"}},
        {"(a*)*b", {"b", "aaab"}, {"a", "ba"}},
        {"(a|aa)+", {"a", "aaaaa"}, {"", "ab"}},
        {"(|a)*", {"", "aaa"}, {"b"}},
        {"(a{2}){2}", {"aaaa"}, {"aaa", "aaaaaa"}},
        {"(?:)*", {""}, {"a"}},
    };
    expect_rows(rows, sizeof rows / sizeof *rows);
}

static void sets_and_escapes(void **state) {
    (void)state;
    static const Row rows[] = {
        {"[abc]", {"a", "b", "c"}, {"", "d", "ab"}},
        {"[^abc]", {"d", "\n", "\xc3\xa4"}, {"a", "", "\xff"}},
        {"[a-c0-2]+", {"a1c", "02"}, {"d", "3"}},
        {"[]a]+", {"]a"}, {"[", "b"}},
        {"[^]a]", {"b"}, {"]", "a"}},
        {"[a-]+", {"a-a"}, {"b"}},
        {"[-a]+", {"-a"}, {"b"}},
        {"[a\\-z]+", {"a-z"}, {"b"}},
        {"[\\d_x]+", {"1_x"}, {"y"}},
        {"[^\\d]", {"a"}, {"1"}},
        {"[\\D]", {"a", "\xc3\xa4"}, {"1"}},
        {"\\d+\\D\\s\\S\\w\\W", {"12x y_-"}, {"12xyyy-", "1 2"}},
        {"[[:alpha:]]+[[:digit:]]", {"aZ1"}, {"a", "11"}},
        {"[[:^alpha:]x]+", {"1x-"}, {"a"}},
        {"[[:punct:]]+", {"!/:@[`{~"}, {"a", " "}},
        {"[[:cntrl:]]", {"\x01", "\x7f"}, {"a"}},
        {"[[:^cntrl:]]", {"a", "\xc3\xa4"}, {"\x01"}},
        {"[\xc3\xa0-\xc3\xbf]", {"\xc3\xa4"}, {"a", "\xc4\x80"}},
        {"\\.\\*\\[\\\\", {".*[\\"}, {"a"}},
        {"\\x41\\x{00e4}\\101\\07",
         {"A\xc3\xa4"
          "A\a"},
         {"A"}},
        {"\\t\\n\\r\\f\\v\\a", {"\t\n\r\f\v\a"}, {"t"}},
        {"\\Qa.b*\\E.", {"a.b*c"}, {"axb*c", "a.b"}},
        {"\\Q(", {"("}, {""}},
    };
    expect_rows(rows, sizeof rows / sizeof *rows);
}

static void places_and_flags(void **state) {
    (void)state;
    static const Row rows[] = {
        {"^ab$", {"ab"}, {"ab\n", "xab"}},
        {"\\Aab\\z", {"ab"}, {"abc"}},
        {"a^b", {NULL}, {"ab", "a^b"}},
        {"(?m)a$\n^b", {"a\nb"}, {"ab"}},
        {"a$\n^b", {NULL}, {"a\nb"}},
        {"a\\b b", {"a b"}, {"ab"}},
        {"a\\Bb", {"ab"}, {"a"}},
        {"\\b", {NULL}, {"", "a"}},
        {"(?i)aBc[d-f]", {"AbCd", "abcF"}, {"abcg"}},
        {"(?i:a)b", {"ab", "Ab"}, {"AB"}},
        {"((?i)a)b", {"Ab"}, {"AB"}},
        {"(?i)a(?-i)b|c", {"Ab", "c"}, {"AB", "C"}},
        {"(?s).", {"\n"}, {""}},
        {"(?U)a+", {"aaa"}, {""}},
        {"(?is).b", {"\nB"}, {"b"}},
    };
    expect_rows(rows, sizeof rows / sizeof *rows);
}

static void what_is_no_pattern_is_refused(void **state) {
    (void)state;
    static const char *const bad[] = {
        "(",     ")",       "a)",           "[",        "[a",      "[z-a]", "*",     "a|*",         "(+)",
        "a**",   "a+*",     "a{2}{3}",      "a{3,2}",   "a{1001}", "\\",    "\\1",   "\\y",         "\\8",
        "(?z)a", "(?P<>a)", "(?P<n",        "[[:no:]]", "\\x",     "\\xg1", "\\x{}", "\\x{110000}", "\\pN",
        "\\C",   "\xff",    "(?i)\xc3\xa4", "(?=a)",    "(?!a)",   "(?",    "[\\b]", "[a-\\d]",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (matches(bad[i], (String){"a", 1}) != -1)
            fail_msg("\"%s\" was taken", bad[i]);
}

/* Nothing goes back over what it has tried, and no pattern grows beyond bounds. */
static void hostile_patterns_and_texts_end(void **state) {
    (void)state;
    enum { N = 20000 };
    static char text[N], nested[4 * 300 + 1], deep[40 * 9 + 3];
    memset(text, 'a', N);
    assert_int_equal(matches("(a*)*b", (String){text, N}), 0);
    assert_int_equal(matches("(a|a)*(a|aa)*", (String){text, N}), 1);
    assert_int_equal(matches("((a{100}){100}){100}", (String){text, 1}), -1);
    for (int i = 0; i < 300; i++) {
        nested[i] = '(';
        nested[300 + i] = ')';
    }
    assert_int_equal(matches(nested, (String){NULL, 0}), -1);
    /* Repetitions of nothing have no states, but take time */
    memset(deep, '(', 40);
    for (int i = 0; i < 40; i++)
        memcpy(deep + 40 + 7 * i, "){1000}", 7);
    assert_int_equal(matches(deep, (String){NULL, 0}), -1);
}

static void bytes_of_zero_are_characters(void **state) {
    (void)state;
    assert_int_equal(matches("a.b", (String){"a\0b", 3}), 1);
    assert_int_equal(matches("a\\x00b", (String){"a\0b", 3}), 1);
    assert_int_equal(matches("a[[:ascii:]]b", (String){"a\0b", 3}), 1);
    assert_int_equal(matches("a", (String){"a\0", 2}), 0);
}

static void full_match_tells_of_each_string(void **state) {
    (void)state;
    OpTest test = {
        .op = "RegexFullMatch",
        .opset = 20,
        .attrs = {attr_string("pattern", "www\\.[\\w.-]+\\.\\bcom\\b")},
        .n_inputs = 1,
        .inputs = {tensor_strings(DIMS(2, 2), "www.google.com", "www.facebook.com", "www.bbc.co.uk", "")}};
    Tensor y = tensor_typed(STRIDER_BOOL, DIMS(2, 2), 1, 1, 0, 0);
    op_test_expect(&test, &y);
    OpTest wrong = {.op = "RegexFullMatch",
                    .opset = 20,
                    .attrs = {attr_string("pattern", "(a")},
                    .n_inputs = 1,
                    .inputs = {tensor_strings(DIMS(1), "a")}};
    op_test_expect_error(&wrong, STRIDER_BAD_MODEL, "pattern \"(a\" at byte 2: a missing )");
    OpTest missing = {
        .op = "RegexFullMatch", .opset = 20, .n_inputs = 1, .inputs = {tensor_strings(DIMS(1), "a")}};
    op_test_expect_error(&missing, STRIDER_BAD_MODEL, "attribute pattern is missing");
    OpTest numbers = {.op = "RegexFullMatch",
                      .opset = 20,
                      .attrs = {attr_string("pattern", "a")},
                      .n_inputs = 1,
                      .inputs = {tensor_f32(DIMS(1), 1)}};
    op_test_expect_error(&numbers, STRIDER_UNSUPPORTED, "float32");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(characters_sequences_and_choices),
        cmocka_unit_test(repetitions),
        cmocka_unit_test(sets_and_escapes),
        cmocka_unit_test(places_and_flags),
        cmocka_unit_test(what_is_no_pattern_is_refused),
        cmocka_unit_test(hostile_patterns_and_texts_end),
        cmocka_unit_test(bytes_of_zero_are_characters),
        cmocka_unit_test(full_match_tells_of_each_string),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
