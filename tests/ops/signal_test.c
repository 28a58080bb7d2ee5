/* SPDX-License-Identifier: Apache-2.0 */
/* DFT and STFT against the sums that define them; windows and MelWeightMatrix. */
#include "support/op_test.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ops/math/fft.h"

enum { MAX_NUMBERS = 4096 };

static const double two_pi = 6.283185307179586;

/* --- what is defined --- */

/* X[k] = sum of x[i] e^(sign 2 pi i k / n) */
static Complex defined_bin(const Complex *x, int64_t n, int64_t k, double sign) {
    Complex sum = {0, 0};
    for (int64_t i = 0; i < n; i++) {
        const double angle = sign * two_pi * (double)(i * k % n) / (double)n;
        sum.re += x[i].re * cos(angle) - x[i].im * sin(angle);
        sum.im += x[i].re * sin(angle) + x[i].im * cos(angle);
    }
    return sum;
}

static void fill_numbers(Complex *x, int64_t n) {
    float values[2 * MAX_NUMBERS];
    fill_random(values, (size_t)(2 * n), (uint64_t)n);
    for (int64_t i = 0; i < n; i++)
        x[i] = (Complex){(double)values[2 * i], (double)values[2 * i + 1]};
}

static void transforms_of_every_length_are_the_sums(void **state) {
    (void)state;
    static const int64_t lengths[] = {97,  101, 111, 124, 128, 143, 169, 202, 210, 211,  243,
                                      256, 257, 343, 361, 400, 441, 512, 625, 997, 1000, 1024};
    for (int64_t n = 1; n <= 64 + (int64_t)(sizeof lengths / sizeof *lengths); n++) {
        const int64_t length = n <= 64 ? n : lengths[n - 65];
        static Complex x[MAX_NUMBERS], y[MAX_NUMBERS], work[MAX_NUMBERS];
        FftPlan plan;
        void *tables = malloc(fft_plan_bytes(length).n);
        assert_non_null(tables);
        assert_true(fft_work_length(length) <= MAX_NUMBERS);
        fft_plan_make(&plan, length, tables);
        fill_numbers(x, length);
        memcpy(y, x, sizeof x);
        fft_forward(&plan, y, work);
        for (int64_t k = 0; k < length; k++) {
            const Complex expected = defined_bin(x, length, k, -1);
            if (!(fabs(y[k].re - expected.re) < 1e-11 && fabs(y[k].im - expected.im) < 1e-11))
                fail_msg("bin %lld of %lld is %.17g %+.17g i, not %.17g %+.17g i", (long long)k,
                         (long long)length, y[k].re, y[k].im, expected.re, expected.im);
        }
        free(tables);
    }
}

static void roots_of_unity_are_exact_at_quarters(void **state) {
    (void)state;
    for (int64_t n = 4; n <= 4096; n *= 4) {
        const Complex quarter = fft_root(n / 4, n), half = fft_root(n / 2, n), three = fft_root(3 * n / 4, n);
        assert_true(quarter.re == 0 && quarter.im == -1 && half.re == -1 && half.im == 0 && three.re == 0 &&
                    three.im == 1);
    }
    for (int64_t k = 0; k < 360; k++) {
        const Complex root = fft_root(k, 360);
        assert_true(fabs(root.re - cos(two_pi * (double)k / 360)) < 1e-15 &&
                    fabs(root.im + sin(two_pi * (double)k / 360)) < 1e-15);
    }
}

/* --- DFT --- */

typedef struct Signal {
    int64_t outer, length, inner;
    int components;
    float values[MAX_NUMBERS];
} Signal;

static Signal random_signal(int64_t outer, int64_t length, int64_t inner, int components) {
    Signal signal = {outer, length, inner, components, {0}};
    fill_random(signal.values, (size_t)(outer * length * inner * components), 5);
    return signal;
}

static Tensor signal_tensor(Signal *signal) {
    const Shape shape = DIMS(signal->outer, signal->length, signal->inner, signal->components);
    return op_test_tensor(STRIDER_F32, shape, signal->values, (size_t)shape_elements(&shape) * sizeof(float));
}

/* Number i of a line; 0 beyond its end. */
static Complex number_at(const Signal *signal, int64_t o, int64_t i, int64_t j) {
    if (i >= signal->length)
        return (Complex){0, 0};
    const float *at = signal->values + ((o * signal->length + i) * signal->inner + j) * signal->components;
    return (Complex){(double)at[0], signal->components == 2 ? (double)at[1] : 0};
}

/* The half of a spectrum that is there, and the other that mirrors it. */
static Complex mirrored_at(const Signal *signal, int64_t o, int64_t k, int64_t j, int64_t n) {
    Complex x = number_at(signal, o, k <= n / 2 ? k : n - k, j);
    x.im = k == 0 || 2 * k == n ? 0 : k <= n / 2 ? x.im : -x.im;
    return x;
}

static void expect_dft(Signal *signal, int64_t n, bool stated, bool inverse, bool onesided, int opset) {
    const bool half = inverse && onesided;
    const int64_t bins = onesided && !inverse ? n / 2 + 1 : n;
    const int components = half ? 1 : 2;
    OpTest test = {
        .op = "DFT",
        .opset = opset,
        .attrs = {attr_int("inverse", inverse), attr_int("onesided", onesided), attr_int("axis", 1)},
        .n_inputs = opset < 20 ? 2 : 3,
        .inputs = {signal_tensor(signal), stated ? tensor_i64(shape_scalar(), n) : (Tensor){.data = NULL},
                   tensor_i64(shape_scalar(), -3)}};
    if (op_test_run(&test))
        fail_msg("%s", test.error.message);
    assert_shape(&test.outputs[0].type.shape, DIMS(signal->outer, bins, signal->inner, components));
    const float *y = test.outputs[0].data;
    Complex line[MAX_NUMBERS];
    for (int64_t o = 0; o < signal->outer; o++)
        for (int64_t j = 0; j < signal->inner; j++) {
            for (int64_t i = 0; i < n; i++)
                line[i] = half ? mirrored_at(signal, o, i, j, n) : number_at(signal, o, i, j);
            for (int64_t k = 0; k < bins; k++) {
                Complex expected = defined_bin(line, n, k, inverse ? 1 : -1);
                if (inverse)
                    expected = (Complex){expected.re / (double)n, expected.im / (double)n};
                const float *at = y + ((o * bins + k) * signal->inner + j) * components;
                assert_true(fabs((double)at[0] - expected.re) < 2e-5);
                if (components == 2)
                    assert_true(fabs((double)at[1] - expected.im) < 2e-5);
            }
        }
    op_test_free(&test);
}

static void dft_goes_along_an_axis_of_real_and_complex_numbers(void **state) {
    (void)state;
    static const int64_t lengths[] = {1, 2, 3, 4, 5, 6, 7, 8, 12, 15, 16, 30, 31, 37, 49, 64, 100};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
        for (int components = 1; components <= 2; components++)
            for (int inverse = 0; inverse < 2; inverse++)
                for (int opset = 17; opset <= 20; opset += 3) {
                    Signal signal = random_signal(2, lengths[i], 3, components);
                    expect_dft(&signal, lengths[i], false, inverse, false, opset);
                }
}

static void dft_length_cuts_or_lengthens(void **state) {
    (void)state;
    static const int64_t lengths[] = {1, 4, 9, 10, 11, 17, 24};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
        for (int components = 1; components <= 2; components++)
            for (int inverse = 0; inverse < 2; inverse++) {
                Signal signal = random_signal(1, 10, 2, components);
                expect_dft(&signal, lengths[i], true, inverse, false, 20);
            }
}

static void onesided_leaves_out_what_mirrors_the_rest(void **state) {
    (void)state;
    for (int64_t n = 1; n <= 33; n++)
        for (int stated = 0; stated < 2; stated++) {
            Signal real = random_signal(1, stated ? 12 : n, 2, 1);
            expect_dft(&real, n, stated, false, true, 17);
            Signal half = random_signal(1, stated ? 7 : n / 2 + 1, 2, 2);
            if (stated || (n % 2 == 0 && n > 0))
                expect_dft(&half, n, stated, true, true, 20);
        }
}

static void dft_rounds_once_in_every_float_type(void **state) {
    (void)state;
    const DType types[] = {STRIDER_F32, STRIDER_F64, STRIDER_F16, STRIDER_BF16};
    for (int i = 0; i < 4; i++) {
        OpTest test = {.op = "DFT",
                       .opset = 20,
                       .n_inputs = 1,
                       .inputs = {tensor_typed(types[i], DIMS(4, 1), 1, 2, 4, 8)}};
        Tensor y = tensor_typed(types[i], DIMS(4, 2), 15, 0, -3, 6, -5, 0, -3, -6);
        op_test_expect(&test, &y);
    }
}

static void dft_refuses_what_it_cannot_transform(void **state) {
    (void)state;
    Tensor real = tensor_f32(DIMS(1, 2, 1), 1, 2), complex = tensor_f32(DIMS(1, 1, 2), 1, 2);
    const struct {
        Tensor x;
        int64_t length, axis;
        int inverse, onesided;
        const char *message;
    } rows[] = {{real, 2, -1, 0, 0, "the axis is none of the signal's"},
                {real, 2, 2, 0, 0, "the axis is none of the signal's"},
                {real, 2, 3, 0, 0, "the axis is none of the signal's"},
                {real, 2, -4, 0, 0, "the axis is none of the signal's"},
                {real, 0, 1, 0, 0, "length of the transform is 0"},
                {real, -1, 1, 0, 0, "length of the transform is -1"},
                {real, INT64_MAX, 1, 0, 0, "length of the transform is"},
                {real, 2, 1, 1, 1, "must be 2 (complex)"},
                {complex, 2, 1, 0, 1, "must be 1 (real)"},
                {tensor_f32(DIMS(1, 1, 3), 1, 2, 3), 2, 1, 0, 0, "must be 1 (real) or 2 (complex)"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        OpTest test = {
            .op = "DFT",
            .opset = 20,
            .attrs = {attr_int("inverse", rows[i].inverse), attr_int("onesided", rows[i].onesided)},
            .n_inputs = 3,
            .inputs = {rows[i].x, tensor_i64(shape_scalar(), rows[i].length),
                       tensor_i64(shape_scalar(), rows[i].axis)}};
        op_test_expect_error(&test, STRIDER_BAD_MODEL, rows[i].message);
    }
    OpTest integers = {.op = "DFT", .opset = 20, .n_inputs = 1, .inputs = {tensor_i64(DIMS(1, 1), 1)}};
    op_test_expect_error(&integers, STRIDER_UNSUPPORTED, "int64");
    OpTest single = {.op = "DFT",
                     .opset = 20,
                     .attrs = {attr_int("inverse", 1), attr_int("onesided", 1)},
                     .n_inputs = 1,
                     .inputs = {tensor_f32(DIMS(1, 2), 1, 2)}};
    op_test_expect_error(&single, STRIDER_BAD_MODEL, "length of the transform is 0");
}

static void what_is_not_known_of_lengths_stays_unknown(void **state) {
    (void)state;
    OpTest whole = {.op = "DFT",
                    .opset = 17,
                    .n_inputs = 1,
                    .infer_only = true,
                    .inputs = {{.type = {STRIDER_F32, DIMS(-7, -8, DIM_UNKNOWN)}}}};
    assert_int_equal(op_test_run(&whole), STRIDER_OK);
    assert_shape(&whole.output_types[0].shape, DIMS(-7, -8, 2));
    op_test_free(&whole);
    OpTest half = whole;
    half.attrs[0] = attr_int("onesided", 1);
    assert_int_equal(op_test_run(&half), STRIDER_OK);
    assert_shape(&half.output_types[0].shape, DIMS(-7, DIM_UNKNOWN, 2));
    op_test_free(&half);
    OpTest axis = {.op = "DFT",
                   .opset = 20,
                   .n_inputs = 3,
                   .infer_only = true,
                   .inputs = {{.type = {STRIDER_F32, DIMS(4, 5, 1)}},
                              {.type = {STRIDER_DTYPE_NONE, shape_unknown()}},
                              {.type = {STRIDER_I64, shape_scalar()}}}};
    assert_int_equal(op_test_run(&axis), STRIDER_OK);
    assert_shape(&axis.output_types[0].shape, DIMS(DIM_UNKNOWN, DIM_UNKNOWN, 2));
    op_test_free(&axis);
}

/* --- STFT --- */

/* `components` of 0: a real signal without the last dimension. */
static void expect_stft(int64_t length, int64_t step, int64_t n, bool window, bool stated, int components) {
    enum { BATCH = 2 };
    Signal signal = random_signal(BATCH, length, 1, components ? components : 1);
    float factors[MAX_NUMBERS];
    fill_random(factors, (size_t)n, 11);
    const bool onesided = components < 2;
    const int64_t frames = (length - n) / step + 1, bins = onesided ? n / 2 + 1 : n;
    Tensor x = signal_tensor(&signal), none = {.data = NULL};
    x.type.shape = components ? DIMS(BATCH, length, components) : DIMS(BATCH, length);
    OpTest test = {
        .op = "STFT",
        .opset = 17,
        .attrs = {attr_int("onesided", onesided)},
        .n_inputs = 4,
        .inputs = {x, tensor_i64(shape_scalar(), step),
                   window ? op_test_tensor(STRIDER_F32, DIMS(n), factors, (size_t)n * sizeof(float)) : none,
                   stated ? tensor_typed(STRIDER_I32, DIMS(1), (double)n) : none}};
    if (op_test_run(&test))
        fail_msg("%s", test.error.message);
    assert_shape(&test.outputs[0].type.shape, DIMS(BATCH, frames, bins, 2));
    const float *y = test.outputs[0].data;
    for (int64_t b = 0; b < BATCH; b++)
        for (int64_t f = 0; f < frames; f++) {
            Complex frame[MAX_NUMBERS];
            for (int64_t i = 0; i < n; i++) {
                const Complex number = number_at(&signal, b, f * step + i, 0);
                const double factor = window ? (double)factors[i] : 1;
                frame[i] = (Complex){number.re * factor, number.im * factor};
            }
            for (int64_t k = 0; k < bins; k++, y += 2) {
                const Complex expected = defined_bin(frame, n, k, -1);
                assert_true(fabs((double)y[0] - expected.re) < 1e-5 &&
                            fabs((double)y[1] - expected.im) < 1e-5);
            }
        }
    op_test_free(&test);
}

static void stft_transforms_frames_times_a_window(void **state) {
    (void)state;
    for (int components = 0; components <= 2; components++)
        for (int window = 0; window < 2; window++) {
            expect_stft(50, 7, 16, window, true, components);
            expect_stft(50, 1, 15, window, true, components);
            expect_stft(41, 40, 1, window, true, components);
            expect_stft(40, 100, 40, window, true, components);
            expect_stft(90, 13, 37, window, true, components);
        }
    expect_stft(50, 7, 16, true, false, 1);
    expect_stft(50, 7, 50, false, false, 1);
}

static void stft_refuses_frames_that_do_not_fit(void **state) {
    (void)state;
    Tensor x = tensor_f32(DIMS(1, 4, 1), 1, 2, 3, 4), none = {.data = NULL};
    const struct {
        Tensor x, step, window, length;
        const char *message;
    } rows[] = {{x, tensor_i64(shape_scalar(), 0), none, tensor_i64(DIMS(1), 2), "frame_step is 0"},
                {x, tensor_i64(shape_scalar(), 1), none, tensor_i64(DIMS(1), 5),
                 "frames of 5 numbers of a signal of 4"},
                {x, tensor_i64(shape_scalar(), 1), none, tensor_i64(DIMS(1), 0), "frames of 0 numbers"},
                {x, tensor_i64(shape_scalar(), 1), none, tensor_i64(DIMS(1), -1), "frames of -1 numbers"},
                {x, tensor_i64(shape_scalar(), 1), tensor_f32(DIMS(3), 1, 2, 3), tensor_i64(DIMS(1), 2),
                 "a window of 3 numbers for frames of 2"},
                {tensor_f32(DIMS(1, 2, 2), 1, 2, 3, 4), tensor_i64(shape_scalar(), 1), none, none,
                 "must be 1 (real): onesided"},
                {tensor_f32(DIMS(4), 1, 2, 3, 4), tensor_i64(shape_scalar(), 1), none, none, "rank 1"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        OpTest test = {.op = "STFT",
                       .opset = 17,
                       .n_inputs = 4,
                       .inputs = {rows[i].x, rows[i].step, rows[i].window, rows[i].length}};
        op_test_expect_error(&test, STRIDER_BAD_MODEL, rows[i].message);
    }
}

static void stft_infers_what_it_can(void **state) {
    (void)state;
    OpTest test = {.op = "STFT",
                   .opset = 17,
                   .n_inputs = 3,
                   .infer_only = true,
                   .inputs = {{.type = {STRIDER_F32, DIMS(-7, DIM_UNKNOWN, 1)}},
                              tensor_i64(shape_scalar(), 3),
                              {.type = {STRIDER_F32, DIMS(16)}}}};
    assert_int_equal(op_test_run(&test), STRIDER_OK);
    assert_shape(&test.output_types[0].shape, DIMS(-7, DIM_UNKNOWN, 9, 2));
    op_test_free(&test);
    test.inputs[0].type.shape = DIMS(2, 64, 1);
    assert_int_equal(op_test_run(&test), STRIDER_OK);
    assert_shape(&test.output_types[0].shape, DIMS(2, 17, 9, 2));
    op_test_free(&test);
}

/* --- windows --- */

static void windows_are_sums_of_cosines(void **state) {
    (void)state;
    static const struct {
        const char *op;
        double periodic[4], symmetric[4];
    } rows[] = {
        {"HannWindow", {0, 0.5, 1, 0.5}, {0, 0.75, 0.75, 0}},
        {"HammingWindow", {2 / 23.0, 25 / 46.0, 1, 25 / 46.0}, {2 / 23.0, 71 / 92.0, 71 / 92.0, 2 / 23.0}},
        {"BlackmanWindow", {0, 0.34, 1, 0.34}, {0, 0.63, 0.63, 0}}};
    const int numbers[] = {1, 11, 10, 16};
    const DType types[] = {STRIDER_F32, STRIDER_F64, STRIDER_F16, STRIDER_BF16};
    for (int r = 0; r < 3; r++)
        for (int periodic = 0; periodic < 2; periodic++)
            for (int t = 0; t < 4; t++)
                for (int hide = 0; hide < 2; hide++) {
                    uint64_t memory[4];
                    OpTest test = {
                        .op = rows[r].op,
                        .opset = 17,
                        .attrs = {attr_int("periodic", periodic), attr_int("output_datatype", numbers[t])},
                        .n_inputs = 1,
                        .hide_inputs = hide,
                        .inputs = {tensor_i64(shape_scalar(), 4)}};
                    Tensor y = op_test_convert(types[t], DIMS(4), memory,
                                               periodic ? rows[r].periodic : rows[r].symmetric, 4);
                    op_test_expect(&test, &y);
                }
}

static void windows_of_other_lengths_and_types(void **state) {
    (void)state;
    OpTest none = {.op = "HannWindow", .opset = 17, .n_inputs = 1, .inputs = {tensor_i64(DIMS(1), 0)}};
    Tensor empty = op_test_tensor(STRIDER_F32, DIMS(0), "", 0);
    op_test_expect(&none, &empty);
    OpTest one = {.op = "HannWindow",
                  .opset = 17,
                  .attrs = {attr_int("periodic", 0)},
                  .n_inputs = 1,
                  .inputs = {tensor_typed(STRIDER_I32, DIMS(1), 1)}};
    Tensor middle = tensor_f32(DIMS(1), 1);
    op_test_expect(&one, &middle);
    OpTest integers = {.op = "HannWindow",
                       .opset = 17,
                       .attrs = {attr_int("output_datatype", 7)},
                       .n_inputs = 1,
                       .inputs = {tensor_i64(DIMS(1), 4)}};
    Tensor whole = tensor_i64(DIMS(4), 0, 0, 1, 0);
    op_test_expect(&integers, &whole);
    for (int hide = 0; hide < 2; hide++) {
        OpTest negative = {.op = "BlackmanWindow",
                           .opset = 17,
                           .n_inputs = 1,
                           .hide_inputs = hide,
                           .inputs = {tensor_i64(DIMS(1), -1)}};
        op_test_expect_error(&negative, STRIDER_BAD_MODEL, "size is -1");
    }
    OpTest boolean = {.op = "HannWindow",
                      .opset = 17,
                      .attrs = {attr_int("output_datatype", 9)},
                      .n_inputs = 1,
                      .inputs = {tensor_i64(DIMS(1), 4)}};
    op_test_expect_error(&boolean, STRIDER_UNSUPPORTED, "a window of type bool");
}

/* --- MelWeightMatrix --- */

#define MEL(BINS, LENGTH, RATE, LOWER, UPPER)                                                                \
    {                                                                                                        \
        .op = "MelWeightMatrix", .opset = 17, .n_inputs = 5, .inputs = {                                     \
            tensor_i64(shape_scalar(), BINS),                                                                \
            tensor_i64(shape_scalar(), LENGTH),                                                              \
            tensor_typed(STRIDER_I32, shape_scalar(), RATE),                                                 \
            tensor_f32(shape_scalar(), LOWER),                                                               \
            tensor_f32(shape_scalar(), UPPER)                                                                \
        }                                                                                                    \
    }

/* Edges of 2 bands: 0, 426.8, 1113.8, 2219.8 Hz, which lie at the bins 17 f / 8000: 0, 0, 2, 4. */
static void mel_bands_are_triangles(void **state) {
    (void)state;
    for (int hide = 0; hide < 2; hide++) {
        OpTest test = MEL(2, 16, 8000, 0, 4000);
        test.hide_inputs = hide;
        Tensor y = tensor_f32(DIMS(9, 2), 1, 0, 0.5f, 0.5f, 0, 1, 0, 0.5f, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
        op_test_expect(&test, &y);
    }
}

static void mel_bands_beyond_the_spectrum_are_refused(void **state) {
    (void)state;
    OpTest beyond = MEL(4, 16, 8000, 0, 8000);
    op_test_expect_error(&beyond, STRIDER_BAD_MODEL, "lies beyond the spectrum of 9 bins");
    OpTest reversed = MEL(4, 16, 8000, 300, 200);
    op_test_expect_error(&reversed, STRIDER_BAD_MODEL, "from 300 to 200 Hz");
    OpTest rate = MEL(4, 16, 0, 0, 4000);
    op_test_expect_error(&rate, STRIDER_BAD_MODEL, "at 0 Hz");
    OpTest nan = MEL(4, 16, 8000, NAN, 4000);
    op_test_expect_error(&nan, STRIDER_BAD_MODEL, "Hz");
    OpTest bands = MEL(-1, 16, 8000, 0, 4000);
    op_test_expect_error(&bands, STRIDER_BAD_MODEL, "num_mel_bins is -1");
    OpTest length = MEL(4, -2, 8000, 0, 4000);
    op_test_expect_error(&length, STRIDER_BAD_MODEL, "dft_length is -2");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(transforms_of_every_length_are_the_sums),
        cmocka_unit_test(roots_of_unity_are_exact_at_quarters),
        cmocka_unit_test(dft_goes_along_an_axis_of_real_and_complex_numbers),
        cmocka_unit_test(dft_length_cuts_or_lengthens),
        cmocka_unit_test(onesided_leaves_out_what_mirrors_the_rest),
        cmocka_unit_test(dft_rounds_once_in_every_float_type),
        cmocka_unit_test(dft_refuses_what_it_cannot_transform),
        cmocka_unit_test(what_is_not_known_of_lengths_stays_unknown),
        cmocka_unit_test(stft_transforms_frames_times_a_window),
        cmocka_unit_test(stft_refuses_frames_that_do_not_fit),
        cmocka_unit_test(stft_infers_what_it_can),
        cmocka_unit_test(windows_are_sums_of_cosines),
        cmocka_unit_test(windows_of_other_lengths_and_types),
        cmocka_unit_test(mel_bands_are_triangles),
        cmocka_unit_test(mel_bands_beyond_the_spectrum_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
