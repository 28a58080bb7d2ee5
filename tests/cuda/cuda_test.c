/* SPDX-License-Identifier: Apache-2.0 */
/* The program with --device cuda, on the virtual device: what it says and how it ends.  Arguments: the
 * program, the repository.  The environment makes the loader find the virtual device. */
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/program.h"

#define DIGITS in_source("models/digits/digits.onnx")
#define SEVEN in_source("models/digits/samples/7.npy")

/* Runs with one more setting in the environment. */
static const Result *run_with(const char *name, const char *value) {
    setenv(name, value, 1);
    const Result *result = strider("run", DIGITS, SEVEN, "--device", "cuda", NULL);
    unsetenv(name);
    return result;
}

/* With `text` in what is said; there may be lines beside it, as AddressSanitizer has a word on fibres. */
static void expect_failure(int status, const char *text, const Result *result) {
    expect(status, result);
    if (!strstr(result->err, "strider: ") || !strstr(result->err, text))
        fail_msg("\"%s\" is not in:\n%s", text, result->err);
}

static void the_device_is_listed_with_its_libraries(void **state) {
    (void)state;
    const Result *result = expect(0, strider("info", "--devices", NULL));
    assert_non_null(strstr(result->out, "cuda:0     virtual device, compute capability 8.0"));
    assert_non_null(strstr(result->out, "cuDNN 9."));
}

/* Every node of the network runs on the device; its input and its output cross once. */
static void a_small_network_runs_there_completely(void **state) {
    (void)state;
    const Result *result = expect(0, strider("info", DIGITS, "--device", "cuda", "--memory", NULL));
    const char *at = result->out;
    int count = 0;
    assert_null(strstr(result->out, "  cpu"));
    while ((at = strstr(at, "load  ")))
        count++, at++;
    assert_int_equal(count, 4); /* two copies: as a name and as a kernel */
    assert_non_null(strstr(result->out, "\n  uploads              0.00 MB in 1 step\n"));
    assert_non_null(strstr(result->out, "\n  largest workspace    "));
    for (at = result->out, count = 0; (at = strstr(at, " + bias + relu")); at++)
        count++;
    assert_int_equal(count, 3); /* convolutions, each one plan with all that follows */
    assert_non_null(strstr(result->out, "cublaslt + bias"));
}

static void a_residual_is_part_of_the_plan(void **state) {
    (void)state;
    const Result *result =
        expect(0, strider("info", in_source("models/operators.onnx"), "--device", "cuda", "--memory", NULL));
    assert_non_null(strstr(result->out, "cudnn engine 3 + residual + bias + relu"));
}

/* Else a wrong description would not show: kernels of our own would take the place of a plan that was
 * refused. */
static void every_convolution_of_the_models_has_a_plan_of_cudnn(void **state) {
    (void)state;
    glob_t models;
    assert_int_equal(glob(in_source("models/conv2d/*/*/model.onnx"), 0, NULL, &models), 0);
    for (size_t i = 0; i < models.gl_pathc; i++) {
        const Result *result =
            expect(0, strider("info", models.gl_pathv[i], "--device", "cuda", "--memory", NULL));
        if (!strstr(result->out, "cudnn engine") || strstr(result->out, "cuda_conv_direct"))
            fail_msg("%s:\n%s", models.gl_pathv[i], result->out);
    }
    globfree(&models);
}

/* A failure of any call is an error of one line and exit status 5, with nothing leaked: that would be 86. */
static void each_call_may_fail(void **state) {
    (void)state;
    static const char *const calls[] = {"cudaMalloc",
                                        "cudaHostAlloc",
                                        "cudaMemcpyAsync",
                                        "cudaStreamCreateWithFlags",
                                        "cudaStreamSynchronize",
                                        "cudaLaunchKernel",
                                        "cudnnCreate",
                                        "cudnnBackendExecute",
                                        "cublasLtCreate",
                                        "cublasLtMatmul",
                                        "cublasLtMatmulDescCreate",
                                        "cublasLtMatmulDescSetAttribute",
                                        "cublasLtMatrixLayoutCreate",
                                        "cublasLtMatmulAlgoGetHeuristic"};
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        const Result *result;
        int n = 0;
        do {
            char setting[60];
            snprintf(setting, sizeof setting, "%s:%d", calls[i], ++n);
            result = run_with("VCUDA_FAIL", setting);
            if (result->status)
                expect_failure(5, "device cuda", result);
        } while (result->status && n < 50);
        if (n < 2 || result->status)
            fail_msg("%s failed %d times", calls[i], n);
    }
}

/* Planning goes on where cuDNN refuses something: to the next engine, to less in one plan, to kernels of our
 * own. */
static void planning_survives_every_refusal_of_cudnn(void **state) {
    (void)state;
    static const char *const calls[] = {"cudnnBackendCreateDescriptor", "cudnnBackendSetAttribute",
                                        "cudnnBackendGetAttribute", "cudnnBackendFinalize"};
    const int limit = 400, step = 23; /* of some 1000 calls, to take seconds */
    for (int i = 0; i < 4; i++)
        for (int n = 1; n < limit; n += step) {
            char setting[60];
            snprintf(setting, sizeof setting, "%s:%d", calls[i], n);
            const Result *result = run_with("VCUDA_FAIL", setting);
            if (result->status)
                expect_failure(5, "device cuda", result);
        }
}

static void memory_that_runs_out_is_told_in_numbers(void **state) {
    (void)state;
    expect_failure(5, "out of memory: ", run_with("VCUDA_MEMORY", "1000000"));
    expect_failure(5, "1000000 free", run_with("VCUDA_MEMORY", "1000000"));
}

static void what_is_missing_or_too_old_is_named(void **state) {
    (void)state;
    expect_failure(5, "no NVIDIA driver", run_with("VCUDA_DRIVER", "0"));
    expect_failure(5, "driver is too old: it is for CUDA 12.8", run_with("VCUDA_DRIVER", "12080"));
    expect_failure(5, "no CUDA-capable device", run_with("VCUDA_DEVICES", "0"));
    expect_failure(5, "compute capability 7.0", run_with("VCUDA_CAPABILITY", "70"));
    expect_failure(5, "cuDNN 90701", run_with("VCUDNN_VERSION", "90701"));
    expect_failure(5, "cuDNN 100000", run_with("VCUDNN_VERSION", "100000"));
    expect_failure(5, "there are 1", strider("run", DIGITS, SEVEN, "--device", "cuda:1", NULL));
    expect_failure(5, "/nowhere.so", run_with("STRIDER_CUDA_MODULE", "/nowhere.so"));
}

static void auto_takes_the_device_or_says_why_not(void **state) {
    (void)state;
    const Result *result = expect(0, strider("info", DIGITS, "--device", "auto", NULL));
    assert_non_null(strstr(result->out, "cuda:0"));
    setenv("VCUDA_DRIVER", "0", 1);
    result = expect(0, strider("info", DIGITS, "--device", "auto", NULL));
    unsetenv("VCUDA_DRIVER");
    assert_null(strstr(result->out, "cuda"));
    assert_non_null(strstr(result->err, "running on the CPU: device cuda: no NVIDIA driver"));
}

/* Times are those of the device's clock: a plan of engine 3 takes 50 us on the virtual device, by no other
 * clock. */
static void a_profile_has_the_times_of_the_device(void **state) {
    (void)state;
    const Result *result =
        expect(0, strider("profile", DIGITS, "--device", "cuda", "--seconds", "0", "--warmup", "0", NULL));
    assert_non_null(strstr(result->out, "device  kernel"));
    assert_non_null(strstr(result->out, "  cuda:0  cudnn engine 3 "));
    assert_non_null(strstr(result->out, "\n   0.0500 "));
    assert_null(strstr(result->out, "measured peak"));
}

/* In every line on a convolution the operator stands below its title, after a kernel's name of any length.
 */
static void expect_aligned(const Result *result) {
    const char *title = strstr(result->out, "operator  "), *at = title;
    assert_non_null(title);
    const char *begin = title;
    while (begin > result->out && begin[-1] != '\n')
        begin--;
    int count = 0;
    for (; (at = strchr(at, '\n')) && at[1] && at[1] != '\n'; at++) {
        const size_t length = strcspn(at + 1, "\n"), column = (size_t)(title - begin);
        if (!memmem(at + 1, length, "cudnn engine", 12))
            continue;
        count++;
        if (length <= column || strncmp(at + 1 + column - 2, "  Conv  ", 8) != 0)
            fail_msg("in column %zu of:\n%s", column, result->out);
    }
    assert_int_equal(count, 3); /* convolutions */
}

static void tables_of_steps_line_up(void **state) {
    (void)state;
    expect_aligned(expect(0, strider("info", DIGITS, "--device", "cuda", "--memory", NULL)));
    expect_aligned(expect(0, strider("profile", DIGITS, "--device", "cuda", "--seconds", "0", NULL)));
}

typedef struct Choice {
    const char *has, *lacks; /* words of `info --memory` */
} Choice;

static long allocations_of(const Result *result) {
    const char *log = strstr(result->err, "virtual device: ");
    assert_non_null(log);
    return strtol(log + strlen("virtual device: "), NULL, 10);
}

/* The first time all is measured, and the second time nothing: no scratch memory is taken then. */
static void expect_tuned(const char *model, const char *path, const Choice *choices) {
    long allocations[3];
    setenv("VCUDA_LOG", "1", 1);
    for (int i = 0; i < 3; i++) {
        const Result *result =
            expect(0, i ? strider("info", model, "--device", "cuda", "--memory", "--tuning", path, NULL)
                        : strider("info", model, "--device", "cuda", "--memory", NULL));
        const Choice *choice = &choices[i > 0];
        if (!strstr(result->out, choice->has) || strstr(result->out, choice->lacks))
            fail_msg("%s in:\n%s", choice->has, result->out);
        allocations[i] = allocations_of(result);
    }
    unsetenv("VCUDA_LOG");
    assert_true(allocations[1] > allocations[0]);
    assert_int_equal(allocations[2], allocations[0]);
}

/* By the virtual device's clock the engine that cuDNN offers last is the fastest. */
static void tuning_takes_the_fastest_plan_and_remembers(void **state) {
    (void)state;
    const Choice choices[] = {{"cudnn engine 3", "cudnn engine 4"}, {"cudnn engine 4", "cudnn engine 3"}};
    char path[600], setting[60], line[1000];
    int times[2] = {0};
    snprintf(path, sizeof path, "%s/tuning", scratch_folder);
    expect_tuned(DIGITS, path, choices);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file))
        for (int i = 0; i < 2; i++) {
            snprintf(setting, sizeof setting, "_+_bias_+_relu %d000 ", 50 - 10 * i);
            times[i] += strncmp(line, "cuda offer_", 11) == 0 && strstr(line, setting) &&
                        strstr(line, " virtual device, cuDNN 9");
        }
    fclose(file);
    assert_int_equal(times[0], 3); /* convolutions */
    assert_int_equal(times[1], 3);
}

/* Pads of other sizes on both sides: by cuDNN where that is faster, else after a kernel that makes them
 * even; always so where cuDNN refuses them. */
static void uneven_pads_go_the_faster_way(void **state) {
    (void)state;
    const Choice choices[] = {{"cudnn engine 3", "pad + cudnn"}, {"pad + cudnn engine 4", " cudnn engine 3"}},
                 even[] = {{"cudnn engine 3", "pad + cudnn"}, {"cudnn engine 4", "pad + cudnn"}};
    char path[600], model[600];
    snprintf(model, sizeof model, "%s/models/conv2d/same_even/dynamo/model.onnx", source_folder);
    snprintf(path, sizeof path, "%s/tuning_even", scratch_folder);
    expect_tuned(model, path, even);
    snprintf(path, sizeof path, "%s/tuning_uneven", scratch_folder);
    setenv("VCUDNN_UNEVEN", "slow", 1);
    expect_tuned(model, path, choices);
    setenv("VCUDNN_UNEVEN", "refused", 1);
    const Result *result = expect(0, strider("info", model, "--device", "cuda", "--memory", NULL));
    assert_non_null(strstr(result->out, "pad + cudnn engine 3"));
    unsetenv("VCUDNN_UNEVEN");
}

static void runs_are_recorded_where_that_is_asked_for(void **state) {
    (void)state;
    setenv("VCUDA_LOG", "1", 1);
    const Result *result =
        expect(0, strider("bench", DIGITS, "--device", "cuda", "--seconds", "0", "--warmup", "3", NULL));
    assert_non_null(strstr(result->err, ", 0 graph launches"));
    result = expect(0, strider("bench", DIGITS, "--device", "cuda", "--seconds", "0", "--warmup", "3",
                               "--cuda-graph", NULL));
    assert_non_null(strstr(result->err, " graph launches"));
    assert_null(strstr(result->err, ", 0 graph launches"));
    unsetenv("VCUDA_LOG");
}

/* Engines that round to TF32, or whose bits vary, run only where they are asked for. */
static void engines_are_taken_by_their_notes(void **state) {
    (void)state;
    const Result *result = expect(0, strider("info", DIGITS, "--device", "cuda", "--memory", NULL));
    assert_non_null(strstr(result->out, "cudnn engine 3"));
    result = expect(0, strider("info", DIGITS, "--device", "cuda", "--memory", "--tf32", NULL));
    assert_non_null(strstr(result->out, "cudnn engine 2"));
    result = expect(0, strider("info", DIGITS, "--device", "cuda", "--memory", "--nondeterministic", NULL));
    assert_non_null(strstr(result->out, "cudnn engine 1"));
}

/* --- selftest --- */

/* With a setting, on a device whose memory is soon full; what it prints and what it reports are the same, to
 * the last line. */
static const Result *selftest_with(int status, const char *name, const char *value) {
    const char *report = in_scratch("report.txt");
    char text[1 << 14];
    setenv("VCUDA_MEMORY", "20000000", 1);
    if (name)
        setenv(name, value, 1);
    const Result *result =
        expect(status, strider("selftest", "--device", "cuda", "--threads", "1", "-o", report, NULL));
    unsetenv("VCUDA_MEMORY");
    if (name)
        unsetenv(name);
    FILE *file = fopen(report, "rb");
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    assert_string_equal(text, result->out);
    const char *last = strstr(text, " checks, ");
    assert_non_null(last);
    assert_string_equal(strchr(last, '\n'), "\n");
    if ((strcmp(last, " checks, 0 failed\n") == 0) != (status == 0))
        fail_msg("status %d, but:\n%s", status, text);
    return result;
}

static void expect_lines(const char *const *lines, const Result *result) {
    for (; *lines; lines++)
        if (!strstr(result->out, *lines))
            fail_msg("\"%s\" is not in:\n%s", *lines, result->out);
}

static void the_first_wrong_layer_is_named(void **state) {
    (void)state;
    static const struct {
        const char *spoiled, *lines[4];
    } cases[] = {
        {"cudnnBackendExecute:1",
         {"first layer that differs: node 0 \"Conv_plain_0\" (Conv) 2x12x11x9 on cuda:0 by cudnn engine 3: 1 "
          "elements, the worst 0 is ",
          ", 1 differ, ", "PASS  outputs against the CPU's"}},
        {"cublasLtMatmul:1",
         {"first layer that differs: node ", "(Gemm) 3x7 on cuda:0 by cublaslt + bias: 1 elements",
          ", 1 differ, "}},
        {"k_softmax",
         {"(Softmax) 2x6x13x11 on cuda:0 by cuda_softmax", "next layer that differs: node ",
          "FAIL  outputs against the CPU's: output "}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_lines(cases[i].lines, selftest_with(1, "VCUDA_SPOIL", cases[i].spoiled));
}

/* In the first of two whole runs, which follow the layers' run, and in the second. */
static void a_single_wrong_run_is_noticed(void **state) {
    (void)state;
    static const char *const first[] = {"PASS  layer by layer", "FAIL  outputs", "FAIL  two runs", NULL},
                             *const second[] = {"PASS  layer by layer", "PASS  outputs", "FAIL  two runs",
                                                NULL};
    const Result *result =
        expect(0, strider("info", in_source("models/operators.onnx"), "--device", "cuda", "--memory", NULL));
    int each = 0; /* plans of a run */
    for (const char *at = result->out; (at = strstr(at, "cudnn engine")); at++)
        each++;
    assert_true(each > 0);
    char setting[60];
    snprintf(setting, sizeof setting, "cudnnBackendExecute:%d", each + 1);
    expect_lines(first, selftest_with(1, "VCUDA_SPOIL", setting));
    snprintf(setting, sizeof setting, "cudnnBackendExecute:%d", 2 * each + 1);
    expect_lines(second, selftest_with(1, "VCUDA_SPOIL", setting));
}

/* Memory that runs out is recovered from, and a device that fails is reported as any other difference. */
static void what_fails_in_a_selftest_is_in_its_report(void **state) {
    (void)state;
    static const char *const memory[] = {
        "PASS  more than there is is refused: device cuda:0: out of memory: ", " of 20000000 free",
        "PASS  the session can be used after it", NULL};
    static const char *const launch[] = {
        "FAIL  layer by layer against the CPU's reference: device cuda:0: launch: ",
        "digits (built in)\n  PASS", NULL};
    expect_lines(memory, selftest_with(0, NULL, NULL));
    expect_lines(launch, selftest_with(1, "VCUDA_FAIL", "cudaLaunchKernel:3"));
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_device_is_listed_with_its_libraries),
        cmocka_unit_test(a_small_network_runs_there_completely),
        cmocka_unit_test(a_residual_is_part_of_the_plan),
        cmocka_unit_test(every_convolution_of_the_models_has_a_plan_of_cudnn),
        cmocka_unit_test(each_call_may_fail),
        cmocka_unit_test(planning_survives_every_refusal_of_cudnn),
        cmocka_unit_test(memory_that_runs_out_is_told_in_numbers),
        cmocka_unit_test(what_is_missing_or_too_old_is_named),
        cmocka_unit_test(auto_takes_the_device_or_says_why_not),
        cmocka_unit_test(a_profile_has_the_times_of_the_device),
        cmocka_unit_test(tables_of_steps_line_up),
        cmocka_unit_test(tuning_takes_the_fastest_plan_and_remembers),
        cmocka_unit_test(uneven_pads_go_the_faster_way),
        cmocka_unit_test(runs_are_recorded_where_that_is_asked_for),
        cmocka_unit_test(engines_are_taken_by_their_notes),
        cmocka_unit_test(the_first_wrong_layer_is_named),
        cmocka_unit_test(a_single_wrong_run_is_noticed),
        cmocka_unit_test(what_fails_in_a_selftest_is_in_its_report),
    };
    if (argc != 3 || !mkdtemp(scratch_folder))
        return 2;
    program = argv[1];
    source_folder = argv[2];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
