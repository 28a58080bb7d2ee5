/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of tensors, and tensors of parts. */
#include "fuzz/maker/maker.h"

#include <string.h>

int put_concat(Maker *m) {
    const int x = some_any(m, 1, 5);
    const Made v = m->values[x];
    const int axis = v.rank > 1 && chance(m, 60) ? 1 : pick(m, v.rank);
    int parts[4] = {x}, count = 1;
    int64_t dims[RANK];
    bool exact = v.exact;
    memcpy(dims, v.dims, sizeof dims);
    for (int i = m->n_values - 1; i >= 0 && count < 4; i--) {
        const Made *w = &m->values[i];
        bool fitting =
            w->type == v.type && w->rank == v.rank && !w->is_constant && !w->is_hidden && chance(m, 70);
        for (int d = 0; d < v.rank; d++)
            fitting = fitting && (d == axis || w->dims[d] == v.dims[d]);
        if (fitting)
            parts[count++] = i;
    }
    if (count == 1 && is_float(v.type) && chance(m, 70)) {
        dims[axis] = between(m, 1, 5);
        parts[count++] = floats(m, v.type, v.rank, dims, 1, 0);
    }
    dims[axis] = 0;
    for (int i = 0; i < count; i++) {
        dims[axis] += m->values[parts[i]].dims[axis];
        exact = exact && m->values[parts[i]].exact;
    }
    const Made whole = {.rank = v.rank,
                        .dims = {dims[0], dims[1], dims[2], dims[3], dims[4], dims[5], dims[6], dims[7]}};
    if (count_elements(&whole) > MAX_ELEMENTS)
        return x;
    begin_node(m, "Concat");
    for (int i = 0; i < count; i++)
        use_value(m, parts[i]);
    set_int(m, "axis", chance(m, 20) ? axis - v.rank : axis);
    const int y = node_result(m, v.type, v.rank, dims, exact);
    end_node(m);
    return y;
}

int put_split(Maker *m) {
    const int x = some_any(m, 1, 5);
    const Made v = m->values[x];
    const int axis = v.rank > 1 && chance(m, 60) ? 1 : pick(m, v.rank);
    const int64_t whole = v.dims[axis];
    if (whole < 2)
        return x;
    const int count = whole % 2 == 0 && chance(m, 50) ? 2 : 1 + pick(m, whole < 4 ? (int)whole : 4);
    int64_t sizes[4], left = whole, dims[RANK];
    for (int i = 0; i < count; i++) {
        sizes[i] = count == 2 && whole % 2 == 0 ? whole / 2
                   : i == count - 1             ? left
                                                : between(m, chance(m, 10) ? 0 : 1, left - (count - 1 - i));
        left -= sizes[i];
    }
    const int lengths = m->opset >= 13 ? ints(m, sizes, count) : -1;
    begin_node(m, "Split");
    use_value(m, x);
    if (lengths >= 0)
        use_value(m, lengths);
    else
        set_ints(m, "split", sizes, count);
    set_int(m, "axis", axis);
    memcpy(dims, v.dims, sizeof dims);
    int y = 0;
    for (int i = 0; i < count; i++) {
        dims[axis] = sizes[i];
        y = node_result(m, v.type, v.rank, dims, v.exact);
    }
    end_node(m);
    return y;
}

int put_slice(Maker *m) {
    const int x = some_any(m, 1, 5);
    const Made v = m->values[x];
    int64_t starts[2], ends[2], axes[2], steps[2], dims[RANK];
    const int first = pick(m, v.rank), count = v.rank > 1 && chance(m, 40) ? 2 : 1;
    memcpy(dims, v.dims, sizeof dims);
    for (int i = 0; i < count; i++) {
        const int axis = (first + i) % v.rank;
        const int64_t size = v.dims[axis];
        const bool back = chance(m, 15);
        steps[i] = (back ? -1 : 1) * (chance(m, 30) ? between(m, 1, 3) : 1);
        const int64_t low = size ? between(m, 0, size - 1) : 0, high = size ? between(m, low, size - 1) : -1;
        axes[i] = chance(m, 20) ? axis - v.rank : axis;
        starts[i] = back ? high : low;
        ends[i] = back                                  ? (low ? low - 1 : INT64_MIN)
                  : (high == size - 1 && chance(m, 50)) ? INT64_MAX
                                                        : high + 1;
        dims[axis] = size ? (high - low) / (back ? -steps[i] : steps[i]) + 1 : 0;
    }
    const int inputs[] = {x, ints(m, starts, count), ints(m, ends, count), ints(m, axes, count),
                          ints(m, steps, count)};
    begin_node(m, "Slice");
    for (int i = 0; i < 5; i++)
        use_value(m, inputs[i]);
    const int y = node_result(m, v.type, v.rank, dims, v.exact);
    end_node(m);
    return y;
}

int put_pad(Maker *m) {
    static const char *const modes[] = {"constant", "constant", "reflect", "edge", "wrap"};
    const int x = some_full(m, 1, 5);
    const Made v = m->values[x];
    const int mode = pick(m, m->opset >= 19 ? 5 : 4);
    int64_t pads[2 * RANK] = {0}, dims[RANK];
    for (int i = 0; i < v.rank; i++) {
        for (int side = 0; side < 2; side++) {
            int64_t pad = chance(m, 50) ? between(m, chance(m, 10) ? -1 : 0, 3) : 0;
            if (mode == 2 && pad >= v.dims[i])
                pad = 0;
            pads[i + side * v.rank] = pad;
        }
        dims[i] = v.dims[i] + pads[i] + pads[i + v.rank];
        if (dims[i] < 1 || (pads[i] < 0) != (pads[i + v.rank] < 0)) {
            pads[i] = pads[i + v.rank] = 0;
            dims[i] = v.dims[i];
        }
    }
    const Made whole = {.rank = v.rank,
                        .dims = {dims[0], dims[1], dims[2], dims[3], dims[4], dims[5], dims[6], dims[7]}};
    if (count_elements(&whole) > MAX_ELEMENTS)
        return x;
    const int sizes = ints(m, pads, 2 * v.rank),
              value = mode < 2 && chance(m, 50) ? floats(m, v.type, 0, NULL, 1, 0.001) : -1;
    begin_node(m, "Pad");
    use_value(m, x);
    use_value(m, sizes);
    if (value >= 0)
        use_value(m, value);
    set_text(m, "mode", modes[mode]);
    const int y = node_result(m, v.type, v.rank, dims, v.exact);
    end_node(m);
    return y;
}

int put_resize(Maker *m) {
    static const char *const modes[] = {"nearest", "linear", "cubic"};
    static const char *const places[] = {"half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"};
    const int x = some_full(m, 3, 5);
    const Made v = m->values[x];
    const int mode = pick(m, v.rank == 4 ? 3 : 2);
    float scales[RANK];
    int64_t sizes[RANK], outs = 1;
    for (int i = 0; i < v.rank; i++) {
        const int64_t factor = i < 2 ? 1 : between(m, 1, 3);
        scales[i] = (float)factor;
        sizes[i] = v.dims[i] * factor;
        outs *= sizes[i];
    }
    const bool by_size = chance(m, 50);
    if (by_size)
        for (int i = 2; i < v.rank; i++)
            sizes[i] = between(m, 1, sizes[i]);
    if (outs > MAX_ELEMENTS)
        return x;
    int given;
    if (by_size) {
        given = ints(m, sizes, v.rank);
    } else {
        Proto data = {0};
        proto_put(&data, scales, (size_t)v.rank * sizeof *scales);
        given = add_tensor(m, ONNX_F32, 1, (int64_t[]){v.rank}, &data);
    }
    begin_node(m, "Resize");
    use_value(m, x);
    use_value(m, -1);
    use_value(m, by_size ? -1 : given);
    if (by_size)
        use_value(m, given);
    set_text(m, "mode", modes[mode]);
    set_text(m, "coordinate_transformation_mode", places[pick(m, 4)]);
    if (mode == 0 && chance(m, 50))
        set_text(m, "nearest_mode", chance(m, 50) ? "floor" : "ceil");
    m->made->has_product |= mode != 0;
    const int y = node_result(m, v.type, v.rank, sizes, false);
    end_node(m);
    return y;
}

int put_gather(Maker *m) {
    const int x = some_value(m, (Want){.min_rank = 1, .max_rank = 5, .any_type = true, .elements = true});
    const Made v = m->values[x];
    const int axis = pick(m, v.rank);
    int64_t indices[3], dims[RANK];
    const int count = 1 + pick(m, 3);
    for (int i = 0; i < count; i++)
        indices[i] = between(m, -v.dims[axis], v.dims[axis] - 1);
    const bool scalar = chance(m, 40);
    const int at = scalar ? scalar_int(m, indices[0]) : ints(m, indices, count);
    memcpy(dims, v.dims, sizeof dims);
    if (scalar)
        memmove(dims + axis, dims + axis + 1, (size_t)(v.rank - axis - 1) * sizeof *dims);
    else
        dims[axis] = count;
    begin_node(m, "Gather");
    use_value(m, x);
    use_value(m, at);
    set_int(m, "axis", axis);
    const int y = node_result(m, v.type, v.rank - scalar, dims, v.exact);
    end_node(m);
    return y;
}

int put_depth_space(Maker *m) {
    const int x = some_full(m, 4, 4);
    Made v = m->values[x];
    const bool to_space = v.dims[1] % 4 == 0;
    if (!to_space && (v.dims[2] % 2 || v.dims[3] % 2))
        return x;
    begin_node(m, to_space ? "DepthToSpace" : "SpaceToDepth");
    use_value(m, x);
    set_int(m, "blocksize", 2);
    if (to_space && chance(m, 50) && m->opset >= 11)
        set_text(m, "mode", "CRD");
    v.dims[1] = to_space ? v.dims[1] / 4 : v.dims[1] * 4;
    for (int i = 2; i < 4; i++)
        v.dims[i] = to_space ? v.dims[i] * 2 : v.dims[i] / 2;
    const int y = node_result(m, v.type, 4, v.dims, v.exact);
    end_node(m);
    return y;
}
