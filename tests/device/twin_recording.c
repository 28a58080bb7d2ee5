/* SPDX-License-Identifier: Apache-2.0 */
/* Recordings.
 *
 * ops/device.h has the states, and ops/recording.c calls these hooks in their order, so that they need not
 * check any.  What they must do is to give meaning to Device.recording where work comes in: add_job() in
 * twin.c keeps it in the recording instead of in the queue, and twin_next_copy() finds the kept copy that one
 * of a replay stands for. */
#include <stdlib.h>

#include "twin.h"

/* What a recording needs is best taken here: where this fails the run is done plainly, and none is told. */
static Status twin_record(Device *device, Recording *recording, Error *err) {
    (void)device;
    TwinRecording *made = calloc(1, sizeof *made);
    if (!made)
        return fail_memory(err, sizeof *made, "the device twin");
    made->jobs.end = &made->jobs.first;
    recording->data = made; /* also if we fail from here on: `forget` frees it */
    FAIL_IF_ASKED("record");
    return STRIDER_OK;
}

/* Where devices make what they kept into what they can launch.  A queue is that already. */
static Status twin_finish(Device *device, Recording *recording, Error *err) {
    (void)device;
    (void)recording;
    FAIL_IF_ASKED("finish");
    return STRIDER_OK;
}

/* Inputs and outputs of a run lie elsewhere than in the run before, so their copies come again. */
static Status twin_replay(Device *device, Recording *recording, Error *err) {
    TwinRecording *made = recording->data;
    (void)device;
    FAIL_IF_ASKED("replay");
    made->at = made->jobs.first;
    return STRIDER_OK;
}

Status twin_next_copy(Twin *twin, size_t size_bytes, bool is_upload, Job **copy, Error *err) {
    TwinRecording *made = twin->device.recording->data;
    while (made->at && made->at->node)
        made->at = made->at->next;
    *copy = made->at;
    if (!*copy || (*copy)->size_bytes != size_bytes || is_upload != !(*copy)->from)
        return fail(err, STRIDER_DEVICE_FAILED, "device twin: a copy that is not the recorded one");
    made->at = (*copy)->next;
    return STRIDER_OK;
}

/* To the queue, not by add_job(): this is what is done, not what is kept. */
static Status twin_launch(Device *device, Recording *recording, Error *err) {
    FAIL_IF_ASKED("launch");
    Job *job = twin_add_to(&((Twin *)device)->queue, 0);
    if (!job)
        return fail_memory(err, sizeof *job, "the device twin");
    job->recording = recording->data;
    return STRIDER_OK;
}

/* The device itself is in no other state while it records: there is nothing to leave. */
static void twin_abandon(Device *device, Recording *recording) {
    (void)device;
    (void)recording;
}

static void twin_forget(Device *device, Recording *recording) {
    TwinRecording *made = recording->data;
    (void)twin_run_jobs((Twin *)device, NULL); /* which may have it among them */
    if (made)
        twin_free_jobs(&made->jobs);
    free(made);
}

const RecordingHooks twin_recording_hooks = {.record = twin_record,
                                             .finish = twin_finish,
                                             .replay = twin_replay,
                                             .launch = twin_launch,
                                             .abandon = twin_abandon,
                                             .forget = twin_forget};
