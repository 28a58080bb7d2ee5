/* SPDX-License-Identifier: Apache-2.0 */
/* Butterflies of REAL, a vector of float64 or one: included once for each, where FFT(name) tells the two
 * apart. */

typedef struct FFT(Number) {
    REAL re, im;
} FFT(Number);

INLINE FFT(Number) FFT(load)(const Planes *planes, int64_t at) {
    return (FFT(Number)){*(const REAL *)(planes->re + at), *(const REAL *)(planes->im + at)};
}

INLINE void FFT(store)(const Planes *planes, int64_t at, FFT(Number) x) {
    *(REAL *)(planes->re + at) = x.re;
    *(REAL *)(planes->im + at) = x.im;
}

INLINE FFT(Number) FFT(plus)(FFT(Number) a, FFT(Number) b) {
    return (FFT(Number)){a.re + b.re, a.im + b.im};
}

INLINE FFT(Number) FFT(minus)(FFT(Number) a, FFT(Number) b) {
    return (FFT(Number)){a.re - b.re, a.im - b.im};
}

INLINE FFT(Number) FFT(scaled)(FFT(Number) a, double factor) {
    return (FFT(Number)){a.re * factor, a.im * factor};
}

/* -i a */
INLINE FFT(Number) FFT(turned)(FFT(Number) a) {
    return (FFT(Number)){a.im, -a.re};
}

INLINE FFT(Number) FFT(times)(FFT(Number) a, Complex b) {
    return (FFT(Number)){a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
}

INLINE void FFT(butterfly_2)(FFT(Number) * x) {
    const FFT(Number) a = x[0], b = x[1];
    x[0] = FFT(plus)(a, b);
    x[1] = FFT(minus)(a, b);
}

INLINE void FFT(butterfly_3)(FFT(Number) * x) {
    const FFT(Number) sum = FFT(plus)(x[1], x[2]), middle = FFT(minus)(x[0], FFT(scaled)(sum, 0.5));
    const FFT(Number) side = FFT(turned)(FFT(scaled)(FFT(minus)(x[1], x[2]), 0.86602540378443865));
    x[0] = FFT(plus)(x[0], sum);
    x[1] = FFT(plus)(middle, side);
    x[2] = FFT(minus)(middle, side);
}

INLINE void FFT(butterfly_4)(FFT(Number) * x) {
    const FFT(Number) a = FFT(plus)(x[0], x[2]), b = FFT(minus)(x[0], x[2]), c = FFT(plus)(x[1], x[3]);
    const FFT(Number) d = FFT(turned)(FFT(minus)(x[1], x[3]));
    x[0] = FFT(plus)(a, c);
    x[1] = FFT(plus)(b, d);
    x[2] = FFT(minus)(a, c);
    x[3] = FFT(minus)(b, d);
}

/* With the cosines and sines of one and two fifths of a turn */
INLINE void FFT(butterfly_5)(FFT(Number) * x) {
    const double c1 = 0.30901699437494742, c2 = -0.80901699437494742, s1 = 0.95105651629515357,
                 s2 = 0.58778525229247313;
    const FFT(Number) a = FFT(plus)(x[1], x[4]), b = FFT(plus)(x[2], x[3]);
    const FFT(Number) d = FFT(turned)(FFT(minus)(x[1], x[4])), e = FFT(turned)(FFT(minus)(x[2], x[3]));
    const FFT(Number) near = FFT(plus)(x[0], FFT(plus)(FFT(scaled)(a, c1), FFT(scaled)(b, c2))),
                      far = FFT(plus)(x[0], FFT(plus)(FFT(scaled)(a, c2), FFT(scaled)(b, c1)));
    const FFT(Number) near_side = FFT(plus)(FFT(scaled)(d, s1), FFT(scaled)(e, s2)),
                      far_side = FFT(minus)(FFT(scaled)(d, s2), FFT(scaled)(e, s1));
    x[0] = FFT(plus)(x[0], FFT(plus)(a, b));
    x[1] = FFT(plus)(near, near_side);
    x[2] = FFT(plus)(far, far_side);
    x[3] = FFT(minus)(far, far_side);
    x[4] = FFT(minus)(near, near_side);
}

/* Of any odd radix: what lies opposite each other shares its products. */
INLINE void FFT(butterfly_any)(FFT(Number) * x, int radix, const Complex *roots, int64_t step) {
    FFT(Number) y[FFT_MAX_RADIX];
    y[0] = x[0];
    for (int j = 1; j < radix; j++)
        y[0] = FFT(plus)(y[0], x[j]);
    for (int k = 1; k <= radix / 2; k++) {
        FFT(Number) even = x[0], odd = {(REAL){0}, (REAL){0}};
        for (int j = 1; j <= radix / 2; j++) {
            const Complex root = roots[step * (j * k % radix)];
            even = FFT(plus)(even, FFT(scaled)(FFT(plus)(x[j], x[radix - j]), root.re));
            odd = FFT(plus)(odd, FFT(scaled)(FFT(minus)(x[j], x[radix - j]), -root.im));
        }
        odd = FFT(turned)(odd);
        y[k] = FFT(plus)(even, odd);
        y[radix - k] = FFT(minus)(even, odd);
    }
    for (int k = 0; k < radix; k++)
        x[k] = y[k];
}

/* One butterfly: `radix` numbers from `from` on, `from_step` apart, turned and stored likewise. */
INLINE void FFT(step)(const Stage *stage, const int radix, int64_t from, int64_t to, const Complex *turns) {
    FFT(Number) x[FFT_MAX_RADIX];
    for (int j = 0; j < radix; j++)
        x[j] = FFT(load)(&stage->from, from + j * stage->from_step);
    if (radix == 2)
        FFT(butterfly_2)(x);
    else if (radix == 3)
        FFT(butterfly_3)(x);
    else if (radix == 4)
        FFT(butterfly_4)(x);
    else if (radix == 5)
        FFT(butterfly_5)(x);
    else
        FFT(butterfly_any)(x, radix, stage->roots, stage->radix_step);
    for (int k = 0; k < radix; k++)
        FFT(store)(&stage->to, to + k * stage->to_step, k ? FFT(times)(x[k], turns[k]) : x[0]);
}

/* The number at k of a real line's spectrum from those at k and n / 2 - k of its pairs': even + turn * odd.
 */
INLINE void FFT(unpair)(const Planes *from, int64_t at, int64_t opposite, Complex turn, const Planes *to,
                        int64_t to_at) {
    const FFT(Number) a = FFT(load)(from, at), b = FFT(load)(from, opposite);
    const FFT(Number) even = {(a.re + b.re) * 0.5, (a.im - b.im) * 0.5};
    const FFT(Number) odd = FFT(turned)((FFT(Number)){(a.re - b.re) * 0.5, (a.im + b.im) * 0.5});
    FFT(store)(to, to_at, FFT(plus)(even, FFT(times)(odd, turn)));
}

/* x times y, which is the same in all lanes. */
INLINE void FFT(multiply)(const Planes *x, int64_t at, Complex y) {
    FFT(store)(x, at, FFT(times)(FFT(load)(x, at), y));
}
