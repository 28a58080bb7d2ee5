/* SPDX-License-Identifier: Apache-2.0 */
/* The device's stream: copies through pinned memory, waiting, recording as a CUDA graph, and times by events.
 *
 * Only from and to pinned memory does a copy go on beside the host, and be recorded.  So an upload is put
 * into pinned memory first, which its source may then forget, and a download is taken out of it once the
 * device is known to be done.  Pieces of it are handed out in order; they are free again when the stream was
 * waited for. */
#include <string.h>

#include "ops/cuda/cuda.h"

enum { STAGING_ALIGNMENT = 64, STAGING_PIECE = 4 << 20 };

/* --- staging --- */

Status cuda_staging_alloc(CudaDevice *device, size_t size_bytes, CudaStaging *staging, Error *err) {
    void *memory;
    const cudaError_t error = cudaHostAlloc(&memory, size_bytes, cudaHostAllocDefault);
    if (error == cudaErrorMemoryAllocation) {
        cudaGetLastError();
        return fail(err, STRIDER_OUT_OF_MEMORY, "device %s: out of memory: %zu bytes of pinned host memory",
                    device->device.name, size_bytes);
    }
    if (error)
        return cuda_fail(device, error, "cudaHostAlloc", err);
    *staging = (CudaStaging){.memory = memory, .size_bytes = size_bytes};
    return STRIDER_OK;
}

void cuda_staging_free(CudaStaging *staging) {
    if (staging->memory)
        cudaFreeHost(staging->memory);
    *staging = (CudaStaging){0};
}

/* Afterwards nothing is on its way, and all of the staging memory is free; also after a failure. */
static Status wait_for_all(CudaDevice *cuda, Error *err) {
    const cudaError_t error = cudaStreamSynchronize(cuda->stream);
    for (int i = 0; i < cuda->n_downloads && !error; i++)
        memcpy(cuda->downloads[i].to, cuda->downloads[i].from, cuda->downloads[i].size_bytes);
    cuda->n_downloads = 0;
    cuda->staging.used_bytes = 0;
    return error ? cuda_fail(cuda, error, "running", err) : STRIDER_OK;
}

/* Memory for the next part of a copy of which `left` bytes are left: *size_bytes of them. */
static Status next_piece(CudaDevice *cuda, size_t left, char **piece, size_t *size_bytes, Error *err) {
    CudaStaging *staging = cuda->recording ? &cuda->recording->staging : &cuda->staging;
    *size_bytes = left < STAGING_PIECE ? left : STAGING_PIECE;
    const size_t taken = (*size_bytes + STAGING_ALIGNMENT - 1) & ~(size_t)(STAGING_ALIGNMENT - 1);
    if (staging->size_bytes - staging->used_bytes < taken || cuda->n_downloads == CUDA_MAX_DOWNLOADS) {
        if (cuda->recording)
            return fail(err, STRIDER_LIMIT_EXCEEDED, "device %s: more copies than can be recorded",
                        cuda->device.name);
        TRY(wait_for_all(cuda, err));
    }
    *piece = staging->memory + staging->used_bytes;
    staging->used_bytes += taken;
    return STRIDER_OK;
}

/* --- copies --- */

static Status copy(CudaDevice *cuda, void *to, const void *from, size_t size_bytes, enum cudaMemcpyKind kind,
                   Error *err) {
    if (cuda->recording && !cuda->is_capturing)
        return STRIDER_OK; /* a replay: the recording has it */
    const cudaError_t error = cudaMemcpyAsync(to, from, size_bytes, kind, cuda->stream);
    return error ? cuda_fail(cuda, error, kind == cudaMemcpyHostToDevice ? "upload" : "download", err)
                 : STRIDER_OK;
}

Status cuda_upload(Device *device, void *to, const void *from, size_t size_bytes, Error *err) {
    CudaDevice *cuda = (CudaDevice *)device;
    TRY(cuda_use(cuda, err));
    for (size_t done = 0, size = 0; done < size_bytes; done += size) {
        char *piece = NULL;
        TRY(next_piece(cuda, size_bytes - done, &piece, &size, err));
        memcpy(piece, (const char *)from + done, size);
        TRY(copy(cuda, (char *)to + done, piece, size, cudaMemcpyHostToDevice, err));
    }
    return STRIDER_OK;
}

static Status download(CudaDevice *cuda, char *to, const char *from, size_t size_bytes, Error *err) {
    TRY(cuda_use(cuda, err));
    for (size_t done = 0, size = 0; done < size_bytes; done += size) {
        char *piece = NULL;
        TRY(next_piece(cuda, size_bytes - done, &piece, &size, err));
        TRY(copy(cuda, piece, from + done, size, cudaMemcpyDeviceToHost, err));
        cuda->downloads[cuda->n_downloads++] = (CudaDownload){to + done, piece, size};
    }
    return STRIDER_OK;
}

Status cuda_download(Device *device, void *to, const void *from, size_t size_bytes, Error *err) {
    CudaDevice *cuda = (CudaDevice *)device;
    const Status status = download(cuda, to, from, size_bytes, err);
    /* Who is told of a failure may free `to` before anybody waits. */
    if (status)
        cuda->n_downloads = 0;
    return status;
}

Status cuda_synchronize(Device *device, Error *err) {
    CudaDevice *cuda = (CudaDevice *)device;
    TRY(cuda_use(cuda, err));
    return wait_for_all(cuda, err);
}

/* --- recording --- */

/* Leaves the state in which work is recorded; *graph is NULL after a failure. */
static cudaError_t end_capture(CudaDevice *cuda, cudaGraph_t *graph) {
    *graph = NULL;
    cuda->is_capturing = false;
    return cudaStreamEndCapture(cuda->stream, graph);
}

/* What was begun on the device's behalf comes to nothing. */
static void abandon(CudaDevice *cuda) {
    cudaGraph_t graph = NULL;
    if (cuda->is_capturing && end_capture(cuda, &graph))
        cudaGetLastError();
    if (graph)
        cudaGraphDestroy(graph);
    cuda->recording = NULL;
    cuda->n_downloads = 0;
}

void cuda_forget(Device *device, void *recording) {
    CudaDevice *cuda = (CudaDevice *)device;
    CudaRecording *old = recording;
    if (!old || cuda_use(cuda, NULL))
        return;
    if (cuda->recording == old)
        abandon(cuda);
    (void)cuda_synchronize(device, NULL); /* it may have been launched */
    if (old->graph)
        cudaGraphExecDestroy(old->graph);
    cuda_staging_free(&old->staging);
    memory_free(device->allocator, old);
}

static Status begin_capture(CudaDevice *cuda, CudaRecording *recording, Error *err) {
    const cudaError_t error = cudaStreamBeginCapture(cuda->stream, cudaStreamCaptureModeThreadLocal);
    if (error)
        return cuda_fail(cuda, error, "cudaStreamBeginCapture", err);
    cuda->recording = recording;
    cuda->is_capturing = true;
    return STRIDER_OK;
}

Status cuda_record(Device *device, size_t copied_bytes, int copies, void **recording, Error *err) {
    CudaDevice *cuda = (CudaDevice *)device;
    *recording = NULL;
    TRY(cuda_use(cuda, err));
    CudaRecording *made = memory_alloc_zeroed(device->allocator, 1, sizeof *made);
    if (!made)
        return fail_memory(err, sizeof *made, "a recording");
    const size_t pieces = (size_t)copies + copied_bytes / STAGING_PIECE + 1;
    Status status = cuda_staging_alloc(cuda, copied_bytes + pieces * STAGING_ALIGNMENT, &made->staging, err);
    if (!status)
        status = begin_capture(cuda, made, err);
    if (status)
        cuda_forget(device, made);
    else
        *recording = made;
    return status;
}

Status cuda_replay(Device *device, void *recording, Error *err) {
    CudaDevice *cuda = (CudaDevice *)device;
    TRY(cuda_use(cuda, err));
    cuda->recording = recording;
    cuda->recording->staging.used_bytes = 0;
    return STRIDER_OK;
}

static Status instantiate(CudaDevice *cuda, CudaRecording *recording, Error *err) {
    cudaGraph_t graph;
    cudaError_t error = end_capture(cuda, &graph);
    if (error)
        return cuda_fail(cuda, error, "cudaStreamEndCapture", err);
    error = cudaGraphInstantiate(&recording->graph, graph, 0);
    cudaGraphDestroy(graph);
    return error ? cuda_fail(cuda, error, "cudaGraphInstantiate", err) : STRIDER_OK;
}

Status cuda_launch_recording(Device *device, Error *err) {
    CudaDevice *cuda = (CudaDevice *)device;
    TRY(cuda_use(cuda, err));
    if (cuda->is_capturing)
        TRY(instantiate(cuda, cuda->recording, err));
    const cudaError_t error = cudaGraphLaunch(cuda->recording->graph, cuda->stream);
    if (error)
        return cuda_fail(cuda, error, "cudaGraphLaunch", err);
    cuda->recording = NULL;
    return STRIDER_OK;
}

/* --- times --- */

Status cuda_mark(Device *device, int which, Error *err) {
    CudaDevice *cuda = (CudaDevice *)device;
    TRY(cuda_use(cuda, err));
    cudaError_t error = cuda->events[which] ? cudaSuccess : cudaEventCreate(&cuda->events[which]);
    if (!error)
        error = cudaEventRecord(cuda->events[which], cuda->stream);
    return error ? cuda_fail(cuda, error, "an event", err) : STRIDER_OK;
}

Status cuda_elapsed(Device *device, uint64_t *time_ns, Error *err) {
    CudaDevice *cuda = (CudaDevice *)device;
    float time_ms = 0;
    TRY(cuda_synchronize(device, err));
    const cudaError_t error = cudaEventElapsedTime(&time_ms, cuda->events[0], cuda->events[1]);
    *time_ns = (uint64_t)((double)time_ms * 1e6 + 0.5);
    return error ? cuda_fail(cuda, error, "the time between events", err) : STRIDER_OK;
}
