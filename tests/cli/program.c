/* SPDX-License-Identifier: Apache-2.0 */
#include "program.h"

#include <fcntl.h>
#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

const char *program, *source_folder;
char scratch_folder[] = "/tmp/strider-cli-XXXXXX";

static const char *join(const char *folder, const char *path) {
    static char texts[64][512];
    static int next;
    char *text = texts[next++ % 64];
    snprintf(text, sizeof texts[0], "%s/%s", folder, path);
    return text;
}

const char *in_source(const char *path) {
    return join(source_folder, path);
}
const char *in_scratch(const char *path) {
    return join(scratch_folder, path);
}

static void read_back(const char *path, char *text, size_t size) {
    FILE *file = fopen(path, "rb");
    size_t n = file ? fread(text, 1, size - 1, file) : 0;
    text[n] = '\0';
    if (file)
        fclose(file);
}

const Result *strider(const char *first, ...) {
    static Result result;
    enum { MAX_ARGUMENTS = 32 };
    char *arguments[MAX_ARGUMENTS] = {(char *)program, (char *)first};
    int n = 2;
    va_list list;
    va_start(list, first);
    for (char *word; n < MAX_ARGUMENTS - 1 && (word = va_arg(list, char *)) != NULL;)
        arguments[n++] = word;
    va_end(list);
    const char *out = in_scratch("stdout.txt"), *err = in_scratch("stderr.txt");
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, out, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_addopen(&actions, 2, err, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    pid_t child;
    int status = 0;
    assert_int_equal(posix_spawn(&child, program, &actions, NULL, arguments, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    assert_int_equal(waitpid(child, &status, 0), child);
    result.status = WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
    read_back(out, result.out, sizeof result.out);
    read_back(err, result.err, sizeof result.err);
    return &result;
}

const Result *expect(int status, const Result *result) {
    if (result->status != status)
        fail_msg("exit status %d, not %d\nstandard output:\n%s\nstandard error:\n%s", result->status, status,
                 result->out, result->err);
    return result;
}

void expect_error(int status, const char *text, const Result *result) {
    expect(status, result);
    const char *end = strchr(result->err, '\n');
    if (strncmp(result->err, "strider: ", 9) != 0 || !strstr(result->err, text) || !end)
        fail_msg("standard error is not \"strider: ...%s...\":\n%s", text, result->err);
    /* A wrong command line is followed by a hint, nothing else by anything. */
    if (status != 2 && end[1])
        fail_msg("more than one line:\n%s", result->err);
    assert_string_equal(result->out, "");
}

const char *write_file(const char *name, const void *data, size_t size) {
    const char *path = in_scratch(name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    fclose(file);
    return path;
}
