/* SPDX-License-Identifier: Apache-2.0 */
/* Other shapes of the same elements. */
#include "fuzz/maker/maker.h"

#include <string.h>

int put_transpose(Maker *m) {
    const int x = some_any(m, 2, 6);
    Made v = m->values[x];
    int64_t order[RANK], dims[RANK];
    for (int i = 0; i < v.rank; i++)
        order[i] = i;
    if (chance(m, 50) && v.rank >= 3) { /* channels last, or back */
        const bool back = chance(m, 50);
        for (int i = 1; i < v.rank; i++)
            order[i] = back ? (i == 1 ? v.rank - 1 : i - 1) : (i == v.rank - 1 ? 1 : i + 1);
    } else {
        for (int i = v.rank - 1; i > 0; i--) {
            const int j = pick(m, i + 1);
            const int64_t t = order[i];
            order[i] = order[j];
            order[j] = t;
        }
    }
    for (int i = 0; i < v.rank; i++)
        dims[i] = v.dims[order[i]];
    begin_node(m, "Transpose");
    use_value(m, x);
    set_ints(m, "perm", order, v.rank);
    const int y = node_result(m, v.type, v.rank, dims, v.exact);
    end_node(m);
    return y;
}

/* A shape of as many elements: neighbours joined or a dimension cut in two. */
static int reshaped(Maker *m, const Made *v, int64_t *dims) {
    int rank = v->rank;
    memcpy(dims, v->dims, sizeof v->dims);
    for (int i = 0; i < 1 + pick(m, 2); i++) {
        if (rank >= 2 && chance(m, 60)) {
            const int at = pick(m, rank - 1);
            dims[at] *= dims[at + 1];
            memmove(dims + at + 1, dims + at + 2, (size_t)(rank - at - 2) * sizeof *dims);
            rank--;
        } else if (rank >= 1 && rank < 6) {
            const int at = pick(m, rank);
            const int64_t factor = dims[at] % 4 == 0 && dims[at] ? 4 : dims[at] % 3 == 0 && dims[at] ? 3 : 1;
            memmove(dims + at + 1, dims + at, (size_t)(rank - at) * sizeof *dims);
            dims[at] = factor;
            dims[at + 1] /= factor;
            rank++;
        }
    }
    return rank;
}

int put_reshape(Maker *m) {
    const int x = some_any(m, 0, 6);
    const Made v = m->values[x];
    int64_t dims[RANK], given[RANK];
    const int rank = reshaped(m, &v, dims);
    memcpy(given, dims, sizeof given);
    bool empty = false;
    for (int i = 0; i < rank; i++)
        empty = empty || dims[i] == 0;
    const int open = rank && !empty && chance(m, 60) ? pick(m, rank) : -1;
    for (int i = 0; i < rank; i++)
        if (dims[i] == 0 && !(i < v.rank && v.dims[i] == 0))
            return x; /* a 0 would be copied */
    for (int i = 0; i < rank; i++)
        if (i < v.rank && dims[i] == v.dims[i] && chance(m, 30))
            given[i] = 0; /* copied */
    if (open >= 0)
        given[open] = -1;
    int shape;
    if (chance(m, 10) && may_add_input(m) && rank) { /* known in a run alone */
        GraphInput *input = &m->made->inputs[m->made->n_inputs];
        const bool wild = m->wild;
        m->wild = false;
        shape = add_input(m, ONNX_I64, 1, (int64_t[]){rank});
        m->wild = wild;
        input->has_shape = true;
        memcpy(input->shape, given, sizeof given);
    } else {
        shape = ints(m, given, rank);
    }
    begin_node(m, "Reshape");
    use_value(m, x);
    use_value(m, shape);
    const int y = node_result(m, v.type, rank, dims, v.exact);
    end_node(m);
    return y;
}

int put_flatten(Maker *m) {
    const int x = some_any(m, 1, 6);
    const Made v = m->values[x];
    const int axis = pick(m, v.rank + 1);
    int64_t dims[2] = {1, 1};
    for (int i = 0; i < v.rank; i++)
        dims[i >= axis] *= v.dims[i];
    begin_node(m, "Flatten");
    use_value(m, x);
    set_int(m, "axis", axis && axis < v.rank && chance(m, 20) && m->opset >= 11 ? axis - v.rank : axis);
    const int y = node_result(m, v.type, 2, dims, v.exact);
    end_node(m);
    return y;
}

int put_squeeze(Maker *m) {
    const int x = some_any(m, 0, 5);
    const Made v = m->values[x];
    int64_t axis, dims[RANK];
    int at = 0;
    while (at < v.rank && v.dims[at] != 1)
        at++;
    const bool squeeze = at < v.rank && chance(m, 60);
    memcpy(dims, v.dims, sizeof dims);
    if (squeeze) {
        memmove(dims + at, dims + at + 1, (size_t)(v.rank - at - 1) * sizeof *dims);
        axis = chance(m, 30) ? at - v.rank : at;
    } else {
        at = pick(m, v.rank + 1);
        memmove(dims + at + 1, dims + at, (size_t)(v.rank - at) * sizeof *dims);
        dims[at] = 1;
        axis = chance(m, 30) ? at - v.rank - 1 : at;
    }
    const int axes = m->opset >= 13 ? ints(m, &axis, 1) : -1;
    begin_node(m, squeeze ? "Squeeze" : "Unsqueeze");
    use_value(m, x);
    if (axes >= 0)
        use_value(m, axes);
    else
        set_ints(m, "axes", &axis, 1);
    const int y = node_result(m, v.type, v.rank + (squeeze ? -1 : 1), dims, v.exact);
    end_node(m);
    return y;
}

int put_expand(Maker *m) {
    const int x = some_any(m, 0, 4);
    const Made v = m->values[x];
    int64_t dims[RANK], given[RANK] = {0}, outs = 1;
    const bool tile = v.rank && chance(m, 50);
    for (int i = 0; i < v.rank; i++) {
        given[i] = tile             ? between(m, 1, 2)
                   : v.dims[i] == 1 ? between(m, 1, 4)
                   : chance(m, 50)  ? 1
                                    : v.dims[i];
        dims[i] = tile ? v.dims[i] * given[i] : v.dims[i] == 1 ? given[i] : v.dims[i];
        outs *= dims[i];
    }
    if (outs > MAX_ELEMENTS)
        return x;
    const int shape = ints(m, given, v.rank);
    begin_node(m, tile ? "Tile" : "Expand");
    use_value(m, x);
    use_value(m, shape);
    const int y = node_result(m, v.type, v.rank, dims, v.exact);
    end_node(m);
    return y;
}

/* Groups of channels dealt out anew: Reshape, Transpose, Reshape. */
int put_shuffle(Maker *m) {
    const int x = some_float(m, 4, 4);
    const Made v = m->values[x];
    if (v.dims[1] % 2 || !v.dims[1])
        return x;
    const int64_t cut[] = {chance(m, 50) ? v.dims[0] : 0, 2, v.dims[1] / 2, v.dims[2], v.dims[3]};
    const int64_t cut_dims[] = {v.dims[0], 2, v.dims[1] / 2, v.dims[2], v.dims[3]};
    const int64_t dealt[] = {v.dims[0], v.dims[1] / 2, 2, v.dims[2], v.dims[3]}, order[] = {0, 2, 1, 3, 4};
    const int64_t whole[] = {v.dims[0], chance(m, 50) && count_elements(&v) ? -1 : v.dims[1], v.dims[2],
                             v.dims[3]};
    const int first = ints(m, cut, 5), last = ints(m, whole, 4);
    begin_node(m, "Reshape");
    use_value(m, x);
    use_value(m, first);
    const int a = node_result(m, v.type, 5, cut_dims, v.exact);
    end_node(m);
    begin_node(m, "Transpose");
    use_value(m, a);
    set_ints(m, "perm", order, 5);
    const int b = node_result(m, v.type, 5, dealt, v.exact);
    end_node(m);
    begin_node(m, "Reshape");
    use_value(m, b);
    use_value(m, last);
    const int y = node_result(m, v.type, 4, v.dims, v.exact);
    end_node(m);
    return y;
}
