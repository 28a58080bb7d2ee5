/* SPDX-License-Identifier: Apache-2.0 */
/* Recording what a run hands to a device, to hand it over as one piece in later runs (ops/device.h). */
#ifndef RUN_RECORD_H
#define RUN_RECORD_H

#include "plan/plan.h"

/* What is kept of a plan in a session.  All zero at first. */
typedef struct RunRecording {
    bool is_refused;              /* the plan cannot be recorded */
    int device;                   /* whose steps these are; HOST: not known yet */
    size_t first_step, last_step; /* of the device */
    bool waits;                   /* for a download: a step of the host follows */
    CopyCount copies;
    int warm_runs;
    const char *arena; /* on the device, that `work` was made for */
    Recording work;
} RunRecording;

typedef enum RunMode { RUN_PLAIN, RUN_RECORD, RUN_REPLAY } RunMode;

/* How this run goes: plainly at first, so that devices have loaded what they load at first use; then it
 * records, then it replays.  Records anew where the device's memory has moved. */
RunMode record_mode(RunRecording *recording, const Plan *plan, char *const *arenas);
/* Around step `index`, in any mode: begins before the first step of the device, hands all over after its
 * last. */
Status record_before(RunRecording *recording, const Plan *plan, RunMode mode, size_t index,
                     Error *err) MUST_CHECK;
Status record_after(RunRecording *recording, const Plan *plan, RunMode mode, size_t index,
                    Error *err) MUST_CHECK;
/* After a failure of step `index` or of these around it: what is unfinished comes to nothing.  A plan that
 * failed while it was recorded runs plainly from now on. */
void record_failed(RunRecording *recording, RunMode mode, size_t index);

#endif
