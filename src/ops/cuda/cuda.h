/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the CUDA device share.
 *
 * A kernel row is a Kernel as on the CPU, listed in kernel_list.inc; its `submit` hands work to the device's
 * one stream.  A row whose work is one launch of a kernel of kernels/ needs no `submit` of its own: see
 * cuda_prepare_launch(). */
#ifndef OPS_CUDA_CUDA_H
#define OPS_CUDA_CUDA_H

#include <cublasLt.h>
#include <cuda_runtime_api.h>
#include <cudnn.h>

#include "ops/cuda/kernels/args.h"
#include "ops/device.h"
#include "ops/nn/window.h"
#include "ops/op.h"
#include "ops/tensor/indexed.h"

/* The oldest that is used: plans by a device's properties (CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP). */
enum { MIN_CUDNN = 90800, MIN_CAPABILITY = 75 };

/* Pinned memory of the host, handed out in order. */
typedef struct CudaStaging {
    char *memory;
    size_t size_bytes, used_bytes;
} CudaStaging;

/* What is to be taken out of staging when the stream was waited for. */
typedef struct CudaDownload {
    void *to;
    const char *from;
    size_t size_bytes;
} CudaDownload;

/* Recording.data: with staging memory of its own, as it reads and writes the same each time. */
typedef struct CudaRecording {
    CudaStaging staging;
    cudaGraphExec_t graph;
} CudaRecording;

enum { CUDA_STAGING = 16 << 20, CUDA_MAX_DOWNLOADS = 64 };

typedef struct CudaDevice {
    Device device;
    int ordinal;
    char product[128]; /* the GPU's name */
    DeviceOptions options;
    cudaStream_t stream; /* of all work */
    CudaStaging staging;
    CudaStaging fault; /* a KernelFault */
    CudaDownload downloads[CUDA_MAX_DOWNLOADS];
    int n_downloads;
    bool is_capturing;     /* the stream keeps what it is given for Device.recording */
    cudaEvent_t events[2]; /* NULL until the first time is measured */
    cudnnHandle_t dnn;
    cudnnBackendDescriptor_t properties; /* for cuDNN's plans */
    cublasLtHandle_t blas;
} CudaDevice;

/* Makes the device current in the calling thread: before any other call. */
Status cuda_use(CudaDevice *device, Error *err) MUST_CHECK;
/* DEVICE_FAILED: "device cuda:0: WHAT: reason".  `device` may be NULL. */
Status cuda_fail(const CudaDevice *device, cudaError_t error, const char *what, Error *err);
Status cudnn_fail(const CudaDevice *device, cudnnStatus_t error, const char *what, Error *err);
Status cublas_fail(const CudaDevice *device, cublasStatus_t error, const char *what, Error *err);
/* OUT_OF_MEMORY, with what was asked for and what is free. */
Status cuda_fail_memory(CudaDevice *device, size_t size_bytes, Error *err);

/* --- the stream (stream.c): what Device has pointers to --- */

Status cuda_staging_alloc(CudaDevice *device, size_t size_bytes, CudaStaging *staging, Error *err) MUST_CHECK;
void cuda_staging_free(CudaStaging *staging);
Status cuda_upload(Device *device, void *to, const void *from, size_t size_bytes, Error *err);
Status cuda_download(Device *device, void *to, const void *from, size_t size_bytes, Error *err);
Status cuda_synchronize(Device *device, Error *err);
extern const RecordingHooks cuda_recording_hooks;
Status cuda_mark(Device *device, int which, Error *err);
Status cuda_elapsed(Device *device, uint64_t *time_ns, Error *err);

/* --- kernels --- */

/* How a kernel is launched: `blocks` of `threads`, with arguments that begin with a KernelData. */
typedef struct Launch {
    const void *kernel; /* as kernels.h declares it */
    int64_t blocks;
    int threads;
    /* What its KernelData are set to in cuda_prepare_launches(): inputs of the node from `first_input` on,
     * and the output. */
    int first_input, n_inputs, output;
    bool accumulates;   /* the output is its first input, before these */
    bool gives_indices; /* the output after `output`, too */
    /* Is left out in a run where the input lies at `part_offset` bytes of the output already. */
    bool is_part;
    size_t part_offset;
} Launch;

/* A thread for each of `count` elements. */
static inline Launch launch_each(const void *kernel, int64_t count) {
    return (Launch){.kernel = kernel,
                    .blocks = (count + LONE_THREADS - 1) / LONE_THREADS,
                    .threads = LONE_THREADS,
                    .n_inputs = 1};
}

/* A team of threads for each of `count` chunks. */
static inline Launch launch_teams(const void *kernel, int64_t count) {
    return (Launch){.kernel = kernel, .blocks = count, .threads = TEAM_THREADS, .n_inputs = 1};
}

Status cuda_launch(CudaDevice *device, const Launch *launch, const void *args, Error *err) MUST_CHECK;

/* A row of the table that competes with no other; what follows `prepare` sets further members. */
#define CUDA_ROW(NAME, OP, ACCEPTS, ...)                                                                     \
    const Kernel NAME = {                                                                                    \
        .name = #NAME, .op = OP, .accepts = ACCEPTS, .cost = cuda_cost, .prepare = __VA_ARGS__};

/* Prepares a node as launches, one after the other, that are all of one kernel's kind: `args` are as many
 * structs of `args_bytes`, which are copied; their KernelData are set for each run. */
Status cuda_prepare_launches(PrepareContext *ctx, const Launch *launches, int n_launches, const void *args,
                             size_t args_bytes, KernelInstance *instance) MUST_CHECK;
static inline MUST_CHECK Status cuda_prepare_launch(PrepareContext *ctx, const Launch *launch,
                                                    const void *args, size_t args_bytes,
                                                    KernelInstance *instance) {
    return cuda_prepare_launches(ctx, launch, 1, args, args_bytes, instance);
}

/* Prepares GlobalLpPool by a thread for each plane. */
Status cuda_prepare_norm_of_planes(const KernelQuery *query, int64_t p, PrepareContext *ctx,
                                   KernelInstance *instance) MUST_CHECK;

/* --- queries --- */

/* Whether an operand that is there has one of these types (DTYPE_BIT()), and at least one and less than 2^31
 * elements. */
bool cuda_is(const Operand *operand, unsigned dtypes);
static inline bool cuda_is_f32(const Operand *operand) {
    return cuda_is(operand, DTYPE_BIT(STRIDER_F32));
}
/* The same of all operands. */
bool cuda_all_of(const KernelQuery *query, unsigned dtypes);
static inline bool cuda_all_f32(const KernelQuery *query) {
    return cuda_all_of(query, DTYPE_BIT(STRIDER_F32));
}
#define CUDA_FLOATS_AND_BOOLS (DTYPE_BIT(STRIDER_F32) | DTYPE_BIT(STRIDER_BOOL))
/* The same of the first input and the outputs. */
bool cuda_first_of(const KernelQuery *query, unsigned dtypes);
/* Marks all inputs but the first as packed, so that they are not brought to the device.  False where one is
 * there and no constant, so that prepare() could not read it. */
bool cuda_alloc_constants(KernelQuery *query);
static inline bool cuda_f32_with_constants(KernelQuery *query) {
    return cuda_alloc_constants(query) && cuda_first_of(query, DTYPE_BIT(STRIDER_F32));
}
/* Whether nobody asked for outputs after the first. */
bool cuda_has_one_output(const KernelQuery *query);
/* For rows that do not compete with others. */
double cuda_cost(const KernelQuery *query);
/* Whether the input is there. */
bool cuda_has_input(const KernelQuery *query, int port);
int64_t cuda_elements(const Operand *operand);
/* The `rank` dimensions (or strides) of a box as kernels take them: the last of `count`, `absent` in
 * front. */
void cuda_dims(int rank, const int64_t *from, int absent, int count, int *to);
/* Whether all indices in input `port` are known to be in range, or in [0, size): by their contents where they
 * are the same in every run, by the node that makes them where that chooses positions. */
bool cuda_indices_fit(const KernelQuery *query, int port, const IndexedParts *parts);
bool cuda_indices_below(const KernelQuery *query, int port, int64_t size);
/* Whether the indices of input `port` are of a type that kernels read, and no constants outside [0, size). */
bool cuda_may_check(const KernelQuery *query, int port, int64_t size);
/* What a kernel checks them by, as far as they are not known to be in range; and where they are not. */
KernelCheck cuda_check(const KernelQuery *query, int port, int64_t size, const char *what,
                       PrepareContext *ctx);
KernelCheck cuda_run_check(const KernelQuery *query, PrepareContext *ctx);
/* Whether the kernels' arithmetic on these windows stays within 32 bits. */
bool cuda_windows_fit(const WindowDim *dims, int n);
/* Whether float32 has all positions in the dimensions after the first two. */
bool cuda_positions_fit(const Shape *shape);
/* A dimension of a window as the kernels take it. */
KernelAxis cuda_axis(const WindowDim *dim);
/* Zeroed memory in the plan. */
Status cuda_alloc(PrepareContext *ctx, Bytes size, void *memory) MUST_CHECK;

#endif
