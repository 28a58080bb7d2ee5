/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel_test.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "ops/math/fourier.h"

static KernelTest dft_test(Shape x, int64_t length, int64_t axis, bool inverse, bool onesided) {
    static int64_t numbers[2];
    KernelTest test = {.op = "DFT",
                       .opset = 20,
                       .attrs = {attr_int("inverse", inverse), attr_int("onesided", onesided)},
                       .inputs = {x},
                       .n_inputs = 3,
                       .constants = 6,
                       .absent = length ? 0 : 2,
                       .atol = 1e-5,
                       .rtol = 1e-6,
                       .must_accept = true};
    numbers[0] = length;
    numbers[1] = axis;
    if (length)
        test.given[1] = op_test_tensor(STRIDER_I64, shape_scalar(), &numbers[0], sizeof *numbers);
    test.given[2] = op_test_tensor(STRIDER_I64, shape_scalar(), &numbers[1], sizeof *numbers);
    return test;
}

/* Radices, convolutions, pairs and none, with lines for all lanes, for some and for one. */
static void dft_of_every_kind_of_length(void **state) {
    (void)state;
    static const int64_t lengths[] = {1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12,  13,  16,  20,
                                      22, 25, 32, 37, 60, 62, 64, 74, 81, 97, 98, 120, 169, 256, 400};
    static const int64_t lines[] = {1, 3, 8, 21};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
        for (int l = 0; l < 4; l++)
            for (int components = 1; components <= 2; components++)
                for (int inverse = 0; inverse < 2; inverse++)
                    kernel_test_check(dft_test(DIMS(lines[l], lengths[i], components), 0, 1, inverse, false));
}

static void dft_along_other_axes(void **state) {
    (void)state;
    for (int64_t axis = 0; axis < 3; axis++)
        for (int components = 1; components <= 2; components++)
            for (int64_t length = 0; length <= 14; length += 7)
                kernel_test_check(dft_test(DIMS(6, 10, 12, components), length, axis, false, false));
}

static void dft_of_halves(void **state) {
    (void)state;
    for (int64_t length = 1; length <= 24; length++)
        for (int64_t present = 1; present <= 25; present += 6) {
            kernel_test_check(dft_test(DIMS(9, present, 2, 1), length, 1, false, true));
            kernel_test_check(dft_test(DIMS(9, present, 2, 2), length, 1, true, true));
        }
}

/* Longer than what is transformed in batches, and than what several tasks share. */
static void dft_of_long_lines(void **state) {
    (void)state;
    static const int64_t lengths[] = {4093, 8192, 30000, 65536};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
        for (int components = 1; components <= 2; components++)
            kernel_test_check(dft_test(DIMS(3, lengths[i], components), 0, 1, false, false));
}

static KernelTest stft_test(Shape signal, int64_t step, int64_t n, bool window) {
    static int64_t numbers[2];
    KernelTest test = {.op = "STFT",
                       .opset = 17,
                       .attrs = {attr_int("onesided", signal.rank == 2 || signal.dims[2] == 1)},
                       .inputs = {signal, shape_scalar(), DIMS(n)},
                       .n_inputs = 4,
                       .constants = 10,
                       .absent = window ? 0 : 4,
                       .atol = 1e-5,
                       .rtol = 1e-6,
                       .must_accept = true};
    numbers[0] = step;
    numbers[1] = n;
    test.given[STFT_STEP] = op_test_tensor(STRIDER_I64, shape_scalar(), &numbers[0], sizeof *numbers);
    test.given[STFT_LENGTH] = op_test_tensor(STRIDER_I64, shape_scalar(), &numbers[1], sizeof *numbers);
    return test;
}

static void stft_of_frames_and_windows(void **state) {
    (void)state;
    static const int64_t frames[] = {1, 2, 5, 16, 30, 37, 64, 100};
    for (size_t i = 0; i < sizeof frames / sizeof *frames; i++)
        for (int components = 1; components <= 2; components++)
            for (int window = 0; window < 2; window++)
                for (int64_t step = 1; step <= 81; step += 40)
                    kernel_test_check(stft_test(DIMS(2, 200, components), step, frames[i], window));
    kernel_test_check(stft_test(DIMS(2, 200), 41, 37, true));
}

int signal_kernel_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dft_of_every_kind_of_length),
        cmocka_unit_test(dft_along_other_axes),
        cmocka_unit_test(dft_of_halves),
        cmocka_unit_test(dft_of_long_lines),
        cmocka_unit_test(stft_of_frames_and_windows),
    };
    return cmocka_run_group_tests_name("signal", tests, NULL, NULL);
}

void signal_kernel_times(void) {
    kernel_test_time(stft_test(DIMS(1, 160000, 1), 160, 400, true), "10 s of speech, 400 by 160");
    kernel_test_time(stft_test(DIMS(1, 480000, 1), 160, 512, true), "30 s of speech, 512 by 160");
    kernel_test_time(dft_test(DIMS(1000, 1024, 2), 0, 1, false, false), "1000 lines of 1024");
    kernel_test_time(dft_test(DIMS(32, 64, 64, 2), 0, 1, false, false), "32 images of 64x64, columns");
    kernel_test_time(dft_test(DIMS(1, 1 << 20, 2), 0, 1, false, false), "one line of 1048576");
    kernel_test_time(dft_test(DIMS(100, 997, 2), 0, 1, false, false), "100 lines of 997, a prime");
}
