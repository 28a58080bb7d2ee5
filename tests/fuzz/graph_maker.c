/* SPDX-License-Identifier: Apache-2.0 */
/* Values that steep or jumping functions would see are kept apart: `exact` are those that every way of
 * computing gives the same bits, and what may amplify an error (division, roots, norms) gets arguments away
 * from the steep place.  So optimised and plain results differ by rounding alone. */
#include "fuzz/graph_maker.h"

#include "base/size.h"
#include "base/wrap.h"

#include <stdio.h>
#include <string.h>

enum {
    MAX_VALUES = 160,
    MAX_ELEMENTS = 6000, /* of a value */
    MAX_PRODUCTS = 1 << 20,
    RANK = GRAPH_MAX_RANK
};

typedef struct Made {
    int type, rank;
    int64_t dims[RANK];
    bool exact, used, is_input, is_constant;
} Made;

typedef struct Maker {
    Choices *choices;
    bool wild;
    int opset;
    int type; /* of most floats */
    MadeGraph *made;
    Proto graph, node;
    int n_nodes, n_values;
    Made values[MAX_VALUES];
} Maker;

WRAPS_AROUND uint64_t choose(Choices *choices, uint64_t below) {
    uint64_t number = 0;
    if (choices->bytes) {
        for (uint64_t most = below - 1; most && choices->left; most >>= 8) {
            number = number << 8 | *choices->bytes++;
            choices->left--;
        }
        return number % below;
    }
    choices->state += 0x9e3779b97f4a7c15u; /* splitmix64 */
    number = choices->state;
    number = (number ^ number >> 30) * 0xbf58476d1ce4e5b9u;
    number = (number ^ number >> 27) * 0x94d049bb133111ebu;
    return (number ^ number >> 31) % below;
}

static int pick(Maker *m, int below) {
    return (int)choose(m->choices, (uint64_t)below);
}

static bool chance(Maker *m, int percent) {
    return pick(m, 100) < percent;
}

static int64_t between(Maker *m, int64_t first, int64_t last) {
    return first + (int64_t)choose(m->choices, (uint64_t)(last - first + 1));
}

/* An attribute's number: what it should be, or in a wild graph now and then anything. */
static int64_t number(Maker *m, int64_t right) {
    static const int64_t odd[] = {0,
                                  -1,
                                  1,
                                  2,
                                  -2,
                                  255,
                                  1 << 16,
                                  (int64_t)1 << 29,
                                  INT32_MAX,
                                  INT32_MIN,
                                  (int64_t)1 << 32,
                                  (int64_t)1 << 40,
                                  (int64_t)1 << 62,
                                  INT64_MAX,
                                  INT64_MIN};
    if (!m->wild || pick(m, 16))
        return right;
    return i64_sum(odd[pick(m, sizeof odd / sizeof *odd)], pick(m, 4) ? 0 : right);
}

static int64_t count_elements(const Made *v) {
    int64_t count = 1;
    for (int i = 0; i < v->rank; i++)
        count *= v->dims[i];
    return count;
}

static bool is_float(int type) {
    return type == ONNX_F32 || type == ONNX_F64 || type == ONNX_F16;
}

/* --- values --- */

static int add_value(Maker *m, int type, int rank, const int64_t *dims, bool exact) {
    Made *v = &m->values[m->n_values];
    *v = (Made){.type = type, .rank = rank, .exact = exact};
    for (int i = 0; i < rank; i++)
        v->dims[i] = dims[i];
    if (type == ONNX_F16)
        m->made->is_coarse = true;
    return m->n_values++;
}

static void put_name(Proto *proto, int field, int value) {
    char name[24];
    snprintf(name, sizeof name, "v%d", value);
    proto_text(proto, field, name);
}

/* Symbols are few, so that different sizes get the same one. */
static void put_value_info(Maker *m, int field, int value, const bool *open, bool with_shape) {
    const Made *v = &m->values[value];
    Proto info = {0}, type = {0}, tensor = {0}, shape = {0};
    for (int i = 0; i < v->rank; i++) {
        Proto dim = {0};
        if (open && open[i]) {
            const char symbol[] = {"NHWs"[pick(m, 4)], '\0'};
            if (!chance(m, 25))
                proto_text(&dim, 2, symbol);
        } else {
            proto_int(&dim, 1, number(m, v->dims[i]));
        }
        proto_message(&shape, 1, &dim);
    }
    proto_int(&tensor, 1, v->type);
    if (with_shape)
        proto_message(&tensor, 2, &shape);
    else
        proto_free(&shape);
    proto_message(&type, 1, &tensor);
    put_name(&info, 1, value);
    proto_message(&info, 2, &type);
    proto_message(&m->graph, field, &info);
}

/* A float of about `scale`, never 0, as the bits of its type. */
static void put_float(Maker *m, Proto *data, int type, double scale, double base) {
    const double value = ((double)between(m, -128, 127) + 0.5) / 128 * scale + base;
    const float single = (float)value;
    if (type == ONNX_F64) {
        proto_put(data, &value, sizeof value);
    } else if (type == ONNX_F32) {
        proto_put(data, &single, sizeof single);
    } else {
        uint32_t bits;
        memcpy(&bits, &single, sizeof bits);
        const int exponent = (int)(bits >> 23 & 0xff) - 112;
        const uint16_t half =
            (uint16_t)((bits >> 16 & 0x8000) |
                       (exponent > 0 ? (uint32_t)exponent << 10 | (bits >> 13 & 0x3ff) : 0));
        proto_put(data, &half, sizeof half);
    }
}

static int add_tensor(Maker *m, int type, int rank, const int64_t *dims, Proto *data) {
    const int value = add_value(m, type, rank, dims, true);
    Proto tensor = {0};
    m->values[value].is_constant = m->values[value].used = true;
    for (int i = 0; i < rank; i++)
        proto_int(&tensor, 1, dims[i]);
    proto_int(&tensor, 2, type);
    proto_bytes(&tensor, 9, data->data, data->size);
    proto_free(data);
    if (chance(m, 20)) {
        Proto node = {0}, attribute = {0};
        put_name(&node, 2, value);
        proto_text(&node, 4, "Constant");
        proto_text(&attribute, 1, "value");
        proto_message(&attribute, 5, &tensor);
        proto_int(&attribute, 20, 4);
        proto_message(&node, 5, &attribute);
        proto_message(&m->graph, 1, &node);
    } else {
        put_name(&tensor, 8, value);
        proto_message(&m->graph, 5, &tensor);
    }
    return value;
}

static int add_input(Maker *m, int type, int rank, const int64_t *dims) {
    GraphInput *input = &m->made->inputs[m->made->n_inputs++];
    const int value = add_value(m, type, rank, dims, true);
    *input = (GraphInput){.type = type, .rank = rank};
    for (int i = 0; i < rank; i++)
        input->dims[i] = dims[i];
    const bool dynamic = chance(m, 40);
    for (int i = 0; i < rank; i++)
        input->open[i] = dynamic && chance(m, i == 1 ? 25 : 60);
    put_value_info(m, 11, value, input->open, true);
    m->values[value].used = m->values[value].is_input = true;
    return value;
}

/* Floats: a constant, or now and then an input of the model. */
static int floats(Maker *m, int type, int rank, const int64_t *dims, double scale, double base) {
    Made shape = {.rank = rank};
    for (int i = 0; i < rank; i++)
        shape.dims[i] = dims[i];
    const int64_t count = count_elements(&shape);
    if (base == 0 && chance(m, 15) && m->made->n_inputs < GRAPH_MAX_INPUTS)
        return add_input(m, type, rank, dims);
    Proto data = {0};
    const bool flat = chance(m, 10); /* one value, as in scalars that were expanded */
    const uint64_t seed = choose(m->choices, 1 << 16);
    Choices own = {.state = seed}, *outer = m->choices;
    m->choices = &own; /* bytes of a fuzzer are too few for elements */
    for (int64_t i = 0; i < count; i++) {
        own.state = flat ? seed : own.state;
        put_float(m, &data, type, scale, base);
    }
    m->choices = outer;
    return add_tensor(m, type, rank, dims, &data);
}

static int ints(Maker *m, const int64_t *values, int count) {
    Proto data = {0};
    for (int i = 0; i < count; i++) {
        const int64_t value = number(m, values[i]);
        proto_put(&data, &value, sizeof value);
    }
    return add_tensor(m, ONNX_I64, 1, (int64_t[]){count}, &data);
}

static int scalar_int(Maker *m, int64_t value) {
    Proto data = {0};
    value = number(m, value);
    proto_put(&data, &value, sizeof value);
    return add_tensor(m, ONNX_I64, 0, NULL, &data);
}

/* --- nodes --- */

static void begin(Maker *m, const char *op) {
    char name[24];
    snprintf(name, sizeof name, "n%d", m->n_nodes++);
    m->node = (Proto){0};
    proto_text(&m->node, 3, name);
    proto_text(&m->node, 4, op);
}

static void use(Maker *m, int value) {
    if (value < 0) {
        proto_text(&m->node, 1, "");
        return;
    }
    m->values[value].used = true;
    put_name(&m->node, 1, value);
}

static void set_int(Maker *m, const char *name, int64_t value) {
    proto_int_attribute(&m->node, name, number(m, value));
}

static void set_ints(Maker *m, const char *name, const int64_t *values, int count) {
    int64_t given[2 * RANK];
    for (int i = 0; i < count; i++)
        given[i] = number(m, values[i]);
    proto_ints_attribute(&m->node, name, given, (size_t)count);
}

static void set_float(Maker *m, const char *name, float value) {
    proto_float_attribute(&m->node, name, m->wild && !pick(m, 16) ? -3e38f : value);
}

static void set_text(Maker *m, const char *name, const char *text) {
    proto_text_attribute(&m->node, name, text);
}

static int result(Maker *m, int type, int rank, const int64_t *dims, bool exact) {
    const int value = add_value(m, type, rank, dims, exact);
    put_name(&m->node, 2, value);
    return value;
}

static void end(Maker *m) {
    proto_message(&m->graph, 1, &m->node);
}

static int end_like(Maker *m, int value, bool exact) {
    const Made v = m->values[value];
    const int made = result(m, v.type, v.rank, v.dims, exact);
    end(m);
    return made;
}

/* One input, the same type and shape. */
static int same(Maker *m, const char *op, int x, bool exact) {
    begin(m, op);
    use(m, x);
    return end_like(m, x, exact && m->values[x].exact);
}

static int with_constant(Maker *m, const char *op, int x, double base) {
    const int c = floats(m, m->values[x].type, 0, NULL, 0.25, base);
    begin(m, op);
    use(m, x);
    use(m, c);
    return end_like(m, x, false);
}

/* Away from zero: |x| + about 0.75. */
static int tamed(Maker *m, int x) {
    return with_constant(m, "Add", same(m, "Abs", x, true), 0.75);
}

/* --- which value --- */

typedef struct Want {
    int min_rank, max_rank;
    bool any_type, exact, elements; /* elements: none of its dimensions is 0 */
} Want;

static bool fits(const Made *v, const Want *want) {
    if (v->rank < want->min_rank || v->rank > want->max_rank || (want->exact && !v->exact) ||
        (!want->any_type && !is_float(v->type)))
        return false;
    return !want->elements || count_elements(v) > 0;
}

static int new_input(Maker *m, const Want *want) {
    static const int others[] = {ONNX_I64, ONNX_I32, ONNX_U8, ONNX_I8, ONNX_F64, ONNX_F16};
    const int type = want->any_type && chance(m, 25) ? others[pick(m, 6)] : m->type;
    int64_t dims[RANK];
    const int rank = (int)between(m, want->min_rank, want->max_rank < 5 ? want->max_rank : 5);
    for (int i = 0; i < rank; i++)
        dims[i] = i == 0   ? between(m, 1, 3)
                  : i == 1 ? (chance(m, 30) ? between(m, 1, 36) : 1 << pick(m, 5))
                           : between(m, 1, rank > 4 ? 6 : 12);
    if (!want->elements && chance(m, 4) && rank)
        dims[pick(m, rank)] = 0;
    if (m->made->n_inputs < GRAPH_MAX_INPUTS && is_float(type) == (type == m->type))
        return add_input(m, type, rank, dims);
    return floats(m, m->type, rank, dims, 1, 0.01);
}

/* A value of the graph, most often a late one. */
static int some(Maker *m, Want want) {
    int found[MAX_VALUES], count = 0;
    for (int i = 0; i < m->n_values; i++)
        if (fits(&m->values[i], &want) && (!m->values[i].is_constant || chance(m, 5)))
            found[count++] = i;
    if (!count || chance(m, 7))
        return new_input(m, &want);
    return chance(m, 60) ? found[count - 1 - pick(m, count < 3 ? count : 3)] : found[pick(m, count)];
}

static int some_float(Maker *m, int least, int most) {
    return some(m, (Want){.min_rank = least, .max_rank = most});
}

static int some_full(Maker *m, int least, int most) {
    return some(m, (Want){.min_rank = least, .max_rank = most, .elements = true});
}

static int some_any(Maker *m, int least, int most) {
    return some(m, (Want){.min_rank = least, .max_rank = most, .any_type = true});
}

/* --- windows --- */

typedef struct Windows {
    int spatial;
    int64_t kernel[3], strides[3], dilations[3], pads[6], out[3];
    int auto_pad; /* 0: none */
    bool ceil_mode;
} Windows;

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

static double weight_scale(int64_t terms) {
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
    begin(m, "Conv");
    use(m, x);
    use(m, weight);
    if (bias >= 0)
        use(m, bias);
    set_windows(m, w, true);
    set_int(m, "group", group);
    const int y = result(m, v.type, v.rank, out, false);
    end(m);
    m->made->has_product = true;
    return y;
}

/* Weights: now and then what nodes make of an input in each run, also with a convolution's layout. */
static int weights(Maker *m, int type, int rank, const int64_t *dims, double scale) {
    if (!chance(m, 8) || m->made->n_inputs == GRAPH_MAX_INPUTS)
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
    return same(m, "Tanh", made, false);
}

static int conv_of(Maker *m, int x, const Windows *w, int64_t out_channels, int64_t group) {
    const Made v = m->values[x];
    int64_t dims[RANK];
    const int64_t terms = weight_dims(&v, w, out_channels, group, dims);
    return conv_with(m, x, weights(m, v.type, v.rank, dims, weight_scale(terms)), w, out_channels, group);
}

static int put_conv(Maker *m) {
    const int x = some(m, (Want){.min_rank = 3, .max_rank = 5, .elements = !chance(m, 3)});
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

static int put_conv_transpose(Maker *m) {
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
    begin(m, "ConvTranspose");
    use(m, x);
    use(m, weight);
    if (bias >= 0)
        use(m, bias);
    set_windows(m, &w, true);
    set_ints(m, "output_padding", padding, w.spatial);
    set_int(m, "group", group);
    const int y = result(m, v.type, v.rank, out, false);
    end(m);
    m->made->has_product = true;
    return y;
}

static int reshape(Maker *m, int x, int rank, const int64_t *dims) {
    const int shape = ints(m, dims, rank);
    const Made v = m->values[x];
    begin(m, "Reshape");
    use(m, x);
    use(m, shape);
    const int y = result(m, v.type, rank, dims, v.exact);
    end(m);
    return y;
}

/* As trackers do it: a corner of the image slides over it, each channel of each image by itself. */
static int put_correlation(Maker *m) {
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
    begin(m, "Slice");
    for (int i = 0; i < 4; i++)
        use(m, inputs[i]);
    int kernel = result(m, v.type, 4, corner, v.exact);
    end(m);
    kernel = reshape(m, same(m, "Tanh", kernel, false), 4, filters);
    const int folded = reshape(m, x, 4, image);
    return conv_with(m, folded, kernel, &w, channels, channels);
}

static int put_pool(Maker *m) {
    static const char *const ops[] = {"MaxPool", "AveragePool", "LpPool"};
    const int kind = chance(m, 10) ? 2 : pick(m, 2),
              x = some(m, (Want){.min_rank = 3, .max_rank = 5, .elements = !chance(m, 3)});
    const Made v = m->values[x];
    const bool dilated = kind == 0 || (kind == 1 && m->opset >= 19);
    Windows w;
    if (!choose_windows(m, &v, &w, dilated, true))
        return x;
    int64_t out[RANK] = {v.dims[0], v.dims[1]};
    if (kind == 2 && w.ceil_mode && m->opset < 18)
        return x;
    memcpy(out + 2, w.out, sizeof w.out);
    begin(m, ops[kind]);
    use(m, x);
    set_windows(m, &w, dilated);
    if (kind == 1 && chance(m, 50))
        set_int(m, "count_include_pad", 1);
    const int y = result(m, v.type, v.rank, out, kind == 0 && v.exact);
    if (kind == 0 && chance(m, 10))
        result(m, ONNX_I64, v.rank, out, v.exact);
    end(m);
    return y;
}

static int put_global_pool(Maker *m) {
    const int x = some_full(m, 3, 5);
    Made v = m->values[x];
    const bool max = chance(m, 30);
    begin(m, max ? "GlobalMaxPool" : "GlobalAveragePool");
    use(m, x);
    for (int i = 2; i < v.rank; i++)
        v.dims[i] = 1;
    const int y = result(m, v.type, v.rank, v.dims, max && v.exact);
    end(m);
    return y;
}

/* --- products --- */

static int put_gemm(Maker *m) {
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
    begin(m, "Gemm");
    use(m, x);
    use(m, b);
    if (c >= 0)
        use(m, c);
    if (trans_a)
        set_int(m, "transA", 1);
    if (trans_b)
        set_int(m, "transB", 1);
    if (chance(m, 30))
        set_float(m, "alpha", 0.5f);
    if (chance(m, 30))
        set_float(m, "beta", chance(m, 30) ? 0.f : 1.5f);
    const int y = result(m, v.type, 2, (int64_t[]){rows, columns}, false);
    end(m);
    m->made->has_product = true;
    return y;
}

static int put_matmul(Maker *m) {
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
    begin(m, "MatMul");
    use(m, x);
    use(m, b);
    const int y = result(m, v->type, v->rank, out, false);
    end(m);
    m->made->has_product = true;
    return y;
}

/* --- elementwise --- */

static int put_unary(Maker *m) {
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
    const int x = some(m, (Want){.max_rank = 6, .exact = ops[which].needs_it});
    if (!strcmp(ops[which].op, "Celu") && m->values[x].type != ONNX_F32)
        return -1;
    return same(m, ops[which].op, x, ops[which].exact);
}

/* What is steep somewhere, behind what keeps away from there. */
static int put_steep(Maker *m) {
    const int x = some_float(m, 0, 6);
    switch (pick(m, 5)) {
    case 0:
        return same(m, "Exp", same(m, "Tanh", x, false), false);
    case 1:
        return same(m, "Log", tamed(m, x), false);
    case 2:
        return same(m, "Sqrt", tamed(m, x), false);
    case 3:
        return same(m, "Reciprocal", tamed(m, x), false);
    default: {
        const int power = floats(m, m->values[x].type, 0, NULL, 1, 1);
        const int base = tamed(m, x);
        begin(m, "Pow");
        use(m, base);
        use(m, power);
        return end_like(m, base, false);
    }
    }
}

static int put_clip(Maker *m) {
    const int x = some_float(m, 0, 6), type = m->values[x].type;
    const int low = chance(m, 80) ? floats(m, type, 0, NULL, 0.4, -0.6) : -1;
    const int high = chance(m, 80) ? floats(m, type, 0, NULL, 0.4, 0.6) : -1;
    begin(m, "Clip");
    use(m, x);
    use(m, low);
    if (high >= 0)
        use(m, high);
    return end_like(m, x, m->values[x].exact);
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
        if (w->type == v.type && !w->is_constant && broadcast(&v, w, &rank, dims)) {
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

static int pair_of(Maker *m, const char *op, int a, int b, bool exact) {
    int rank;
    int64_t dims[RANK] = {0};
    broadcast(&m->values[a], &m->values[b], &rank, dims);
    const bool swapped = chance(m, 30) && strcmp(op, "Div") != 0 && strcmp(op, "PRelu") != 0;
    begin(m, op);
    use(m, swapped ? b : a);
    use(m, swapped ? a : b);
    const int y = result(m, m->values[a].type, rank, dims, exact && m->values[a].exact && m->values[b].exact);
    end(m);
    return y;
}

static int put_binary(Maker *m) {
    static const char *const ops[] = {"Add", "Add", "Sub", "Mul", "Mul", "Max", "Min", "Sum", "Mean", "Div"};
    const int which = pick(m, 10), x = some_float(m, 0, 5);
    int y = partner(m, x);
    if (which == 9)
        y = tamed(m, y);
    return pair_of(m, ops[which], x, y, which == 5 || which == 6);
}

static int put_prelu(Maker *m) {
    const int x = some_float(m, 2, 5);
    const Made v = m->values[x];
    int64_t dims[RANK];
    for (int i = 1; i < v.rank; i++)
        dims[i - 1] = i == 1 ? v.dims[1] : 1;
    const int slope = chance(m, 70) ? floats(m, v.type, v.rank - 1, dims, 0.5, 0)
                                    : floats(m, v.type, 1, (int64_t[]){1}, 0.5, 0);
    return pair_of(m, "PRelu", x, slope, false);
}

static int put_comparison(Maker *m) {
    static const char *const ops[] = {"Greater", "Less", "Equal"};
    const int x = some(m, (Want){.max_rank = 5, .exact = true});
    const Made v = m->values[x];
    if (v.type == ONNX_F16 && m->opset < 13)
        return x;
    const int zero = floats(m, v.type, 0, NULL, 1, 0.001);
    begin(m, ops[pick(m, 3)]);
    use(m, x);
    use(m, zero);
    const int condition = result(m, ONNX_BOOL, v.rank, v.dims, true);
    end(m);
    if (chance(m, 50)) {
        const int other = floats(m, v.type, 0, NULL, 1, 0.5);
        begin(m, "Where");
        use(m, condition);
        use(m, x);
        use(m, other);
        return end_like(m, x, true);
    }
    begin(m, "Cast");
    use(m, condition);
    proto_int_attribute(&m->node, "to", m->type);
    const int y = result(m, m->type, v.rank, v.dims, true);
    end(m);
    return y;
}

static int put_cast(Maker *m) {
    static const int types[] = {ONNX_F32, ONNX_F64, ONNX_F16, ONNX_I32, ONNX_I64};
    const int x = some_any(m, 0, 5);
    const Made v = m->values[x];
    const int to = types[pick(m, v.exact && v.type != ONNX_BOOL ? 5 : 3)];
    begin(m, "Cast");
    use(m, x);
    proto_int_attribute(&m->node, "to", to);
    const int y = result(m, to, v.rank, v.dims, v.exact);
    end(m);
    return y;
}

static int put_identity(Maker *m) {
    const int x = some_any(m, 0, 6);
    const bool dropout = is_float(m->values[x].type) && chance(m, 50);
    const int ratio =
        dropout && m->opset >= 12 && chance(m, 30) ? floats(m, ONNX_F32, 0, NULL, 0.1, 0.5) : -1;
    begin(m, dropout ? "Dropout" : "Identity");
    use(m, x);
    if (ratio >= 0)
        use(m, ratio);
    const Made v = m->values[x];
    const int y = result(m, v.type, v.rank, v.dims, v.exact);
    if (dropout && chance(m, 25) && m->opset >= 10)
        result(m, ONNX_BOOL, v.rank, v.dims, true);
    end(m);
    return y;
}

/* --- movement --- */

static int put_transpose(Maker *m) {
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
    begin(m, "Transpose");
    use(m, x);
    set_ints(m, "perm", order, v.rank);
    const int y = result(m, v.type, v.rank, dims, v.exact);
    end(m);
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

static int put_reshape(Maker *m) {
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
    if (chance(m, 10) && m->made->n_inputs < GRAPH_MAX_INPUTS && rank) { /* known in a run alone */
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
    begin(m, "Reshape");
    use(m, x);
    use(m, shape);
    const int y = result(m, v.type, rank, dims, v.exact);
    end(m);
    return y;
}

static int put_flatten(Maker *m) {
    const int x = some_any(m, 1, 6);
    const Made v = m->values[x];
    const int axis = pick(m, v.rank + 1);
    int64_t dims[2] = {1, 1};
    for (int i = 0; i < v.rank; i++)
        dims[i >= axis] *= v.dims[i];
    begin(m, "Flatten");
    use(m, x);
    set_int(m, "axis", axis && axis < v.rank && chance(m, 20) && m->opset >= 11 ? axis - v.rank : axis);
    const int y = result(m, v.type, 2, dims, v.exact);
    end(m);
    return y;
}

static int put_squeeze(Maker *m) {
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
    begin(m, squeeze ? "Squeeze" : "Unsqueeze");
    use(m, x);
    if (axes >= 0)
        use(m, axes);
    else
        set_ints(m, "axes", &axis, 1);
    const int y = result(m, v.type, v.rank + (squeeze ? -1 : 1), dims, v.exact);
    end(m);
    return y;
}

static int put_concat(Maker *m) {
    const int x = some_any(m, 1, 5);
    const Made v = m->values[x];
    const int axis = v.rank > 1 && chance(m, 60) ? 1 : pick(m, v.rank);
    int parts[4] = {x}, count = 1;
    int64_t dims[RANK];
    bool exact = v.exact;
    memcpy(dims, v.dims, sizeof dims);
    for (int i = m->n_values - 1; i >= 0 && count < 4; i--) {
        const Made *w = &m->values[i];
        bool fitting = w->type == v.type && w->rank == v.rank && !w->is_constant && chance(m, 70);
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
    begin(m, "Concat");
    for (int i = 0; i < count; i++)
        use(m, parts[i]);
    set_int(m, "axis", chance(m, 20) ? axis - v.rank : axis);
    const int y = result(m, v.type, v.rank, dims, exact);
    end(m);
    return y;
}

static int put_split(Maker *m) {
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
    begin(m, "Split");
    use(m, x);
    if (lengths >= 0)
        use(m, lengths);
    else
        set_ints(m, "split", sizes, count);
    set_int(m, "axis", axis);
    memcpy(dims, v.dims, sizeof dims);
    int y = 0;
    for (int i = 0; i < count; i++) {
        dims[axis] = sizes[i];
        y = result(m, v.type, v.rank, dims, v.exact);
    }
    end(m);
    return y;
}

static int put_slice(Maker *m) {
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
    begin(m, "Slice");
    for (int i = 0; i < 5; i++)
        use(m, inputs[i]);
    const int y = result(m, v.type, v.rank, dims, v.exact);
    end(m);
    return y;
}

static int put_pad(Maker *m) {
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
    begin(m, "Pad");
    use(m, x);
    use(m, sizes);
    if (value >= 0)
        use(m, value);
    set_text(m, "mode", modes[mode]);
    const int y = result(m, v.type, v.rank, dims, v.exact);
    end(m);
    return y;
}

static int put_resize(Maker *m) {
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
    begin(m, "Resize");
    use(m, x);
    use(m, -1);
    use(m, by_size ? -1 : given);
    if (by_size)
        use(m, given);
    set_text(m, "mode", modes[mode]);
    set_text(m, "coordinate_transformation_mode", places[pick(m, 4)]);
    if (mode == 0 && chance(m, 50))
        set_text(m, "nearest_mode", chance(m, 50) ? "floor" : "ceil");
    m->made->has_product |= mode != 0;
    const int y = result(m, v.type, v.rank, sizes, false);
    end(m);
    return y;
}

static int put_expand(Maker *m) {
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
    begin(m, tile ? "Tile" : "Expand");
    use(m, x);
    use(m, shape);
    const int y = result(m, v.type, v.rank, dims, v.exact);
    end(m);
    return y;
}

static int put_gather(Maker *m) {
    const int x = some(m, (Want){.min_rank = 1, .max_rank = 5, .any_type = true, .elements = true});
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
    begin(m, "Gather");
    use(m, x);
    use(m, at);
    set_int(m, "axis", axis);
    const int y = result(m, v.type, v.rank - scalar, dims, v.exact);
    end(m);
    return y;
}

static int put_depth_space(Maker *m) {
    const int x = some_full(m, 4, 4);
    Made v = m->values[x];
    const bool to_space = v.dims[1] % 4 == 0;
    if (!to_space && (v.dims[2] % 2 || v.dims[3] % 2))
        return x;
    begin(m, to_space ? "DepthToSpace" : "SpaceToDepth");
    use(m, x);
    set_int(m, "blocksize", 2);
    if (to_space && chance(m, 50) && m->opset >= 11)
        set_text(m, "mode", "CRD");
    v.dims[1] = to_space ? v.dims[1] / 4 : v.dims[1] * 4;
    for (int i = 2; i < 4; i++)
        v.dims[i] = to_space ? v.dims[i] * 2 : v.dims[i] / 2;
    const int y = result(m, v.type, 4, v.dims, v.exact);
    end(m);
    return y;
}

/* Groups of channels dealt out anew: Reshape, Transpose, Reshape. */
static int put_shuffle(Maker *m) {
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
    begin(m, "Reshape");
    use(m, x);
    use(m, first);
    const int a = result(m, v.type, 5, cut_dims, v.exact);
    end(m);
    begin(m, "Transpose");
    use(m, a);
    set_ints(m, "perm", order, 5);
    const int b = result(m, v.type, 5, dealt, v.exact);
    end(m);
    begin(m, "Reshape");
    use(m, b);
    use(m, last);
    const int y = result(m, v.type, 4, v.dims, v.exact);
    end(m);
    return y;
}

/* --- reductions and norms --- */

static int put_reduce(Maker *m) {
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
    begin(m, ops[which]);
    use(m, x);
    if (given >= 0)
        use(m, given);
    else if (!all)
        set_ints(m, "axes", axes, count);
    if (!keep)
        set_int(m, "keepdims", 0);
    const int y = result(m, v.type, rank, dims, (which == 2 || which == 3) && v.exact);
    end(m);
    return y;
}

static int put_softmax(Maker *m) {
    const int x = some_full(m, m->opset < 13 ? 2 : 1, 5);
    begin(m, chance(m, 70) ? "Softmax" : "LogSoftmax");
    use(m, x);
    if (chance(m, 70)) {
        const int axis = pick(m, m->values[x].rank);
        set_int(m, "axis", chance(m, 40) ? axis - m->values[x].rank : axis);
    }
    return end_like(m, x, false);
}

static int put_arg_max(Maker *m) {
    const int x = some(m, (Want){.min_rank = 1, .max_rank = 5, .exact = true, .elements = true});
    Made v = m->values[x];
    const int axis = pick(m, v.rank);
    const bool top = chance(m, 50);
    const int64_t k = between(m, 1, v.dims[axis]);
    const int count = top ? ints(m, &k, 1) : -1;
    begin(m, top ? "TopK" : chance(m, 50) ? "ArgMax" : "ArgMin");
    use(m, x);
    if (top)
        use(m, count);
    set_int(m, "axis", axis);
    v.dims[axis] = top ? k : 1;
    const int y = result(m, top ? v.type : ONNX_I64, v.rank, v.dims, true);
    if (top)
        result(m, ONNX_I64, v.rank, v.dims, true);
    end(m);
    return y;
}

static int put_cumsum(Maker *m) {
    const int x = some_full(m, 1, 4);
    const int axis = scalar_int(m, pick(m, m->values[x].rank));
    if (m->values[x].type == ONNX_F16 && m->opset < 14)
        return x;
    begin(m, "CumSum");
    use(m, x);
    use(m, axis);
    if (chance(m, 30))
        set_int(m, "exclusive", 1);
    if (chance(m, 30))
        set_int(m, "reverse", 1);
    return end_like(m, x, false);
}

static int batch_norm_of(Maker *m, int x) {
    const Made v = m->values[x];
    const int64_t *channels = &v.dims[1];
    const int inputs[] = {x, floats(m, v.type, 1, channels, 1, 0), floats(m, v.type, 1, channels, 1, 0),
                          floats(m, v.type, 1, channels, 1, 0), floats(m, v.type, 1, channels, 0.4, 1)};
    begin(m, "BatchNormalization");
    for (int i = 0; i < 5; i++)
        use(m, inputs[i]);
    if (chance(m, 30))
        set_float(m, "epsilon", 0.01f);
    return end_like(m, x, false);
}

static int put_norm(Maker *m) {
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
        begin(m, "LayerNormalization");
        use(m, x);
        use(m, scale);
        if (bias >= 0)
            use(m, bias);
        set_int(m, "axis", chance(m, 50) ? axis - v.rank : axis);
        set_float(m, "epsilon", 0.1f);
        return end_like(m, x, false);
    }
    if (kind == 3 && v.rank == 4) {
        begin(m, "LRN");
        use(m, x);
        set_int(m, "size", 1 + 2 * pick(m, 3));
        return end_like(m, x, false);
    }
    const int64_t groups = kind == 4 && m->opset >= 21 && v.dims[1] % 2 == 0 ? 2 : 0;
    const int scale = floats(m, v.type, 1, &v.dims[1], 1, 0), bias = floats(m, v.type, 1, &v.dims[1], 1, 0);
    begin(m, groups ? "GroupNormalization" : "InstanceNormalization");
    use(m, x);
    use(m, scale);
    use(m, bias);
    if (groups)
        set_int(m, "num_groups", groups);
    set_float(m, "epsilon", 0.1f);
    return end_like(m, x, false);
}

/* --- arithmetic on shapes --- */

static int shape_of(Maker *m, int x) {
    begin(m, "Shape");
    use(m, x);
    const int y = result(m, ONNX_I64, 1, (int64_t[]){m->values[x].rank}, true);
    end(m);
    return y;
}

static int put_shape_arithmetic(Maker *m) {
    const int x = some(m, (Want){.min_rank = 2, .max_rank = 5, .any_type = true, .elements = true});
    const Made v = m->values[x];
    const int shape = shape_of(m, x);
    if (chance(m, 30)) { /* a tensor of that shape */
        begin(m, "ConstantOfShape");
        use(m, shape);
        const int y = result(m, ONNX_F32, v.rank, v.dims, true);
        end(m);
        return y;
    }
    /* x flattened: [its first dimension, the rest] */
    const int zero = ints(m, (int64_t[]){0}, 1), rest = ints(m, (int64_t[]){-1}, 1);
    begin(m, "Gather");
    use(m, shape);
    use(m, zero);
    const int batch = result(m, ONNX_I64, 1, (int64_t[]){1}, true);
    end(m);
    begin(m, "Concat");
    use(m, batch);
    use(m, rest);
    set_int(m, "axis", 0);
    const int wanted = result(m, ONNX_I64, 1, (int64_t[]){2}, true);
    end(m);
    begin(m, "Reshape");
    use(m, x);
    use(m, wanted);
    const int y =
        result(m, v.type, 2, (int64_t[]){v.dims[0], v.dims[0] ? count_elements(&v) / v.dims[0] : 0}, v.exact);
    end(m);
    return y;
}

/* A graph of one node that reads a value of the graph around it, as an attribute of the node that is being
 * made. */
static void put_branch(Maker *m, const char *attribute, const char *op, int x) {
    Proto graph = {0}, node = {0}, output = {0}, attr = {0};
    put_name(&node, 1, x);
    proto_text(&node, 2, "inner");
    proto_text(&node, 4, op);
    proto_message(&graph, 1, &node);
    proto_text(&graph, 2, attribute);
    proto_text(&output, 1, "inner");
    proto_message(&graph, 12, &output);
    proto_text(&attr, 1, attribute);
    proto_message(&attr, 6, &graph);
    proto_int(&attr, 20, 5);
    proto_message(&m->node, 5, &attr);
}

/* By the size of a dimension, which may be known while the model is loaded, or not. */
static int put_if(Maker *m) {
    const int x = some_float(m, 1, 5);
    const int axis = pick(m, m->values[x].rank), size = (int)m->values[x].dims[axis];
    const int shape = shape_of(m, x), at = scalar_int(m, axis), wanted = scalar_int(m, size + pick(m, 2));
    begin(m, "Gather");
    use(m, shape);
    use(m, at);
    const int dim = result(m, ONNX_I64, 0, NULL, true);
    end(m);
    begin(m, "Equal");
    use(m, dim);
    use(m, wanted);
    const int condition = result(m, ONNX_BOOL, 0, NULL, true);
    end(m);
    begin(m, "If");
    use(m, condition);
    m->values[x].used = true;
    put_branch(m, "then_branch", "Relu", x);
    put_branch(m, "else_branch", "Neg", x);
    return end_like(m, x, m->values[x].exact);
}

static int put_integers(Maker *m) {
    static const char *const ops[] = {"Add", "Sub", "Max", "Min"};
    const int x = some_any(m, 0, 4);
    const Made v = m->values[x];
    if (v.type != ONNX_I64)
        return x;
    const int other = scalar_int(m, between(m, -3, 3));
    begin(m, ops[pick(m, m->opset >= 12 ? 4 : 2)]);
    use(m, x);
    use(m, other);
    return end_like(m, x, true);
}

/* --- pieces of networks --- */

static int activation(Maker *m, int x) {
    static const char *const ops[] = {"Relu", "LeakyRelu", "Sigmoid", "Tanh", "HardSigmoid", "Elu"};
    switch (pick(m, 10)) {
    case 0:
        return x;
    case 1:
        return pair_of(m, "Mul", x, same(m, "Sigmoid", x, false), false);
    case 2:
        return pair_of(m, "Mul", x, same(m, "HardSigmoid", x, false), false);
    case 3:
        return pair_of(m, "Mul", x, same(m, "Tanh", same(m, "Softplus", x, false), false), false);
    default:
        return same(m, ops[pick(m, 6)], x, false);
    }
}

static int put_residual(Maker *m) {
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
    const int skip = chance(m, 20) ? same(m, "Identity", x, true) : x;
    y = pair_of(m, "Add", y, skip, false);
    return activation(m, y);
}

static int put_gate(Maker *m) {
    const int x = some_full(m, 4, 4);
    const Made v = m->values[x];
    begin(m, "GlobalAveragePool");
    use(m, x);
    int y = result(m, v.type, 4, (int64_t[]){v.dims[0], v.dims[1], 1, 1}, false);
    end(m);
    const Windows w = {.spatial = 2, .kernel = {1, 1}, .strides = {1, 1}, .dilations = {1, 1}, .out = {1, 1}};
    y = activation(m, conv_of(m, y, &w, 1 + v.dims[1] / 2, 1));
    y = same(m, "Sigmoid", conv_of(m, y, &w, v.dims[1], 1), false);
    return pair_of(m, "Mul", x, y, false);
}

/* --- the whole --- */

typedef int MakeFn(Maker *m);

static void put_something(Maker *m) {
    static MakeFn *const kinds[] = {put_conv,
                                    put_conv,
                                    put_conv,
                                    put_residual,
                                    put_gate,
                                    put_conv_transpose,
                                    put_correlation,
                                    put_pool,
                                    put_pool,
                                    put_global_pool,
                                    put_gemm,
                                    put_matmul,
                                    put_unary,
                                    put_unary,
                                    put_unary,
                                    put_steep,
                                    put_clip,
                                    put_binary,
                                    put_binary,
                                    put_binary,
                                    put_prelu,
                                    put_comparison,
                                    put_cast,
                                    put_identity,
                                    put_identity,
                                    put_transpose,
                                    put_transpose,
                                    put_reshape,
                                    put_flatten,
                                    put_squeeze,
                                    put_concat,
                                    put_concat,
                                    put_split,
                                    put_slice,
                                    put_pad,
                                    put_resize,
                                    put_expand,
                                    put_gather,
                                    put_depth_space,
                                    put_shuffle,
                                    put_reduce,
                                    put_softmax,
                                    put_arg_max,
                                    put_cumsum,
                                    put_norm,
                                    put_norm,
                                    put_shape_arithmetic,
                                    put_integers,
                                    put_if};
    kinds[pick(m, sizeof kinds / sizeof *kinds)](m);
}

static void put_outputs(Maker *m) {
    const bool all = chance(m, 10);
    for (int i = 0; i < m->n_values; i++) {
        const Made *v = &m->values[i];
        if (v->is_constant || (v->used && !all && !chance(m, 8)))
            continue;
        if (v->is_input && !chance(m, 10))
            continue;
        bool open[RANK] = {0};
        const bool with_shape = chance(m, 50);
        for (int d = 0; d < v->rank; d++)
            open[d] = true;
        put_value_info(m, 12, i, open, with_shape);
        m->made->n_outputs++;
    }
}

MadeGraph make_graph(Choices *choices, bool wild) {
    static const int opsets[] = {11, 12, 13, 14, 17, 18, 19, 20, 21, 22, 24};
    static const int types[] = {ONNX_F32, ONNX_F32, ONNX_F32, ONNX_F32, ONNX_F32, ONNX_F32,
                                ONNX_F32, ONNX_F32, ONNX_F32, ONNX_F32, ONNX_F32, ONNX_F32,
                                ONNX_F32, ONNX_F64, ONNX_F16, ONNX_F64};
    MadeGraph made = {0};
    Maker maker = {.choices = choices, .wild = wild, .made = &made}, *m = &maker;
    m->opset = opsets[pick(m, sizeof opsets / sizeof *opsets)];
    m->type = types[pick(m, 16)];
    if (m->opset == 11 && m->type != ONNX_F32)
        m->opset = 13;
    new_input(m, &(Want){.min_rank = 3, .max_rank = chance(m, 80) ? 4 : 5, .elements = chance(m, 95)});
    const int count = 1 + pick(m, chance(m, 20) ? 16 : 7);
    for (int i = 0; i < count && m->n_values < MAX_VALUES - 30; i++)
        put_something(m);
    if (!m->n_nodes) /* all that was drawn wanted other values */
        same(m, "Identity", 0, true);
    proto_text(&m->graph, 2, "random");
    put_outputs(m);
    Proto opset = {0};
    proto_int(&opset, 2, m->opset);
    proto_int(&made.model, 1, 8);
    proto_message(&made.model, 7, &m->graph);
    proto_message(&made.model, 8, &opset);
    return made;
}
