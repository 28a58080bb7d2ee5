/* SPDX-License-Identifier: Apache-2.0 */
/* Attention in all forms that exporters write it in. */
#include "optimize/optimize.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "graph/op.h"
#include "ops/nn/attention.h"
#include "support/graph_builder.h"
#include "support/pass_check.h"

static Graph graph;

static void start(void) {
    graph_init(&graph, allocator_default());
}

static Value *transposed(const char *name, Value *x, Attr perm) {
    return add(&graph, "Transpose", name, (Attrs){{perm}}, 1, &x);
}

#define PERM(...) attr_ints("perm", __VA_ARGS__)

static Value *last_softmax(const char *name, Value *x) {
    return add(&graph, "Softmax", name, (Attrs){{attr_int("axis", -1)}}, 1, &x);
}

static Value *reshaped(const char *name, Value *x, int rank, const int64_t *dims) {
    char list[32];
    const int64_t size = rank;
    const Shape shape = shape_make(1, &size);
    Value *value;
    Tensor tensor;
    list[0] = 's';
    strncpy(list + 1, name, sizeof list - 2);
    list[sizeof list - 1] = '\0';
    OK(graph_add_value(&graph, list, &value, &error));
    OK(tensor_alloc(&tensor, graph.region.allocator, STRIDER_I64, &shape, &error));
    memcpy(tensor.data, dims, (size_t)rank * sizeof *dims);
    OK(graph_set_constant(&graph, value, tensor, &error));
    return add(&graph, "Reshape", name, (Attrs){0}, 2, (Value *[]){x, value});
}

#define RESHAPED(NAME, X, ...)                                                                               \
    reshaped(NAME, X, (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (int64_t[]){__VA_ARGS__})

static void expect_nodes(Value *y, size_t nodes) {
    finish(&graph, y);
    check_pass(&graph, pass_fuse_attention, nodes);
    graph_free(&graph);
}

static void scales_and_masks_become_part_of_it(void **state) {
    (void)state;
    for (int form = 0; form < 8; form++) {
        start();
        Value *q = add_input(&graph, "q", DIMS(2, 3, 5, 8)), *k = add_input(&graph, "k", DIMS(2, 3, 7, 8)),
              *v = add_input(&graph, "v", DIMS(2, 3, 7, 6)), *scale = add_scalar(&graph, "c", 0.7f);
        Value *t = transposed("t", k, PERM(0, 1, 3, 2));
        if (form & 1)
            q = ADD("Mul", "qs", q, scale);
        if (form == 1)
            t = ADD("Mul", "ts", t, scale);
        Value *s = ADD("MatMul", "s", q, t);
        if (form & 2)
            s = ADD("Div", "d", s, scale);
        const Shape masks[] = {DIMS(7), DIMS(5, 7), DIMS(2, 1, 1, 7), DIMS(3, 5, 7)};
        if (form & 4)
            s = form % 2 ? ADD("Add", "m", s, add_input(&graph, "mask", masks[form - 4]))
                         : ADD("Add", "m", add_constant(&graph, "mask", masks[form - 4], 5, 0), s);
        expect_nodes(ADD("MatMul", "y", last_softmax("p", s), v), 1);
    }
}

static void transposes_become_part_of_it(void **state) {
    (void)state;
    start();
    Value *q = transposed("q", add_input(&graph, "x", DIMS(2, 5, 3, 8)), PERM(0, 2, 1, 3)),
          *k = transposed("k", add_input(&graph, "z", DIMS(2, 7, 3, 8)), PERM(0, 2, 3, 1)),
          *v = transposed("v", add_input(&graph, "w", DIMS(2, 7, 3, 6)), PERM(0, 2, 1, 3));
    Value *p = last_softmax("p", ADD("MatMul", "s", q, k));
    expect_nodes(transposed("y", ADD("MatMul", "o", p, v), PERM(0, 2, 1, 3)), 1);
    start(); /* of rank 3, whose first dimension is heads */
    q = transposed("q", add_input(&graph, "x", DIMS(5, 6, 8)), PERM(1, 0, 2));
    k = transposed("k", add_input(&graph, "z", DIMS(7, 6, 8)), PERM(1, 2, 0));
    p = last_softmax("p", ADD("MatMul", "s", q, k));
    expect_nodes(ADD("MatMul", "y", p, add_input(&graph, "v", DIMS(6, 7, 4))), 1);
}

static void a_transpose_that_others_read_stays(void **state) {
    (void)state;
    start();
    Value *k = add_input(&graph, "k", DIMS(2, 3, 5, 8)), *t = transposed("t", k, PERM(0, 1, 3, 2));
    Value *p = last_softmax("p", ADD("MatMul", "s", add_input(&graph, "q", DIMS(2, 3, 5, 8)), t));
    Value *both = ADD("Add", "both", ADD("MatMul", "o", p, k), ADD("Relu", "r", k));
    OK(graph_add_output(&graph, ADD("Neg", "n", t), &error));
    finish(&graph, both);
    OK(pass_fuse_attention(&graph, &error));
    assert_int_equal(count_nodes(&graph, "Attention"), 0);
    graph_free(&graph);
}

/* The last two dimensions swapped as torch writes it, with the first Reshape and without. */
static void a_transpose_between_reshapes_is_one(void **state) {
    (void)state;
    for (int without = 0; without < 2; without++) {
        start();
        Value *q = add_input(&graph, "q", DIMS(2, 3, 5, 8)), *v = add_input(&graph, "v", DIMS(2, 3, 7, 6));
        Value *flat = without ? add_input(&graph, "k", DIMS(6, 7, 8))
                              : RESHAPED("flat", add_input(&graph, "k", DIMS(2, 3, 7, 8)), 6, 7, 8);
        Value *t = RESHAPED("t", transposed("ft", flat, PERM(0, 2, 1)), 2, 3, 8, 7);
        Value *p = last_softmax("p", ADD("MatMul", "s", q, t));
        expect_nodes(ADD("MatMul", "y", p, v), without ? 2 : 1);
    }
}

/* Of windows: a mask for all, and one for each window, between Reshapes that take images apart. */
static void masks_of_windows_become_one(void **state) {
    (void)state;
    for (int images = 1; images < 3; images++) {
        start();
        const Shape x = DIMS(4 * images, 3, 5, 8);
        Value *k = transposed("t", add_input(&graph, "k", x), PERM(0, 1, 3, 2));
        Value *s = ADD("Add", "b", ADD("MatMul", "s", add_input(&graph, "q", x), k),
                       add_constant(&graph, "bias", DIMS(1, 3, 5, 5), 1, 0));
        Value *m = ADD("Add", "m", RESHAPED("apart", s, images, 4, 3, 5, 5),
                       add_constant(&graph, "windows", DIMS(1, 4, 1, 5, 5), 2, 0));
        Value *p = last_softmax("p", RESHAPED("back", m, 4 * images, 3, 5, 5));
        expect_nodes(ADD("MatMul", "y", p, add_input(&graph, "v", x)), 1);
    }
}

/* Rows that see nothing: 0 where Where takes the NaN away, else NaN. */
static void rows_that_see_nothing_stay_what_they_are(void **state) {
    (void)state;
    for (int guarded = 0; guarded < 2; guarded++) {
        start();
        Value *x = add_input(&graph, "x", DIMS(1, 2, 3, 4)),
              *mask = add_constant(&graph, "mask", DIMS(3, 3), 1, 0);
        for (int i = 0; i < 4; i++)
            ((float *)mask->constant->data)[i] = -INFINITY;
        Value *k = transposed("t", add_input(&graph, "k", DIMS(1, 2, 3, 4)), PERM(0, 1, 3, 2));
        Value *p = last_softmax("p", ADD("Add", "m", ADD("MatMul", "s", x, k), mask));
        if (guarded)
            p = ADD("Where", "w", ADD("IsNaN", "n", p), add_scalar(&graph, "zero", 0), p);
        expect_nodes(ADD("MatMul", "y", p, add_input(&graph, "v", DIMS(1, 2, 3, 4))), 1);
    }
}

/* Probabilities that another node reads, a mask of one key, of larger shape, a Softmax of columns, operands
 * that broadcast. */
static void what_is_not_attention_stays(void **state) {
    (void)state;
    for (int form = 0; form < 6; form++) {
        start();
        const Shape shape = DIMS(2, 3, 5, 8), one = DIMS(1, 3, 5, 8);
        Value *k = transposed("t", add_input(&graph, "k", form == 4 ? one : shape), PERM(0, 1, 3, 2));
        Value *s = ADD("MatMul", "s", add_input(&graph, "q", shape), k);
        if (form == 1)
            s = ADD("Add", "m", s, add_input(&graph, "mask", DIMS(5, 1)));
        if (form == 2)
            s = ADD("Add", "m", s, add_input(&graph, "mask", DIMS(4, 1, 1, 1, 5)));
        Value *p = form == 3 ? add(&graph, "Softmax", "p", (Attrs){{attr_int("axis", 2)}}, 1, &s)
                             : last_softmax("p", s);
        Value *y = form == 5 ? ADD("MatMul", "y", p, ADD("Relu", "r", p))
                             : ADD("MatMul", "y", p, add_input(&graph, "v", shape));
        if (form == 0)
            y = ADD("Add", "z", ADD("ReduceMax", "o", p), y);
        finish(&graph, y);
        OK(pass_fuse_attention(&graph, &error));
        assert_int_equal(count_nodes(&graph, "Attention"), 0);
        graph_free(&graph);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scales_and_masks_become_part_of_it),
        cmocka_unit_test(transposes_become_part_of_it),
        cmocka_unit_test(a_transpose_that_others_read_stays),
        cmocka_unit_test(a_transpose_between_reshapes_is_one),
        cmocka_unit_test(masks_of_windows_become_one),
        cmocka_unit_test(rows_that_see_nothing_stay_what_they_are),
        cmocka_unit_test(what_is_not_attention_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
