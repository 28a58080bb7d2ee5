/* SPDX-License-Identifier: Apache-2.0 */
/* Values while a model runs: tensors, sequences and optionals with counted references.  A value that more
 * than one holds is never changed.  Counting is not atomic: a value belongs to one session. */
#ifndef GRAPH_RUN_VALUE_H
#define GRAPH_RUN_VALUE_H

#include "graph/value_type.h"

typedef struct RunValue {
    int references;
    ValueKind kind;
    Tensor tensor;           /* of a tensor: its allocator is NULL where the memory is someone else's */
    DType dtype;             /* of a sequence's elements, which may be none */
    struct RunValue **items; /* of a sequence; the value that an optional holds (none or one) */
    size_t n_items, capacity;
    const Allocator *allocator; /* of all this */
} RunValue;

/* New values with one reference, which is the caller's.  On failure *value is NULL. */
Status run_value_new_tensor(const Allocator *allocator, DType dtype, const Shape *shape, RunValue **value,
                            Error *err) MUST_CHECK;
/* Takes over the tensor, also when it fails. */
Status run_value_wrap(const Allocator *allocator, Tensor tensor, RunValue **value, Error *err) MUST_CHECK;
Status run_value_new_sequence(const Allocator *allocator, DType dtype, RunValue **value,
                              Error *err) MUST_CHECK;
/* `held` may be NULL: an optional that holds nothing. */
Status run_value_new_optional(const Allocator *allocator, RunValue *held, RunValue **value,
                              Error *err) MUST_CHECK;

/* One reference more; returns `value`. */
RunValue *run_value_hold(RunValue *value);
/* One reference less, and the value's end when it was the last; NULL is allowed. */
void run_value_release(RunValue *value);

/* Puts `item`, of which it holds a reference then, before position `at` of a sequence that only the caller
 * holds. */
Status run_value_insert(RunValue *sequence, size_t at, RunValue *item, Error *err) MUST_CHECK;
/* Takes an item out of it. */
void run_value_erase(RunValue *sequence, size_t at);
/* A sequence of the same items for the caller to change: `sequence` itself, with one more reference, where
 * nobody else holds one; else a copy.  What the caller holds of `sequence` goes right after. */
Status run_value_own_sequence(RunValue *sequence, RunValue **own, Error *err) MUST_CHECK;

#endif
