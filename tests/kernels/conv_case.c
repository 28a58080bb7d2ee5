/* SPDX-License-Identifier: Apache-2.0 */
#include "conv_case.h"

#include <math.h>

static int64_t out_size(const ConvCase *conv, int i) {
    const int64_t pads = conv->pads[i] + conv->pads[conv->spatial + i],
                  span = conv->dilations[i] * (conv->kernel[i] - 1) + 1;
    if (conv->transposed)
        return conv->strides[i] * (conv->size[i] - 1) + conv->output_padding[i] + span - pads;
    return (conv->size[i] + pads - span) / conv->strides[i] + 1;
}

static Shape with_channels(const ConvCase *conv, int64_t first, int64_t second, const int64_t *sizes) {
    Shape shape = {.rank = 2 + conv->spatial, .dims = {first, second}};
    for (int i = 0; i < conv->spatial; i++)
        shape.dims[2 + i] = sizes[i];
    return shape;
}

static Attr ints(const char *name, const int64_t *values, int count) {
    return (Attr){.name = name, .kind = ATTR_INTS, .ints = (int64_t *)values, .count = (size_t)count};
}

KernelTest conv_case_test(const ConvCase *conv, uint64_t seed) {
    const int n = conv->spatial;
    double products = (double)(conv->in / conv->group);
    for (int i = 0; i < n; i++)
        products *= (double)conv->kernel[i];
    /* Products of numbers in [-1, 1] have a variance of 1/9; five deviations are about the largest sum. */
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
                       .varying = 6,
                       .atol = 2e-5 + 5e-7 * peak,
                       .rtol = 1e-5,
                       .peak = peak,
                       .must_accept = true,
                       .seed = seed};
    if (conv->transposed)
        test.attrs[5] = ints("output_padding", conv->output_padding, n);
    return test;
}

void conv_case_fuse(KernelTest *test, const ConvCase *conv, bool with_residual, uint64_t seed) {
    int64_t sizes[3] = {0};
    for (int i = 0; i < conv->spatial; i++)
        sizes[i] = out_size(conv, i);
    const bool is_scaled = random_below(&seed, 4) != 0, residual_last = random_below(&seed, 2) != 0;
    const Unary activation = {(UnaryKind)random_below(&seed, UNARY_ACTIVATIONS), 0.125f, 0.75f};
    const Shape residual = with_channels(conv, conv->batch, conv->out, sizes);
    if (is_scaled) { /* as passes leave it, in the place of a bias of its own */
        test->absent |= 1u << CONV_B;
        kernel_test_add_operand(test, POST_SCALE, DIMS(conv->out));
        kernel_test_add_operand(test, POST_BIAS, DIMS(conv->out));
        test->varying |= 1u << (test->n_inputs - 1);
    }
    if (with_residual && !residual_last)
        kernel_test_add_operand(test, POST_RESIDUAL, residual);
    if (activation.kind != UNARY_NONE)
        kernel_test_add_activation(test, activation);
    if (with_residual && residual_last)
        kernel_test_add_operand(test, POST_RESIDUAL, residual);
}

ConvCase conv_case_random(int spatial, const int64_t *largest, int64_t largest_kernel, uint64_t *seed) {
    ConvCase conv = {.spatial = spatial,
                     .batch = 1 + random_below(seed, 2),
                     .in = test_channels[random_below(seed, N_TEST_CHANNELS)],
                     .out = test_channels[random_below(seed, N_TEST_CHANNELS)] + 32 * random_below(seed, 2),
                     .group = 1};
    const bool square = random_below(seed, 2) != 0;
    for (int i = 0; i < spatial; i++) {
        conv.kernel[i] = random_below(seed, 3) == 0 ? 1 : 1 + random_below(seed, largest_kernel);
        conv.kernel[i] = square ? conv.kernel[0] : conv.kernel[i];
        conv.strides[i] = random_below(seed, 2) ? 1 : 1 + random_below(seed, 3);
        conv.dilations[i] = random_below(seed, 3) ? 1 : 1 + random_below(seed, 3);
        conv.pads[i] = random_below(seed, 3);
        conv.pads[spatial + i] = random_below(seed, 2) ? conv.pads[i] : random_below(seed, 3);
        const int64_t min_size = conv.dilations[i] * (conv.kernel[i] - 1) + 1;
        conv.size[i] = 1 + random_below(seed, largest[i]);
        conv.size[i] = conv.size[i] < min_size ? min_size : conv.size[i];
    }
    return conv;
}
