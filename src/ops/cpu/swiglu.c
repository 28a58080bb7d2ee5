/* SPDX-License-Identifier: Apache-2.0 */
/* SwiGLU in float32, of tensors in any one layout. */
#include "ops/math/swiglu.h"

#include "base/size.h"
#include "ops/cpu/swiglu.h"

enum { TASK_FLOATS = 8 * 1024 };

static bool swiglu_accepts(KernelQuery *query) {
    cpu_keep_layout(query);
    query->inputs[1].layout = query->inputs[0].layout;
    return cpu_is_f32(query, 0) && cpu_is_f32(query, 1);
}

static double swiglu_cost(const KernelQuery *query) {
    const double floats = (double)shape_elements(&query->outputs[0].type.shape);
    return cpu_memory_cost(12 * floats) + 0.2 * floats;
}

static Status swiglu_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    const SwigluAttrs *attrs = query->node->attrs;
    size_t size_bytes = 0;
    SwigluArgs *args;
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *args, 1), &args));
    if (!layout_size(&query->outputs[0].type, query->outputs[0].layout, &size_bytes))
        return fail_memory(ctx->err, SIZE_MAX, "a node");
    args->alpha = attrs->alpha;
    args->floats = (int64_t)(size_bytes / sizeof(float));
    args->task_floats = TASK_FLOATS;
    instance->args = args;
    instance->run = swiglu_for(query->target)->run;
    instance->tasks = ceil_div(args->floats, TASK_FLOATS);
    return STRIDER_OK;
}

const Kernel kernel_swiglu = {
    .name = "swiglu",
    .op = OP_SwiGLU,
    .accepts = swiglu_accepts,
    .cost = swiglu_cost,
    .prepare = swiglu_prepare,
    .overwrites = 3,
};
