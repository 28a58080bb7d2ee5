/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of matrices and of sequences, their middles, transforms, random numbers. */
#include "fuzz/maker/maker.h"

int put_trilu(Maker *m) {
    const int x = some_any(m, 2, 5);
    if (m->opset < 14)
        return x;
    const Made v = m->values[x];
    const int k = chance(m, 60) ? scalar_int(m, between(m, -3, 3)) : -1;
    begin_node(m, "Trilu");
    use_value(m, x);
    if (k >= 0)
        use_value(m, k);
    set_int(m, "upper", pick(m, 2));
    return end_node_like(m, x, v.exact);
}

int put_reverse_sequence(Maker *m) {
    const int x = some_any(m, 2, 5), time = pick(m, 2);
    const Made v = m->values[x];
    int64_t lengths[16];
    if (m->opset < 10 || v.dims[1 - time] > 16)
        return x;
    for (int i = 0; i < v.dims[1 - time]; i++)
        lengths[i] = between(m, 0, v.dims[time]);
    const int at = ints(m, lengths, (int)v.dims[1 - time]);
    begin_node(m, "ReverseSequence");
    use_value(m, x);
    use_value(m, at);
    set_int(m, "time_axis", time);
    set_int(m, "batch_axis", 1 - time);
    return end_node_like(m, x, v.exact);
}

int put_center_crop_pad(Maker *m) {
    const int x = some_any(m, 1, 5);
    Made v = m->values[x];
    if (m->opset < 18)
        return x;
    const int64_t axis = pick(m, v.rank), length = between(m, 1, v.dims[axis] + 2);
    v.dims[axis] = length;
    if (count_elements(&v) > MAX_ELEMENTS)
        return x;
    const int lengths = ints(m, &length, 1);
    begin_node(m, "CenterCropPad");
    use_value(m, x);
    use_value(m, lengths);
    set_ints(m, "axes", &axis, 1);
    const int y = node_result(m, v.type, v.rank, v.dims, v.exact);
    end_node(m);
    return y;
}

/* Of real numbers along the dimension before a last one of 1. */
int put_transform(Maker *m) {
    const int x = some_float(m, 2, 4);
    Made v = m->values[x];
    const int64_t n = v.dims[v.rank - 2];
    if (m->opset < 17 || v.dims[v.rank - 1] != 1 || n < 1 || 2 * count_elements(&v) > MAX_ELEMENTS)
        return x;
    const bool onesided = chance(m, 50);
    v.dims[v.rank - 2] = onesided ? n / 2 + 1 : n;
    v.dims[v.rank - 1] = 2;
    begin_node(m, "DFT");
    use_value(m, x);
    set_int(m, "onesided", onesided);
    if (m->opset < 20)
        set_int(m, "axis", v.rank - 2);
    const int y = node_result(m, v.type, v.rank, v.dims, false);
    end_node(m);
    return y;
}

int put_random(Maker *m) {
    const int x = some_any(m, 0, 5);
    const Made v = m->values[x];
    begin_node(m, "RandomUniformLike");
    use_value(m, x);
    set_int(m, "dtype", m->type);
    if (chance(m, 50))
        set_float(m, "seed", (float)pick(m, 1000));
    const int y = node_result(m, m->type, v.rank, v.dims, false);
    end_node(m);
    return y;
}
