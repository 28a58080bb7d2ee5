/* SPDX-License-Identifier: Apache-2.0 */
/* What stands around attention: RotaryEmbedding and SwiGLU. */
#include "ops/cuda/cuda.h"
#include "ops/cuda/kernels.h"
#include "ops/math/swiglu.h"
#include "ops/nn/rotary_embedding.h"

/* --- RotaryEmbedding --- */

static RotaryGeometry geometry_of(const KernelQuery *query) {
    return rotary_geometry(query->node->attrs, &query->inputs[ROTARY_X].type.shape,
                           &query->inputs[ROTARY_COS].type.shape, cuda_has_input(query, ROTARY_POSITIONS));
}

static bool rotary_accepts(KernelQuery *query) {
    for (int port = ROTARY_X; port <= ROTARY_SIN; port++)
        if (!cuda_is_f32(&query->inputs[port]))
            return false;
    return !cuda_has_input(query, ROTARY_POSITIONS) ||
           cuda_may_check(query, ROTARY_POSITIONS, geometry_of(query).positions);
}

static Status rotary_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    const RotaryAttrs *attrs = query->node->attrs;
    const RotaryGeometry g = geometry_of(query);
    const int64_t count = count_of(g.batch, g.heads, g.rows, g.head_size - g.half);
    const struct RotaryArgs args = {
        .count = (int)count,
        .heads = (int)g.heads,
        .rows = (int)g.rows,
        .head_size = (int)g.head_size,
        .half = (int)g.half,
        .positions = (int)g.positions,
        .check = cuda_check(query, ROTARY_POSITIONS, g.positions, "position", ctx),
        .steps = {(int)count_of(g.heads, g.rows, g.head_size), (int)g.head_step, (int)g.row_step},
        .interleaved = attrs->interleaved};
    Launch launch = launch_each((const void *)k_rotary, count);
    launch.n_inputs = query->n_inputs;
    return cuda_prepare_launch(ctx, &launch, &args, sizeof args, instance);
}

/* --- SwiGLU --- */

static bool swiglu_accepts(KernelQuery *query) {
    return cuda_all_f32(query);
}

static Status swiglu_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    const SwigluAttrs *attrs = query->node->attrs;
    const int64_t count = cuda_elements(&query->outputs[0]);
    const struct SwigluArgs args = {.count = (int)count, .alpha = attrs->alpha};
    Launch launch = launch_each((const void *)k_swiglu, count);
    launch.n_inputs = 2;
    return cuda_prepare_launch(ctx, &launch, &args, sizeof args, instance);
}

CUDA_ROW(cuda_rotary_embedding, OP_RotaryEmbedding, rotary_accepts, rotary_prepare, .overwrites = 1)
CUDA_ROW(cuda_swiglu, OP_SwiGLU, swiglu_accepts, swiglu_prepare, .overwrites = 3)
