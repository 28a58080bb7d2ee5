/* SPDX-License-Identifier: Apache-2.0 */
/* What the commands share: options, loading, inputs, messages. */
#ifndef TOOLS_TOOL_H
#define TOOLS_TOOL_H

#include <jansson.h>
#include <stdarg.h>

#include "formats/bytes.h"
#include "formats/formats.h"
#include "strider/strider.h"

/* Exit statuses. */
enum {
    EXIT_OK = 0,
    EXIT_DIFFERENT = 1,
    EXIT_USAGE = 2,
    EXIT_FILE = 3,
    EXIT_UNSUPPORTED = 4,
    EXIT_MACHINE = 5
};

enum { MAX_THREAD_COUNTS = 16, MAX_SETTINGS = 64 };

typedef struct Setting {
    const char *name, *value;
} Setting;

/* The command line after the command's name. */
typedef struct Options {
    const char **words; /* what is no option */
    int n_words;
    int threads[MAX_THREAD_COUNTS]; /* --threads 1,2: check runs with each */
    int n_threads;
    bool json, quiet, verbose, no_optimize, check_shapes, show_shapes, show_memory, reference, allow_links,
        copy;
    const char *output;      /* -o */
    const char *format;      /* --format npy|pb, of a folder */
    const char *labels;      /* --labels */
    int top;                 /* --top */
    double seconds;          /* --seconds; negative: not given */
    int warmup;              /* --warmup; negative: not given */
    double max_error;        /* --max-error; negative: not given */
    uint64_t limit_loops;    /* --limit-loops; 0: not given */
    uint64_t limit_memory;   /* --limit-memory, in bytes; 0: not given */
    bool tune;               /* --tune */
    bool fast_winograd;      /* --fast-winograd */
    const char *tuning_file; /* --tuning; NULL: not given */
    strider_tuning *tuning;  /* what either asks for, between tuning_begin() and tuning_end() */
    bool by_time;            /* --sort time */
    const char *device;      /* --device; NULL: not given */
    bool list_devices;       /* --devices */
    bool tf32, nondeterministic, cuda_graph;
    double rtol, atol, peak; /* negative: not given; --peak is relative to the largest expected element */
    Setting dims[MAX_SETTINGS], shapes[MAX_SETTINGS], expected[MAX_SETTINGS];
    int n_dims, n_shapes, n_expected;
} Options;

/* Each command: returns an exit status. */
int command_run(const Options *options);
int command_check(const Options *options);
int command_info(const Options *options);
int command_bench(const Options *options);
int command_profile(const Options *options);
int command_selftest(const Options *options);

/* Fills *options from the words after the command; returns an exit status, EXIT_OK where all is well. */
int options_parse(int argc, char **argv, Options *options);

/* Makes what --tune and --tuning ask for, and saves and frees it after the command that returned `status`.
 * Both return an exit status. */
int tuning_begin(Options *options);
int tuning_end(Options *options, int status);

/* "strider: FILE: message" on standard error; returns the exit status that stands for the status. */
int report_error(const char *file, const strider_error *error);
/* Prints on `to` as fprintf() does, with strings escaped: all that names something goes through here, or
 * through json_text() for JSON. */
void tool_print(FILE *to, const char *format, ...) __attribute__((format(printf, 2, 3)));
void tool_vprint(FILE *to, const char *format, va_list args);
json_t *json_text(const char *text);
int report_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));
int exit_status_of(strider_status status);

/* Loads with the options' settings; warnings go to standard error unless --quiet. */
strider_status load_model(const char *path, const Options *options, strider_model **model,
                          strider_error *error);
strider_status make_session(const strider_model *model, const Options *options, int threads,
                            strider_session **session, strider_error *error);

/* Names of a model's inputs or outputs, sorted: a model may have as many as a file has names. */
typedef struct NameIndex {
    struct NamePlace *places;
    size_t count;
} NameIndex;
/* `get` is strider_model_get_input() or strider_model_get_output(). */
strider_status name_index_make(const strider_model *model,
                               strider_status (*get)(const strider_model *, size_t, strider_value_info *),
                               size_t count, NameIndex *names, strider_error *error);
/* The index of the first input or output of that name, or -1. */
int name_index_find(const NameIndex *names, const char *name);
void name_index_free(NameIndex *names);

/* The model's inputs, in its order.  Owns the tensors. */
typedef struct Inputs {
    strider_tensor *tensors; /* dtype NONE where a model's default serves */
    size_t count;
    bool *given;
    size_t next_required, next_any; /* those before are given, or optional */
    NameIndex names;
} Inputs;

/* Makes inputs from INPUT words ([NAME=]VALUE: a file, or zeros, ones, random, random:SEED).  Returns an exit
 * status after reporting. */
int inputs_make(const strider_model *model, const Options *options, char const *const *words, int n_words,
                Inputs *inputs);
/* Puts one tensor in its place, with conversions that lose nothing that matters; takes it over.  `index` is
 * that of the model's input. */
strider_status inputs_set(const strider_model *model, Inputs *inputs, size_t index, strider_tensor tensor,
                          bool quiet, strider_error *error);
strider_status inputs_init(const strider_model *model, Inputs *inputs, strider_error *error);
void inputs_free(Inputs *inputs);

/* The shape to use for an input: the model's own, with --shape and --dim, and 1 for an open first dimension,
 * the batch; false where a dimension stays open (then *open is its index). */
bool input_shape(const strider_value_info *info, const Options *options, int64_t dims[STRIDER_MAX_RANK],
                 int *rank, int *open);

/* "1x3x224x224" into `text`; returns it. */
enum { DIMS_TEXT = 200 };
const char *dims_text(int rank, const int64_t *dims, char text[DIMS_TEXT]);
/* The same for a value of a model, with names for open dimensions. */
const char *value_dims_text(const strider_value_info *info, char text[DIMS_TEXT]);

/* What tables of steps have in common: kernel, operator, layout and shape, and the device where that is asked
 * for, in columns as wide as the longest entry of the session's plan, each with two spaces after it. */
enum { STEP_COLUMNS = 5 };
typedef struct StepColumns {
    bool with_device;
    int widths[STEP_COLUMNS];
} StepColumns;
StepColumns step_columns(const strider_session *session, bool with_device);
void step_columns_title(const StepColumns *columns);
void step_columns_print(const StepColumns *columns, const strider_step_info *step);

#endif
