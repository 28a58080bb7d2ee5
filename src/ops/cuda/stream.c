/* SPDX-License-Identifier: Apache-2.0 */
/* The device's stream: copies through pinned memory, waiting, recording as a CUDA graph, and times by events.
 *
 * Only from and to pinned memory does a copy go on beside the host, and be recorded.  So an upload is put
 * into pinned memory first, which its source may then forget, and a download is taken out of it once the
 * device is known to be done.  Chunks of it are handed out in order; they are free again when the stream was
 * waited for. */
#include <string.h>

#include "ops/cuda/cuda.h"

enum { STAGING_ALIGNMENT = 64, STAGING_CHUNK = 4 << 20 };

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

/* BAD_MODEL where a kernel has found an index out of range since the last time. */
static Status check_fault(const CudaDevice *cuda, Error *err) {
    if (!cuda->fault.memory) /* the device could not be opened */
        return STRIDER_OK;
    const KernelFault fault = *(const KernelFault *)(const void *)cuda->fault.memory;
    if (!fault.node)
        return STRIDER_OK;
    memset(cuda->fault.memory, 0, sizeof fault);
    if (fault.what)
        return node_fail(fault.node, err, STRIDER_BAD_MODEL, "%s %lld is outside [0, %lld)", fault.what,
                         fault.index, fault.size);
    return node_fail(fault.node, err, STRIDER_BAD_MODEL, "index %lld is outside a dimension of %lld",
                     fault.index, fault.size);
}

/* Afterwards nothing is on its way, and all of the staging memory is free; also after a failure. */
static Status wait_for_all(CudaDevice *cuda, Error *err) {
    const cudaError_t error = cudaStreamSynchronize(cuda->stream);
    for (int i = 0; i < cuda->n_downloads && !error; i++)
        memcpy(cuda->downloads[i].to, cuda->downloads[i].from, cuda->downloads[i].size_bytes);
    cuda->n_downloads = 0;
    cuda->staging.used_bytes = 0;
    return error ? cuda_fail(cuda, error, "running", err) : check_fault(cuda, err);
}

/* What copies belong to; NULL: they are done at once. */
static CudaRecording *recording_of(const CudaDevice *cuda) {
    return cuda->device.recording ? cuda->device.recording->data : NULL;
}

/* Memory for the next part of a copy of which `left` bytes are left: *size_bytes of them. */
static Status next_chunk(CudaDevice *cuda, size_t left, char **chunk, size_t *size_bytes, Error *err) {
    CudaRecording *recording = recording_of(cuda);
    CudaStaging *staging = recording ? &recording->staging : &cuda->staging;
    *size_bytes = left < STAGING_CHUNK ? left : STAGING_CHUNK;
    const size_t taken = (*size_bytes + STAGING_ALIGNMENT - 1) & ~(size_t)(STAGING_ALIGNMENT - 1);
    if (staging->size_bytes - staging->used_bytes < taken || cuda->n_downloads == CUDA_MAX_DOWNLOADS) {
        if (recording)
            return fail(err, STRIDER_LIMIT_EXCEEDED, "device %s: more copies than can be recorded",
                        cuda->device.name);
        TRY(wait_for_all(cuda, err));
    }
    *chunk = staging->memory + staging->used_bytes;
    staging->used_bytes += taken;
    return STRIDER_OK;
}

/* --- copies --- */

static Status copy(CudaDevice *cuda, void *to, const void *from, size_t size_bytes, enum cudaMemcpyKind kind,
                   Error *err) {
    const Recording *recording = cuda->device.recording;
    if (recording && recording->state == RECORDING_REPLAYING)
        return STRIDER_OK; /* the graph has it */
    const cudaError_t error = cudaMemcpyAsync(to, from, size_bytes, kind, cuda->stream);
    return error ? cuda_fail(cuda, error, kind == cudaMemcpyHostToDevice ? "upload" : "download", err)
                 : STRIDER_OK;
}

Status cuda_upload(Device *device, void *to, const void *from, size_t size_bytes, Error *err) {
    CudaDevice *cuda = (CudaDevice *)device;
    TRY(cuda_use(cuda, err));
    for (size_t done = 0, size = 0; done < size_bytes; done += size) {
        char *chunk = NULL;
        TRY(next_chunk(cuda, size_bytes - done, &chunk, &size, err));
        memcpy(chunk, (const char *)from + done, size);
        TRY(copy(cuda, (char *)to + done, chunk, size, cudaMemcpyHostToDevice, err));
    }
    return STRIDER_OK;
}

static Status download(CudaDevice *cuda, char *to, const char *from, size_t size_bytes, Error *err) {
    TRY(cuda_use(cuda, err));
    for (size_t done = 0, size = 0; done < size_bytes; done += size) {
        char *chunk = NULL;
        TRY(next_chunk(cuda, size_bytes - done, &chunk, &size, err));
        TRY(copy(cuda, chunk, from + done, size, cudaMemcpyDeviceToHost, err));
        cuda->downloads[cuda->n_downloads++] = (CudaDownload){to + done, chunk, size};
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

/* Leaves the state in which the stream keeps what it is given; *graph is NULL after a failure. */
static cudaError_t end_capture(CudaDevice *cuda, cudaGraph_t *graph) {
    *graph = NULL;
    cuda->is_capturing = false;
    return cudaStreamEndCapture(cuda->stream, graph);
}

static Status begin_capture(CudaDevice *cuda, Error *err) {
    const cudaError_t error = cudaStreamBeginCapture(cuda->stream, cudaStreamCaptureModeThreadLocal);
    if (error)
        return cuda_fail(cuda, error, "cudaStreamBeginCapture", err);
    cuda->is_capturing = true;
    return STRIDER_OK;
}

static Status record(Device *device, Recording *recording, Error *err) {
    CudaDevice *cuda = (CudaDevice *)device;
    const CopyCount announced = recording->announced;
    TRY(cuda_use(cuda, err));
    CudaRecording *made = memory_alloc_zeroed(device->allocator, 1, sizeof *made);
    if (!made)
        return fail_memory(err, sizeof *made, "a recording");
    recording->data = made;
    const size_t chunks = (size_t)announced.copies + announced.size_bytes / STAGING_CHUNK + 1;
    TRY(cuda_staging_alloc(cuda, announced.size_bytes + chunks * STAGING_ALIGNMENT, &made->staging, err));
    return begin_capture(cuda, err);
}

static Status finish(Device *device, Recording *recording, Error *err) {
    CudaDevice *cuda = (CudaDevice *)device;
    CudaRecording *made = recording->data;
    cudaGraph_t graph;
    TRY(cuda_use(cuda, err));
    cudaError_t error = end_capture(cuda, &graph);
    if (error)
        return cuda_fail(cuda, error, "cudaStreamEndCapture", err);
    error = cudaGraphInstantiate(&made->graph, graph, 0);
    cudaGraphDestroy(graph);
    return error ? cuda_fail(cuda, error, "cudaGraphInstantiate", err) : STRIDER_OK;
}

/* The graph reads and writes its staging memory at the same places again. */
static Status replay(Device *device, Recording *recording, Error *err) {
    CudaRecording *made = recording->data;
    TRY(cuda_use((CudaDevice *)device, err));
    made->staging.used_bytes = 0;
    return STRIDER_OK;
}

static Status launch(Device *device, Recording *recording, Error *err) {
    CudaDevice *cuda = (CudaDevice *)device;
    const CudaRecording *made = recording->data;
    TRY(cuda_use(cuda, err));
    const cudaError_t error = cudaGraphLaunch(made->graph, cuda->stream);
    return error ? cuda_fail(cuda, error, "cudaGraphLaunch", err) : STRIDER_OK;
}

static void abandon(Device *device, Recording *recording) {
    CudaDevice *cuda = (CudaDevice *)device;
    cudaGraph_t graph = NULL;
    (void)recording;
    cuda->n_downloads = 0;
    if (!cuda->is_capturing || cuda_use(cuda, NULL))
        return;
    if (end_capture(cuda, &graph))
        cudaGetLastError();
    if (graph)
        cudaGraphDestroy(graph);
}

static void forget(Device *device, Recording *recording) {
    CudaRecording *made = recording->data;
    if (!made || cuda_use((CudaDevice *)device, NULL))
        return;
    (void)cuda_synchronize(device, NULL); /* it may have been launched */
    if (made->graph)
        cudaGraphExecDestroy(made->graph);
    cuda_staging_free(&made->staging);
    memory_free(device->allocator, made);
}

const RecordingHooks cuda_recording_hooks = {.record = record,
                                             .finish = finish,
                                             .replay = replay,
                                             .launch = launch,
                                             .abandon = abandon,
                                             .forget = forget};

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
