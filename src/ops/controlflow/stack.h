/* SPDX-License-Identifier: Apache-2.0 */
/* Tensors that the runs of a body make, put together along a new axis: each is copied once, into a tensor
 * that doubles where their number is not known. */
#ifndef OPS_CONTROLFLOW_STACK_H
#define OPS_CONTROLFLOW_STACK_H

#include "ops/op.h"

typedef struct Stack {
    int output;       /* of the node, for messages */
    int64_t axis;     /* of the result; may count from the end */
    int64_t capacity; /* in items, from the first one on; grows along axis 0 alone */
    int64_t limit;    /* no more than this will come */
    bool zeroed;      /* items that are never put are 0 */
    Type item;        /* dtype NONE before the first */
    Tensor tensor;
} Stack;

/* For `count` items, no more and no less; or, along axis 0, for as many as come, at most `limit`. */
Stack stack_fixed(int output, int64_t axis, int64_t count);
Stack stack_growing(int output, int64_t limit);
void stack_free(Stack *stack);

/* Copies an item to position `at`; BAD_MODEL where its type differs from the first one's. */
Status stack_put(HostContext *ctx, Stack *stack, int64_t at, const RunValue *item) MUST_CHECK;
/* The result, of `count` items.  `inferred` is the type that items have where none came: a dimension of it
 * that is not known is 0 then. */
Status stack_finish(HostContext *ctx, Stack *stack, const ValueType *inferred, int64_t count,
                    Tensor *result) MUST_CHECK;

/* A shape with one dimension more, before `axis` (up to the rank); false where it has MAX_RANK already. */
bool shape_with(const Shape *shape, int axis, int64_t dim, Shape *result) MUST_CHECK;
/* A shape of at least `axis` + 1 dimensions without that one. */
Shape shape_without(const Shape *shape, int axis);

#endif
