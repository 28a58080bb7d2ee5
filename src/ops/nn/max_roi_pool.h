/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPS_NN_MAX_ROI_POOL_H
#define OPS_NN_MAX_ROI_POOL_H

#include "ops/op.h"

enum { ROI_POOL_X, ROI_POOL_ROIS, ROI_POOL_INPUTS };
/* The image, then x, y, x, y. */
enum { ROI_POOL_NUMBERS = 5 };

typedef struct MaxRoiPoolAttrs {
    int64_t pooled[2]; /* height, width */
    float spatial_scale;
} MaxRoiPoolAttrs;

/* The pixels [begin, end) of a bin in one dimension of an image. */
typedef struct RoiPixels {
    int64_t begin, end;
} RoiPixels;
RoiPixels roi_pool_pixels(double first, double last, double scale, int64_t bins, int64_t bin, int64_t length);

/* Of a region whose image is not there. */
Status roi_pool_fail(const Node *node, Error *err, int64_t roi, double image, int64_t images) MUST_CHECK;

#endif
