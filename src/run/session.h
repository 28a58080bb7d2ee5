/* SPDX-License-Identifier: Apache-2.0 */
/* What stands behind the public strider_session (see strider/session.h for what its functions promise). */
#ifndef RUN_SESSION_H
#define RUN_SESSION_H

#include "base/budget.h"
#include "run/binding.h"
#include "run/model.h"
#include "run/pool.h"
#include "strider/session.h"

/* The bindings of one partition, for the types that it met. */
typedef struct BindingList {
    Binding **items;
    int count;
} BindingList;

/* What the last run did, item by item of the main program, for reports. */
typedef struct Trace {
    Binding *binding; /* of a partition */
    const Node *node; /* what ran by itself */
    uint64_t time_ns; /* of the node, where profiling is on */
} Trace;

struct strider_session {
    const strider_model *model;
    strider_session_options options;
    Budget budget; /* all memory of the session but packed weights; its share in plans is booked */
    const Allocator *allocator; /* the budget's */
    Pool pool;                  /* of what lives in a run */
    uint64_t promised_bytes;    /* strider_plan_info.memory_bytes */
    Device host;                /* its memory is the budget's */
    PlanTarget target;          /* the host's packs are the model's, the others the session's own */
    PackCache device_packs;     /* of the device that is not the host */
    PlanCache device_plans;
    PlanCache *plans;      /* the model's, or device_plans */
    BindingList *bindings; /* by Partition.index */
    size_t n_partitions;
    uint64_t body_runs; /* in the current run */
    uint64_t uses;      /* counts what bindings are used for */
    char *arenas[MAX_DEVICES], *scratch;
    size_t arena_bytes[MAX_DEVICES], scratch_stride, scratch_bytes;
    const ModelProgram *chosen; /* that runs; NULL before the first run or preparation */
    strider_value *given;       /* by the caller for the current run, in the model's order */
    RunValue **inputs;          /* the same as the run sees it */
    RunValue *views;            /* of those that are tensors: of the caller's memory */
    RunValue **results;         /* of the last run */
    Region shown;               /* lists of what the caller was shown of them */
    Region strings;             /* bytes of the strings that the last run made */
    Trace *trace;
    size_t n_trace;
    bool is_prepared;
    bool profiling;
    bool may_leave_device; /* for the CPU, where the device's memory does not suffice */
};

#endif
