/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/tensor/order.h"

#include <math.h>
#include <string.h>

uint64_t tensor_order_key(const Tensor *x, int64_t index) {
    const uint64_t top = (uint64_t)1 << 63;
    if (!dtype_is_float(x->type.dtype)) {
        uint64_t bits = tensor_get_bits(x, index);
        return dtype_is_signed(x->type.dtype) ? bits ^ top : bits;
    }
    double value = tensor_get_f64(x, index);
    if (isnan(value))
        return UINT64_MAX;
    value += 0.0; /* -0 becomes 0, which it equals */
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits & top ? ~bits : bits | top;
}
