/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/cuda/dnn.h"

#include <stdio.h>
#include <string.h>

enum { UID_X = 1, UID_W, UID_RESIDUAL, UID_BIAS, UID_Y, UID_VIRTUAL };
enum { MAX_OFFERS = 64, MAX_NOTES = 32, MAX_OPERATIONS = 4 };

/* --- descriptors --- */

typedef cudnnBackendDescriptor_t Descriptor;

/* The first failure of a series of calls; all further ones do nothing. */
typedef struct Builder {
    DnnPlan *plan;
    cudnnStatus_t status;
} Builder;

static Descriptor make(Builder *builder, cudnnBackendDescriptorType_t type) {
    Descriptor made = NULL;
    DnnPlan *plan = builder->plan;
    if (!builder->status && plan->n_kept == DNN_MAX_DESCRIPTORS)
        builder->status = CUDNN_STATUS_INTERNAL_ERROR;
    if (!builder->status)
        builder->status = cudnnBackendCreateDescriptor(type, &made);
    if (!builder->status)
        plan->kept[plan->n_kept++] = made;
    return made;
}

static void set(Builder *builder, Descriptor descriptor, cudnnBackendAttributeName_t name,
                cudnnBackendAttributeType_t type, int64_t count, const void *values) {
    if (!builder->status)
        builder->status = cudnnBackendSetAttribute(descriptor, name, type, count, values);
}

static void set_descriptor(Builder *builder, Descriptor descriptor, cudnnBackendAttributeName_t name,
                           Descriptor value) {
    set(builder, descriptor, name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &value);
}

static Descriptor finish(Builder *builder, Descriptor descriptor) {
    if (!builder->status)
        builder->status = cudnnBackendFinalize(descriptor);
    return descriptor;
}

/* --- the graph --- */

static Descriptor tensor(Builder *builder, int64_t uid, int rank, const int64_t *dims) {
    const cudnnDataType_t type = CUDNN_DATA_FLOAT;
    const bool is_virtual = uid >= UID_VIRTUAL;
    const int64_t alignment = TENSOR_ALIGNMENT;
    int64_t strides[DNN_MAX_RANK], stride = 1;
    for (int i = rank - 1; i >= 0; i--) {
        strides[i] = stride;
        stride *= dims[i];
    }
    Descriptor made = make(builder, CUDNN_BACKEND_TENSOR_DESCRIPTOR);
    set(builder, made, CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, 1, &uid);
    set(builder, made, CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &type);
    set(builder, made, CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, rank, dims);
    set(builder, made, CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, rank, strides);
    set(builder, made, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, 1, &alignment);
    set(builder, made, CUDNN_ATTR_TENSOR_IS_VIRTUAL, CUDNN_TYPE_BOOLEAN, 1, &is_virtual);
    return finish(builder, made);
}

static Descriptor window(Builder *builder, const DnnConv *conv) {
    const cudnnDataType_t type = CUDNN_DATA_FLOAT;
    const cudnnConvolutionMode_t mode = CUDNN_CROSS_CORRELATION;
    const int64_t spatial = conv->rank - 2;
    Descriptor made = make(builder, CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
    set(builder, made, CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &type);
    set(builder, made, CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, 1, &mode);
    set(builder, made, CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, CUDNN_TYPE_INT64, 1, &spatial);
    set(builder, made, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, CUDNN_TYPE_INT64, spatial, conv->pad_begin);
    set(builder, made, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, CUDNN_TYPE_INT64, spatial, conv->pad_end);
    set(builder, made, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, CUDNN_TYPE_INT64, spatial, conv->strides);
    set(builder, made, CUDNN_ATTR_CONVOLUTION_DILATIONS, CUDNN_TYPE_INT64, spatial, conv->dilations);
    return finish(builder, made);
}

static Descriptor forward(Builder *builder, Descriptor x, Descriptor w, Descriptor y, Descriptor geometry) {
    const float one = 1, zero = 0;
    Descriptor made = make(builder, CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR);
    set_descriptor(builder, made, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, x);
    set_descriptor(builder, made, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, w);
    set_descriptor(builder, made, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, y);
    set_descriptor(builder, made, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC, geometry);
    set(builder, made, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA, CUDNN_TYPE_FLOAT, 1, &one);
    set(builder, made, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA, CUDNN_TYPE_FLOAT, 1, &zero);
    return finish(builder, made);
}

static Descriptor backward(Builder *builder, Descriptor x, Descriptor w, Descriptor y, Descriptor geometry) {
    const float one = 1, zero = 0;
    Descriptor made = make(builder, CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR);
    set_descriptor(builder, made, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY, x);
    set_descriptor(builder, made, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W, w);
    set_descriptor(builder, made, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX, y);
    set_descriptor(builder, made, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC, geometry);
    set(builder, made, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA, CUDNN_TYPE_FLOAT, 1, &one);
    set(builder, made, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA, CUDNN_TYPE_FLOAT, 1, &zero);
    return finish(builder, made);
}

/* y = mode(x, other); `other` is NULL where the mode takes one tensor. */
static Descriptor pointwise(Builder *builder, cudnnPointwiseMode_t mode, Descriptor x, Descriptor other,
                            Descriptor y) {
    const cudnnDataType_t type = CUDNN_DATA_FLOAT;
    Descriptor function = make(builder, CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
    set(builder, function, CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, 1, &mode);
    set(builder, function, CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_TYPE_DATA_TYPE, 1, &type);
    finish(builder, function);
    Descriptor made = make(builder, CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
    set_descriptor(builder, made, CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, function);
    set_descriptor(builder, made, CUDNN_ATTR_OPERATION_POINTWISE_XDESC, x);
    if (other)
        set_descriptor(builder, made, CUDNN_ATTR_OPERATION_POINTWISE_BDESC, other);
    set_descriptor(builder, made, CUDNN_ATTR_OPERATION_POINTWISE_YDESC, y);
    return finish(builder, made);
}

static Descriptor graph(Builder *builder, const DnnConv *conv) {
    Descriptor operations[MAX_OPERATIONS];
    int64_t count = 0, uid = UID_VIRTUAL;
    int left = conv->has_residual + conv->has_bias + conv->has_relu; /* operations after the one at hand */
    Descriptor x = tensor(builder, UID_X, conv->rank, conv->x),
               w = tensor(builder, UID_W, conv->rank, conv->w);
    Descriptor last = tensor(builder, left ? uid++ : UID_Y, conv->rank, conv->y);
    Descriptor geometry = window(builder, conv);
    operations[count++] =
        conv->transposed ? backward(builder, x, w, last, geometry) : forward(builder, x, w, last, geometry);
    const int64_t bias_dims[DNN_MAX_RANK] = {1, conv->y[1], 1, 1, 1};
    for (int i = 0; i < 3; i++) {
        const bool has[3] = {conv->has_residual, conv->has_bias, conv->has_relu};
        if (!has[i])
            continue;
        Descriptor other = i == 0   ? tensor(builder, UID_RESIDUAL, conv->rank, conv->y)
                           : i == 1 ? tensor(builder, UID_BIAS, conv->rank, bias_dims)
                                    : NULL;
        Descriptor next = tensor(builder, --left ? uid++ : UID_Y, conv->rank, conv->y);
        operations[count++] =
            pointwise(builder, i == 2 ? CUDNN_POINTWISE_RELU_FWD : CUDNN_POINTWISE_ADD, last, other, next);
        last = next;
    }
    Descriptor made = make(builder, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
    set(builder, made, CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR, count, operations);
    return finish(builder, made);
}

/* What the plan computes beside the products, after the engine's name. */
static void name_fused(const DnnConv *conv, DnnPlan *plan) {
    const struct {
        bool has;
        const char *name;
    } parts[] = {
        {conv->has_residual, " + residual"}, {conv->has_bias, " + bias"}, {conv->has_relu, " + relu"}};
    for (int i = 0; i < 3; i++)
        if (parts[i].has)
            strncat(plan->text, parts[i].name, sizeof plan->text - strlen(plan->text) - 1);
}

/* --- the choice --- */

/* Whether the target allows an engine, by the notes that cuDNN keeps on it. */
static bool allowed(const DnnTarget *target, Descriptor engine) {
    cudnnBackendNumericalNote_t notes[MAX_NOTES];
    int64_t count = 0;
    if (cudnnBackendGetAttribute(engine, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_TYPE_NUMERICAL_NOTE,
                                 MAX_NOTES, &count, notes))
        return false;
    for (int64_t i = 0; i < count && i < MAX_NOTES; i++)
        switch (notes[i]) {
        case CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC:
            if (!target->allow_nondeterministic)
                return false;
            break;
        case CUDNN_NUMERICAL_NOTE_TENSOR_CORE:
        case CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS:
        case CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION:
            if (!target->allow_tf32)
                return false;
            break;
        default:
            break;
        }
    return count <= MAX_NOTES;
}

static int64_t engine_index(Descriptor engine) {
    int64_t index = -1, count;
    cudnnBackendGetAttribute(engine, CUDNN_ATTR_ENGINE_GLOBAL_INDEX, CUDNN_TYPE_INT64, 1, &count, &index);
    return index;
}

/* The plan of one offer, or NULL: cuDNN also offers what it cannot build. */
static Descriptor build(const DnnTarget *target, Descriptor offer, DnnPlan *plan) {
    Descriptor engine = NULL, made = NULL;
    int64_t count;
    bool good = !cudnnBackendCreateDescriptor(CUDNN_BACKEND_ENGINE_DESCRIPTOR, &engine) &&
                !cudnnBackendGetAttribute(offer, CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_TYPE_BACKEND_DESCRIPTOR,
                                          1, &count, &engine) &&
                allowed(target, engine);
    if (good)
        good = !cudnnBackendCreateDescriptor(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, &made) &&
               !cudnnBackendSetAttribute(made, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG,
                                         CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &offer) &&
               !cudnnBackendSetAttribute(made, CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP,
                                         CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &target->properties) &&
               !cudnnBackendFinalize(made) &&
               !cudnnBackendGetAttribute(made, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_TYPE_INT64, 1,
                                         &count, &plan->workspace_bytes) &&
               (uint64_t)plan->workspace_bytes <= target->max_workspace_bytes;
    if (good)
        snprintf(plan->text, sizeof plan->text, "cudnn engine %lld", (long long)engine_index(engine));
    if (engine)
        cudnnBackendDestroyDescriptor(engine);
    if (!good && made)
        cudnnBackendDestroyDescriptor(made);
    return good ? made : NULL;
}

/* Takes the first offer of one heuristic that can be built, without the first `skipped` of all heuristics;
 * the offer is kept with its plan. */
static void choose(const DnnTarget *target, Descriptor operations, cudnnBackendHeurMode_t mode, int skipped,
                   DnnPlan *plan) {
    Descriptor heuristic = NULL, offers[MAX_OFFERS] = {0};
    int64_t n_made = 0, n_offers = 0;
    bool good =
        !cudnnBackendCreateDescriptor(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR, &heuristic) &&
        !cudnnBackendSetAttribute(heuristic, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH,
                                  CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &operations) &&
        !cudnnBackendSetAttribute(heuristic, CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, 1, &mode) &&
        !cudnnBackendSetAttribute(heuristic, CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, CUDNN_TYPE_BACKEND_DESCRIPTOR,
                                  1, &target->properties) &&
        !cudnnBackendFinalize(heuristic);
    while (good && n_made < MAX_OFFERS &&
           !cudnnBackendCreateDescriptor(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, &offers[n_made]))
        n_made++;
    good = good && !cudnnBackendGetAttribute(heuristic, CUDNN_ATTR_ENGINEHEUR_RESULTS,
                                             CUDNN_TYPE_BACKEND_DESCRIPTOR, n_made, &n_offers, offers);
    n_offers = n_offers < n_made ? n_offers : n_made;
    for (int64_t i = 0; good && i < n_offers && !plan->plan; i++) {
        if (plan->offered++ < skipped)
            continue;
        plan->plan = build(target, offers[i], plan);
        if (plan->plan) {
            plan->kept[plan->n_kept++] = offers[i];
            offers[i] = NULL;
        }
    }
    for (int64_t i = 0; i < n_made; i++)
        if (offers[i])
            cudnnBackendDestroyDescriptor(offers[i]);
    if (heuristic)
        cudnnBackendDestroyDescriptor(heuristic);
}

void dnn_plan_next(const DnnConv *conv, const DnnTarget *target, int offered, DnnPlan *plan) {
    static const cudnnBackendHeurMode_t modes[] = {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK};
    *plan = (DnnPlan){0};
    Builder builder = {.plan = plan};
    Descriptor operations = graph(&builder, conv);
    for (int i = 0; i < 2 && !builder.status && !plan->plan; i++)
        choose(target, operations, modes[i], offered, plan);
    if (plan->plan) {
        name_fused(conv, plan);
        return;
    }
    char reason[DNN_TEXT - 40] = "";
    cudnnGetLastErrorString(reason, sizeof reason);
    dnn_plan_free(plan);
    snprintf(plan->text, sizeof plan->text, "none of %d engines: %s", plan->offered, reason);
}

void dnn_plan_free(DnnPlan *plan) {
    if (plan->plan)
        cudnnBackendDestroyDescriptor(plan->plan);
    while (plan->n_kept)
        cudnnBackendDestroyDescriptor(plan->kept[--plan->n_kept]);
    plan->plan = NULL;
}

/* --- running --- */

cudnnStatus_t dnn_execute(cudnnHandle_t handle, const DnnConv *conv, const DnnPlan *plan,
                          const DnnData *data) {
    int64_t uids[UID_Y] = {UID_X, UID_W, UID_Y}, count = 3;
    const void *pointers[UID_Y] = {data->x, data->w, data->y};
    if (conv->has_residual) {
        uids[count] = UID_RESIDUAL;
        pointers[count++] = data->residual;
    }
    if (conv->has_bias) {
        uids[count] = UID_BIAS;
        pointers[count++] = data->bias;
    }
    Descriptor pack = NULL;
    cudnnStatus_t status = cudnnBackendCreateDescriptor(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR, &pack);
    if (status)
        return status;
    status =
        cudnnBackendSetAttribute(pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, count, uids);
    if (!status)
        status = cudnnBackendSetAttribute(pack, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR,
                                          count, pointers);
    if (!status)
        status = cudnnBackendSetAttribute(pack, CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, 1,
                                          &data->workspace);
    if (!status)
        status = cudnnBackendFinalize(pack);
    if (!status)
        status = cudnnBackendExecute(handle, plan->plan, pack);
    cudnnBackendDestroyDescriptor(pack);
    return status;
}
