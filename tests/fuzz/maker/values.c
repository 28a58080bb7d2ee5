/* SPDX-License-Identifier: Apache-2.0 */
/* Choices, values, and which of them a node gets. */
#include "fuzz/maker/maker.h"

#include "base/size.h"
#include "base/wrap.h"

#include <stdio.h>
#include <string.h>

WRAPS_AROUND uint64_t choose(Choices *choices, uint64_t below) {
    uint64_t number = 0;
    if (choices->bytes) {
        for (uint64_t rest = below - 1; rest && choices->left; rest >>= 8) {
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

int pick(Maker *m, int below) {
    return (int)choose(m->choices, (uint64_t)below);
}

bool chance(Maker *m, int percent) {
    return pick(m, 100) < percent;
}

int64_t between(Maker *m, int64_t first, int64_t last) {
    return first + (int64_t)choose(m->choices, (uint64_t)(last - first + 1));
}

int64_t right_or_wild(Maker *m, int64_t right) {
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

int64_t count_elements(const Made *v) {
    int64_t count = 1;
    for (int i = 0; i < v->rank; i++)
        count *= v->dims[i];
    return count;
}

bool is_float(int type) {
    return type == ONNX_F32 || type == ONNX_F64 || type == ONNX_F16;
}

/* --- values --- */

int add_value(Maker *m, int type, int rank, const int64_t *dims, bool exact) {
    Made *v = &m->values[m->n_values];
    *v = (Made){.type = type, .rank = rank, .exact = exact};
    for (int i = 0; i < rank; i++)
        v->dims[i] = dims[i];
    if (type == ONNX_F16)
        m->made->is_coarse = true;
    return m->n_values++;
}

void put_value_name(Proto *proto, int field, int value) {
    char name[24];
    snprintf(name, sizeof name, "v%d", value);
    proto_text(proto, field, name);
}

/* Symbols are few, so that different sizes get the same one. */
void put_value_info(Maker *m, int field, int value, const bool *open, bool with_shape) {
    const Made *v = &m->values[value];
    Proto info = {0}, type = {0}, tensor = {0}, shape = {0};
    for (int i = 0; i < v->rank; i++) {
        Proto dim = {0};
        if (open && open[i]) {
            const char symbol[] = {"NHWs"[pick(m, 4)], '\0'};
            if (!chance(m, 25))
                proto_text(&dim, 2, symbol);
        } else {
            proto_int(&dim, 1, right_or_wild(m, v->dims[i]));
        }
        proto_message(&shape, 1, &dim);
    }
    proto_int(&tensor, 1, v->type);
    if (with_shape)
        proto_message(&tensor, 2, &shape);
    else
        proto_free(&shape);
    proto_message(&type, 1, &tensor);
    put_value_name(&info, 1, value);
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

int add_tensor(Maker *m, int type, int rank, const int64_t *dims, Proto *data) {
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
        put_value_name(&node, 2, value);
        proto_text(&node, 4, "Constant");
        proto_text(&attribute, 1, "value");
        proto_message(&attribute, 5, &tensor);
        proto_int(&attribute, 20, 4);
        proto_message(&node, 5, &attribute);
        proto_message(&m->graph, 1, &node);
    } else {
        put_value_name(&tensor, 8, value);
        proto_message(&m->graph, 5, &tensor);
    }
    return value;
}

bool may_add_input(const Maker *m) {
    return !m->depth && m->made->n_inputs < GRAPH_MAX_INPUTS;
}

int add_input(Maker *m, int type, int rank, const int64_t *dims) {
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

int floats(Maker *m, int type, int rank, const int64_t *dims, double scale, double base) {
    Made shape = {.rank = rank};
    for (int i = 0; i < rank; i++)
        shape.dims[i] = dims[i];
    const int64_t count = count_elements(&shape);
    if (base == 0 && chance(m, 15) && may_add_input(m))
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

int ints(Maker *m, const int64_t *values, int count) {
    Proto data = {0};
    for (int i = 0; i < count; i++) {
        const int64_t value = right_or_wild(m, values[i]);
        proto_put(&data, &value, sizeof value);
    }
    return add_tensor(m, ONNX_I64, 1, (int64_t[]){count}, &data);
}

int scalar_int(Maker *m, int64_t value) {
    Proto data = {0};
    value = right_or_wild(m, value);
    proto_put(&data, &value, sizeof value);
    return add_tensor(m, ONNX_I64, 0, NULL, &data);
}

/* --- which value --- */

static bool fits(const Made *v, const Want *want) {
    if (v->is_hidden || v->rank < want->min_rank || v->rank > want->max_rank || (want->exact && !v->exact) ||
        (!want->any_type && !is_float(v->type)))
        return false;
    return !want->elements || count_elements(v) > 0;
}

int new_input(Maker *m, const Want *want) {
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
    if (may_add_input(m) && is_float(type) == (type == m->type))
        return add_input(m, type, rank, dims);
    return floats(m, m->type, rank, dims, 1, 0.01);
}

int some_value(Maker *m, Want want) {
    int found[MAX_VALUES], count = 0;
    for (int i = 0; i < m->n_values; i++)
        if (fits(&m->values[i], &want) && (!m->values[i].is_constant || chance(m, 5)))
            found[count++] = i;
    if (!count || chance(m, 7))
        return new_input(m, &want);
    return chance(m, 60) ? found[count - 1 - pick(m, count < 3 ? count : 3)] : found[pick(m, count)];
}

int some_float(Maker *m, int min_rank, int max_rank) {
    return some_value(m, (Want){.min_rank = min_rank, .max_rank = max_rank});
}

int some_full(Maker *m, int min_rank, int max_rank) {
    return some_value(m, (Want){.min_rank = min_rank, .max_rank = max_rank, .elements = true});
}

int some_any(Maker *m, int min_rank, int max_rank) {
    return some_value(m, (Want){.min_rank = min_rank, .max_rank = max_rank, .any_type = true});
}
