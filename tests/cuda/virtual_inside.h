/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the virtual libcudart share. */
#ifndef CUDA_VIRTUAL_INSIDE_H
#define CUDA_VIRTUAL_INSIDE_H

#include <pthread.h>

#include "virtual_device.h"

typedef struct VirtualCounts {
    long launches, graph_launches, synchronizations, works, allocations;
} VirtualCounts;

extern pthread_mutex_t virtual_lock; /* recursive */
extern VirtualCounts virtual_counts;

/* Keeps an error for cudaGetLastError(). */
cudaError_t virtual_result(cudaError_t error);
/* Whether this call is to do nothing. */
bool virtual_must_skip(const char *call);
/* Around the device's work: its memory may be touched. */
void virtual_enter(void);
void virtual_leave(void);
bool virtual_is_device(const void *memory);
bool virtual_is_pinned(const void *memory, size_t size_bytes);
/* Runs what is queued in all streams. */
void virtual_run_all(void);
/* What CUDA forbids while a stream is captured: the capture is lost. */
bool virtual_is_illegal_in_capture(const char *call);

#define NOT_IN_CAPTURE(CALL)                                                                                 \
    if (virtual_is_illegal_in_capture(#CALL))                                                                \
    return virtual_result(cudaErrorStreamCaptureUnsupported)
#define FAIL_IF_ASKED(CALL)                                                                                  \
    if (virtual_must_fail(#CALL))                                                                            \
    return virtual_result(cudaErrorUnknown)

#endif
