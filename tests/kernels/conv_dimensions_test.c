/* SPDX-License-Identifier: Apache-2.0 */
/* Convolutions in one and three dimensions. */
#include "conv_case.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

/* Plain, and with what passes add. */
static void check(const ConvCase *conv, uint64_t seed) {
    KernelTest test = conv_case_test(conv, seed);
    if (seed % 2)
        conv_case_fuse(&test, conv, seed % 4 == 1, seed * 12345);
    kernel_test_check(test);
}

/* No dimension is larger than `largest`. */
static ConvCase random_conv(int spatial, int64_t largest, uint64_t *seed) {
    const int64_t sizes[3] = {largest, largest, largest};
    return conv_case_random(spatial, sizes, spatial == 1 ? 12 : 4, seed);
}

static void random_volumes(void **state) {
    (void)state;
    uint64_t seed = 31;
    for (int i = 0; i < 120; i++) {
        const ConvCase conv = random_conv(3, 9, &seed);
        check(&conv, (uint64_t)i);
    }
}

/* Around what chunks of a long row hold, strided and not. */
static void random_rows(void **state) {
    (void)state;
    uint64_t seed = 32;
    for (int i = 0; i < 120; i++) {
        const ConvCase conv = random_conv(1, i % 4 ? 150 : 1700, &seed);
        check(&conv, (uint64_t)i);
    }
}

/* The kernels of (2+1)-dimensional networks and of shortcuts: each dimension touched or left alone. */
static void kernels_of_some_dimensions(void **state) {
    (void)state;
    uint64_t seed = 33;
    for (int touched = 0; touched < 8; touched++)
        for (int strided = 0; strided < 8; strided++) {
            ConvCase conv = {.spatial = 3, .batch = 2, .in = 20, .out = 33, .group = 1};
            for (int i = 0; i < 3; i++) {
                conv.kernel[i] = touched >> i & 1 ? 3 : 1;
                conv.pads[i] = conv.pads[3 + i] = conv.kernel[i] / 2;
                conv.strides[i] = 1 + (strided >> i & 1);
                conv.dilations[i] = 1;
                conv.size[i] = 1 + random_below(&seed, 8);
            }
            check(&conv, (uint64_t)(touched * 8 + strided));
        }
}

/* Steps in depth of which some, or all, see padding only. */
static void depths_on_padding(void **state) {
    (void)state;
    for (int64_t dilation = 1; dilation < 8; dilation++)
        for (int64_t pad = 0; pad < 20; pad += 5) {
            ConvCase conv = {.spatial = 3,
                             .batch = 1,
                             .in = 17,
                             .out = 20,
                             .group = 1,
                             .size = {2 * dilation + 1, 4, 5},
                             .kernel = {3, 1 + pad % 2 * 2, 1 + dilation % 2 * 2},
                             .strides = {1 + dilation % 3, 1, 1},
                             .dilations = {dilation, 1, 1},
                             .pads = {pad, 1, 1, pad / 2, 1, 1}};
            check(&conv, (uint64_t)(dilation + pad));
            conv.in = conv.out = conv.group = 17;
            check(&conv, (uint64_t)(dilation + pad));
        }
}

static void dilated_and_causal_rows(void **state) {
    (void)state;
    for (int64_t dilation = 1; dilation <= 256; dilation *= 4)
        for (int64_t kernel = 2; kernel <= 3; kernel++)
            for (int64_t size = 40; size < 700; size += 301) {
                const ConvCase conv = {.spatial = 1,
                                       .batch = 1 + kernel % 2,
                                       .in = 17,
                                       .out = 40,
                                       .group = 1,
                                       .size = {size},
                                       .kernel = {kernel},
                                       .strides = {1},
                                       .dilations = {dilation},
                                       .pads = {dilation * (kernel - 1), 0}};
                check(&conv, (uint64_t)(dilation + size));
            }
}

static void groups(void **state) {
    (void)state;
    static const int64_t shapes[][3] = {{2, 8, 8},   {4, 64, 64}, {3, 9, 6},
                                        {5, 20, 20}, {4, 32, 32}, {2, 32, 64}};
    uint64_t seed = 34;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int k = 0; k < 8; k++) {
            ConvCase conv = random_conv(k % 2 ? 3 : 1, k % 2 ? 8 : 200, &seed);
            conv.group = shapes[i][0];
            conv.in = shapes[i][1];
            conv.out = shapes[i][2];
            check(&conv, (uint64_t)k);
        }
}

static void depthwise(void **state) {
    (void)state;
    uint64_t seed = 35;
    for (int c = 0; c < N_TEST_CHANNELS; c++)
        for (int k = 0; k < 8; k++) {
            ConvCase conv = random_conv(k % 4 ? 3 : 1, k % 4 ? 12 : 90, &seed);
            for (int i = 0; i < conv.spatial && k > 4; i++) {
                conv.kernel[i] = 3;
                conv.strides[i] = 1 + (i && k == 6);
                conv.dilations[i] = 1;
                conv.pads[i] = conv.pads[3 + i] = 1;
            }
            conv.in = conv.out = conv.group = test_channels[c];
            check(&conv, (uint64_t)(c + k));
        }
}

/* A NaN or an infinity in one channel must not reach the lanes after the last one. */
static void padding_lanes_stay_zero(void **state) {
    (void)state;
    for (int c = 0; c < N_TEST_CHANNELS; c++)
        for (int kind = 0; kind < 4; kind++) {
            const int64_t channels = test_channels[c];
            const ConvCase conv = {.spatial = 3,
                                   .batch = 1,
                                   .in = channels,
                                   .out = channels,
                                   .group = kind == 1 ? channels : 1,
                                   .size = {4, 5, 6},
                                   .kernel = {3, kind == 2 ? 1 : 3, kind == 2 ? 1 : 3},
                                   .strides = {1, 1, 1},
                                   .dilations = {1, 1, 1},
                                   .pads = {1, kind != 2, kind != 2, 1, kind != 2, kind != 2},
                                   .transposed = kind == 3};
            KernelTest test = conv_case_test(&conv, (uint64_t)c);
            test.with_nan = 1;
            test.only_padding = kind == 1 || kind == 3;
            kernel_test_check(test);
        }
}

/* Wherever dimensions of one element stand, and padded beyond it. */
static void dimensions_of_one(void **state) {
    (void)state;
    uint64_t seed = 37;
    for (int i = 0; i < 64; i++) {
        ConvCase conv = random_conv(3, 40, &seed);
        conv.transposed = i >= 32;
        for (int d = 0; d < 3; d++) {
            conv.dilations[d] = 1;
            conv.pads[d] = conv.pads[3 + d] = conv.transposed ? 0 : conv.pads[d] / 2;
            if (i >> d & 1) {
                conv.size[d] = conv.kernel[d] = 1;
                conv.pads[3 + d] = 0;
            }
        }
        check(&conv, (uint64_t)i);
    }
}

/* Groups that are parts of vectors, vectors, and neither. */
static void transposed_groups(void **state) {
    (void)state;
    static const int64_t channels[][3] = {{5, 10, 10}, {8, 32, 32}, {5, 40, 40},  {3, 48, 48},
                                          {2, 64, 64}, {3, 66, 33}, {70, 70, 70}, {4, 8, 16}};
    uint64_t seed = 38;
    for (size_t i = 0; i < sizeof channels / sizeof *channels; i++)
        for (int k = 0; k < 4; k++) {
            const int64_t dilation = 1 + k / 2;
            ConvCase conv = {.spatial = 2,
                             .batch = 2,
                             .in = channels[i][1],
                             .out = channels[i][2],
                             .group = channels[i][0],
                             .size = {2 + random_below(&seed, 8), 2 + random_below(&seed, 30)},
                             .kernel = {1 + random_below(&seed, 5), 1 + random_below(&seed, 5)},
                             .strides = {1 + k % 2, 1 + k},
                             .dilations = {dilation, dilation},
                             .transposed = true};
            check(&conv, (uint64_t)k + i);
        }
}

/* Several row tiles, rows longer than a chunk, and pads of either sign. */
static void transposed_to_few_channels(void **state) {
    (void)state;
    uint64_t seed = 39;
    for (int i = 0; i < 48; i++) {
        ConvCase conv = {.spatial = 2,
                         .batch = 1 + i % 2,
                         .in = 1 + random_below(&seed, 40),
                         .out = 1 + i % 5,
                         .group = 1,
                         .size = {2 + random_below(&seed, 30), 1 + random_below(&seed, 90)},
                         .transposed = true};
        for (int d = 0; d < 2; d++) {
            conv.kernel[d] = 1 + random_below(&seed, 6);
            conv.strides[d] = 1 + random_below(&seed, 4);
            conv.dilations[d] = i % 3 ? 1 : 1 + random_below(&seed, 4);
            conv.pads[d] = random_below(&seed, (conv.kernel[d] + 1) / 2) - (i % 8 == 0);
            conv.pads[2 + d] = random_below(&seed, (conv.kernel[d] + 1) / 2);
        }
        check(&conv, (uint64_t)i);
    }
}

static void transposed(void **state) {
    (void)state;
    uint64_t seed = 36;
    for (int i = 0; i < 120; i++) {
        ConvCase conv = random_conv(i % 3 ? 3 : 1, i % 3 ? 6 : 300, &seed);
        conv.transposed = true;
        if (i % 6 == 5)
            conv.group = conv.out = conv.in;
        for (int d = 0; d < conv.spatial; d++) {
            conv.dilations[d] = i % 4 ? 1 : 1 + random_below(&seed, conv.spatial == 1 ? 90 : 6);
            conv.kernel[d] = 1 + random_below(&seed, conv.spatial == 1 ? 16 : 4);
            conv.pads[d] = random_below(&seed, (conv.kernel[d] + 1) / 2);
            conv.pads[conv.spatial + d] = conv.pads[d];
            conv.output_padding[d] = conv.strides[d] > 1 ? random_below(&seed, 2) : 0;
            conv.size[d] += 1;
        }
        check(&conv, (uint64_t)i);
    }
}

int conv_dimensions_kernel_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_volumes),
        cmocka_unit_test(random_rows),
        cmocka_unit_test(kernels_of_some_dimensions),
        cmocka_unit_test(depths_on_padding),
        cmocka_unit_test(dilated_and_causal_rows),
        cmocka_unit_test(groups),
        cmocka_unit_test(depthwise),
        cmocka_unit_test(padding_lanes_stay_zero),
        cmocka_unit_test(dimensions_of_one),
        cmocka_unit_test(transposed),
        cmocka_unit_test(transposed_groups),
        cmocka_unit_test(transposed_to_few_channels),
    };
    return cmocka_run_group_tests_name("convolutions in one and three dimensions", tests, NULL, NULL);
}

static void time_volume(const char *model, int64_t in, int64_t out, int64_t group, int64_t depth,
                        int64_t size, int64_t kernel_z, int64_t kernel, int64_t stride) {
    const ConvCase conv = {
        .spatial = 3,
        .batch = 1,
        .in = in,
        .out = out,
        .group = group,
        .size = {depth, size, size},
        .kernel = {kernel_z, kernel, kernel},
        .strides = {stride, stride, stride},
        .dilations = {1, 1, 1},
        .pads = {kernel_z / 2, kernel / 2, kernel / 2, kernel_z / 2, kernel / 2, kernel / 2}};
    char label[80];
    snprintf(label, sizeof label, "%s %lld->%lld %lldx%lldx%lld %lldx%lldx%lld/%lld%s", model, (long long)in,
             (long long)out, (long long)depth, (long long)size, (long long)size, (long long)kernel_z,
             (long long)kernel, (long long)kernel, (long long)stride, group > 1 ? " grouped" : "");
    kernel_test_time(conv_case_test(&conv, 0), label);
}

static void time_row(const char *model, int64_t in, int64_t out, int64_t size, int64_t kernel,
                     int64_t dilation, int64_t stride) {
    const ConvCase conv = {.spatial = 1,
                           .batch = 1,
                           .in = in,
                           .out = out,
                           .group = 1,
                           .size = {size},
                           .kernel = {kernel},
                           .strides = {stride},
                           .dilations = {dilation},
                           .pads = {kernel / 2 * dilation, kernel / 2 * dilation}};
    char label[80];
    snprintf(label, sizeof label, "%s %lld->%lld %lld %lld/%lld dilation %lld", model, (long long)in,
             (long long)out, (long long)size, (long long)kernel, (long long)stride, (long long)dilation);
    kernel_test_time(conv_case_test(&conv, 0), label);
}

void conv_dimensions_kernel_times(void) {
    time_volume("r3d", 64, 64, 1, 8, 56, 3, 3, 1);
    time_volume("r3d", 64, 128, 1, 8, 56, 3, 3, 2);
    time_volume("r3d", 128, 128, 1, 4, 28, 3, 3, 1);
    time_volume("r3d", 256, 256, 1, 2, 14, 3, 3, 1);
    time_volume("r3d", 512, 512, 1, 1, 7, 3, 3, 1);
    time_volume("r3d", 64, 128, 1, 8, 56, 1, 1, 2);
    time_volume("r2plus1d", 64, 144, 1, 8, 56, 1, 3, 1);
    time_volume("r2plus1d", 144, 64, 1, 8, 56, 3, 1, 1);
    time_volume("x3d", 108, 108, 108, 8, 28, 3, 3, 1);
    time_volume("unet3d", 16, 16, 1, 32, 64, 3, 3, 1);
    time_row("hifigan", 64, 64, 512, 7, 3, 1);
    time_row("hifigan", 16, 16, 8192, 11, 5, 1);
    time_row("m5", 1, 64, 16000, 80, 1, 4);
    time_row("audio", 64, 128, 16000, 3, 1, 2);
}
