/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPS_NN_COL2IM_H
#define OPS_NN_COL2IM_H

#include "ops/nn/window.h"

/* Attributes: WindowAttrs. */
enum { COL2IM_X, COL2IM_IMAGE, COL2IM_BLOCK, COL2IM_INPUTS };

typedef struct Col2ImGeometry {
    int64_t batch, channels, block, columns;
    WindowDim dims[MAX_SPATIAL]; /* of the image; ones before them up to three */
} Col2ImGeometry;

/* Sets `block`, `columns` and `dims`; NULL, or what does not fit.  `spatial` is from 1 to MAX_SPATIAL. */
const char *col2im_resolve(const WindowAttrs *attrs, int spatial, const int64_t *image, const int64_t *block,
                           Col2ImGeometry *g);

#endif
