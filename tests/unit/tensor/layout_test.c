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

static void blocks_cover_all_channels(void **state) {
    (void)state;
    static const int64_t cases[][3] = {{0, 16, 0},  {1, 16, 1}, {16, 16, 1},
                                       {17, 16, 2}, {17, 4, 5}, {17, 1, 17}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const Type tensor = TYPE(STRIDER_F32, 2, cases[i][0], 3);
        assert_int_equal(layout_blocks(&tensor.shape, (Layout)cases[i][1]), cases[i][2]);
    }
}

static void sizes_count_the_tail_channels(void **state) {
    (void)state;
    const Type image = TYPE(STRIDER_F32, 2, 17, 3, 5), bytes = TYPE(STRIDER_U8, 2, 17, 3, 5);
    size_t size = 7;
    assert_true(layout_size(&image, LAYOUT_PLAIN, &size));
    assert_int_equal(size, 2 * 17 * 15 * 4);
    assert_true(layout_size(&image, 16, &size));
    assert_int_equal(size, 2 * 32 * 15 * 4);
    assert_true(layout_size(&bytes, LAYOUT_PLAIN, &size));
    assert_int_equal(size, 2 * 17 * 15);
    assert_false(layout_size(&bytes, 16, &size));
}

static void sizes_that_are_unknown_or_too_large_are_none(void **state) {
    (void)state;
    const Type types[] = {TYPE(STRIDER_F32, 2, DIM_UNKNOWN, 3), TYPE(STRIDER_F32, 2, 16, DIM_UNKNOWN),
                          TYPE(STRIDER_F32, 2, INT64_MAX - 3, 3),
                          TYPE(STRIDER_F32, 1, (int64_t)1 << 40, (int64_t)1 << 30)};
    size_t size;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        assert_false(layout_size(&types[i], LAYOUT_PLAIN, &size));
        assert_false(layout_size(&types[i], 16, &size));
    }
}

static void images_of_f32_can_be_blocked(void **state) {
    (void)state;
    const Type can[] = {TYPE(STRIDER_F32, 1, 2, 3), TYPE(STRIDER_F32, 1, 2, 3, 4),
                        TYPE(STRIDER_F32, 1, 2, 3, 4, 5)},
               cannot[] = {TYPE(STRIDER_F32, 1, 2), TYPE(STRIDER_F32, 1, 2, 3, 4, 5, 6),
                           TYPE(STRIDER_F16, 1, 2, 3), TYPE(STRIDER_I32, 1, 2, 3)};
    for (size_t i = 0; i < sizeof can / sizeof *can; i++)
        assert_true(layout_can_block(&can[i]));
    for (size_t i = 0; i < sizeof cannot / sizeof *cannot; i++)
        assert_false(layout_can_block(&cannot[i]));
}

static void layouts_have_names(void **state) {
    (void)state;
    char text[LAYOUT_TEXT];
    assert_string_equal(layout_text(4, LAYOUT_PLAIN, text), "nchw");
    assert_string_equal(layout_text(4, 16, text), "nchw16c");
    assert_string_equal(layout_text(3, 8, text), "ncw8c");
    assert_string_equal(layout_text(5, 4, text), "ncdhw4c");
    assert_string_equal(layout_text(2, LAYOUT_PLAIN, text), "plain");
}

/* Values that are all different at their places, NaN in the tail channels, where nothing may look. */
static float *blocked(const Type *tensor, Layout layout) {
    const Shape *shape = &tensor->shape;
    const int64_t channels = shape->dims[1], inner = shape_size(shape, 2, shape->rank);
    size_t size = 0;
    assert_true(layout_size(tensor, layout, &size));
    float *data = malloc(size + 1);
    const int64_t blocks = (channels + layout - 1) / layout;
    for (int64_t n = 0; n < shape->dims[0]; n++)
        for (int64_t block = 0; block < blocks; block++)
            for (int64_t i = 0; i < inner; i++)
                for (int64_t lane = 0; lane < layout; lane++) {
                    const int64_t c = block * layout + lane;
                    data[((n * blocks + block) * inner + i) * layout + lane] =
                        c < channels ? (float)((n * channels + c) * inner + i) : NAN;
                }
    return data;
}

static void every_layout_becomes_plain(void **state) {
    (void)state;
    static const int layouts[] = {4, 8, 16};
    for (int64_t channels = 0; channels <= 33; channels++)
        for (int i = 0; i < 3; i++)
            for (int rank = 3; rank <= 5; rank++) {
                const Type tensor = type_of(STRIDER_F32, shape_make(rank, (int64_t[]){2, channels, 3, 2, 2}));
                const int64_t count = shape_elements(&tensor.shape);
                float *from = blocked(&tensor, layouts[i]), *to = malloc((size_t)(count + 1) * sizeof *to);
                to[count] = -1;
                layout_to_plain(&tensor, layouts[i], from, to);
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
    layout_to_plain(&tensor, LAYOUT_PLAIN, from, to);
    assert_string_equal(to, "abcdefx");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_cover_all_channels),
        cmocka_unit_test(sizes_count_the_tail_channels),
        cmocka_unit_test(sizes_that_are_unknown_or_too_large_are_none),
        cmocka_unit_test(images_of_f32_can_be_blocked),
        cmocka_unit_test(layouts_have_names),
        cmocka_unit_test(every_layout_becomes_plain),
        cmocka_unit_test(plain_bytes_are_copied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
