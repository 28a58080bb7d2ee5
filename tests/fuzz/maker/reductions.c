/* SPDX-License-Identifier: Apache-2.0 */
/* Reductions, norms and what walks along an axis. */
#include "fuzz/maker/maker.h"

int put_reduce(Maker *m) {
    static const char *const ops[] = {"ReduceSum",       "ReduceMean",      "ReduceMax",
                                      "ReduceMin",       "ReduceL1",        "ReduceL2",
                                      "ReduceSumSquare", "ReduceLogSumExp", "ReduceProd"};
    const int which = pick(m, 9), x = some_full(m, 1, 5);
    const Made v = m->values[x];
    const bool keep = chance(m, 60), as_input = m->opset >= (which == 0 ? 13 : 18), all = chance(m, 10);
    int64_t axes[RANK], dims[RANK];
    int count = 0, rank = 0;
    const int mask = all ? (1 << v.rank) - 1 : 1 + pick(m, (1 << v.rank) - 1);
    for (int i = 0; i < v.rank; i++) {
        if (mask >> i & 1)
            axes[count++] = chance(m, 25) ? i - v.rank : i;
        if (!(mask >> i & 1) || keep)
            dims[rank++] = mask >> i & 1 ? 1 : v.dims[i];
    }
    const int given = as_input && !all ? ints(m, axes, count) : -1;
    begin_node(m, ops[which]);
    use_value(m, x);
    if (given >= 0)
        use_value(m, given);
    else if (!all)
        set_ints(m, "axes", axes, count);
    if (!keep)
        set_int(m, "keepdims", 0);
    const int y = node_result(m, v.type, rank, dims, (which == 2 || which == 3) && v.exact);
    end_node(m);
    return y;
}

int put_softmax(Maker *m) {
    const int x = some_full(m, m->opset < 13 ? 2 : 1, 5);
    begin_node(m, chance(m, 70) ? "Softmax" : "LogSoftmax");
    use_value(m, x);
    if (chance(m, 70)) {
        const int axis = pick(m, m->values[x].rank);
        set_int(m, "axis", chance(m, 40) ? axis - m->values[x].rank : axis);
    }
    return end_node_like(m, x, false);
}

int put_arg_max(Maker *m) {
    const int x = some_value(m, (Want){.min_rank = 1, .max_rank = 5, .exact = true, .elements = true});
    Made v = m->values[x];
    const int axis = pick(m, v.rank);
    const bool top = chance(m, 50);
    const int64_t k = between(m, 1, v.dims[axis]);
    const int count = top ? ints(m, &k, 1) : -1;
    begin_node(m, top ? "TopK" : chance(m, 50) ? "ArgMax" : "ArgMin");
    use_value(m, x);
    if (top)
        use_value(m, count);
    set_int(m, "axis", axis);
    v.dims[axis] = top ? k : 1;
    const int y = node_result(m, top ? v.type : ONNX_I64, v.rank, v.dims, true);
    if (top)
        node_result(m, ONNX_I64, v.rank, v.dims, true);
    end_node(m);
    return y;
}

int put_cumsum(Maker *m) {
    const int x = some_full(m, 1, 4);
    const int axis = scalar_int(m, pick(m, m->values[x].rank));
    if (m->values[x].type == ONNX_F16 && m->opset < 14)
        return x;
    begin_node(m, "CumSum");
    use_value(m, x);
    use_value(m, axis);
    if (chance(m, 30))
        set_int(m, "exclusive", 1);
    if (chance(m, 30))
        set_int(m, "reverse", 1);
    return end_node_like(m, x, false);
}

int batch_norm_of(Maker *m, int x) {
    const Made v = m->values[x];
    const int64_t *channels = &v.dims[1];
    const int inputs[] = {x, floats(m, v.type, 1, channels, 1, 0), floats(m, v.type, 1, channels, 1, 0),
                          floats(m, v.type, 1, channels, 1, 0), floats(m, v.type, 1, channels, 0.4, 1)};
    begin_node(m, "BatchNormalization");
    for (int i = 0; i < 5; i++)
        use_value(m, inputs[i]);
    if (chance(m, 30))
        set_float(m, "epsilon", 0.01f);
    return end_node_like(m, x, false);
}

int put_norm(Maker *m) {
    const int kind = pick(m, 6);
    const int x = kind == 2 ? some_full(m, 2, 4) : some_full(m, 3, 5);
    const Made v = m->values[x];
    if (kind <= 1)
        return batch_norm_of(m, x);
    if (kind == 2 && m->opset >= 17) {
        const int axis = pick(m, v.rank);
        int64_t dims[RANK];
        for (int i = axis; i < v.rank; i++)
            dims[i - axis] = v.dims[i];
        const int scale = floats(m, v.type, v.rank - axis, dims, 1, 0),
                  bias = chance(m, 60) ? floats(m, v.type, v.rank - axis, dims, 1, 0) : -1;
        begin_node(m, "LayerNormalization");
        use_value(m, x);
        use_value(m, scale);
        if (bias >= 0)
            use_value(m, bias);
        set_int(m, "axis", chance(m, 50) ? axis - v.rank : axis);
        set_float(m, "epsilon", 0.1f);
        return end_node_like(m, x, false);
    }
    if (kind == 3 && v.rank == 4) {
        begin_node(m, "LRN");
        use_value(m, x);
        set_int(m, "size", 1 + 2 * pick(m, 3));
        return end_node_like(m, x, false);
    }
    const int64_t groups = kind == 4 && m->opset >= 21 && v.dims[1] % 2 == 0 ? 2 : 0;
    const int scale = floats(m, v.type, 1, &v.dims[1], 1, 0), bias = floats(m, v.type, 1, &v.dims[1], 1, 0);
    begin_node(m, groups ? "GroupNormalization" : "InstanceNormalization");
    use_value(m, x);
    use_value(m, scale);
    use_value(m, bias);
    if (groups)
        set_int(m, "num_groups", groups);
    set_float(m, "epsilon", 0.1f);
    return end_node_like(m, x, false);
}
