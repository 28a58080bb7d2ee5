/* SPDX-License-Identifier: Apache-2.0 */
/* What is said where a call fails. */
#include "ops/cuda/cuda.h"

Status cuda_fail(const CudaDevice *device, cudaError_t error, const char *what, Error *err) {
    cudaGetLastError(); /* or the next call would report it again */
    return fail(err, STRIDER_DEVICE_FAILED, "device %s: %s: %s", device ? device->device.name : "cuda", what,
                cudaGetErrorString(error));
}

Status cudnn_fail(const CudaDevice *device, cudnnStatus_t error, const char *what, Error *err) {
    char text[400] = "";
    cudnnGetLastErrorString(text, sizeof text);
    return fail(err, STRIDER_DEVICE_FAILED, "device %s: %s: %s %s", device ? device->device.name : "cuda",
                what, cudnnGetErrorString(error), text);
}

Status cublas_fail(const CudaDevice *device, cublasStatus_t error, const char *what, Error *err) {
    return fail(err, STRIDER_DEVICE_FAILED, "device %s: %s: %s", device->device.name, what,
                cublasLtGetStatusString(error));
}

Status cuda_use(CudaDevice *device, Error *err) {
    const cudaError_t error = cudaSetDevice(device->ordinal);
    return error ? cuda_fail(device, error, "cudaSetDevice", err) : STRIDER_OK;
}
