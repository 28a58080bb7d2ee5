/* SPDX-License-Identifier: Apache-2.0 */
/* The attributes of Conv and ConvTranspose, and the geometry that follows from them: shared by shape
 * inference, the reference, passes and kernels. */
#ifndef OPS_CONV_H
#define OPS_CONV_H

#include "ops/activation.h"
#include "ops/op.h"

enum { CONV_MAX_SPATIAL = 3 };

typedef enum AutoPad { AUTO_PAD_NOTSET, AUTO_PAD_SAME_UPPER, AUTO_PAD_SAME_LOWER, AUTO_PAD_VALID } AutoPad;

/* Inputs of Conv: X [N, C, D...], W [M, C/group, K...], optional B [M]; after passes also, in this order, the
 * optional `scale` [M], a constant by which each output channel's weights are multiplied (a folded
 * BatchNormalization: weights stay where they are in the mapped file), and the optional residual, of the
 * output's shape. */
enum { CONV_X, CONV_W, CONV_B, CONV_SCALE, CONV_RESIDUAL, CONV_MAX_INPUTS };

typedef struct ConvAttrs {
    AutoPad auto_pad;
    int64_t group;
    int n_kernel, n_strides, n_dilations, n_pads; /* counts as stated; -1 where the attribute is absent */
    int64_t kernel[CONV_MAX_SPATIAL], strides[CONV_MAX_SPATIAL],
        dilations[CONV_MAX_SPATIAL];    /* defaults filled in */
    int64_t pads[2 * CONV_MAX_SPATIAL]; /* begins of all dimensions, then ends; may be negative */
    /* ConvTranspose only */
    int n_output_padding, n_output_shape;
    int64_t output_padding[CONV_MAX_SPATIAL], output_shape[CONV_MAX_SPATIAL];
    Epilogue epilogue; /* set by passes */
} ConvAttrs;

/* A convolution with everything resolved: known shapes, pads from auto_pad. */
typedef struct ConvGeometry {
    int spatial; /* 1 to 3 */
    int64_t batch, group, in_channels, out_channels;
    int64_t in[CONV_MAX_SPATIAL], out[CONV_MAX_SPATIAL], kernel[CONV_MAX_SPATIAL];
    int64_t strides[CONV_MAX_SPATIAL], dilations[CONV_MAX_SPATIAL];
    int64_t pad_begin[CONV_MAX_SPATIAL], pad_end[CONV_MAX_SPATIAL];
} ConvGeometry;

/* From known, already inferred shapes (infer() has accepted them). */
ConvGeometry conv_geometry(const ConvAttrs *attrs, const Shape *x, const Shape *w, const Shape *y);
ConvGeometry conv_transpose_geometry(const ConvAttrs *attrs, const Shape *x, const Shape *w, const Shape *y);
/* Multiply-accumulates of one run. */
int64_t conv_macs(const ConvGeometry *geometry);

/* "H: floor((224 + 3 + 3 - 1*(7 - 1) - 1) / 2) + 1 = 112; W: ...": the documented formula with the node's
 * numbers, for a known input shape.  Returns `text`. */
enum { CONV_FORMULA_TEXT = 400 };
const char *conv_formula(const ConvAttrs *attrs, const Shape *x, const Shape *w,
                         char text[CONV_FORMULA_TEXT]);

#endif
