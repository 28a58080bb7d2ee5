/* SPDX-License-Identifier: Apache-2.0 */
/* The virtual device: stand-ins for libcudart, libcudnn and libcublasLt that have one GPU made of host
 * memory, under the names and symbol versions of NVIDIA's, so that a program built for a GPU runs on it
 * unchanged.  It is made to find mistakes:
 *  - device memory cannot be touched by the host: that ends the program with status 97;
 *  - each allocation ends at a guard page, is full of NaN, and is never used again after it was freed;
 *  - work is queued, and runs only when somebody waits for it;
 *  - what is leaked or misused makes the program's exit status 86.
 * Settings: VCUDA_FAIL=CALL:N (the Nth call fails; all without :N), VCUDA_SPOIL=CALL:N or KERNEL:N (its
 * result is wrong), VCUDA_MEMORY=BYTES, VCUDA_DEVICES=N, VCUDA_DRIVER=13000, VCUDA_CAPABILITY=80,
 * VCUDNN_VERSION=91900, VCUDNN_ENGINES=all|unfused|none, VCUDNN_UNEVEN=refused|slow (what it does with pads
 * of other sizes before and after), VCUDA_LOG (counts at the end), VCUDA_SKIP=CALL:N (the Nth call does
 * nothing, as if the program lacked it; of cudaStreamSynchronize). It is a model of CUDA written by this
 * project, and shares its misunderstandings. */
#ifndef CUDA_VIRTUAL_DEVICE_H
#define CUDA_VIRTUAL_DEVICE_H

#include <cuda_runtime_api.h>
#include <stdbool.h>
#include <stddef.h>

#define EXPORTED __attribute__((visibility("default")))

/* Queues work; `context`, from malloc(), is freed after it.  Device memory may be touched while it runs. */
EXPORTED void virtual_enqueue(cudaStream_t stream, void (*work)(void *context), void *context);
EXPORTED bool virtual_is_stream(cudaStream_t stream);
/* Lets the device's clock, which events read, go on: called by work that runs. */
EXPORTED void virtual_spend(double time_us);
/* Whether [memory, memory + size_bytes) lies in one allocation of the device; else says who asked. */
EXPORTED bool virtual_check(const void *memory, size_t size_bytes, const char *who);
/* Whether this call is to fail. */
EXPORTED bool virtual_must_fail(const char *call);
/* Makes the first element wrong of what a kernel or a call computed, where that was asked for. */
EXPORTED void virtual_spoil(const char *name, float *result);
/* Reports a mistake, which the exit status will tell. */
EXPORTED void virtual_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Counts objects that must be destroyed before the end. */
EXPORTED void virtual_object(const char *kind, int change);
/* How many there were until now. */
EXPORTED long virtual_graph_launches(void);
EXPORTED long virtual_synchronizations(void);
EXPORTED long virtual_allocations(void); /* of the device's memory and of pinned memory */
EXPORTED long virtual_setting(const char *name, long otherwise);

/* The host build of a kernel, over a grid (virtual_kernel.c); NULL where there is none of that name. */
struct VirtualKernelRow;
const struct VirtualKernelRow *virtual_kernel_find(const char *name, size_t *args_bytes);
void virtual_kernel_run(const struct VirtualKernelRow *row, const void *args, dim3 grid, dim3 block);

#endif
