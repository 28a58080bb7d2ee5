/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels that move elements: Concat, Split, Slice, Transpose, DepthToSpace, Pad, Resize. */
#include "kernel_test.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "ops/tensor/concat.h"

static void concat(void **state) {
    (void)state;
    for (int a = 0; a < N_TEST_CHANNELS; a++)
        for (int b = 0; b < N_TEST_CHANNELS; b++)
            for (int64_t batch = 1; batch <= 2; batch++)
                kernel_test_check(
                    (KernelTest){.op = "Concat",
                                 .opset = 13,
                                 .attrs = {attr_int("axis", 1)},
                                 .inputs = {DIMS(batch, test_channels[a], 3, 5),
                                            DIMS(batch, test_channels[b], 3, 5), DIMS(batch, 16, 3, 5)},
                                 .n_inputs = 3,
                                 .must_accept = true});
    for (int axis = 0; axis < 4; axis++)
        for (int c = 0; c < N_TEST_CHANNELS; c++) {
            KernelTest test = {.op = "Concat",
                               .opset = 13,
                               .attrs = {attr_int("axis", axis - 4)},
                               .inputs = {DIMS(2, test_channels[c], 3, 5), DIMS(2, test_channels[c], 3, 5)},
                               .n_inputs = 2,
                               .must_accept = true};
            test.inputs[1].dims[axis] = axis == 1 ? test.inputs[1].dims[1] : 4;
            kernel_test_check(test);
        }
}

/* What optimize/fuse_shuffles.c makes: `shuffled_channels` of two inputs in turn, from `first_shuffled` on.
 */
static int64_t shuffled_channels, first_shuffled, shuffled_order[256];

static void set_shuffle(Node *node) {
    const int64_t half = shuffled_channels / 2;
    for (int64_t i = first_shuffled; i < shuffled_channels; i++)
        shuffled_order[i - first_shuffled] = i % 2 * half + i / 2;
    ConcatAttrs *attrs = node->attrs;
    attrs->order = shuffled_order;
    attrs->n_order = shuffled_channels - first_shuffled;
}

static void set_reversed(Node *node) {
    for (int64_t i = 0; i < shuffled_channels; i++)
        shuffled_order[i] = i * 5 % shuffled_channels;
    ConcatAttrs *attrs = node->attrs;
    attrs->order = shuffled_order;
    attrs->n_order = shuffled_channels;
}

static void concat_with_an_order(void **state) {
    (void)state;
    for (int c = 0; c < N_TEST_CHANNELS; c++)
        for (int form = 0; form < 4; form++) {
            KernelTest test = {.op = "Concat",
                               .opset = 13,
                               .attrs = {attr_int("axis", 1)},
                               .n_inputs = form == 2 ? 1 : 2,
                               .with_nan = 1,
                               .adjust = form < 3 ? set_shuffle : set_reversed,
                               .must_accept = true};
            shuffled_channels = 2 * test_channels[c];
            first_shuffled = form == 1 ? test_channels[c] : 0;
            for (int i = 0; i < test.n_inputs; i++)
                test.inputs[i] = DIMS(2, shuffled_channels / test.n_inputs, 5, 7);
            kernel_test_check(test);
        }
    shuffled_channels = 6;
    first_shuffled = 0;
    kernel_test_check(
        (KernelTest){.op = "Concat",
                     .opset = 13,
                     .attrs = {attr_int("axis", 1)},
                     .given = {tensor_i64(DIMS(1, 3), 1, 2, 3), tensor_i64(DIMS(1, 3), 4, 5, 6)},
                     .n_inputs = 2,
                     .adjust = set_shuffle,
                     .must_accept = true});
    shuffled_channels = 40; /* images of several tasks */
    kernel_test_check((KernelTest){.op = "Concat",
                                   .opset = 13,
                                   .attrs = {attr_int("axis", 1)},
                                   .inputs = {DIMS(1, 20, 41, 43), DIMS(1, 20, 41, 43)},
                                   .n_inputs = 2,
                                   .adjust = set_shuffle,
                                   .must_accept = true});
}

static void concat_of_integers_and_of_large_parts(void **state) {
    (void)state;
    kernel_test_check((KernelTest){.op = "Concat",
                                   .opset = 13,
                                   .attrs = {attr_int("axis", 0)},
                                   .given = {tensor_i64(DIMS(3), 1, 2, 3), tensor_i64(DIMS(1), 7)},
                                   .n_inputs = 2,
                                   .constants = 2,
                                   .must_accept = true});
    kernel_test_check((KernelTest){.op = "Concat",
                                   .opset = 13,
                                   .attrs = {attr_int("axis", 1)},
                                   .inputs = {DIMS(1, 32, 64, 64), DIMS(1, 16, 64, 64)},
                                   .n_inputs = 2,
                                   .must_accept = true});
}

/* Whole numbers below 100, which every type holds. */
static Tensor small_numbers(DType dtype, Shape shape) {
    static int64_t memory[4096];
    Tensor tensor = tensor_view(dtype, &shape, memory);
    assert_true(tensor.size_bytes <= sizeof memory);
    for (int64_t i = 0; i < tensor_elements(&tensor); i++)
        tensor_set_f64(&tensor, i, (double)(i * 37 % 97));
    return tensor;
}

/* Plain and blocked. */
static void elements_of_every_size(void **state) {
    (void)state;
    static const DType dtypes[] = {STRIDER_U8, STRIDER_F16, STRIDER_I32, STRIDER_I64};
    for (size_t d = 0; d < sizeof dtypes / sizeof *dtypes; d++)
        for (int c = 0; c < N_TEST_CHANNELS; c++) {
            const int64_t channels = test_channels[c];
            const Tensor x = small_numbers(dtypes[d], DIMS(2, channels, 3, 5));
            KernelTest test = {.op = "Concat", .opset = 13, .n_inputs = 2, .must_accept = true};
            test.given[0] = test.given[1] = x;
            for (int axis = 0; axis < 4; axis++) {
                test.attrs[0] = attr_int("axis", axis);
                kernel_test_check(test);
            }
            test.attrs[0] = attr_int("axis", 1);
            test.adjust = set_shuffle;
            shuffled_channels = 2 * channels;
            first_shuffled = 0;
            kernel_test_check(test);
            test = (KernelTest){
                .op = "Split", .opset = 13, .given = {x}, .n_inputs = 1, .n_outputs = 2, .must_accept = true};
            test.attrs[0] = attr_int("axis", 0);
            kernel_test_check(test);
            test = (KernelTest){.op = "Slice",
                                .opset = 13,
                                .given = {x, tensor_i64(DIMS(3), 0, 1, 1), tensor_i64(DIMS(3), 16, 3, 4),
                                          tensor_i64(DIMS(3), 1, 2, 3)},
                                .n_inputs = 4,
                                .constants = 14,
                                .must_accept = true};
            kernel_test_check(test);
            test = (KernelTest){
                .op = "Transpose", .opset = 13, .given = {x}, .n_inputs = 1, .must_accept = true};
            test.attrs[0] = attr_ints("perm", 0, 2, 3, 1);
            kernel_test_check(test);
            test.attrs[0] = attr_ints("perm", 0, 1, 3, 2);
            kernel_test_check(test);
            test.attrs[0] = attr_ints("perm", 0, 3, 1, 2);
            kernel_test_check(test);
        }
}

static void split(void **state) {
    (void)state;
    static const int64_t sizes[][2] = {{16, 16}, {8, 8}, {4, 12}, {16, 3}, {5, 7}, {32, 16}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int axis = 0; axis < 3; axis++)
            for (int64_t batch = 1; batch <= 2; batch++) {
                KernelTest test = {
                    .op = "Split",
                    .opset = 11,
                    .attrs = {attr_int("axis", axis),
                              {.name = "split", .kind = ATTR_INTS, .ints = sizes[i], .count = 2}},
                    .inputs = {DIMS(batch, 20, 3, 5)},
                    .n_inputs = 1,
                    .n_outputs = 2,
                    .must_accept = true};
                test.inputs[0].dims[axis] = sizes[i][0] + sizes[i][1];
                kernel_test_check(test);
            }
    kernel_test_check((KernelTest){.op = "Split",
                                   .opset = 13,
                                   .attrs = {attr_int("axis", 1)},
                                   .inputs = {DIMS(1, 48, 3, 5)},
                                   .given = {[1] = tensor_i64(DIMS(3), 16, 16, 16)},
                                   .n_inputs = 2,
                                   .n_outputs = 3,
                                   .constants = 2,
                                   .must_accept = true});
}

static void check_slice(Shape x, int64_t axis, int64_t start, int64_t end, int64_t step) {
    kernel_test_check((KernelTest){.op = "Slice",
                                   .opset = 13,
                                   .inputs = {x},
                                   .given = {[1] = tensor_i64(DIMS(1), start),
                                             [2] = tensor_i64(DIMS(1), end),
                                             [3] = tensor_i64(DIMS(1), axis),
                                             [4] = tensor_i64(DIMS(1), step)},
                                   .n_inputs = 5,
                                   .constants = 0x1e,
                                   .must_accept = true});
}

static void slice(void **state) {
    (void)state;
    for (int64_t batch = 1; batch <= 2; batch++) {
        check_slice(DIMS(batch, 48, 5, 7), 1, 0, 16, 1);
        /* Steps that are never taken. */
        check_slice(DIMS(batch, 48, 5, 7), 1, 0, 48, INT64_MAX);
        check_slice(DIMS(batch, 48, 5, 7), 2, 4, -6, INT64_MIN);
        check_slice(DIMS(batch, 48, 5, 7), 1, 16, 48, 1);
        check_slice(DIMS(batch, 35, 5, 7), 1, 16, 35, 1);
        check_slice(DIMS(batch, 35, 5, 7), 1, 16, 34, 1);
        check_slice(DIMS(batch, 35, 5, 7), 1, 3, 20, 1);
        check_slice(DIMS(batch, 35, 5, 7), 1, 0, 32, 2);
        check_slice(DIMS(batch, 20, 5, 7), 2, 1, 5, 1);
        check_slice(DIMS(batch, 20, 5, 7), 2, 0, 5, 2);
        check_slice(DIMS(batch, 20, 5, 7), 3, 6, -100, -2);
        check_slice(DIMS(batch, 20, 5, 7), 3, 1, 6, 3);
        check_slice(DIMS(batch, 20, 5, 7), 3, 2, 2, 1);
        check_slice(DIMS(batch, 1000), 1, 100, 900, 1);
    }
}

static void transpose(void **state) {
    (void)state;
    uint64_t seed = 1;
    for (int i = 0; i < 200; i++) {
        int rank = 2 + (int)random_below(&seed, 5);
        int64_t perm[MAX_RANK];
        Shape x = {.rank = rank};
        for (int d = 0; d < rank; d++) {
            x.dims[d] = 1 + random_below(&seed, rank < 4 ? 40 : 7);
            perm[d] = d;
        }
        for (int d = rank - 1; d > 0; d--) {
            int64_t other = random_below(&seed, d + 1), swapped = perm[d];
            perm[d] = perm[other];
            perm[other] = swapped;
        }
        kernel_test_check(
            (KernelTest){.op = "Transpose",
                         .opset = 13,
                         .attrs = {{.name = "perm", .kind = ATTR_INTS, .ints = perm, .count = (size_t)rank}},
                         .inputs = {x},
                         .n_inputs = 1,
                         .must_accept = true});
    }
    kernel_test_check((KernelTest){.op = "Transpose",
                                   .opset = 13,
                                   .given = {tensor_i64(DIMS(2, 3), 1, 2, 3, 4, 5, 6)},
                                   .n_inputs = 1,
                                   .must_accept = true});
}

/* Blocks of elements of every size, with rows and columns left over on both sides. */
static void transpose_of_all_types(void **state) {
    (void)state;
    static const DType dtypes[] = {STRIDER_U8, STRIDER_BOOL, STRIDER_F16, STRIDER_I32, STRIDER_I64};
    static const int64_t sizes[][2] = {{16, 16}, {17, 35}, {3, 40}, {40, 3}, {33, 32}};
    static uint8_t bytes[2 * 40 * 40 * 8];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 167 + i / 256);
    for (size_t d = 0; d < sizeof dtypes / sizeof *dtypes; d++)
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
            for (int middle = 0; middle < 2; middle++) {
                const Shape x = DIMS(middle ? sizes[s][0] : 2, middle ? 2 : sizes[s][0], sizes[s][1]);
                KernelTest test = {.op = "Transpose",
                                   .opset = 13,
                                   .given = {tensor_view(dtypes[d], &x, bytes)},
                                   .n_inputs = 1,
                                   .must_accept = true};
                test.attrs[0] = middle ? attr_ints("perm", 2, 1, 0) : attr_ints("perm", 0, 2, 1);
                kernel_test_check(test);
            }
}

/* Between blocked and channels-last images, and between images whose channels stay. */
static void transpose_of_images(void **state) {
    (void)state;
    static const int64_t perms[][5] = {{0, 2, 3, 1},    {0, 3, 1, 2},    {0, 1, 3, 2},   {2, 1, 0, 3},
                                       {0, 2, 3, 4, 1}, {0, 4, 1, 2, 3}, {3, 4, 1, 0, 2}};
    for (size_t p = 0; p < sizeof perms / sizeof *perms; p++)
        for (int c = 0; c < N_TEST_CHANNELS; c++)
            for (int last = 0; last < 2; last++) {
                const size_t rank = p < 4 ? 4 : 5;
                Shape x = rank == 4 ? DIMS(2, 3, 5, 7) : DIMS(2, 3, 5, 3, 4);
                x.dims[last ? rank - 1 : 1] = test_channels[c];
                kernel_test_check((KernelTest){
                    .op = "Transpose",
                    .opset = 13,
                    .attrs = {{.name = "perm", .kind = ATTR_INTS, .ints = perms[p], .count = rank}},
                    .inputs = {x},
                    .n_inputs = 1,
                    .with_nan = 1,
                    .must_accept = true});
            }
}

/* Dimensions of one element that move, and that is all: no step. */
static void transpose_that_moves_nothing(void **state) {
    (void)state;
    kernel_test_check((KernelTest){.op = "Transpose",
                                   .opset = 13,
                                   .attrs = {attr_ints("perm", 1, 0, 3, 2)},
                                   .inputs = {DIMS(1, 197, 12, 1)},
                                   .n_inputs = 1,
                                   .must_accept = true});
}

static void depth_and_space(void **state) {
    (void)state;
    for (int64_t block = 1; block <= 3; block++)
        for (int to_depth = 0; to_depth < 2; to_depth++)
            for (int mode = 0; mode < 2; mode++)
                kernel_test_check((KernelTest){
                    .op = to_depth ? "SpaceToDepth" : "DepthToSpace",
                    .opset = 28,
                    .attrs = {attr_int("blocksize", block), attr_string("mode", mode ? "CRD" : "DCR")},
                    .inputs = {to_depth ? DIMS(2, 3, 4 * block, 5 * block)
                                        : DIMS(2, 3 * block * block, 4, 5)},
                    .n_inputs = 1,
                    .must_accept = true});
}

static void pad(void **state) {
    (void)state;
    static const char *const modes[] = {"constant", "reflect", "edge"};
    static const int64_t pads[][8] = {{0, 0, 1, 2, 0, 0, 3, 1},
                                      {0, 0, 0, 1, 0, 0, 1, 0},
                                      {0, 0, -1, 2, 0, 0, 1, -2},
                                      {0, 1, 0, 0, 0, 2, 1, 1},
                                      {1, 0, 0, 0, 0, 0, 0, 3}};
    for (int m = 0; m < 3; m++)
        for (size_t p = 0; p < sizeof pads / sizeof *pads; p++)
            for (int c = 0; c < N_TEST_CHANNELS; c++) {
                if (m == 1 && (test_channels[c] < 3 || pads[p][0]))
                    continue;
                int64_t values[8];
                for (int i = 0; i < 8; i++)
                    values[i] = pads[p][i];
                KernelTest test = {
                    .op = "Pad",
                    .opset = 13,
                    .attrs = {attr_string("mode", modes[m])},
                    .inputs = {DIMS(2, test_channels[c], 6, 5)},
                    .given = {[1] = op_test_tensor(STRIDER_I64, DIMS(8), values, sizeof values),
                              [2] = tensor_f32(DIMS(), 0.75f)},
                    .n_inputs = 3,
                    .constants = 6,
                    .must_accept = true};
                kernel_test_check(test);
            }
    static const DType dtypes[] = {STRIDER_BOOL, STRIDER_F16, STRIDER_I32, STRIDER_I64, STRIDER_F64};
    for (size_t d = 0; d < sizeof dtypes / sizeof *dtypes; d++)
        for (int m = 0; m < 3; m++)
            for (int with_value = 0; with_value < 2; with_value++)
                kernel_test_check((KernelTest){.op = "Pad",
                                               .opset = 13,
                                               .attrs = {attr_string("mode", modes[m])},
                                               .given = {small_numbers(dtypes[d], DIMS(2, 17, 6, 5)),
                                                         tensor_i64(DIMS(8), 0, 0, 1, -2, 0, 0, 2, 3),
                                                         tensor_typed(dtypes[d], shape_scalar(), 1)},
                                               .n_inputs = 2 + with_value,
                                               .constants = 6,
                                               .varying = 4,
                                               .must_accept = true});
    kernel_test_check((KernelTest){.op = "Pad",
                                   .opset = 2,
                                   .attrs = {attr_ints("pads", 2, 5), attr_float("value", -1)},
                                   .inputs = {DIMS(70)},
                                   .n_inputs = 1,
                                   .must_accept = true});
}

static void resize(void **state) {
    (void)state;
    static const char *const modes[] = {"nearest", "linear", "cubic"};
    static const char *const coordinates[] = {"asymmetric", "half_pixel", "align_corners",
                                              "pytorch_half_pixel"};
    static const float scales[][2] = {{2, 2}, {1, 3}, {0.5f, 2}, {1.7f, 0.6f}};
    for (int m = 0; m < 3; m++)
        for (int k = 0; k < 4; k++)
            for (int s = 0; s < 4; s++)
                for (int c = s; c < N_TEST_CHANNELS; c += 3)
                    kernel_test_check(
                        (KernelTest){.op = "Resize",
                                     .opset = 13,
                                     .attrs = {attr_string("mode", modes[m]),
                                               attr_string("coordinate_transformation_mode", coordinates[k]),
                                               attr_string("nearest_mode", "floor")},
                                     .inputs = {DIMS(2, test_channels[c], 5, 7)},
                                     .given = {[2] = tensor_f32(DIMS(4), 1, 1, scales[s][0], scales[s][1])},
                                     .n_inputs = 3,
                                     .absent = 2,
                                     .constants = 4,
                                     .with_nan = m == 0,
                                     .must_accept = true});
}

/* Channels-last images, and other plain tensors whose last dimensions stay. */
static void resize_of_plain_tensors(void **state) {
    (void)state;
    const struct {
        Shape x;
        float scales[5];
    } cases[] = {{DIMS(2, 5, 7, 19), {1, 1.7f, 2.2f, 1}},       {DIMS(1, 6, 8, 16), {1, 2, 2, 1}},
                 {DIMS(2, 9, 11, 5), {1, 0.6f, 0.4f, 1}},       {DIMS(7, 4, 3), {2.5f, 1, 1}},
                 {DIMS(2, 3, 4, 5, 33), {1, 2, 0.8f, 1.5f, 1}}, {DIMS(3, 4, 2, 4), {2, 1, 1, 1}}};
    static const char *const modes[] = {"nearest", "linear", "cubic"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int m = 0; m < 3; m++)
            for (int antialias = 0; antialias < 2; antialias++) {
                float scales[5];
                memcpy(scales, cases[i].scales, sizeof scales);
                const Shape list = DIMS(cases[i].x.rank);
                if ((m == 2 && cases[i].x.rank == 5) || (m == 0 && antialias))
                    continue;
                kernel_test_check(
                    (KernelTest){.op = "Resize",
                                 .opset = 18,
                                 .attrs = {attr_string("mode", modes[m]), attr_int("antialias", antialias)},
                                 .inputs = {cases[i].x},
                                 .given = {[2] = tensor_view(STRIDER_F32, &list, scales)},
                                 .n_inputs = 3,
                                 .absent = 2,
                                 .constants = 4,
                                 .with_nan = m == 0,
                                 .must_accept = true});
            }
}

static void resize_by_sizes_that_are_not_constant(void **state) {
    (void)state;
    for (int c = 0; c < N_TEST_CHANNELS; c++)
        kernel_test_check((KernelTest){.op = "Resize",
                                       .opset = 13,
                                       .attrs = {attr_string("mode", "linear")},
                                       .inputs = {DIMS(1, test_channels[c], 5, 7)},
                                       .given = {[3] = tensor_i64(DIMS(4), 1, test_channels[c], 9, 13)},
                                       .n_inputs = 4,
                                       .absent = 6,
                                       .must_accept = true});
}

static void upsample(void **state) {
    (void)state;
    kernel_test_check((KernelTest){.op = "Upsample",
                                   .opset = 9,
                                   .inputs = {DIMS(1, 19, 5, 7)},
                                   .given = {[1] = tensor_f32(DIMS(4), 1, 1, 2, 2)},
                                   .n_inputs = 2,
                                   .constants = 2,
                                   .must_accept = true});
    kernel_test_check((KernelTest){.op = "Upsample",
                                   .opset = 9,
                                   .attrs = {attr_string("mode", "linear")},
                                   .inputs = {DIMS(1, 19, 5, 6, 7)},
                                   .given = {[1] = tensor_f32(DIMS(5), 1, 1, 1, 2, 2)},
                                   .n_inputs = 2,
                                   .constants = 2,
                                   .must_accept = true});
}

static void expand(void **state) {
    (void)state;
    const struct {
        Shape from, to;
    } cases[] = {{DIMS(4, 1, 5, 7), DIMS(4, 6, 5, 7)},
                 {DIMS(6, 1, 1), DIMS(2, 6, 5, 7)},
                 {DIMS(1, 37), DIMS(50, 37)},
                 {DIMS(33, 1), DIMS(33, 70)},
                 {DIMS(), DIMS(3, 5)},
                 {DIMS(3, 5), DIMS(1, 1)},
                 {DIMS(1), DIMS(9)},
                 {DIMS(2, 1, 3, 1, 2), DIMS(2, 4, 3, 5, 2)},
                 {DIMS(16, 1), DIMS(1, 16)}};
    static const DType dtypes[] = {STRIDER_F32, STRIDER_I64, STRIDER_BOOL, STRIDER_F16};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int t = 0; t < 4; t++) {
            int64_t dims[MAX_RANK];
            memcpy(dims, cases[i].to.dims, sizeof dims);
            const Shape list = DIMS(cases[i].to.rank);
            kernel_test_check((KernelTest){
                .op = "Expand",
                .opset = 13,
                .given = {small_numbers(dtypes[t], cases[i].from), tensor_view(STRIDER_I64, &list, dims)},
                .n_inputs = 2,
                .constants = 2,
                .varying = 2,
                .must_accept = true});
        }
}

static void tile(void **state) {
    (void)state;
    const struct {
        Shape from, repeats;
    } cases[] = {{DIMS(1, 3, 5), DIMS(4, 1, 1)},
                 {DIMS(7, 3), DIMS(1, 9)},
                 {DIMS(2, 3, 4, 5), DIMS(2, 3, 2, 3)},
                 {DIMS(5), DIMS(7)},
                 {DIMS(3, 5), DIMS(1, 1)},
                 {DIMS(17, 1), DIMS(1, 33)},
                 {DIMS(2, 2, 2, 2, 2), DIMS(1, 2, 1, 2, 3)}};
    static const DType dtypes[] = {STRIDER_F32, STRIDER_I64, STRIDER_BOOL, STRIDER_F16};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int t = 0; t < 4; t++) {
            int64_t repeats[MAX_RANK];
            memcpy(repeats, cases[i].repeats.dims, sizeof repeats);
            const Shape list = DIMS(cases[i].repeats.rank);
            kernel_test_check((KernelTest){
                .op = "Tile",
                .opset = 13,
                .given = {small_numbers(dtypes[t], cases[i].from), tensor_view(STRIDER_I64, &list, repeats)},
                .n_inputs = 2,
                .constants = 2,
                .varying = 2,
                .must_accept = true});
        }
}

int move_kernel_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(concat),
        cmocka_unit_test(concat_with_an_order),
        cmocka_unit_test(elements_of_every_size),
        cmocka_unit_test(concat_of_integers_and_of_large_parts),
        cmocka_unit_test(split),
        cmocka_unit_test(slice),
        cmocka_unit_test(transpose),
        cmocka_unit_test(transpose_of_images),
        cmocka_unit_test(transpose_of_all_types),
        cmocka_unit_test(transpose_that_moves_nothing),
        cmocka_unit_test(pad),
        cmocka_unit_test(resize),
        cmocka_unit_test(resize_by_sizes_that_are_not_constant),
        cmocka_unit_test(upsample),
        cmocka_unit_test(depth_and_space),
        cmocka_unit_test(expand),
        cmocka_unit_test(resize_of_plain_tensors),
        cmocka_unit_test(tile),
    };
    return cmocka_run_group_tests_name("kernels that move elements", tests, NULL, NULL);
}

void move_kernel_times(void) {
    kernel_test_time((KernelTest){.op = "Concat",
                                  .opset = 13,
                                  .attrs = {attr_int("axis", 1)},
                                  .inputs = {DIMS(1, 128, 56, 56), DIMS(1, 32, 56, 56)},
                                  .n_inputs = 2},
                     "densenet 128+32x56x56");
    shuffled_channels = 116;
    first_shuffled = 0;
    kernel_test_time((KernelTest){.op = "Concat",
                                  .opset = 13,
                                  .attrs = {attr_int("axis", 1)},
                                  .inputs = {DIMS(1, 58, 28, 28), DIMS(1, 58, 28, 28)},
                                  .n_inputs = 2,
                                  .adjust = set_shuffle},
                     "shuffled 58+58x28x28");
    kernel_test_time((KernelTest){.op = "Transpose",
                                  .opset = 13,
                                  .attrs = {attr_ints("perm", 0, 2, 3, 1)},
                                  .inputs = {DIMS(1, 96, 56, 56)},
                                  .n_inputs = 1},
                     "96x56x56 to channels last");
    static const char *const modes[] = {"nearest", "linear"};
    for (int m = 0; m < 2; m++)
        kernel_test_time((KernelTest){.op = "Resize",
                                      .opset = 13,
                                      .attrs = {attr_string("mode", modes[m]),
                                                attr_string("coordinate_transformation_mode", "half_pixel")},
                                      .inputs = {DIMS(1, 256, 20, 20)},
                                      .given = {[2] = tensor_f32(DIMS(4), 1, 1, 2, 2)},
                                      .n_inputs = 3,
                                      .absent = 2,
                                      .constants = 4},
                         modes[m]);
}
