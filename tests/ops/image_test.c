/* SPDX-License-Identifier: Apache-2.0 */
/* ImageDecoder.  Files of all formats: tests/data/images; damaged ones: tests/unit/image. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "support/op_test.h"

#include <cmocka.h>

/* Two rows: red, green; blue, white. */
static char four_pixels[] = "P3 2 2 255 255 0 0 0 255 0 0 0 255 255 255 255";

#define BYTES(TEXT) op_test_tensor(STRIDER_U8, DIMS(sizeof TEXT - 1), TEXT, sizeof TEXT - 1)

static OpTest decoding(const char *format, Tensor bytes) {
    OpTest test = {.op = "ImageDecoder", .opset = 20, .n_inputs = 1, .inputs = {bytes}};
    if (format)
        test.attrs[0] = attr_string("pixel_format", format);
    return test;
}

static void pixels_are_red_green_blue_or_the_reverse_or_brightness(void **state) {
    (void)state;
    Tensor rgb = tensor_typed(STRIDER_U8, DIMS(2, 2, 3), 255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255),
           bgr = tensor_typed(STRIDER_U8, DIMS(2, 2, 3), 0, 0, 255, 0, 255, 0, 255, 0, 0, 255, 255, 255),
           gray = tensor_typed(STRIDER_U8, DIMS(2, 2, 1), 76, 150, 29, 255);
    for (int opset = 20; opset <= 28; opset += 8) {
        OpTest tests[] = {decoding(NULL, BYTES(four_pixels)), decoding("RGB", BYTES(four_pixels)),
                          decoding("BGR", BYTES(four_pixels)), decoding("Grayscale", BYTES(four_pixels))};
        Tensor *const expected[] = {&rgb, &rgb, &bgr, &gray};
        for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) {
            tests[i].opset = opset;
            op_test_expect(&tests[i], expected[i]);
        }
    }
}

static void gray_files_have_three_channels_or_one(void **state) {
    (void)state;
    static char gray[] = "P2 3 1 4 0 2 4";
    OpTest three = decoding("BGR", BYTES(gray)), one = decoding("Grayscale", BYTES(gray));
    Tensor y_three = tensor_typed(STRIDER_U8, DIMS(1, 3, 3), 0, 0, 0, 128, 128, 128, 255, 255, 255),
           y_one = tensor_typed(STRIDER_U8, DIMS(1, 3, 1), 0, 128, 255);
    op_test_expect(&three, &y_three);
    op_test_expect(&one, &y_one);
}

static void only_the_channels_are_known_before_a_run(void **state) {
    (void)state;
    const Tensor open = {.type = {STRIDER_U8, DIMS(-7)}};
    op_test_expect_type(decoding(NULL, open), STRIDER_U8, DIMS(DIM_UNKNOWN, DIM_UNKNOWN, 3));
    op_test_expect_type(decoding("Grayscale", open), STRIDER_U8, DIMS(DIM_UNKNOWN, DIM_UNKNOWN, 1));
}

static void what_cannot_be_decoded_is_refused(void **state) {
    (void)state;
    static char damaged[] = "P3 2 2 255 255 0 0 0 255 0 0 0 255", unknown[] = "GIF89a";
    OpTest test = decoding(NULL, BYTES(damaged));
    op_test_expect_error(&test, STRIDER_BAD_MODEL, "PNM picture: it ends too early");
    test = decoding(NULL, BYTES(unknown));
    op_test_expect_error(&test, STRIDER_BAD_MODEL, "no picture in a known format");
    test = decoding(NULL, tensor_empty(STRIDER_U8, DIMS(0)));
    op_test_expect_error(&test, STRIDER_BAD_MODEL, "no picture in a known format");
    test = decoding("CMYK", BYTES(four_pixels));
    op_test_expect_error(&test, STRIDER_BAD_MODEL, "CMYK");
    test = decoding(NULL, tensor_f32(DIMS(2), 1, 2));
    op_test_expect_error(&test, STRIDER_UNSUPPORTED, "float32");
    test = decoding(NULL, tensor_typed(STRIDER_U8, DIMS(1, 2), 80, 51));
    op_test_expect_error(&test, STRIDER_BAD_MODEL, "rank");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pixels_are_red_green_blue_or_the_reverse_or_brightness),
        cmocka_unit_test(gray_files_have_three_channels_or_one),
        cmocka_unit_test(only_the_channels_are_known_before_a_run),
        cmocka_unit_test(what_cannot_be_decoded_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
