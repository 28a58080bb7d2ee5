/* SPDX-License-Identifier: Apache-2.0 */
/* Recording what a run hands to a device, to hand it over as one piece in later runs (Device.record). */
#ifndef RUN_RECORD_H
#define RUN_RECORD_H

#include "run/executor.h"

typedef enum RunMode { RUN_PLAIN, RUN_RECORD, RUN_REPLAY } RunMode;

/* How this run goes: plainly at first, so that devices have loaded what they load at first use; then it
 * records, then it replays.  Records anew where the device's memory has moved. */
RunMode record_mode(const Execution *execution);
/* Around step `index`, in any mode: begins before the first step of the device, hands all over behind its
 * last. */
Status record_before(const Execution *execution, RunMode mode, size_t index, Error *err) MUST_CHECK;
Status record_behind(const Execution *execution, RunMode mode, size_t index, Error *err) MUST_CHECK;
/* After a failure of step `index` or of these around it: what is unfinished comes to nothing.  A plan that
 * failed while it was recorded runs plainly from now on. */
void record_failed(const Execution *execution, RunMode mode, size_t index);

#endif
