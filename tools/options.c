/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

int report_usage(const char *format, ...) {
    va_list args;
    va_start(args, format);
    fputs("strider: ", stderr);
    tool_vprint(stderr, format, args);
    fputs("\nTry 'strider --help'.\n", stderr);
    va_end(args);
    return EXIT_USAGE;
}

int exit_status_of(strider_status status) {
    switch (status) {
    case STRIDER_OK:
        return EXIT_OK;
    case STRIDER_INVALID_ARGUMENT:
        return EXIT_USAGE;
    case STRIDER_FILE_ERROR:
    case STRIDER_BAD_MODEL:
    case STRIDER_LIMIT_EXCEEDED:
        return EXIT_FILE;
    case STRIDER_UNSUPPORTED:
        return EXIT_UNSUPPORTED;
    default:
        return EXIT_MACHINE;
    }
}

int report_error(const char *file, const strider_error *error) {
    /* A device's failure is not the file's. */
    if (error->status == STRIDER_DEVICE_FAILED)
        tool_print(stderr, "strider: %s\n", error->message);
    else
        tool_print(stderr, "strider: %s: %s\n", file, error->message);
    return exit_status_of(error->status);
}

static bool parse_number(const char *text, double *value) {
    char *end;
    errno = 0;
    *value = strtod(text, &end);
    return !errno && end != text && !*end && *value >= 0;
}

static int parse_threads(const char *text, Options *options) {
    options->n_threads = 0;
    for (const char *at = text;; at++) {
        char *end;
        long count = strtol(at, &end, 10);
        if (end == at || count < 1 || count > 1024 || (*end && *end != ',') ||
            options->n_threads == MAX_THREAD_COUNTS)
            return report_usage("--threads takes numbers such as 2 or 1,2, not \"%s\"", text);
        options->threads[options->n_threads++] = (int)count;
        if (!*end)
            return EXIT_OK;
        at = end;
    }
}

/* NAME=VALUE, split in place. */
static int add_setting(char *text, const char *option, Setting *settings, int *count) {
    char *equals = strrchr(text, '=');
    if (!equals || equals == text || !equals[1] || *count == MAX_SETTINGS)
        return report_usage("%s takes NAME=VALUE, not \"%s\"", option, text);
    *equals = '\0';
    settings[(*count)++] = (Setting){text, equals + 1};
    return EXIT_OK;
}

static int add_expected(char *text, Options *options) {
    char *equals = strchr(text, '=');
    if (options->n_expected == MAX_SETTINGS)
        return report_usage("more than %d references", MAX_SETTINGS);
    if (equals)
        *equals = '\0';
    options->expected[options->n_expected++] = (Setting){equals ? text : NULL, equals ? equals + 1 : text};
    return EXIT_OK;
}

static int parse_device(const char *text, Options *options) {
    options->device = text;
    return strider_device_is_known(text)
               ? EXIT_OK
               : report_usage("--device takes cpu, auto, cuda or cuda:N, not \"%s\"", text);
}

static int parse_tolerance(const char *option, const char *text, double *value) {
    return parse_number(text, value)
               ? EXIT_OK
               : report_usage("%s takes a number that is not negative, not \"%s\"", option, text);
}

static int parse_count(const char *option, const char *text, int *value) {
    char *end;
    const long count = strtol(text, &end, 10);
    if (end == text || *end || count < 0 || count > 1000000)
        return report_usage("%s takes a whole number, not \"%s\"", option, text);
    *value = (int)count;
    return EXIT_OK;
}

/* A number of bytes, with K, M or G for the powers of 1024. */
static int parse_size(const char *option, const char *text, uint64_t *bytes) {
    static const char units[] = "KMG";
    char *end;
    errno = 0;
    const unsigned long long number = strtoull(text, &end, 10);
    const char *unit = end != text && *end ? strchr(units, *end) : NULL;
    const int shift = unit ? 10 * (int)(unit - units + 1) : 0;
    if (errno || text[0] == '-' || end == text || end[unit ? 1 : 0] || !number ||
        number > UINT64_MAX >> shift)
        return report_usage("%s takes a number of bytes such as 512M or 2G, not \"%s\"", option, text);
    *bytes = (uint64_t)number << shift;
    return EXIT_OK;
}

static int parse_limit(const char *option, const char *text, uint64_t *number) {
    char *end;
    errno = 0;
    *number = strtoull(text, &end, 10);
    return errno || text[0] == '-' || end == text || *end || !*number
               ? report_usage("%s takes a number above 0, not \"%s\"", option, text)
               : EXIT_OK;
}

static int parse_sort(const char *text, Options *options) {
    options->by_time = strcmp(text, "time") == 0;
    return options->by_time || strcmp(text, "order") == 0
               ? EXIT_OK
               : report_usage("--sort takes time or order, not \"%s\"", text);
}

/* An option that takes a value. */
static int parse_valued(const char *option, char *value, Options *options) {
    if (strcmp(option, "--threads") == 0)
        return parse_threads(value, options);
    if (strcmp(option, "--device") == 0)
        return parse_device(value, options);
    if (strcmp(option, "--dim") == 0)
        return add_setting(value, option, options->dims, &options->n_dims);
    if (strcmp(option, "--shape") == 0)
        return add_setting(value, option, options->shapes, &options->n_shapes);
    if (strcmp(option, "--expect") == 0)
        return add_expected(value, options);
    if (strcmp(option, "--rtol") == 0)
        return parse_tolerance(option, value, &options->rtol);
    if (strcmp(option, "--atol") == 0)
        return parse_tolerance(option, value, &options->atol);
    if (strcmp(option, "--peak") == 0)
        return parse_tolerance(option, value, &options->peak);
    if (strcmp(option, "--seconds") == 0)
        return parse_tolerance(option, value, &options->seconds);
    if (strcmp(option, "--max-error") == 0)
        return parse_tolerance(option, value, &options->max_error);
    if (strcmp(option, "--limit-memory") == 0)
        return parse_size(option, value, &options->limit_memory);
    if (strcmp(option, "--limit-loops") == 0)
        return parse_limit(option, value, &options->limit_loops);
    if (strcmp(option, "--warmup") == 0)
        return parse_count(option, value, &options->warmup);
    if (strcmp(option, "--sort") == 0)
        return parse_sort(value, options);
    if (strcmp(option, "--labels") == 0)
        options->labels = value;
    else if (strcmp(option, "--top") == 0)
        options->top = atoi(value) > 0 ? atoi(value) : 1;
    else if (strcmp(option, "--tuning") == 0)
        options->tuning_file = value;
    else if (strcmp(option, "--format") == 0)
        options->format = value;
    else
        options->output = value;
    if (options->format && strcmp(options->format, "npy") != 0 && strcmp(options->format, "pb") != 0)
        return report_usage("--format takes npy or pb, not \"%s\"", options->format);
    return EXIT_OK;
}

static bool takes_value(const char *option) {
    static const char *const valued[] = {
        "--threads",   "--device", "--dim",          "--shape",  "--expect", "--rtol",       "--atol",
        "--peak",      "--labels", "--top",          "--format", "-o",       "--output",     "--seconds",
        "--max-error", "--warmup", "--limit-memory", "--sort",   "--tuning", "--limit-loops"};
    for (size_t i = 0; i < sizeof valued / sizeof *valued; i++)
        if (strcmp(option, valued[i]) == 0)
            return true;
    return false;
}

static bool set_flag(const char *option, Options *options) {
    const struct {
        const char *name;
        bool *flag;
    } flags[] = {
        {"--json", &options->json},
        {"--quiet", &options->quiet},
        {"--verbose", &options->verbose},
        {"--no-optimize", &options->no_optimize},
        {"--shapes=check", &options->check_shapes},
        {"--shapes", &options->show_shapes},
        {"--memory", &options->show_memory},
        {"--reference", &options->reference},
        {"--tune", &options->tune},
        {"--fast-winograd", &options->fast_winograd},
        {"--devices", &options->list_devices},
        {"--tf32", &options->tf32},
        {"--nondeterministic", &options->nondeterministic},
        {"--cuda-graph", &options->cuda_graph},
        {"--allow-links", &options->allow_links},
        {"--copy", &options->copy},
    };
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (strcmp(option, flags[i].name) == 0) {
            *flags[i].flag = true;
            return true;
        }
    return strcmp(option, "--shapes=warn") == 0;
}

int options_parse(int argc, char **argv, Options *options) {
    *options = (Options){.rtol = -1, .atol = -1, .peak = -1, .seconds = -1, .max_error = -1, .warmup = -1};
    options->words = calloc((size_t)argc + 1, sizeof *options->words);
    if (!options->words)
        return EXIT_MACHINE;
    bool only_words = false;
    for (int i = 0; i < argc; i++) {
        char *word = argv[i];
        if (only_words || word[0] != '-' || !word[1]) {
            options->words[options->n_words++] = word;
            continue;
        }
        if (strcmp(word, "--") == 0) {
            only_words = true;
            continue;
        }
        if (set_flag(word, options))
            continue;
        char *equals = strncmp(word, "--", 2) == 0 ? strchr(word, '=') : NULL;
        if (equals)
            *equals = '\0';
        if (!takes_value(word))
            return report_usage("unknown option %s", word);
        if (!equals && i + 1 == argc)
            return report_usage("%s needs a value", word);
        int status = parse_valued(word, equals ? equals + 1 : argv[++i], options);
        if (status)
            return status;
    }
    return EXIT_OK;
}
