/* SPDX-License-Identifier: Apache-2.0 */
/* The CUDA device: its memory, its stream, its libraries; and the module that brings it. */
#include <stdio.h>
#include <string.h>

#include "ops/cuda/cuda.h"

/* --- memory --- */

Status cuda_fail_memory(CudaDevice *device, size_t size_bytes, Error *err) {
    size_t free_bytes = 0, total_bytes = 0;
    cudaGetLastError();
    cudaMemGetInfo(&free_bytes, &total_bytes);
    device->device.was_full = true;
    return fail(err, STRIDER_OUT_OF_MEMORY, "device %s: out of memory: %zu bytes asked for, %zu of %zu free",
                device->device.name, size_bytes, free_bytes, total_bytes);
}

static Status cuda_reserve(Device *device, size_t size_bytes, void **memory, Error *err) {
    CudaDevice *cuda = (CudaDevice *)device;
    TRY(cuda_use(cuda, err));
    const cudaError_t error = cudaMalloc(memory, size_bytes ? size_bytes : 1);
    if (error == cudaErrorMemoryAllocation)
        return cuda_fail_memory(cuda, size_bytes, err);
    return error ? cuda_fail(cuda, error, "cudaMalloc", err) : STRIDER_OK;
}

static void cuda_release(Device *device, void *memory) {
    if (memory && cuda_use((CudaDevice *)device, NULL) == STRIDER_OK)
        cudaFree(memory);
}

/* --- opening --- */

static Status check_libraries(Error *err) {
    int driver = 0;
    const size_t dnn = cudnnGetVersion();
    const cudaError_t error = cudaDriverGetVersion(&driver);
    if (dnn / 10000 != CUDNN_MAJOR || dnn < MIN_CUDNN)
        return fail(err, STRIDER_DEVICE_FAILED,
                    "device cuda: cuDNN %zu is installed, 9.8 or newer (below 10) is needed", dnn);
    if (error || !driver)
        return fail(err, STRIDER_DEVICE_FAILED, "device cuda: no NVIDIA driver is installed");
    if (driver / 1000 < CUDART_VERSION / 1000)
        return fail(err, STRIDER_DEVICE_FAILED,
                    "device cuda: the NVIDIA driver is too old: it is for CUDA %d.%d, this is CUDA %d.%d",
                    driver / 1000, driver % 1000 / 10, CUDART_VERSION / 1000, CUDART_VERSION % 1000 / 10);
    return STRIDER_OK;
}

static Status count_devices(int *count, Error *err) {
    TRY(check_libraries(err));
    const cudaError_t error = cudaGetDeviceCount(count);
    if (error || *count == 0)
        return fail(err, STRIDER_DEVICE_FAILED, "device cuda: there is none: %s",
                    error ? cudaGetErrorString(error) : "the driver counts 0");
    return STRIDER_OK;
}

static Status check_capability(int ordinal, struct cudaDeviceProp *properties, Error *err) {
    const cudaError_t error = cudaGetDeviceProperties(properties, ordinal);
    if (error)
        return cuda_fail(NULL, error, "cudaGetDeviceProperties", err);
    if (properties->major * 10 + properties->minor < MIN_CAPABILITY)
        return fail(err, STRIDER_DEVICE_FAILED,
                    "device cuda:%d: %s is too old: it has compute capability %d.%d, 7.5 is needed", ordinal,
                    properties->name, properties->major, properties->minor);
    return STRIDER_OK;
}

static Status describe(int ordinal, strider_device_info *info, int *count, Error *err) {
    struct cudaDeviceProp properties;
    Error problem;
    int driver = 0;
    TRY(count_devices(count, err));
    if (ordinal >= *count)
        return STRIDER_OK;
    snprintf(info->name, sizeof info->name, "cuda:%d", ordinal);
    if (check_capability(ordinal, &properties, &problem)) {
        snprintf(info->problem, sizeof info->problem, "%s", problem.message);
        return STRIDER_OK;
    }
    cudaDriverGetVersion(&driver);
    const size_t dnn = cudnnGetVersion();
    snprintf(info->description, sizeof info->description, "%.100s, compute capability %d.%d", properties.name,
             properties.major, properties.minor);
    snprintf(info->software, sizeof info->software,
             "driver for CUDA %d.%d, CUDA %d.%d, cuDNN %zu.%zu.%zu, cuBLASLt %zu", driver / 1000,
             driver % 1000 / 10, CUDART_VERSION / 1000, CUDART_VERSION % 1000 / 10, dnn / 10000,
             dnn / 100 % 100, dnn % 100, cublasLtGetVersion());
    info->memory_bytes = properties.totalGlobalMem;
    return STRIDER_OK;
}

static void cuda_close(Device *device) {
    CudaDevice *cuda = (CudaDevice *)device;
    if (cuda_use(cuda, NULL) == STRIDER_OK) {
        if (cuda->stream)
            (void)cuda_synchronize(device, NULL);
        cuda_staging_free(&cuda->staging);
        cuda_staging_free(&cuda->fault);
        for (int i = 0; i < 2; i++)
            if (cuda->events[i])
                cudaEventDestroy(cuda->events[i]);
        if (cuda->blas)
            cublasLtDestroy(cuda->blas);
        if (cuda->properties)
            cudnnBackendDestroyDescriptor(cuda->properties);
        if (cuda->dnn)
            cudnnDestroy(cuda->dnn);
        if (cuda->stream)
            cudaStreamDestroy(cuda->stream);
    }
    memory_free(device->allocator, cuda);
}

static Status open_libraries(CudaDevice *cuda, Error *err) {
    TRY(cuda_use(cuda, err));
    const cudaError_t error = cudaStreamCreateWithFlags(&cuda->stream, cudaStreamNonBlocking);
    if (error)
        return cuda_fail(cuda, error, "cudaStreamCreateWithFlags", err);
    TRY(cuda_staging_alloc(cuda, CUDA_STAGING, &cuda->staging, err));
    TRY(cuda_staging_alloc(cuda, sizeof(KernelFault), &cuda->fault, err));
    memset(cuda->fault.memory, 0, sizeof(KernelFault));
    cudnnStatus_t dnn = cudnnCreate(&cuda->dnn);
    if (!dnn)
        dnn = cudnnSetStream(cuda->dnn, cuda->stream);
    if (!dnn)
        dnn = cudnnBackendCreateDescriptor(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR, &cuda->properties);
    if (!dnn)
        dnn = cudnnBackendSetAttribute(cuda->properties, CUDNN_ATTR_DEVICEPROP_HANDLE, CUDNN_TYPE_HANDLE, 1,
                                       &cuda->dnn);
    if (!dnn)
        dnn = cudnnBackendFinalize(cuda->properties);
    if (dnn)
        return cudnn_fail(cuda, dnn, "cuDNN", err);
    const cublasStatus_t blas = cublasLtCreate(&cuda->blas);
    return blas ? cublas_fail(cuda, blas, "cublasLtCreate", err) : STRIDER_OK;
}

#define KERNEL(row) extern const Kernel row;
#include "ops/cuda/kernel_list.inc"
#undef KERNEL

static const Kernel *const kernels[] = {
#define KERNEL(row) &row,
#include "ops/cuda/kernel_list.inc"
#undef KERNEL
};

static Status open_device(int ordinal, const DeviceOptions *options, Device **device, Error *err) {
    struct cudaDeviceProp properties;
    int count = 0;
    TRY(count_devices(&count, err));
    if (ordinal >= count)
        return fail(err, STRIDER_DEVICE_FAILED, "device cuda:%d: there are %d, counted from 0", ordinal,
                    count);
    TRY(check_capability(ordinal, &properties, err));
    CudaDevice *cuda = memory_alloc_zeroed(options->allocator, 1, sizeof *cuda);
    if (!cuda)
        return fail_memory(err, sizeof *cuda, "the device");
    cuda->ordinal = ordinal;
    cuda->options = *options;
    snprintf(cuda->product, sizeof cuda->product, "%.100s", properties.name);
    cuda->device = (Device){.alignment = 256,
                            .kernels = kernels,
                            .n_kernels = sizeof kernels / sizeof *kernels,
                            .allocator = options->allocator,
                            .max_workspace_bytes = options->max_workspace_bytes,
                            .reserve = cuda_reserve,
                            .release = cuda_release,
                            .upload = cuda_upload,
                            .download = cuda_download,
                            .synchronize = cuda_synchronize,
                            .recording_hooks = &cuda_recording_hooks,
                            .mark = cuda_mark,
                            .elapsed = cuda_elapsed,
                            .close = cuda_close};
    snprintf(cuda->device.name, sizeof cuda->device.name, "cuda:%d", ordinal);
    const Status status = open_libraries(cuda, err);
    if (status) {
        cuda_close(&cuda->device);
        return status;
    }
    *device = &cuda->device;
    return STRIDER_OK;
}

const char *strider_device_build(void) {
    return device_build;
}

const DeviceModule *strider_device_module(void) {
    static const DeviceModule module = {.describe = describe, .open = open_device};
    return &module;
}
