/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPS_TENSOR_RESIZE_H
#define OPS_TENSOR_RESIZE_H

#include "ops/op.h"

typedef enum ResizeMode { RESIZE_NEAREST, RESIZE_LINEAR, RESIZE_CUBIC } ResizeMode;

typedef enum CoordinateMode {
    COORDINATE_HALF_PIXEL,
    COORDINATE_HALF_PIXEL_SYMMETRIC,
    COORDINATE_PYTORCH_HALF_PIXEL,
    COORDINATE_ALIGN_CORNERS,
    COORDINATE_ASYMMETRIC,
    COORDINATE_TF_CROP_AND_RESIZE,
    COORDINATE_TF_HALF_PIXEL_FOR_NN
} CoordinateMode;

typedef enum NearestMode {
    NEAREST_ROUND_PREFER_FLOOR,
    NEAREST_ROUND_PREFER_CEIL,
    NEAREST_FLOOR,
    NEAREST_CEIL
} NearestMode;

typedef struct ResizeAttrs {
    ResizeMode mode;
    CoordinateMode coordinates;
    NearestMode nearest;
    float cubic_coeff_a, extrapolation_value;
    bool exclude_outside, antialias;
    int n_axes; /* -1: all */
    int64_t axes[MAX_RANK];
    int keep_aspect_ratio; /* 0 stretch, 1 not_larger, 2 not_smaller */
    int n_scales;          /* Upsample-1 and -7: as attributes; -1 where they are an input */
    float scales[MAX_RANK];
} ResizeAttrs;

/* One dimension with everything resolved. */
typedef struct ResizeDim {
    int64_t in, out;
    double scale; /* out / in, or the scale that was given, by which coordinates are computed */
    double roi_begin, roi_end;
} ResizeDim;

/* From a known input shape and the inputs' contents (as for infer() or reference()); returns NULL, or what is
 * wrong.
 * `*known` is false where scales or sizes are not known yet. */
const char *resize_resolve(const Node *node, const Shape *x, int n_inputs, const Tensor *const *inputs,
                           ResizeDim dims[MAX_RANK], bool *known);

/* The same for a plan, which knows the types; `inputs` are the constants.  Sizes that are computed at
 * planning time are not constants of the model, but follow from the shapes.  False where nothing is known. */
bool resize_resolve_planned(const Node *node, const Shape *x, const Shape *y, int n_inputs,
                            const Tensor *const *inputs, ResizeDim dims[MAX_RANK]);

/* The input elements that make output element `at` of a dimension: `count` of them at most RESIZE_MAX_TAPS
 * or, for antialiasing, resize_max_taps(); indices are inside the input.  False where it is
 * extrapolation_value. */
enum { RESIZE_MAX_TAPS = 4 };
int64_t resize_max_taps(const ResizeAttrs *attrs, const ResizeDim *dim);
/* Whether tables of the taps of dimensions [first, rank) stay small beside the output; else they are left to
 * the reference, which has none. */
bool resize_tables_fit(const ResizeAttrs *attrs, const ResizeDim *dims, int first, int rank);
bool resize_taps(const ResizeAttrs *attrs, const ResizeDim *dim, int64_t at, int64_t *indices,
                 double *weights, int64_t *count);

#endif
