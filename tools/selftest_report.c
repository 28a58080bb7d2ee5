/* SPDX-License-Identifier: Apache-2.0 */
#include "selftest.h"

#include <stdarg.h>

void say(const SelfTest *test, const char *format, ...) {
    va_list args;
    va_start(args, format);
    tool_vprint(stdout, format, args);
    if (test->report)
        tool_vprint(test->report, format, args);
    va_end(args);
}

void finish_check(SelfTest *test, bool pass, const char *what, const char *why) {
    test->checks++;
    test->failed += !pass;
    say(test, "  %s  %s%s%s\n", pass ? "PASS" : "FAIL", what, why[0] ? ": " : "", why);
}
