/* SPDX-License-Identifier: Apache-2.0 */
/* Conv and ConvTranspose: by cuDNN with the bias, the residual and a ReLU in one; else by cuDNN with a kernel
 * of our own after it; else, where cuDNN has no plan, by kernels of our own alone. */
#include "ops/nn/conv.h"

#include <stdio.h>
#include <string.h>

#include "base/size.h"
#include "ops/cuda/conv_plan.h"
#include "ops/cuda/kernels.h"
#include "ops/post_ops.h"

typedef struct CudaConv {
    CudaDevice *device;
    ConvPlan plan; /* plan.dnn.plan is NULL where `direct` runs */
    Launch direct, finish;
    struct ConvArgs direct_args;
    struct FinishArgs finish_args;
    bool finishes; /* something is left for k_finish */
    bool finishes_scale, finishes_bias, finishes_residual;
    const void *weights; /* with the scale in them; NULL: as they are */
    Epilogue epilogue;   /* the bias of its own among it */
} CudaConv;

/* --- weights --- */

typedef struct Scaling {
    const Tensor *weights, *scale;
    bool transposed;
    int64_t inner;                   /* weights of one tap volume */
    int64_t per_group, in_per_group; /* channels: the weight's dimension 1, and those of the input */
} Scaling;

static int64_t channel_of(const Scaling *scaling, int64_t index) {
    const int64_t row = index / scaling->inner;
    if (!scaling->transposed)
        return row / scaling->in_per_group;
    /* [C, M/group, K...]: input channel row / per_group lies in group row / per_group / in_per_group. */
    return row / scaling->per_group / scaling->in_per_group * scaling->per_group + row % scaling->per_group;
}

static void scale_weights(void *context, void *memory) {
    const Scaling *scaling = context;
    float *values = memory;
    memcpy(values, scaling->weights->data, scaling->weights->size_bytes);
    const int64_t count = tensor_elements(scaling->weights);
    for (int64_t i = 0; i < count; i++)
        values[i] *= (float)tensor_get_f64(scaling->scale, channel_of(scaling, i));
}

static Status pack_weights(const KernelQuery *query, bool transposed, PrepareContext *ctx, CudaConv *conv) {
    const ConvAttrs *attrs = query->node->attrs;
    const Tensor *w = query->inputs[CONV_W].constant;
    const Shape *shape = &query->inputs[CONV_W].type.shape;
    Scaling scaling = {.weights = w,
                       .scale = query->inputs[conv->epilogue.scale_port].constant,
                       .inner = shape_size(shape, 2, shape->rank),
                       .per_group = shape->dims[1],
                       .transposed = transposed,
                       .in_per_group = transposed ? shape->dims[0] / attrs->group : shape->dims[1]};
    char key[40];
    snprintf(key, sizeof key, "scaled by %p", (const void *)scaling.scale);
    return pack_constant(ctx, w, key, bytes_of(w->size_bytes, 1), scale_weights, &scaling, &conv->weights);
}

/* --- preparing --- */

static ConvGeometry geometry_of(const KernelQuery *query, bool transposed) {
    const Shape *x = &query->inputs[CONV_X].type.shape, *w = &query->inputs[CONV_W].type.shape;
    return transposed ? conv_transpose_geometry(query->node->attrs, x, w)
                      : conv_geometry(query->node->attrs, x, w);
}

/* False for what conv_prepare() cannot do: a scale and a bias after a bias of its own. */
static bool epilogue_of(const KernelQuery *query, Epilogue *epilogue) {
    if (!node_epilogue(query->node, epilogue))
        return false;
    if (!cuda_has_input(query, CONV_B))
        return true;
    if (epilogue->scale_port >= 0 || epilogue->bias_port >= 0)
        return false;
    epilogue->bias_port = CONV_B;
    return true;
}

static bool accepts(KernelQuery *query, bool transposed) {
    Epilogue epilogue;
    if (!cuda_all_f32(query) || !epilogue_of(query, &epilogue))
        return false;
    const ConvGeometry g = geometry_of(query, transposed);
    if (!cuda_windows_fit(g.dims, g.spatial))
        return false;
    if (epilogue.scale_port < 0)
        return true;
    /* The scale goes into the weights, which are then ours; else k_finish does it. */
    if (query->inputs[CONV_W].constant && query->inputs[epilogue.scale_port].constant)
        query->inputs[CONV_W].packed = query->inputs[epilogue.scale_port].packed = true;
    return true;
}

static bool conv_accepts(KernelQuery *query) {
    return accepts(query, false);
}

static bool conv_transpose_accepts(KernelQuery *query) {
    return accepts(query, true);
}

static void describe(const KernelQuery *query, const ConvGeometry *g, bool transposed, DnnConv *conv) {
    const Shape *x = &query->inputs[CONV_X].type.shape, *w = &query->inputs[CONV_W].type.shape;
    *conv = (DnnConv){.rank = x->rank, .transposed = transposed};
    memcpy(conv->x, x->dims, (size_t)x->rank * sizeof *conv->x);
    memcpy(conv->w, w->dims, (size_t)x->rank * sizeof *conv->w);
    memcpy(conv->y, query->outputs[0].type.shape.dims, (size_t)x->rank * sizeof *conv->y);
    for (int i = 0; i < g->spatial; i++) {
        conv->pad_begin[i] = g->dims[i].pad_begin;
        conv->pad_end[i] = g->dims[i].pad_end;
        conv->strides[i] = g->dims[i].stride;
        conv->dilations[i] = g->dims[i].dilation;
    }
}

/* The first candidate that cuDNN has a plan for; where times are to be measured, the fastest of all. */
static Status choose_plan(const DnnConv *conv, PrepareContext *ctx, ConvPlan *plan) {
    CudaDevice *device = (CudaDevice *)ctx->device;
    ConvPlan candidates[CONV_MAX_CANDIDATES];
    const int n_candidates = conv_plan_candidates(conv, candidates);
    if (ctx->times.find)
        return conv_plan_fastest(device, &ctx->times, candidates, n_candidates, plan, ctx->err);
    for (int i = 0; i < n_candidates; i++) {
        conv_plan_next(device, &candidates[i], 0, plan);
        if (plan->dnn.plan)
            break;
    }
    return STRIDER_OK;
}

/* Tries what can be in one plan first, then the products alone. */
static Status plan_products(const DnnConv *described, PrepareContext *ctx, CudaConv *conv) {
    const Epilogue *epilogue = &conv->epilogue;
    DnnConv wanted = *described;
    /* cuDNN 9.19 has engines for no residual without a bias, and for nothing after a transposed convolution.
     */
    if (!wanted.transposed && epilogue->bias_port >= 0 && !conv->finishes_scale) {
        wanted.has_residual = epilogue->residual_port >= 0 && !epilogue->residual_last;
        wanted.has_bias = true;
        wanted.has_relu = epilogue->activation.kind == UNARY_RELU;
        TRY(choose_plan(&wanted, ctx, &conv->plan));
        if (conv->plan.dnn.plan)
            return STRIDER_OK;
    }
    return choose_plan(described, ctx, &conv->plan);
}

/* What the plan leaves to k_finish. */
static void plan_finish(const DnnConv *described, int64_t count, CudaConv *conv) {
    const Epilogue *epilogue = &conv->epilogue;
    struct FinishArgs *args = &conv->finish_args;
    *args = (struct FinishArgs){.count = (int)count,
                                .plane = 1,
                                .columns = (int)described->y[1],
                                .bias_column = 1,
                                .bias_scale = 1,
                                .residual_last = epilogue->residual_last};
    for (int i = 2; i < described->rank; i++)
        args->plane *= (int)described->y[i];
    if (!conv->plan.conv.has_relu)
        args->activation = epilogue->activation;
    conv->finishes_bias = epilogue->bias_port >= 0 && !conv->plan.conv.has_bias;
    conv->finishes_residual = epilogue->residual_port >= 0 && !conv->plan.conv.has_residual;
    conv->finishes = conv->finishes_scale || conv->finishes_bias || conv->finishes_residual ||
                     args->activation.kind != UNARY_NONE;
    conv->finish = launch_each((const void *)k_finish, count);
}

static void plan_direct(const ConvGeometry *geometry, bool transposed, int64_t count, CudaConv *conv) {
    const ConvGeometry full = conv_geometry_3d(geometry);
    struct ConvArgs *args = &conv->direct_args;
    *args = (struct ConvArgs){.count = (int)count,
                              .groups = (int)full.group,
                              .in_channels = (int)(full.in_channels / full.group),
                              .out_channels = (int)(full.out_channels / full.group)};
    for (int i = 0; i < MAX_SPATIAL; i++) {
        WindowDim dim = full.dims[i];
        if (transposed) {
            dim.in = full.dims[i].out;
            dim.out = full.dims[i].in;
        }
        args->axes[i] = cuda_axis(&dim);
    }
    conv->direct = launch_each(transposed ? (const void *)k_conv_transpose : (const void *)k_conv, count);
}

static void conv_discard(void *args) {
    dnn_plan_free(&((CudaConv *)args)->plan.dnn);
}

/* --- running --- */

static Status conv_submit(const KernelCall *call, Error *err) {
    const CudaConv *conv = call->args;
    const void *const *in = call->inputs;
    const void *weights = conv->weights ? conv->weights : in[CONV_W];
    const void *bias = conv->epilogue.bias_port >= 0 ? in[conv->epilogue.bias_port] : NULL;
    const void *residual = conv->epilogue.residual_port >= 0 ? in[conv->epilogue.residual_port] : NULL;
    if (conv->plan.dnn.plan) {
        const DnnData data = {.x = in[CONV_X],
                              .w = weights,
                              .residual = residual,
                              .bias = bias,
                              .y = call->outputs[0],
                              .workspace = call->workspace};
        TRY(conv_plan_submit(conv->device, &conv->plan, &data, err));
    } else {
        struct ConvArgs args = conv->direct_args;
        args.data = (KernelData){.in = {in[CONV_X], weights}, .out = call->outputs[0]};
        TRY(cuda_launch(conv->device, &conv->direct, &args, err));
    }
    if (!conv->finishes)
        return STRIDER_OK;
    struct FinishArgs args = conv->finish_args;
    args.data = (KernelData){.in = {call->outputs[0], conv->finishes_bias ? bias : NULL,
                                    conv->finishes_residual ? residual : NULL,
                                    conv->finishes_scale ? in[conv->epilogue.scale_port] : NULL},
                             .out = call->outputs[0]};
    return cuda_launch(conv->device, &conv->finish, &args, err);
}

static Status prepare(const KernelQuery *query, bool transposed, PrepareContext *ctx,
                      KernelInstance *instance) {
    const ConvGeometry g = geometry_of(query, transposed);
    const int64_t count = cuda_elements(&query->outputs[0]);
    DnnConv described;
    CudaConv *conv = NULL;
    TRY(cuda_alloc(ctx, bytes_of(sizeof *conv, 1), &conv));
    conv->device = (CudaDevice *)ctx->device;
    epilogue_of(query, &conv->epilogue);
    conv->finishes_scale = conv->epilogue.scale_port >= 0 && !query->inputs[CONV_W].packed;
    if (query->inputs[CONV_W].packed)
        TRY(pack_weights(query, transposed, ctx, conv));
    TRY(cuda_use(conv->device, ctx->err));
    describe(query, &g, transposed, &described);
    TRY(plan_products(&described, ctx, conv));
    plan_finish(&described, count, conv);
    plan_direct(&g, transposed, count, conv);
    *instance = (KernelInstance){.submit = conv_submit,
                                 .tasks = 1,
                                 .args = conv,
                                 .discard = conv_discard,
                                 .workspace_bytes = conv_plan_workspace(&conv->plan),
                                 .variant = conv->plan.dnn.plan ? conv->plan.dnn.text : "cuda_conv_direct"};
    return STRIDER_OK;
}

static Status conv_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    return prepare(query, false, ctx, instance);
}

static Status conv_transpose_prepare(const KernelQuery *query, PrepareContext *ctx,
                                     KernelInstance *instance) {
    return prepare(query, true, ctx, instance);
}

const Kernel cuda_conv = {
    .name = "cuda_conv", .op = OP_Conv, .accepts = conv_accepts, .cost = cuda_cost, .prepare = conv_prepare};
const Kernel cuda_conv_transpose = {.name = "cuda_conv_transpose",
                                    .op = OP_ConvTranspose,
                                    .accepts = conv_transpose_accepts,
                                    .cost = cuda_cost,
                                    .prepare = conv_transpose_prepare};
