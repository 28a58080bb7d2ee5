/* SPDX-License-Identifier: Apache-2.0 */
/* Floats by way of their bits: sign, exponent, mantissa, and a few patterns that mean something else.  The
 * value is (-1)^sign 2^(exponent - bias) (1 + mantissa / 2^mantissa_bits), without the 1 and with the
 * exponent 1 - bias where the exponent's bits are zero.  Formats: OCP OFP8 and MX 1.0; those without a -0
 * ("fnuz"): arXiv 2206.02915. */
#include "tensor/narrow.h"

#include <math.h>

typedef enum Specials {
    SPECIALS_NONE,    /* all patterns are finite */
    SPECIALS_IEEE,    /* the largest exponent: infinity where the mantissa is zero, else NaN */
    SPECIALS_NAN,     /* all ones but the sign: NaN */
    SPECIALS_NEGATIVE /* what would be -0: NaN */
} Specials;

typedef struct Format {
    int exponent_bits, mantissa_bits, bias;
    Specials specials;
} Format;

static const Format formats[STRIDER_DTYPE_COUNT] = {
    [STRIDER_F16] = {5, 10, 15, SPECIALS_IEEE},           [STRIDER_F8E4M3FN] = {4, 3, 7, SPECIALS_NAN},
    [STRIDER_F8E4M3FNUZ] = {4, 3, 8, SPECIALS_NEGATIVE},  [STRIDER_F8E5M2] = {5, 2, 15, SPECIALS_IEEE},
    [STRIDER_F8E5M2FNUZ] = {5, 2, 16, SPECIALS_NEGATIVE}, [STRIDER_F6E2M3] = {2, 3, 1, SPECIALS_NONE},
    [STRIDER_F6E3M2] = {3, 2, 3, SPECIALS_NONE},          [STRIDER_F4E2M1] = {2, 1, 1, SPECIALS_NONE},
};

enum { E8M0_BIAS = 127, E8M0_NAN = 0xff };

double round_to_format(double value, int fraction_bits, int min_exponent) {
    if (value == 0 || !isfinite(value))
        return value;
    int exponent;
    frexp(value, &exponent); /* value = m * 2^exponent with m in [0.5, 1) */
    int unit = (exponent - 1 < min_exponent ? min_exponent : exponent - 1) - fraction_bits;
    return ldexp(nearbyint(ldexp(value, -unit)), unit);
}

static unsigned sign_bit(const Format *format) {
    return 1u << (format->exponent_bits + format->mantissa_bits);
}

/* The pattern of the largest finite number. */
static unsigned largest(const Format *format) {
    const unsigned all_ones = sign_bit(format) - 1;
    switch (format->specials) {
    case SPECIALS_IEEE:
        return all_ones - (1u << format->mantissa_bits);
    case SPECIALS_NAN:
        return all_ones - 1;
    default:
        return all_ones;
    }
}

/* The number that a pattern without its sign stands for, were all of them finite. */
static double magnitude_of(const Format *format, unsigned pattern) {
    const int exponent = (int)(pattern >> format->mantissa_bits);
    const unsigned hidden = 1u << format->mantissa_bits, mantissa = pattern & (hidden - 1);
    return ldexp(exponent ? hidden + mantissa : mantissa,
                 (exponent ? exponent : 1) - format->bias - format->mantissa_bits);
}

static double decode(const Format *format, unsigned pattern) {
    const unsigned sign = pattern & sign_bit(format), rest = pattern & (sign_bit(format) - 1);
    double value = magnitude_of(format, rest);
    if (format->specials == SPECIALS_NEGATIVE && sign && !rest)
        value = (double)NAN;
    else if (rest > largest(format))
        value =
            format->specials == SPECIALS_IEEE && rest == largest(format) + 1 ? (double)INFINITY : (double)NAN;
    return sign ? -value : value;
}

static unsigned nan_pattern(const Format *format, unsigned sign) {
    switch (format->specials) {
    case SPECIALS_NONE:
        return 0;
    case SPECIALS_NEGATIVE:
        return sign_bit(format);
    case SPECIALS_IEEE: /* a quiet one */
        return sign | (largest(format) + 1) | 1u << (format->mantissa_bits - 1);
    default:
        return sign | (sign_bit(format) - 1);
    }
}

static unsigned too_large(const Format *format, unsigned sign, bool saturate) {
    if (saturate || format->specials == SPECIALS_NONE)
        return sign | largest(format);
    return format->specials == SPECIALS_IEEE ? sign | (largest(format) + 1) : nan_pattern(format, sign);
}

static unsigned encode(const Format *format, double value, bool saturate) {
    const unsigned sign = signbit(value) ? sign_bit(format) : 0;
    if (isnan(value))
        return nan_pattern(format, sign);
    const double rounded = fabs(round_to_format(value, format->mantissa_bits, 1 - format->bias));
    if (rounded > magnitude_of(format, largest(format)))
        return too_large(format, sign, saturate);
    if (rounded == 0)
        return format->specials == SPECIALS_NEGATIVE ? 0 : sign;
    int exponent;
    const double fraction = frexp(rounded, &exponent); /* in [0.5, 1) */
    const int biased = exponent - 1 + format->bias;
    if (biased < 1)
        return sign | (unsigned)ldexp(rounded, format->mantissa_bits + format->bias - 1);
    return sign | (unsigned)biased << format->mantissa_bits |
           (unsigned)ldexp(2 * fraction - 1, format->mantissa_bits);
}

uint16_t f64_to_f16(double value) {
    return (uint16_t)encode(&formats[STRIDER_F16], value, false);
}

double narrow_to_f64(DType dtype, uint8_t element) {
    if (dtype == STRIDER_F8E8M0)
        return element == E8M0_NAN ? (double)NAN : ldexp(1, element - E8M0_BIAS);
    return decode(&formats[dtype], narrow_element(dtype, element));
}

uint8_t narrow_from_f64(DType dtype, double value, bool saturate) {
    if (dtype == STRIDER_F8E8M0)
        return e8m0_from_f64(value, POWER_UP, saturate);
    return (uint8_t)encode(&formats[dtype], value, saturate);
}

/* The exponent of the power of two that a positive finite number is rounded to. */
static int power_of(double value, PowerRounding rounding) {
    int exponent;
    const double fraction = 2 * frexp(value, &exponent); /* value = fraction * 2^(exponent - 1), in [1, 2) */
    const bool up = rounding == POWER_UP ? fraction > 1 : rounding == POWER_NEAREST && fraction >= 1.5;
    return exponent - 1 + up;
}

uint8_t e8m0_from_f64(double value, PowerRounding rounding, bool saturate) {
    if (isnan(value))
        return E8M0_NAN;
    const double magnitude = fabs(value);
    const int power = magnitude == 0     ? -E8M0_BIAS - 1
                      : isinf(magnitude) ? E8M0_BIAS + 1
                                         : power_of(magnitude, rounding);
    if (power < -E8M0_BIAS)
        return saturate ? 0 : E8M0_NAN;
    if (power > E8M0_BIAS)
        return saturate ? E8M0_NAN - 1 : E8M0_NAN;
    return (uint8_t)(power + E8M0_BIAS);
}

/* --- less than a byte --- */

uint8_t narrow_element(DType dtype, uint8_t bits) {
    const unsigned sign = 1u << (dtype_bits(dtype) - 1), low = bits & (2 * sign - 1);
    const bool is_negative = dtype_is_small_integer(dtype) && dtype_is_signed(dtype) && low & sign;
    return (uint8_t)(is_negative ? low | ~(2 * sign - 1) : low);
}

Bytes packed_bytes(DType dtype, int64_t count) {
    const size_t bits = dtype_bits(dtype), rest = bits * (size_t)(count % 8);
    return bytes_sum(bytes_of(bits, count / 8), bytes_of((rest + 7) / 8, 1));
}

void unpack_elements(DType dtype, const uint8_t *from, size_t stride, int64_t count, uint8_t *to) {
    const size_t bits = dtype_bits(dtype);
    size_t shift = 0;
    for (int64_t i = 0; i < count; i++) {
        unsigned element = (unsigned)*from >> shift;
        shift += bits;
        if (shift >= 8) {
            from += stride;
            shift -= 8;
            if (shift) /* the rest of this element */
                element |= (unsigned)*from << (bits - shift);
        }
        to[i] = narrow_element(dtype, (uint8_t)element);
    }
}
