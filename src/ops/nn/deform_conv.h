/* SPDX-License-Identifier: Apache-2.0 */
/* The attributes and the geometry of DeformConv, for the reference and kernels. */
#ifndef OPS_NN_DEFORM_CONV_H
#define OPS_NN_DEFORM_CONV_H

#include "ops/nn/window.h"

enum { DEFORM_X, DEFORM_W, DEFORM_OFFSET, DEFORM_B, DEFORM_MASK, DEFORM_INPUTS };

typedef struct DeformConvAttrs {
    WindowAttrs window;
    int64_t group, offset_group;
} DeformConvAttrs;

typedef struct DeformGeometry {
    int spatial;
    int64_t batch, group, offset_group, in_channels, out_channels;
    int64_t taps, outputs; /* elements of the kernel, and of an output channel */
    WindowDim dims[MAX_SPATIAL];
} DeformGeometry;

/* From known shapes that infer() has accepted. */
DeformGeometry deform_geometry(const DeformConvAttrs *attrs, const Shape *x, const Shape *w);

#endif
