/* SPDX-License-Identifier: Apache-2.0 */
/* Sums, products and the like of rows and of columns. */
#include <math.h>

#include "base/wrap.h"
#include "ops/cpu/reduce_axes.h"
#include "ops/cpu/simd.h"

enum {
    HALF = VW / 2, /* elements of 64 bits in a vector */
    SUMS = 4,      /* vectors of sums of a row: they do not wait for each other */
    ROWS = 8,      /* of columns, that are joined before their sum is stored */
};

typedef double vd __attribute__((vector_size(VW * 4)));
typedef int64_t vl __attribute__((vector_size(VW * 4)));
typedef uint64_t vu __attribute__((vector_size(VW * 4)));
typedef double vd_unaligned __attribute__((vector_size(VW * 4), aligned(8), may_alias));
typedef uint64_t vu_unaligned __attribute__((vector_size(VW * 4), aligned(8), may_alias));
typedef float vh __attribute__((vector_size(VW * 2)));
typedef float vh_unaligned __attribute__((vector_size(VW * 2), aligned(4), may_alias));

/* --- reals --- */

INLINE vd load_float(const float *from) {
    return __builtin_convertvector((vh) * (const vh_unaligned *)from, vd);
}
INLINE vd load_double(const double *from) {
    return *(const vd_unaligned *)from;
}
INLINE vd select_real(vl mask, vd a, vd b) {
    return (vd)((mask & (vl)a) | (~mask & (vl)b));
}

INLINE vd term_of(const ReduceTerm term, vd x) {
    return term == TERM_MAGNITUDES ? (vd)((vl)x & INT64_MAX) : term == TERM_SQUARES ? x * x : x;
}
/* NaN in either comes out. */
INLINE vd join_reals(const ReduceTerm term, vd a, vd b) {
    switch (term) {
    case TERM_MAX:
        return select_real((a != a) | (a > b), a, b);
    case TERM_MIN:
        return select_real((a != a) | (a < b), a, b);
    default:
        return a + b;
    }
}
INLINE double term_of_one(const ReduceTerm term, double x) {
    return term == TERM_MAGNITUDES ? fabs(x) : term == TERM_SQUARES ? x * x : x;
}
INLINE double join_two(const ReduceTerm term, double a, double b) {
    return term == TERM_MAX   ? (a != a || a > b ? a : b)
           : term == TERM_MIN ? (a != a || a < b ? a : b)
                              : a + b;
}

#define REAL_LOOPS(T, LOAD)                                                                                  \
    INLINE double row_of_##T(const ReduceTerm term, const T *x, int64_t count, double sum) {                 \
        int64_t i = 0;                                                                                       \
        if (count >= SUMS * HALF) {                                                                          \
            vd sums[SUMS];                                                                                   \
            double all[HALF];                                                                                \
            for (int k = 0; k < SUMS; k++)                                                                   \
                sums[k] = term_of(term, LOAD(x + k * HALF));                                                 \
            for (i = SUMS * HALF; i + SUMS * HALF <= count; i += SUMS * HALF)                                \
                for (int k = 0; k < SUMS; k++)                                                               \
                    sums[k] = join_reals(term, sums[k], term_of(term, LOAD(x + i + k * HALF)));              \
            for (; i + HALF <= count; i += HALF)                                                             \
                sums[0] = join_reals(term, sums[0], term_of(term, LOAD(x + i)));                             \
            *(vd_unaligned *)all =                                                                           \
                join_reals(term, join_reals(term, sums[0], sums[1]), join_reals(term, sums[2], sums[3]));    \
            for (int half = HALF / 2; half; half /= 2)                                                       \
                for (int k = 0; k < half; k++)                                                               \
                    all[k] = join_two(term, all[k], all[k + half]);                                          \
            sum = join_two(term, sum, all[0]);                                                               \
        }                                                                                                    \
        double rest = sum;                                                                                   \
        for (; i < count; i++)                                                                               \
            rest = join_two(term, rest, term_of_one(term, (double)x[i]));                                    \
        return rest;                                                                                         \
    }                                                                                                        \
    INLINE void by_rows_of_##T(const ReduceTerm term, const ReduceRows *rows) {                              \
        for (int64_t r = 0; r < rows->rows; r++)                                                             \
            rows->sums[r].real =                                                                             \
                row_of_##T(term, (const T *)rows->x + r * rows->stride, rows->count, rows->sums[r].real);    \
    }                                                                                                        \
    INLINE void columns_of_##T(const ReduceTerm term, const T *x, int64_t stride, const int n_rows,          \
                               const ReduceRows *rows) {                                                     \
        double *sums = &rows->sums->real;                                                                    \
        int64_t c = 0;                                                                                       \
        for (; c + HALF <= rows->count; c += HALF) {                                                         \
            vd sum = *(vd_unaligned *)(sums + c);                                                            \
            for (int r = 0; r < n_rows; r++)                                                                 \
                sum = join_reals(term, sum, term_of(term, LOAD(x + r * stride + c)));                        \
            *(vd_unaligned *)(sums + c) = sum;                                                               \
        }                                                                                                    \
        for (; c < rows->count; c++)                                                                         \
            for (int r = 0; r < n_rows; r++)                                                                 \
                sums[c] = join_two(term, sums[c], term_of_one(term, (double)x[r * stride + c]));             \
    }                                                                                                        \
    INLINE void by_columns_of_##T(const ReduceTerm term, const ReduceRows *rows) {                           \
        const T *x = rows->x;                                                                                \
        int64_t r = 0;                                                                                       \
        for (; r + ROWS <= rows->rows; r += ROWS)                                                            \
            columns_of_##T(term, x + r * rows->stride, rows->stride, ROWS, rows);                            \
        for (; r < rows->rows; r++)                                                                          \
            columns_of_##T(term, x + r * rows->stride, rows->stride, 1, rows);                               \
    }

REAL_LOOPS(float, load_float)
REAL_LOOPS(double, load_double)

/* --- the largest and smallest of floats, as floats --- */

/* The better of two where neither is NaN. */
INLINE vf better(const bool is_min, vf a, vf x) {
    return is_min ? v_min(a, x) : v_max(a, x);
}
INLINE float better_of_two(const bool is_min, float a, float x) {
    return a != a || (is_min ? a < x : a > x) ? a : x;
}

INLINE float extreme_of_row(const bool is_min, const float *x, int64_t count) {
    float best = *x;
    int64_t i = 0;
    if (count >= 2 * VW) {
        float lanes[VW];
        vf first = v_load(x), second = v_load(x + VW);
        vi strange = v_is_nan(first) | v_is_nan(second);
        for (i = 2 * VW; i + 2 * VW <= count; i += 2 * VW) {
            const vf a = v_load(x + i), b = v_load(x + i + VW);
            first = better(is_min, first, a);
            second = better(is_min, second, b);
            strange |= v_is_nan(a) | v_is_nan(b);
        }
        for (; i + VW <= count; i += VW) {
            const vf a = v_load(x + i);
            first = better(is_min, first, a);
            strange |= v_is_nan(a);
        }
        v_store(lanes, v_select(strange, v_set(NAN), better(is_min, first, second)));
        for (int half = VW / 2; half; half /= 2)
            for (int k = 0; k < half; k++)
                lanes[k] = better_of_two(is_min, lanes[k], lanes[k + half]);
        best = lanes[0];
    }
    for (; i < count; i++)
        best = better_of_two(is_min, best, x[i]);
    return best;
}

INLINE void extremes_by_rows(const bool is_min, const ReduceRows *rows) {
    for (int64_t r = 0; r < rows->rows; r++) {
        const float best = extreme_of_row(is_min, (const float *)rows->x + r * rows->stride, rows->count);
        rows->sums[r].real = (double)better_of_two(is_min, (float)rows->sums[r].real, best);
    }
}

INLINE void extremes_of_columns(const bool is_min, const float *x, int64_t stride, const int n_rows,
                                const ReduceRows *rows) {
    double *sums = &rows->sums->real;
    int64_t c = 0;
    for (; c + VW <= rows->count; c += VW) {
        float best[VW];
        vf value = v_load(x + c);
        vi strange = v_is_nan(value);
        for (int r = 1; r < n_rows; r++) {
            const vf other = v_load(x + r * stride + c);
            strange |= v_is_nan(other);
            value = better(is_min, value, other);
        }
        v_store(best, v_select(strange, v_set(NAN), value));
        for (int half = 0; half < VW; half += HALF) {
            const vd old = *(vd_unaligned *)(sums + c + half);
            *(vd_unaligned *)(sums + c + half) =
                join_reals(is_min ? TERM_MIN : TERM_MAX, old, load_float(best + half));
        }
    }
    for (; c < rows->count; c++)
        for (int r = 0; r < n_rows; r++)
            sums[c] = join_two(is_min ? TERM_MIN : TERM_MAX, sums[c], (double)x[r * stride + c]);
}

INLINE void extremes_by_columns(const bool is_min, const ReduceRows *rows) {
    const float *x = rows->x;
    int64_t r = 0;
    for (; r + ROWS <= rows->rows; r += ROWS)
        extremes_of_columns(is_min, x + r * rows->stride, rows->stride, ROWS, rows);
    for (; r < rows->rows; r++)
        extremes_of_columns(is_min, x + r * rows->stride, rows->stride, 1, rows);
}

/* --- products --- */

/* Four floats times a number in [1/2, 1) are a normal double, or 0, infinite or NaN: `exponents` take over
 * what its exponent is. */
WRAPS_AROUND INLINE void multiply(const float *x, int64_t stride, const int n_rows, int64_t count,
                                  double *products, int64_t *exponents) {
    INDEPENDENT
    for (int64_t c = 0; c < count; c++) {
        double product = products[c];
        uint64_t bits;
        for (int r = 0; r < n_rows; r++)
            product *= (double)x[r * stride + c];
        memcpy(&bits, &product, sizeof bits);
        const int64_t exponent = (int64_t)(bits >> 52 & 0x7ff);
        const bool is_plain = exponent != 0 && exponent != 0x7ff;
        const uint64_t mantissa = (bits & 0x800fffffffffffff) | (uint64_t)1022 << 52,
                       kept = is_plain ? mantissa : bits;
        memcpy(&products[c], &kept, sizeof kept);
        exponents[c] += is_plain ? exponent - 1022 : 0;
    }
}

enum { FACTORS = 4 };

static void products_by_columns(const ReduceRows *rows) {
    int64_t r = 0;
    for (; r + FACTORS <= rows->rows; r += FACTORS)
        multiply((const float *)rows->x + r * rows->stride, rows->stride, FACTORS, rows->count,
                 &rows->sums->real, rows->exponents);
    for (; r < rows->rows; r++)
        multiply((const float *)rows->x + r * rows->stride, rows->stride, 1, rows->count, &rows->sums->real,
                 rows->exponents);
}

/* As many products as lanes at first. */
static void products_by_rows(const ReduceRows *rows) {
    for (int64_t r = 0; r < rows->rows; r++) {
        const float *x = (const float *)rows->x + r * rows->stride;
        double products[HALF];
        int64_t exponents[HALF] = {0}, i = 0;
        for (int k = 0; k < HALF; k++)
            products[k] = 1;
        for (; i + FACTORS * HALF <= rows->count; i += FACTORS * HALF)
            multiply(x + i, HALF, FACTORS, HALF, products, exponents);
        for (; i < rows->count; i++)
            multiply(x + i, 0, 1, 1, products, exponents);
        for (int k = 0; k < HALF; k++) { /* mantissas are floats' products no longer, but as large */
            double product = rows->sums[r].real * products[k];
            int exponent = 0;
            if (product != 0 && product - product == 0)
                product = frexp(product, &exponent);
            rows->sums[r].real = product;
            rows->exponents[r] += exponent + exponents[k];
        }
    }
}

/* --- integers --- */

INLINE vl join_integers(const ReduceTerm term, vl a, vl x) {
    const vl sign = x >> 63, mask = term == TERM_MAX ? a > x : a < x;
    switch (term) {
    case TERM_MAX:
    case TERM_MIN:
        return (mask & a) | (~mask & x);
    case TERM_MAGNITUDES:
        return (vl)((vu)a + ((vu)(x ^ sign) - (vu)sign));
    case TERM_SQUARES:
        return (vl)((vu)a + (vu)x * (vu)x);
    case TERM_PRODUCT:
        return (vl)((vu)a * (vu)x);
    default:
        return (vl)((vu)a + (vu)x);
    }
}

WRAPS_AROUND INLINE int64_t join_two_integers(const ReduceTerm term, int64_t a, int64_t x) {
    switch (term) {
    case TERM_MAX:
        return a > x ? a : x;
    case TERM_MIN:
        return a < x ? a : x;
    case TERM_MAGNITUDES:
        return (int64_t)((uint64_t)a + wrap_magnitude(x));
    case TERM_SQUARES:
        return (int64_t)((uint64_t)a + (uint64_t)x * (uint64_t)x);
    case TERM_PRODUCT:
        return (int64_t)((uint64_t)a * (uint64_t)x);
    default:
        return (int64_t)((uint64_t)a + (uint64_t)x);
    }
}

/* A column at a time where it is short, else vectors of columns. */
INLINE void columns_of_integers(const ReduceTerm term, const ReduceRows *rows) {
    for (int64_t r = 0; r < rows->rows; r++) {
        const int64_t *x = (const int64_t *)rows->x + r * rows->stride;
        int64_t *sums = &rows->sums->integer, c = 0;
        for (; c + HALF <= rows->count; c += HALF) {
            const vl sum =
                join_integers(term, (vl) * (vu_unaligned *)(sums + c), (vl) * (const vu_unaligned *)(x + c));
            *(vu_unaligned *)(sums + c) = (vu)sum;
        }
        for (; c < rows->count; c++)
            sums[c] = join_two_integers(term, sums[c], x[c]);
    }
}

INLINE void rows_of_integers(const ReduceTerm term, const ReduceRows *rows) {
    for (int64_t r = 0; r < rows->rows; r++) {
        const int64_t *x = (const int64_t *)rows->x + r * rows->stride;
        int64_t sum = rows->sums[r].integer;
        for (int64_t i = 0; i < rows->count; i++)
            sum = join_two_integers(term, sum, x[i]);
        rows->sums[r].integer = sum;
    }
}

/* --- exponentials --- */

INLINE vf below_peak(vf x, vf peak) {
    const vi infinite = v_abs(peak) == v_set(INFINITY);
    return v_select(infinite, (vf)((x == peak) & (vi)v_set(1.0f)), v_exp(x - peak));
}

static void exponentials_by_rows(const ReduceRows *rows) {
    for (int64_t r = 0; r < rows->rows; r++) {
        const vf peak = v_set((float)rows->peaks[r]);
        double sum = rows->sums[r].real;
        const float *x = (const float *)rows->x + r * rows->stride;
        for (int64_t i = 0; i < rows->count; i += VW) {
            const int64_t n = rows->count - i < VW ? rows->count - i : VW;
            float terms[VW];
            v_store(terms, v_first_lanes(below_peak(v_load_first(x + i, n, 0), peak), (int)n));
            const vd two = load_float(terms) + load_float(terms + HALF);
            for (int k = 0; k < HALF; k++)
                sum += two[k];
        }
        rows->sums[r].real = sum;
    }
}

static void exponentials_by_columns(const ReduceRows *rows) {
    for (int64_t r = 0; r < rows->rows; r++) {
        const float *x = (const float *)rows->x + r * rows->stride;
        for (int64_t c = 0; c < rows->count; c += VW) {
            const int64_t n = rows->count - c < VW ? rows->count - c : VW;
            float terms[VW];
            for (int64_t k = 0; k < VW; k++)
                terms[k] = k < n ? (float)rows->peaks[c + k] : 0;
            v_store(terms, below_peak(v_load_first(x + c, n, 0), v_load(terms)));
            for (int64_t k = 0; k < n; k++)
                rows->sums[c + k].real += (double)terms[k];
        }
    }
}

INLINE double below_peak_of_one(double x, double peak) {
    return fabs(peak) == (double)INFINITY ? x == peak : exp(x - peak);
}

static void double_exponentials(const ReduceRows *rows, const bool by_rows) {
    for (int64_t r = 0; r < rows->rows; r++) {
        const double *x = (const double *)rows->x + r * rows->stride;
        for (int64_t i = 0; i < rows->count; i++) {
            const int64_t to = by_rows ? r : i;
            rows->sums[to].real += below_peak_of_one(x[i], rows->peaks[to]);
        }
    }
}
static void double_exponentials_by_rows(const ReduceRows *rows) {
    double_exponentials(rows, true);
}
static void double_exponentials_by_columns(const ReduceRows *rows) {
    double_exponentials(rows, false);
}

/* --- the table --- */

#define FUNCTION(NAME, BODY)                                                                                 \
    static void NAME(const ReduceRows *rows) {                                                               \
        BODY;                                                                                                \
    }
#define FLOATS(TERM)                                                                                         \
    FUNCTION(float_rows_##TERM, by_rows_of_float(TERM, rows))                                                \
    FUNCTION(float_columns_##TERM, by_columns_of_float(TERM, rows))
#define DOUBLES(TERM)                                                                                        \
    FUNCTION(double_rows_##TERM, by_rows_of_double(TERM, rows))                                              \
    FUNCTION(double_columns_##TERM, by_columns_of_double(TERM, rows))
#define INTEGERS(TERM)                                                                                       \
    FUNCTION(integer_rows_##TERM, rows_of_integers(TERM, rows))                                              \
    FUNCTION(integer_columns_##TERM, columns_of_integers(TERM, rows))
#define EACH(DO) DO(TERM_SUM) DO(TERM_MAGNITUDES) DO(TERM_SQUARES) DO(TERM_MAX) DO(TERM_MIN)
EACH(DOUBLES)
EACH(INTEGERS)
FLOATS(TERM_SUM)
FLOATS(TERM_MAGNITUDES)
FLOATS(TERM_SQUARES)
FUNCTION(float_rows_TERM_MAX, extremes_by_rows(false, rows))
FUNCTION(float_rows_TERM_MIN, extremes_by_rows(true, rows))
FUNCTION(float_columns_TERM_MAX, extremes_by_columns(false, rows))
FUNCTION(float_columns_TERM_MIN, extremes_by_columns(true, rows))
INTEGERS(TERM_PRODUCT)

#define ROWS_ENTRY(TERM) [TERM] = {float_rows_##TERM, double_rows_##TERM, integer_rows_##TERM},
#define COLUMNS_ENTRY(TERM) [TERM] = {float_columns_##TERM, double_columns_##TERM, integer_columns_##TERM},

const ReduceTable TARGET(reduce_axes) = {
    .by_rows = {EACH(ROWS_ENTRY)[TERM_PRODUCT] = {products_by_rows, NULL, integer_rows_TERM_PRODUCT},
                [TERM_EXPONENTIALS] = {exponentials_by_rows, double_exponentials_by_rows}},
    .by_columns = {EACH(COLUMNS_ENTRY)[TERM_PRODUCT] = {products_by_columns, NULL,
                                                        integer_columns_TERM_PRODUCT},
                   [TERM_EXPONENTIALS] = {exponentials_by_columns, double_exponentials_by_columns}},
};
