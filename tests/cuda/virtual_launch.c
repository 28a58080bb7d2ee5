/* SPDX-License-Identifier: Apache-2.0 */
/* libcudart of the virtual device: launches of kernels. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ops/cuda/kernels/args.h"
#include "virtual_inside.h"

enum { MAX_FUNCTIONS = 256 };

static struct {
    const void *host;
    const char *name;
} functions[MAX_FUNCTIONS];
static int n_functions;

typedef struct LaunchWork {
    const struct VirtualKernelRow *row;
    const char *name;
    dim3 grid, block;
    _Alignas(16) char args[];
} LaunchWork;

static void run_launch(void *context) {
    const LaunchWork *launch = context;
    virtual_spend(2 + (double)launch->grid.x * launch->block.x * 1e-4);
    virtual_kernel_run(launch->row, launch->args, launch->grid, launch->block);
    virtual_spoil(launch->name, ((const KernelData *)(const void *)launch->args)->out);
}

cudaError_t cudaLaunchKernel(const void *function, dim3 grid, dim3 block, void **args, size_t shared_bytes,
                             cudaStream_t stream) {
    FAIL_IF_ASKED(cudaLaunchKernel);
    const char *name = "?";
    size_t args_bytes;
    (void)shared_bytes;
    for (int i = 0; i < n_functions; i++)
        if (functions[i].host == function)
            name = functions[i].name;
    const struct VirtualKernelRow *row = virtual_kernel_find(name, &args_bytes);
    if (!row) {
        virtual_error("a launch of %s, which has no host build or was not registered", name);
        return virtual_result(cudaErrorInvalidDeviceFunction);
    }
    if (!virtual_is_stream(stream))
        return virtual_result(cudaErrorInvalidResourceHandle);
    if (!grid.x || grid.x > INT32_MAX || grid.y != 1 || grid.z != 1 || !block.x || block.x > 1024 ||
        block.y != 1 || block.z != 1) {
        virtual_error("%s: a grid of %u x %u x %u, blocks of %u x %u x %u", name, grid.x, grid.y, grid.z,
                      block.x, block.y, block.z);
        return virtual_result(cudaErrorInvalidConfiguration);
    }
    LaunchWork *launch = aligned_alloc(16, (sizeof *launch + args_bytes + 15) / 16 * 16);
    *launch = (LaunchWork){.row = row, .name = name, .grid = grid, .block = block};
    memcpy(launch->args, args[0], args_bytes);
    virtual_counts.launches++;
    virtual_enqueue(stream, run_launch, launch);
    return cudaSuccess;
}

/* What the code that nvcc generates calls when it is loaded, and in its host stubs, which nobody calls. */
EXPORTED void **__cudaRegisterFatBinary(void *binary);
EXPORTED void __cudaRegisterFatBinaryEnd(void **handle);
EXPORTED void __cudaUnregisterFatBinary(void **handle);
EXPORTED char __cudaInitModule(void **handle); /* only without optimization */
EXPORTED void __cudaRegisterFunction(void **handle, const char *host, char *device, const char *name,
                                     int limit, void *thread, void *block, void *block_dim, void *grid_dim,
                                     int *warp);
EXPORTED cudaError_t __cudaGetKernel(cudaKernel_t *kernel, const void *function);
EXPORTED cudaError_t __cudaLaunchKernel(cudaKernel_t kernel, dim3 grid, dim3 block, void **args,
                                        size_t shared_bytes, cudaStream_t stream);
EXPORTED unsigned __cudaPopCallConfiguration(dim3 *grid, dim3 *block, size_t *shared_bytes, void *stream);

void **__cudaRegisterFatBinary(void *binary) {
    static void *handle;
    (void)binary;
    return &handle;
}

void __cudaRegisterFatBinaryEnd(void **handle) {
    (void)handle;
}

void __cudaUnregisterFatBinary(void **handle) {
    (void)handle;
}

char __cudaInitModule(void **handle) {
    (void)handle;
    return 1;
}

void __cudaRegisterFunction(void **handle, const char *host, char *device, const char *name, int limit,
                            void *thread, void *block, void *block_dim, void *grid_dim, int *warp) {
    (void)handle, (void)device, (void)limit, (void)thread, (void)block, (void)block_dim, (void)grid_dim,
        (void)warp;
    functions[n_functions].host = host;
    functions[n_functions++].name = name;
}

cudaError_t __cudaGetKernel(cudaKernel_t *kernel, const void *function) {
    *kernel = (cudaKernel_t)function;
    return cudaSuccess;
}

cudaError_t __cudaLaunchKernel(cudaKernel_t kernel, dim3 grid, dim3 block, void **args, size_t shared_bytes,
                               cudaStream_t stream) {
    return cudaLaunchKernel((const void *)kernel, grid, block, args, shared_bytes, stream);
}

unsigned __cudaPopCallConfiguration(dim3 *grid, dim3 *block, size_t *shared_bytes, void *stream) {
    (void)grid, (void)block, (void)shared_bytes, (void)stream;
    return 1;
}
