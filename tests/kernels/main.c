/* SPDX-License-Identifier: Apache-2.0 */
/* kernel_test [GROUP]: checks all kernels, or a group.  kernel_test --time [GROUP]: times them on the chosen
 * target.  STRIDER_ISA leaves out targets and features here as everywhere. */
#include "kernel_test.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void every_kernel_has_a_test_on_every_target(void **state) {
    (void)state;
    kernel_test_check_coverage();
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "--time") == 0) {
#define TIME_GROUP(NAME)                                                                                     \
    if (argc < 3 || strcmp(argv[2], #NAME) == 0)                                                             \
        NAME##_kernel_times();
        KERNEL_TEST_GROUPS(TIME_GROUP)
        return 0;
    }
    int failures = 0;
#define RUN_GROUP(NAME)                                                                                      \
    if (argc < 2 || strcmp(argv[1], #NAME) == 0)                                                             \
        failures += NAME##_kernel_tests();
    KERNEL_TEST_GROUPS(RUN_GROUP)
    if (argc > 1)
        return failures != 0;
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_kernel_has_a_test_on_every_target)};
    failures += cmocka_run_group_tests_name("coverage", tests, NULL, NULL);
    kernel_test_report();
    return failures != 0;
}
