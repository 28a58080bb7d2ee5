/* SPDX-License-Identifier: Apache-2.0 */
/* Normalisations. */
#include "ops/nn/batch_norm.h"

#include <limits.h>
#include <string.h>

#include "ops/broadcast.h"
#include "ops/cuda/cuda.h"
#include "ops/cuda/kernels.h"
#include "ops/nn/instance_norm.h"
#include "ops/nn/layer_norm.h"
#include "ops/nn/lp_norm.h"
#include "ops/nn/lrn.h"
#include "ops/post_ops.h"
#include "ops/tensor/concat.h"

static const Shape *x_shape(const KernelQuery *query) {
    return &query->inputs[0].type.shape;
}

/* --- BatchNormalization --- */

static bool batch_norm_accepts(KernelQuery *query) {
    const BatchNormAttrs *attrs = query->node->attrs;
    Epilogue epilogue; /* of an activation alone */
    return node_epilogue(query->node, &epilogue) && query->n_inputs == BATCH_NORM_VAR + 1 &&
           cuda_all_f32(query) && cuda_has_one_output(query) && !attrs->training;
}

static Status batch_norm_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    const BatchNormAttrs *attrs = query->node->attrs;
    const Shape *x = x_shape(query);
    const int last = attrs->per_activation ? x->rank : 2;
    const int64_t count = cuda_elements(&query->inputs[0]);
    Epilogue epilogue;
    node_epilogue(query->node, &epilogue);
    const struct BatchNormArgs args = {.count = (int)count,
                                       .plane = x->rank > 1 ? (int)shape_size(x, last, x->rank) : 1,
                                       .columns = x->rank > 1 ? (int)shape_size(x, 1, last) : 1,
                                       .epsilon = attrs->epsilon,
                                       .activation = epilogue.activation};
    Launch launch = launch_each((const void *)k_batch_norm, count);
    launch.n_inputs = BATCH_NORM_VAR + 1;
    return cuda_prepare_launch(ctx, &launch, &args, sizeof args, instance);
}

/* --- groups with a mean and a variance of their own --- */

/* How the parameters lie along x. */
static Status prepare_groups(const KernelQuery *query, int64_t groups, const Broadcast *parameters,
                             struct NormalizeArgs *args, PrepareContext *ctx, KernelInstance *instance) {
    cuda_dims(parameters->rank, parameters->dims, 1, KERNEL_DIMS, args->dims);
    for (int i = 0; i < 2; i++)
        cuda_dims(parameters->rank, parameters->strides[i], 0, KERNEL_DIMS, args->strides[i]);
    Epilogue epilogue;
    node_epilogue(query->node, &epilogue);
    args->activation = epilogue.activation;
    args->residual_port = epilogue.residual_port;
    args->residual_last = epilogue.residual_last;
    args->count = (int)(cuda_elements(&query->inputs[0]) / groups);
    Launch launch = launch_teams((const void *)k_normalize, groups);
    launch.n_inputs = query->n_inputs;
    return cuda_prepare_launch(ctx, &launch, args, sizeof *args, instance);
}

/* What passes append: no scale and no bias. */
static bool groups_accepts(KernelQuery *query) {
    Epilogue epilogue;
    return node_epilogue(query->node, &epilogue) && epilogue.scale_port < 0 && epilogue.bias_port < 0 &&
           cuda_all_f32(query);
}

static bool instance_norm_accepts(KernelQuery *query) {
    return groups_accepts(query);
}

static Status instance_norm_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    const InstanceNormAttrs *attrs = query->node->attrs;
    const Shape *x = x_shape(query);
    const int64_t groups = attrs->groups ? attrs->groups : x->dims[1];
    const int64_t dims[] = {x->dims[0], groups, x->dims[1] / groups, shape_size(x, 2, x->rank)};
    const int64_t own[] = {groups, attrs->group_scale ? 1 : dims[2], 1};
    const Shape whole = shape_make(4, dims), parameter = shape_make(3, own);
    const Broadcast parameters = broadcast_make(&whole, 2, (const Shape *const[]){&parameter, &parameter});
    struct NormalizeArgs args = {.is_centred = true, .b_port = INSTANCE_NORM_B, .epsilon = attrs->epsilon};
    return prepare_groups(query, x->dims[0] * groups, &parameters, &args, ctx, instance);
}

static bool has_b(const KernelQuery *query) {
    return node_own_inputs(query->node) > LAYER_NORM_B && cuda_has_input(query, LAYER_NORM_B);
}

static Broadcast layer_parameters(const KernelQuery *query) {
    const Shape *scale = &query->inputs[LAYER_NORM_SCALE].type.shape;
    const Shape *b = has_b(query) ? &query->inputs[LAYER_NORM_B].type.shape : scale;
    return broadcast_make(x_shape(query), 2, (const Shape *const[]){scale, b});
}

static bool layer_norm_accepts(KernelQuery *query) {
    return groups_accepts(query) && cuda_has_one_output(query) && layer_parameters(query).rank <= KERNEL_DIMS;
}

static Status layer_norm_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    const LayerNormAttrs *attrs = query->node->attrs;
    const Broadcast parameters = layer_parameters(query);
    struct NormalizeArgs args = {.is_centred = query->node->op->kind == OP_LayerNormalization,
                                 .b_port = has_b(query) ? LAYER_NORM_B : -1,
                                 .epsilon = attrs->epsilon};
    int64_t groups, count;
    layer_norm_geometry(attrs, x_shape(query), &groups, &count);
    return prepare_groups(query, groups, &parameters, &args, ctx, instance);
}

/* --- LRN --- */

static bool lrn_accepts(KernelQuery *query) {
    const LrnAttrs *attrs = query->node->attrs;
    return cuda_all_f32(query) && attrs->size <= INT_MAX / 2;
}

static Status lrn_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    const LrnAttrs *attrs = query->node->attrs;
    const Shape *x = x_shape(query);
    const int64_t count = cuda_elements(&query->inputs[0]);
    const struct LrnArgs args = {.count = (int)count,
                                 .plane = (int)shape_size(x, 2, x->rank),
                                 .channels = (int)x->dims[1],
                                 .size = (int)attrs->size,
                                 .alpha = attrs->alpha / (float)attrs->size,
                                 .beta = attrs->beta,
                                 .bias = attrs->bias};
    const Launch launch = launch_each((const void *)k_lrn, count);
    return cuda_prepare_launch(ctx, &launch, &args, sizeof args, instance);
}

/* --- LpNormalization --- */

static bool lp_norm_accepts(KernelQuery *query) {
    return cuda_all_f32(query);
}

static Status lp_norm_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    const LpNormAttrs *attrs = query->node->attrs;
    const Shape *x = x_shape(query);
    const int axis = axis_resolve(attrs->axis, x->rank);
    const int64_t inner = shape_size(x, axis + 1, x->rank);
    const struct LpNormArgs args = {
        .count = (int)x->dims[axis], .inner = (int)inner, .kind = attrs->p == 1 ? R_L1 : R_L2};
    const Launch launch = launch_teams((const void *)k_lp_norm, shape_size(x, 0, axis) * inner);
    return cuda_prepare_launch(ctx, &launch, &args, sizeof args, instance);
}

CUDA_ROW(cuda_batch_norm, OP_BatchNormalization, batch_norm_accepts, batch_norm_prepare, .overwrites = 1)
/* The residual, too, which follows the inputs. */
CUDA_ROW(cuda_instance_norm, OP_InstanceNormalization, groups_accepts, instance_norm_prepare,
         .overwrites = 1 | 1 << (INSTANCE_NORM_B + 1))
CUDA_ROW(cuda_group_norm, OP_GroupNormalization, groups_accepts, instance_norm_prepare,
         .overwrites = 1 | 1 << (INSTANCE_NORM_B + 1))
CUDA_ROW(cuda_layer_norm, OP_LayerNormalization, layer_norm_accepts, layer_norm_prepare,
         .overwrites = 1 | 1 << (LAYER_NORM_B + 1))
CUDA_ROW(cuda_rms_norm, OP_RMSNormalization, layer_norm_accepts, layer_norm_prepare,
         .overwrites = 1 | 1 << (LAYER_NORM_SCALE + 1))
CUDA_ROW(cuda_lrn, OP_LRN, lrn_accepts, lrn_prepare)
CUDA_ROW(cuda_lp_norm, OP_LpNormalization, lp_norm_accepts, lp_norm_prepare)
