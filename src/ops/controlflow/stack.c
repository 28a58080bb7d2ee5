/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/controlflow/stack.h"

#include <string.h>

#include "base/size.h"

enum { FIRST_CAPACITY = 8 };

bool shape_with(const Shape *shape, int axis, int64_t dim, Shape *result) {
    if (shape->rank >= MAX_RANK)
        return false;
    *result = (Shape){.rank = shape->rank + 1};
    for (int d = 0; d < result->rank; d++)
        result->dims[d] = d < axis ? shape->dims[d] : d == axis ? dim : shape->dims[d - 1];
    return true;
}

Shape shape_without(const Shape *shape, int axis) {
    Shape result = {.rank = shape->rank - 1};
    for (int d = 0; d < result.rank; d++)
        result.dims[d] = shape->dims[d + (d >= axis)];
    return result;
}

Stack stack_fixed(int output, int64_t axis, int64_t count) {
    return (Stack){.output = output, .axis = axis, .capacity = count, .limit = count};
}

Stack stack_growing(int output, int64_t limit) {
    return (Stack){.output = output, .capacity = i64_min(FIRST_CAPACITY, limit), .limit = limit};
}

void stack_free(Stack *stack) {
    tensor_free(&stack->tensor);
}

static Status allocate(HostContext *ctx, const Stack *stack, int64_t count, Tensor *tensor) {
    const int rank = stack->item.shape.rank;
    const int64_t axis = stack->axis < 0 ? stack->axis + rank + 1 : stack->axis;
    Shape shape;
    if (axis < 0 || axis > rank)
        return host_fail(ctx, STRIDER_BAD_MODEL, "axis %lld of output %d is outside [%d, %d]",
                         (long long)stack->axis, stack->output, -rank - 1, rank);
    if (!shape_with(&stack->item.shape, (int)axis, count, &shape))
        return host_fail(ctx, STRIDER_UNSUPPORTED, "output %d would have more than %d dimensions",
                         stack->output, MAX_RANK);
    TRY(tensor_alloc(tensor, ctx->allocator, stack->item.dtype, &shape, ctx->err));
    if (stack->zeroed && tensor->size_bytes)
        memset(tensor->data, 0, tensor->size_bytes);
    return STRIDER_OK;
}

static Status begin(HostContext *ctx, Stack *stack, const Type *item) {
    stack->item = *item;
    TRY(allocate(ctx, stack, stack->capacity, &stack->tensor));
    stack->axis = stack->axis < 0 ? stack->axis + item->shape.rank + 1 : stack->axis;
    return STRIDER_OK;
}

static Status grow(HostContext *ctx, Stack *stack) {
    const int64_t capacity = i64_min(i64_product(2, stack->capacity), stack->limit);
    Tensor grown;
    TRY(allocate(ctx, stack, capacity, &grown));
    if (stack->tensor.size_bytes)
        memcpy(grown.data, stack->tensor.data, stack->tensor.size_bytes);
    tensor_free(&stack->tensor);
    stack->tensor = grown;
    stack->capacity = capacity;
    return STRIDER_OK;
}

static Status check_item(HostContext *ctx, const Stack *stack, const RunValue *item) {
    char before[SHAPE_TEXT], now[SHAPE_TEXT];
    if (item->kind != VALUE_TENSOR)
        return host_fail(ctx, STRIDER_BAD_MODEL,
                         "output %d is put together from tensors, but gets something else", stack->output);
    const Type *type = &item->tensor.type;
    if (!stack->item.dtype ||
        (type->dtype == stack->item.dtype && shape_equal(&type->shape, &stack->item.shape)))
        return STRIDER_OK;
    return host_fail(ctx, STRIDER_BAD_MODEL,
                     "output %d is put together from %s %s, but a later run gives %s %s", stack->output,
                     dtype_name(stack->item.dtype), shape_text(&stack->item.shape, before),
                     dtype_name(type->dtype), shape_text(&type->shape, now));
}

Status stack_put(HostContext *ctx, Stack *stack, int64_t at, const RunValue *item) {
    TRY(check_item(ctx, stack, item));
    if (!stack->item.dtype)
        TRY(begin(ctx, stack, &item->tensor.type));
    if (at >= stack->capacity)
        TRY(grow(ctx, stack));
    const Shape *shape = &stack->item.shape;
    const int axis = (int)stack->axis;
    const int64_t outer = shape_size(shape, 0, axis);
    const size_t bytes = bytes_of(dtype_size(stack->item.dtype), shape_size(shape, axis, shape->rank)).n;
    for (int64_t o = 0; bytes && o < outer; o++)
        memcpy((char *)stack->tensor.data + (size_t)(o * stack->capacity + at) * bytes,
               (const char *)item->tensor.data + (size_t)o * bytes, bytes);
    return STRIDER_OK;
}

Status stack_finish(HostContext *ctx, Stack *stack, const ValueType *inferred, int64_t count,
                    Tensor *result) {
    if (!stack->item.dtype) {
        Type item = inferred->tensor;
        if (inferred->kind != VALUE_TENSOR || !item.dtype)
            return host_fail(
                ctx, STRIDER_UNSUPPORTED,
                "no run made anything for output %d, and its type does not follow from the model",
                stack->output);
        item.shape.rank = item.shape.rank < 0 ? 0 : item.shape.rank;
        for (int d = 0; d < item.shape.rank; d++)
            item.shape.dims[d] = item.shape.dims[d] < 0 ? 0 : item.shape.dims[d];
        stack->capacity = count;
        TRY(begin(ctx, stack, &item));
    }
    Shape shape = stack->tensor.type.shape;
    shape.dims[stack->axis] = count;
    const Allocator *allocator = stack->tensor.allocator;
    *result = tensor_view(stack->item.dtype, &shape, stack->tensor.data);
    result->allocator = allocator;
    stack->tensor = (Tensor){0};
    return STRIDER_OK;
}
