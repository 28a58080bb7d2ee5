/* SPDX-License-Identifier: Apache-2.0 */
#include "support/infer_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "graph/evaluate.h"

typedef struct Known {
    const Node *node;
    const ValueType *inputs;
    const Tensor *const *contents;
    const ValueType *types;
    ValueType *found; /* by part of the contents */
} Known;

/* By the contents of the ports in the mask. */
static void infer_by(const Known *known, unsigned mask) {
    const Node *node = known->node;
    const Tensor **contents = calloc((size_t)node->n_inputs + 1, sizeof *contents);
    Region region;
    Error error;
    region_init(&region, allocator_default(), 0);
    for (int i = 0; i < node->n_inputs && i < 32; i++)
        contents[i] = mask >> i & 1 ? known->contents[i] : NULL;
    const Status status =
        node_infer(node, known->inputs, contents, &(SymbolTable){.region = &region}, known->found, &error);
    region_free(&region);
    free(contents);
    if (status)
        fail_msg("by contents 0x%x: %s", mask, error.message);
}

/* Names of open dimensions may differ. */
static bool same_shape(const Shape *a, const Shape *b) {
    bool same = a->rank == b->rank;
    for (int i = 0; same && i < a->rank; i++)
        same = a->dims[i] >= 0 || b->dims[i] >= 0 ? a->dims[i] == b->dims[i] : true;
    return same;
}

static void expect_same(const Known *known, unsigned mask, bool same_dtype) {
    infer_by(known, mask);
    for (int i = 0; i < known->node->n_outputs; i++) {
        char found[VALUE_TYPE_TEXT], wanted[VALUE_TYPE_TEXT];
        const ValueType *a = &known->found[i], *b = &known->types[i];
        if (!same_shape(&a->shape, &b->shape) || (same_dtype && (a->dtype != b->dtype || a->kind != b->kind)))
            fail_msg("%s: output %d is %s by contents 0x%x, and %s by all", known->node->op->name, i,
                     value_type_text(a, found), mask, value_type_text(b, wanted));
    }
}

static void expect_no_contradiction(const Known *known, unsigned mask) {
    infer_by(known, mask);
    for (int i = 0; i < known->node->n_outputs; i++) {
        char found[SHAPE_TEXT], wanted[SHAPE_TEXT];
        if (!shape_agrees(&known->found[i].shape, &known->types[i].shape))
            fail_msg("%s: output %d is %s by contents 0x%x, but %s by all", known->node->op->name, i,
                     shape_text(&known->found[i].shape, found), mask,
                     shape_text(&known->types[i].shape, wanted));
    }
}

void infer_check(const Node *node, const ValueType *inputs, const Tensor *const *contents,
                 const ValueType *types) {
    const Op *op = node->op;
    const Known known = {node, inputs, contents, types,
                         calloc((size_t)node->n_outputs + 1, sizeof(ValueType))};
    assert_int_equal(op->shaped_by & ~op->reads, 0);
    expect_same(&known, op->reads, true);
    expect_same(&known, op->shaped_by, false);
    for (int i = 0; i < 32; i++)
        if (op->shaped_by >> i & 1)
            expect_no_contradiction(&known, op->reads & ~(1u << i));
    expect_no_contradiction(&known, 0);
    free(known.found);
}
