/* SPDX-License-Identifier: Apache-2.0 */
/* Convolutions in one and three dimensions. */
#include "kernel_test.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

typedef struct Conv {
    int spatial; /* 1 or 3; the numbers below are of so many dimensions */
    int64_t batch, in, out, group;
    int64_t size[3], kernel[3], strides[3], dilations[3], pads[6]; /* begins, then ends */
    int64_t output_padding[3];                                     /* transposed */
    bool transposed;
} Conv;

static int64_t out_size(const Conv *conv, int i) {
    const int64_t pads = conv->pads[i] + conv->pads[conv->spatial + i],
                  reach = conv->dilations[i] * (conv->kernel[i] - 1) + 1;
    if (conv->transposed)
        return conv->strides[i] * (conv->size[i] - 1) + conv->output_padding[i] + reach - pads;
    return (conv->size[i] + pads - reach) / conv->strides[i] + 1;
}

static Shape with_channels(const Conv *conv, int64_t first, int64_t second, const int64_t *sizes) {
    Shape shape = {.rank = 2 + conv->spatial, .dims = {first, second}};
    for (int i = 0; i < conv->spatial; i++)
        shape.dims[2 + i] = sizes[i];
    return shape;
}

static Attr ints(const char *name, const int64_t *values, int count) {
    return (Attr){.name = name, .kind = ATTR_INTS, .ints = (int64_t *)values, .count = (size_t)count};
}

static KernelTest test_of(const Conv *conv, uint64_t seed) {
    const int n = conv->spatial;
    double products = (double)(conv->in / conv->group);
    for (int i = 0; i < n; i++)
        products *= (double)conv->kernel[i];
    /* As in conv_test.c: about the largest sum. */
    const double peak = 5.0 / 3 * sqrt(products);
    KernelTest test = {.op = conv->transposed ? "ConvTranspose" : "Conv",
                       .opset = 11,
                       .attrs = {ints("kernel_shape", conv->kernel, n), ints("strides", conv->strides, n),
                                 ints("dilations", conv->dilations, n), ints("pads", conv->pads, 2 * n),
                                 attr_int("group", conv->group)},
                       .inputs = {with_channels(conv, conv->batch, conv->in, conv->size),
                                  conv->transposed
                                      ? with_channels(conv, conv->in, conv->out / conv->group, conv->kernel)
                                      : with_channels(conv, conv->out, conv->in / conv->group, conv->kernel),
                                  DIMS(conv->out)},
                       .n_inputs = 3,
                       .constants = 6,
                       .atol = 2e-5 + 5e-7 * peak,
                       .rtol = 1e-5,
                       .peak = peak,
                       .must_accept = true,
                       .seed = seed};
    if (conv->transposed)
        test.attrs[5] = ints("output_padding", conv->output_padding, n);
    return test;
}

static uint64_t epilogue_seed;

static void random_epilogue(Node *node) {
    ConvAttrs *attrs = node->attrs;
    uint64_t *seed = &epilogue_seed;
    attrs->epilogue.has_residual = node->n_inputs > CONV_RESIDUAL;
    attrs->epilogue.residual_last = random_below(seed, 2) != 0;
    attrs->epilogue.activation =
        (Activation){(ActivationKind)random_below(seed, ACTIVATION_COUNT), 0.125f, 0.75f};
}

/* What passes make of it: a scale, a residual of the output's shape, an activation. */
static void add_fused_inputs(KernelTest *test, const Conv *conv, bool with_residual, uint64_t seed) {
    int64_t sizes[3] = {0};
    for (int i = 0; i < conv->spatial; i++)
        sizes[i] = out_size(conv, i);
    test->inputs[CONV_SCALE] = DIMS(conv->out);
    test->inputs[CONV_RESIDUAL] = with_channels(conv, conv->batch, conv->out, sizes);
    test->n_inputs = with_residual ? 5 : 4;
    test->constants |= 1u << CONV_SCALE;
    test->model_inputs = CONV_SCALE;
    test->adjust = random_epilogue;
    epilogue_seed = seed;
}

/* Plain, and with what passes add. */
static void check(const Conv *conv, uint64_t seed) {
    KernelTest test = test_of(conv, seed);
    if (seed % 2)
        add_fused_inputs(&test, conv, seed % 4 == 1, seed * 12345);
    kernel_test_check(test);
}

static Conv random_conv(int spatial, int64_t most_size, uint64_t *seed) {
    Conv conv = {.spatial = spatial,
                 .batch = 1 + random_below(seed, 2),
                 .in = test_channels[random_below(seed, N_TEST_CHANNELS)],
                 .out = test_channels[random_below(seed, N_TEST_CHANNELS)] + 32 * random_below(seed, 2),
                 .group = 1};
    for (int i = 0; i < spatial; i++) {
        conv.kernel[i] = random_below(seed, 3) == 0 ? 1 : 1 + random_below(seed, spatial == 1 ? 12 : 4);
        conv.strides[i] = random_below(seed, 2) ? 1 : 1 + random_below(seed, 3);
        conv.dilations[i] = random_below(seed, 3) ? 1 : 1 + random_below(seed, 3);
        conv.pads[i] = random_below(seed, 3);
        conv.pads[spatial + i] = random_below(seed, 2) ? conv.pads[i] : random_below(seed, 3);
        const int64_t least = conv.dilations[i] * (conv.kernel[i] - 1) + 1;
        conv.size[i] = 1 + random_below(seed, most_size);
        conv.size[i] = conv.size[i] < least ? least : conv.size[i];
    }
    return conv;
}

static void random_volumes(void **state) {
    (void)state;
    uint64_t seed = 31;
    for (int i = 0; i < 120; i++) {
        const Conv conv = random_conv(3, 9, &seed);
        check(&conv, (uint64_t)i);
    }
}

/* Around what pieces of a long row hold, strided and not. */
static void random_rows(void **state) {
    (void)state;
    uint64_t seed = 32;
    for (int i = 0; i < 120; i++) {
        const Conv conv = random_conv(1, i % 4 ? 150 : 1700, &seed);
        check(&conv, (uint64_t)i);
    }
}

/* The kernels of (2+1)-dimensional networks and of shortcuts: each dimension touched or left alone. */
static void kernels_of_some_dimensions(void **state) {
    (void)state;
    uint64_t seed = 33;
    for (int touched = 0; touched < 8; touched++)
        for (int strided = 0; strided < 8; strided++) {
            Conv conv = {.spatial = 3, .batch = 2, .in = 20, .out = 33, .group = 1};
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
            Conv conv = {.spatial = 3,
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
                const Conv conv = {.spatial = 1,
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
            Conv conv = random_conv(k % 2 ? 3 : 1, k % 2 ? 8 : 200, &seed);
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
            Conv conv = random_conv(k % 4 ? 3 : 1, k % 4 ? 12 : 90, &seed);
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

/* A NaN or an infinity in one channel must not reach the lanes behind the last one. */
static void padding_lanes_stay_zero(void **state) {
    (void)state;
    for (int c = 0; c < N_TEST_CHANNELS; c++)
        for (int kind = 0; kind < 4; kind++) {
            const int64_t channels = test_channels[c];
            const Conv conv = {.spatial = 3,
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
            KernelTest test = test_of(&conv, (uint64_t)c);
            test.with_nan = 1;
            test.only_padding = kind == 1 || kind == 3;
            kernel_test_check(test);
        }
}

static void transposed(void **state) {
    (void)state;
    uint64_t seed = 36;
    for (int i = 0; i < 120; i++) {
        Conv conv = random_conv(i % 3 ? 3 : 1, i % 3 ? 6 : 300, &seed);
        conv.transposed = true;
        if (i % 6 == 5)
            conv.group = conv.out = conv.in;
        for (int d = 0; d < conv.spatial; d++) {
            conv.dilations[d] = 1;
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
        cmocka_unit_test(transposed),
    };
    return cmocka_run_group_tests_name("convolutions in one and three dimensions", tests, NULL, NULL);
}

static void time_volume(const char *model, int64_t in, int64_t out, int64_t group, int64_t depth,
                        int64_t size, int64_t kernel_z, int64_t kernel, int64_t stride) {
    const Conv conv = {.spatial = 3,
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
    kernel_test_time(test_of(&conv, 0), label);
}

static void time_row(const char *model, int64_t in, int64_t out, int64_t size, int64_t kernel,
                     int64_t dilation, int64_t stride) {
    const Conv conv = {.spatial = 1,
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
    kernel_test_time(test_of(&conv, 0), label);
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
