/* SPDX-License-Identifier: Apache-2.0 */
#include "graph/run_value.h"

#include <string.h>

#include "base/size.h"

static Status new_value(const Allocator *allocator, ValueKind kind, RunValue **value, Error *err) {
    *value = memory_alloc_zeroed(allocator, 1, sizeof **value);
    if (!*value)
        return fail_memory(err, sizeof **value, "a value");
    **value = (RunValue){.references = 1, .kind = kind, .allocator = allocator};
    return STRIDER_OK;
}

Status run_value_wrap(const Allocator *allocator, Tensor tensor, RunValue **value, Error *err) {
    const Status status = new_value(allocator, VALUE_TENSOR, value, err);
    if (status)
        tensor_free(&tensor);
    else
        (*value)->tensor = tensor;
    return status;
}

Status run_value_new_tensor(const Allocator *allocator, DType dtype, const Shape *shape, RunValue **value,
                            Error *err) {
    Tensor tensor;
    *value = NULL;
    TRY(tensor_alloc(&tensor, allocator, dtype, shape, err));
    return run_value_wrap(allocator, tensor, value, err);
}

Status run_value_new_sequence(const Allocator *allocator, DType dtype, RunValue **value, Error *err) {
    TRY(new_value(allocator, VALUE_SEQUENCE, value, err));
    (*value)->dtype = dtype;
    return STRIDER_OK;
}

Status run_value_new_optional(const Allocator *allocator, RunValue *held, RunValue **value, Error *err) {
    TRY(new_value(allocator, VALUE_OPTIONAL, value, err));
    const Status status = held ? run_value_insert(*value, 0, held, err) : STRIDER_OK;
    if (status) {
        run_value_release(*value);
        *value = NULL;
    }
    return status;
}

RunValue *run_value_hold(RunValue *value) {
    value->references++;
    return value;
}

void run_value_release(RunValue *value) {
    if (!value || --value->references)
        return;
    /* Sequences hold tensors, optionals one of both: this ends after two levels. */
    for (size_t i = 0; i < value->n_items; i++)
        run_value_release(value->items[i]);
    memory_free(value->allocator, value->items);
    tensor_free(&value->tensor);
    memory_free(value->allocator, value);
}

static Status make_room(RunValue *sequence, Error *err) {
    if (sequence->n_items < sequence->capacity)
        return STRIDER_OK;
    const size_t capacity = sequence->capacity ? 2 * sequence->capacity : 4;
    RunValue **items = memory_alloc_zeroed(sequence->allocator, capacity, sizeof *items);
    if (!items)
        return fail_memory(err, bytes_of(sizeof *items, (int64_t)capacity).n, "a sequence");
    if (sequence->n_items)
        memcpy(items, sequence->items, sequence->n_items * sizeof *items);
    memory_free(sequence->allocator, sequence->items);
    sequence->items = items;
    sequence->capacity = capacity;
    return STRIDER_OK;
}

Status run_value_insert(RunValue *sequence, size_t at, RunValue *item, Error *err) {
    TRY(make_room(sequence, err));
    memmove(sequence->items + at + 1, sequence->items + at,
            (sequence->n_items - at) * sizeof *sequence->items);
    sequence->items[at] = run_value_hold(item);
    sequence->n_items++;
    return STRIDER_OK;
}

void run_value_erase(RunValue *sequence, size_t at) {
    run_value_release(sequence->items[at]);
    sequence->n_items--;
    memmove(sequence->items + at, sequence->items + at + 1,
            (sequence->n_items - at) * sizeof *sequence->items);
}

Status run_value_own_sequence(RunValue *sequence, RunValue **own, Error *err) {
    if (sequence->references == 1) {
        *own = run_value_hold(sequence);
        return STRIDER_OK;
    }
    TRY(run_value_new_sequence(sequence->allocator, sequence->dtype, own, err));
    Status status = STRIDER_OK;
    for (size_t i = 0; i < sequence->n_items && !status; i++)
        status = run_value_insert(*own, i, sequence->items[i], err);
    if (status) {
        run_value_release(*own);
        *own = NULL;
    }
    return status;
}
