/* SPDX-License-Identifier: Apache-2.0 */
/* What bench and profile share: a model, ready to be run again and again. */
#ifndef TOOLS_TIMING_H
#define TOOLS_TIMING_H

#include "tool.h"

typedef struct Timed {
    strider_model *model;
    strider_session *session;
    Inputs inputs;
    strider_value *given, *outputs; /* the inputs, and what comes of them */
    size_t n_outputs;
    double load_ms, plan_ms, first_run_ms;
} Timed;

/* Loads options->words[0], makes inputs (random ones where none are given), plans, and runs once.  Returns an
 * exit status after reporting.  timed_free() in any case. */
int timed_make(const Options *options, Timed *timed);
void timed_free(Timed *timed);
/* As long as it was asked for (--seconds, default 2) and at least five times, after --warmup runs (default
 * 3). `each` is called after each run with its milliseconds.  Returns an exit status after reporting. */
int timed_repeat(Timed *timed, const Options *options, void (*each)(void *context, double ms), void *context);

/* Sorts in place; returns the value below which the part `p` of them lies, between neighbours where it must.
 */
double percentile(double *values, size_t count, double p);

#endif
