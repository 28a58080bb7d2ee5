/* SPDX-License-Identifier: Apache-2.0 */
/* Softmax and BatchNormalization: what the preparation hands to the templates.
 */
#ifndef OPS_CPU_NORMALIZE_H
#define OPS_CPU_NORMALIZE_H

#include "ops/cpu/cpu.h"
#include "ops/math/softmax.h"

typedef struct SoftmaxArgs {
    SoftmaxGeometry geometry;
    bool logarithm;
    int64_t rows_a_task;  /* inner 1 */
    int64_t chunks;       /* else: of an outer element's inner ones */
    int64_t chunk_floats; /* a multiple of every vector's width */
} SoftmaxArgs;

/* y = activation(x * factor[c] + term[c]) */
typedef struct ScaleArgs {
    const float *factors, *terms; /* padded to whole vectors; NULL: the workspace begins with them, made by
                                   * each run of `padded_channels` channels */
    int64_t n_channels, padded_channels;
    float epsilon;
    int64_t planes;   /* blocks, or channels where plain, of all images */
    int64_t channels; /* planes of one image */
    int64_t plane_floats;
    int64_t planes_a_task;
    int tail_channels;
    Epilogue epilogue; /* an activation alone */
} ScaleArgs;

static inline const float *scale_factors(const KernelCall *call) {
    const ScaleArgs *args = call->args;
    return args->factors ? args->factors : call->workspace;
}
static inline const float *scale_terms(const KernelCall *call) {
    const ScaleArgs *args = call->args;
    return args->terms ? args->terms : (const float *)call->workspace + args->padded_channels;
}

typedef void (*TaskRun)(const KernelCall *call, int64_t task);

typedef struct NormalizeTable {
    TaskRun softmax_rows, softmax_chunks;
    TaskRun scale_blocked, scale_plain, scale_vectors; /* vectors: plain, planes of one element */
} NormalizeTable;

TARGET_TABLES(NormalizeTable, normalize)

#endif
