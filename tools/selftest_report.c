/* SPDX-License-Identifier: Apache-2.0 */
#include "selftest.h"

#include <stdarg.h>

void say(const SelfTest *test, const char *format, ...) {
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    vprintf(format, args);
    if (test->report)
        vfprintf(test->report, format, again);
    va_end(again);
    va_end(args);
}

void finish_check(SelfTest *test, bool pass, const char *what, const char *why) {
    test->checks++;
    test->failed += !pass;
    say(test, "  %s  %s%s%s\n", pass ? "PASS" : "FAIL", what, why[0] ? ": " : "", why);
}
