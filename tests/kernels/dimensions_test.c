/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels other than convolutions on tensors of one and three spatial dimensions. */
#include "kernel_test.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "ops/kernel.h"

enum { N_SHAPES = 5 };

/* Of odd sizes, by rank. */
static Shape shape_of(int i, int64_t channels) {
    const Shape shapes[N_SHAPES] = {DIMS(2, channels, 37), DIMS(1, channels, 1), DIMS(2, channels, 3, 5, 7),
                                    DIMS(1, channels, 1, 4, 1), DIMS(1, channels, 6, 1, 9)};
    return shapes[i];
}

static KernelTest test_of(const char *op, int opset, Shape x) {
    return (KernelTest){.op = op,
                        .opset = opset,
                        .inputs = {x},
                        .n_inputs = 1,
                        .must_accept = true,
                        .seed = (uint64_t)x.dims[1]};
}

static Attr ints(const char *name, const int64_t *values, int count) {
    return (Attr){.name = name, .kind = ATTR_INTS, .ints = (int64_t *)values, .count = (size_t)count};
}

static void random_pools(void **state) {
    (void)state;
    uint64_t seed = 41;
    for (int i = 0; i < 200; i++) {
        const int spatial = i % 2 ? 3 : 1;
        const bool is_max = i % 4 < 2;
        int64_t kernel[3], strides[3], dilations[3], pads[6];
        Shape x = {.rank = 2 + spatial,
                   .dims = {1 + random_below(&seed, 2), test_channels[random_below(&seed, N_TEST_CHANNELS)]}};
        for (int d = 0; d < spatial; d++) {
            kernel[d] = 1 + random_below(&seed, 4);
            strides[d] = 1 + random_below(&seed, 3);
            dilations[d] = is_max ? 1 + random_below(&seed, 2) : 1;
            pads[d] = random_below(&seed, (kernel[d] + 1) / 2);
            pads[spatial + d] = random_below(&seed, (kernel[d] + 1) / 2);
            x.dims[2 + d] = dilations[d] * (kernel[d] - 1) + 1 + random_below(&seed, spatial == 1 ? 60 : 6);
        }
        KernelTest test = test_of(is_max ? "MaxPool" : "AveragePool", 12, x);
        test.attrs[0] = ints("kernel_shape", kernel, spatial);
        test.attrs[1] = ints("strides", strides, spatial);
        test.attrs[2] = ints("pads", pads, 2 * spatial);
        test.attrs[3] = attr_int("ceil_mode", random_below(&seed, 2));
        test.attrs[4] =
            is_max ? ints("dilations", dilations, spatial) : attr_int("count_include_pad", i / 4 % 2);
        test.with_nan = i % 5 == 0;
        kernel_test_check(test);
    }
}

static void whole_volumes(void **state) {
    (void)state;
    static const char *const ops[] = {"GlobalMaxPool", "GlobalAveragePool", "ReduceMean"};
    for (int c = 0; c < N_TEST_CHANNELS; c++)
        for (int i = 0; i < N_SHAPES; i++)
            for (int op = 0; op < 3; op++) {
                KernelTest test = test_of(ops[op], 13, shape_of(i, test_channels[c]));
                static const int64_t axes[] = {2, 3, 4};
                if (op == 2)
                    test.attrs[0] = ints("axes", axes, test.inputs[0].rank - 2);
                kernel_test_check(test);
            }
}

static void normalizations(void **state) {
    (void)state;
    static const char *const ops[] = {"BatchNormalization", "InstanceNormalization", "GroupNormalization"};
    for (int c = 0; c < N_TEST_CHANNELS; c++)
        for (int i = 0; i < N_SHAPES; i++)
            for (int op = 0; op < 3; op++) {
                const int64_t channels = test_channels[c];
                KernelTest test = test_of(ops[op], op == 2 ? 21 : 9, shape_of(i, channels));
                test.n_inputs = op ? 3 : 5;
                for (int port = 1; port < test.n_inputs; port++)
                    test.inputs[port] = DIMS(channels);
                test.attrs[0] = attr_float("epsilon", 1e-2f);
                if (op == 2)
                    test.attrs[1] = attr_int("num_groups", channels % 4 ? 1 : channels / 4);
                test.constants = op ? 6 : 0x1e;
                test.low = 0.25f;
                test.high = 2;
                test.rtol = 1e-5;
                kernel_test_check(test);
            }
}

/* Of several chunks, with means that must not lose the deviations their digits; and with a NaN in one lane.
 */
static void instance_norm_of_long_channels(void **state) {
    (void)state;
    for (int c = 0; c < N_TEST_CHANNELS; c += 3)
        for (int with_nan = 0; with_nan < 2; with_nan++) {
            const int64_t channels = test_channels[c];
            KernelTest test = test_of("InstanceNormalization", 9, DIMS(1, channels, 9001));
            test.inputs[1] = test.inputs[2] = DIMS(channels);
            test.n_inputs = 3;
            test.low = 999;
            test.high = 1001;
            test.atol = 2e-3;
            test.rtol = 1e-5;
            test.with_nan = (unsigned)with_nan;
            kernel_test_check(test);
        }
}

static void pads(void **state) {
    (void)state;
    static const char *const modes[] = {"constant", "reflect", "edge"};
    uint64_t seed = 42;
    for (int i = 0; i < 120; i++) {
        const int spatial = i % 2 ? 3 : 1, rank = 2 + spatial;
        Shape x = {.rank = rank,
                   .dims = {1 + random_below(&seed, 2), test_channels[random_below(&seed, N_TEST_CHANNELS)]}};
        int64_t values[10] = {0};
        for (int d = 2; d < rank; d++) {
            x.dims[d] = 4 + random_below(&seed, spatial == 1 ? 50 : 4);
            values[d] = random_below(&seed, 6) - 2;
            values[rank + d] = random_below(&seed, 6) - 2;
        }
        const int64_t count = 2 * rank;
        KernelTest test = test_of("Pad", 13, x);
        test.attrs[0] = attr_string("mode", modes[i % 3]);
        test.given[1] = op_test_tensor(STRIDER_I64, DIMS(count), values, (size_t)count * sizeof *values);
        test.given[2] = tensor_f32(DIMS(), 0.75f);
        test.n_inputs = 3;
        test.constants = 6;
        /* Cropped and mirrored by more than what is left. */
        for (int d = 2; d < rank; d++)
            if (i % 3 == 1 && (values[d] < 0 || values[rank + d] < 0))
                test.op = NULL;
        if (test.op)
            kernel_test_check(test);
    }
}

static void resizes(void **state) {
    (void)state;
    static const char *const modes[] = {"nearest", "linear", "cubic"};
    static const char *const coordinates[] = {"asymmetric", "half_pixel", "align_corners"};
    static const float scales[] = {1, 2, 0.5f, 1.7f, 3, 0.6f};
    uint64_t seed = 43;
    for (int i = 0; i < 120; i++) {
        const int spatial = i % 2 ? 3 : 1;
        Shape x = {.rank = 2 + spatial,
                   .dims = {1 + random_below(&seed, 2), test_channels[random_below(&seed, N_TEST_CHANNELS)]}};
        float by[5] = {1, 1};
        for (int d = 2; d < x.rank; d++) {
            x.dims[d] = 2 + random_below(&seed, spatial == 1 ? 40 : 4);
            by[d] = scales[random_below(&seed, 6)];
        }
        KernelTest test = test_of("Resize", 13, x);
        test.attrs[0] = attr_string("mode", modes[i / 2 % 3]);
        test.attrs[1] = attr_string("coordinate_transformation_mode", coordinates[i / 6 % 3]);
        const int64_t rank = x.rank;
        test.given[2] = op_test_tensor(STRIDER_F32, DIMS(rank), by, (size_t)rank * sizeof *by);
        test.n_inputs = 3;
        test.absent = 2;
        test.constants = 4;
        kernel_test_check(test);
    }
}

static void elements_and_parts(void **state) {
    (void)state;
    for (int c = 0; c < N_TEST_CHANNELS; c++)
        for (int i = 0; i < N_SHAPES; i++) {
            const Shape x = shape_of(i, test_channels[c]);
            Shape gate = x;
            for (int d = 2; d < x.rank; d++)
                gate.dims[d] = 1;
            KernelTest test = test_of("Add", 13, x);
            test.n_inputs = 2;
            test.inputs[1] = x;
            kernel_test_check(test);
            test.op = "Mul";
            test.inputs[1] = gate;
            kernel_test_check(test);
            test = test_of("Sigmoid", 13, x);
            kernel_test_check(test);
            for (int axis = 1; axis < x.rank; axis++) {
                test = test_of("Concat", 13, x);
                test.attrs[0] = attr_int("axis", axis);
                test.n_inputs = 2;
                test.inputs[1] = x;
                kernel_test_check(test);
            }
        }
}

/* One tensor into blocks and back, beside what a block's definition says. */
static void check_reorder(const Type *type, int block) {
    enum { MAX_BYTES = 16384 * 8 };
    static char plain[MAX_BYTES], blocked[MAX_BYTES], again[MAX_BYTES];
    static const char zeros[8];
    const Layout layout = layout_blocked(block);
    const size_t size = dtype_size(type->dtype);
    const int64_t images = type->shape.dims[0], channels = type->shape.dims[1],
                  plane = shape_size(&type->shape, 2, type->shape.rank),
                  padded = layout_blocks(&type->shape, layout) * block;
    size_t plain_bytes = 0, blocked_bytes = 0;
    assert_true(type_size(type, &plain_bytes) && layout_size(type, layout, &blocked_bytes));
    assert_int_equal(blocked_bytes, (size_t)(images * padded * plane) * size);
    assert_true(blocked_bytes <= MAX_BYTES);
    for (size_t i = 0; i < plain_bytes; i++)
        plain[i] = (char)(1 + i % 251);
    memset(blocked, 0xff, sizeof blocked);
    Region region;
    Error err = {0};
    region_init(&region, allocator_default(), 0);
    PrepareContext ctx = {.region = &region, .max_pack_bytes = UINT64_MAX, .err = &err};
    for (int back = 0; back < 2; back++) {
        KernelInstance instance = {0};
        assert_int_equal(cpu_prepare_reorder(type, back ? layout : layout_plain(),
                                             back ? layout_plain() : layout, &ctx, &instance),
                         STRIDER_OK);
        const void *inputs[] = {back ? blocked : plain};
        void *outputs[] = {back ? again : blocked};
        const KernelCall call = {.inputs = inputs, .outputs = outputs, .args = instance.args};
        for (int64_t task = 0; task < instance.tasks; task++)
            instance.run(&call, task);
    }
    for (int64_t n = 0; n < images; n++)
        for (int64_t k = 0; k < padded; k++)
            for (int64_t at = 0; at < plane; at++) {
                const int64_t to = (n * padded + k / block * block) * plane + at * block + k % block,
                              from = (n * channels + k) * plane + at;
                assert_memory_equal(blocked + (size_t)to * size,
                                    k < channels ? plain + (size_t)from * size : zeros, size);
            }
    assert_memory_equal(plain, again, plain_bytes);
    region_free(&region);
}

static void reorders(void **state) {
    (void)state;
    static const DType dtypes[] = {STRIDER_U8, STRIDER_BF16, STRIDER_F32, STRIDER_I64};
    for (int c = 0; c < N_TEST_CHANNELS; c++)
        for (int i = 0; i < N_SHAPES; i++)
            for (int t = 0; t < CPU_TARGET_COUNT; t++)
                for (int d = 0; d < 4; d++) {
                    const Type type = type_of(dtypes[d], shape_of(i, test_channels[c]));
                    check_reorder(&type, cpu_targets[t].width);
                }
}

static void reorders_that_are_none_are_refused(void **state) {
    (void)state;
    const Type image = type_of(STRIDER_F32, shape_of(0, 3)),
               vector = type_of(STRIDER_F32, shape_make(2, (int64_t[]){2, 3}));
    const Layout blocked = layout_blocked(8), halves = {LAYOUT_BLOCKED, 8, STRIDER_BF16};
    const struct {
        const Type *type;
        Layout from, to;
    } cases[] = {
        {&image, layout_plain(), layout_plain()}, {&image, blocked, layout_blocked(4)},
        {&image, layout_plain(), halves},         {&image, halves, layout_plain()},
        {&vector, layout_plain(), blocked},
    };
    Region region;
    region_init(&region, allocator_default(), 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Error err = {0};
        PrepareContext ctx = {.region = &region, .max_pack_bytes = UINT64_MAX, .err = &err};
        KernelInstance instance = {0};
        assert_int_equal(cpu_prepare_reorder(cases[i].type, cases[i].from, cases[i].to, &ctx, &instance),
                         STRIDER_UNSUPPORTED);
        assert_null(instance.run);
    }
    region_free(&region);
}

int dimensions_kernel_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_pools),
        cmocka_unit_test(whole_volumes),
        cmocka_unit_test(normalizations),
        cmocka_unit_test(instance_norm_of_long_channels),
        cmocka_unit_test(pads),
        cmocka_unit_test(resizes),
        cmocka_unit_test(elements_and_parts),
        cmocka_unit_test(reorders),
        cmocka_unit_test(reorders_that_are_none_are_refused),
    };
    return cmocka_run_group_tests_name("kernels in one and three dimensions", tests, NULL, NULL);
}

void dimensions_kernel_times(void) {
    KernelTest test = test_of("Resize", 13, DIMS(1, 32, 16, 32, 32));
    test.attrs[0] = attr_string("mode", "linear");
    test.given[2] = tensor_f32(DIMS(5), 1, 1, 2, 2, 2);
    test.n_inputs = 3;
    test.absent = 2;
    test.constants = 4;
    kernel_test_time(test, "unet3d 32x16x32x32, twice in each");
}
