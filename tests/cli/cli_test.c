/* SPDX-License-Identifier: Apache-2.0 */
/* The program, from outside: statuses, messages, files. */
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "program.h"

#define DIGITS in_source("models/digits/digits.onnx")
#define SEVEN in_source("models/digits/samples/7.npy")
#define CASE in_source("models/conv2d")

static void wrong_command_lines_say_what_is_wrong(void **state) {
    (void)state;
    expect_error(2, "a command is missing", strider("", NULL));
    expect_error(2, "unknown command \"walk\"", strider("walk", NULL));
    expect_error(2, "a model is missing", strider("run", NULL));
    expect_error(2, "unknown option --fast", strider("run", DIGITS, "--fast", NULL));
    expect_error(2, "--threads", strider("run", DIGITS, "--threads", "none", NULL));
    expect_error(2, "--rtol needs a value", strider("check", CASE, "--rtol", NULL));
    expect_error(2, "--rtol takes a number", strider("check", CASE, "--rtol", "-1", NULL));
    expect_error(2, "--sort", strider("profile", DIGITS, "--sort", "name", NULL));
    expect_error(2, "--format", strider("run", DIGITS, SEVEN, "--format", "csv", NULL));
    expect_error(2, "--device", strider("run", DIGITS, "--device", "abacus", NULL));
}

static void help_and_version_are_results(void **state) {
    (void)state;
    const Result *result = expect(0, strider("--help", NULL));
    assert_non_null(strstr(result->out, "usage: strider"));
    assert_string_equal(result->err, "");
    assert_non_null(strstr(expect(0, strider("--version", NULL))->out, "strider "));
}

static void files_that_are_not_there_or_not_models_are_named(void **state) {
    (void)state;
    expect_error(3, "No such file", strider("run", "nowhere.onnx", NULL));
    expect_error(3, "nowhere.npy", strider("run", DIGITS, "nowhere.npy", NULL));
    expect_error(3, "README.md", strider("info", in_source("README.md"), NULL));
    expect_error(3, "README.md", strider("run", DIGITS, in_source("README.md"), NULL));
    expect_error(5, "cuda", strider("run", DIGITS, SEVEN, "--device", "cuda", NULL));
}

/* Times are written once and then read; what is no such file is refused and left alone; times of another CPU
 * are replaced. */
static void tuning_is_kept_in_a_file(void **state) {
    (void)state;
    char path[300], first[256], again[256];
    snprintf(path, sizeof path, "%s", in_scratch("times.txt"));
    expect(0, strider("run", DIGITS, SEVEN, "--tune", NULL));
    expect(0, strider("check", CASE, "--tuning", path, NULL));
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_non_null(fgets(first, sizeof first, file));
    assert_non_null(strstr(first, "strider-tuning 1 "));
    assert_non_null(
        fgets(first, sizeof first, file)); /* a time, which a second run would not measure again */
    assert_non_null(strstr(first, " Conv "));
    fclose(file);
    expect(0, strider("check", CASE, "--tuning", path, NULL));
    file = fopen(path, "r");
    assert_non_null(file);
    assert_non_null(fgets(again, sizeof again, file));
    assert_non_null(fgets(again, sizeof again, file));
    fclose(file);
    assert_string_equal(first, again);
    file = fopen(path, "w");
    assert_non_null(file);
    fputs("strider-tuning 1 0.0.0 abacus\ngeneric conv_direct 5 5 Conv\n", file);
    fclose(file);
    assert_non_null(strstr(expect(0, strider("check", CASE, "--tuning", path, NULL))->err, "another CPU"));
    assert_null(strstr(expect(0, strider("check", CASE, "--tuning", path, NULL))->err, "another CPU"));
    expect_error(3, "no tuning file",
                 strider("run", DIGITS, SEVEN, "--tuning", in_source("README.md"), NULL));
    file = fopen(path, "a");
    assert_non_null(file);
    fputs("avx2 conv_direct fast\n", file);
    fclose(file);
    expect_error(3, "line", strider("check", CASE, "--tuning", path, NULL));
    assert_non_null(strstr(
        expect(3, strider("check", CASE, "--tuning", in_scratch("nowhere/times"), NULL))->err, "nowhere"));
}

static void run_shows_classes_by_their_labels(void **state) {
    (void)state;
    const Result *result = expect(0, strider("run", DIGITS, SEVEN, "--labels",
                                             in_source("models/digits/labels.txt"), "--top", "1", NULL));
    assert_non_null(strstr(result->out, "% "));
    assert_non_null(strstr(result->out, "seven"));
    assert_null(strstr(result->out, "eight"));
}

static void run_takes_inputs_by_name_and_from_generators(void **state) {
    (void)state;
    static char first[1 << 16];
    char named[600];
    json_error_t where;
    json_t *info = json_loads(expect(0, strider("info", DIGITS, "--json", NULL))->out, 0, &where);
    const char *name =
        json_string_value(json_object_get(json_array_get(json_object_get(info, "inputs"), 0), "name"));
    assert_non_null(name);
    snprintf(named, sizeof named, "%s=%s", name, SEVEN);
    strcpy(first, expect(0, strider("run", DIGITS, SEVEN, NULL))->out);
    assert_string_equal(first, expect(0, strider("run", DIGITS, named, NULL))->out);
    snprintf(named, sizeof named, "%s=random:5", name);
    strcpy(first, expect(0, strider("run", DIGITS, named, NULL))->out);
    assert_string_equal(first, expect(0, strider("run", DIGITS, "random:5", NULL))->out);
    assert_string_not_equal(first, expect(0, strider("run", DIGITS, "random:6", NULL))->out);
    expect(0, strider("run", DIGITS, "zeros", NULL));
    expect(0, strider("run", DIGITS, "ones", "--threads", "2", NULL));
    expect_error(2, "nothing", strider("run", DIGITS, "nothing=zeros", NULL));
    json_decref(info);
}

static void saved_outputs_are_what_check_expects(void **state) {
    (void)state;
    static const char *const files[] = {"out.npy", "out.npz", "folder/", "folder_pb/"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        const char *format = i == 3 ? "pb" : "npy";
        expect(0, strider("run", DIGITS, SEVEN, "--quiet", "--format", format, "-o", in_scratch(files[i]),
                          NULL));
        if (i < 2) {
            expect(0, strider("check", DIGITS, SEVEN, "--expect", in_scratch(files[i]), NULL));
            const Result *other =
                expect(1, strider("check", DIGITS, "random", "--expect", in_scratch(files[i]), NULL));
            assert_non_null(strstr(other->out, "0 passed, 1 failed"));
        }
    }
    /* A tolerance as large as the difference lets the same pass. */
    expect(0, strider("check", DIGITS, "random", "--atol", "1e6", "--expect", in_scratch("out.npy"), NULL));
    expect_error(3, "/nowhere/", strider("run", DIGITS, SEVEN, "-o", "/nowhere/out.npz", NULL));
}

static void check_counts_cases(void **state) {
    (void)state;
    const Result *result = expect(0, strider("check", CASE, "--threads", "1,2", NULL));
    assert_non_null(strstr(result->out, "tolerance: "));
    assert_non_null(strstr(result->out, " passed, 0 failed"));
    assert_string_equal(result->err, "");
    json_error_t where;
    json_t *all = json_loads(expect(0, strider("check", CASE, "--json", NULL))->out, 0, &where);
    assert_non_null(all);
    assert_true(json_array_size(json_object_get(all, "cases")) > 20);
    json_decref(all);
    /* No rounding at all is more than kernels promise. */
    expect(1, strider("check", CASE, "--rtol", "0", "--atol", "0", NULL));
}

static void json_keys_of_times_carry_their_unit(void **state) {
    (void)state;
    static const char *const bench_keys[] = {"min_ms",  "mean_ms", "p50_ms",       "p90_ms",      "p99_ms",
                                             "load_ms", "plan_ms", "first_run_ms", "peak_rss_mb", "threads"};
    json_error_t where;
    const Result *result = strider("bench", DIGITS, "--json", "--seconds", "0.01", "--threads", "1", NULL);
    json_t *all = json_loads(expect(0, result)->out, 0, &where);
    for (size_t i = 0; i < sizeof bench_keys / sizeof *bench_keys; i++)
        if (!json_is_number(json_object_get(all, bench_keys[i])))
            fail_msg("no number %s", bench_keys[i]);
    assert_true(json_integer_value(json_object_get(all, "runs")) >= 5);
    json_decref(all);
    result = strider("profile", DIGITS, "--json", "--seconds", "0.01", "--warmup", "0", NULL);
    all = json_loads(expect(0, result)->out, 0, &where);
    json_t *step = json_array_get(json_object_get(all, "steps"), 0);
    assert_true(json_is_number(json_object_get(step, "ms")));
    assert_true(json_is_string(json_object_get(step, "kernel")));
    assert_true(json_number_value(json_object_get(all, "peak_gflops")) > 0);
    json_decref(all);
    assert_non_null(
        strstr(expect(0, strider("profile", DIGITS, "--seconds", "0.01", "--sort", "time", NULL))->out,
               "measured peak"));
}

static void plain_and_reference_runs_agree(void **state) {
    (void)state;
    expect(0, strider("run", DIGITS, SEVEN, "--quiet", "-o", in_scratch("fast.npy"), NULL));
    expect(0, strider("check", DIGITS, SEVEN, "--no-optimize", "--expect", in_scratch("fast.npy"), NULL));
    expect(0, strider("check", DIGITS, SEVEN, "--reference", "--expect", in_scratch("fast.npy"), NULL));
    expect(0, strider("check", DIGITS, SEVEN, "--max-error", "0", "--expect", in_scratch("fast.npy"), NULL));
    expect(0, strider("check", DIGITS, SEVEN, "--fast-winograd", "--expect", in_scratch("fast.npy"), NULL));
    /* The bound chooses the algorithms. */
    assert_non_null(strstr(expect(0, strider("profile", DIGITS, "--seconds", "0", NULL))->out, "winograd"));
    assert_null(strstr(expect(0, strider("profile", DIGITS, "--seconds", "0", "--max-error", "0", NULL))->out,
                       "winograd"));
}

static void the_manual_names_every_option(void **state) {
    (void)state;
    static char manual[1 << 16];
    FILE *file = fopen(in_source("docs/strider.1"), "rb");
    assert_non_null(file);
    manual[fread(manual, 1, sizeof manual - 1, file)] = '\0';
    fclose(file);
    /* The manual escapes hyphens. */
    char *to = manual;
    for (const char *from = manual; *from; from++)
        if (*from != '\\')
            *to++ = *from;
    *to = '\0';
    const Result *help = expect(0, strider("--help", NULL));
    for (const char *at = help->out; (at = strstr(at, "--")) != NULL;) {
        char option[40] = "";
        size_t length = 2 + strspn(at + 2, "abcdefghijklmnopqrstuvwxyz-");
        /* mdoc's Fl writes the first hyphen itself. */
        snprintf(option, sizeof option, "Fl %.*s", (int)length - 1, at + 1);
        if (length > 2 && !strstr(manual, option))
            fail_msg("the manual does not name %s", option);
        at += length;
    }
}

int main(int argc, char **argv) {
    if (argc != 3 || !mkdtemp(scratch_folder))
        return 2;
    program = argv[1];
    source_folder = argv[2];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_command_lines_say_what_is_wrong),
        cmocka_unit_test(help_and_version_are_results),
        cmocka_unit_test(files_that_are_not_there_or_not_models_are_named),
        cmocka_unit_test(tuning_is_kept_in_a_file),
        cmocka_unit_test(run_shows_classes_by_their_labels),
        cmocka_unit_test(run_takes_inputs_by_name_and_from_generators),
        cmocka_unit_test(saved_outputs_are_what_check_expects),
        cmocka_unit_test(check_counts_cases),
        cmocka_unit_test(json_keys_of_times_carry_their_unit),
        cmocka_unit_test(plain_and_reference_runs_agree),
        cmocka_unit_test(the_manual_names_every_option),
    };
    int failed = cmocka_run_group_tests_name("command line", tests, NULL, NULL) + model_tests() +
                 odd_file_tests() + check_tests() + run_weights_tests();
    char command[200];
    snprintf(command, sizeof command, "rm -r %s", scratch_folder);
    return system(command) != 0 || failed;
}
