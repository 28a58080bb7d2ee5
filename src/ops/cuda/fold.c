/* SPDX-License-Identifier: Apache-2.0 */
/* Col2Im, where the image and the block are the same in every run. */
#include "ops/cuda/cuda.h"
#include "ops/cuda/kernels.h"
#include "ops/nn/col2im.h"

static bool resolve(const KernelQuery *query, Col2ImGeometry *g) {
    const Tensor *image = query->inputs[COL2IM_IMAGE].constant, *block = query->inputs[COL2IM_BLOCK].constant;
    int64_t sizes[2][MAX_SPATIAL];
    if (!image || !block)
        return false;
    const int64_t spatial = tensor_elements(image);
    if (spatial < 1 || spatial > MAX_SPATIAL || tensor_elements(block) != spatial)
        return false;
    for (int i = 0; i < spatial; i++) {
        sizes[0][i] = tensor_get_i64(image, i);
        sizes[1][i] = tensor_get_i64(block, i);
    }
    return col2im_resolve(query->node->attrs, (int)spatial, sizes[0], sizes[1], g) == NULL;
}

static bool accepts(KernelQuery *query) {
    Col2ImGeometry g;
    return cuda_f32_with_constants(query) && resolve(query, &g) && cuda_windows_fit(g.dims, MAX_SPATIAL);
}

static Status prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    const int64_t count = cuda_elements(&query->outputs[0]);
    Col2ImGeometry g;
    resolve(query, &g);
    struct Col2ImArgs args = {.count = (int)count, .block = (int)g.block, .windows = (int)g.columns};
    for (int i = 0; i < MAX_SPATIAL; i++)
        args.axes[i] = cuda_axis(&g.dims[i]);
    const Launch launch = launch_each((const void *)k_fold, count);
    return cuda_prepare_launch(ctx, &launch, &args, sizeof args, instance);
}

CUDA_ROW(cuda_col2im, OP_Col2Im, accepts, prepare)
