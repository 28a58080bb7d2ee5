/* SPDX-License-Identifier: Apache-2.0 */
/* Normalisations by the statistics of runs of neighbouring elements: what the preparation hands to the
 * templates. */
#ifndef OPS_CPU_LAYER_NORM_H
#define OPS_CPU_LAYER_NORM_H

#include "ops/cpu/cpu.h"

/* y = (x - mean) / sqrt(variance + epsilon) * scale + b and the post-operations of it, with mean and
 * population variance of each group of `count` neighbouring elements; not centred: the mean is taken as 0.
 * Either each element of a group has its own scale and b, or each of its runs has. */
typedef struct GroupArgs {
    int64_t groups, count;
    bool centred;
    double epsilon;
    bool by_element;
    int64_t run, runs;  /* not by element: elements of a run, runs of a group */
    int64_t parameters; /* not by element: of the scale; run r has number r / runs_a_parameter % parameters */
    int64_t runs_a_parameter;
    int scale_port, b_port; /* b_port -1: no b */
    int64_t groups_a_task;
    Epilogue epilogue;
} GroupArgs;

/* The same of a blocked tensor's channels, each by itself.  Planes are divided into chunks, whose statistics
 * the prologue leaves in the workspace, `stats_bytes` for each. */
typedef struct ChannelArgs {
    int64_t planes, blocks, channels;
    int64_t pixels, chunk_pixels, chunks; /* of a plane */
    double epsilon;
    int scale_port, b_port;
    Epilogue epilogue;
} ChannelArgs;

typedef struct LayerNormTable {
    void (*run)(const KernelCall *call, int64_t task);
    void (*channel_statistics)(const KernelCall *call, int64_t task);
    void (*normalise_channels)(const KernelCall *call, int64_t task);
    size_t stats_bytes;
} LayerNormTable;

TARGET_TABLES(LayerNormTable, layer_norm)

#endif
