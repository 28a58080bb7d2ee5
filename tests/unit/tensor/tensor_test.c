/* SPDX-License-Identifier: Apache-2.0 */
/* Data types, shapes, and elements of every type as numbers. */
#include "tensor/tensor.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "support/counter.h"
#include "support/op_test.h"

static Error error;

/* --- types and shapes --- */

static void data_types_are_what_they_are_called(void **state) {
    (void)state;
    static const struct {
        DType dtype;
        size_t size;
        const char *name;
        bool is_float, is_integer, is_signed;
    } types[] = {
        {STRIDER_F32, 4, "float32", true, false, true},
        {STRIDER_F64, 8, "float64", true, false, true},
        {STRIDER_F16, 2, "float16", true, false, true},
        {STRIDER_BF16, 2, "bfloat16", true, false, true},
        {STRIDER_I8, 1, "int8", false, true, true},
        {STRIDER_I16, 2, "int16", false, true, true},
        {STRIDER_I32, 4, "int32", false, true, true},
        {STRIDER_I64, 8, "int64", false, true, true},
        {STRIDER_U8, 1, "uint8", false, true, false},
        {STRIDER_U16, 2, "uint16", false, true, false},
        {STRIDER_U32, 4, "uint32", false, true, false},
        {STRIDER_U64, 8, "uint64", false, true, false},
        {STRIDER_BOOL, 1, "bool", false, false, false},
        {STRIDER_F8E4M3FN, 1, "float8_e4m3fn", false, false, true},
        {STRIDER_F8E4M3FNUZ, 1, "float8_e4m3fnuz", false, false, true},
        {STRIDER_F8E5M2, 1, "float8_e5m2", false, false, true},
        {STRIDER_F8E5M2FNUZ, 1, "float8_e5m2fnuz", false, false, true},
        {STRIDER_F8E8M0, 1, "float8_e8m0fnu", false, false, false},
        {STRIDER_F6E2M3, 1, "float6_e2m3fn", false, false, true},
        {STRIDER_F6E3M2, 1, "float6_e3m2fn", false, false, true},
        {STRIDER_F4E2M1, 1, "float4_e2m1fn", false, false, true},
        {STRIDER_I4, 1, "int4", false, false, true},
        {STRIDER_U4, 1, "uint4", false, false, false},
        {STRIDER_I2, 1, "int2", false, false, true},
        {STRIDER_U2, 1, "uint2", false, false, false},
        {STRIDER_STRING, sizeof(strider_string), "string", false, false, false},
    };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        assert_int_equal(dtype_size(types[i].dtype), types[i].size);
        assert_string_equal(dtype_name(types[i].dtype), types[i].name);
        assert_int_equal(dtype_is_float(types[i].dtype), types[i].is_float);
        assert_int_equal(dtype_is_integer(types[i].dtype), types[i].is_integer);
        assert_int_equal(dtype_is_signed(types[i].dtype), types[i].is_signed);
    }
    assert_int_equal(sizeof types / sizeof *types, STRIDER_DTYPE_COUNT - 1);
    assert_int_equal(dtype_size(STRIDER_DTYPE_NONE), 0);
    assert_int_equal(dtype_bits(STRIDER_DTYPE_COUNT), 0);
    assert_int_equal(dtype_bits(STRIDER_F6E2M3), 6);
    assert_int_equal(dtype_bits(STRIDER_I16), 16);
}

static void shapes_agree_where_they_are_known(void **state) {
    (void)state;
    const Shape known = DIMS(2, 3), open = DIMS(2, DIM_UNKNOWN), named = DIMS(-7, 3), other = DIMS(2, 4),
                longer = DIMS(2, 3, 1), row = DIMS(DIM_UNKNOWN, 3), unknown = shape_unknown(),
                scalar = shape_scalar();
    assert_true(shape_is_known(&known) && shape_is_known(&scalar));
    assert_false(shape_is_known(&open) || shape_is_known(&named) || shape_is_known(&unknown));
    assert_true(shape_equal(&known, &known) && shape_equal(&named, &named));
    assert_false(shape_equal(&known, &open) || shape_equal(&known, &longer) || shape_equal(&known, &other));
    assert_true(shape_agrees(&known, &open) && shape_agrees(&named, &known) &&
                shape_agrees(&unknown, &known));
    assert_false(shape_agrees(&known, &other) || shape_agrees(&known, &longer) || shape_agrees(&other, &row));
}

static void counts_are_of_known_dimensions_and_fit(void **state) {
    (void)state;
    const Shape known = DIMS(2, 3, 5), open = DIMS(2, -7, 5),
                large = DIMS((int64_t)1 << 40, (int64_t)1 << 40),
                empty = DIMS((int64_t)1 << 40, (int64_t)1 << 22, 0), scalar = shape_scalar();
    int64_t count = 7;
    assert_true(shape_count(&known, 1, 3, &count) && count == 15);
    assert_true(shape_count(&known, 1, 1, &count) && count == 1);
    assert_true(shape_count(&scalar, 0, 0, &count) && count == 1);
    assert_true(shape_count(&empty, 0, 3, &count) && count == 0);
    assert_true(shape_count(&open, 0, 1, &count) && count == 2);
    assert_false(shape_count(&open, 0, 2, &count));
    assert_false(shape_count(&large, 0, 2, &count));
    assert_int_equal(shape_size(&known, 0, 2), 6);
    assert_int_equal(shape_elements(&known), 30);
    assert_int_equal(shape_elements(&scalar), 1);
}

static void strides_are_of_rows(void **state) {
    (void)state;
    const Shape known = DIMS(2, 3, 5, 1);
    int64_t strides[MAX_RANK];
    shape_strides(&known, strides);
    assert_true(strides[0] == 15 && strides[1] == 5 && strides[2] == 1 && strides[3] == 1);
}

static void the_longest_shape_is_told_completely(void **state) {
    (void)state;
    char text[SHAPE_TEXT], expected[400] = "[9223372036854775807";
    const Shape open = DIMS(1, DIM_UNKNOWN, -9, 0);
    Shape longest = {.rank = MAX_RANK};
    for (int i = 0; i < MAX_RANK; i++) {
        longest.dims[i] = INT64_MAX;
        strcat(expected, i ? ", 9223372036854775807" : "");
    }
    assert_string_equal(shape_text(&longest, text), strcat(expected, "]"));
    assert_string_equal(shape_text(&open, text), "[1, ?, ?, 0]");
    assert_string_equal(shape_text(&(Shape){0}, text), "[]");
}

static void sizes_of_types_are_checked(void **state) {
    (void)state;
    const Type image = type_of(STRIDER_F16, DIMS(2, 3)), none = type_of(STRIDER_DTYPE_NONE, DIMS(2)),
               open = type_of(STRIDER_F32, DIMS(DIM_UNKNOWN)),
               unknown = type_of(STRIDER_F32, shape_unknown()),
               large = type_of(STRIDER_F64, DIMS((int64_t)1 << 62));
    size_t size = 0;
    assert_true(type_size(&image, &size));
    assert_int_equal(size, 12);
    assert_false(type_size(&none, &size) || type_size(&open, &size) || type_size(&unknown, &size) ||
                 type_size(&large, &size));
}

/* --- memory --- */

static void a_tensor_owns_what_it_allocates(void **state) {
    (void)state;
    Counter counter;
    counter_init(&counter);
    const Shape six = DIMS(2, 3), large = DIMS((int64_t)1 << 62);
    Tensor tensor;
    assert_int_equal(tensor_alloc(&tensor, &counter.allocator, STRIDER_F32, &six, &error), STRIDER_OK);
    assert_int_equal(tensor.size_bytes, 24);
    assert_int_equal(tensor_elements(&tensor), 6);
    assert_int_equal(counter.blocks, 1);
    Tensor view = tensor_view(STRIDER_F32, &six, tensor.data);
    assert_int_equal(view.size_bytes, 24);
    tensor_free(&view);
    assert_int_equal(counter.blocks, 1);
    tensor_free(&tensor);
    assert_int_equal(counter.blocks, 0);
    assert_null(tensor.data);
    assert_int_equal(tensor_alloc(&tensor, &counter.allocator, STRIDER_F64, &large, &error),
                     STRIDER_LIMIT_EXCEEDED);
    assert_null(tensor.data);
    counter.is_full = true;
    assert_int_equal(tensor_alloc(&tensor, &counter.allocator, STRIDER_F32, &six, &error),
                     STRIDER_OUT_OF_MEMORY);
    assert_null(tensor.data);
}

static void a_list_takes_tensors_over_also_where_it_fails(void **state) {
    (void)state;
    Counter counter;
    Region region, full;
    TensorList list = {0};
    counter_init(&counter);
    region_init(&region, allocator_default(), 0);
    region_init(&full, allocator_default(), 1);
    const Shape six = DIMS(6);
    for (int i = 0; i < 4; i++) {
        const Tensor *kept = NULL;
        Tensor tensor;
        assert_int_equal(tensor_alloc(&tensor, &counter.allocator, STRIDER_F32, &six, &error), STRIDER_OK);
        const Status status = tensor_list_add(&list, i == 3 ? &full : &region, tensor, &kept, &error);
        assert_int_equal(status, i == 3 ? STRIDER_OUT_OF_MEMORY : STRIDER_OK);
        assert_true(i == 3 || kept->data == tensor.data);
        assert_int_equal(counter.blocks, i == 3 ? 3 : i + 1);
    }
    tensor_list_free(&list);
    assert_int_equal(counter.blocks, 0);
    region_free(&region);
    region_free(&full);
}

/* --- elements --- */

/* What is set, as which number, and what is read of it again. */
typedef struct Conversion {
    DType dtype;
    double set, got;
} Conversion;

/* At an odd address, as a mapped file's contents may lie. */
static Tensor one_element(DType dtype) {
    static _Alignas(16) char memory[32];
    const Shape scalar = shape_scalar();
    memset(memory, 0x55, sizeof memory);
    return tensor_view(dtype, &scalar, memory + 1);
}

static void elements_are_set_as_the_nearest_there_is(void **state) {
    (void)state;
    static const Conversion conversions[] = {
        {STRIDER_I8, 1.9, 1},
        {STRIDER_I8, -1.9, -1},
        {STRIDER_I8, 300, 127},
        {STRIDER_I8, -300, -128},
        {STRIDER_I8, NAN, 0},
        {STRIDER_U8, 255.9, 255},
        {STRIDER_U8, 256, 255},
        {STRIDER_U8, -1, 0},
        {STRIDER_I16, 1e9, 32767},
        {STRIDER_I16, -1e9, -32768},
        {STRIDER_U16, 65536, 65535},
        {STRIDER_I32, 1e18, 2147483647},
        {STRIDER_I32, -INFINITY, -2147483648.0},
        {STRIDER_U32, 4294967296.0, 4294967295.0},
        {STRIDER_U32, -0.5, 0},
        {STRIDER_I64, 1e19, 0x1p63},
        {STRIDER_I64, -1e19, -0x1p63},
        {STRIDER_I64, 9007199254740993.0, 9007199254740992.0},
        {STRIDER_U64, 1e19, 1e19},
        {STRIDER_U64, 1e20, 0x1p64},
        {STRIDER_U64, -3, 0},
        {STRIDER_U64, NAN, 0},
        {STRIDER_BOOL, 0.5, 1},
        {STRIDER_BOOL, 0, 0},
        {STRIDER_BOOL, -0.0, 0},
        {STRIDER_BOOL, NAN, 1},
        {STRIDER_F32, 0.1, (double)0.1f},
        {STRIDER_F32, INFINITY, INFINITY},
        {STRIDER_F64, 0.1, 0.1},
        {STRIDER_F16, 0.1, 0x1.998p-4},
        {STRIDER_F16, 65520, INFINITY},
        {STRIDER_BF16, 0.1, 0x1.9ap-4},
        {STRIDER_BF16, 65520, 65536},
        {STRIDER_F8E4M3FN, 0.1, 0.1015625},
        {STRIDER_F8E4M3FN, 1e9, 448},
        {STRIDER_F8E5M2, -INFINITY, -57344},
        {STRIDER_F8E8M0, 5, 8},
        {STRIDER_F4E2M1, NAN, 0},
        {STRIDER_I4, -9, -8},
        {STRIDER_U2, 2.9, 2},
    };
    for (size_t i = 0; i < sizeof conversions / sizeof *conversions; i++) {
        Tensor tensor = one_element(conversions[i].dtype);
        tensor_set_f64(&tensor, 0, conversions[i].set);
        const double got = tensor_get_f64(&tensor, 0);
        if (got != conversions[i].got)
            fail_msg("%s: %.17g became %.17g, not %.17g", dtype_name(conversions[i].dtype),
                     conversions[i].set, got, conversions[i].got);
        assert_int_equal(((char *)tensor.data)[tensor.size_bytes], 0x55);
    }
}

static void callers_set_and_read_elements_of_every_type(void **state) {
    (void)state;
    for (DType dtype = STRIDER_F32; dtype < STRIDER_STRING; dtype++) {
        uint64_t memory[2] = {0};
        strider_tensor tensor = {.dtype = dtype, .rank = 1, .dims = {2}, .data = memory};
        strider_tensor_set(&tensor, 1, 1);
        assert_true(strider_tensor_get(&tensor, 1) == 1);
        assert_true(strider_tensor_get(&tensor, 0) == (dtype == STRIDER_F8E8M0 ? 0x1p-127 : 0));
    }
}

static void integers_are_set_and_read_without_loss(void **state) {
    (void)state;
    static const struct {
        DType dtype;
        int64_t set, got;
    } conversions[] = {
        {STRIDER_I64, INT64_MIN, INT64_MIN},
        {STRIDER_I64, 9007199254740993, 9007199254740993},
        {STRIDER_U64, INT64_MAX, INT64_MAX},
        {STRIDER_U64, -1, 0},
        {STRIDER_I32, INT64_MAX, INT32_MAX},
        {STRIDER_I32, INT64_MIN, INT32_MIN},
        {STRIDER_U32, INT64_MAX, UINT32_MAX},
        {STRIDER_I16, -32769, -32768},
        {STRIDER_U16, 65536, 65535},
        {STRIDER_I8, 128, 127},
        {STRIDER_U8, -5, 0},
        {STRIDER_BOOL, -5, 1},
        {STRIDER_F32, 16777217, 16777216},
        {STRIDER_F64, 16777217, 16777217},
        {STRIDER_F16, 70000, INT64_MAX}, /* which is infinite there */
        {STRIDER_BF16, 257, 256},
    };
    for (size_t i = 0; i < sizeof conversions / sizeof *conversions; i++) {
        Tensor tensor = one_element(conversions[i].dtype);
        tensor_set_i64(&tensor, 0, conversions[i].set);
        if (tensor_get_i64(&tensor, 0) != conversions[i].got)
            fail_msg("%s: case %zu is %lld", dtype_name(conversions[i].dtype), i,
                     (long long)tensor_get_i64(&tensor, 0));
    }
}

static void elements_that_no_integer_is_saturate(void **state) {
    (void)state;
    static const double values[] = {-2.9, 1e300, -1e300, NAN};
    static const int64_t expected[] = {-2, INT64_MAX, INT64_MIN, 0};
    Tensor tensor = one_element(STRIDER_F64);
    for (int i = 0; i < 4; i++) {
        tensor_set_f64(&tensor, 0, values[i]);
        assert_true(tensor_get_i64(&tensor, 0) == expected[i]);
    }
    tensor = one_element(STRIDER_U64);
    tensor_set_f64(&tensor, 0, 0x1p63);
    assert_true(tensor_get_f64(&tensor, 0) == 0x1p63);
    assert_true(tensor_get_i64(&tensor, 0) == INT64_MAX);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(data_types_are_what_they_are_called),
        cmocka_unit_test(shapes_agree_where_they_are_known),
        cmocka_unit_test(counts_are_of_known_dimensions_and_fit),
        cmocka_unit_test(strides_are_of_rows),
        cmocka_unit_test(the_longest_shape_is_told_completely),
        cmocka_unit_test(sizes_of_types_are_checked),
        cmocka_unit_test(a_tensor_owns_what_it_allocates),
        cmocka_unit_test(a_list_takes_tensors_over_also_where_it_fails),
        cmocka_unit_test(elements_are_set_as_the_nearest_there_is),
        cmocka_unit_test(callers_set_and_read_elements_of_every_type),
        cmocka_unit_test(integers_are_set_and_read_without_loss),
        cmocka_unit_test(elements_that_no_integer_is_saturate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
