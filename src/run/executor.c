/* SPDX-License-Identifier: Apache-2.0 */
#include "run/executor.h"

#include "base/clock.h"
#include "base/team.h"
#include "graph/op.h"

enum { MAX_SHARES = 64, CACHE_LINE = 64 };

/* Tasks of one phase that one member begins with: neighbouring ones, and the same ones in each step of that
 * many, so that it finds in its own cache what it wrote there a step before.  Who is done with them helps the
 * others. */
typedef struct Share {
    _Alignas(CACHE_LINE) int64_t taken;
} Share;

typedef struct Running {
    const Execution *execution;
    RunMode mode;
    Share shares[2][MAX_SHARES]; /* of this phase, and of the next one, all zero */
    /* Of this step and the next: written by member 0 before a step's barrier, read by all after it, when
     * member 0 may be at the next one already. */
    Status status[2];
    Error *err;
} Running;

static Status run_reference(const Step *step, const BoundStep *bound, Region *strings, Error *err) {
    EvalContext ctx = {.node = step->node,
                       .n_inputs = step->n_inputs,
                       .n_outputs = step->n_outputs,
                       .inputs = bound->reference_inputs,
                       .outputs = bound->reference_outputs,
                       .scratch = bound->workspace,
                       .scratch_bytes = step->instance.workspace_bytes.n,
                       .strings = strings,
                       .err = err};
    return step->node->op->reference(&ctx);
}

static KernelCall call_of(const Step *step, const BoundStep *bound) {
    return (KernelCall){.inputs = bound->inputs,
                        .outputs = bound->outputs,
                        .args = step->instance.args,
                        .workspace = bound->workspace};
}

static Status hand_over(const Execution *execution, RunMode mode, size_t index, Error *err) {
    const Step *step = &execution->plan->steps[index];
    const BoundStep *bound = &execution->binding->steps[index];
    Device *device = execution->plan->devices[step->device];
    const KernelCall call = call_of(step, bound);
    switch (step->kind) {
    case STEP_TASKS:
        break;
    case STEP_REFERENCE:
        return run_reference(step, bound, execution->strings, err);
    case STEP_SUBMIT:
        if (mode != RUN_REPLAY)
            TRY(device_submit(device, &step->instance, &call, err));
        break;
    case STEP_UPLOAD:
        TRY(device_upload(device, bound->outputs[0], bound->inputs[0], step->size_bytes, err));
        break;
    case STEP_DOWNLOAD:
        TRY(device_download(device, bound->outputs[0], bound->inputs[0], step->size_bytes, err));
        break;
    }
    return step->waits && mode == RUN_PLAIN ? device_synchronize(device, err) : STRIDER_OK;
}

/* The same for a device's step with its time: each step's is its own, as it is waited for. */
static Status hand_over_timed(const Execution *execution, size_t index, Error *err) {
    Device *device = execution->plan->devices[execution->plan->steps[index].device];
    uint64_t *time_ns = &execution->binding->steps[index].time_ns;
    const uint64_t before = clock_ns();
    if (device->mark)
        TRY(device->mark(device, 0, err));
    TRY(hand_over(execution, RUN_PLAIN, index, err));
    if (device->mark) {
        TRY(device->mark(device, 1, err));
        return device->elapsed(device, time_ns, err);
    }
    TRY(device_synchronize(device, err));
    *time_ns = clock_ns() - before;
    return STRIDER_OK;
}

/* What one thread does alone. */
static Status run_alone(const Running *running, size_t index) {
    const Execution *execution = running->execution;
    const Plan *plan = execution->plan;
    RunRecording *recording = &execution->binding->recording;
    if (execution->profile && plan->steps[index].device != HOST)
        return hand_over_timed(execution, index, running->err);
    Status status = record_before(recording, plan, running->mode, index, running->err);
    if (!status)
        status = hand_over(execution, running->mode, index, running->err);
    if (!status)
        status = record_after(recording, plan, running->mode, index, running->err);
    if (status)
        record_failed(recording, running->mode, index);
    return status;
}

/* Runs a phase's tasks with the rest of the team, which meets at a barrier before the next phase. */
static void run_phase(Running *running, const Team *team, int member, int phase,
                      void (*run)(const KernelCall *call, int64_t task), const KernelCall *call,
                      int64_t tasks) {
    Share *shares = running->shares[phase % 2], *next = running->shares[(phase + 1) % 2];
    const int n_shares = team->size < MAX_SHARES ? team->size : MAX_SHARES;
    for (int i = 0; i < n_shares; i++) {
        const int share = (member + i) % n_shares;
        const int64_t first = tasks * share / n_shares, end = tasks * (share + 1) / n_shares;
        int64_t task;
        while ((task = first + __atomic_fetch_add(&shares[share].taken, 1, __ATOMIC_RELAXED)) < end)
            run(call, task);
    }
    for (int i = 0; member == 0 && i < n_shares; i++)
        __atomic_store_n(&next[i].taken, 0, __ATOMIC_RELAXED);
}

/* All members see the status when they have met, so that none begins with what another refuses. */
static bool is_checked(Running *running, size_t index, const KernelCall *call, Team *team, int member) {
    const KernelInstance *instance = &running->execution->plan->steps[index].instance;
    if (!instance->check)
        return true;
    if (member == 0)
        running->status[index % 2] = instance->check(call, running->err);
    team_barrier(team);
    return !running->status[index % 2];
}

static void run_tasks(Running *running, size_t index, Team *team, int member, int *phase) {
    const Execution *execution = running->execution;
    const Step *step = &execution->plan->steps[index];
    const KernelInstance *instance = &step->instance;
    KernelCall call = call_of(step, &execution->binding->steps[index]);
    call.scratch = execution->scratch + (size_t)member * execution->scratch_stride;
    if (!is_checked(running, index, &call, team, member))
        return;
    if (instance->prologue) {
        run_phase(running, team, member, (*phase)++, instance->prologue, &call, instance->prologue_tasks);
        team_barrier(team);
    }
    run_phase(running, team, member, (*phase)++, instance->run, &call, instance->tasks);
}

/* The times of a run's steps on the host add up to the run's: each begins when the one before has ended. */
static uint64_t meet_after_step(const Execution *execution, Team *team) {
    if (execution->profile)
        return team_barrier_timed(team);
    team_barrier(team);
    return 0;
}

static void run_steps(void *context, Team *team, int member) {
    Running *running = context;
    const Execution *execution = running->execution;
    const Plan *plan = execution->plan;
    int phase = 0;
    uint64_t begin = execution->profile ? team_barrier_timed(team) : 0;
    for (size_t i = 0; i < plan->n_steps; i++) {
        const Step *step = &plan->steps[i];
        if (step->kind == STEP_TASKS)
            run_tasks(running, i, team, member, &phase);
        else if (member == 0)
            running->status[i % 2] = run_alone(running, i);
        const uint64_t end = meet_after_step(execution, team);
        if (running->status[i % 2])
            return;
        if (execution->profile && member == 0 && step->device == HOST)
            execution->binding->steps[i].time_ns = end - begin;
        begin = end;
    }
}

static Status run_all(const Execution *execution, RunMode mode, Error *err) {
    Running running = {.execution = execution, .mode = mode, .err = err};
    team_run(execution->plan->is_small ? 1 : execution->threads, run_steps, &running);
    return running.status[0] ? running.status[0] : running.status[1];
}

Status execute(const Execution *execution, Error *err) {
    RunRecording *recording = &execution->binding->recording;
    const RunMode mode = execution->record && !execution->profile
                             ? record_mode(recording, execution->plan, execution->arenas)
                             : RUN_PLAIN;
    Status failed = run_all(execution, mode, err);
    /* Nothing of what could not be recorded has been done. */
    if (failed && mode == RUN_RECORD && recording->is_refused)
        failed = run_all(execution, RUN_PLAIN, err);
    /* Also after a failure: what was begun may still read and write memory.  The first error is the one. */
    for (int i = HOST + 1; i < execution->plan->n_devices; i++) {
        Device *device = execution->plan->devices[i];
        Status status = device_synchronize(device, failed ? NULL : err);
        failed = failed ? failed : status;
    }
    return failed;
}
