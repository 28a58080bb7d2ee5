/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPS_MATH_BINARY_H
#define OPS_MATH_BINARY_H

#include "ops/broadcast.h"
#include "ops/math/binary_kind.h"
#include "ops/op.h"

typedef struct BinaryAttrs {
    bool legacy_broadcast; /* before opset 7: the second input stands at `axis` of the first */
    int64_t axis;          /* -1: at the end */
    bool fmod;             /* Mod: the sign of the dividend */
    bool shift_right;      /* BitShift */
} BinaryAttrs;

/* Of one of the operators of binary_list.inc. */
BinaryKind node_binary_kind(const Node *node);

/* Whether the second input broadcasts as NumPy has it; false also where that is not known yet. */
bool binary_second_broadcasts(const Node *node, const Shape *first, const Shape *second);

/* The second input's shape with the ones after it that the broadcasting before opset 7 means, or a slope
 * that belongs to the channels; else as it is. */
Shape binary_second_shape(const Node *node, const Shape *first, const Shape *second);

#endif
