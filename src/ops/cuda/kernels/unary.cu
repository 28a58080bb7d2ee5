/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/cuda/kernels/device_code.h"

/* The sine of x + quarters * pi / 2.  The library's needs a stack, to reduce arguments of any size; this
 * reduces by one product in float64, whose error is below float32's up to some 10^8. */
SHARED float quarter_sin(float x, int quarters) {
    const double turns = (double)x * 0.63661977236758134308, whole = rint(turns);
    const double t = (turns - whole) * 1.57079632679489661923, s = t * t;
    const double rest = whole + quarters - 4 * floor((whole + quarters) / 4);
    const double sine = t * (1 + s * (-1.0 / 6 + s * (1.0 / 120 + s * (-1.0 / 5040 + s * (1.0 / 362880)))));
    const double cosine =
        1 + s * (-1.0 / 2 + s * (1.0 / 24 + s * (-1.0 / 720 + s * (1.0 / 40320 + s * (-1.0 / 3628800)))));
    const double value = rest == 1 || rest == 3 ? cosine : sine;
    return (float)(rest < 2 ? value : -value);
}

#define FORMULA_SIN(X) quarter_sin(X, 0)
#define FORMULA_COS(X) quarter_sin(X, 1)
#include "ops/math/unary_formula.h"

KERNEL(k_unary, UnaryArgs) {
    const int i = (int)(blockIdx.x * blockDim.x + threadIdx.x);
    if (i >= args.count)
        return;
    const float x =
        args.takes_bools ? (float)((const unsigned char *)args.data.in[0])[i] : args.data.in[0][i];
    const float value = unary_formula(args.unary, x);
    if (args.gives_bools)
        ((unsigned char *)args.data.out)[i] = value != 0;
    else
        args.data.out[i] = value;
}
