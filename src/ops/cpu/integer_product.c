/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/cpu/integer_product.h"

ByteForm byte_form(DType dtype, int32_t zero) {
    return dtype == STRIDER_I8 ? (ByteForm){0x80, zero + 128} : (ByteForm){0, zero};
}

float integer_scale(const KernelCall *call, int port, int64_t index) {
    return port >= 0 ? ((const float *)call->inputs[port])[index] : 1;
}

int32_t integer_zero(const KernelCall *call, int port, DType dtype, int64_t index) {
    if (port < 0)
        return 0;
    const uint8_t byte = ((const uint8_t *)call->inputs[port])[index];
    return dtype == STRIDER_I8 ? (int8_t)byte : byte;
}

SumForm integer_sum_form(const KernelCall *call, const ProductPorts *ports, DType y) {
    SumForm form = {.dtype = y, .divisor = integer_scale(call, ports->y_scale, 0)};
    if (y == STRIDER_I8 || y == STRIDER_U8) {
        const IntegerRange range = integer_range(y);
        form.zero = integer_zero(call, ports->y_zero, y, 0);
        form.low = (float)(range.low - form.zero);
        form.high = (float)(range.high - form.zero);
    }
    return form;
}

static bool is_of(const KernelQuery *query, int port, unsigned dtypes) {
    return port < 0 || port >= query->n_inputs || !query->inputs[port].type.dtype ||
           DTYPE_BIT(query->inputs[port].type.dtype) & dtypes;
}

bool integer_product_accepts(const KernelQuery *query, const ProductPorts *ports) {
    const unsigned results = DTYPES_8 | DTYPE_BIT(STRIDER_I32) | DTYPE_BIT(STRIDER_F32);
    return (DTYPE_BIT(query->outputs[0].type.dtype) & results) && is_of(query, ports->a, DTYPES_8) &&
           is_of(query, ports->b, DTYPES_8) && is_of(query, ports->a_scale, DTYPE_BIT(STRIDER_F32)) &&
           is_of(query, ports->b_scale, DTYPE_BIT(STRIDER_F32)) &&
           is_of(query, ports->y_scale, DTYPE_BIT(STRIDER_F32));
}

static bool is_there(const KernelQuery *query, int port) {
    return port >= 0 && port < query->n_inputs && query->inputs[port].type.dtype;
}

ProductPorts integer_ports(const KernelQuery *query) {
    ProductPorts ports = *product_ports(query->node->op->kind);
    int *const all[] = {&ports.a_scale, &ports.a_zero,  &ports.b_scale, &ports.b_zero,
                        &ports.bias,    &ports.y_scale, &ports.y_zero};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (!is_there(query, *all[i]))
            *all[i] = -1;
    return ports;
}

void integer_plain_layouts(KernelQuery *query) {
    for (int i = 0; i < query->n_inputs; i++)
        query->inputs[i].layout = layout_plain();
    query->outputs[0].layout = layout_plain();
}

Parameter integer_parameter(const KernelQuery *query, int port) {
    if (!is_there(query, port))
        return (Parameter){0};
    const Shape *shape = &query->inputs[port].type.shape;
    const int rank = shape->rank;
    return (Parameter){shape_elements(shape),
                       rank > 1 ? i64_max(shape->dims[rank - 1], shape->dims[rank - 2]) : 0};
}

bool integer_constant_zero(const KernelQuery *query, int port, int32_t *zero) {
    const Tensor *zeros = cpu_input_constant(query, port);
    *zero = 0;
    if (!is_there(query, port))
        return true;
    for (int64_t i = 0; zeros && i < tensor_elements(zeros); i++) {
        if (i && tensor_get_i64(zeros, i) != *zero)
            return false;
        *zero = (int32_t)tensor_get_i64(zeros, i);
    }
    return zeros != NULL;
}
