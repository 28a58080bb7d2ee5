/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the program as a user does, and keeps what it printed. */
#ifndef CLI_PROGRAM_H
#define CLI_PROGRAM_H

#include <stddef.h>

typedef struct Result {
    int status; /* exit status; 1000 + the signal that ended it */
    char out[1 << 16], err[1 << 14];
} Result;

/* Set by main(). */
extern const char *program, *source_folder;
extern char scratch_folder[];

/* A path in the repository or in the scratch folder; the text is overwritten by the 64th call after. */
const char *in_source(const char *path);
const char *in_scratch(const char *path);

/* A file in the scratch folder; returns its path. */
const char *write_file(const char *name, const void *data, size_t size);

/* strider ARGUMENT..., up to a NULL.  The result is overwritten by the next call. */
const Result *strider(const char *first, ...) __attribute__((sentinel));
/* Fails the test, showing what was printed, unless the status is `status`. */
const Result *expect(int status, const Result *result);
/* The message on standard error is one line that begins with "strider: " and contains `text`. */
void expect_error(int status, const char *text, const Result *result);

/* Tests of models that are made for them. */
int model_tests(void);
/* Tests of files that say odd things, or change. */
int odd_file_tests(void);
/* Those of check_test.c. */
int check_tests(void);
/* Those of run_weights_test.c. */
int run_weights_tests(void);

#endif
