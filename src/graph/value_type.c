/* SPDX-License-Identifier: Apache-2.0 */
#include "graph/value_type.h"

#include <stdio.h>

static Shape merge_shapes(const Shape *a, const Shape *b) {
    Shape merged = *a;
    if (a->rank != b->rank)
        return shape_unknown();
    for (int d = 0; d < a->rank; d++)
        if (a->dims[d] != b->dims[d])
            merged.dims[d] = DIM_UNKNOWN;
    return merged;
}

bool value_type_merge(const ValueType *a, const ValueType *b, ValueType *merged) {
    *merged = *a;
    if (a->kind != b->kind || (a->kind == VALUE_OPTIONAL && a->held != b->held))
        return false;
    if (a->dtype && b->dtype && a->dtype != b->dtype)
        return false;
    merged->dtype = a->dtype && b->dtype ? a->dtype : STRIDER_DTYPE_NONE;
    merged->shape = merge_shapes(&a->shape, &b->shape);
    if (a->quantization != b->quantization)
        merged->quantization = NULL;
    return true;
}

const char *value_type_text(const ValueType *type, char text[VALUE_TYPE_TEXT]) {
    char shape[SHAPE_TEXT];
    const ValueKind inner = type->kind == VALUE_OPTIONAL ? type->held : type->kind;
    snprintf(text, VALUE_TYPE_TEXT, "%s%s%s %s", type->kind == VALUE_OPTIONAL ? "optional " : "",
             inner == VALUE_SEQUENCE ? "sequence of " : "", type->dtype ? dtype_name(type->dtype) : "unknown",
             shape_text(&type->shape, shape));
    return text;
}
