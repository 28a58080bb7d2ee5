/* SPDX-License-Identifier: Apache-2.0 */
#include "support/op_test.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define A tensor_f32(DIMS(2, 2), 1, 2, 3, 4)
#define B tensor_f32(DIMS(2, 3), 1, 0, 2, 0, 1, 3)
#define EINSUM(EQUATION, ...)                                                                                \
    {                                                                                                        \
        .op = "Einsum", .opset = 12, .attrs = {attr_string("equation", EQUATION)}, .inputs = {__VA_ARGS__},  \
        .n_inputs = sizeof((Tensor[]){__VA_ARGS__}) / sizeof(Tensor)                                         \
    }

static void one_input_is_transposed_summed_or_cut_to_its_diagonal(void **state) {
    (void)state;
    OpTest transpose = EINSUM("ij->ji", B), sum = EINSUM("ij->i", B), all = EINSUM("ij->", B),
           diagonal = EINSUM("ii->i", A), trace = EINSUM("ii", A), implicit = EINSUM("ba", B);
    Tensor y_transpose = tensor_f32(DIMS(3, 2), 1, 0, 0, 1, 2, 3), y_sum = tensor_f32(DIMS(2), 3, 4),
           y_all = tensor_f32(shape_scalar(), 7), y_diagonal = tensor_f32(DIMS(2), 1, 4),
           y_trace = tensor_f32(shape_scalar(), 5);
    op_test_expect(&transpose, &y_transpose);
    op_test_expect(&sum, &y_sum);
    op_test_expect(&all, &y_all);
    op_test_expect(&diagonal, &y_diagonal);
    op_test_expect(&trace, &y_trace);
    op_test_expect(&implicit, &y_transpose); /* the output's letters are sorted */
}

static void two_inputs_are_multiplied(void **state) {
    (void)state;
    OpTest product = EINSUM("ij, jk -> ik", A, B), implicit = EINSUM("ij,jk", A, B),
           inner = EINSUM("i,i", tensor_f32(DIMS(3), 1, 2, 3), tensor_f32(DIMS(3), 4, 5, 6)),
           outer = EINSUM("i,j->ji", tensor_f32(DIMS(2), 1, 2), tensor_f32(DIMS(2), 3, 5)),
           elements = EINSUM("ij,ij->ij", A, A);
    Tensor y_product = tensor_f32(DIMS(2, 3), 1, 2, 8, 3, 4, 18), y_inner = tensor_f32(shape_scalar(), 32),
           y_outer = tensor_f32(DIMS(2, 2), 3, 6, 5, 10), y_elements = tensor_f32(DIMS(2, 2), 1, 4, 9, 16);
    op_test_expect(&product, &y_product);
    op_test_expect(&implicit, &y_product);
    op_test_expect(&inner, &y_inner);
    op_test_expect(&outer, &y_outer);
    op_test_expect(&elements, &y_elements);
}

static void more_inputs_are_multiplied_in_turn(void **state) {
    (void)state;
    /* A · B · its transpose */
    OpTest chain = EINSUM("ij,jk,lk->il", A, B, B);
    Tensor y_chain = tensor_f32(DIMS(2, 2), 17, 26, 39, 58);
    op_test_expect(&chain, &y_chain);
    /* "i" comes back in the last input and must not be summed over before */
    OpTest back = EINSUM("ij,j,i->", A, tensor_f32(DIMS(2), 1, 10), tensor_f32(DIMS(2), 1, 100));
    Tensor y_back = tensor_f32(shape_scalar(), 21 + 4300);
    op_test_expect(&back, &y_back);
    OpTest scalars = EINSUM(",->", tensor_f32(shape_scalar(), 3), tensor_f32(shape_scalar(), 4));
    Tensor y_scalars = tensor_f32(shape_scalar(), 12);
    op_test_expect(&scalars, &y_scalars);
}

static void an_ellipsis_stands_for_dimensions_that_broadcast(void **state) {
    (void)state;
    OpTest batch =
        EINSUM("...ij,...jk->...ik", tensor_f32(DIMS(2, 1, 2), 1, 2, 3, 4), tensor_f32(DIMS(2, 1), 1, 10));
    Tensor y_batch = tensor_f32(DIMS(2, 1, 1), 21, 43);
    op_test_expect(&batch, &y_batch);
    /* of unlike numbers of dimensions the last ones meet */
    OpTest ends = EINSUM("...i,...i->...", tensor_f32(DIMS(2, 3, 1), 1, 2, 3, 4, 5, 6),
                         tensor_f32(DIMS(3, 1), 1, 10, 100));
    Tensor y_ends = tensor_f32(DIMS(2, 3), 1, 20, 300, 4, 50, 600);
    op_test_expect(&ends, &y_ends);
    OpTest swapped = EINSUM("i...->...i", B);
    Tensor y_swapped = tensor_f32(DIMS(3, 2), 1, 0, 0, 1, 2, 3);
    op_test_expect(&swapped, &y_swapped);
    OpTest implicit = EINSUM("...a,...a", A, tensor_f32(DIMS(2), 1, 10));
    Tensor y_implicit = tensor_f32(DIMS(2), 21, 43);
    op_test_expect(&implicit, &y_implicit);
    OpTest dropped = EINSUM("...i->i", B);
    Tensor y_dropped = tensor_f32(DIMS(3), 1, 1, 5);
    op_test_expect(&dropped, &y_dropped);
}

static void ones_broadcast_and_empty_sums_are_zero(void **state) {
    (void)state;
    OpTest one = EINSUM("ij,ij->i", A, tensor_f32(DIMS(1, 2), 1, 10));
    Tensor y_one = tensor_f32(DIMS(2), 21, 43);
    op_test_expect(&one, &y_one);
    OpTest empty = EINSUM("ij,jk->ik", op_test_tensor(STRIDER_F32, DIMS(2, 0), "", 0),
                          op_test_tensor(STRIDER_F32, DIMS(0, 2), "", 0));
    Tensor y_empty = tensor_f32(DIMS(2, 2), 0, 0, 0, 0);
    op_test_expect(&empty, &y_empty);
}

static void every_numeric_type_is_multiplied_and_integers_are_exact(void **state) {
    (void)state;
    for (DType dtype = STRIDER_F32; dtype < STRIDER_BOOL; dtype++) {
        OpTest test = EINSUM("ij,j->i", tensor_typed(dtype, DIMS(2, 2), 1, 2, 3, 4),
                             tensor_typed(dtype, DIMS(2), 5, 6));
        Tensor y = tensor_typed(dtype, DIMS(2), 17, 39);
        op_test_expect(&test, &y);
    }
    const int64_t odd = ((int64_t)1 << 62) + 1;
    OpTest wide = EINSUM("i,i->", tensor_i64(DIMS(2), odd, odd), tensor_i64(DIMS(2), 1, 2));
    Tensor y_wide = tensor_i64(shape_scalar(), -((int64_t)1 << 62) + 3); /* 3 (2^62 + 1), wrapped around */
    op_test_expect(&wide, &y_wide);
}

static void unknown_shapes_leave_the_output_open(void **state) {
    (void)state;
    OpTest dims = EINSUM("ij,jk->ik", {.type = {STRIDER_F32, DIMS(-7, DIM_UNKNOWN)}},
                         {.type = {STRIDER_F32, DIMS(4, 5)}});
    dims.infer_only = true;
    assert_int_equal(op_test_run(&dims), STRIDER_OK);
    assert_shape(&dims.output_types[0].shape, DIMS(-7, 5));
    op_test_free(&dims);
    OpTest rank =
        EINSUM("ij,jk->ik", {.type = {STRIDER_F32, shape_unknown()}}, {.type = {STRIDER_F32, DIMS(4, 5)}});
    rank.infer_only = true;
    assert_int_equal(op_test_run(&rank), STRIDER_OK);
    assert_shape(&rank.output_types[0].shape, DIMS(DIM_UNKNOWN, 5));
    op_test_free(&rank);
    OpTest hidden = EINSUM("...j->...", {.type = {STRIDER_F32, shape_unknown()}});
    hidden.infer_only = true;
    assert_int_equal(op_test_run(&hidden), STRIDER_OK);
    assert_int_equal(hidden.output_types[0].shape.rank, RANK_UNKNOWN);
    op_test_free(&hidden);
}

static void equations_that_make_no_sense_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *equation, *message;
        Status status;
    } rows[] = {
        {"ij->ii", "a letter twice", STRIDER_BAD_MODEL},
        {"ij->k", "that no input has", STRIDER_BAD_MODEL},
        {"ij,jk->ik", "not one for 1 inputs", STRIDER_BAD_MODEL},
        {"ijk->i", "input 0 has rank 2", STRIDER_BAD_MODEL},
        {"i->i", "input 0 has rank 2", STRIDER_BAD_MODEL},
        {"ij-", "no \"->\"", STRIDER_BAD_MODEL},
        {"ij-i", "no \"->\"", STRIDER_BAD_MODEL},
        {"ij->i,j", "unexpected ','", STRIDER_BAD_MODEL},
        {"ij->i->j", "unexpected '-'", STRIDER_BAD_MODEL},
        {"i1->i", "unexpected '1'", STRIDER_BAD_MODEL},
        {"i..->i", "unexpected '.'", STRIDER_BAD_MODEL},
        {"......->", "unexpected '.'", STRIDER_BAD_MODEL},
        {"i\x80->i", "unexpected '?'", STRIDER_BAD_MODEL},
        {"abcdefghi->", "more than 8 letters", STRIDER_LIMIT_EXCEEDED},
        {"ii->ii", "a letter twice", STRIDER_BAD_MODEL},
        {"ij->...ij...", "unexpected '.'", STRIDER_BAD_MODEL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        OpTest test = EINSUM(rows[i].equation, A);
        op_test_expect_error(&test, rows[i].status, rows[i].message);
    }
    OpTest none = {.op = "Einsum", .opset = 12, .n_inputs = 1, .inputs = {A}};
    op_test_expect_error(&none, STRIDER_BAD_MODEL, "equation");
    OpTest dims = EINSUM("ij,ij->", A, B), twice = EINSUM("ii", B),
           types = EINSUM("i,i", tensor_f32(DIMS(1), 1), tensor_i64(DIMS(1), 1));
    op_test_expect_error(&dims, STRIDER_BAD_MODEL, "dimensions 2 and 3");
    op_test_expect_error(&twice, STRIDER_BAD_MODEL, "dimensions 2 and 3");
    op_test_expect_error(&types, STRIDER_BAD_MODEL, "one type");
    OpTest wide =
        EINSUM("abcde,fghij", tensor_f32(DIMS(1, 1, 1, 1, 1), 1), tensor_f32(DIMS(1, 1, 1, 1, 1), 1));
    op_test_expect_error(&wide, STRIDER_LIMIT_EXCEEDED, "more than 8 dimensions");
}

/* What a few bytes of model can ask for must not outgrow memory: the sum of products of vectors is taken one
 * vector at a time. */
static void letters_are_summed_over_as_soon_as_possible(void **state) {
    (void)state;
    enum { N = 2000 };
    static float ones[N];
    for (int i = 0; i < N; i++)
        ones[i] = 1;
    Tensor x = op_test_tensor(STRIDER_F32, DIMS(N), ones, sizeof ones);
    OpTest test = EINSUM("a,b,c,d->", x, x, x, x);
    Tensor y = tensor_f32(shape_scalar(), 1.6e13f);
    op_test_expect(&test, &y);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_input_is_transposed_summed_or_cut_to_its_diagonal),
        cmocka_unit_test(two_inputs_are_multiplied),
        cmocka_unit_test(more_inputs_are_multiplied_in_turn),
        cmocka_unit_test(an_ellipsis_stands_for_dimensions_that_broadcast),
        cmocka_unit_test(ones_broadcast_and_empty_sums_are_zero),
        cmocka_unit_test(every_numeric_type_is_multiplied_and_integers_are_exact),
        cmocka_unit_test(unknown_shapes_leave_the_output_open),
        cmocka_unit_test(equations_that_make_no_sense_are_refused),
        cmocka_unit_test(letters_are_summed_over_as_soon_as_possible),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
