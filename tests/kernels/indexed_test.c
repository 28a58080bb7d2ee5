/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels that go by tensors of indices: Gather*, Scatter*, MaxUnpool, OneHot. */
#include "kernel_test.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { MAX_ELEMENTS = 300000 };

/* Whole numbers that every type holds. */
static Tensor numbers(DType dtype, Shape shape, int port) {
    static int64_t memory[2][MAX_ELEMENTS];
    Tensor tensor = tensor_view(dtype, &shape, memory[port]);
    assert_true(tensor.size_bytes <= sizeof memory[port]);
    for (int64_t i = 0; i < tensor_elements(&tensor); i++)
        tensor_set_f64(&tensor, i, (double)(i * (port ? 41 : 37) % (port ? 5 : 97)));
    return tensor;
}

/* Tuples of indices into the dimensions from `first` on, `depth` of them; some count from the end, some are
 * there twice. */
static Tensor indices_into(const Shape *x, int first, int depth, DType dtype, Shape shape) {
    static int64_t memory[MAX_ELEMENTS];
    static uint64_t seed = 5;
    Tensor tensor = tensor_view(dtype, &shape, memory);
    assert_true(tensor.size_bytes <= sizeof memory);
    for (int64_t i = 0; i < tensor_elements(&tensor); i++) {
        const int64_t dim = x->dims[first + i % depth];
        tensor_set_i64(&tensor, i, random_below(&seed, 2 * dim) - dim);
    }
    return tensor;
}

static const DType dtypes[] = {STRIDER_U8, STRIDER_F16, STRIDER_F32, STRIDER_I64};
enum { N_DTYPES = sizeof dtypes / sizeof *dtypes };

static void check_gather(const char *op, DType dtype, Attr attr, Shape x, Tensor indices) {
    kernel_test_check((KernelTest){.op = op,
                                   .opset = 13,
                                   .attrs = {attr},
                                   .given = {numbers(dtype, x, 0), indices},
                                   .n_inputs = 2,
                                   .must_accept = true});
}

/* Parts of every size that is moved by itself, and others; indices of both types and of several ranks. */
static void gather(void **state) {
    (void)state;
    for (int d = 0; d < N_DTYPES; d++)
        for (int64_t part = 1; part <= 17; part++)
            for (int wide = 0; wide < 2; wide++) {
                const DType index = wide ? STRIDER_I64 : STRIDER_I32;
                const Shape x = DIMS(3, 9, part);
                check_gather("Gather", dtypes[d], attr_int("axis", 1), x,
                             indices_into(&x, 1, 1, index, DIMS(2, 7)));
                check_gather("Gather", dtypes[d], attr_int("axis", -3), x,
                             indices_into(&x, 0, 1, index, DIMS()));
                check_gather("Gather", dtypes[d], attr_int("axis", 2), x,
                             indices_into(&x, 2, 1, index, DIMS(3, 1, 2)));
            }
    const Shape rows = DIMS(40, 300), large = DIMS(3, 45000), table = DIMS(8, 441);
    check_gather("Gather", STRIDER_F32, attr_int("axis", 0), rows,
                 indices_into(&rows, 0, 1, STRIDER_I64, DIMS(700)));
    check_gather("Gather", STRIDER_I64, attr_int("axis", 0), large,
                 indices_into(&large, 0, 1, STRIDER_I64, DIMS(2)));
    check_gather("Gather", STRIDER_F32, attr_int("axis", 1), table,
                 indices_into(&table, 1, 1, STRIDER_I64, DIMS(49, 49)));
}

static void gather_elements(void **state) {
    (void)state;
    for (int d = 0; d < N_DTYPES; d++)
        for (int axis = 0; axis < 3; axis++)
            for (int wide = 0; wide < 2; wide++) {
                const DType index = wide ? STRIDER_I64 : STRIDER_I32;
                const Shape x = DIMS(4, 5, 7), column = DIMS(4, 50, 1);
                check_gather("GatherElements", dtypes[d], attr_int("axis", axis), x,
                             indices_into(&x, axis, 1, index, DIMS(3, 4, 6)));
                check_gather("GatherElements", dtypes[d], attr_int("axis", axis - 3), column,
                             indices_into(&column, axis, 1, index, DIMS(4, 33, 1)));
            }
    const Shape x = DIMS(30, 100, 40), flat = DIMS(1000);
    for (int axis = 0; axis < 3; axis++)
        check_gather("GatherElements", STRIDER_F32, attr_int("axis", axis), x,
                     indices_into(&x, axis, 1, STRIDER_I64, DIMS(29, 90, 39)));
    check_gather("GatherElements", STRIDER_F32, attr_int("axis", 0), flat,
                 indices_into(&flat, 0, 1, STRIDER_I64, DIMS(60000)));
}

static void gather_nd(void **state) {
    (void)state;
    const Shape x = DIMS(3, 4, 5, 6);
    for (int d = 0; d < N_DTYPES; d++)
        for (int batch = 0; batch < 3; batch++)
            for (int depth = 1; depth <= 4 - batch; depth++)
                for (int wide = 0; wide < 2; wide++) {
                    Shape indices = batch == 0 ? DIMS(2, 9, depth) : DIMS(3, 9, depth);
                    if (batch == 2)
                        indices = DIMS(3, 4, 7, depth);
                    check_gather("GatherND", dtypes[d], attr_int("batch_dims", batch), x,
                                 indices_into(&x, batch, depth, wide ? STRIDER_I64 : STRIDER_I32, indices));
                }
    check_gather("GatherND", STRIDER_F32, attr_int("batch_dims", 0), x,
                 indices_into(&x, 0, 3, STRIDER_I64, DIMS(20000, 3)));
}

/* --- Scatter --- */

static const char *const reductions[] = {"none", "add", "mul", "max", "min"};

static void check_scatter(const char *op, int opset, DType dtype, const char *reduction, int axis, Shape x,
                          Tensor indices, Shape updates) {
    KernelTest test = {.op = op,
                       .opset = opset,
                       .attrs = {attr_string("reduction", reduction), attr_int("axis", axis)},
                       .given = {numbers(dtype, x, 0), indices, numbers(dtype, updates, 1)},
                       .n_inputs = 3,
                       .must_accept = true};
    kernel_test_check(test);
}

static const DType computed[] = {STRIDER_F32, STRIDER_F64, STRIDER_I8,  STRIDER_I16, STRIDER_I32,
                                 STRIDER_I64, STRIDER_U8,  STRIDER_U16, STRIDER_U32, STRIDER_U64};

static void scatter_elements(void **state) {
    (void)state;
    const Shape x = DIMS(4, 5, 7), updates = DIMS(3, 4, 6);
    for (int axis = 0; axis < 3; axis++) {
        for (int d = 0; d < N_DTYPES; d++)
            check_scatter("ScatterElements", 18, dtypes[d], "none", axis, x,
                          indices_into(&x, axis, 1, STRIDER_I32, updates), updates);
        for (size_t d = 0; d < sizeof computed / sizeof *computed; d++)
            for (int r = 1; r < 5; r++)
                check_scatter("ScatterElements", 18, computed[d], reductions[r], axis - 3, x,
                              indices_into(&x, axis, 1, STRIDER_I64, updates), updates);
    }
    const Shape large = DIMS(30, 100, 40), many = DIMS(29, 90, 39), flat = DIMS(1000), list = DIMS(40000);
    for (int axis = 0; axis < 3; axis++)
        for (int r = 0; r < 2; r++)
            check_scatter("ScatterElements", 18, STRIDER_F32, reductions[r], axis, large,
                          indices_into(&large, axis, 1, STRIDER_I64, many), many);
    check_scatter("ScatterElements", 18, STRIDER_F32, "none", 0, flat,
                  indices_into(&flat, 0, 1, STRIDER_I64, list), list);
    check_scatter("ScatterElements", 18, STRIDER_F32, "add", 0, flat,
                  indices_into(&flat, 0, 1, STRIDER_I64, DIMS(0)), DIMS(0));
    kernel_test_check(
        (KernelTest){.op = "Scatter",
                     .opset = 9,
                     .attrs = {attr_int("axis", 1)},
                     .given = {numbers(STRIDER_F32, x, 0), indices_into(&x, 1, 1, STRIDER_I64, updates),
                               numbers(STRIDER_F32, updates, 1)},
                     .n_inputs = 3,
                     .must_accept = true});
}

static void scatter_nd(void **state) {
    (void)state;
    for (int64_t part = 1; part <= 65; part += part < 4 ? 1 : 13) {
        const Shape x = DIMS(6, 5, part);
        for (int d = 0; d < N_DTYPES; d++)
            check_scatter("ScatterND", 18, dtypes[d], "none", 0, x,
                          indices_into(&x, 0, 2, STRIDER_I64, DIMS(3, 9, 2)), DIMS(3, 9, part));
        for (size_t d = 0; d < sizeof computed / sizeof *computed; d++)
            for (int r = 1; r < 5; r++)
                check_scatter("ScatterND", 18, computed[d], reductions[r], 0, x,
                              indices_into(&x, 0, 1, STRIDER_I64, DIMS(11, 1)), DIMS(11, 5, part));
    }
    const Shape x = DIMS(64, 9, 7);
    for (int r = 0; r < 5; r++)
        check_scatter("ScatterND", 18, STRIDER_F32, reductions[r], 0, x,
                      indices_into(&x, 0, 3, STRIDER_I64, DIMS(40000, 3)), DIMS(40000));
}

/* What is larger than NaN is NaN, whichever comes first. */
static void scatter_of_nan(void **state) {
    (void)state;
    const Shape x = DIMS(20, 3), updates = DIMS(40, 3);
    for (int r = 0; r < 5; r++)
        kernel_test_check((KernelTest){.op = "ScatterND",
                                       .opset = 18,
                                       .attrs = {attr_string("reduction", reductions[r])},
                                       .inputs = {x, {0}, updates},
                                       .given = {[1] = indices_into(&x, 0, 1, STRIDER_I64, DIMS(40, 1))},
                                       .n_inputs = 3,
                                       .with_nan = 5,
                                       .must_accept = true});
}

/* --- MaxUnpool --- */

static void check_unpool(DType dtype, Shape x, const int64_t *larger) {
    const Shape pooled = DIMS(x.dims[0], x.dims[1], 2 * x.dims[2], 2 * x.dims[3]),
                all = DIMS(shape_elements(&pooled));
    const Shape list = DIMS(4);
    Tensor indices = indices_into(&all, 0, 1, STRIDER_I64, x);
    for (int64_t i = 0; i < tensor_elements(&indices); i++)
        if (tensor_get_i64(&indices, i) < 0)
            tensor_set_i64(&indices, i, tensor_get_i64(&indices, i) + all.dims[0]);
    kernel_test_check((KernelTest){
        .op = "MaxUnpool",
        .opset = 11,
        .attrs = {attr_ints("kernel_shape", 2, 2), attr_ints("strides", 2, 2)},
        .given = {numbers(dtype, x, 0), indices, tensor_view(STRIDER_I64, &list, (void *)larger)},
        .n_inputs = larger[0] ? 3 : 2,
        .constants = 4,
        .must_accept = true});
}

static void max_unpool(void **state) {
    (void)state;
    static const DType kinds[] = {STRIDER_F16, STRIDER_F32, STRIDER_F64};
    static const int64_t none[4] = {0}, larger[] = {2, 3, 15, 17};
    for (int d = 0; d < 3; d++) {
        check_unpool(kinds[d], DIMS(2, 3, 5, 7), none);
        check_unpool(kinds[d], DIMS(2, 3, 5, 7), larger);
    }
    check_unpool(STRIDER_F32, DIMS(2, 30, 35, 40), none);
}

/* --- OneHot --- */

static void one_hot(void **state) {
    (void)state;
    static int64_t depths[] = {6, 1, 300};
    for (int d = 0; d < N_DTYPES; d++)
        for (int axis = -1; axis < 3; axis++)
            for (int i = 0; i < 6; i++) {
                const Shape x = DIMS(2 * depths[i / 2]); /* some indices are out of range */
                const DType index = i % 2 ? STRIDER_I64 : STRIDER_I32;
                for (int opset = 9; opset <= 11; opset += 2)
                    kernel_test_check((KernelTest){
                        .op = "OneHot",
                        .opset = opset,
                        .attrs = {attr_int("axis", axis)},
                        .given = {indices_into(&x, 0, 1, index, DIMS(17, 15)),
                                  op_test_tensor(STRIDER_I64, DIMS(1), &depths[i / 2], sizeof *depths),
                                  numbers(dtypes[d], DIMS(2), 0)},
                        .n_inputs = 3,
                        .constants = 2,
                        .must_accept = true});
            }
}

int indexed_kernel_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gather),     cmocka_unit_test(gather_elements),  cmocka_unit_test(gather_nd),
        cmocka_unit_test(scatter_nd), cmocka_unit_test(scatter_elements), cmocka_unit_test(scatter_of_nan),
        cmocka_unit_test(max_unpool), cmocka_unit_test(one_hot),
    };
    return cmocka_run_group_tests_name("kernels of indices", tests, NULL, NULL);
}

void indexed_kernel_times(void) {
    const Shape x = DIMS(64, 1000);
    kernel_test_time((KernelTest){.op = "GatherElements",
                                  .opset = 13,
                                  .attrs = {attr_int("axis", 1)},
                                  .inputs = {x},
                                  .given = {[1] = indices_into(&x, 1, 1, STRIDER_I64, DIMS(64, 1000))},
                                  .n_inputs = 2},
                     "64x1000");
}
