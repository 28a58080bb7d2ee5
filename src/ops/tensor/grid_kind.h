/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPS_TENSOR_GRID_KIND_H
#define OPS_TENSOR_GRID_KIND_H

#include <stdbool.h>

typedef enum GridMode { GRID_NEAREST, GRID_LINEAR, GRID_CUBIC } GridMode;
typedef enum GridPadding { GRID_ZEROS, GRID_BORDER, GRID_REFLECTION } GridPadding;

typedef struct GridSampleAttrs {
    GridMode mode;
    GridPadding padding;
    bool align_corners;
} GridSampleAttrs;

#endif
