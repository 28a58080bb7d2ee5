/* SPDX-License-Identifier: Apache-2.0 */
/* Arithmetic on shapes, and pieces of networks. */
#include <string.h>

#include "fuzz/maker/maker.h"

/* --- arithmetic on shapes --- */

int shape_of(Maker *m, int x) {
    begin_node(m, "Shape");
    use_value(m, x);
    const int y = node_result(m, ONNX_I64, 1, (int64_t[]){m->values[x].rank}, true);
    end_node(m);
    return y;
}

int put_shape_arithmetic(Maker *m) {
    const int x = some_value(m, (Want){.min_rank = 2, .max_rank = 5, .any_type = true, .elements = true});
    const Made v = m->values[x];
    const int shape = shape_of(m, x);
    if (chance(m, 30)) { /* a tensor of that shape */
        begin_node(m, "ConstantOfShape");
        use_value(m, shape);
        const int y = node_result(m, ONNX_F32, v.rank, v.dims, true);
        end_node(m);
        return y;
    }
    /* x flattened: [its first dimension, the rest] */
    const int zero = ints(m, (int64_t[]){0}, 1), rest = ints(m, (int64_t[]){-1}, 1);
    begin_node(m, "Gather");
    use_value(m, shape);
    use_value(m, zero);
    const int batch = node_result(m, ONNX_I64, 1, (int64_t[]){1}, true);
    end_node(m);
    begin_node(m, "Concat");
    use_value(m, batch);
    use_value(m, rest);
    set_int(m, "axis", 0);
    const int wanted = node_result(m, ONNX_I64, 1, (int64_t[]){2}, true);
    end_node(m);
    begin_node(m, "Reshape");
    use_value(m, x);
    use_value(m, wanted);
    const int y = node_result(
        m, v.type, 2, (int64_t[]){v.dims[0], v.dims[0] ? count_elements(&v) / v.dims[0] : 0}, v.exact);
    end_node(m);
    return y;
}

int put_integers(Maker *m) {
    static const char *const ops[] = {"Add", "Sub", "Max", "Min"};
    const int x = some_any(m, 0, 4);
    const Made v = m->values[x];
    if (v.type != ONNX_I64)
        return x;
    const int other = scalar_int(m, between(m, -3, 3));
    begin_node(m, ops[pick(m, m->opset >= 12 ? 4 : 2)]);
    use_value(m, x);
    use_value(m, other);
    return end_node_like(m, x, true);
}

/* --- pieces of networks --- */

static int activation(Maker *m, int x) {
    static const char *const ops[] = {"Relu", "LeakyRelu", "Sigmoid", "Tanh", "HardSigmoid", "Elu"};
    switch (pick(m, 10)) {
    case 0:
        return x;
    case 1:
        return pair_of(m, "Mul", x, node_like(m, "Sigmoid", x, false), false);
    case 2:
        return pair_of(m, "Mul", x, node_like(m, "HardSigmoid", x, false), false);
    case 3:
        return pair_of(m, "Mul", x, node_like(m, "Tanh", node_like(m, "Softplus", x, false), false), false);
    default:
        return node_like(m, ops[pick(m, 6)], x, false);
    }
}

int put_residual(Maker *m) {
    const int x = some_full(m, 3, 5);
    const Made v = m->values[x];
    Windows w = {.spatial = v.rank - 2};
    int64_t products = count_elements(&v) * v.dims[1];
    for (int i = 0; i < w.spatial; i++) {
        w.kernel[i] = 3;
        w.strides[i] = w.dilations[i] = w.pads[i] = w.pads[i + w.spatial] = 1;
        w.out[i] = v.dims[2 + i];
        products *= 3;
    }
    if (products > MAX_PRODUCTS)
        return x;
    int y = x;
    for (int i = 0; i < 1 + pick(m, 2); i++) {
        y = conv_of(m, y, &w, v.dims[1], 1);
        y = chance(m, 50) ? batch_norm_of(m, y) : y;
        y = chance(m, 60) ? activation(m, y) : y;
    }
    /* Now and then over what is no step of its own. */
    const int skip = chance(m, 20) ? node_like(m, "Identity", x, true) : x;
    y = pair_of(m, "Add", y, skip, false);
    return activation(m, y);
}

int put_gate(Maker *m) {
    const int x = some_full(m, 4, 4);
    const Made v = m->values[x];
    begin_node(m, "GlobalAveragePool");
    use_value(m, x);
    int y = node_result(m, v.type, 4, (int64_t[]){v.dims[0], v.dims[1], 1, 1}, false);
    end_node(m);
    const Windows w = {.spatial = 2, .kernel = {1, 1}, .strides = {1, 1}, .dilations = {1, 1}, .out = {1, 1}};
    y = activation(m, conv_of(m, y, &w, 1 + v.dims[1] / 2, 1));
    y = node_like(m, "Sigmoid", conv_of(m, y, &w, v.dims[1], 1), false);
    return pair_of(m, "Mul", x, y, false);
}

/* --- attention --- */

/* x with dimensions a and b swapped. */
static int swapped(Maker *m, int x, int a, int b) {
    const Made v = m->values[x];
    int64_t perm[RANK], dims[RANK];
    for (int i = 0; i < v.rank; i++)
        perm[i] = i == a ? b : i == b ? a : i;
    for (int i = 0; i < v.rank; i++)
        dims[i] = v.dims[perm[i]];
    begin_node(m, "Transpose");
    use_value(m, x);
    set_ints(m, "perm", perm, v.rank);
    const int y = node_result(m, v.type, v.rank, dims, v.exact);
    end_node(m);
    return y;
}

static int product_of(Maker *m, int a, int b) {
    const Made left = m->values[a], right = m->values[b];
    int64_t dims[RANK];
    memcpy(dims, left.dims, sizeof dims);
    dims[left.rank - 1] = right.dims[right.rank - 1];
    begin_node(m, "MatMul");
    use_value(m, a);
    use_value(m, b);
    const int y = node_result(m, left.type, left.rank, dims, false);
    end_node(m);
    m->made->has_product = true;
    return y;
}

/* Keys or values for queries of that shape; now and then with heads and rows swapped before a Transpose. */
static int operand_of(Maker *m, const Made *q, int64_t rows, int64_t size) {
    int64_t dims[RANK];
    memcpy(dims, q->dims, sizeof dims);
    const int last = q->rank - 1;
    dims[last] = size;
    dims[last - 1] = rows;
    const bool swaps = chance(m, 40);
    if (swaps) {
        dims[last - 1] = dims[last - 2];
        dims[last - 2] = rows;
    }
    const int x = floats(m, q->type, q->rank, dims, 1, 0);
    return swaps ? swapped(m, x, last - 2, last - 1) : x;
}

static int scaled(Maker *m, int x) {
    const int scale = floats(m, m->values[x].type, 0, NULL, 0.2, 0.5);
    begin_node(m, chance(m, 50) ? "Mul" : "Div");
    use_value(m, x);
    use_value(m, scale);
    return end_node_like(m, x, false);
}

static int masked(Maker *m, int scores) {
    const Made v = m->values[scores];
    int64_t dims[RANK];
    const int rank = (int)between(m, 1, v.rank);
    for (int i = 0; i < rank; i++)
        dims[i] = i < rank - 1 && chance(m, 30) ? 1 : v.dims[v.rank - rank + i];
    return pair_of(m, "Add", scores, floats(m, v.type, rank, dims, 1, 0), false);
}

int put_attention(Maker *m) {
    const int x = some_full(m, 3, 5);
    const Made q = m->values[x];
    const int64_t keys = between(m, 1, 40), size = q.dims[q.rank - 1], v_size = between(m, 1, 20);
    const int64_t rows = count_elements(&q) / size, matrices = rows / q.dims[q.rank - 2];
    if (rows * keys * (size + v_size) > MAX_PRODUCTS || rows * (keys + v_size) > MAX_ELEMENTS ||
        matrices * keys * (size + v_size) > MAX_ELEMENTS || m->opset < 13)
        return x;
    const int k = operand_of(m, &q, keys, size), v = operand_of(m, &q, keys, v_size);
    int scores = product_of(m, chance(m, 30) ? scaled(m, x) : x, swapped(m, k, q.rank - 2, q.rank - 1));
    scores = chance(m, 50) ? scaled(m, scores) : scores;
    scores = chance(m, 50) ? masked(m, scores) : scores;
    begin_node(m, "Softmax");
    use_value(m, scores);
    set_int(m, "axis", -1);
    const int y = product_of(m, end_node_like(m, scores, false), v);
    return chance(m, 50) ? swapped(m, y, q.rank - 3, q.rank - 2) : y;
}
