/* SPDX-License-Identifier: Apache-2.0 */
/* Two tensors to one, or any number one after the other, with broadcasting; and Where. */
#include "ops/math/binary.h"

#include <string.h>

#include "base/size.h"
#include "ops/cuda/cuda.h"
#include "ops/cuda/kernels.h"

static void set_dims(const Broadcast *broadcast, int dims[KERNEL_DIMS], int strides[][KERNEL_DIMS]) {
    cuda_dims(broadcast->rank, broadcast->dims, 1, KERNEL_DIMS, dims);
    for (int i = 0; i < broadcast->n_inputs; i++)
        cuda_dims(broadcast->rank, broadcast->strides[i], 0, KERNEL_DIMS, strides[i]);
}

/* Of input `port` with what stands before it: the input before, or from the third on the output. */
static Broadcast broadcast_of(const KernelQuery *query, int port) {
    const Shape *out = &query->outputs[0].type.shape;
    const Shape *first = port == 1 ? &query->inputs[0].type.shape : out;
    const Shape second = binary_second_shape(query->node, first, &query->inputs[port].type.shape);
    return broadcast_make(out, 2, (const Shape *const[]){first, &second});
}

static bool accepts(KernelQuery *query) {
    if (!cuda_all_of(query, CUDA_FLOATS_AND_BOOLS))
        return false;
    for (int i = 1; i < query->n_inputs; i++)
        if (broadcast_of(query, i).rank > KERNEL_DIMS)
            return false;
    return true;
}

static Status copy_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    const int64_t count = cuda_elements(&query->outputs[0]);
    const struct FinishArgs args = {.count = (int)count, .plane = 1, .columns = 1};
    const Launch launch = launch_each((const void *)k_finish, count);
    return cuda_prepare_launch(ctx, &launch, &args, sizeof args, instance);
}

/* A launch for each input but the first. */
static Status prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    const BinaryAttrs *attrs = query->node->attrs;
    const int64_t count = cuda_elements(&query->outputs[0]);
    const int n = query->n_inputs - 1;
    struct BinaryArgs *args = NULL;
    Launch *launches = NULL;
    if (n == 0)
        return copy_prepare(query, ctx, instance);
    TRY(cuda_alloc(ctx, bytes_of(sizeof *args, n), &args));
    TRY(cuda_alloc(ctx, bytes_of(sizeof *launches, n), &launches));
    for (int i = 0; i < n; i++) {
        const Broadcast broadcast = broadcast_of(query, i + 1);
        args[i] = (struct BinaryArgs){.count = (int)count,
                                      .kind = node_binary_kind(query->node),
                                      .is_fmod = attrs->fmod,
                                      .takes_bools = query->inputs[0].type.dtype == STRIDER_BOOL,
                                      .gives_bools = query->outputs[0].type.dtype == STRIDER_BOOL,
                                      .scale = 1};
        set_dims(&broadcast, args[i].dims, args[i].strides);
        launches[i] = launch_each((const void *)k_binary, count);
        launches[i].accumulates = i > 0;
        launches[i].first_input = i > 0 ? i + 1 : 0;
        launches[i].n_inputs = i > 0 ? 1 : 2;
    }
    if (args[0].kind == BINARY_MEAN)
        args[n - 1].scale = 1 / (float)query->n_inputs;
    return cuda_prepare_launches(ctx, launches, n, args, sizeof *args, instance);
}

/* --- Where --- */

static Broadcast where_broadcast(const KernelQuery *query) {
    return broadcast_make(&query->outputs[0].type.shape, 3,
                          (const Shape *const[]){&query->inputs[0].type.shape, &query->inputs[1].type.shape,
                                                 &query->inputs[2].type.shape});
}

static bool where_accepts(KernelQuery *query) {
    return cuda_all_of(query, CUDA_FLOATS_AND_BOOLS) && query->outputs[0].type.dtype == STRIDER_F32 &&
           where_broadcast(query).rank <= KERNEL_DIMS;
}

static Status where_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    const int64_t count = cuda_elements(&query->outputs[0]);
    const Broadcast broadcast = where_broadcast(query);
    struct WhereArgs args = {.count = (int)count};
    set_dims(&broadcast, args.dims, args.strides);
    Launch launch = launch_each((const void *)k_where, count);
    launch.n_inputs = 3;
    return cuda_prepare_launch(ctx, &launch, &args, sizeof args, instance);
}

/* Of any number of inputs one may come twice, and must not change in between. */
#define PAIR .overwrites = 3
#define ANY_NUMBER .overwrites = 0
#define INTEGER_BINARY(...)
#define BINARY(KIND, NAME, ROW, SINCE, INPUTS, ...) CUDA_ROW(cuda_##ROW, OP_##NAME, accepts, prepare, INPUTS)
#include "ops/math/binary_list.inc"
CUDA_ROW(cuda_where, OP_Where, where_accepts, where_prepare, .overwrites = 6)
