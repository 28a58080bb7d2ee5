/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of strider selftest share. */
#ifndef TOOLS_SELFTEST_H
#define TOOLS_SELFTEST_H

#include "compare.h"

typedef struct SelfTest {
    const Options *options;
    const char *device;
    uint64_t memory_bytes; /* of the device */
    FILE *report;          /* beside standard output; NULL: none */
    int checks, failed;
} SelfTest;

/* selftest_report.c: to standard output and the report. */
void say(const SelfTest *test, const char *format, ...) __attribute__((format(printf, 2, 3)));
void finish_check(SelfTest *test, bool pass, const char *what, const char *why);

/* selftest_model.c: layer by layer, whole runs, the same bits, on random inputs. */
int test_model(SelfTest *test, const strider_model *model, const char *name);
/* Of a session on `device`, as the command line asks. */
strider_session_options session_options_of(const SelfTest *test, const char *device);

#endif
