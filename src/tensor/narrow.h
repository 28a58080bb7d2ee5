/* SPDX-License-Identifier: Apache-2.0 */
/* Elements of 8 bits and fewer: floats by way of their bits, and how files pack what is less than a byte. */
#ifndef TENSOR_NARROW_H
#define TENSOR_NARROW_H

#include "base/size.h"
#include "tensor/tensor.h"

/* The value of a narrow float, exact; bits of `element` beyond the type's do not count. */
double narrow_to_f64(DType dtype, uint8_t element);
/* Rounded once, to nearest even.  What is too large becomes the largest finite number; without `saturate`,
 * and where the type has one, an infinity, or else NaN.  NaN is 0 where the type has none.  Of f8e8m0 as
 * e8m0_from_f64() rounding up. */
uint8_t narrow_from_f64(DType dtype, double value, bool saturate);

/* To a power of two; the sign does not count.  What is too small or too large becomes the least or largest;
 * NaN without `saturate`. */
typedef enum PowerRounding { POWER_UP, POWER_DOWN, POWER_NEAREST } PowerRounding;
uint8_t e8m0_from_f64(double value, PowerRounding rounding, bool saturate);

/* An element as it lies in memory, from a byte of which only the type's bits count: extended with its sign
 * where it is a signed integer, else with zeros. */
uint8_t narrow_element(DType dtype, uint8_t bits);

/* Bytes of `count` elements of any type in a file: rounded up to whole bytes. */
Bytes packed_bytes(DType dtype, int64_t count);
/* Takes elements of less than a byte apart, the first in the lowest bits.  Byte i of what is packed lies at
 * from[i * stride]. */
void unpack_elements(DType dtype, const uint8_t *from, size_t stride, int64_t count, uint8_t *to);

/* Rounds to a float with `fraction_bits` and the least exponent of normal numbers `min_exponent`, to nearest
 * even, without regard to how large it may be. */
double round_to_format(double value, int fraction_bits, int min_exponent);

#endif
