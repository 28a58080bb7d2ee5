/* SPDX-License-Identifier: Apache-2.0 */
/* What stands behind the public strider_session (see strider/session.h for what its functions promise). */
#ifndef RUN_SESSION_H
#define RUN_SESSION_H

#include "base/budget.h"
#include "plan/plan.h"
#include "run/executor.h"
#include "run/model.h"
#include "strider/session.h"

/* A plan for one set of input types. */
typedef struct CachedPlan {
    Plan *plan;
    Type *inputs;       /* one for each graph input; dtype NONE where it was absent */
    uint64_t last_used; /* a count of preparations */
} CachedPlan;

/* What runs behind a node whose output shape depends on data: planned anew in each run. */
typedef struct Segment {
    Plan *plan;
    char *arenas[MAX_DEVICES];
} Segment;

struct strider_session {
    const strider_model *model;
    strider_session_options options;
    Budget budget;              /* all memory of the session but packed weights */
    const Allocator *allocator; /* the budget's */
    uint64_t promised_bytes;    /* strider_plan_info.memory_bytes */
    Isa isa;
    Device host;                     /* its memory is the budget's */
    PlanDevice devices[MAX_DEVICES]; /* the host's packs are the model's, the others the session's own */
    int n_devices;
    PackCache device_packs; /* of the device that is not the host */
    CachedPlan *plans;
    size_t n_plans;
    uint64_t preparations;
    Plan *current; /* among `plans`; NULL before the first preparation */
    char *arenas[MAX_DEVICES], *scratch;
    size_t arena_bytes[MAX_DEVICES], scratch_stride, scratch_bytes;
    strider_tensor *inputs; /* of the current run, with defaults filled in */
    Region run_region;      /* what lives until the next run */
    Segment *segments;      /* behind the current plan */
    size_t n_segments, segments_capacity;
    TensorList tensors; /* computed between segments */
    bool profiling;
    bool may_leave_device; /* for the CPU, where the device's memory does not suffice */
};

/* run/session_devices.c: as session->options ask. */
Status session_open_devices(strider_session *session, Error *err) MUST_CHECK;
/* All but the host, with their arenas; no plan may be left that uses them. */
void session_close_devices(strider_session *session);
/* Where the memory of the device did not suffice for session->current: whether a plan with smaller workspaces
 * is worth trying; the current one is dropped for it, and the device's limit lowered until
 * session_restore_workspaces(). */
bool session_shrink_workspaces(strider_session *session);
void session_restore_workspaces(strider_session *session);
/* Where it did not suffice, as `err` says, and the caller left the choice of the device to us: goes on with
 * the CPU alone, all plans are dropped.  False: nothing has changed. */
bool session_leave_device(strider_session *session, const Error *err);

/* run/session_memory.c: the budget that max_memory_bytes asks for, and the allocator and the host's device
 * that take from it. */
void session_open_budget(strider_session *session);
/* Arenas on all devices for a plan, at least as large as it needs; `have` are the sizes of those there.
 * LIMIT_EXCEEDED where the session would hold more than it may; then nothing was taken. */
Status session_reserve_arenas(strider_session *session, const Plan *plan, char *arenas[MAX_DEVICES],
                              size_t have[MAX_DEVICES], Error *err) MUST_CHECK;
void session_release_arenas(strider_session *session, char *arenas[MAX_DEVICES]);
Status session_reserve_scratch(strider_session *session, const Plan *plan, Error *err) MUST_CHECK;
/* strider_plan_info.peak_memory_bytes. */
uint64_t session_peak(const strider_session *session);

/* For the other files of the session. */
void session_drop_current(strider_session *session);
void session_drop_plans(strider_session *session);
/* Drops the plan that was used longest ago and is neither `keep` nor the current one; false: there is none.
 */
bool session_drop_oldest_plan(strider_session *session, const Plan *keep);

/* For run/dynamic.c. */
PlanRequest session_plan_request(strider_session *session, const Given *given, size_t first_node);
/* For a constant that is packed outside a plan. */
PrepareContext session_prepare_context(strider_session *session, Error *err);
Execution session_execution(const strider_session *session, Plan *plan, char *const *arenas);

#endif
