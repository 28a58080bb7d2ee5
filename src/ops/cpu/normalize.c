/* SPDX-License-Identifier: Apache-2.0 */
/* Softmax and LogSoftmax over any axis of a plain tensor; BatchNormalization in either layout. */
#include "ops/cpu/normalize.h"

#include <math.h>

#include "base/size.h"
#include "ops/nn/batch_norm.h"

enum { TASK_FLOATS = 16 * 1024, CHUNK_FLOATS = 256 };

static double floats(const KernelQuery *query) {
    return (double)shape_elements(&query->inputs[0].type.shape);
}

/* --- Softmax --- */

static bool softmax_accepts(KernelQuery *query) {
    query->inputs[0].layout = query->outputs[0].layout = layout_plain();
    return cpu_is_f32(query, 0) && shape_elements(&query->inputs[0].type.shape) > 0;
}

static double softmax_cost(const KernelQuery *query) {
    return cpu_memory_cost(8 * floats(query)) + 0.7 * floats(query);
}

static Status prepare_softmax(const KernelQuery *query, bool logarithm, PrepareContext *ctx,
                              KernelInstance *instance) {
    const NormalizeTable *table = normalize_for(query->target);
    SoftmaxArgs *args;
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *args, 1), &args));
    args->geometry = softmax_geometry(query->node->attrs, &query->inputs[0].type.shape);
    args->logarithm = logarithm;
    const SoftmaxGeometry *g = &args->geometry;
    args->rows_a_task = i64_max(TASK_FLOATS / g->count, 1);
    args->chunk_floats = CHUNK_FLOATS;
    args->chunks = ceil_div(g->inner, CHUNK_FLOATS);
    instance->args = args;
    instance->run = g->inner == 1 ? table->softmax_rows : table->softmax_chunks;
    instance->tasks = g->inner == 1 ? ceil_div(g->outer, args->rows_a_task) : g->outer * args->chunks;
    return STRIDER_OK;
}

static Status softmax_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    return prepare_softmax(query, false, ctx, instance);
}

static Status log_softmax_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    return prepare_softmax(query, true, ctx, instance);
}

const Kernel kernel_softmax = {
    .name = "softmax",
    .op = OP_Softmax,
    .accepts = softmax_accepts,
    .cost = softmax_cost,
    .prepare = softmax_prepare,
    .overwrites = 1,
};

const Kernel kernel_log_softmax = {
    .name = "log_softmax",
    .op = OP_LogSoftmax,
    .accepts = softmax_accepts,
    .cost = softmax_cost,
    .prepare = log_softmax_prepare,
    .overwrites = 1,
};

/* --- BatchNormalization --- */

/* Whether factors and terms are the same in every run. */
static bool is_constant_scale(const KernelQuery *query) {
    for (int i = BATCH_NORM_SCALE; i <= BATCH_NORM_VAR; i++)
        if (!cpu_input_constant(query, i))
            return false;
    return true;
}

static bool batch_norm_accepts(KernelQuery *query) {
    const BatchNormAttrs *attrs = query->node->attrs;
    Epilogue epilogue;
    if (!node_epilogue(query->node, &epilogue) ||
        query->n_inputs > BATCH_NORM_VAR + 1 /* an activation alone */ || !cpu_is_f32(query, BATCH_NORM_X) ||
        attrs->training || attrs->per_activation || query->inputs[BATCH_NORM_X].type.shape.rank < 2)
        return false;
    for (int i = 1; i < query->n_outputs; i++)
        if (query->node->outputs[i])
            return false;
    const bool is_constant = is_constant_scale(query);
    for (int i = BATCH_NORM_SCALE; i <= BATCH_NORM_VAR; i++) {
        if (!is_constant && !cpu_is_f32(query, i))
            return false;
        query->inputs[i].packed = is_constant;
    }
    cpu_keep_layout(query);
    return true;
}

static double batch_norm_cost(const KernelQuery *query) {
    return cpu_memory_cost(8 * floats(query));
}

static void make_factor(const double parameters[BATCH_NORM_VAR + 1], float epsilon, float *factor,
                        float *term) {
    const double exact = parameters[BATCH_NORM_SCALE] / sqrt(parameters[BATCH_NORM_VAR] + (double)epsilon);
    *factor = (float)exact;
    *term = (float)(parameters[BATCH_NORM_B] - parameters[BATCH_NORM_MEAN] * exact);
}

static Status make_factors(const KernelQuery *query, PrepareContext *ctx, ScaleArgs *args) {
    float *factors, *terms;
    double parameters[BATCH_NORM_VAR + 1];
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *factors, args->padded_channels), &factors));
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *terms, args->padded_channels), &terms));
    for (int64_t c = 0; c < args->n_channels; c++) {
        for (int i = BATCH_NORM_SCALE; i <= BATCH_NORM_VAR; i++)
            parameters[i] = tensor_get_f64(cpu_input_constant(query, i), c);
        make_factor(parameters, args->epsilon, &factors[c], &terms[c]);
    }
    args->factors = factors;
    args->terms = terms;
    return STRIDER_OK;
}

/* The same of what a run computes. */
static void make_run_factors(const KernelCall *call, int64_t task) {
    const ScaleArgs *args = call->args;
    float *factors = call->workspace, *terms = factors + args->padded_channels;
    double parameters[BATCH_NORM_VAR + 1];
    (void)task;
    for (int64_t c = 0; c < args->n_channels; c++) {
        for (int i = BATCH_NORM_SCALE; i <= BATCH_NORM_VAR; i++)
            parameters[i] = (double)((const float *)call->inputs[i])[c];
        make_factor(parameters, args->epsilon, &factors[c], &terms[c]);
    }
    for (int64_t c = args->n_channels; c < args->padded_channels; c++)
        factors[c] = terms[c] = 0;
}

static Status batch_norm_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    const BatchNormAttrs *attrs = query->node->attrs;
    const NormalizeTable *table = normalize_for(query->target);
    const Shape *x = &query->inputs[0].type.shape;
    const Layout layout = query->inputs[0].layout;
    const int64_t pixels = shape_size(x, 2, x->rank);
    ScaleArgs *args;
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *args, 1), &args));
    args->n_channels = x->dims[1];
    args->padded_channels = i64_product(ceil_div(x->dims[1], query->width), query->width);
    args->epsilon = attrs->epsilon;
    if (is_constant_scale(query)) {
        TRY(make_factors(query, ctx, args));
    } else {
        instance->prologue = make_run_factors;
        instance->prologue_tasks = 1;
        instance->workspace_bytes = bytes_of(2 * sizeof(float), args->padded_channels);
    }
    bool vectors = layout.kind == LAYOUT_PLAIN && pixels == 1;
    args->channels = layout_blocks(x, layout);
    args->planes = vectors ? x->dims[0] : x->dims[0] * args->channels;
    args->plane_floats = vectors ? args->channels : pixels * layout_block(layout);
    args->tail_channels = cpu_tail_channels(x, layout);
    node_epilogue(query->node, &args->epilogue);
    args->planes_a_task = i64_max(TASK_FLOATS / i64_max(args->plane_floats, 1), 1);
    instance->args = args;
    instance->tasks = ceil_div(args->planes, args->planes_a_task);
    instance->run = vectors                       ? table->scale_vectors
                    : layout.kind == LAYOUT_PLAIN ? table->scale_plain
                                                  : table->scale_blocked;
    return STRIDER_OK;
}

const Kernel kernel_batch_norm = {
    .name = "batch_norm",
    .op = OP_BatchNormalization,
    .accepts = batch_norm_accepts,
    .cost = batch_norm_cost,
    .prepare = batch_norm_prepare,
    .overwrites = 1,
};
