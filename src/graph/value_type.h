/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of a value before its contents are. */
#ifndef GRAPH_VALUE_TYPE_H
#define GRAPH_VALUE_TYPE_H

#include "tensor/tensor.h"

typedef enum ValueKind {
    VALUE_TENSOR,
    VALUE_SEQUENCE, /* tensors of one data type, in an order */
    VALUE_OPTIONAL  /* a tensor or a sequence, or nothing */
} ValueKind;

/* How integers stand for real numbers: (q - zero_point) * scale. */
typedef struct Quantization {
    const Tensor *scale;      /* one element, or one for each index along `axis` */
    const Tensor *zero_point; /* of the same shape; NULL: 0 */
    int axis;
} Quantization;

typedef struct ValueType {
    ValueKind kind;
    ValueKind held; /* of an optional: what it holds where it holds something */
    /* Of a tensor; of a sequence, what all its elements have in common. */
    union {
        Type tensor;
        struct {
            DType dtype; /* STRIDER_DTYPE_NONE where it is not known, or where an optional input is absent */
            Shape shape;
        };
    };
    const Quantization *quantization; /* NULL: the elements stand for themselves */
} ValueType;

static inline ValueType value_type_unknown(void) {
    return (ValueType){.tensor = {STRIDER_DTYPE_NONE, {.rank = RANK_UNKNOWN}}};
}
static inline ValueType value_type_tensor(Type tensor) {
    return (ValueType){.tensor = tensor};
}
/* Whether it is a tensor of which the data type and all dimensions are known. */
static inline bool value_type_is_known(const ValueType *type) {
    return type->kind == VALUE_TENSOR && type->dtype && shape_is_known(&type->shape);
}
/* What holds for values of both types: dimensions that differ become unknown, and the rank where it differs.
 * False where kinds or data types differ. */
bool value_type_merge(const ValueType *a, const ValueType *b, ValueType *merged) MUST_CHECK;
/* "f32 [1, 3, ?]", "sequence of f32 [?]", "optional sequence of i64" into `text`; returns `text`. */
enum { VALUE_TYPE_TEXT = SHAPE_TEXT + 64 };
const char *value_type_text(const ValueType *type, char text[VALUE_TYPE_TEXT]);

#endif
