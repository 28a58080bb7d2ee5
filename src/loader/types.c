/* SPDX-License-Identifier: Apache-2.0 */
/* What a model declares of its values. */
#include <inttypes.h>

#include "loader/loading.h"

static Status load_dim(Loading *loading, const char *name, const Onnx__TensorShapeProto__Dimension *dim,
                       int64_t *result) {
    if (dim->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE) {
        if (dim->dim_value < DIM_UNKNOWN)
            return fail(loading->err, STRIDER_BAD_MODEL,
                        "value \"%.120s\" is declared with a dimension of %" PRId64, name, dim->dim_value);
        /* -1 is how some exporters (Paddle's) write a dimension that is not known. */
        *result = dim->dim_value;
    } else if (dim->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM) {
        *result = symbol_dim(loading->graph->symbols, dim->dim_param);
    } else {
        *result = DIM_UNKNOWN;
    }
    return STRIDER_OK;
}

/* `must_be_tensor` for what crosses the model's border. */
Status load_value_type(Loading *loading, const Onnx__ValueInfoProto *info, bool must_be_tensor,
                       ValueType *type) {
    *type = value_type_unknown();
    if (!info->type || info->type->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE)
        return must_be_tensor && info->type && info->type->value_case
                   ? fail(loading->err, STRIDER_UNSUPPORTED, "value \"%.120s\" is no tensor", info->name)
                   : STRIDER_OK;
    const Onnx__TypeProto__Tensor *tensor = info->type->tensor_type;
    type->dtype = dtype_from_onnx(tensor->elem_type);
    if (!type->dtype && tensor->elem_type && must_be_tensor)
        return fail(loading->err, STRIDER_UNSUPPORTED,
                    "value \"%.120s\" has data type %d (%s), which is not supported", info->name,
                    tensor->elem_type, dtype_onnx_name(tensor->elem_type));
    if (!tensor->shape)
        return STRIDER_OK;
    if (tensor->shape->n_dim > MAX_RANK)
        return fail(loading->err, STRIDER_UNSUPPORTED,
                    "value \"%.120s\" has %zu dimensions, at most %d are supported", info->name,
                    tensor->shape->n_dim, MAX_RANK);
    type->shape.rank = (int)tensor->shape->n_dim;
    for (size_t i = 0; i < tensor->shape->n_dim; i++)
        TRY(load_dim(loading, info->name, tensor->shape->dim[i], &type->shape.dims[i]));
    return STRIDER_OK;
}
