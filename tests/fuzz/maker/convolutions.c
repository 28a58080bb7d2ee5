/* SPDX-License-Identifier: Apache-2.0 */
/* Convolutions and pools. */
#include "fuzz/maker/maker.h"

#include <string.h>

static int64_t floor_div(int64_t a, int64_t b) {
    return a / b - (a % b < 0);
}

static int64_t window_out(const Windows *w, int i, int64_t in) {
    const int64_t extent = w->dilations[i] * (w->kernel[i] - 1) + 1;
    if (w->auto_pad == 1 || w->auto_pad == 2)
        return (in + w->strides[i] - 1) / w->strides[i];
    const int64_t begin_pad = w->auto_pad ? 0 : w->pads[i],
                  room = in + begin_pad + (w->auto_pad ? 0 : w->pads[w->spatial + i]) - extent;
    int64_t out = floor_div(room, w->strides[i]) + 1;
    if (w->ceil_mode && room % w->strides[i] && out * w->strides[i] < in + begin_pad)
        out++;
    return out;
}

/* False where no choice fitted. */
static bool choose_windows(Maker *m, const Made *x, Windows *w, bool dilated, bool pool) {
    *w = (Windows){.spatial = x->rank - 2};
    w->auto_pad = chance(m, 15) ? 1 + pick(m, 3) : 0;
    w->ceil_mode = pool && w->auto_pad == 0 && chance(m, 25);
    const bool plain = chance(m, 40), strided = chance(m, 40);
    for (int i = 0; i < w->spatial; i++) {
        const int64_t in = x->dims[2 + i];
        w->strides[i] = strided ? between(m, 1, 3) : 1;
        w->kernel[i] = plain ? 3 : between(m, 1, chance(m, 10) ? 9 : 5);
        w->dilations[i] = dilated && !plain && chance(m, 25) ? between(m, 2, 3) : 1;
        if (!w->auto_pad)
            for (int side = 0; side < 2; side++)
                w->pads[i + side * w->spatial] = plain ? 1 : between(m, 0, pool ? w->kernel[i] - 1 : 3);
        if (!w->auto_pad && !pool && chance(m, 3))
            w->pads[i] = -1;
        for (int tries = 0; (w->out[i] = window_out(w, i, in)) < 1; tries++) {
            if (tries > 3)
                return false;
            w->kernel[i] = w->dilations[i] = 1;
            w->pads[i] = w->pads[i + w->spatial] = 0;
        }
        if (w->out[i] > 40)
            return false;
    }
    return true;
}

static void set_windows(Maker *m, const Windows *w, bool with_dilations) {
    static const char *const names[] = {"NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"};
    set_ints(m, "kernel_shape", w->kernel, w->spatial);
    set_ints(m, "strides", w->strides, w->spatial);
    if (with_dilations)
        set_ints(m, "dilations", w->dilations, w->spatial);
    if (w->auto_pad)
        set_text(m, "auto_pad", names[w->auto_pad]);
    else
        set_ints(m, "pads", w->pads, 2 * w->spatial);
    if (w->ceil_mode)
        set_int(m, "ceil_mode", 1);
}

double weight_scale(int64_t terms) {
    double scale = 2;
    for (; terms > 1; terms /= 4)
        scale /= 2;
    return scale;
}

/* The weights that a convolution to so many channels has; returns how many each output sums. */
static int64_t weight_dims(const Made *v, const Windows *w, int64_t out_channels, int64_t group,
                           int64_t *dims) {
    int64_t terms = dims[1] = v->dims[1] / group;
    dims[0] = out_channels;
    for (int i = 0; i < w->spatial; i++)
        terms *= dims[2 + i] = w->kernel[i];
    return terms;
}

static int conv_with(Maker *m, int x, int weight, const Windows *w, int64_t out_channels, int64_t group) {
    const Made v = m->values[x];
    int64_t out[RANK] = {v.dims[0], out_channels};
    for (int i = 0; i < w->spatial; i++)
        out[2 + i] = w->out[i];
    const int bias = chance(m, 50) ? floats(m, v.type, 1, &out[1], 0.5, 0) : -1;
    begin_node(m, "Conv");
    use_value(m, x);
    use_value(m, weight);
    if (bias >= 0)
        use_value(m, bias);
    set_windows(m, w, true);
    set_int(m, "group", group);
    const int y = node_result(m, v.type, v.rank, out, false);
    end_node(m);
    m->made->has_product = true;
    return y;
}

/* Weights: now and then what nodes make of an input in each run, also with a convolution's layout. */
static int weights(Maker *m, int type, int rank, const int64_t *dims, double scale) {
    if (!chance(m, 8) || !may_add_input(m))
        return floats(m, type, rank, dims, scale, 0);
    int made = add_input(m, type, rank, dims);
    if (chance(m, 50)) {
        Windows w = {.spatial = rank - 2};
        int64_t own[RANK];
        for (int i = 0; i < w.spatial; i++) {
            w.kernel[i] = w.strides[i] = w.dilations[i] = 1;
            w.out[i] = dims[2 + i];
        }
        const Made v = m->values[made];
        const int64_t terms = weight_dims(&v, &w, dims[1], 1, own);
        made = conv_with(m, made, floats(m, type, rank, own, weight_scale(terms), 0), &w, dims[1], 1);
    }
    return node_like(m, "Tanh", made, false);
}

int conv_of(Maker *m, int x, const Windows *w, int64_t out_channels, int64_t group) {
    const Made v = m->values[x];
    int64_t dims[RANK];
    const int64_t terms = weight_dims(&v, w, out_channels, group, dims);
    return conv_with(m, x, weights(m, v.type, v.rank, dims, weight_scale(terms)), w, out_channels, group);
}

int put_conv(Maker *m) {
    const int x = some_value(m, (Want){.min_rank = 3, .max_rank = 5, .elements = !chance(m, 3)});
    const Made v = m->values[x];
    Windows w;
    if (!choose_windows(m, &v, &w, true, false) || v.dims[1] == 0)
        return x;
    int64_t group = 1, out_channels = chance(m, 50) ? 1 << pick(m, 6) : between(m, 1, 40);
    if (chance(m, 15)) {
        group = v.dims[1];
        out_channels = group * (chance(m, 75) ? 1 : 2);
    } else if (chance(m, 15)) {
        group = v.dims[1] % 2 ? v.dims[1] % 3 ? 1 : 3 : chance(m, 50) && v.dims[1] % 4 == 0 ? 4 : 2;
        out_channels = group * between(m, 1, 9);
    }
    int64_t products = v.dims[0] * out_channels * (v.dims[1] / group), outs = v.dims[0] * out_channels;
    for (int i = 0; i < w.spatial; i++) {
        products *= w.out[i] * w.kernel[i];
        outs *= w.out[i];
    }
    if (products > MAX_PRODUCTS || outs > MAX_ELEMENTS)
        return x;
    return conv_of(m, x, &w, out_channels, group);
}

int put_conv_transpose(Maker *m) {
    const int x = some_full(m, 3, 5);
    const Made v = m->values[x];
    Windows w = {.spatial = v.rank - 2};
    const int64_t group = chance(m, 20) ? v.dims[1] : 1,
                  out_channels = group * between(m, 1, group > 1 ? 2 : 20);
    int64_t dims[RANK] = {v.dims[1], out_channels / group}, out[RANK] = {v.dims[0], out_channels};
    int64_t padding[3], terms = v.dims[1], outs = v.dims[0] * out_channels;
    for (int i = 0; i < w.spatial; i++) {
        dims[2 + i] = w.kernel[i] = between(m, 1, 4);
        w.strides[i] = between(m, 1, 3);
        w.dilations[i] = chance(m, 20) ? 2 : 1;
        w.pads[i] = between(m, 0, 1);
        w.pads[w.spatial + i] = between(m, 0, 1);
        padding[i] = chance(m, 25) ? between(m, 0, w.strides[i] - 1) : 0;
        out[2 + i] = w.strides[i] * (v.dims[2 + i] - 1) + padding[i] + w.dilations[i] * (w.kernel[i] - 1) +
                     1 - w.pads[i] - w.pads[w.spatial + i];
        if (out[2 + i] < 1)
            return x;
        terms *= w.kernel[i];
        outs *= out[2 + i];
    }
    if (outs > MAX_ELEMENTS || terms * outs > MAX_PRODUCTS)
        return x;
    const int weight = weights(m, v.type, v.rank, dims, weight_scale(terms));
    const int bias = chance(m, 50) ? floats(m, v.type, 1, &out[1], 0.5, 0) : -1;
    begin_node(m, "ConvTranspose");
    use_value(m, x);
    use_value(m, weight);
    if (bias >= 0)
        use_value(m, bias);
    set_windows(m, &w, true);
    set_ints(m, "output_padding", padding, w.spatial);
    set_int(m, "group", group);
    const int y = node_result(m, v.type, v.rank, out, false);
    end_node(m);
    m->made->has_product = true;
    return y;
}

static int reshape_to(Maker *m, int x, int rank, const int64_t *dims) {
    const int shape = ints(m, dims, rank);
    const Made v = m->values[x];
    begin_node(m, "Reshape");
    use_value(m, x);
    use_value(m, shape);
    const int y = node_result(m, v.type, rank, dims, v.exact);
    end_node(m);
    return y;
}

/* As trackers do it: a corner of the image slides over it, each channel of each image by itself. */
int put_correlation(Maker *m) {
    const int x = some_full(m, 4, 4);
    const Made v = m->values[x];
    const int64_t channels = v.dims[0] * v.dims[1], zero[] = {0, 0}, axes[] = {2, 3};
    const int64_t image[] = {1, channels, v.dims[2], v.dims[3]};
    Windows w = {.spatial = 2};
    int64_t terms = 1;
    for (int i = 0; i < 2; i++) {
        w.strides[i] = w.dilations[i] = 1;
        w.kernel[i] = between(m, 1, v.dims[2 + i] < 7 ? v.dims[2 + i] : 7);
        w.out[i] = v.dims[2 + i] - w.kernel[i] + 1;
        terms *= w.kernel[i] * w.out[i];
    }
    if (channels * terms > MAX_PRODUCTS)
        return x;
    const int inputs[] = {x, ints(m, zero, 2), ints(m, w.kernel, 2), ints(m, axes, 2)};
    const int64_t corner[] = {v.dims[0], v.dims[1], w.kernel[0], w.kernel[1]},
                  filters[] = {channels, 1, w.kernel[0], w.kernel[1]};
    begin_node(m, "Slice");
    for (int i = 0; i < 4; i++)
        use_value(m, inputs[i]);
    int kernel = node_result(m, v.type, 4, corner, v.exact);
    end_node(m);
    kernel = reshape_to(m, node_like(m, "Tanh", kernel, false), 4, filters);
    const int folded = reshape_to(m, x, 4, image);
    return conv_with(m, folded, kernel, &w, channels, channels);
}

int put_pool(Maker *m) {
    static const char *const ops[] = {"MaxPool", "AveragePool", "LpPool"};
    const int kind = chance(m, 10) ? 2 : pick(m, 2),
              x = some_value(m, (Want){.min_rank = 3, .max_rank = 5, .elements = !chance(m, 3)});
    const Made v = m->values[x];
    const bool dilated = kind == 0 || (kind == 1 && m->opset >= 19);
    Windows w;
    if (!choose_windows(m, &v, &w, dilated, true))
        return x;
    int64_t out[RANK] = {v.dims[0], v.dims[1]};
    if (kind == 2 && w.ceil_mode && m->opset < 18)
        return x;
    memcpy(out + 2, w.out, sizeof w.out);
    begin_node(m, ops[kind]);
    use_value(m, x);
    set_windows(m, &w, dilated);
    if (kind == 1 && chance(m, 50))
        set_int(m, "count_include_pad", 1);
    const int y = node_result(m, v.type, v.rank, out, kind == 0 && v.exact);
    if (kind == 0 && v.exact && chance(m, 10)) /* near ties would differ */
        node_result(m, ONNX_I64, v.rank, out, v.exact);
    end_node(m);
    return y;
}

int put_global_pool(Maker *m) {
    const int x = some_full(m, 3, 5);
    Made v = m->values[x];
    const bool max = chance(m, 30);
    begin_node(m, max ? "GlobalMaxPool" : "GlobalAveragePool");
    use_value(m, x);
    for (int i = 2; i < v.rank; i++)
        v.dims[i] = 1;
    const int y = node_result(m, v.type, v.rank, v.dims, max && v.exact);
    end_node(m);
    return y;
}
