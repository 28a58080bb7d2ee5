/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPS_SEQUENCE_SEQUENCE_H
#define OPS_SEQUENCE_SEQUENCE_H

#include "ops/op.h"

/* BAD_MODEL where input `port` is known to be no sequence, or no tensor of one element. */
Status infer_require_sequence(InferContext *ctx, int port) MUST_CHECK;
Status infer_require_position(InferContext *ctx, int port) MUST_CHECK;
/* The same shape with an unknown dimension `axis`. */
Shape shape_forgetting(const Shape *shape, int axis);

#endif
