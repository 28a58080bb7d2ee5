/* SPDX-License-Identifier: Apache-2.0 */
/* Windows as no network has them but as a model may ask for: larger than the input, wholly on padding, with
 * strides, dilations and pads beyond it, also negative ones; and no images at all. */
#include "conv_case.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/size.h"

enum { MAX_OUTPUTS = 20 };

static int64_t one_of(const int64_t *values, int count, uint64_t *seed) {
    return values[random_below(seed, count)];
}
#define ONE_OF(seed, ...)                                                                                    \
    one_of((const int64_t[]){__VA_ARGS__}, (int)(sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t)),  \
           seed)

typedef struct Window {
    int64_t size, kernel, stride, dilation, begin, end;
} Window;

/* Few outputs, whatever the numbers. */
static Window random_window(int64_t max_kernel, uint64_t *seed) {
    Window w = {.size = 1 + random_below(seed, 9), .kernel = 1 + random_below(seed, max_kernel)};
    w.dilation = ONE_OF(seed, 1, 1, 2, 5, w.size, w.size + 3, 1 << 18, 1 << 27);
    const int64_t span = w.dilation * (w.kernel - 1);
    w.begin = ONE_OF(seed, 0, 1, -1, w.kernel + 2, span, span / 2, span + w.size + 2);
    w.end = ONE_OF(seed, 0, 1, -1, w.kernel + 2, span, span - w.begin);
    w.begin = i64_min(w.begin, WINDOW_LARGEST);
    w.end = i64_min(w.end, WINDOW_LARGEST);
    int64_t room = w.size + w.begin + w.end - span - 1;
    if (room < 0) { /* one output */
        w.end -= room;
        room = 0;
    }
    w.stride = ONE_OF(seed, 1, 1, 2, 3, w.size + 1, 1 << 20, 1 << 29);
    w.stride = i64_max(w.stride, ceil_div(room, MAX_OUTPUTS));
    return w;
}

static ConvCase random_conv(int spatial, uint64_t *seed) {
    ConvCase conv = {.spatial = spatial,
                     .batch = random_below(seed, 8) ? 1 + random_below(seed, 2) : 0,
                     .in = test_channels[random_below(seed, N_TEST_CHANNELS)],
                     .out = test_channels[random_below(seed, N_TEST_CHANNELS)],
                     .group = 1};
    for (int i = 0; i < spatial; i++) {
        const Window w = random_window(spatial == 1 ? 9 : 4, seed);
        conv.size[i] = w.size;
        conv.kernel[i] = w.kernel;
        conv.strides[i] = w.stride;
        conv.dilations[i] = w.dilation;
        conv.pads[i] = w.begin;
        conv.pads[spatial + i] = w.end;
    }
    return conv;
}

/* What is not in proportion is left to the reference. */
static void check(const ConvCase *conv, uint64_t seed) {
    KernelTest test = conv_case_test(conv, seed);
    test.must_accept = false;
    if (seed % 3 == 1)
        conv_case_fuse(&test, conv, seed % 2, seed * 12345);
    kernel_test_check(test);
}

static void convolutions(void **state) {
    (void)state;
    uint64_t seed = 51;
    for (int i = 0; i < 240; i++) {
        const ConvCase conv = random_conv(1 + i % 3, &seed);
        check(&conv, (uint64_t)i);
    }
}

/* As Winograd's kernels and those of first layers take them. */
static void convolutions_of_three_by_three(void **state) {
    (void)state;
    uint64_t seed = 52;
    for (int i = 0; i < 120; i++) {
        ConvCase conv = random_conv(2, &seed);
        for (int d = 0; d < 2; d++) {
            conv.kernel[d] = 3;
            conv.dilations[d] = i % 2 ? ONE_OF(&seed, 1, 2, 7, 300, 1 << 20) : 1;
            conv.strides[d] = 1 + i / 2 % 2;
            const int64_t span = 2 * conv.dilations[d];
            conv.pads[d] = random_below(&seed, 5) - 1 + (i % 4 == 3 ? span : 0);
            conv.pads[2 + d] = i64_max(span + 1 - conv.size[d] - conv.pads[d], 0) + random_below(&seed, 9);
        }
        check(&conv, (uint64_t)i);
    }
}

static void grouped_convolutions(void **state) {
    (void)state;
    static const int64_t shapes[][3] = {{2, 8, 8}, {3, 9, 6}, {8, 32, 32}, {16, 16, 16}, {33, 33, 33}};
    uint64_t seed = 53;
    for (int i = 0; i < 150; i++) {
        ConvCase conv = random_conv(1 + i % 3, &seed);
        const int64_t *shape = shapes[random_below(&seed, 5)];
        conv.group = shape[0];
        conv.in = shape[1];
        conv.out = shape[2];
        for (int d = 0; d < conv.spatial && i % 4 == 0; d++)
            conv.kernel[d] = 1 + 2 * random_below(&seed, 3), conv.dilations[d] = 1;
        for (int d = 0; d < conv.spatial; d++) {
            const int64_t span = conv.dilations[d] * (conv.kernel[d] - 1),
                          room = conv.size[d] + conv.pads[d] + conv.pads[conv.spatial + d] - span - 1;
            conv.pads[conv.spatial + d] -= i64_min(room, 0);
            conv.strides[d] = i64_max(conv.strides[d], ceil_div(i64_max(room, 0), MAX_OUTPUTS));
        }
        check(&conv, (uint64_t)i);
    }
}

/* Crops of results that may be far larger, or with padding around them. */
static void transposed_convolutions(void **state) {
    (void)state;
    uint64_t seed = 54;
    for (int i = 0; i < 240; i++) {
        ConvCase conv = random_conv(1 + i % 3, &seed);
        conv.transposed = true;
        if (i % 5 == 0)
            conv.group = conv.out = conv.in;
        for (int d = 0; d < conv.spatial; d++) {
            conv.kernel[d] = random_below(&seed, 4) ? conv.kernel[d] : 60;
            conv.dilations[d] = random_below(&seed, 5) ? 1 : 3;
            conv.strides[d] = ONE_OF(&seed, 1, 1, 2, 3, 7, 61, 4096, 1 << 24);
            const int64_t full = conv.strides[d] * (conv.size[d] - 1) +
                                 conv.dilations[d] * (conv.kernel[d] - 1) + 1,
                          out = 1 + random_below(&seed, MAX_OUTPUTS);
            conv.pads[d] = i64_max(full - out, 0) ? random_below(&seed, full - out + 4) - 2 : -1;
            conv.pads[conv.spatial + d] = full - conv.pads[d] - out;
        }
        check(&conv, (uint64_t)i);
    }
}

static Attr ints(const char *name, const int64_t *values, int count) {
    return (Attr){.name = name, .kind = ATTR_INTS, .ints = (int64_t *)values, .count = (size_t)count};
}

/* Averages of nothing are 0, maxima of nothing less than everything. */
static void pools(void **state) {
    (void)state;
    uint64_t seed = 55;
    for (int i = 0; i < 600; i++) {
        const int spatial = 1 + i % 3;
        int64_t kernel[3], strides[3], dilations[3], pads[6];
        Shape x = {.rank = 2 + spatial,
                   .dims = {random_below(&seed, 8) ? 1 + random_below(&seed, 2) : 0,
                            test_channels[random_below(&seed, N_TEST_CHANNELS)]}};
        for (int d = 0; d < spatial; d++) {
            Window w = random_window(random_below(&seed, 3) ? 4 : 1 << 20, &seed);
            if (w.dilation * w.kernel > WINDOW_LARGEST)
                w = (Window){.size = 5, .kernel = 2, .stride = 1, .dilation = 9, .begin = 6, .end = 4};
            /* Poolings take no pads as large as a window. */
            const int64_t span = (w.kernel - 1) * w.dilation;
            w.begin = i64_min(w.begin, span);
            w.end = i64_min(w.end, span);
            if (w.size + w.begin + w.end <= span)
                w = (Window){.size = 2, .kernel = 2, .stride = 1, .dilation = 3, .begin = 3, .end = 3};
            x.dims[2 + d] = w.size;
            kernel[d] = w.kernel;
            strides[d] = w.stride;
            dilations[d] = w.dilation;
            pads[d] = w.begin;
            pads[spatial + d] = w.end;
        }
        KernelTest test = {.op = i % 2 ? "MaxPool" : "AveragePool",
                           .opset = 22,
                           .attrs = {ints("kernel_shape", kernel, spatial), ints("strides", strides, spatial),
                                     ints("dilations", dilations, spatial), ints("pads", pads, 2 * spatial),
                                     attr_int("ceil_mode", random_below(&seed, 2))},
                           .inputs = {x},
                           .n_inputs = 1,
                           .with_nan = i % 5 == 0,
                           .must_accept = true,
                           .seed = (uint64_t)i};
        if (i % 2 == 0)
            test.attrs[5] = attr_int("count_include_pad", random_below(&seed, 2));
        kernel_test_check(test);
        if (i % 2) { /* with Indices, of which not every kernel takes windows larger than the input */
            test.n_outputs = 2;
            test.must_accept = false;
            kernel_test_check(test);
        }
    }
}

/* Negative pads crop, but a window that is rounded up reaches into the crop. */
static void averages_over_a_crop(void **state) {
    (void)state;
    static const int64_t sizes[] = {1, 5, 6, 40}, kernels[] = {1, 2, 3, 4};
    for (int i = 0; i < 4; i++)
        for (int k = 0; k < 4; k++)
            for (int include = 0; include < 2; include++)
                kernel_test_check(
                    (KernelTest){.op = "AveragePool",
                                 .opset = 22,
                                 .attrs = {attr_ints("kernel_shape", i ? kernels[k] : 1),
                                           attr_ints("strides", 3), attr_ints("pads", 0, -1),
                                           attr_int("ceil_mode", 1), attr_int("count_include_pad", include)},
                                 .inputs = {DIMS(1, 3, sizes[i])},
                                 .n_inputs = 1,
                                 .must_accept = true,
                                 .seed = (uint64_t)k});
}

int window_kernel_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(convolutions),
        cmocka_unit_test(convolutions_of_three_by_three),
        cmocka_unit_test(grouped_convolutions),
        cmocka_unit_test(transposed_convolutions),
        cmocka_unit_test(pools),
        cmocka_unit_test(averages_over_a_crop),
    };
    return cmocka_run_group_tests_name("windows beyond the input", tests, NULL, NULL);
}

void window_kernel_times(void) {}
