/* SPDX-License-Identifier: Apache-2.0 */
/* Operators whose types follow from contents say of which inputs: op_test_run() holds each case against
 * that. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include "ops/op.h"
#include "support/op_test.h"

#include <cmocka.h>

/* Ports whose contents infer() looks at. */
static unsigned read_ports(const Op *op) {
    const int max_inputs = op->inputs.max;
    return max_inputs < 0 || max_inputs >= 32 ? op->reads : op->reads & ((1u << max_inputs) - 1);
}

/* Those that some case brings. */
static unsigned brought_ports(const Op *op, const OpTest *cases, size_t n_cases) {
    unsigned brought = 0;
    for (size_t i = 0; i < n_cases; i++)
        if (op_find(cases[i].domain ? cases[i].domain : "", cases[i].op, cases[i].opset) == op)
            for (int port = 0; port < cases[i].n_inputs; port++)
                brought |= cases[i].inputs[port].type.dtype ? 1u << port : 0;
    return brought;
}

/* All but the reductions, which are one row each of one list, and what is no matter of tensors alone. */
static void expect_all_covered(const OpTest *cases, size_t n_cases) {
    size_t n_rows;
    const Op *const *rows = op_table(&n_rows);
    for (size_t i = 0; i < n_rows; i++)
        if (rows[i]->reference && strncmp(rows[i]->name, "Reduce", 6) != 0 &&
            read_ports(rows[i]) & ~brought_ports(rows[i], cases, n_cases))
            fail_msg("%s of opset %d has no case", rows[i]->name, rows[i]->since);
}

static void run_cases(OpTest *cases, size_t n_cases) {
    for (size_t i = 0; i < n_cases; i++) {
        if (op_test_run(&cases[i]))
            fail_msg("%s: %s", cases[i].op, cases[i].error.message);
        op_test_free(&cases[i]);
    }
}

#define INPUTS(...)                                                                                          \
    .inputs = {__VA_ARGS__}, .n_inputs = (int)(sizeof((Tensor[]){__VA_ARGS__}) / sizeof(Tensor))
#define ONE(NUMBER) tensor_i64(DIMS(1), NUMBER)
#define TWO(A, B) tensor_i64(DIMS(2), A, B)

static void what_types_follow_from_is_what_rows_say(void **state) {
    (void)state;
    float numbers[36];
    fill_random(numbers, 36, 3);
    const Tensor none = {0}, x = op_test_tensor(STRIDER_F32, DIMS(4, 9), numbers, sizeof numbers),
                 corners = op_test_tensor(STRIDER_F32, DIMS(1, 1, 2, 2), numbers, 4 * sizeof(float)),
                 signal = op_test_tensor(STRIDER_F32, DIMS(2, 9, 1), numbers, 18 * sizeof(float)),
                 two = tensor_i64(shape_scalar(), 2);
    OpTest cases[] = {
        {.op = "Reshape", .opset = 21, INPUTS(x, TWO(6, -1))},
        {.op = "Squeeze", .opset = 21, INPUTS(corners, TWO(0, 1))},
        {.op = "Unsqueeze", .opset = 21, INPUTS(x, TWO(0, -1))},
        {.op = "Slice", .opset = 21, INPUTS(x, ONE(1), ONE(8), ONE(1), ONE(3))},
        {.op = "Pad", .opset = 21, INPUTS(x, TWO(1, 2), tensor_f32(shape_scalar(), 0), ONE(1))},
        {.op = "Split", .opset = 21, INPUTS(x, TWO(1, 3)), .n_outputs = 2},
        {.op = "Expand", .opset = 21, INPUTS(x, tensor_i64(DIMS(3), 2, 1, 9))},
        {.op = "Tile", .opset = 21, INPUTS(x, TWO(2, 3))},
        {.op = "Tile", .opset = 1, INPUTS(x, ONE(2), ONE(1))},
        {.op = "ConstantOfShape", .opset = 21, INPUTS(TWO(2, 5))},
        {.op = "Range",
         .opset = 21,
         INPUTS(tensor_i64(shape_scalar(), 1), tensor_i64(shape_scalar(), 9), two)},
        {.op = "Resize", .opset = 21, INPUTS(x, none, tensor_f32(DIMS(2), 2, 1.5f))},
        {.op = "Resize", .opset = 21, INPUTS(x, none, none, TWO(3, 7))},
        {.op = "Resize",
         .opset = 21,
         .attrs = {attr_string("coordinate_transformation_mode", "tf_crop_and_resize")},
         INPUTS(x, tensor_f32(DIMS(4), 0, 0.25f, 0.5f, 1), none, TWO(3, 7))},
        {.op = "Upsample", .opset = 9, INPUTS(x, tensor_f32(DIMS(2), 2, 3))},
        {.op = "TopK", .opset = 21, INPUTS(x, ONE(3)), .n_outputs = 2},
        {.op = "CumSum", .opset = 21, INPUTS(x, tensor_i64(shape_scalar(), 1))},
        {.op = "CumProd", .opset = 26, INPUTS(x, tensor_i64(shape_scalar(), 1))},
        {.op = "Col2Im",
         .opset = 21,
         INPUTS(tensor_f32(DIMS(1, 4, 2), 1, 2, 3, 4, 5, 6, 7, 8), TWO(2, 3), TWO(2, 2))},
        {.op = "CropAndResize",
         .domain = "com.microsoft",
         .opset = 1,
         INPUTS(tensor_f32(DIMS(1, 1, 2, 2), 1, 2, 3, 4), tensor_f32(DIMS(1, 4), 0, 0, 1, 1),
                tensor_typed(STRIDER_I32, DIMS(1), 0), tensor_typed(STRIDER_I32, DIMS(2), 3, 2))},
        {.op = "AffineGrid",
         .opset = 20,
         INPUTS(tensor_f32(DIMS(1, 2, 3), 1, 2, 3, 4, 5, 6), tensor_i64(DIMS(4), 1, 9, 2, 3))},
        {.op = "MaxUnpool",
         .opset = 21,
         .attrs = {attr_ints("kernel_shape", 2, 2), attr_ints("strides", 2, 2)},
         INPUTS(corners, tensor_i64(DIMS(1, 1, 2, 2), 0, 3, 8, 15), tensor_i64(DIMS(4), 1, 1, 5, 5))},
        {.op = "OneHot", .opset = 11, INPUTS(TWO(0, 2), ONE(3), TWO(0, 1))},
        {.op = "CenterCropPad", .opset = 21, INPUTS(x, TWO(6, 6))},
        {.op = "DFT", .opset = 17, INPUTS(signal, ONE(5))},
        {.op = "DFT", .opset = 20, INPUTS(signal, ONE(5), tensor_i64(shape_scalar(), 0))},
        {.op = "STFT", .opset = 17, INPUTS(signal, ONE(2), none, ONE(4))},
        {.op = "HannWindow", .opset = 17, INPUTS(ONE(5))},
        {.op = "HammingWindow", .opset = 17, INPUTS(ONE(5))},
        {.op = "BlackmanWindow", .opset = 17, INPUTS(ONE(5))},
        {.op = "MelWeightMatrix",
         .opset = 17,
         INPUTS(ONE(4), ONE(16), ONE(8000), tensor_f32(DIMS(1), 0), tensor_f32(DIMS(1), 4000))},
    };
    expect_all_covered(cases, sizeof cases / sizeof *cases);
    run_cases(cases, sizeof cases / sizeof *cases);
}

static void all_reductions_follow_from_their_axes(void **state) {
    (void)state;
    size_t n_rows;
    const Op *const *rows = op_table(&n_rows);
    float numbers[36];
    fill_random(numbers, 36, 3);
    const Tensor x = op_test_tensor(STRIDER_F32, DIMS(4, 9), numbers, sizeof numbers);
    for (size_t i = 0; i < n_rows; i++)
        if (strncmp(rows[i]->name, "Reduce", 6) == 0 && rows[i]->reads) {
            OpTest keeping = {.op = rows[i]->name, .opset = 21, INPUTS(x, ONE(-1))},
                   dropping = {.op = rows[i]->name,
                               .opset = 21,
                               .attrs = {attr_int("keepdims", 0)},
                               INPUTS(x, TWO(1, 0))};
            run_cases(&keeping, 1);
            run_cases(&dropping, 1);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_types_follow_from_is_what_rows_say),
        cmocka_unit_test(all_reductions_follow_from_their_axes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
