/* SPDX-License-Identifier: Apache-2.0 */
/* Recurrent layers: the steps of some rows of a batch.  A register tile is the sums of some rows for a vector
 * of units, all gates of a product; they become gates at once
 * (rnn_cells_simd.h). */
#include "ops/cpu/rnn_cells_simd.h"

/* --- the first phase --- */

static float *parameters_of(const KernelCall *call, int64_t direction) {
    const RnnArgs *args = call->args;
    return (float *)call->workspace + args->parameters_at +
           direction * PARAMETER_ROWS * args->g.gates * args->padded;
}

static float *varying_panels(const KernelCall *call, int64_t direction) {
    const RnnArgs *args = call->args;
    return (float *)call->workspace + args->panels_at + direction * args->panel_floats;
}

/* B and P as [vector of units][row][gate][vector]. */
static void pack_parameters(const KernelCall *call, int64_t direction) {
    const RnnArgs *args = call->args;
    const RecurrentGeometry *g = &args->g;
    const bool resets_after = g->gates == 3 && args->attrs.resets_after;
    const float *b = input_at(call, RECURRENT_B), *p = input_at(call, RECURRENT_PEEPHOLES);
    b = b ? b + direction * 2 * g->gates * g->hidden : NULL;
    p = p ? p + direction * 3 * g->hidden : NULL;
    float *to = parameters_of(call, direction);
    for (int64_t unit = 0; unit < g->hidden; unit += VW)
        for (int row = 0; row < PARAMETER_ROWS; row++)
            for (int64_t gate = 0; gate < g->gates; gate++, to += VW) {
                const int64_t at = gate * g->hidden + unit, count = g->hidden - unit;
                const bool apart = resets_after && gate == 2;
                vf value = v_zero();
                if (row == SUM_START && b)
                    value = load_count(b + g->gates * g->hidden + at, count) +
                            (apart ? v_zero() : load_count(b + at, count));
                if (row == EXTRA && apart && b)
                    value = load_count(b + at, count);
                if (row == EXTRA && p && gate < 3)
                    value = load_count(p + at, count);
                v_store(to, value);
            }
}

static float *projected_of(const KernelCall *call, int64_t direction) {
    const RecurrentGeometry *g = &((const RnnArgs *)call->args)->g;
    return (float *)call->workspace + direction * g->steps * g->batch * g->gates * g->hidden;
}

static const float zeros[RNN_MAX_GATES * VW];

static const float *scales_at(const RnnArgs *args, const float *scales, int64_t direction, int64_t chunk) {
    return scales + (direction * args->chunks + chunk) * args->g.gates * VW;
}

/* What sums of whole numbers stand for, added to where they start. */
static void scale_sums(TileSums sums, int64_t rows, const float *start, const float *scales, float scale,
                       const RnnProduct *product) {
    for (int64_t r = 0; r < rows; r++)
        for (int gate = 0; gate < product->gates; gate++)
            v_store(sums[r][gate], v_load(start + gate * VW) +
                                       v_load(sums[r][gate]) * (v_load(scales + gate * VW) * v_set(scale)));
}

/* Steps that some row of the batch takes. */
static int64_t steps_taken(const KernelCall *call) {
    const RecurrentGeometry *g = &((const RnnArgs *)call->args)->g;
    const int32_t *lengths = input_at(call, RECURRENT_LENGTHS);
    int64_t steps = lengths ? 0 : g->steps;
    for (int64_t row = 0; lengths && row < g->batch; row++)
        steps = steps < lengths[row] ? lengths[row] : steps;
    return steps;
}

/* Of x, whose steps come first where it is quantised. */
static Quantisation quantisation_of_x(const KernelCall *call) {
    const RecurrentGeometry *g = &((const RnnArgs *)call->args)->g;
    Range range = {v_zero(), v_zero()};
    widen(&range, call->inputs[RECURRENT_X], steps_taken(call) * g->batch * g->inputs);
    return quantisation_of(&range);
}

/* Of a register tile of rows, some vectors of units; x_scale is what quantised rows are scaled by. */
static void project_rows(const KernelCall *call, int64_t direction, int64_t task, const float *x,
                         float x_scale, int64_t row, int64_t count) {
    const RnnArgs *args = call->args;
    const RecurrentGeometry *g = &args->g;
    const float *panels = args->w_panels + direction * args->w_panel_floats;
    for (int64_t chunk = args->chunks * task / args->project_tasks;
         chunk < args->chunks * (task + 1) / args->project_tasks; chunk++) {
        TileSums sums;
        sum_rows(panels + panel_at(&args->projection, chunk), x, g->inputs, &args->projection, zeros, sums,
                 count);
        if (args->quantises)
            scale_sums(sums, count, zeros, scales_at(args, args->w_scales, direction, chunk), x_scale,
                       &args->projection);
        float *to = projected_of(call, direction) + row * g->gates * g->hidden + chunk * VW;
        for (int64_t r = 0; r < count; r++)
            for (int64_t gate = 0; gate < g->gates; gate++)
                store_count(to + (r * g->gates + gate) * g->hidden, v_load(sums[r][gate]),
                            g->hidden - chunk * VW);
    }
}

static void project(const KernelCall *call, int64_t direction, int64_t task) {
    const RnnArgs *args = call->args;
    const int64_t rows = args->g.steps * args->g.batch, inputs = args->g.inputs;
    Quantisation quantisation = {0};
    if (args->quantises)
        quantisation = quantisation_of_x(call);
    for (int64_t row = 0, count; row < rows; row += count) {
        const float *x = (const float *)call->inputs[RECURRENT_X] + row * inputs;
        count = rows - row < TILE_ROWS ? rows - row : TILE_ROWS;
        if (args->quantises) {
            quantise(quantisation, x, call->scratch, count * inputs);
            x = call->scratch;
        }
        project_rows(call, direction, task, x, quantisation.scale, row, count);
    }
}

static void prologue(const KernelCall *call, int64_t task) {
    const RnnArgs *args = call->args;
    const int64_t direction = task % args->g.directions;
    task /= args->g.directions;
    if (task < args->project_tasks) {
        if (args->w_panels) {
            project(call, direction, task);
            return;
        }
        const KernelCall product = {.inputs = call->inputs,
                                    .outputs = (void *const[]){projected_of(call, direction)},
                                    .scratch = call->scratch,
                                    .args = &args->projections[direction]};
        args->project(&product, task);
        return;
    }
    task -= args->project_tasks;
    if (task == 0) {
        pack_parameters(call, direction);
        return;
    }
    const float *r = call->inputs[RECURRENT_R];
    pack(args, &args->products[(task - 1) / args->chunks],
         r + direction * args->g.gates * args->g.hidden * args->g.hidden, (task - 1) % args->chunks,
         varying_panels(call, direction));
}

/* --- a task: some rows of a direction --- */

/* One product of `operand` and R, for all units, and what follows of it.  Every other step goes backwards, as
 * what was read last of R is in the cache still, where that does not hold all. */
static void multiply(const Walk *walk, int product, const float *operand, Finish *finish) {
    const RnnArgs *args = walk->args;
    const RnnProduct *p = &args->products[product];
    const int64_t tiles_of_rows = (walk->rows + TILE_ROWS - 1) / TILE_ROWS;
    for (int64_t i = 0; i < args->chunks; i++) {
        const int64_t chunk = walk->step % 2 ? args->chunks - 1 - i : i;
        const float *panel = walk->panels + panel_at(p, chunk);
        const float *start =
            walk->parameters + ((chunk * PARAMETER_ROWS + SUM_START) * args->g.gates + p->first) * VW;
        for (int64_t tile = 0; tile < tiles_of_rows; tile++) {
            const int64_t begin = tile * walk->rows / tiles_of_rows,
                          end = (tile + 1) * walk->rows / tiles_of_rows;
            TileSums sums;
            sum_rows(panel, operand + begin * args->padded, args->padded, p, args->quantises ? zeros : start,
                     sums, end - begin);
            if (args->quantises)
                scale_sums(sums, end - begin, start, scales_at(args, args->r_scales, walk->direction, chunk),
                           walk->h_scale, p);
            for (int64_t row = begin; row < end; row++) {
                Place place;
                if (find_place(walk, row, chunk * VW, &place))
                    finish(walk, &place, sums[row - begin]);
            }
        }
    }
}

/* The states that a row begins with, and ends with where it has no step. */
static void begin_row(const Walk *walk, int64_t row) {
    const RnnArgs *args = walk->args;
    const RecurrentGeometry *g = &args->g;
    const int64_t at = walk->direction * g->state_direction + (walk->first_row + row) * g->state_row;
    const float *h = input_at(walk->call, RECURRENT_H), *c = input_at(walk->call, RECURRENT_C);
    for (int64_t unit = 0; unit < g->hidden; unit += VW) {
        const int64_t lanes = g->hidden - unit, state = row * args->padded + unit;
        v_store(walk->h + state, h ? load_count(h + at + unit, lanes) : v_zero());
        v_store(walk->c + state, c ? load_count(c + at + unit, lanes) : v_zero());
        v_store(walk->reset + state, v_zero());
        for (int port = RECURRENT_Y_H; length_of(walk, row) == 0 && port <= RECURRENT_Y_C; port++) {
            float *output = output_at(walk->call, port, at + unit);
            if (output)
                store_count(output, v_zero(), lanes);
        }
    }
}

static Walk begin(const KernelCall *call, int64_t task) {
    const RnnArgs *args = call->args;
    const int64_t direction = task % args->g.directions, part = task / args->g.directions;
    const int64_t first_row = part * args->rows_a_task, rest = args->g.batch - first_row,
                  floats = args->rows_a_task * args->padded;
    float *state = call->scratch;
    const Walk walk = {.args = args,
                       .call = call,
                       .projected = projected_of(call, direction),
                       .parameters = parameters_of(call, direction),
                       .panels = args->panels ? args->panels + direction * args->panel_floats
                                              : varying_panels(call, direction),
                       .direction = direction,
                       .first_row = first_row,
                       .rows = rest < args->rows_a_task ? rest : args->rows_a_task,
                       .h = state,
                       .next = state + floats,
                       .c = state + 2 * floats,
                       .reset = state + 3 * floats};
    for (int64_t row = 0; row < walk.rows; row++)
        begin_row(&walk, row);
    return walk;
}

/* Whether there is a step; that after the last one is not begun. */
static bool next_step(Walk *walk) {
    float *before = walk->h;
    walk->h = walk->next;
    walk->next = before;
    return ++walk->step < walk->args->g.steps;
}

/* What products take for h. */
static const float *quantised_h(Walk *walk) {
    const int64_t padded = walk->args->padded, hidden = walk->args->g.hidden;
    Range range = {v_zero(), v_zero()};
    for (int64_t row = 0; row < walk->rows; row++)
        widen(&range, walk->h + row * padded, hidden);
    const Quantisation quantisation = quantisation_of(&range);
    walk->h_scale = quantisation.scale;
    for (int64_t row = 0; row < walk->rows; row++)
        quantise(quantisation, walk->h + row * padded, walk->reset + row * padded, hidden);
    return walk->reset;
}

static void lstm(const KernelCall *call, int64_t task) {
    Walk walk = begin(call, task);
    do
        multiply(&walk, 0, walk.args->quantises ? quantised_h(&walk) : walk.h,
                 CHOOSE(finish_lstm, walk.args));
    while (next_step(&walk));
}

static void rnn(const KernelCall *call, int64_t task) {
    Walk walk = begin(call, task);
    do
        multiply(&walk, 0, walk.h, CHOOSE(finish_rnn, walk.args));
    while (next_step(&walk));
}

static void gru(const KernelCall *call, int64_t task) {
    Walk walk = begin(call, task);
    do {
        if (walk.args->attrs.resets_after) {
            multiply(&walk, 0, walk.h, CHOOSE(finish_gru_after, walk.args));
            continue;
        }
        multiply(&walk, 0, walk.h, CHOOSE(gates_of_gru, walk.args));
        multiply(&walk, 1, walk.reset, CHOOSE(finish_gru_before, walk.args));
    } while (next_step(&walk));
}

const RnnTable TARGET(rnn) = {.rows = TILE_ROWS,
                              .parameter_rows = PARAMETER_ROWS,
                              .pack = pack,
                              .prologue = prologue,
                              .lstm = lstm,
                              .gru = gru,
                              .rnn = rnn};
