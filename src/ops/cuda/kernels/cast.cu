/* SPDX-License-Identifier: Apache-2.0 */
/* One of the types is float32. */
#include "ops/cuda/kernels/device_code.h"

/* Without the fraction; NaN is 0, and what does not fit becomes the nearest that does.  `end` is one above
 * the largest, which float32 may not have. */
SHARED long long saturated(float x, float low, float end, long long largest) {
    return x != x ? 0 : x >= end ? largest : x < low ? (long long)low : (long long)x;
}

SHARED void store(void *out, CastType type, int i, float x) {
    if (type == CAST_F32)
        ((float *)out)[i] = x;
    else if (type == CAST_I32)
        ((int *)out)[i] = (int)saturated(x, -2147483648.0f, 2147483648.0f, 2147483647);
    else if (type == CAST_I64)
        ((long long *)out)[i] =
            saturated(x, -9223372036854775808.0f, 9223372036854775808.0f, 9223372036854775807LL);
    else if (type == CAST_U8)
        ((unsigned char *)out)[i] = (unsigned char)saturated(x, 0, 256, 255);
    else
        ((unsigned char *)out)[i] = x != 0;
}

KERNEL(k_cast, CastArgs) {
    const int i = (int)(blockIdx.x * blockDim.x + threadIdx.x);
    const void *in = args.data.in[0];
    float x;
    if (i >= args.count)
        return;
    if (args.from == CAST_F32)
        x = ((const float *)in)[i];
    else if (args.from == CAST_I32)
        x = (float)((const int *)in)[i];
    else if (args.from == CAST_I64)
        x = (float)((const long long *)in)[i];
    else if (args.from == CAST_U8)
        x = (float)((const unsigned char *)in)[i];
    else
        x = ((const unsigned char *)in)[i] != 0;
    store(args.data.out, args.to, i, x);
}
