/* SPDX-License-Identifier: Apache-2.0 */
/* --tune and --tuning FILE: times that commands' sessions share, from the file and back into it. */
#include <unistd.h>

#include "tool.h"

int tuning_begin(Options *options) {
    strider_error error;
    if (!options->tune && !options->tuning_file)
        return EXIT_OK;
    if (strider_tuning_create(&options->tuning, &error))
        return report_error("tuning", &error);
    if (!options->tuning_file || access(options->tuning_file, F_OK) != 0)
        return EXIT_OK;
    bool matches;
    const strider_status status =
        strider_tuning_load(options->tuning, options->tuning_file, &matches, &error);
    if (status) {
        tool_print(stderr, "strider: %s\n", error.message);
        return exit_status_of(status);
    }
    if (!matches && !options->quiet)
        tool_print(stderr, "strider: %s: measured on another CPU or by another version: measuring anew\n",
                   options->tuning_file);
    return EXIT_OK;
}

int tuning_end(Options *options, int status) {
    strider_error error;
    if (options->tuning && options->tuning_file && strider_tuning_unsaved(options->tuning)) {
        const strider_status saved = strider_tuning_save(options->tuning, options->tuning_file, &error);
        if (saved)
            tool_print(stderr, "strider: %s\n", error.message);
        if (saved && !status)
            status = exit_status_of(saved);
    }
    strider_tuning_free(options->tuning);
    options->tuning = NULL;
    return status;
}
