/* SPDX-License-Identifier: Apache-2.0 */
/* Running a plan's steps. */
#ifndef RUN_EXECUTOR_H
#define RUN_EXECUTOR_H

#include "plan/plan.h"

typedef struct Execution {
    Plan *plan;
    char *const *arenas;          /* on each device of the plan, plan->arena_bytes */
    char *scratch;                /* threads * scratch_stride bytes */
    size_t scratch_stride;        /* at least plan->scratch_bytes, a multiple of MEMORY_ALIGNMENT */
    const strider_tensor *inputs; /* of the graph, in its order */
    int threads;
    bool profile; /* measure Step.time_ns */
    bool record;  /* what other devices do, to hand it over as one piece in later runs */
} Execution;

/* Runs all steps in order, and waits for all devices.  Fails only where a reference kernel does (an index out
 * of range, no memory), or a device other than the host. */
Status execute(const Execution *execution, Error *err) MUST_CHECK;

#endif
