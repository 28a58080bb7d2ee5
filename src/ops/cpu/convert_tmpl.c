/* SPDX-License-Identifier: Apache-2.0 */
/* Rows from one data type to another: loops that compilers turn into vectors of each target.  Floats are cut
 * to integers and saturate, NaN is 0; integers keep their low bits; floats are rounded once; bool is 1 for
 * all but 0. */
#include <math.h>

#include "base/wrap.h"
#include "ops/cpu/convert.h"
#include "ops/cpu/half_simd.h"

#define LOOP(A, B, FROM, TO, VALUE)                                                                          \
    WRAPS_AROUND static void convert_##A##_##B(const void *from_, void *to_, int64_t count) {                \
        const FROM *from = from_;                                                                            \
        TO *to = to_;                                                                                        \
        INDEPENDENT                                                                                          \
        for (int64_t i = 0; i < count; i++) {                                                                \
            const FROM x = from[i];                                                                          \
            to[i] = (TO)(VALUE);                                                                             \
        }                                                                                                    \
    }

/* The largest float below 2^BITS saturates as 2^BITS does: what is compared is exact in either type. */
#define SATURATED(REAL, LOW, END, MIN, MAX, TO)                                                              \
    (x >= (REAL)(END)   ? (TO)(MAX)                                                                          \
     : x >= (REAL)(LOW) ? (TO)(x >= (REAL)(END) ? 0 : x)                                                     \
     : x < 0            ? (TO)(MIN)                                                                          \
                        : (TO)0)

#define FROM_FLOAT(A, FROM)                                                                                  \
    LOOP(A, I8, FROM, int8_t, SATURATED(FROM, -0x1p7, 0x1p7, INT8_MIN, INT8_MAX, int8_t))                    \
    LOOP(A, I16, FROM, int16_t, SATURATED(FROM, -0x1p15, 0x1p15, INT16_MIN, INT16_MAX, int16_t))             \
    LOOP(A, I32, FROM, int32_t, SATURATED(FROM, -0x1p31, 0x1p31, INT32_MIN, INT32_MAX, int32_t))             \
    LOOP(A, I64, FROM, int64_t, SATURATED(FROM, -0x1p63, 0x1p63, INT64_MIN, INT64_MAX, int64_t))             \
    LOOP(A, U8, FROM, uint8_t, SATURATED(FROM, 0, 0x1p8, 0, UINT8_MAX, uint8_t))                             \
    LOOP(A, U16, FROM, uint16_t, SATURATED(FROM, 0, 0x1p16, 0, UINT16_MAX, uint16_t))                        \
    LOOP(A, U32, FROM, uint32_t, SATURATED(FROM, 0, 0x1p32, 0, UINT32_MAX, uint32_t))                        \
    LOOP(A, U64, FROM, uint64_t, SATURATED(FROM, 0, 0x1p64, 0, UINT64_MAX, uint64_t))                        \
    LOOP(A, BOOL, FROM, uint8_t, x != 0)

FROM_FLOAT(F32, float)
FROM_FLOAT(F64, double)
LOOP(F32, F64, float, double, x)
LOOP(F64, F32, double, float, x)
LOOP(F32, BF16, float, uint16_t, bfloat_of_float(x))
LOOP(F64, F16, double, uint16_t, half_of_float(float_to_odd(x)))
LOOP(F64, BF16, double, uint16_t, bfloat_of_float(float_to_odd(x)))
LOOP(BF16, F32, uint16_t, float, float_of_bfloat(x))

static void convert_F32_F16(const void *from, void *to, int64_t count) {
    halves_of_floats(from, to, count);
}
static void convert_F16_F32(const void *from, void *to, int64_t count) {
    floats_of_halves(from, to, count);
}

#define FROM_INTEGER(A, FROM)                                                                                \
    LOOP(A, F32, FROM, float, x)                                                                             \
    LOOP(A, F64, FROM, double, x)                                                                            \
    LOOP(A, BOOL, FROM, uint8_t, x != 0)

#define INTEGERS(DO)                                                                                         \
    DO(I8, int8_t)                                                                                           \
    DO(I16, int16_t)                                                                                         \
    DO(I32, int32_t)                                                                                         \
    DO(I64, int64_t)                                                                                         \
    DO(U8, uint8_t)                                                                                          \
    DO(U16, uint16_t)                                                                                        \
    DO(U32, uint32_t)                                                                                        \
    DO(U64, uint64_t)

#define INTEGER_LOOPS(A, FROM) FROM_INTEGER(A, FROM)
INTEGERS(INTEGER_LOOPS)

/* The numbers are kept, or their low bits: which type of the same width holds them does not matter. */
LOOP(I8, I16, int8_t, int16_t, x)
LOOP(I8, I32, int8_t, int32_t, x)
LOOP(I8, I64, int8_t, int64_t, x)
LOOP(U8, U16, uint8_t, uint16_t, x)
LOOP(U8, U32, uint8_t, uint32_t, x)
LOOP(U8, U64, uint8_t, uint64_t, x)
LOOP(I16, I32, int16_t, int32_t, x)
LOOP(I16, I64, int16_t, int64_t, x)
LOOP(U16, U32, uint16_t, uint32_t, x)
LOOP(U16, U64, uint16_t, uint64_t, x)
LOOP(I32, I64, int32_t, int64_t, x)
LOOP(U32, U64, uint32_t, uint64_t, x)
LOOP(U16, U8, uint16_t, uint8_t, x)
LOOP(U32, U8, uint32_t, uint8_t, x)
LOOP(U64, U8, uint64_t, uint8_t, x)
LOOP(U32, U16, uint32_t, uint16_t, x)
LOOP(U64, U16, uint64_t, uint16_t, x)
LOOP(U64, U32, uint64_t, uint32_t, x)
LOOP(U8, U8, uint8_t, uint8_t, x)
LOOP(U16, U16, uint16_t, uint16_t, x)
LOOP(U32, U32, uint32_t, uint32_t, x)
LOOP(U64, U64, uint64_t, uint64_t, x)

/* A bool's byte may hold any number. */
LOOP(BOOL, I8, uint8_t, uint8_t, x != 0)
LOOP(BOOL, I16, uint8_t, uint16_t, x != 0)
LOOP(BOOL, I32, uint8_t, uint32_t, x != 0)
LOOP(BOOL, I64, uint8_t, uint64_t, x != 0)
LOOP(BOOL, F32, uint8_t, float, x != 0)
LOOP(BOOL, F64, uint8_t, double, x != 0)
LOOP(BOOL, F16, uint8_t, uint16_t, x != 0 ? 0x3c00 : 0)
LOOP(BOOL, BF16, uint8_t, uint16_t, x != 0 ? 0x3f80 : 0)

/* By way of floats, which hold what the halves do, a chunk at a time. */
enum { CHUNK = 256 };

#define THROUGH(A, B, MIDDLE, MIDDLE_TYPE, FROM_SIZE, TO_SIZE)                                               \
    static void convert_##A##_##B(const void *from, void *to, int64_t count) {                               \
        MIDDLE_TYPE middle[CHUNK];                                                                           \
        for (int64_t i = 0; i < count; i += CHUNK) {                                                         \
            const int64_t n = count - i < CHUNK ? count - i : CHUNK;                                         \
            convert_##A##_##MIDDLE((const char *)from + i * (FROM_SIZE), middle, n);                         \
            convert_##MIDDLE##_##B(middle, (char *)to + i * (TO_SIZE), n);                                   \
        }                                                                                                    \
    }

#define HALVES_TO_INTEGER(B, TO)                                                                             \
    THROUGH(F16, B, F32, float, 2, sizeof(TO))                                                               \
    THROUGH(BF16, B, F32, float, 2, sizeof(TO))
INTEGERS(HALVES_TO_INTEGER)
HALVES_TO_INTEGER(BOOL, uint8_t)
HALVES_TO_INTEGER(F64, double)
THROUGH(F16, BF16, F32, float, 2, 2)
THROUGH(BF16, F16, F32, float, 2, 2)

/* An integer that a float cannot hold is beyond every half; of bfloats the rounding must be the only one. */
#define INTEGER_TO_HALVES(A, FROM) THROUGH(A, F16, F32, float, sizeof(FROM), 2)
INTEGERS(INTEGER_TO_HALVES)
THROUGH(I8, BF16, F32, float, 1, 2)
THROUGH(U8, BF16, F32, float, 1, 2)
THROUGH(I16, BF16, F32, float, 2, 2)
THROUGH(U16, BF16, F32, float, 2, 2)
THROUGH(I32, BF16, F64, double, 4, 2)
THROUGH(U32, BF16, F64, double, 4, 2)
LOOP(I64, BF16, int64_t, uint16_t, bfloat_of_float(float_to_odd(double_to_odd(wrap_magnitude(x), x < 0))))
LOOP(U64, BF16, uint64_t, uint16_t, bfloat_of_float(float_to_odd(double_to_odd(x, 0))))

#define TO(A, B) [STRIDER_##B] = convert_##A##_##B
#define FLOAT_ROW(A, OTHER)                                                                                  \
    [STRIDER_##A] = {TO(A, OTHER), TO(A, F16), TO(A, BF16), TO(A, I8),  TO(A, I16), TO(A, I32),              \
                     TO(A, I64),   TO(A, U8),  TO(A, U16),  TO(A, U32), TO(A, U64), TO(A, BOOL)}
#define HALF_ROW(A, OTHER)                                                                                   \
    [STRIDER_##A] = {TO(A, F32), TO(A, F64), TO(A, OTHER), TO(A, I8),  TO(A, I16), TO(A, I32),               \
                     TO(A, I64), TO(A, U8),  TO(A, U16),   TO(A, U32), TO(A, U64), TO(A, BOOL)}
/* To 8, 16, 32 and 64 bits. */
#define INTEGER_ROW(A, BY_8, BY_16, BY_32, BY_64)                                                            \
    [STRIDER_##A] = {TO(A, F32),                                                                             \
                     TO(A, F64),                                                                             \
                     TO(A, F16),                                                                             \
                     TO(A, BF16),                                                                            \
                     TO(A, BOOL),                                                                            \
                     [STRIDER_I8] = convert_##BY_8,                                                          \
                     [STRIDER_U8] = convert_##BY_8,                                                          \
                     [STRIDER_I16] = convert_##BY_16,                                                        \
                     [STRIDER_U16] = convert_##BY_16,                                                        \
                     [STRIDER_I32] = convert_##BY_32,                                                        \
                     [STRIDER_U32] = convert_##BY_32,                                                        \
                     [STRIDER_I64] = convert_##BY_64,                                                        \
                     [STRIDER_U64] = convert_##BY_64}

const ConvertTable TARGET(convert) = {
    {FLOAT_ROW(F32, F64), FLOAT_ROW(F64, F32), HALF_ROW(F16, BF16), HALF_ROW(BF16, F16),
     INTEGER_ROW(I8, U8_U8, I8_I16, I8_I32, I8_I64), INTEGER_ROW(U8, U8_U8, U8_U16, U8_U32, U8_U64),
     INTEGER_ROW(I16, U16_U8, U16_U16, I16_I32, I16_I64), INTEGER_ROW(U16, U16_U8, U16_U16, U16_U32, U16_U64),
     INTEGER_ROW(I32, U32_U8, U32_U16, U32_U32, I32_I64), INTEGER_ROW(U32, U32_U8, U32_U16, U32_U32, U32_U64),
     INTEGER_ROW(I64, U64_U8, U64_U16, U64_U32, U64_U64), INTEGER_ROW(U64, U64_U8, U64_U16, U64_U32, U64_U64),
     [STRIDER_BOOL] = {TO(BOOL, F32), TO(BOOL, F64), TO(BOOL, F16),
                       TO(BOOL, BF16), [STRIDER_I8] = convert_BOOL_I8, [STRIDER_U8] = convert_BOOL_I8,
                       [STRIDER_I16] = convert_BOOL_I16, [STRIDER_U16] = convert_BOOL_I16,
                       [STRIDER_I32] = convert_BOOL_I32, [STRIDER_U32] = convert_BOOL_I32,
                       [STRIDER_I64] = convert_BOOL_I64, [STRIDER_U64] = convert_BOOL_I64}}};
