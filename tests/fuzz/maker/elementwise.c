/* SPDX-License-Identifier: Apache-2.0 */
/* Products, and what works on each element. */
#include "fuzz/maker/maker.h"

#include <string.h>

/* --- products --- */

int put_gemm(Maker *m) {
    const int x = some_float(m, 2, 2);
    const Made v = m->values[x];
    const bool trans_a = chance(m, 25), trans_b = chance(m, 50);
    const int64_t rows = v.dims[trans_a], terms = v.dims[!trans_a], columns = between(m, 1, 40);
    if (rows * terms * columns > MAX_PRODUCTS || rows * columns > MAX_ELEMENTS ||
        terms * columns > MAX_ELEMENTS)
        return x;
    const int b = floats(m, v.type, 2, (int64_t[]){trans_b ? columns : terms, trans_b ? terms : columns},
                         weight_scale(terms), 0);
    int c = -1;
    if (chance(m, 60)) {
        const int64_t shapes[][2] = {{1, columns}, {rows, columns}, {rows, 1}, {1, 1}};
        const int which = pick(m, 5);
        c = which == 4 ? floats(m, v.type, 1, &columns, 0.5, 0) : floats(m, v.type, 2, shapes[which], 0.5, 0);
    }
    begin_node(m, "Gemm");
    use_value(m, x);
    use_value(m, b);
    if (c >= 0)
        use_value(m, c);
    if (trans_a)
        set_int(m, "transA", 1);
    if (trans_b)
        set_int(m, "transB", 1);
    if (chance(m, 30))
        set_float(m, "alpha", 0.5f);
    if (chance(m, 30))
        set_float(m, "beta", chance(m, 30) ? 0.f : 1.5f);
    const int y = node_result(m, v.type, 2, (int64_t[]){rows, columns}, false);
    end_node(m);
    m->made->has_product = true;
    return y;
}

int put_matmul(Maker *m) {
    const int x = some_float(m, 1, 4);
    const Made *v = &m->values[x];
    const int64_t terms = v->dims[v->rank - 1], columns = between(m, 1, 24);
    int64_t dims[RANK] = {0}, out[RANK], batch = 1;
    int rank = 0;
    const bool batched = v->rank > 2 && chance(m, 30);
    if (batched)
        for (; rank < v->rank - 2; rank++)
            dims[rank] = chance(m, 30) ? 1 : v->dims[rank];
    dims[rank++] = terms;
    dims[rank++] = columns;
    const int64_t count = count_elements(v);
    for (int i = 0; i < v->rank - 2 && batched; i++)
        batch *= dims[i];
    if (count * columns > MAX_PRODUCTS || (terms && count / terms * columns > MAX_ELEMENTS) ||
        batch * terms * columns > MAX_ELEMENTS)
        return x;
    const int b = floats(m, v->type, rank, dims, weight_scale(terms), 0);
    memcpy(out, v->dims, sizeof out);
    out[v->rank - 1] = columns;
    begin_node(m, "MatMul");
    use_value(m, x);
    use_value(m, b);
    const int y = node_result(m, v->type, v->rank, out, false);
    end_node(m);
    m->made->has_product = true;
    return y;
}

/* --- elementwise --- */

int put_unary(Maker *m) {
    static const struct {
        const char *op;
        int since;
        bool exact;    /* of exact arguments */
        bool needs_it; /* jumps */
    } ops[] = {{"Relu", 6, true, false},
               {"LeakyRelu", 6, false, false},
               {"Sigmoid", 6, false, false},
               {"Tanh", 6, false, false},
               {"HardSigmoid", 6, false, false},
               {"HardSwish", 14, false, false},
               {"Elu", 6, false, false},
               {"Selu", 6, false, false},
               {"Softplus", 1, false, false},
               {"Softsign", 1, false, false},
               {"Mish", 18, false, false},
               {"Gelu", 20, false, false},
               {"Abs", 6, true, false},
               {"Neg", 6, true, false},
               {"Erf", 9, false, false},
               {"Sin", 7, false, false},
               {"Cos", 7, false, false},
               {"Atan", 7, false, false},
               {"Celu", 12, false, false},
               {"Floor", 6, true, true},
               {"Ceil", 6, true, true},
               {"Round", 11, true, true},
               {"Sign", 9, true, true},
               {"Shrink", 9, true, true},
               {"ThresholdedRelu", 10, true, true},
               {"Swish", 24, false, false}};
    const int which = pick(m, sizeof ops / sizeof *ops);
    if (ops[which].since > m->opset)
        return -1;
    const int x = some_value(m, (Want){.max_rank = 6, .exact = ops[which].needs_it});
    if (!strcmp(ops[which].op, "Celu") && m->values[x].type != ONNX_F32)
        return -1;
    return node_like(m, ops[which].op, x, ops[which].exact);
}

/* What is steep somewhere, after what keeps away from there. */
int put_steep(Maker *m) {
    const int x = some_float(m, 0, 6);
    switch (pick(m, 5)) {
    case 0:
        return node_like(m, "Exp", node_like(m, "Tanh", x, false), false);
    case 1:
        return node_like(m, "Log", tamed(m, x), false);
    case 2:
        return node_like(m, "Sqrt", tamed(m, x), false);
    case 3:
        return node_like(m, "Reciprocal", tamed(m, x), false);
    default: {
        const int power = floats(m, m->values[x].type, 0, NULL, 1, 1);
        const int base = tamed(m, x);
        begin_node(m, "Pow");
        use_value(m, base);
        use_value(m, power);
        return end_node_like(m, base, false);
    }
    }
}

int put_clip(Maker *m) {
    const int x = some_float(m, 0, 6), type = m->values[x].type;
    const int low = chance(m, 80) ? floats(m, type, 0, NULL, 0.4, -0.6) : -1;
    const int high = chance(m, 80) ? floats(m, type, 0, NULL, 0.4, 0.6) : -1;
    begin_node(m, "Clip");
    use_value(m, x);
    use_value(m, low);
    if (high >= 0)
        use_value(m, high);
    return end_node_like(m, x, m->values[x].exact);
}

/* A shape that broadcasts with that of x: dimensions of 1, or fewer of them, or the same. */
static int partner_shape(Maker *m, const Made *v, int64_t *dims) {
    const int kind = pick(m, 5);
    if (kind == 0)
        return 0;
    if (kind == 1 && v->rank >= 2) { /* one for each channel */
        for (int i = 1; i < v->rank; i++)
            dims[i - 1] = i == 1 ? v->dims[1] : 1;
        return v->rank - 1;
    }
    const int skip = kind == 2 ? pick(m, v->rank + 1) : 0;
    for (int i = skip; i < v->rank; i++)
        dims[i - skip] = kind == 3 && chance(m, 50) ? 1 : v->dims[i];
    return v->rank - skip;
}

static bool broadcast(const Made *a, const Made *b, int *rank, int64_t *dims) {
    *rank = a->rank > b->rank ? a->rank : b->rank;
    for (int i = 0; i < *rank; i++) {
        const int64_t x = i < *rank - a->rank ? 1 : a->dims[i - (*rank - a->rank)];
        const int64_t y = i < *rank - b->rank ? 1 : b->dims[i - (*rank - b->rank)];
        if (x != y && x != 1 && y != 1)
            return false;
        dims[i] = x == 1 ? y : x;
    }
    return true;
}

/* Another value that broadcasts with x, or a new one. */
static int partner(Maker *m, int x) {
    const Made v = m->values[x];
    int found[MAX_VALUES], count = 0, rank;
    int64_t dims[RANK];
    for (int i = 0; i < m->n_values; i++) {
        const Made *w = &m->values[i];
        if (w->type == v.type && !w->is_constant && !w->is_hidden && broadcast(&v, w, &rank, dims)) {
            const Made both = {
                .rank = rank,
                .dims = {dims[0], dims[1], dims[2], dims[3], dims[4], dims[5], dims[6], dims[7]}};
            if (count_elements(&both) <= MAX_ELEMENTS)
                found[count++] = i;
        }
    }
    if (count && chance(m, 55))
        return found[pick(m, count)];
    rank = partner_shape(m, &v, dims);
    return floats(m, v.type, rank, dims, 1, 0);
}

int pair_of(Maker *m, const char *op, int a, int b, bool exact) {
    int rank;
    int64_t dims[RANK] = {0};
    broadcast(&m->values[a], &m->values[b], &rank, dims);
    const bool swapped = chance(m, 30) && strcmp(op, "Div") != 0 && strcmp(op, "PRelu") != 0;
    begin_node(m, op);
    use_value(m, swapped ? b : a);
    use_value(m, swapped ? a : b);
    const int y =
        node_result(m, m->values[a].type, rank, dims, exact && m->values[a].exact && m->values[b].exact);
    end_node(m);
    return y;
}

int put_binary(Maker *m) {
    static const char *const ops[] = {"Add", "Add", "Sub", "Mul", "Mul", "Max", "Min", "Sum", "Mean", "Div"};
    const int which = pick(m, 10), x = some_float(m, 0, 5);
    int y = partner(m, x);
    if (which == 9)
        y = tamed(m, y);
    return pair_of(m, ops[which], x, y, which == 5 || which == 6);
}

int put_prelu(Maker *m) {
    const int x = some_float(m, 2, 5);
    const Made v = m->values[x];
    int64_t dims[RANK];
    for (int i = 1; i < v.rank; i++)
        dims[i - 1] = i == 1 ? v.dims[1] : 1;
    const int slope = chance(m, 70) ? floats(m, v.type, v.rank - 1, dims, 0.5, 0)
                                    : floats(m, v.type, 1, (int64_t[]){1}, 0.5, 0);
    return pair_of(m, "PRelu", x, slope, false);
}

int put_comparison(Maker *m) {
    static const char *const ops[] = {"Greater", "Less", "Equal"};
    const int x = some_value(m, (Want){.max_rank = 5, .exact = true});
    const Made v = m->values[x];
    if (v.type == ONNX_F16 && m->opset < 13)
        return x;
    const int zero = floats(m, v.type, 0, NULL, 1, 0.001);
    begin_node(m, ops[pick(m, 3)]);
    use_value(m, x);
    use_value(m, zero);
    const int condition = node_result(m, ONNX_BOOL, v.rank, v.dims, true);
    end_node(m);
    if (chance(m, 50)) {
        const int other = floats(m, v.type, 0, NULL, 1, 0.5);
        begin_node(m, "Where");
        use_value(m, condition);
        use_value(m, x);
        use_value(m, other);
        return end_node_like(m, x, true);
    }
    begin_node(m, "Cast");
    use_value(m, condition);
    proto_int_attribute(&m->node, "to", m->type);
    const int y = node_result(m, m->type, v.rank, v.dims, true);
    end_node(m);
    return y;
}

int put_cast(Maker *m) {
    static const int types[] = {ONNX_F32, ONNX_F64, ONNX_F16, ONNX_I32, ONNX_I64};
    const int x = some_any(m, 0, 5);
    const Made v = m->values[x];
    const int to = types[pick(m, v.exact && v.type != ONNX_BOOL ? 5 : 3)];
    begin_node(m, "Cast");
    use_value(m, x);
    proto_int_attribute(&m->node, "to", to);
    const int y = node_result(m, to, v.rank, v.dims, v.exact);
    end_node(m);
    return y;
}

int put_identity(Maker *m) {
    const int x = some_any(m, 0, 6);
    const bool dropout = is_float(m->values[x].type) && chance(m, 50);
    const int ratio =
        dropout && m->opset >= 12 && chance(m, 30) ? floats(m, ONNX_F32, 0, NULL, 0.1, 0.5) : -1;
    begin_node(m, dropout ? "Dropout" : "Identity");
    use_value(m, x);
    if (ratio >= 0)
        use_value(m, ratio);
    const Made v = m->values[x];
    const int y = node_result(m, v.type, v.rank, v.dims, v.exact);
    if (dropout && chance(m, 25) && m->opset >= 10)
        node_result(m, ONNX_BOOL, v.rank, v.dims, true);
    end_node(m);
    return y;
}
