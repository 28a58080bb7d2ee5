/* SPDX-License-Identifier: Apache-2.0 */
#include "tensor/layout.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/op_test.h"

#define TYPE(DTYPE, ...) type_of(DTYPE, DIMS(__VA_ARGS__))

static Type image_of(DType dtype, int64_t channels) {
    return type_of(dtype, shape_make(4, (int64_t[]){2, channels, 3, 5}));
}

static size_t size_of(const Type *type, Layout layout) {
    size_t size_bytes = 0;
    assert_true(layout_size(type, layout, &size_bytes));
    return size_bytes;
}

static void layouts_are_equal_where_all_of_them_is(void **state) {
    (void)state;
    const Layout halves = {LAYOUT_BLOCKED, 8, STRIDER_BF16};
    assert_true(layout_equal(layout_plain(), (Layout){0}));
    assert_true(layout_equal(layout_blocked(8), layout_blocked(8)));
    assert_false(layout_equal(layout_blocked(8), layout_blocked(16)));
    assert_false(layout_equal(layout_blocked(8), layout_plain()));
    assert_false(layout_equal(layout_blocked(1), layout_plain()));
    assert_false(layout_equal(layout_blocked(8), halves));
    assert_false(layout_equal(layout_plain(), (Layout){.dtype = STRIDER_BF16}));
}

static void blocks_cover_all_channels(void **state) {
    (void)state;
    static const int64_t cases[][3] = {{0, 16, 0},  {1, 16, 1}, {16, 16, 1},
                                       {17, 16, 2}, {17, 4, 5}, {17, 1, 17}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const Type tensor = TYPE(STRIDER_F32, 2, cases[i][0], 3);
        assert_int_equal(layout_blocks(&tensor.shape, layout_blocked((int)cases[i][1])), cases[i][2]);
    }
}

static void the_size_is_of_the_elements_in_memory(void **state) {
    (void)state;
    for (DType dtype = STRIDER_F32; dtype < STRIDER_DTYPE_COUNT; dtype++) {
        const Type type = image_of(dtype, 17);
        assert_int_equal(size_of(&type, layout_plain()), 2 * 17 * 15 * dtype_size(dtype));
        assert_int_equal(size_of(&type, layout_blocked(16)), 2 * 32 * 15 * dtype_size(dtype));
        assert_int_equal(size_of(&type, layout_blocked(4)), 2 * 20 * 15 * dtype_size(dtype));
    }
    const Type type = image_of(STRIDER_F32, 17);
    assert_int_equal(size_of(&type, (Layout){LAYOUT_BLOCKED, 16, STRIDER_BF16}), 2 * 32 * 15 * 2);
    assert_int_equal(size_of(&type, (Layout){.dtype = STRIDER_I8}), 2 * 17 * 15);
    assert_int_equal(layout_dtype(&type, layout_plain()), STRIDER_F32);
    assert_int_equal(layout_dtype(&type, (Layout){.dtype = STRIDER_I8}), STRIDER_I8);
}

static void sizes_that_are_unknown_or_too_large_are_none(void **state) {
    (void)state;
    const Type types[] = {TYPE(STRIDER_F32, 2, DIM_UNKNOWN, 3), TYPE(STRIDER_F32, 2, 16, DIM_UNKNOWN),
                          TYPE(STRIDER_F32, 2, INT64_MAX - 3, 3),
                          TYPE(STRIDER_F32, 1, (int64_t)1 << 40, (int64_t)1 << 30)};
    size_t size;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        assert_false(layout_size(&types[i], layout_plain(), &size));
        assert_false(layout_size(&types[i], layout_blocked(16), &size));
    }
}

static void every_type_of_elements_can_be_blocked(void **state) {
    (void)state;
    for (DType dtype = STRIDER_DTYPE_NONE; dtype < STRIDER_DTYPE_COUNT; dtype++)
        for (int rank = RANK_UNKNOWN; rank <= MAX_RANK; rank++) {
            const Type type = {dtype, {.rank = rank, .dims = {1, 1, 1, 1, 1, 1, 1, 1}}};
            size_t size_bytes;
            const bool can = dtype != STRIDER_DTYPE_NONE && rank >= 3 && rank <= 5;
            assert_int_equal(layout_can_block(&type), can);
            assert_int_equal(layout_size(&type, layout_blocked(4), &size_bytes), can);
        }
}

static void texts_name_the_layout_completely(void **state) {
    (void)state;
    char text[LAYOUT_TEXT];
    assert_string_equal(layout_text(4, layout_plain(), text), "nchw");
    assert_string_equal(layout_text(3, layout_blocked(8), text), "ncw8c");
    assert_string_equal(layout_text(5, layout_blocked(16), text), "ncdhw16c");
    assert_string_equal(layout_text(2, layout_plain(), text), "plain");
    assert_string_equal(layout_text(RANK_UNKNOWN, layout_plain(), text), "plain");
    assert_string_equal(layout_text(4, (Layout){.dtype = STRIDER_U8}, text), "nchw:u8");
    for (DType dtype = STRIDER_F32; dtype < STRIDER_DTYPE_COUNT; dtype++) {
        char other[LAYOUT_TEXT];
        layout_text(5, (Layout){LAYOUT_BLOCKED, 128, dtype}, text);
        assert_string_not_equal(text, layout_text(5, layout_blocked(128), other));
        assert_true(strlen(text) < LAYOUT_TEXT - 1); /* nothing is cut off */
        for (DType before = STRIDER_F32; before < dtype; before++)
            assert_string_not_equal(text, layout_text(5, (Layout){LAYOUT_BLOCKED, 128, before}, other));
    }
}

/* Values that are all different at their places, NaN in the tail channels, where nothing may look. */
static float *blocked(const Type *tensor, int width) {
    const Shape *shape = &tensor->shape;
    const int64_t channels = shape->dims[1], inner = shape_size(shape, 2, shape->rank);
    size_t size = 0;
    assert_true(layout_size(tensor, layout_blocked(width), &size));
    float *data = malloc(size + 1);
    const int64_t blocks = (channels + width - 1) / width;
    for (int64_t n = 0; n < shape->dims[0]; n++)
        for (int64_t block = 0; block < blocks; block++)
            for (int64_t i = 0; i < inner; i++)
                for (int64_t lane = 0; lane < width; lane++) {
                    const int64_t c = block * width + lane;
                    data[((n * blocks + block) * inner + i) * width + lane] =
                        c < channels ? (float)((n * channels + c) * inner + i) : NAN;
                }
    return data;
}

static void every_layout_becomes_plain(void **state) {
    (void)state;
    static const int blocks[] = {4, 8, 16};
    for (int64_t channels = 0; channels <= 33; channels++)
        for (int i = 0; i < 3; i++)
            for (int rank = 3; rank <= 5; rank++) {
                const Type tensor = type_of(STRIDER_F32, shape_make(rank, (int64_t[]){2, channels, 3, 2, 2}));
                const int64_t count = shape_elements(&tensor.shape);
                float *from = blocked(&tensor, blocks[i]), *to = malloc((size_t)(count + 1) * sizeof *to);
                to[count] = -1;
                layout_to_plain(&tensor, layout_blocked(blocks[i]), from, to);
                for (int64_t k = 0; k < count; k++)
                    assert_true(to[k] == (float)k);
                assert_true(to[count] == -1);
                free(from);
                free(to);
            }
}

static void plain_bytes_are_copied(void **state) {
    (void)state;
    const Type tensor = TYPE(STRIDER_F16, 3, 1);
    const char from[] = "abcdef";
    char to[] = "xxxxxxx";
    layout_to_plain(&tensor, layout_plain(), from, to);
    assert_string_equal(to, "abcdefx");
}

/* Of another size than f32's, and in memory as another type than the tensor's. */
static void elements_of_other_types_become_plain(void **state) {
    (void)state;
    const Type bytes = TYPE(STRIDER_U8, 1, 3, 2), floats = TYPE(STRIDER_F32, 1, 3, 2);
    char to[] = "xxxxxxx";
    layout_to_plain(&bytes, layout_blocked(2), "acbde.f.", to);
    assert_string_equal(to, "abcdefx");
    const int8_t small[] = {1, 3, 2, 4, 5, 99, 6, 99}, plain[] = {1, 2, 3, 4, 5, 6};
    float values[6];
    layout_to_plain(&floats, (Layout){LAYOUT_BLOCKED, 2, STRIDER_I8}, small, values);
    for (int i = 0; i < 6; i++)
        assert_true(values[i] == (float)(i + 1));
    memset(values, 0, sizeof values);
    layout_to_plain(&floats, (Layout){.dtype = STRIDER_I8}, plain, values);
    for (int i = 0; i < 6; i++)
        assert_true(values[i] == (float)(i + 1));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layouts_are_equal_where_all_of_them_is),
        cmocka_unit_test(blocks_cover_all_channels),
        cmocka_unit_test(the_size_is_of_the_elements_in_memory),
        cmocka_unit_test(sizes_that_are_unknown_or_too_large_are_none),
        cmocka_unit_test(every_type_of_elements_can_be_blocked),
        cmocka_unit_test(texts_name_the_layout_completely),
        cmocka_unit_test(every_layout_becomes_plain),
        cmocka_unit_test(plain_bytes_are_copied),
        cmocka_unit_test(elements_of_other_types_become_plain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
