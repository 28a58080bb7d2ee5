/* SPDX-License-Identifier: Apache-2.0 */
/* What a model declares of its values. */
#include <inttypes.h>

#include "loader/loading.h"
#include "ops/onnx_type.h"

/* The value whose type is being read. */
typedef struct Declaration {
    const char *name;
    bool crosses_border;
    SymbolTable *symbols;
    Error *err;
} Declaration;

static Status load_dim(const Declaration *of, const Onnx__TensorShapeProto__Dimension *dim, int64_t *result) {
    if (dim->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE) {
        if (dim->dim_value < DIM_UNKNOWN)
            return fail(of->err, STRIDER_BAD_MODEL,
                        "value \"%.120s\" is declared with a dimension of %" PRId64, of->name,
                        dim->dim_value);
        /* -1 is how some exporters (Paddle's) write a dimension that is not known. */
        *result = dim->dim_value;
    } else if (dim->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM) {
        *result = symbol_dim(of->symbols, dim->dim_param);
    } else {
        *result = DIM_UNKNOWN;
    }
    return STRIDER_OK;
}

static Status load_tensor_type(const Declaration *of, const Onnx__TypeProto__Tensor *tensor, Type *type) {
    type->dtype = dtype_from_onnx(tensor->elem_type);
    if (!type->dtype && tensor->elem_type && of->crosses_border)
        return fail(of->err, STRIDER_UNSUPPORTED,
                    "value \"%.120s\" has data type %d (%s), which is not supported", of->name,
                    tensor->elem_type, dtype_onnx_name(tensor->elem_type));
    if (!tensor->shape)
        return STRIDER_OK;
    if (tensor->shape->n_dim > MAX_RANK)
        return fail(of->err, STRIDER_UNSUPPORTED,
                    "value \"%.120s\" has %zu dimensions, at most %d are supported", of->name,
                    tensor->shape->n_dim, MAX_RANK);
    type->shape.rank = (int)tensor->shape->n_dim;
    for (size_t i = 0; i < tensor->shape->n_dim; i++)
        TRY(load_dim(of, tensor->shape->dim[i], &type->shape.dims[i]));
    return STRIDER_OK;
}

/* The type of a sequence's elements, or of what an optional holds; false where it is not stated. */
static bool is_stated(const Onnx__TypeProto *type) {
    return type && type->value_case;
}

static Status load_sequence_type(const Declaration *of, const Onnx__TypeProto__Sequence *sequence,
                                 ValueType *type) {
    const Onnx__TypeProto *element = sequence->elem_type;
    if (!is_stated(element))
        return STRIDER_OK;
    if (element->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE)
        return fail(
            of->err, STRIDER_UNSUPPORTED,
            "value \"%.120s\" is a sequence of %s, which is not supported: its elements must be tensors",
            of->name,
            element->value_case == ONNX__TYPE_PROTO__VALUE_SEQUENCE_TYPE ? "sequences" : "optionals");
    return load_tensor_type(of, element->tensor_type, &type->tensor);
}

static Status load_optional_type(const Declaration *of, const Onnx__TypeProto__Optional *optional,
                                 ValueType *type) {
    const Onnx__TypeProto *held = optional->elem_type;
    if (!is_stated(held))
        return STRIDER_OK;
    switch (held->value_case) {
    case ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE:
        return load_tensor_type(of, held->tensor_type, &type->tensor);
    case ONNX__TYPE_PROTO__VALUE_SEQUENCE_TYPE:
        type->held = VALUE_SEQUENCE;
        return load_sequence_type(of, held->sequence_type, type);
    default:
        return fail(of->err, STRIDER_UNSUPPORTED,
                    "value \"%.120s\" is an optional that holds an optional, which is not supported",
                    of->name);
    }
}

static Status load_type(const Declaration *of, const Onnx__TypeProto *proto, ValueType *type) {
    *type = value_type_unknown();
    if (!is_stated(proto))
        return STRIDER_OK;
    switch (proto->value_case) {
    case ONNX__TYPE_PROTO__VALUE_SEQUENCE_TYPE:
        type->kind = VALUE_SEQUENCE;
        return load_sequence_type(of, proto->sequence_type, type);
    case ONNX__TYPE_PROTO__VALUE_OPTIONAL_TYPE:
        type->kind = VALUE_OPTIONAL;
        return load_optional_type(of, proto->optional_type, type);
    default:
        return load_tensor_type(of, proto->tensor_type, &type->tensor);
    }
}

Status load_value_type(Loading *loading, const Onnx__ValueInfoProto *info, bool crosses_border,
                       ValueType *type) {
    const Declaration of = {text_or_empty(info->name), crosses_border, loading->graph->symbols, loading->err};
    return load_type(&of, info->type, type);
}

Status load_type_attribute(Loading *loading, const Onnx__AttributeProto *proto, ValueType *type) {
    const Declaration of = {proto->name, false, loading->graph->symbols, loading->err};
    return load_type(&of, proto->tp, type);
}
