/* SPDX-License-Identifier: Apache-2.0 */
/* Fast discrete Fourier transforms of any length, in float64: X[k] = sum of x[i] e^(-2 pi i k / n).
 *
 * A length is factored into radices, and each pass of Stockham's algorithm does one of them, which leaves the
 * result in order.  A length with a prime factor above FFT_MAX_RADIX becomes a convolution of a longer one
 * without (Bluestein). */
#ifndef OPS_MATH_FFT_H
#define OPS_MATH_FFT_H

#include "base/size.h"

typedef struct Complex {
    double re, im;
} Complex;

static inline Complex complex_times(Complex a, Complex b) {
    return (Complex){a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
}

enum {
    FFT_MAX_RADIX = 31, /* a pass costs n times its radix: beyond it the convolution costs less */
    FFT_MAX_FACTORS = 40
};
/* The longest transform: what does not fit 24 bits of terabytes anyway. */
#define FFT_MAX_LENGTH ((int64_t)1 << 40)

typedef struct FftStages {
    int64_t n;
    int n_factors, factors[FFT_MAX_FACTORS];
    const Complex *roots; /* e^(-2 pi i k / n) */
} FftStages;

typedef struct FftPlan {
    int64_t n;
    FftStages stages; /* of n, or of the convolution's length */
    const Complex *chirp,
        *spectrum; /* of a convolution, else NULL: e^(-pi i k^2 / n), and the transform of its conjugate */
} FftPlan;

/* The memory for a plan's tables.  1 <= n <= FFT_MAX_LENGTH. */
Bytes fft_plan_bytes(int64_t n);
void fft_plan_make(FftPlan *plan, int64_t n, void *memory);
/* The numbers that each of a transform's two buffers holds. */
int64_t fft_work_length(int64_t n);
/* e^(-2 pi i k / n) for 0 <= k < n, exact at quarters of a turn. */
Complex fft_root(int64_t k, int64_t n);

/* Transforms the first n numbers of `x`; both buffers hold fft_work_length(n). */
void fft_forward(const FftPlan *plan, Complex *x, Complex *work);

#endif
