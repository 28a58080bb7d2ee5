/* SPDX-License-Identifier: Apache-2.0 */
/* RoiAlign: what the preparation hands to the template. */
#ifndef OPS_CPU_ROI_ALIGN_H
#define OPS_CPU_ROI_ALIGN_H

#include "ops/cpu/cpu.h"
#include "ops/object_detection/roi_align.h"

typedef struct RoiAlignArgs {
    const Node *node;
    bool batches_are_i32;
    int64_t images, channels, height, width;
    int64_t rois, channels_a_task, channel_parts;
    int64_t max_taps[2]; /* of a bin of rows, and of all bins of columns */
} RoiAlignArgs;

/* Pixels of one dimension and their weights, of which the samples of a bin come to. */
typedef struct RoiTap {
    int64_t index;
    float weight; /* of a mean: the sum; of a maximum: the largest */
    float least;  /* of a maximum */
} RoiTap;

/* Appends those of a bin; returns how many.  Weights of a mean are divided by the number of samples.  `seen`:
 * whether all samples see the image. */
int64_t roi_bin_taps(const RoiAxis *axis, int64_t bin, bool is_max, RoiTap *taps, bool *seen);

typedef struct RoiAlignTable {
    void (*average)(const KernelCall *call, int64_t task);
    void (*max)(const KernelCall *call, int64_t task);
} RoiAlignTable;

TARGET_TABLES(RoiAlignTable, roi_align)

/* The image that a region is of. */
static inline int64_t roi_image(const RoiAlignArgs *args, const void *batches, int64_t roi) {
    return args->batches_are_i32 ? ((const int32_t *)batches)[roi] : ((const int64_t *)batches)[roi];
}

#endif
