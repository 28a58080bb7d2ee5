/* SPDX-License-Identifier: Apache-2.0 */
/* Running a plan's steps. */
#ifndef RUN_EXECUTOR_H
#define RUN_EXECUTOR_H

#include "run/binding.h"

typedef struct Execution {
    const Plan *plan;
    Binding *binding; /* of that plan; resolved, with inputs and outputs brought */
    char *const *arenas;
    char *scratch;         /* threads * scratch_stride bytes */
    size_t scratch_stride; /* at least plan->scratch_bytes, a multiple of MEMORY_ALIGNMENT */
    int threads;
    Region *strings; /* for the bytes of strings that the run makes */
    bool profile;    /* measure BoundStep.time_ns */
    bool record;     /* what other devices do, to hand it over as one piece in later runs */
} Execution;

/* Runs all steps in order, and waits for all devices.  Fails only where a reference kernel does (an index out
 * of range, no memory), or a device other than the host. */
Status execute(const Execution *execution, Error *err) MUST_CHECK;

#endif
