/* SPDX-License-Identifier: Apache-2.0 */
/* What a plan is in one session: the addresses of its steps, their times, and what was recorded of them.  All
 * addresses but those of inputs and outputs stay from run to run, until an arena moves. */
#ifndef RUN_BINDING_H
#define RUN_BINDING_H

#include "run/plan_cache.h"
#include "run/record.h"

typedef struct BoundStep {
    const void **inputs; /* NULL where absent or packed */
    void **outputs;
    void *workspace;
    Tensor *tensors; /* for a reference: views of the inputs, then of the outputs, and pointers to them */
    const Tensor **reference_inputs;
    Tensor **reference_outputs;
    uint64_t time_ns; /* of the last run with profiling */
} BoundStep;

/* A place that holds an address which each run brings. */
typedef struct BoundPort {
    const void **place;
    int port;
    bool is_output;
    size_t offset_bytes;
} BoundPort;

typedef struct Binding {
    CachedPlan *cached;
    const Plan *plan;
    Region region;
    BoundStep *steps; /* one for each of the plan */
    BoundPort *ports;
    size_t n_ports;
    const char *arenas[MAX_DEVICES]; /* that the addresses were resolved for */
    bool is_resolved;
    RunRecording recording;
    uint64_t last_used; /* a count of the session's runs and preparations */
} Binding;

/* `cached` is held by the binding from then on, not where this fails. */
Status binding_make(CachedPlan *cached, const Allocator *allocator, Binding **binding, Error *err) MUST_CHECK;
/* `budget` is that of the plan's request. */
void binding_free(Binding *binding, Budget *budget);

/* Resolves the addresses where an arena has moved since the last time. */
void binding_resolve(Binding *binding, char *const arenas[MAX_DEVICES]);
/* Sets the addresses of the partition's inputs and, where it is not the last one, its outputs. */
void binding_bring(Binding *binding, const void *const *inputs, void *const *outputs);
/* The address of a buffer that is neither an input nor an output. */
const void *binding_address(const Binding *binding, int buffer);

#endif
