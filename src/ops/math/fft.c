/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/math/fft.h"

#include <math.h>
#include <string.h>

/* --- lengths --- */

/* The radices of n; false where a prime factor is left that is none. */
static bool factor(int64_t n, FftStages *stages) {
    stages->n = n;
    stages->n_factors = 0;
    for (int radix = 4; radix <= FFT_MAX_RADIX && n > 1; radix = radix == 4 ? 2 : radix == 2 ? 3 : radix + 2)
        for (; n % radix == 0; n /= radix)
            stages->factors[stages->n_factors++] = radix;
    return n == 1;
}

/* The smallest product of powers of 2, 3 and 5 that holds `n`. */
static int64_t smooth_length(int64_t n) {
    int64_t best = INT64_MAX;
    for (int64_t fives = 1; fives < best; fives *= 5) {
        for (int64_t odd = fives; odd < best; odd *= 3) {
            int64_t length = odd;
            while (length < n)
                length *= 2;
            best = i64_min(best, length);
            if (odd >= n)
                break;
        }
        if (fives >= n)
            break;
    }
    return best;
}

int64_t fft_work_length(int64_t n) {
    FftStages stages;
    return factor(n, &stages) ? n : smooth_length(2 * n - 1);
}

/* --- tables --- */

Complex fft_root(int64_t k, int64_t n) {
    /* From an angle of at most an eighth of a turn, turned by quarters */
    const int64_t quarter = 4 * k / n, rest = 4 * k - quarter * n;
    const bool beyond = 2 * rest > n;
    const double angle = 1.5707963267948966 * (double)(beyond ? n - rest : rest) / (double)n;
    const double c = beyond ? sin(angle) : cos(angle), s = beyond ? cos(angle) : sin(angle);
    const Complex turned[] = {{c, -s}, {-s, -c}, {-c, s}, {s, c}};
    return turned[quarter];
}

Bytes fft_plan_bytes(int64_t n) {
    const int64_t length = fft_work_length(n);
    /* roots; of a convolution also its spectrum, a buffer to make that with, and the chirp */
    return bytes_of(sizeof(Complex), length == n ? n : i64_sum(i64_product(3, length), n));
}

/* Of all passes, from `x` by way of `work`; where the result lies then. */
static Complex *run_stages(const FftStages *stages, Complex *x, Complex *work) {
    int64_t done = 1;
    for (int f = 0; f < stages->n_factors; f++) {
        const int radix = stages->factors[f];
        const int64_t rest = stages->n / (done * radix), step = stages->n / radix;
        for (int64_t p = 0; p < rest; p++)
            for (int k = 0; k < radix; k++)
                for (int64_t q = 0; q < done; q++) {
                    Complex sum = {0, 0};
                    for (int j = 0; j < radix; j++) {
                        const Complex term = complex_times(x[q + done * (p + rest * j)],
                                                           stages->roots[step * (j * k % radix)]);
                        sum = (Complex){sum.re + term.re, sum.im + term.im};
                    }
                    work[q + done * (radix * p + k)] = complex_times(sum, stages->roots[done * p * k]);
                }
        Complex *result = work;
        work = x;
        x = result;
        done *= radix;
    }
    return x;
}

static void make_convolution(FftPlan *plan, Complex *chirp, Complex *spectrum, Complex *work) {
    const int64_t n = plan->n, length = plan->stages.n;
    memset(spectrum, 0, bytes_of(sizeof *spectrum, length).n);
    int64_t square = 0; /* k^2 modulo 2 n */
    for (int64_t k = 0; k < n; k++) {
        chirp[k] = fft_root(square, 2 * n);
        const Complex conjugate = {chirp[k].re, -chirp[k].im};
        spectrum[k] = conjugate;
        spectrum[k ? length - k : 0] = conjugate;
        square = (square + 2 * k + 1) % (2 * n);
    }
    const Complex *result = run_stages(&plan->stages, spectrum, work);
    plan->chirp = chirp;
    plan->spectrum = result;
}

void fft_plan_make(FftPlan *plan, int64_t n, void *memory) {
    *plan = (FftPlan){.n = n};
    Complex *roots = memory;
    const bool direct = factor(n, &plan->stages);
    if (!direct)
        (void)factor(smooth_length(2 * n - 1), &plan->stages);
    const int64_t length = plan->stages.n;
    for (int64_t k = 0; k < length; k++)
        roots[k] = fft_root(k, length);
    plan->stages.roots = roots;
    if (!direct)
        make_convolution(plan, roots + 3 * length, roots + length, roots + 2 * length);
}

/* --- transforms --- */

static void copy_to(Complex *x, const Complex *from, int64_t count) {
    if (x != from)
        memcpy(x, from, bytes_of(sizeof *x, count).n);
}

void fft_forward(const FftPlan *plan, Complex *x, Complex *work) {
    const int64_t n = plan->n, length = plan->stages.n;
    if (!plan->chirp) {
        copy_to(x, run_stages(&plan->stages, x, work), n);
        return;
    }
    for (int64_t k = 0; k < length; k++)
        x[k] = k < n ? complex_times(x[k], plan->chirp[k]) : (Complex){0, 0};
    Complex *product = run_stages(&plan->stages, x, work);
    for (int64_t k = 0; k < length; k++) { /* conjugated, so that the next transform is the inverse one */
        product[k] = complex_times(product[k], plan->spectrum[k]);
        product[k].im = -product[k].im;
    }
    const Complex *result = run_stages(&plan->stages, product, product == x ? work : x);
    const double scale = 1 / (double)length;
    for (int64_t k = 0; k < n; k++)
        x[k] = complex_times((Complex){result[k].re * scale, -result[k].im * scale}, plan->chirp[k]);
}
