/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of functions of elements, one for each kind and type that it is computed in: loops that compilers turn
 * into vectors of each target. */
#include <math.h>

#include "ops/cpu/binary_simd.h"
#include "ops/cpu/map.h"
#include "ops/cpu/unary_simd.h"

#include "base/wrap.h"

#define REAL double
#include "ops/math/binary_formula.h"
#include "ops/math/unary_formula.h"

/* --- two elements --- */

/* VALUE of `a` and `b`, each of which is one for the whole row or not: loops of their own, as a step that is
 * not known keeps compilers from making vectors. */
#define MAP_LOOP(T, OUT, A, B, VALUE)                                                                        \
    INDEPENDENT                                                                                              \
    for (int64_t i = 0; i < count; i++) {                                                                    \
        const T a = A, b = B;                                                                                \
        out[i] = (OUT)(VALUE);                                                                               \
    }

#define MAP_OF_TWO(NAME, T, OUT, VALUE)                                                                      \
    WRAPS_AROUND static void NAME(const MapRow *row) {                                                       \
        const T *x = row->a, *y = row->b, first = *x, second = *y;                                           \
        OUT *out = row->out;                                                                                 \
        const int64_t count = row->count;                                                                    \
        const bool flag = row->flag;                                                                         \
        (void)flag;                                                                                          \
        if (row->a_same && row->b_same) {                                                                    \
            MAP_LOOP(T, OUT, first, second, VALUE)                                                           \
        } else if (row->a_same) {                                                                            \
            MAP_LOOP(T, OUT, first, y[i], VALUE)                                                             \
        } else if (row->b_same) {                                                                            \
            MAP_LOOP(T, OUT, x[i], second, VALUE)                                                            \
        } else {                                                                                             \
            MAP_LOOP(T, OUT, x[i], y[i], VALUE)                                                              \
        }                                                                                                    \
    }

/* Integers of one type, and their wrapping arithmetic in the unsigned one of the same width. */
#define MAP_INTEGERS(S, T, U)                                                                                \
    static inline T divide_##S(T a, T b) {                                                                   \
        return b == 0 ? 0 : b == -1 ? (T)(0 - (U)a) : a / b;                                                 \
    }                                                                                                        \
    static inline T modulo_##S(T a, T b, bool fmod_sign) {                                                   \
        const T rest = b == 0 || b == -1 ? 0 : a % b;                                                        \
        return !fmod_sign && rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;                           \
    }                                                                                                        \
    WRAPS_AROUND static inline U power_##S(T a, T b) {                                                       \
        U result = 1, base = (U)a;                                                                           \
        if (b < 0)                                                                                           \
            return a == 1 ? 1 : a == -1 ? (b % 2 ? (U)-1 : 1) : 0;                                           \
        for (; b; b >>= 1, base *= base)                                                                     \
            result *= b & 1 ? base : 1;                                                                      \
        return result;                                                                                       \
    }                                                                                                        \
    MAP_OF_TWO(add_##S, U, U, a + b)                                                                         \
    MAP_OF_TWO(sub_##S, U, U, a - b)                                                                         \
    MAP_OF_TWO(mul_##S, U, U, a *b)                                                                          \
    MAP_OF_TWO(div_##S, T, T, divide_##S(a, b))                                                              \
    MAP_OF_TWO(mod_##S, T, T, modulo_##S(a, b, flag))                                                        \
    MAP_OF_TWO(pow_##S, T, U, power_##S(a, b))                                                               \
    MAP_OF_TWO(prelu_##S, T, U, a < 0 ? (U)a * (U)b : (U)a)                                                  \
    MAP_OF_TWO(and_##S, U, U, a &b)                                                                          \
    MAP_OF_TWO(or_##S, U, U, a | b)                                                                          \
    MAP_OF_TWO(xor_##S, U, U, a ^ b)                                                                         \
    MAP_OF_TWO(min_##S, T, T, a < b ? a : b)                                                                 \
    MAP_OF_TWO(max_##S, T, T, a < b ? b : a)                                                                 \
    MAP_OF_TWO(clip_low_##S, T, T, a < b ? b : a)                                                            \
    MAP_OF_TWO(clip_high_##S, T, T, a > b ? b : a)

#define MAP_COMPARISONS(S, T)                                                                                \
    MAP_OF_TWO(equal_##S, T, uint8_t, a == b)                                                                \
    MAP_OF_TWO(greater_##S, T, uint8_t, a > b)                                                               \
    MAP_OF_TWO(greater_or_equal_##S, T, uint8_t, a >= b)                                                     \
    MAP_OF_TWO(less_##S, T, uint8_t, a < b)                                                                  \
    MAP_OF_TWO(less_or_equal_##S, T, uint8_t, a <= b)

MAP_INTEGERS(i32, int32_t, uint32_t)
MAP_INTEGERS(i64, int64_t, uint64_t)
MAP_COMPARISONS(f32, float)
MAP_COMPARISONS(f64, double)
MAP_COMPARISONS(i32, int32_t)
MAP_COMPARISONS(i64, int64_t)

MAP_OF_TWO(add_f64, double, double, a + b)
MAP_OF_TWO(sub_f64, double, double, a - b)
MAP_OF_TWO(mul_f64, double, double, a *b)
MAP_OF_TWO(div_f64, double, double, a / b)
MAP_OF_TWO(pow_f64, double, double, pow(a, b))
MAP_OF_TWO(prelu_f64, double, double, a < 0 ? a * b : a)
MAP_OF_TWO(mod_f64, double, double, formula_mod(a, b, flag))
MAP_OF_TWO(min_f64, double, double, a != a || a < b ? a : b)
MAP_OF_TWO(max_f64, double, double, a != a || a > b ? a : b)
MAP_OF_TWO(clip_low_f64, double, double, a < b ? b : a)
MAP_OF_TWO(clip_high_f64, double, double, a > b ? b : a)
MAP_OF_TWO(clip_low_f32, float, float, a < b ? b : a)
MAP_OF_TWO(clip_high_f32, float, float, a > b ? b : a)

/* The bytes of bools may hold any number. */
MAP_OF_TWO(and_u8, uint8_t, uint8_t, (a != 0) & (b != 0))
MAP_OF_TWO(or_u8, uint8_t, uint8_t, (a | b) != 0)
MAP_OF_TWO(xor_u8, uint8_t, uint8_t, (a != 0) != (b != 0))
MAP_OF_TWO(equal_u8, uint8_t, uint8_t, (a != 0) == (b != 0))

/* By the type's width or more everything is shifted out: what is left is the sign of a signed number shifted
 * right, else 0. */
static void shift_i64(const MapRow *row) {
    const uint64_t *x = row->a, *y = row->b;
    uint64_t *out = row->out;
    for (int64_t i = 0; i < row->count; i++) {
        const uint64_t a = x[row->a_same ? 0 : i], b = y[row->b_same ? 0 : i];
        const bool all = b >= (uint64_t)row->bits;
        if (row->flag)
            out[i] = (uint64_t)((int64_t)a >> (all ? 63 : b));
        else
            out[i] = all ? 0 : a << b;
    }
}

/* What is not simple goes through the formula, a chunk at a time. */
enum { CAREFUL_CHUNK = 64 };

/* Remainders by a quotient in float64, whose whole part may be one too large; the product with it is exact.
 */
static void mod_f32(const MapRow *row) {
    const float *a = row->a, *b = row->b;
    float *out = row->out;
    for (int64_t begin = 0; begin < row->count; begin += CAREFUL_CHUNK) {
        const int64_t left = row->count - begin, n = left < CAREFUL_CHUNK ? left : CAREFUL_CHUNK;
        double x[CAREFUL_CHUNK], y[CAREFUL_CHUNK], rest[CAREFUL_CHUNK];
        int far = 0;
        for (int64_t i = 0; i < n; i++) {
            x[i] = (double)a[row->a_same ? 0 : begin + i];
            y[i] = (double)b[row->b_same ? 0 : begin + i];
        }
        for (int64_t i = 0; i < n; i++) {
            const double quotient = x[i] / y[i], size = fabs(y[i]);
            const int is_near = (quotient < 0x1p26) & (quotient > -0x1p26) & (size < 0x1p128);
            const double over = x[i] - (double)(int32_t)(is_near ? quotient : 0) * y[i];
            const double fixed = x[i] < 0 ? over + (over > 0 ? -size : 0) : over + (over < 0 ? size : 0);
            const int moves = !row->flag & (fixed != 0) & ((fixed < 0) != (y[i] < 0));
            far |= !is_near;
            rest[i] = moves ? fixed + y[i] : copysign(fixed, row->flag || fixed != 0 ? x[i] : y[i]);
        }
        for (int64_t i = 0; i < n; i++)
            out[begin + i] = (float)(far ? formula_mod(x[i], y[i], row->flag) : rest[i]);
    }
}

/* --- one element --- */

#define MAP_OF_ONE(NAME, T, OUT, VALUE)                                                                      \
    WRAPS_AROUND static void NAME(const MapRow *row) {                                                       \
        const T *from = row->a;                                                                              \
        OUT *out = row->out;                                                                                 \
        const int64_t count = row->count;                                                                    \
        const float alpha = row->alpha, beta = row->beta;                                                    \
        (void)alpha, (void)beta;                                                                             \
        INDEPENDENT                                                                                          \
        for (int64_t i = 0; i < count; i++) {                                                                \
            const T x = from[i];                                                                             \
            out[i] = (OUT)(VALUE);                                                                           \
        }                                                                                                    \
    }

#define FORMULA(KIND)                                                                                        \
    MAP_OF_ONE(formula_of_##KIND, double, double, unary_formula(((Unary){KIND, alpha, beta}), x))
#define UNARY(KIND, ...) FORMULA(UNARY_##KIND)
#include "ops/math/unary_list.inc"
FORMULA(UNARY_GELU_TANH)

/* Sine and cosine of what is left of x by multiples of pi/2, in float64: pi/2 is in two parts, the first with
 * few bits, so that the multiples are exact; by the Taylor series, whose first terms left out are below
 * 2e-10. */
typedef struct Angle {
    double sine, cosine;
    int64_t quarter;
} Angle;

INLINE Angle angle_of(double x) {
    const double magic = 0x1.8p52, shifted = x * 0.63661977236758134308 + magic, turns = shifted - magic;
    const double r = x - turns * 0x1.921fb544p0 - turns * 0x1.0b4611a626331p-34, s = r * r;
    const double sine =
        r + r * s * (-1.0 / 6 + s * (1.0 / 120 + s * (-1.0 / 5040 + s * (1.0 / 362880 - s / 39916800))));
    const double cosine =
        1 + s * (-0.5 + s * (1.0 / 24 + s * (-1.0 / 720 + s * (1.0 / 40320 - s / 3628800))));
    int64_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    return (Angle){sine, cosine, bits & 3};
}

INLINE double angle_sine(Angle angle) {
    const double value = angle.quarter & 1 ? angle.cosine : angle.sine;
    return angle.quarter & 2 ? -value : value;
}

INLINE double angle_cosine(Angle angle) {
    const double value = angle.quarter & 1 ? angle.sine : angle.cosine;
    return (angle.quarter + 1) & 2 ? -value : value;
}

#define MAP_ANGLES(NAME, KIND, VALUE)                                                                        \
    static void NAME(const MapRow *row) {                                                                    \
        const float *from = row->a;                                                                          \
        for (int64_t begin = 0; begin < row->count; begin += CAREFUL_CHUNK) {                                \
            const int64_t left = row->count - begin, n = left < CAREFUL_CHUNK ? left : CAREFUL_CHUNK;        \
            float x[CAREFUL_CHUNK], y[CAREFUL_CHUNK];                                                        \
            int far = 0;                                                                                     \
            memcpy(x, from + begin, (size_t)n * sizeof *x);                                                  \
            for (int64_t i = 0; i < n; i++) {                                                                \
                const int is_near = (x[i] < 1e5f) & (x[i] > -1e5f);                                          \
                const Angle angle = angle_of(is_near ? (double)x[i] : 0);                                    \
                far |= !is_near;                                                                             \
                y[i] = (float)(VALUE);                                                                       \
            }                                                                                                \
            for (int64_t i = 0; far && i < n; i++)                                                           \
                y[i] = (float)unary_formula(((Unary){KIND, 0, 0}), (double)x[i]);                            \
            memcpy((float *)row->out + begin, y, (size_t)n * sizeof *y);                                     \
        }                                                                                                    \
    }

MAP_ANGLES(sin_f32, UNARY_SIN, angle_sine(angle))
MAP_ANGLES(cos_f32, UNARY_COS, angle_cosine(angle))
MAP_ANGLES(tan_f32, UNARY_TAN, angle_sine(angle) / angle_cosine(angle))

#define MAP_ONE_INTEGERS(S, T, U)                                                                            \
    MAP_OF_ONE(relu_##S, T, T, x < 0 ? 0 : x)                                                                \
    MAP_OF_ONE(abs_##S, T, U, x < 0 ? 0 - (U)x : (U)x)                                                       \
    MAP_OF_ONE(neg_##S, U, U, 0 - x)                                                                         \
    MAP_OF_ONE(sign_##S, T, T, (x > 0) - (x < 0))                                                            \
    MAP_OF_ONE(bitwise_not_##S, U, U, ~x)

MAP_ONE_INTEGERS(i32, int32_t, uint32_t)
MAP_ONE_INTEGERS(i64, int64_t, uint64_t)
MAP_OF_ONE(not_u8, uint8_t, uint8_t, x == 0)
MAP_OF_ONE(is_nan_f32, float, uint8_t, x != x)
MAP_OF_ONE(is_nan_f64, double, uint8_t, x != x)
MAP_OF_ONE(is_inf_f32, float, uint8_t, ((x == INFINITY) & (alpha != 0)) | ((x == -INFINITY) & (beta != 0)))
MAP_OF_ONE(is_inf_f64, double, uint8_t,
           ((x == (double)INFINITY) & (alpha != 0)) | ((x == -(double)INFINITY) & (beta != 0)))

/* --- three --- */

#define MAP_CHOICE_LOOP(T, A, B)                                                                             \
    INDEPENDENT                                                                                              \
    for (int64_t i = 0; i < count; i++)                                                                      \
        out[i] = condition[i] ? A : B;

#define MAP_CHOICE(T)                                                                                        \
    static void where_##T(const MapRow *row) {                                                               \
        const T *a = row->a, *b = row->b, first = *a, second = *b;                                           \
        const unsigned char *condition = row->condition;                                                     \
        const int64_t count = row->count;                                                                    \
        T *out = row->out;                                                                                   \
        if (row->condition_same) {                                                                           \
            const T *from = *condition ? a : b, value = *from;                                               \
            if (!(*condition ? row->a_same : row->b_same))                                                   \
                memmove(out, from, (size_t)count * sizeof *out);                                             \
            else                                                                                             \
                for (int64_t i = 0; i < count; i++)                                                          \
                    out[i] = value;                                                                          \
        } else if (row->a_same && row->b_same) {                                                             \
            MAP_CHOICE_LOOP(T, first, second)                                                                \
        } else if (row->a_same) {                                                                            \
            MAP_CHOICE_LOOP(T, first, b[i])                                                                  \
        } else if (row->b_same) {                                                                            \
            MAP_CHOICE_LOOP(T, a[i], second)                                                                 \
        } else {                                                                                             \
            MAP_CHOICE_LOOP(T, a[i], b[i])                                                                   \
        }                                                                                                    \
    }

MAP_CHOICE(uint8_t)
MAP_CHOICE(uint16_t)
MAP_CHOICE(uint32_t)
MAP_CHOICE(uint64_t)

/* --- the table --- */

#define OF_INTEGERS(NAME) [MAP_I32] = NAME##_i32, [MAP_I64] = NAME##_i64
#define OF_NUMBERS(NAME) [MAP_F32] = NAME##_f32, [MAP_F64] = NAME##_f64, OF_INTEGERS(NAME)
#define OF_F64_AND_INTEGERS(NAME) [MAP_F64] = NAME##_f64, OF_INTEGERS(NAME)
/* Of kinds that are fast in float32 (elementwise_tmpl.c), and of doubles. */
#define F64_ENTRY(KIND) [KIND][MAP_F64] = formula_of_##KIND,

const MapTable
    TARGET(map) =
        {
            .binary = {[BINARY_ADD] = {OF_F64_AND_INTEGERS(add)},
                       [BINARY_SUM] = {[MAP_F64] = add_f64},
                       [BINARY_MEAN] = {[MAP_F64] = add_f64},
                       [BINARY_SUB] = {OF_F64_AND_INTEGERS(sub)},
                       [BINARY_MUL] = {OF_F64_AND_INTEGERS(mul)},
                       [BINARY_DIV] = {OF_F64_AND_INTEGERS(div)},
                       [BINARY_POW] = {OF_F64_AND_INTEGERS(pow)},
                       [BINARY_PRELU] = {OF_F64_AND_INTEGERS(prelu)},
                       [BINARY_MIN] = {OF_F64_AND_INTEGERS(min)},
                       [BINARY_MAX] = {OF_F64_AND_INTEGERS(max)},
                       [BINARY_MOD] = {OF_NUMBERS(mod)},
                       [BINARY_AND] = {[MAP_U8] = and_u8},
                       [BINARY_OR] = {[MAP_U8] = or_u8},
                       [BINARY_XOR] = {[MAP_U8] = xor_u8},
                       [BINARY_EQUAL] = {OF_NUMBERS(equal), [MAP_U8] = equal_u8},
                       [BINARY_GREATER] = {OF_NUMBERS(greater)},
                       [BINARY_GREATER_OR_EQUAL] = {OF_NUMBERS(greater_or_equal)},
                       [BINARY_LESS] = {OF_NUMBERS(less)},
                       [BINARY_LESS_OR_EQUAL] = {OF_NUMBERS(less_or_equal)},
                       [BINARY_BIT_SHIFT] = {[MAP_I64] = shift_i64},
                       [BINARY_BITWISE_AND] = {OF_INTEGERS(and)},
                       [BINARY_BITWISE_OR] = {OF_INTEGERS(or)},
                       [BINARY_BITWISE_XOR] = {OF_INTEGERS(xor)}},
            .unary =
                {
#define UNARY(KIND, ...) F64_ENTRY(UNARY_##KIND)
#include "ops/math/unary_list.inc"
                    F64_ENTRY(UNARY_GELU_TANH)[UNARY_RELU][MAP_I32] = relu_i32,
                    [UNARY_RELU][MAP_I64] = relu_i64, [UNARY_ABS][MAP_I32] = abs_i32,
                    [UNARY_ABS][MAP_I64] = abs_i64, [UNARY_NEG][MAP_I32] = neg_i32,
                    [UNARY_NEG][MAP_I64] = neg_i64, [UNARY_SIGN][MAP_I32] = sign_i32,
                    [UNARY_SIGN][MAP_I64] = sign_i64, [UNARY_BITWISE_NOT][MAP_I32] = bitwise_not_i32,
                    [UNARY_BITWISE_NOT][MAP_I64] = bitwise_not_i64, [UNARY_SIN][MAP_F32] = sin_f32,
                    [UNARY_COS][MAP_F32] = cos_f32, [UNARY_TAN][MAP_F32] = tan_f32,
                    [UNARY_NOT][MAP_U8] = not_u8, [UNARY_IS_NAN][MAP_F32] = is_nan_f32,
                    [UNARY_IS_NAN][MAP_F64] = is_nan_f64, [UNARY_IS_INF][MAP_F32] = is_inf_f32,
                    [UNARY_IS_INF][MAP_F64] = is_inf_f64},
            .clip_low = {OF_NUMBERS(clip_low)},
            .clip_high = {OF_NUMBERS(clip_high)},
            .where = {where_uint8_t, where_uint16_t, where_uint32_t, where_uint64_t},
};
