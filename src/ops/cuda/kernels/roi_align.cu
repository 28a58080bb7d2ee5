/* SPDX-License-Identifier: Apache-2.0 */
/* RoiAlign: a thread goes over the samples of a bin that see the image. */
#include "ops/cuda/kernels/device_code.h"

/* One dimension of a bin. */
typedef struct BinAxis {
    float begin, step; /* of its samples */
    float samples;     /* that it has; up to many more than see the image */
    int first, end;    /* of those that do */
    int length;        /* of the image */
} BinAxis;

/* A product that is rounded by itself, also where the compiler joins products and sums: how many samples a
 * bin has hangs on the last bit. */
SHARED float rounded_product(float a, float b) {
    return (float)((double)a * (double)b);
}

SHARED int clamped(float x, float low, float high) {
    return (int)fmin(fmax(x, low), high);
}

SHARED BinAxis bin_axis(const struct RoiAlignArgs *args, float from, float to, int bins, int bin,
                        int length) {
    const float offset = args->half_pixel ? 0.5f : 0, large = 1e9f;
    const float start = rounded_product(from, args->spatial_scale) - offset,
                stop = rounded_product(to, args->spatial_scale) - offset;
    const float size = !args->half_pixel && stop - start < 1 ? 1 : stop - start, width = size / (float)bins;
    BinAxis axis = {.begin = start + (float)bin * width, .first = 0, .length = length};
    axis.samples = args->sampling_ratio ? (float)args->sampling_ratio : fmin(fmax(ceil(width), 0.0f), large);
    axis.step = width / axis.samples;
    axis.end = (int)axis.samples;
    if (axis.step == 0)
        return axis;
    /* One more at each side, for rounding. */
    const float a = (-1 - axis.begin) / axis.step, b = ((float)length - axis.begin) / axis.step;
    axis.first = clamped(floor(fmin(a, b) - 0.5f) - 1, 0, axis.samples);
    axis.end = a != a || b != b ? 0 : clamped(ceil(fmax(a, b) - 0.5f) + 2, (float)axis.first, axis.samples);
    return axis;
}

/* The two pixels between which a sample lies, and how far from the first. */
typedef struct BinSample {
    int low, high;
    float fraction;
    bool is_seen;
} BinSample;

SHARED BinSample sample_of(const BinAxis *axis, int index) {
    const float at = axis->begin + ((float)index + 0.5f) * axis->step, last = (float)(axis->length - 1);
    const float inside = fmin(fmax(at, 0.0f), last), low = floor(inside);
    return (BinSample){(int)low, (int)fmin(low + 1, last), inside - low,
                       at >= -1 && at <= (float)axis->length};
}

KERNEL(k_roi_align, RoiAlignArgs) {
    const int i = (int)(blockIdx.x * blockDim.x + threadIdx.x);
    if (i >= args.count)
        return;
    const int column = i % args.width, row = i / args.width % args.height,
              channel = i / args.width / args.height % args.channels,
              roi = i / args.width / args.height / args.channels;
    const long long stated = index_at(args.data.in[2], args.are_i64, roi);
    const int image = checked_index(args.check, stated, stated, args.images);
    const float *box = args.data.in[1] + 4LL * roi;
    const float *plane =
        args.data.in[0] + (long long)(image * args.channels + channel) * args.in_height * args.in_width;
    const BinAxis h = bin_axis(&args, box[0], box[2], args.width, column, args.in_width),
                  v = bin_axis(&args, box[1], box[3], args.height, row, args.in_height);
    float sum = 0, largest = -INFINITY, seen = 0;
    for (int a = v.first; a < v.end; a++)
        for (int b = h.first; b < h.end; b++) {
            const BinSample y = sample_of(&v, a), x = sample_of(&h, b);
            if (!y.is_seen || !x.is_seen)
                continue;
            const float *upper = plane + (long long)y.low * args.in_width,
                        *lower = plane + (long long)y.high * args.in_width;
            const float parts[4] = {(1 - y.fraction) * (1 - x.fraction) * upper[x.low],
                                    (1 - y.fraction) * x.fraction * upper[x.high],
                                    y.fraction * (1 - x.fraction) * lower[x.low],
                                    y.fraction * x.fraction * lower[x.high]};
            sum += parts[0] + parts[1] + parts[2] + parts[3];
            UNROLL
            for (int part = 0; part < 4; part++)
                largest = parts[part] > largest || parts[part] != parts[part] ? parts[part] : largest;
            seen++;
        }
    const float count = fmax(v.samples * h.samples, 1.0f);
    if (!args.is_max)
        args.data.out[i] = sum / count;
    else /* samples that do not see the image are 0 */
        args.data.out[i] = seen < count && !(largest > 0) && largest == largest ? 0 : largest;
}
