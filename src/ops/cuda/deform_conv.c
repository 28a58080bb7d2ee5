/* SPDX-License-Identifier: Apache-2.0 */
/* DeformConv: of each image what the moved taps read, as columns in the workspace, times the weights through
 * cuBLASLt; then the bias. */
#include "ops/nn/deform_conv.h"

#include <limits.h>

#include "ops/cuda/dnn.h"
#include "ops/cuda/kernels.h"
#include "ops/cuda/product.h"

typedef struct CudaDeform {
    CudaProduct product; /* a call for each image */
    Bytes columns_bytes;
    Launch columns, finish;
    struct DeformArgs columns_args;
    struct FinishArgs finish_args;
    bool has_bias;
} CudaDeform;

static void deform_discard(void *args) {
    CudaDeform *deform = args;
    product_free(&deform->product);
}

static DeformGeometry geometry_of(const KernelQuery *query) {
    return deform_geometry(query->node->attrs, &query->inputs[DEFORM_X].type.shape,
                           &query->inputs[DEFORM_W].type.shape);
}

/* Of one image. */
static int64_t column_elements(const DeformGeometry *g) {
    return count_of(g->in_channels, g->taps, g->outputs);
}

static bool accepts(KernelQuery *query) {
    const DeformGeometry g = geometry_of(query);
    return cuda_all_f32(query) && column_elements(&g) <= INT_MAX &&
           cuda_positions_fit(&query->inputs[DEFORM_X].type.shape) && cuda_windows_fit(g.dims, g.spatial);
}

static Status submit(const KernelCall *call, Error *err) {
    const CudaDeform *deform = call->args;
    const CudaProduct *product = &deform->product;
    float *columns = call->workspace, *y = call->outputs[0];
    struct DeformArgs args = deform->columns_args;
    args.data = (KernelData){.in = {call->inputs[DEFORM_X], NULL, call->inputs[DEFORM_OFFSET], NULL, NULL},
                             .out = columns};
    if (deform->columns_args.has_mask)
        args.data.in[DEFORM_MASK] = call->inputs[DEFORM_MASK];
    for (args.image = 0; args.image < product->n_calls; args.image++) {
        TRY(cuda_launch(product->device, &deform->columns, &args, err));
        TRY(product_submit_one(product, args.image, call->inputs[DEFORM_W], columns, y,
                               (char *)call->workspace + deform->columns_bytes.n, err));
    }
    if (!deform->has_bias)
        return STRIDER_OK;
    struct FinishArgs finish = deform->finish_args;
    finish.data = (KernelData){.in = {y, call->inputs[DEFORM_B]}, .out = y};
    return cuda_launch(product->device, &deform->finish, &finish, err);
}

/* Each image's columns lie at the same place. */
static Status make_product(const DeformGeometry *g, PrepareContext *ctx, CudaProduct *product) {
    const int64_t m = g->out_channels / g->group, k = count_of(g->in_channels / g->group, g->taps);
    Offsets *calls = NULL;
    TRY(cuda_alloc(ctx, bytes_of(sizeof *calls, g->batch), &calls));
    for (int64_t i = 0; i < g->batch; i++)
        calls[i].y = count_of(i, g->out_channels, g->outputs);
    const Products products = {.m = m,
                               .n = g->outputs,
                               .k = k,
                               .batch = g->group,
                               .step = {count_of(m, k), count_of(k, g->outputs), count_of(m, g->outputs)},
                               .alpha = 1,
                               .n_calls = g->batch,
                               .calls = calls};
    return product_make((CudaDevice *)ctx->device, &products, CUBLASLT_EPILOGUE_DEFAULT, product, ctx->err);
}

static void set_columns(const KernelQuery *query, const DeformGeometry *g, CudaDeform *deform) {
    struct DeformArgs *args = &deform->columns_args;
    const int64_t channels = g->in_channels / g->offset_group, parts = ceil_div(channels, SAMPLE_CHANNELS);
    *args = (struct DeformArgs){.count = (int)count_of(g->offset_group, parts, g->taps, g->outputs),
                                .in_channels = (int)g->in_channels,
                                .offset_groups = (int)g->offset_group,
                                .channels = (int)channels,
                                .parts = (int)parts,
                                .taps = (int)g->taps,
                                .outputs = (int)g->outputs,
                                .spatial = g->spatial,
                                .has_mask = cuda_has_input(query, DEFORM_MASK)};
    for (int i = 0; i < KERNEL_SPATIAL; i++) {
        const int from = i - (KERNEL_SPATIAL - g->spatial);
        args->axes[i] = from < 0 ? (KernelAxis){1, 1, 1, 1, 1, 0, 0} : cuda_axis(&g->dims[from]);
    }
    deform->columns = launch_each((const void *)k_deform_columns, args->count);
}

static Status prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    const DeformGeometry g = geometry_of(query);
    const int64_t count = cuda_elements(&query->outputs[0]);
    CudaDeform *deform = NULL;
    TRY(cuda_alloc(ctx, bytes_of(sizeof *deform, 1), &deform));
    set_columns(query, &g, deform);
    deform->has_bias = cuda_has_input(query, DEFORM_B);
    deform->finish = launch_each((const void *)k_finish, count);
    deform->finish_args = (struct FinishArgs){.count = (int)count,
                                              .plane = (int)g.outputs,
                                              .columns = (int)g.out_channels,
                                              .bias_column = 1,
                                              .bias_scale = 1};
    deform->columns_bytes = workspace_part(column_elements(&g));
    TRY(make_product(&g, ctx, &deform->product));
    *instance = (KernelInstance){.submit = submit,
                                 .tasks = 1,
                                 .args = deform,
                                 .discard = deform_discard,
                                 .workspace_bytes =
                                     bytes_sum(deform->columns_bytes, deform->product.workspace_bytes)};
    return STRIDER_OK;
}

CUDA_ROW(cuda_deform_conv, OP_DeformConv, accepts, prepare)
