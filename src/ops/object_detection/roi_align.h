/* SPDX-License-Identifier: Apache-2.0 */
/* The geometry of RoiAlign, for the reference and kernels. */
#ifndef OPS_OBJECT_DETECTION_ROI_ALIGN_H
#define OPS_OBJECT_DETECTION_ROI_ALIGN_H

#include "ops/op.h"

enum { ROI_X, ROI_ROIS, ROI_BATCHES, ROI_INPUTS };

typedef struct RoiAlignAttrs {
    bool is_max, half_pixel;
    int64_t height, width;
    int64_t sampling_ratio; /* 0: as many samples as a bin has pixels */
    float spatial_scale;
} RoiAlignAttrs;

/* One dimension of a region. */
typedef struct RoiAxis {
    double start, bin; /* in pixels */
    int64_t samples;   /* of a bin */
    int64_t length;    /* of X */
} RoiAxis;

/* `count` bins from `begin` to `end` as rois state them.  In float32 unless rois are of float64, as others
 * compute it: how many samples a bin has hangs on the last bit. */
RoiAxis roi_axis(const RoiAlignAttrs *attrs, double begin, double end, bool is_f64, int64_t count,
                 int64_t length);

/* The samples [first, end) of a bin among which all are that see X. */
void roi_samples(const RoiAxis *axis, int64_t bin, int64_t *first, int64_t *end);

/* The two pixels between which a sample lies, and how far from the first. */
typedef struct RoiSample {
    int64_t low, high;
    double fraction;
} RoiSample;
/* False where it does not see X, and so counts as 0. */
bool roi_sample(const RoiAxis *axis, int64_t bin, int64_t index, RoiSample *sample);

/* By how much the samples of a bin are divided. */
double roi_count(const RoiAxis *y, const RoiAxis *x);

#endif
