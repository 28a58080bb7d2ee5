/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the twin share. */
#ifndef DEVICE_TWIN_H
#define DEVICE_TWIN_H

#include "ops/device.h"

typedef struct Block {
    struct Block *next;
    char *memory;
    size_t size_bytes;
} Block;

/* Work that waits: a copy, a node, or all of a recording. */
typedef struct Job {
    struct Job *next;
    void *to;
    const void *from; /* NULL: `staged` */
    size_t size_bytes;
    const struct NodeArgs *node;
    const struct TwinRecording *recording;
    const void **inputs;
    void **outputs;
    char staged[];
} Job;

/* In the order that they were given in. */
typedef struct Queue {
    Job *first, **end;
} Queue;

typedef struct Twin {
    Device device;
    Block *blocks;
    size_t used_bytes;
    Queue queue;
} Twin;

/* Recording.data. */
typedef struct TwinRecording {
    Queue jobs;
    Job *at; /* while replaying: the next copy is this job or one after it */
} TwinRecording;

/* Whether $TWIN_FAIL asks for it. */
bool twin_must_fail(const char *call);
#define FAIL_IF_ASKED(CALL)                                                                                  \
    if (twin_must_fail(CALL))                                                                                \
    return fail(err, STRIDER_DEVICE_FAILED, "device twin: " CALL " failed")

/* A job at the end of a queue, with bytes of its own after it; NULL where there is no memory. */
Job *twin_add_to(Queue *queue, size_t staged_bytes);
void twin_free_jobs(Queue *queue);
/* Does all that waits. */
Status twin_run_jobs(Twin *twin, Error *err);

/* twin_recording.c */
extern const RecordingHooks twin_recording_hooks;

static inline bool twin_is_replaying(const Twin *twin) {
    return twin->device.recording && twin->device.recording->state == RECORDING_REPLAYING;
}

/* The recorded job that the next copy stands for. */
Status twin_next_copy(Twin *twin, size_t size_bytes, bool is_upload, Job **copy, Error *err);

#endif
