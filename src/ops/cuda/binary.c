/* SPDX-License-Identifier: Apache-2.0 */
/* Two tensors to one, with broadcasting. */
#include <string.h>

#include "ops/binary.h"
#include "ops/cuda/cuda.h"
#include "ops/cuda/kernels.h"

static const struct {
    const char *op;
    BinaryKind kind;
} kinds[] = {{"Add", BINARY_ADD}, {"Sub", BINARY_SUB}, {"Mul", BINARY_MUL},    {"Div", BINARY_DIV},
             {"Max", BINARY_MAX}, {"Min", BINARY_MIN}, {"PRelu", BINARY_PRELU}};

static Broadcast broadcast_of(const KernelQuery *query) {
    const Shape *first = &query->inputs[0].type.shape;
    Shape second = query->inputs[1].type.shape;
    if (query->node->attrs) /* Max, Min and PRelu have no old rule */
        second = binary_second_shape(query->node, first, &second);
    return broadcast_make(&query->outputs[0].type.shape, 2, (const Shape *const[]){first, &second});
}

static bool accepts(KernelQuery *query) {
    return query->n_inputs == 2 && cuda_all_f32(query) && broadcast_of(query).rank <= KERNEL_DIMS;
}

static Status prepare(const KernelQuery *query, PrepareContext *ctx, Prepared *prepared) {
    const int64_t count = cuda_elements(&query->outputs[0]);
    const Broadcast broadcast = broadcast_of(query);
    struct BinaryArgs args = {.count = (int)count};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i].op, query->node->op->name) == 0)
            args.kind = kinds[i].kind;
    cuda_dims(broadcast.rank, broadcast.dims, 1, args.dims);
    for (int i = 0; i < 2; i++)
        cuda_dims(broadcast.rank, broadcast.strides[i], 0, args.strides[i]);
    Launch launch = launch_each((const void *)k_binary, count);
    launch.n_inputs = 2;
    return cuda_prepare_launch(ctx, &launch, &args, sizeof args, prepared);
}

#define ROW(ROW_NAME, OP)                                                                                    \
    const Kernel ROW_NAME = {.name = #ROW_NAME,                                                              \
                             .op = OP,                                                                       \
                             .accepts = accepts,                                                             \
                             .cost = cuda_cost,                                                              \
                             .prepare = prepare,                                                             \
                             .overwrites = 3};

ROW(cuda_add, "Add")
ROW(cuda_sub, "Sub")
ROW(cuda_mul, "Mul")
ROW(cuda_div, "Div")
ROW(cuda_max, "Max")
ROW(cuda_min, "Min")
ROW(cuda_prelu, "PRelu")
