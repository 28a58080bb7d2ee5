/* SPDX-License-Identifier: Apache-2.0 */
/* Launching kernels, and what their rows ask of a query. */
#include <float.h>
#include <limits.h>
#include <string.h>

#include "base/size.h"
#include "ops/cuda/cuda.h"

Status cuda_launch(CudaDevice *device, const Launch *launch, const void *args, Error *err) {
    void *list[1] = {(void *)args};
    TRY(cuda_use(device, err));
    const cudaError_t error =
        cudaLaunchKernel(launch->kernel, (dim3){(unsigned)launch->blocks, 1, 1},
                         (dim3){(unsigned)launch->threads, 1, 1}, list, 0, device->stream);
    return error ? cuda_fail(device, error, "launch", err) : STRIDER_OK;
}

typedef struct LaunchArgs {
    CudaDevice *device;
    int n_launches;
    const Launch *launches;
    char *args; /* of all, each a struct that begins with a KernelData */
    size_t args_bytes;
} LaunchArgs;

static Status submit_launches(const KernelCall *call, Error *err) {
    const LaunchArgs *instance = call->args;
    for (int i = 0; i < instance->n_launches; i++) {
        const Launch *launch = &instance->launches[i];
        KernelData *data = (KernelData *)(void *)(instance->args + (size_t)i * instance->args_bytes);
        data->out = call->outputs[launch->output];
        data->indices = launch->gives_indices ? call->outputs[launch->output + 1] : NULL;
        data->in[0] = data->out;
        for (int k = 0; k < launch->n_inputs; k++)
            data->in[launch->accumulates + k] = call->inputs[launch->first_input + k];
        if (!launch->is_part || (const char *)data->in[0] != (const char *)data->out + launch->part_offset)
            TRY(cuda_launch(instance->device, launch, data, err));
    }
    return STRIDER_OK;
}

Status cuda_prepare_launches(PrepareContext *ctx, const Launch *launches, int n_launches, const void *args,
                             size_t args_bytes, KernelInstance *instance) {
    LaunchArgs *made = NULL;
    Launch *kept = NULL;
    TRY(cuda_alloc(ctx, bytes_of(sizeof *made, 1), &made));
    TRY(cuda_alloc(ctx, bytes_of(sizeof *kept, n_launches), &kept));
    TRY(cuda_alloc(ctx, bytes_of(args_bytes, n_launches), &made->args));
    memcpy(kept, launches, (size_t)n_launches * sizeof *kept);
    memcpy(made->args, args, (size_t)n_launches * args_bytes);
    made->device = (CudaDevice *)ctx->device;
    made->n_launches = n_launches;
    made->launches = kept;
    made->args_bytes = args_bytes;
    *instance = (KernelInstance){.submit = submit_launches, .tasks = n_launches, .args = made};
    return STRIDER_OK;
}

bool cuda_is(const Operand *operand, unsigned dtypes) {
    if (!operand->type.dtype)
        return true;
    const int64_t elements = cuda_elements(operand);
    return DTYPE_BIT(operand->type.dtype) & dtypes && elements > 0 && elements <= INT_MAX - LONE_THREADS;
}

bool cuda_all_of(const KernelQuery *query, unsigned dtypes) {
    for (int i = 0; i < query->n_inputs; i++)
        if (!cuda_is(&query->inputs[i], dtypes))
            return false;
    for (int i = 0; i < query->n_outputs; i++)
        if (!cuda_is(&query->outputs[i], dtypes))
            return false;
    return true;
}

bool cuda_first_of(const KernelQuery *query, unsigned dtypes) {
    for (int i = 0; i < query->n_outputs; i++)
        if (!cuda_is(&query->outputs[i], dtypes))
            return false;
    return cuda_is(&query->inputs[0], dtypes);
}

bool cuda_alloc_constants(KernelQuery *query) {
    for (int i = 1; i < query->n_inputs; i++) {
        if (query->inputs[i].type.dtype && !query->inputs[i].constant)
            return false;
        query->inputs[i].packed = query->inputs[i].type.dtype != STRIDER_DTYPE_NONE;
    }
    return true;
}

bool cuda_has_one_output(const KernelQuery *query) {
    for (int i = 1; i < query->n_outputs; i++)
        if (query->node->outputs[i])
            return false;
    return true;
}

double cuda_cost(const KernelQuery *query) {
    (void)query;
    return 1;
}

bool cuda_has_input(const KernelQuery *query, int port) {
    return port < query->n_inputs && query->inputs[port].type.dtype;
}

int64_t cuda_elements(const Operand *operand) {
    return shape_elements(&operand->type.shape);
}

void cuda_dims(int rank, const int64_t *from, int absent, int count, int *to) {
    for (int d = 0; d < count; d++)
        to[d] = d < count - rank ? absent : (int)from[d - (count - rank)];
}

bool cuda_windows_fit(const WindowDim *dims, int n) {
    for (int i = 0; i < n; i++) {
        const WindowDim *dim = &dims[i];
        const int64_t pads = i64_max(dim->pad_begin, -dim->pad_begin) + i64_max(dim->pad_end, -dim->pad_end);
        if (dim->in + pads > INT_MAX / 2 || i64_product(dim->kernel, dim->dilation) > INT_MAX / 2 ||
            i64_product(dim->out, dim->stride) > INT_MAX / 2)
            return false;
    }
    return true;
}

bool cuda_positions_fit(const Shape *shape) {
    for (int d = 2; d < shape->rank; d++)
        if (shape->dims[d] > 1 << FLT_MANT_DIG)
            return false;
    return true;
}

KernelAxis cuda_axis(const WindowDim *dim) {
    return (KernelAxis){(int)dim->in,       (int)dim->out,       (int)dim->kernel, (int)dim->stride,
                        (int)dim->dilation, (int)dim->pad_begin, (int)dim->pad_end};
}

Status cuda_alloc(PrepareContext *ctx, Bytes size, void *memory) {
    void *taken = region_alloc(ctx->region, size.n);
    if (!taken)
        return fail_memory(ctx->err, size.n, "the plan");
    memcpy(memory, &taken, sizeof taken);
    return STRIDER_OK;
}
