/* SPDX-License-Identifier: Apache-2.0 */
#include "run/record.h"

enum { WARM_RUNS = 2 };

static bool is_of_host(const Step *step) {
    return step->kind == STEP_TASKS || step->kind == STEP_REFERENCE;
}

/* Can be recorded: steps of one device without one of the host in their middle, which would read what is not
 * there before all is done. */
static void find_steps(const Plan *plan, RunRecording *recording) {
    bool has_ended = false;
    for (size_t i = 0; i < plan->n_steps; i++) {
        const Step *step = &plan->steps[i];
        if (is_of_host(step)) {
            has_ended = recording->device != HOST;
            continue;
        }
        if (has_ended || (recording->device != HOST && recording->device != step->device)) {
            recording->is_refused = true;
            return;
        }
        if (recording->device == HOST)
            recording->first_step = i;
        recording->device = step->device;
        recording->last_step = i;
        recording->waits |= step->waits;
        if (step->kind != STEP_SUBMIT) {
            recording->copies.copies++;
            recording->copies.size_bytes += step->size_bytes;
        }
    }
    recording->is_refused = recording->device == HOST || !plan->devices[recording->device]->recording_hooks;
}

RunMode record_mode(RunRecording *recording, const Plan *plan, char *const *arenas) {
    if (recording->is_refused)
        return RUN_PLAIN;
    if (recording->warm_runs == 0)
        find_steps(plan, recording);
    if (recording->is_refused || recording->warm_runs < WARM_RUNS) {
        recording->warm_runs++;
        return RUN_PLAIN;
    }
    const char *arena = arenas[recording->device];
    if (recording->work.state == RECORDING_READY && recording->arena == arena)
        return RUN_REPLAY;
    recording_free(&recording->work);
    recording->arena = arena;
    return RUN_RECORD;
}

Status record_before(RunRecording *recording, const Plan *plan, RunMode mode, size_t index, Error *err) {
    if (mode == RUN_PLAIN || index != recording->first_step)
        return STRIDER_OK;
    return mode == RUN_RECORD
               ? recording_begin(&recording->work, plan->devices[recording->device], recording->copies, err)
               : recording_replay(&recording->work, err);
}

Status record_after(RunRecording *recording, const Plan *plan, RunMode mode, size_t index, Error *err) {
    if (mode == RUN_PLAIN || index != recording->last_step)
        return STRIDER_OK;
    TRY(recording_launch(&recording->work, err));
    return recording->waits ? device_synchronize(plan->devices[recording->device], err) : STRIDER_OK;
}

void record_failed(RunRecording *recording, RunMode mode, size_t index) {
    if (mode == RUN_PLAIN || index < recording->first_step || index > recording->last_step)
        return;
    recording_free(&recording->work);
    recording->is_refused = mode == RUN_RECORD;
}
