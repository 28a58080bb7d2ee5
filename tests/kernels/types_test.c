/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels of any data type: elementwise functions, Cast, reductions, and places of largest elements. */
#include "kernel_test.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "ops/op.h"

enum { MAX_BYTES = 1 << 18, N_BUFFERS = 4 };

static const DType dtypes[] = {STRIDER_F32, STRIDER_F64, STRIDER_F16, STRIDER_BF16, STRIDER_I8,
                               STRIDER_I16, STRIDER_I32, STRIDER_I64, STRIDER_U8,   STRIDER_U16,
                               STRIDER_U32, STRIDER_U64, STRIDER_BOOL};

enum { N_DTYPES = sizeof dtypes / sizeof *dtypes };

/* Random numbers of a type in a buffer of their own: of floats quarters up to 6, of which every type holds
 * all; bools of any byte. */
static Tensor random_tensor(int buffer, DType dtype, Shape shape, uint64_t *seed) {
    static int64_t memory[N_BUFFERS][MAX_BYTES / sizeof(int64_t)];
    Tensor tensor = tensor_view(dtype, &shape, memory[buffer]);
    assert_true(tensor.size_bytes <= MAX_BYTES);
    for (int64_t i = 0; i < tensor_elements(&tensor); i++) {
        const int64_t number = random_below(seed, 49) - 24;
        if (dtype == STRIDER_BOOL)
            ((uint8_t *)tensor.data)[i] = (uint8_t)(number > 0 ? number : 0);
        else if (dtype_is_float(dtype))
            tensor_set_f64(&tensor, i, (double)number / 4);
        else
            tensor_set_i64(&tensor, i, dtype_is_signed(dtype) ? number : number + 24);
    }
    return tensor;
}

static void put_special(Tensor *tensor, uint64_t *seed) {
    static const double special[] = {NAN, INFINITY, -INFINITY, -0.0};
    for (int i = 0; i < 4 && dtype_is_float(tensor->type.dtype); i++)
        tensor_set_f64(tensor, random_below(seed, tensor_elements(tensor)), special[i]);
}

/* What rounding to the type leaves of a result. */
static double unit_of(DType dtype) {
    return dtype == STRIDER_F16 ? 0x1p-10 : dtype == STRIDER_BF16 ? 0x1p-7 : dtype_is_float(dtype) ? 2e-6 : 0;
}

/* --- functions of two elements --- */

typedef struct BinaryCase {
    const char *op;
    unsigned dtypes;
    bool any_number, is_fast;
} BinaryCase;

#define PAIR false
#define ANY_NUMBER true
enum {
    DTYPES_SIGNED =
        DTYPES_FLOAT | 1u << STRIDER_I8 | 1u << STRIDER_I16 | 1u << STRIDER_I32 | 1u << STRIDER_I64
};
static const BinaryCase binaries[] = {
#define FAST_BINARY(KIND, NAME, ROW, SINCE, INPUTS, DTYPES, ...) {#NAME, DTYPES, INPUTS, true},
#define BINARY(KIND, NAME, ROW, SINCE, INPUTS, DTYPES, ...) {#NAME, DTYPES, INPUTS, false},
#include "ops/math/binary_list.inc"
};

static KernelTest binary_test(const BinaryCase *binary, DType dtype, const Shape *shapes, int n,
                              uint64_t *seed) {
    KernelTest test = {.op = binary->op, .opset = 18, .n_inputs = n, .rtol = unit_of(dtype), .atol = 1e-12};
    for (int i = 0; i < n; i++) {
        test.given[i] = random_tensor(i, dtype, shapes[i], seed);
        if (strcmp(binary->op, "Pow") != 0)
            put_special(&test.given[i], seed);
    }
    if (strcmp(binary->op, "BitShift") == 0)
        test.attrs[0] = attr_string("direction", *seed & 1 << 20 ? "LEFT" : "RIGHT");
    if (strcmp(binary->op, "Mod") == 0)
        test.attrs[0] = attr_int("fmod", dtype_is_float(dtype));
    test.must_accept = dtype != STRIDER_U64;
    return test;
}

static void functions_of_two_elements(void **state) {
    (void)state;
    const Shape shapes[][3] = {{DIMS(3, 5, 70), DIMS(3, 5, 70), DIMS(3, 5, 70)},
                               {DIMS(2, 1100), DIMS(2, 1), DIMS(1)},
                               {DIMS(), DIMS(2, 3), DIMS(3)},
                               {DIMS(3, 1, 33), DIMS(1, 4, 1), DIMS(3, 4, 33)},
                               {DIMS(4, 1), DIMS(4, 19), DIMS(4, 19)},
                               {DIMS(1, 1), DIMS(1), DIMS()}};
    uint64_t seed = 7;
    for (size_t b = 0; b < sizeof binaries / sizeof *binaries; b++)
        for (int t = 0; t < N_DTYPES; t++)
            for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
                const bool is_prelu = strcmp(binaries[b].op, "PRelu") == 0;
                if (!(binaries[b].dtypes & DTYPE_BIT(dtypes[t])) || (is_prelu && s != 0 && s != 1))
                    continue;
                kernel_test_check(binary_test(&binaries[b], dtypes[t], shapes[s], 2, &seed));
                if (binaries[b].any_number)
                    kernel_test_check(binary_test(&binaries[b], dtypes[t], shapes[s], 3, &seed));
            }
}

static void powers_of_other_types(void **state) {
    (void)state;
    uint64_t seed = 3;
    for (int a = 0; a < N_DTYPES - 1; a++)
        for (int b = 0; b < N_DTYPES - 1; b++) {
            KernelTest test = {
                .op = "Pow", .opset = 13, .n_inputs = 2, .rtol = 2 * unit_of(dtypes[a]), .atol = 1e-7};
            test.given[0] = random_tensor(0, dtypes[a], DIMS(3, 40), &seed);
            test.given[1] = random_tensor(1, dtypes[b], DIMS(40), &seed);
            kernel_test_check(test);
        }
}

static void remainders(void **state) {
    (void)state;
    static const float values[] = {0,     -0.0f,  1,          -1, 2.5f,     -2.5f,     7,   1e-30f,
                                   1e30f, -1e30f, 5.9999995f, 6,  INFINITY, -INFINITY, NAN, 3e-45f};
    enum { N = sizeof values / sizeof *values };
    for (int fmod_sign = 0; fmod_sign < 2; fmod_sign++)
        for (int i = 0; i < N; i++) {
            Shape many = DIMS(N), one = DIMS(1);
            for (int side = 0; side < 2; side++)
                kernel_test_check((KernelTest){.op = "Mod",
                                               .opset = 13,
                                               .attrs = {attr_int("fmod", fmod_sign)},
                                               .given = {tensor_view(STRIDER_F32, side ? &one : &many,
                                                                     (void *)(side ? &values[i] : values)),
                                                         tensor_view(STRIDER_F32, side ? &many : &one,
                                                                     (void *)(side ? values : &values[i]))},
                                               .n_inputs = 2,
                                               .atol = 1e-45,
                                               .must_accept = true});
        }
    kernel_test_check((KernelTest){.op = "Mod",
                                   .opset = 13,
                                   .attrs = {attr_int("fmod", 1)},
                                   .inputs = {DIMS(5, 999), DIMS(5, 999)},
                                   .n_inputs = 2,
                                   .low = -50,
                                   .high = 60,
                                   .atol = 1e-45,
                                   .must_accept = true});
}

/* --- functions of one --- */

typedef struct UnaryCase {
    const char *op;
    unsigned dtypes;
} UnaryCase;

static const UnaryCase unaries[] = {
#define UNARY(KIND, NAME, ROW, SINCE, DTYPES, ...) {#NAME, DTYPES},
#include "ops/math/unary_list.inc"
    {"Not", DTYPE_BIT(STRIDER_BOOL)},
    {"BitwiseNot", DTYPES_INTEGER},
    {"IsNaN", DTYPES_FLOAT},
    {"IsInf", DTYPES_FLOAT}};

static void functions_of_one_element(void **state) {
    (void)state;
    uint64_t seed = 11;
    for (size_t u = 0; u < sizeof unaries / sizeof *unaries; u++)
        for (int t = 0; t < N_DTYPES; t++)
            for (int size = 1; size < 3000 && unaries[u].dtypes & DTYPE_BIT(dtypes[t]); size = size * 3 + 8) {
                KernelTest test = {.op = unaries[u].op,
                                   .opset = 24,
                                   .n_inputs = 1,
                                   .rtol = unit_of(dtypes[t]),
                                   .must_accept = true};
                test.given[0] = random_tensor(0, dtypes[t], DIMS(size, 2), &seed);
                put_special(&test.given[0], &seed);
                test.atol = 1e-6;
                kernel_test_check(test);
            }
}

static void angles_of_any_size(void **state) {
    (void)state;
    static const char *const ops[] = {"Sin", "Cos", "Tan"};
    static const float sizes[] = {1e-3f, 1, 100, 1e5f, 2e5f, 1e30f};
    for (int o = 0; o < 3; o++)
        for (int i = 0; i < 6; i++)
            kernel_test_check((KernelTest){.op = ops[o],
                                           .opset = 22,
                                           .inputs = {DIMS(1 << 13)},
                                           .n_inputs = 1,
                                           .low = -sizes[i],
                                           .high = sizes[i],
                                           .rtol = 1.5e-7,
                                           .atol = 1e-40,
                                           .seed = (uint64_t)i,
                                           .must_accept = true});
}

static void rounding_to_whole_numbers(void **state) {
    (void)state;
    static const char *const ops[] = {"Floor", "Ceil", "Round", "Sign"};
    for (int o = 0; o < 4; o++) {
        kernel_test_check(
            (KernelTest){.op = ops[o],
                         .opset = 13,
                         .given = {tensor_f32(DIMS(20), 0, -0.0f, 0.5f, -0.5f, 1.5f, -1.5f, 2.5f, -2.5f,
                                              0.49999997f, -0.3f, 4194304.5f, -4194305.5f, 8388607.5f,
                                              -8388607.5f, 8388609, 1e30f, INFINITY, -INFINITY, NAN, 1e-40f)},
                         .n_inputs = 1,
                         .atol = 1e-45,
                         .must_accept = true});
    }
}

static void bounds_of_each_run(void **state) {
    (void)state;
    uint64_t seed = 5;
    for (int t = 0; t < N_DTYPES - 1; t++)
        for (unsigned absent = 0; absent < 4; absent += 2) {
            if (dtypes[t] == STRIDER_U64)
                continue;
            KernelTest test = {
                .op = "Clip", .opset = 13, .n_inputs = 3, .absent = absent, .must_accept = true};
            test.given[0] = random_tensor(0, dtypes[t], DIMS(3, 700), &seed);
            put_special(&test.given[0], &seed);
            test.given[1] = random_tensor(1, dtypes[t], DIMS(), &seed);
            test.given[2] = random_tensor(2, dtypes[t], DIMS(), &seed);
            kernel_test_check(test);
        }
}

static void choices(void **state) {
    (void)state;
    const Shape shapes[][3] = {{DIMS(3, 5, 70), DIMS(3, 5, 70), DIMS(3, 5, 70)},
                               {DIMS(2, 1), DIMS(2, 1100), DIMS(1)},
                               {DIMS(2, 1), DIMS(1), DIMS(1, 9)},
                               {DIMS(2, 33), DIMS(), DIMS()},
                               {DIMS(1, 33), DIMS(4, 1), DIMS(4, 33)},
                               {DIMS(), DIMS(), DIMS()}};
    uint64_t seed = 9;
    for (int t = 0; t < N_DTYPES; t++)
        for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
            KernelTest test = {.op = "Where", .opset = 16, .n_inputs = 3, .must_accept = true};
            test.given[0] = random_tensor(0, STRIDER_BOOL, shapes[s][0], &seed);
            test.given[1] = random_tensor(1, dtypes[t], shapes[s][1], &seed);
            test.given[2] = random_tensor(2, dtypes[t], shapes[s][2], &seed);
            kernel_test_check(test);
        }
}

/* --- Cast --- */

/* ONNX's numbers, in the order of `dtypes`. */
static const int64_t onnx_numbers[N_DTYPES] = {1, 11, 10, 16, 3, 5, 6, 7, 2, 4, 12, 13, 9};

static void casts_of_all_pairs(void **state) {
    (void)state;
    static const double numbers[] = {
        0,      1,    -1,           0.75,          -0.75,          127.5,       128,
        -128.5, -129, 255,          256,           32767,          65504,       65519,
        65520,  1e5,  -1e5,         2147483647,    2147483648.0,   -3e9,        5e9,
        9e18,   1e19, 2e19,         -1e30,         1e39,           -1e300,      6e-8,
        3e-8,   1e-5, 1.0009765625, 1.00048828125, 1.001464843749, 1.001464844, 16777217,
        2049,   4097};
    enum { N = sizeof numbers / sizeof *numbers };
    uint64_t seed = 13;
    for (int a = 0; a < N_DTYPES; a++)
        for (int b = 0; b < N_DTYPES; b++) {
            KernelTest test = {.op = "Cast",
                               .opset = 19,
                               .attrs = {attr_int("to", onnx_numbers[b])},
                               .n_inputs = 1,
                               .atol = 1e-320,
                               .must_accept = true};
            test.given[0] = random_tensor(0, dtypes[a], DIMS(3, 91), &seed);
            for (int64_t i = 0; i < N && dtypes[a] != STRIDER_BOOL; i++)
                tensor_set_f64(&test.given[0], i, numbers[i]);
            put_special(&test.given[0], &seed);
            for (int64_t i = 0; dtypes[a] == STRIDER_BOOL && i < tensor_elements(&test.given[0]); i++)
                ((uint8_t *)test.given[0].data)[i] &= 1;
            kernel_test_check(test);
            test.given[0] =
                random_tensor(0, dtypes[a] == STRIDER_BOOL ? STRIDER_U8 : dtypes[a], DIMS(20000), &seed);
            kernel_test_check(test);
        }
    KernelTest like = {.op = "CastLike", .opset = 19, .n_inputs = 2, .atol = 1e-45, .must_accept = true};
    like.given[0] = random_tensor(0, STRIDER_I64, DIMS(3, 91), &seed);
    like.given[1] = random_tensor(1, STRIDER_F32, DIMS(2), &seed);
    kernel_test_check(like);
}

/* 64 bits do not fit a double. */
static void casts_of_long_integers(void **state) {
    (void)state;
    static const int64_t numbers[] = {INT64_MAX,
                                      INT64_MIN,
                                      INT64_MAX - 1,
                                      (1ll << 53) + 1,
                                      (1ll << 55) + 1,
                                      0x7fffff8000000001,
                                      0x4080000000000001,
                                      0x4040000000000001,
                                      -0x4040000000000001,
                                      16777217,
                                      65519,
                                      65520,
                                      70000,
                                      -1};
    const Shape shape = DIMS(sizeof numbers / sizeof *numbers);
    for (int b = 0; b < N_DTYPES; b++)
        for (int is_signed = 0; is_signed < 2; is_signed++)
            kernel_test_check((KernelTest){
                .op = "Cast",
                .opset = 19,
                .attrs = {attr_int("to", onnx_numbers[b])},
                .given = {tensor_view(is_signed ? STRIDER_I64 : STRIDER_U64, &shape, (void *)numbers)},
                .n_inputs = 1,
                .atol = 1e-45,
                .must_accept = true});
}

/* --- reductions --- */

static const char *const reductions[] = {"ReduceSum",       "ReduceMean",     "ReduceMax", "ReduceMin",
                                         "ReduceProd",      "ReduceL1",       "ReduceL2",  "ReduceLogSum",
                                         "ReduceLogSumExp", "ReduceSumSquare"};

enum { N_REDUCTIONS = sizeof reductions / sizeof *reductions };

static Tensor axes_tensor(unsigned mask, int rank, int64_t *axes) {
    int n = 0;
    for (int d = 0; d < rank; d++)
        if (mask >> d & 1)
            axes[n++] = d % 2 ? d : d - rank;
    return tensor_view(STRIDER_I64, &(Shape){1, {n}}, axes);
}

static void check_reduction(const char *op, DType dtype, Shape shape, unsigned mask, bool special,
                            uint64_t *seed) {
    int64_t axes[MAX_RANK];
    const bool finishes_as_double = strstr(op, "Log") || strstr(op, "Mean") || strstr(op, "L2");
    KernelTest test = {.op = op,
                       .opset = 20,
                       .attrs = {attr_int("keepdims", (int64_t)(*seed >> 40 & 1))},
                       .n_inputs = 2,
                       .constants = 2};
    test.given[0] = random_tensor(0, dtype, shape, seed);
    if (special)
        put_special(&test.given[0], seed);
    test.given[1] = axes_tensor(mask, shape.rank, axes);
    test.rtol = unit_of(dtype) / 2;
    test.atol = finishes_as_double && !dtype_is_float(dtype) ? 1 : dtype == STRIDER_F64 ? 1e-10 : 1e-6;
    test.must_accept = dtype != STRIDER_U64;
    kernel_test_check(test);
}

static void reductions_over_any_axes(void **state) {
    (void)state;
    uint64_t seed = 17;
    for (int r = 0; r < N_REDUCTIONS; r++)
        for (unsigned mask = 0; mask < 16; mask++) {
            check_reduction(reductions[r], STRIDER_F32, DIMS(3, 10, 7, 21), mask, false, &seed);
            check_reduction(reductions[r], STRIDER_F32, DIMS(2, 9, 1, 70), mask, true, &seed);
        }
}

static void reductions_of_all_types(void **state) {
    (void)state;
    uint64_t seed = 19;
    for (int r = 0; r < N_REDUCTIONS; r++)
        for (int t = 0; t < N_DTYPES; t++) {
            const bool orders = strstr(reductions[r], "Max") || strstr(reductions[r], "Min");
            if (dtypes[t] == STRIDER_BOOL && !orders)
                continue;
            for (unsigned mask = 1; mask < 8; mask++)
                check_reduction(reductions[r], dtypes[t], DIMS(4, 13, 37), mask, orders, &seed);
        }
}

static void reductions_of_many_elements(void **state) {
    (void)state;
    uint64_t seed = 23;
    static const DType types[] = {STRIDER_F32, STRIDER_I32, STRIDER_F16};
    for (int r = 0; r < N_REDUCTIONS; r++)
        for (int t = 0; t < 3; t++) {
            const DType type = strcmp(reductions[r], "ReduceProd") == 0 ? STRIDER_I32 : types[t];
            const int64_t many = MAX_BYTES / 4;
            check_reduction(reductions[r], type, DIMS(many), 1, false, &seed);
            check_reduction(reductions[r], type, DIMS(2, many / 2), 2, false, &seed);
            check_reduction(reductions[r], type, DIMS(many / 300, 300), 1, false, &seed);
            check_reduction(reductions[r], type, DIMS(many / 3, 3), 1, false, &seed);
            check_reduction(reductions[r], type, DIMS(many / 3, 3), 2, false, &seed);
        }
    for (int r = 0; r < N_REDUCTIONS; r++)
        if (strcmp(reductions[r], "ReduceProd") != 0)
            for (unsigned mask = 1; mask < 8; mask++) {
                int64_t axes[MAX_RANK];
                KernelTest test = {.op = reductions[r],
                                   .opset = 18,
                                   .inputs = {DIMS(40, 97, 101)},
                                   .n_inputs = 2,
                                   .constants = 2};
                test.given[1] = axes_tensor(mask, 3, axes);
                test.low = 0.5f;
                test.high = 1;
                test.rtol = 4e-7;
                test.atol = 1e-12;
                test.must_accept = true;
                kernel_test_check(test);
            }
}

static void products_beyond_any_float(void **state) {
    (void)state;
    int64_t axis = 0;
    const Shape one = DIMS(1);
    kernel_test_check((KernelTest){.op = "ReduceProd",
                                   .opset = 18,
                                   .given = {tensor_f32(DIMS(6, 2), 1e38f, 1e-38f, 1e38f, 1e-38f, 1e30f,
                                                        1e-38f, 1e-38f, 1e38f, 1e-38f, 1e38f, 1e-30f, 1e38f),
                                             tensor_view(STRIDER_I64, &one, &axis)},
                                   .n_inputs = 2,
                                   .constants = 2,
                                   .rtol = 1e-6,
                                   .must_accept = true});
}

/* --- ArgMax and ArgMin --- */

static void places_of_the_best(void **state) {
    (void)state;
    static const char *const ops[] = {"ArgMax", "ArgMin"};
    const Shape shapes[] = {DIMS(2, 7, 5), DIMS(1, 21, 300), DIMS(3, 200),
                            DIMS(1000),    DIMS(2, 1, 3),    DIMS(129, 2)};
    uint64_t seed = 29;
    for (int o = 0; o < 2; o++)
        for (int t = 0; t < N_DTYPES - 1; t++)
            for (int last = 0; last < 2; last++)
                for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
                    for (int axis = 0; axis < shapes[s].rank; axis++)
                        for (int special = 0; special < 2; special++) {
                            KernelTest test = {
                                .op = ops[o],
                                .opset = 13,
                                .attrs = {attr_int("axis", axis), attr_int("select_last_index", last)},
                                .n_inputs = 1,
                                .must_accept = dtypes[t] != STRIDER_U64};
                            test.given[0] = random_tensor(0, dtypes[t], shapes[s], &seed);
                            if (special)
                                put_special(&test.given[0], &seed);
                            kernel_test_check(test);
                        }
}

/* --- along an axis --- */

static void sums_up_to_each_element(void **state) {
    (void)state;
    static const char *const ops[] = {"CumSum", "CumProd"};
    const Shape shapes[] = {DIMS(2, 7, 5), DIMS(1, 9, 300), DIMS(600), DIMS(3, 1, 260)};
    uint64_t seed = 31;
    for (int o = 0; o < 2; o++)
        for (int t = 0; t < N_DTYPES - 1; t++)
            for (int form = 0; form < 4; form++)
                for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
                    for (int64_t axis = 0; axis < shapes[s].rank; axis++) {
                        const Shape scalar = DIMS();
                        int64_t stated = form & 1 ? axis : axis - shapes[s].rank;
                        KernelTest test = {
                            .op = ops[o],
                            .opset = 26,
                            .attrs = {attr_int("exclusive", form & 1), attr_int("reverse", form >> 1)},
                            .n_inputs = 2,
                            .constants = 2,
                            .rtol = unit_of(dtypes[t]),
                            .must_accept = true};
                        test.given[0] = random_tensor(0, dtypes[t], shapes[s], &seed);
                        test.given[1] = tensor_view(STRIDER_I64, &scalar, &stated);
                        kernel_test_check(test);
                    }
}

static void largest_and_smallest(void **state) {
    (void)state;
    const Shape shapes[] = {DIMS(2, 7, 5), DIMS(2, 40, 3), DIMS(3, 1000), DIMS(1)}, one = DIMS(1);
    uint64_t seed = 37;
    for (int t = 0; t < N_DTYPES - 1; t++)
        for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
            for (int axis = 0; axis < shapes[s].rank; axis++)
                for (int largest = 0; largest < 2; largest++)
                    for (int part = 0; part < 4; part++) {
                        const int64_t n = shapes[s].dims[axis];
                        int64_t k = part == 0 ? 1 : part == 1 ? n / 3 : part == 2 ? n - 1 : n;
                        KernelTest test = {.op = "TopK",
                                           .opset = 11,
                                           .attrs = {attr_int("axis", axis), attr_int("largest", largest)},
                                           .n_inputs = 2,
                                           .n_outputs = 2,
                                           .unused_outputs = part == 1 ? 1 + (unsigned)largest : 0,
                                           .constants = 2,
                                           .must_accept = dtype_size(dtypes[t]) < 8};
                        if (k == 0)
                            continue;
                        test.given[0] = random_tensor(0, dtypes[t], shapes[s], &seed);
                        put_special(&test.given[0], &seed);
                        test.given[1] = tensor_view(STRIDER_I64, &one, &k);
                        kernel_test_check(test);
                    }
}

/* The worst order for what keeps the best so far. */
static void largest_of_rising_numbers(void **state) {
    (void)state;
    static float rising[5000];
    const Shape shape = DIMS(5000), one = DIMS(1);
    int64_t k = 777;
    for (int i = 0; i < 5000; i++)
        rising[i] = (float)(i / 2);
    kernel_test_check(
        (KernelTest){.op = "TopK",
                     .opset = 11,
                     .given = {tensor_view(STRIDER_F32, &shape, rising), tensor_view(STRIDER_I64, &one, &k)},
                     .n_inputs = 2,
                     .n_outputs = 2,
                     .constants = 2,
                     .must_accept = true});
}

int types_kernel_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(functions_of_two_elements),
        cmocka_unit_test(powers_of_other_types),
        cmocka_unit_test(remainders),
        cmocka_unit_test(functions_of_one_element),
        cmocka_unit_test(angles_of_any_size),
        cmocka_unit_test(rounding_to_whole_numbers),
        cmocka_unit_test(bounds_of_each_run),
        cmocka_unit_test(choices),
        cmocka_unit_test(casts_of_all_pairs),
        cmocka_unit_test(casts_of_long_integers),
        cmocka_unit_test(reductions_over_any_axes),
        cmocka_unit_test(reductions_of_all_types),
        cmocka_unit_test(reductions_of_many_elements),
        cmocka_unit_test(products_beyond_any_float),
        cmocka_unit_test(places_of_the_best),
        cmocka_unit_test(sums_up_to_each_element),
        cmocka_unit_test(largest_and_smallest),
        cmocka_unit_test(largest_of_rising_numbers),
    };
    return cmocka_run_group_tests_name("kernels of any type", tests, NULL, NULL);
}

void types_kernel_times(void) {
    int64_t axis = 1;
    const Shape one = DIMS(1);
    kernel_test_time((KernelTest){.op = "ReduceSum",
                                  .opset = 13,
                                  .inputs = {DIMS(4, 64, 3136)},
                                  .given = {[1] = tensor_view(STRIDER_I64, &one, &axis)},
                                  .n_inputs = 2,
                                  .constants = 2},
                     "4x64x3136 over the middle");
    kernel_test_time(
        (KernelTest){.op = "Greater", .opset = 13, .inputs = {DIMS(1 << 20), DIMS(1)}, .n_inputs = 2},
        "1 Mi against one");
    kernel_test_time((KernelTest){.op = "Sin", .opset = 13, .inputs = {DIMS(1 << 20)}, .n_inputs = 1},
                     "1 Mi");
}
