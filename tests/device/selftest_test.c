/* SPDX-License-Identifier: Apache-2.0 */
/* strider selftest: that it looks at all layers, in whichever layout they are, and names one that is wrong.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/program.h"

static void expect_text(const Result *result, const char *text) {
    if (!strstr(result->out, text))
        fail_msg("\"%s\" is not in:\n%s", text, result->out);
}

/* What is said of the digits begins here. */
static const char *digits_of(const Result *result) {
    const char *digits = strstr(result->out, "digits (built in)");
    assert_non_null(digits);
    return digits;
}

/* The fast kernels of the CPU leave most of their values in blocked layouts. */
static void all_layers_are_compared_in_any_layout(void **state) {
    (void)state;
    static const char *const isas[] = {"generic", NULL};
    for (int i = 0; i < 2; i++) {
        if (isas[i])
            setenv("STRIDER_ISA", isas[i], 1);
        const Result *result = expect(0, strider("selftest", "--device", "cpu", "--threads", "1", NULL));
        unsetenv("STRIDER_ISA");
        assert_non_null(strstr(digits_of(result), ": 6 of 6 layers compared, 0 ran on the CPU, 0 differ, "));
        expect_text(result, "operators (built in)\n  PASS  layer by layer against the CPU's reference: ");
    }
}

static void layers_of_both_devices_are_compared(void **state) {
    (void)state;
    const Result *result = expect(0, strider("selftest", "--device", "twin", "--threads", "1", NULL));
    assert_non_null(strstr(digits_of(result), ": 6 of 6 layers compared, 1 ran on the CPU, 0 differ, "));
}

/* A layer whose value the CPU takes over, and the last one. */
static void a_wrong_layer_is_reported_by_name(void **state) {
    (void)state;
    static const char *const layers[][2] = {
        {"/3/Conv", "\"/3/Conv\" (Conv) 1x32x8x8 on twin:0 by twin_Conv: 1 elements, the worst 0 is "},
        {"/12/Gemm", "\"/12/Gemm\" (Gemm) 1x10 on twin:0 by twin_Gemm: 1 elements, the worst 0 is "},
    };
    for (int i = 0; i < 2; i++) {
        setenv("TWIN_SPOIL", layers[i][0], 1);
        const Result *result = expect(1, strider("selftest", "--device", "twin", "--threads", "1", NULL));
        unsetenv("TWIN_SPOIL");
        const char *first = strstr(digits_of(result), "first layer that differs: node ");
        assert_non_null(first);
        const char *end = strchr(first, '\n'), *named = strstr(first, layers[i][1]);
        if (!named || named > end)
            fail_msg("%s is not the first in:\n%s", layers[i][0], result->out);
        assert_non_null(strstr(end, "FAIL  layer by layer against the CPU's reference: 6 of 6 layers"));
    }
}

/* Removes what the program printed into, too. */
static int remove_scratch(void) {
    (void)unlink(in_scratch("stdout.txt"));
    (void)unlink(in_scratch("stderr.txt"));
    return rmdir(scratch_folder);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_layers_are_compared_in_any_layout),
        cmocka_unit_test(layers_of_both_devices_are_compared),
        cmocka_unit_test(a_wrong_layer_is_reported_by_name),
    };
    if (argc != 3 || !getenv("STRIDER_TWIN_MODULE") || !mkdtemp(scratch_folder))
        return 2;
    program = argv[1];
    source_folder = argv[2];
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return remove_scratch() || failed;
}
