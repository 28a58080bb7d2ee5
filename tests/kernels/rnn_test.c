/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel_test.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "ops/rnn/recurrent.h"

typedef struct Layer {
    const char *op;
    int64_t steps, batch, inputs, hidden;
    int directions;
} Layer;

enum {
    WEIGHTS = 1u << RECURRENT_W | 1u << RECURRENT_R | 1u << RECURRENT_B | 1u << RECURRENT_PEEPHOLES,
    LENGTHS = 1u << RECURRENT_LENGTHS,
};

/* With all inputs but lengths. */
static KernelTest rnn_test(const Layer *layer) {
    const bool is_lstm = strcmp(layer->op, "LSTM") == 0;
    const int64_t d = layer->directions, h = layer->hidden,
                  rows = (is_lstm                         ? 4
                          : strcmp(layer->op, "GRU") == 0 ? 3
                                                          : 1) *
                         h;
    return (KernelTest){.op = layer->op,
                        .opset = 14,
                        .attrs = {attr_string("direction", d == 2 ? "bidirectional" : "forward")},
                        .inputs = {DIMS(layer->steps, layer->batch, layer->inputs),
                                   DIMS(d, rows, layer->inputs), DIMS(d, rows, h), DIMS(d, 2 * rows),
                                   DIMS(layer->batch), DIMS(d, layer->batch, h), DIMS(d, layer->batch, h),
                                   DIMS(d, 3 * h)},
                        .n_inputs = is_lstm ? 8 : 6,
                        .n_outputs = is_lstm ? 3 : 2,
                        .absent = LENGTHS,
                        .constants = WEIGHTS,
                        .low = -0.5f,
                        .high = 0.5f,
                        .rtol = 1e-4,
                        .atol = 3e-5,
                        .must_accept = true,
                        .seed = (uint64_t)(layer->steps * 100 + h)};
}

static const char *const ops[] = {"LSTM", "GRU", "RNN"};
enum { N_OPS = sizeof ops / sizeof *ops };

static void rnn_of_all_sizes(void **state) {
    (void)state;
    static const int64_t hidden[] = {1, 3, 4, 5, 8, 15, 16, 17, 31, 33, 40}, batches[] = {1, 2, 3, 5, 7, 13},
                         steps[] = {1, 2, 5};
    uint64_t seed = 1;
    for (int i = 0; i < N_OPS; i++)
        for (size_t h = 0; h < sizeof hidden / sizeof *hidden; h++)
            for (size_t b = 0; b < sizeof batches / sizeof *batches; b++) {
                const Layer layer = {ops[i],     steps[random_below(&seed, 3)],
                                     batches[b], 1 + random_below(&seed, 20),
                                     hidden[h],  1 + (int)random_below(&seed, 2)};
                KernelTest test = rnn_test(&layer);
                if (strcmp(ops[i], "GRU") == 0)
                    test.attrs[1] = attr_int("linear_before_reset", random_below(&seed, 2));
                kernel_test_check(test);
            }
}

static void rnn_whose_weights_vary(void **state) {
    (void)state;
    for (int i = 0; i < N_OPS; i++)
        for (int resets_after = 0; resets_after < (i == 1 ? 2 : 1); resets_after++) {
            KernelTest test = rnn_test(&(Layer){ops[i], 4, 3, 10, 21, 2});
            if (i == 1)
                test.attrs[1] = attr_int("linear_before_reset", resets_after);
            static const unsigned constants[] = {0, 1u << RECURRENT_W, 1u << RECURRENT_R, 1u << RECURRENT_B};
            for (size_t c = 0; c < sizeof constants / sizeof *constants; c++) {
                test.constants = constants[c];
                kernel_test_check(test);
            }
        }
}

static void rnn_with_whatever_is_optional(void **state) {
    (void)state;
    static const int ports[] = {RECURRENT_B, RECURRENT_H, RECURRENT_C, RECURRENT_PEEPHOLES};
    for (int i = 0; i < N_OPS; i++)
        for (unsigned choice = 0; choice < 16; choice++) {
            KernelTest test = rnn_test(&(Layer){ops[i], 3, 2, 5, 19, 2});
            for (int p = 0; p < 4; p++)
                if (choice & 1u << p && ports[p] < test.n_inputs)
                    test.absent |= 1u << ports[p];
            test.constants &= ~test.absent;
            test.unused_outputs = choice & 7u >> (i > 0);
            if (choice == 15) { /* as models end lists early */
                test.n_inputs = 3;
                test.absent = 0;
                test.n_outputs = 1;
                test.unused_outputs = 0;
            }
            kernel_test_check(test);
        }
}

static void rnn_with_lengths(void **state) {
    (void)state;
    static int32_t lengths[] = {4, 0, 2, 6, 1, 6, 3};
    for (int i = 0; i < N_OPS; i++)
        for (int layout = 0; layout < 2; layout++) {
            KernelTest test = rnn_test(&(Layer){ops[i], 6, 7, 5, 19, 2});
            test.given[RECURRENT_LENGTHS] = op_test_tensor(STRIDER_I32, DIMS(7), lengths, sizeof lengths);
            test.absent = 0;
            test.constants |= layout ? LENGTHS : 0;
            if (layout) {
                test.attrs[1] = attr_int("layout", 1);
                test.inputs[RECURRENT_X] = DIMS(7, 6, 5);
                test.inputs[RECURRENT_H] = test.inputs[RECURRENT_C] = DIMS(7, 2, 19);
            }
            kernel_test_check(test);
            test.attrs[0] = attr_string("direction", "reverse");
            for (int port = RECURRENT_W; port <= RECURRENT_PEEPHOLES; port++)
                if (test.inputs[port].rank > 1)
                    test.inputs[port].dims[layout && port >= RECURRENT_H && port <= RECURRENT_C] = 1;
            kernel_test_check(test);
        }
}

static void rnn_with_every_activation(void **state) {
    (void)state;
    static const char *const names[] = {
        "Relu",       "Tanh",        "Sigmoid", "Affine",   "LeakyRelu", "ThresholdedRelu",
        "ScaledTanh", "HardSigmoid", "Elu",     "Softsign", "Softplus"};
    enum { N_NAMES = sizeof names / sizeof *names };
    for (int i = 0; i < N_OPS; i++)
        for (int n = 0; n < N_NAMES; n++) {
            const char *chosen[6];
            for (int k = 0; k < 6; k++)
                chosen[k] = names[(n + k) % N_NAMES];
            static const float numbers[] = {0.3f, 0.4f, 0.2f, 0.35f};
            KernelTest test = rnn_test(&(Layer){ops[i], 3, 2, 5, 19, 2});
            test.attrs[1] =
                (Attr){.name = "activations", .kind = ATTR_STRINGS, .strings = chosen, .count = 6};
            test.attrs[2] =
                (Attr){.name = "activation_alpha", .kind = ATTR_FLOATS, .floats = numbers, .count = 4};
            test.attrs[3] =
                (Attr){.name = "activation_beta", .kind = ATTR_FLOATS, .floats = numbers, .count = 2};
            test.attrs[4] = attr_float("clip", 0.6f);
            test.attrs[5] = attr_int("input_forget", n % 2);
            test.attrs[6] = attr_int("linear_before_reset", n % 2);
            kernel_test_check(test);
        }
}

/* Scales and zero points of a direction, or of each column. */
static void check_quantised(const Layer *layer, DType dtype, bool each, bool with_lengths) {
    static uint64_t memory[4][8 * 1024];
    static int32_t lengths[] = {3, 1, 4, 2, 0, 4, 4};
    const int64_t d = layer->directions, h = layer->hidden, k[] = {layer->inputs, h};
    const Layer plain = {"LSTM", layer->steps, layer->batch, layer->inputs, h, layer->directions};
    KernelTest test = rnn_test(&plain);
    test.op = "DynamicQuantizeLSTM";
    test.domain = "com.microsoft";
    test.opset = 1;
    test.n_inputs = DQ_INPUTS;
    test.constants = WEIGHTS | 0xfu << DQ_W_SCALE;
    for (int i = 0; i < 2; i++) {
        const Shape shape = DIMS(d, k[i], 4 * h), parameter = each ? DIMS(d, 4 * h) : DIMS(d);
        uint64_t seed = (uint64_t)(h + i);
        test.given[RECURRENT_W + i] = tensor_view(dtype, &shape, memory[i]);
        for (int64_t e = 0; e < shape_elements(&shape); e++)
            tensor_set_i64(&test.given[RECURRENT_W + i], e,
                           random_below(&seed, 255) - (dtype == STRIDER_I8 ? 127 : 0));
        float *scales = (float *)memory[2 + i];
        int8_t *zeros = (int8_t *)(scales + 1024);
        for (int64_t e = 0; e < shape_elements(&parameter); e++) {
            scales[e] = 0.001f + 0.0001f * (float)random_below(&seed, 20);
            zeros[e] = (int8_t)(random_below(&seed, 20) + (dtype == STRIDER_U8 ? 100 : 0));
        }
        test.given[DQ_W_SCALE + 2 * i] = tensor_view(STRIDER_F32, &parameter, scales);
        test.given[DQ_W_ZERO_POINT + 2 * i] = tensor_view(dtype, &parameter, zeros);
    }
    if (with_lengths) {
        test.given[RECURRENT_LENGTHS] =
            op_test_tensor(STRIDER_I32, DIMS(layer->batch), lengths, (size_t)layer->batch * sizeof *lengths);
        test.absent = 0;
        test.constants |= LENGTHS;
    }
    kernel_test_check(test);
}

static void rnn_of_8_bits(void **state) {
    (void)state;
    static const Layer layers[] = {
        {"", 1, 1, 3, 5, 1}, {"", 4, 7, 20, 16, 2}, {"", 4, 7, 5, 33, 1}, {"", 4, 2, 17, 21, 2}};
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++)
        for (int choice = 0; choice < 4; choice++)
            check_quantised(&layers[i], choice & 1 ? STRIDER_U8 : STRIDER_I8, choice & 2, i == 1 || i == 2);
}

int rnn_kernel_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rnn_of_all_sizes),
        cmocka_unit_test(rnn_whose_weights_vary),
        cmocka_unit_test(rnn_with_whatever_is_optional),
        cmocka_unit_test(rnn_with_lengths),
        cmocka_unit_test(rnn_with_every_activation),
        cmocka_unit_test(rnn_of_8_bits),
    };
    return cmocka_run_group_tests_name("rnn", tests, NULL, NULL);
}

void rnn_kernel_times(void) {
    static const Layer layers[] = {{"LSTM", 24, 1, 512, 256, 2}, {"LSTM", 160, 1, 512, 256, 2},
                                   {"LSTM", 1, 1, 128, 128, 1},  {"LSTM", 24, 16, 512, 256, 2},
                                   {"GRU", 24, 1, 512, 256, 2},  {"RNN", 24, 1, 512, 256, 2}};
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++) {
        const Layer *layer = &layers[i];
        char label[96];
        snprintf(label, sizeof label, "%s %dx%dx%d, %d of %d", layer->op, (int)layer->steps,
                 (int)layer->batch, (int)layer->inputs, layer->directions, (int)layer->hidden);
        kernel_test_time(rnn_test(layer), label);
    }
}
