/* SPDX-License-Identifier: Apache-2.0 */
#include "base/size.h"
#include "ops/cpu/rotary_embedding.h"
#include "ops/cpu/simd.h"

/* Pairs that lie `half` apart. */
static void turn_halves(const float *x, float *y, const float *cos, const float *sin, int64_t half) {
    for (int64_t i = 0; i < half; i += VW) {
        const int64_t lanes = i64_min(half - i, VW);
        const vf a = v_load_first(x + i, lanes, 0), b = v_load_first(x + half + i, lanes, 0),
                 c = v_load_first(cos + i, lanes, 0), s = v_load_first(sin + i, lanes, 0);
        v_store_first(y + i, a * c - b * s, lanes);
        v_store_first(y + half + i, a * s + b * c, lanes);
    }
}

/* Pairs of neighbours: a vector has half as many cosines as lanes. */
static void turn_neighbours(const float *x, float *y, const float *cos, const float *sin, int64_t half) {
    const vi twice = v_lanes() >> 1, is_second = -(v_lanes() & 1);
    for (int64_t i = 0; i < half; i += VW / 2) {
        const int64_t pairs = i64_min(half - i, VW / 2);
        const vf pair = v_load_first(x + 2 * i, 2 * pairs, 0),
                 c = v_permute(v_load_first(cos + i, pairs, 0), twice),
                 s = v_permute(v_load_first(sin + i, pairs, 0), twice);
        v_store_first(y + 2 * i, pair * c + v_exchange(pair, 1) * v_select(is_second, s, -s), 2 * pairs);
    }
}

static void turn_row(const RotaryArgs *args, const float *x, float *y, const float *cos, const float *sin) {
    const RotaryGeometry *g = &args->g;
    for (int64_t head = 0; head < g->heads; head++, x += g->head_step, y += g->head_step) {
        if (args->interleaved)
            turn_neighbours(x, y, cos, sin, g->half);
        else
            turn_halves(x, y, cos, sin, g->half);
        if (x != y)
            memcpy(y + 2 * g->half, x + 2 * g->half, (size_t)(g->head_size - 2 * g->half) * sizeof *x);
    }
}

static void run(const KernelCall *call, int64_t task) {
    const RotaryArgs *args = call->args;
    const RotaryGeometry *g = &args->g;
    const int64_t *positions = args->has_positions ? call->inputs[ROTARY_POSITIONS] : NULL;
    const int64_t end = i64_min((task + 1) * args->rows_a_task, args->rows);
    for (int64_t row = task * args->rows_a_task; row < end; row++) {
        const int64_t at = row / g->rows * g->heads * g->rows * g->head_size + row % g->rows * g->row_step;
        const int64_t angle = (positions ? positions[row] : row) * g->half;
        turn_row(args, (const float *)call->inputs[ROTARY_X] + at, (float *)call->outputs[0] + at,
                 (const float *)call->inputs[ROTARY_COS] + angle,
                 (const float *)call->inputs[ROTARY_SIN] + angle);
    }
}

const RotaryTable TARGET(rotary_embedding) = {.run = run};
