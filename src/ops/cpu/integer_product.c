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
    return is_of(query, ports->a, DTYPES_8) && is_of(query, ports->b, DTYPES_8) &&
           is_of(query, ports->a_scale, DTYPE_BIT(STRIDER_F32)) &&
           is_of(query, ports->b_scale, DTYPE_BIT(STRIDER_F32)) &&
           is_of(query, ports->y_scale, DTYPE_BIT(STRIDER_F32));
}
