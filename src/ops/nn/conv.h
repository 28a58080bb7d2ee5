/* SPDX-License-Identifier: Apache-2.0 */
/* The attributes of Conv and ConvTranspose, and the geometry that follows from them: shared by shape
 * inference, the reference, passes and kernels. */
#ifndef OPS_NN_CONV_H
#define OPS_NN_CONV_H

#include "ops/nn/window.h"

/* Inputs: X [N, C, D...], W ([M, C/group, K...]; ConvTranspose: [C, M/group, K...]), optional B [M].  A
 * folded BatchNormalization is a scale and a bias among the post-operations: the weights themselves stay
 * where they are in the mapped file. */
enum { CONV_X, CONV_W, CONV_B, CONV_INPUTS };

typedef struct ConvAttrs {
    WindowAttrs window;
    int64_t group;
    /* ConvTranspose only */
    int n_output_padding, n_output_shape; /* -1 where absent */
    int64_t output_padding[MAX_SPATIAL], output_shape[MAX_SPATIAL];
} ConvAttrs;

/* A convolution with everything resolved.  For ConvTranspose `dims[i].in` is X's size and `dims[i].out` Y's;
 * the pads are those that crop the full result. */
typedef struct ConvGeometry {
    int spatial; /* 1 to 3 */
    int64_t batch, group, in_channels, out_channels;
    WindowDim dims[MAX_SPATIAL];
} ConvGeometry;

/* From known shapes that infer() has accepted. */
ConvGeometry conv_geometry(const ConvAttrs *attrs, const Shape *x, const Shape *w);
ConvGeometry conv_transpose_geometry(const ConvAttrs *attrs, const Shape *x, const Shape *w);
/* With ones before the spatial dimensions up to three, which changes nothing. */
ConvGeometry conv_geometry_3d(const ConvGeometry *geometry);

/* Shared by conv.c, conv_transpose.c and quantization/integer_conv.c. */
Status conv_parse_common(ParseContext *ctx, ConvAttrs *attrs) MUST_CHECK;
/* What does not depend on the direction: ranks, and the kernel that attributes state; the bias at a port. */
Status conv_check_kernel(InferContext *ctx, const Shape *x, const Shape *w) MUST_CHECK;
Status conv_check_bias(InferContext *ctx, int port, int64_t out_channels) MUST_CHECK;
/* The output's shape of a convolution, from those of the inputs at these ports. */
Status conv_infer_shape(InferContext *ctx, int port_x, int port_w) MUST_CHECK;
typedef struct ConvOperands {
    double *x, *w, *bias;
} ConvOperands;
Status conv_load_operands(EvalContext *ctx, ConvOperands *operands) MUST_CHECK;
/* Gives each output element's sum to `store`, in order. */
typedef void (*ConvStore)(void *context, int64_t channel, int64_t index, double sum);
void conv_products(const ConvGeometry *geometry, const ConvOperands *operands, ConvStore store,
                   void *context);

#endif
