/* SPDX-License-Identifier: Apache-2.0 */
/* 16-bit floats by way of their bits: IEEE 754 binary16 (1 sign, 5 exponent, 10 fraction bits) and bfloat16
 * (1, 8, 7). */
#include <math.h>
#include <string.h>

#include "tensor/narrow.h"

static float f32_from_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

float f16_to_f32(uint16_t bits) {
    uint32_t sign = (uint32_t)(bits & 0x8000) << 16, exponent = (bits >> 10) & 0x1f, fraction = bits & 0x3ff;
    if (exponent == 0x1f)
        return f32_from_bits(sign | 0x7f800000 | fraction << 13);
    if (exponent == 0) {
        float magnitude = (float)fraction * 0x1p-24f;
        return sign ? -magnitude : magnitude;
    }
    return f32_from_bits(sign | (exponent + 112) << 23 | fraction << 13);
}

float bf16_to_f32(uint16_t bits) {
    return f32_from_bits((uint32_t)bits << 16);
}

uint16_t f32_to_f16(float value) {
    return f64_to_f16((double)value);
}

uint16_t f32_to_bf16(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    if (isnan(value))
        return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

uint16_t f64_to_bf16(double value) {
    if (isnan(value) || isinf(value) || value == 0)
        return f32_to_bf16((float)value);
    /* Exact in f32 once it is rounded to eight bits, so that nothing is rounded twice. */
    return f32_to_bf16((float)round_to_format(value, 7, -126));
}
