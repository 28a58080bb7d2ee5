/* SPDX-License-Identifier: Apache-2.0 */
/* Tunings in files: a first line that names the format, Strider's version and the CPU, then lines of
 *     ISA KERNEL NANOSECONDS ESTIMATED_NANOSECONDS LAYER
 * whose last word goes to the line's end. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "plan/tuning.h"

#define MAGIC "strider-tuning 1 "

enum { LINE = 1024, MAX_LINES = 100000 };

static void first_line(char line[LINE]) {
    char model[CPU_MODEL_TEXT];
    snprintf(line, LINE, MAGIC "%s %s\n", strider_version(), cpu_model(model));
}

static Status read_line(strider_tuning *tuning, const char *path, int number, char *line, Error *err) {
    char isa[LINE], kernel[LINE];
    KernelTime time = {.isa = isa, .kernel = kernel};
    int layer = 0;
    const size_t length = strlen(line);
    if (length && line[length - 1] == '\n')
        line[length - 1] = '\0';
    if (sscanf(line, "%s %s %lf %lf %n", isa, kernel, &time.time_ns, &time.estimate_ns, &layer) != 4 ||
        !layer || !line[layer] || !(time.time_ns >= 0 && time.time_ns < 1e18))
        return fail(err, STRIDER_BAD_MODEL, "%s: line %d is none of a tuning file", path, number);
    time.layer = line + layer;
    return tuning_add(tuning, &time, err);
}

static Status read_lines(strider_tuning *tuning, FILE *file, const char *path, bool *matches, Error *err) {
    char line[LINE], wanted[LINE];
    if (!fgets(line, sizeof line, file) || strncmp(line, MAGIC, strlen(MAGIC)) != 0)
        return fail(err, STRIDER_BAD_MODEL, "%s: this is no tuning file", path);
    first_line(wanted);
    *matches = strcmp(line, wanted) == 0;
    for (int number = 2; *matches && fgets(line, sizeof line, file); number++) {
        if (number > MAX_LINES)
            return fail(err, STRIDER_BAD_MODEL, "%s: more than %d lines", path, MAX_LINES);
        TRY(read_line(tuning, path, number, line, err));
    }
    if (ferror(file))
        return fail(err, STRIDER_FILE_ERROR, "%s: %s", path, strerror(errno));
    return STRIDER_OK;
}

strider_status strider_tuning_load(strider_tuning *tuning, const char *path, bool *matches,
                                   strider_error *error) {
    bool ignored;
    FILE *file = fopen(path, "r");
    if (!file)
        return fail(error, STRIDER_FILE_ERROR, "%s: %s", path, strerror(errno));
    const Status status = read_lines(tuning, file, path, matches ? matches : &ignored, error);
    fclose(file);
    pthread_mutex_lock(&tuning->lock);
    tuning->unsaved = 0;
    pthread_mutex_unlock(&tuning->lock);
    return status;
}

static bool write_all(strider_tuning *tuning, FILE *file) {
    char line[LINE];
    first_line(line);
    fputs(line, file);
    for (size_t i = 0; i < tuning->count; i++) {
        const KernelTime *time = &tuning->times[i];
        fprintf(file, "%s %s %.0f %.0f %s\n", time->isa, time->kernel, time->time_ns, time->estimate_ns,
                time->layer);
    }
    return !ferror(file);
}

strider_status strider_tuning_save(strider_tuning *tuning, const char *path, strider_error *error) {
    const size_t size = strlen(path) + sizeof ".new";
    char *new_path = malloc(size);
    if (!new_path)
        return fail_memory(error, size, "a file's name");
    snprintf(new_path, size, "%s.new", path);
    pthread_mutex_lock(&tuning->lock);
    FILE *file = fopen(new_path, "w");
    bool written = file && write_all(tuning, file);
    if (file)
        written = fclose(file) == 0 && written;
    written = written && rename(new_path, path) == 0;
    const int reason = errno;
    if (written)
        tuning->unsaved = 0;
    pthread_mutex_unlock(&tuning->lock);
    if (!written && file)
        remove(new_path);
    free(new_path);
    return written ? STRIDER_OK : fail(error, STRIDER_FILE_ERROR, "%s: %s", path, strerror(reason));
}
