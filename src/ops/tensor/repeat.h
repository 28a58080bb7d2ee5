/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPS_TENSOR_REPEAT_H
#define OPS_TENSOR_REPEAT_H

#include "ops/op.h"

/* A shape that an input lists, as far as it is known. */
Status infer_listed_shape(InferContext *ctx, int port, Shape *shape) MUST_CHECK;

#endif
