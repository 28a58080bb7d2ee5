/* SPDX-License-Identifier: Apache-2.0 */
/* Transforms of many lines of a tensor: what DFT and STFT and their kernels share. */
#ifndef OPS_MATH_FOURIER_H
#define OPS_MATH_FOURIER_H

#include "ops/math/fft.h"
#include "ops/op.h"

/* How lines lie in a tensor of real or complex numbers: line i begins at number i / inner * outer_step + i %
 * inner * inner_step, its numbers lie `stride` apart. */
typedef struct FourierLayout {
    int64_t inner, outer_step, inner_step, stride;
    int components; /* 1: real, 2: complex */
} FourierLayout;

typedef struct FourierLines {
    int64_t lines, n; /* the transform's length */
    FourierLayout in, out;
    int64_t in_length, out_length; /* of a line: what lacks is 0, what is more than n is left out */
    bool inverse;
    bool half;       /* the input is the first half of a spectrum whose other half mirrors it */
    int window_port; /* of n factors for the input; -1: none */
} FourierLines;

static inline int64_t fourier_offset(const FourierLayout *layout, int64_t line) {
    return line / layout->inner * layout->outer_step + line % layout->inner * layout->inner_step;
}

/* The values of a transform of n real numbers (`onesided`: the others mirror them), or of any numbers. */
static inline int64_t fourier_bins(int64_t n, bool onesided) {
    return onesided ? n / 2 + 1 : n;
}

/* The reference of both operators, and what it takes for transforms of any length that has so many bins. */
Status fourier_reference(EvalContext *ctx, const FourierLines *lines) MUST_CHECK;
Bytes fourier_scratch_for(int64_t bins, bool onesided);

/* --- DFT --- */

typedef struct DftAttrs {
    bool inverse, onesided;
    int64_t axis; /* where it is no input */
} DftAttrs;

/* From known shapes that infer() has accepted, and an axis that is not negative. */
FourierLines dft_lines(const DftAttrs *attrs, int axis, int64_t n, const Shape *x, const Shape *y);
/* The axis, as the attribute or `input` (NULL: absent) states it; NULL, or what is wrong. */
const char *dft_axis(const Node *node, const Tensor *input, int rank, int *axis);

/* --- STFT --- */

enum { STFT_STEP = 1, STFT_WINDOW = 2, STFT_LENGTH = 3 };

FourierLines stft_lines(const Shape *signal, const Shape *y, int64_t step, int64_t n, bool has_window);
/* The frames' length: of the window, as `stated` (NULL: absent), or of the signal. */
int64_t stft_length(const Shape *signal, const Shape *window, const Tensor *stated);

#endif
