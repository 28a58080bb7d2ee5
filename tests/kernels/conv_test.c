/* SPDX-License-Identifier: Apache-2.0 */
#include "conv_case.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static ConvCase random_conv(uint64_t *seed) {
    return conv_case_random(2, (const int64_t[]){20, 40}, 5, seed);
}

static void random_shapes(void **state) {
    (void)state;
    uint64_t seed = 1;
    for (int i = 0; i < 150; i++) {
        ConvCase conv = random_conv(&seed);
        KernelTest test = conv_case_test(&conv, (uint64_t)i);
        test.absent = random_below(&seed, 4) ? 0 : 4;
        test.constants &= ~test.absent;
        kernel_test_check(test);
    }
}

static void random_epilogues(void **state) {
    (void)state;
    uint64_t seed = 2;
    for (int i = 0; i < 100; i++) {
        ConvCase conv = random_conv(&seed);
        KernelTest test = conv_case_test(&conv, (uint64_t)i);
        conv_case_fuse(&test, &conv, random_below(&seed, 2) != 0, (uint64_t)i * 12345);
        kernel_test_check(test);
    }
}

static void groups(void **state) {
    (void)state;
    static const int64_t shapes[][3] = {{2, 8, 8},    {2, 32, 64},  {4, 64, 64},  {3, 9, 6},
                                        {8, 8, 8},    {16, 16, 16}, {17, 17, 17}, {48, 48, 48},
                                        {16, 16, 32}, {5, 5, 15},   {4, 60, 20},  {32, 128, 128}};
    uint64_t seed = 3;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int k = 0; k < 8; k++) {
            ConvCase conv = random_conv(&seed);
            conv.group = shapes[i][0];
            conv.in = shapes[i][1];
            conv.out = shapes[i][2];
            KernelTest test = conv_case_test(&conv, (uint64_t)k);
            if (k % 2)
                conv_case_fuse(&test, &conv, k % 4 == 1, (uint64_t)k * 777);
            kernel_test_check(test);
        }
}

static void depthwise(void **state) {
    (void)state;
    static const int64_t kernels[] = {3, 5, 7, 3, 2};
    uint64_t seed = 4;
    for (int c = 0; c < N_TEST_CHANNELS; c++)
        for (int k = 0; k < 5; k++)
            for (int stride = 1; stride <= 2; stride++) {
                int64_t n = kernels[k], channels = test_channels[c];
                ConvCase conv = {.spatial = 2,
                                 .batch = 1 + random_below(&seed, 2),
                                 .in = channels,
                                 .out = channels,
                                 .group = channels,
                                 .size = {n + random_below(&seed, 9), n + random_below(&seed, 19)},
                                 .kernel = {n, n},
                                 .strides = {stride, stride},
                                 .dilations = {1, 1},
                                 .pads = {n / 2, n / 2, n / 2, n / 2}};
                KernelTest test = conv_case_test(&conv, (uint64_t)k);
                if (k == 3)
                    conv_case_fuse(&test, &conv, true, (uint64_t)(k + c) * 99);
                kernel_test_check(test);
            }
}

/* Groups of a few channels, of which several share a vector, also where the last vector is not full. */
static void groups_within_vectors(void **state) {
    (void)state;
    uint64_t seed = 17;
    for (int64_t group = 2; group <= 8; group *= 2)
        for (int i = 0; i < 12; i++) {
            ConvCase conv = random_conv(&seed);
            conv.group = 1 + random_below(&seed, 9);
            conv.in = conv.out = group * conv.group;
            for (int d = 0; d < 2; d++)
                conv.strides[d] = 1 + i % 2;
            KernelTest test = conv_case_test(&conv, (uint64_t)i);
            kernel_test_check(test);
            conv_case_fuse(&test, &conv, i % 3 == 0, (uint64_t)(i * group));
            kernel_test_check(test);
        }
}

/* A NaN or an infinity in one channel must not reach the lanes after the last one. */
static void padding_lanes_stay_zero(void **state) {
    (void)state;
    for (int c = 0; c < N_TEST_CHANNELS; c++)
        for (int depthwise_too = 0; depthwise_too < 2; depthwise_too++) {
            int64_t channels = test_channels[c];
            ConvCase conv = {.spatial = 2,
                             .batch = 1,
                             .in = channels,
                             .out = channels,
                             .group = depthwise_too ? channels : 1,
                             .size = {6, 7},
                             .kernel = {3, 3},
                             .strides = {1, 1},
                             .dilations = {1, 1},
                             .pads = {1, 1, 1, 1}};
            KernelTest test = conv_case_test(&conv, 0);
            test.with_nan = 1;
            /* Groups that share a vector are kept apart by zero weights, which an infinity passes as NaN. */
            test.only_padding = depthwise_too;
            kernel_test_check(test);
            conv_case_fuse(&test, &conv, true, (uint64_t)c);
            kernel_test_check(test);
        }
}

/* Winograd's blockings of the work: few and many tiles, weights in one chunk and in several, several images,
 * edges of every width. */
/* Of one, two and more partial sums, the last one of any length. */
static void long_sums(void **state) {
    (void)state;
    static const int64_t channels[] = {120, 128, 129, 257, 400};
    for (size_t i = 0; i < sizeof channels / sizeof *channels; i++)
        for (int64_t kernel = 1; kernel <= 3; kernel += 2)
            for (int transposed = 0; transposed < 2; transposed++) {
                ConvCase conv = {.spatial = 2,
                                 .batch = 1,
                                 .in = channels[i],
                                 .out = 40,
                                 .group = 1,
                                 .size = {5, 9},
                                 .kernel = {kernel, kernel},
                                 .strides = {1, 1},
                                 .dilations = {1, 1},
                                 .pads = {1, 1, 1, 1},
                                 .transposed = transposed};
                KernelTest test = conv_case_test(&conv, i);
                conv_case_fuse(&test, &conv, kernel == 1, i);
                kernel_test_check(test);
            }
}

static void winograd(void **state) {
    (void)state;
    static const int64_t shapes[][5] = {{1, 16, 32, 7, 7},    {1, 40, 24, 31, 33},  {2, 33, 20, 13, 14},
                                        {1, 3, 70, 20, 65},   {3, 200, 17, 9, 8},   {1, 17, 64, 60, 62},
                                        {1, 300, 40, 14, 14}, {1, 16, 16, 100, 97}, {1, 1, 1, 3, 3}};
    for (size_t i = 0; i < 2 * sizeof shapes / sizeof *shapes; i++)
        for (int64_t pad = 0; pad < 6; pad++) {
            const int64_t *shape = shapes[i / 2], stride = 1 + (int64_t)i % 2;
            ConvCase conv = {.spatial = 2,
                             .batch = shape[0],
                             .in = shape[1],
                             .out = shape[2],
                             .group = 1,
                             .size = {shape[3] + pad, shape[4] + pad / 2 * 2},
                             .kernel = {3, 3},
                             .strides = {stride, stride},
                             .dilations = {1, 1},
                             .pads = {pad > 1, 1, pad / 3, pad % 3}};
            KernelTest test = conv_case_test(&conv, i * 10 + (uint64_t)pad);
            if (pad % 2)
                conv_case_fuse(&test, &conv, pad > 2, i + (uint64_t)pad);
            kernel_test_check(test);
        }
}

/* Winograd along the rows of plain input: phases of one to four taps, rows that are no multiple of a tile,
 * and shorter than one. */
static void winograd_along_rows(void **state) {
    (void)state;
    static const int64_t kernels[][3] = {{3, 3, 1}, {4, 4, 1}, {2, 2, 1}, {7, 7, 2},   {5, 6, 2}, {1, 8, 2},
                                         {3, 3, 2}, {2, 5, 3}, {3, 9, 3}, {11, 11, 4}, {4, 4, 4}, {2, 13, 4}};
    static const int64_t channels[] = {3, 1, 4, 2, 7};
    for (uint64_t i = 0; i < 6 * sizeof kernels / sizeof *kernels; i++) {
        const int64_t *kernel = kernels[i / 6], more = (int64_t)(i % 6);
        ConvCase conv = {.spatial = 2,
                         .batch = 1 + more % 2,
                         .in = channels[i % 5],
                         .out = 9 + 13 * more,
                         .group = 1,
                         .size = {2 * kernel[0] + 5 + more, kernel[1] + 11 * more},
                         .kernel = {kernel[0], kernel[1]},
                         .strides = {1 + more % 3, kernel[2]},
                         .dilations = {1 + more % 2, 1},
                         .pads = {more / 2, more, 1, more / 3}};
        KernelTest test = conv_case_test(&conv, i);
        if (more % 2)
            conv_case_fuse(&test, &conv, more > 2, i);
        kernel_test_check(test);
    }
}

/* With dilations each phase is an image of its own, and some phases have fewer pixels, or none in a tile. */
static void winograd_with_dilations(void **state) {
    (void)state;
    for (int64_t dilation = 2; dilation < 8; dilation++)
        for (int64_t size = 7; size < 31; size += 6) {
            ConvCase conv = {.spatial = 2,
                             .batch = 2,
                             .in = 20,
                             .out = 33,
                             .group = 1,
                             .size = {size, size + dilation},
                             .kernel = {3, 3},
                             .strides = {1, 1},
                             .dilations = {dilation, dilation % 3 + 1},
                             .pads = {dilation, 1, dilation, dilation % 4}};
            KernelTest test = conv_case_test(&conv, (uint64_t)(size + dilation));
            if (size % 4 == 1)
                conv_case_fuse(&test, &conv, true, test.seed);
            kernel_test_check(test);
        }
}

/* Dilations near and beyond the image's size, so that some taps, or all in a row or column, see padding only.
 */
static void taps_on_padding(void **state) {
    (void)state;
    for (int64_t dilation = 3; dilation < 40; dilation += 6)
        for (int64_t size = 5; size < 30; size += 8) {
            ConvCase conv = {.spatial = 2,
                             .batch = 2,
                             .in = 20,
                             .out = 33,
                             .group = 1,
                             .size = {size, 33 - size},
                             .kernel = {3, 5},
                             .strides = {1, 1},
                             .dilations = {dilation, dilation / 2},
                             .pads = {dilation, dilation, dilation, dilation + 1}};
            KernelTest test = conv_case_test(&conv, (uint64_t)(size + dilation));
            kernel_test_check(test);
            conv.pads[0] = 3 * dilation; /* rows that see no tap */
            conv.kernel[1] = 1;
            conv.group = 1 + size % 2;
            conv.in = conv.out = 40;
            kernel_test_check(conv_case_test(&conv, 0));
        }
}

/* Of 1x1 kernels with strides, the pixels that they see are copied: into several chunks of a long row; once
 * for all tasks where output channels are many. */
static void sampled_pixels(void **state) {
    (void)state;
    for (int c = 0; c < N_TEST_CHANNELS; c++)
        for (int64_t stride = 1; stride <= 4; stride++) {
            ConvCase conv = {.spatial = 2,
                             .batch = 2,
                             .in = test_channels[c],
                             .out = c % 2 ? 33 : 300,
                             .group = 1,
                             .size = {9 + c, 11 * stride + c},
                             .kernel = {1, 1},
                             .strides = {stride, 1 + c % 3},
                             .dilations = {1, 1}};
            KernelTest test = conv_case_test(&conv, (uint64_t)c);
            kernel_test_check(test);
        }
}

/* Rows that few row tiles hold, for many output channels: their copies are shared. */
static void shared_copies(void **state) {
    (void)state;
    for (int c = 0; c < N_TEST_CHANNELS; c++)
        for (int64_t stride = 1; stride <= 2; stride++) {
            ConvCase conv = {.spatial = 2,
                             .batch = 1 + stride % 2,
                             .in = 2 * test_channels[c],
                             .out = 320,
                             .group = 1 + c % 2,
                             .size = {5 + c, 7},
                             .kernel = {3, 2},
                             .strides = {stride, 3 - stride},
                             .dilations = {1, 1},
                             .pads = {1, 1, 0, 2}};
            KernelTest test = conv_case_test(&conv, (uint64_t)c);
            kernel_test_check(test);
        }
}

static void one_dimension(void **state) {
    (void)state;
    for (int c = 0; c < N_TEST_CHANNELS; c++)
        kernel_test_check(
            (KernelTest){.op = "Conv",
                         .opset = 11,
                         .attrs = {attr_ints("strides", 1 + c % 2), attr_ints("pads", 1, 2)},
                         .inputs = {DIMS(2, test_channels[c], 25), DIMS(19, test_channels[c], 3)},
                         .n_inputs = 2,
                         .constants = 2,
                         .atol = 2e-5,
                         .must_accept = true});
}

static void transposed(void **state) {
    (void)state;
    uint64_t seed = 6;
    for (int i = 0; i < 120; i++) {
        ConvCase conv = random_conv(&seed);
        conv.transposed = true;
        if (i % 6 == 5) { /* each channel by itself, as upsampling does */
            conv.group = conv.in;
            conv.out = conv.in;
        }
        for (int d = 0; d < 2; d++) {
            conv.dilations[d] = i % 4 ? 1 : 1 + random_below(&seed, 12);
            conv.strides[d] = 1 + random_below(&seed, 3);
            conv.pads[d] = conv.pads[2 + d] = random_below(&seed, (conv.kernel[d] + 1) / 2);
            if (conv.strides[d] > 1)
                conv.output_padding[d] = random_below(&seed, 2);
        }
        conv.size[0] = 2 + random_below(&seed, 9);
        conv.size[1] = 2 + random_below(&seed, 30);
        KernelTest test = conv_case_test(&conv, (uint64_t)i);
        if (i % 3 == 0)
            conv_case_fuse(&test, &conv, true, (uint64_t)i * 4321);
        kernel_test_check(test);
    }
}

int conv_kernel_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(transposed),
        cmocka_unit_test(random_shapes),
        cmocka_unit_test(random_epilogues),
        cmocka_unit_test(groups),
        cmocka_unit_test(depthwise),
        cmocka_unit_test(padding_lanes_stay_zero),
        cmocka_unit_test(one_dimension),
        cmocka_unit_test(long_sums),
        cmocka_unit_test(winograd),
        cmocka_unit_test(winograd_along_rows),
        cmocka_unit_test(groups_within_vectors),
        cmocka_unit_test(winograd_with_dilations),
        cmocka_unit_test(taps_on_padding),
        cmocka_unit_test(sampled_pixels),
        cmocka_unit_test(shared_copies),
    };
    return cmocka_run_group_tests_name("convolution kernels", tests, NULL, NULL);
}

typedef struct TimedLayer {
    const char *model;
    int64_t in, out, group, size, kernel, stride;
} TimedLayer;

static void time_conv(const TimedLayer *layer, bool with_run_weights) {
    const int64_t kernel = layer->kernel, in = layer->in, out = layer->out, size = layer->size,
                  stride = layer->stride;
    int64_t pad = kernel / 2;
    ConvCase conv = {.spatial = 2,
                     .batch = 1,
                     .in = in,
                     .out = out,
                     .group = layer->group,
                     .size = {size, size},
                     .kernel = {kernel, kernel},
                     .strides = {stride, stride},
                     .dilations = {1, 1},
                     .pads = {pad, pad, pad, pad}};
    char label[80];
    snprintf(label, sizeof label, "%s %lld->%lld %lldx%lld %lldx%lld/%lld%s%s", layer->model, (long long)in,
             (long long)out, (long long)size, (long long)size, (long long)kernel, (long long)kernel,
             (long long)stride, layer->group > 1 ? " grouped" : "", with_run_weights ? " run" : "");
    KernelTest test = conv_case_test(&conv, 0);
    if (with_run_weights)
        test.constants = 1u << CONV_B;
    kernel_test_time(test, label);
}

void conv_kernel_times(void) {
    static const TimedLayer layers[] = {
        {"resnet", 3, 64, 1, 224, 7, 2},
        {"resnet", 64, 64, 1, 56, 1, 1},
        {"resnet", 64, 64, 1, 56, 3, 1},
        {"resnet", 64, 256, 1, 56, 1, 1},
        {"resnet", 256, 64, 1, 56, 1, 1},
        {"resnet", 128, 128, 1, 56, 3, 2},
        {"resnet", 128, 128, 1, 28, 3, 1},
        {"resnet", 256, 512, 1, 56, 1, 2},
        {"resnet", 512, 128, 1, 28, 1, 1},
        {"resnet", 256, 256, 1, 28, 3, 2},
        {"resnet", 256, 256, 1, 14, 3, 1},
        {"resnet", 256, 1024, 1, 14, 1, 1},
        {"resnet", 1024, 256, 1, 14, 1, 1},
        {"resnet", 512, 512, 1, 14, 3, 2},
        {"resnet", 512, 512, 1, 7, 3, 1},
        {"resnet", 512, 2048, 1, 7, 1, 1},
        {"resnet", 2048, 512, 1, 7, 1, 1},
        {"resnet", 1024, 2048, 1, 14, 1, 2},
        {"mobilenet", 3, 32, 1, 224, 3, 2},
        {"mobilenet", 32, 32, 32, 112, 3, 1},
        {"mobilenet", 32, 16, 1, 112, 1, 1},
        {"mobilenet", 16, 96, 1, 112, 1, 1},
        {"mobilenet", 96, 96, 96, 112, 3, 2},
        {"mobilenet", 96, 24, 1, 56, 1, 1},
        {"mobilenet", 144, 144, 144, 56, 3, 1},
        {"mobilenet", 144, 24, 1, 56, 1, 1},
        {"mobilenet", 192, 192, 192, 28, 3, 1},
        {"mobilenet", 32, 192, 1, 28, 1, 1},
        {"mobilenet", 384, 64, 1, 14, 1, 1},
        {"mobilenet", 384, 384, 384, 14, 3, 1},
        {"mobilenet", 160, 960, 1, 7, 1, 1},
        {"mobilenet", 960, 960, 960, 7, 3, 1},
        {"mobilenet", 960, 320, 1, 7, 1, 1},
        {"mobilenet", 320, 1280, 1, 7, 1, 1},
        {"efficientnet", 240, 240, 240, 28, 5, 2},
        {"efficientnet", 672, 672, 672, 14, 5, 1},
        {"vgg", 64, 64, 1, 224, 3, 1},
        {"vgg", 256, 256, 1, 56, 3, 1},
        {"resnext", 128, 128, 32, 56, 3, 1},
    };
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++)
        time_conv(&layers[i], false);
    /* Weights that are packed in each run. */
    static const TimedLayer run_layers[] = {
        {"dynamic", 256, 256, 1, 64, 3, 1},    {"dynamic", 64, 64, 1, 56, 3, 1},
        {"dynamic", 512, 512, 1, 7, 3, 1},     {"dynamic", 256, 1024, 1, 14, 1, 1},
        {"dynamic", 256, 256, 4, 28, 3, 1},    {"dynamic", 128, 128, 32, 28, 3, 1},
        {"siamese", 256, 256, 256, 29, 5, 1},  {"siamese", 256, 16, 1, 22, 5, 1},
        {"hypernetwork", 3, 64, 1, 112, 3, 1}, {"hypernetwork", 512, 64, 1, 8, 1, 1},
    };
    for (size_t i = 0; i < sizeof run_layers / sizeof *run_layers; i++) {
        time_conv(&run_layers[i], false);
        time_conv(&run_layers[i], true);
    }
}
