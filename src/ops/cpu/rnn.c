/* SPDX-License-Identifier: Apache-2.0 */
/* LSTM, GRU and RNN in float32: one product for the inputs of all steps, then the steps, whose sums of h and
 * R never leave the registers before they are gates. */
#include "ops/cpu/rnn.h"

#include <stdio.h>
#include <string.h>

#include "base/size.h"

enum {
    ROW_TASKS = 8,     /* wanted, of all directions */
    PROJECT_TASKS = 8, /* of a direction, where there are few rows */
    STATE_BUFFERS = 4, /* h before and after, c or z, r h */
};

static RecurrentGeometry query_geometry(const KernelQuery *query) {
    return recurrent_geometry(query->node, &query->inputs[RECURRENT_X].type.shape,
                              &query->inputs[RECURRENT_R].type.shape);
}

static bool is_quantised(const KernelQuery *query) {
    return query->node->op->kind == OP_DynamicQuantizeLSTM;
}

/* --- the preparation --- */

static bool is_usual(const KernelQuery *query) {
    const RecurrentAttrs *attrs = query->node->attrs;
    const bool is_rnn = query->node->op->kind == OP_RNN;
    const int each = is_rnn ? 1 : query->node->op->kind == OP_GRU ? 2 : 3;
    for (int d = 0; d < attrs->directions; d++)
        for (int i = 0; i < each; i++)
            if (attrs->activations[d][i].kind != (i || is_rnn ? UNARY_TANH : UNARY_SIGMOID))
                return false;
    return isinf(attrs->clip);
}

static void choose_products(const KernelQuery *query, RnnArgs *args) {
    const RecurrentGeometry *g = &args->g;
    args->projection = (RnnProduct){0, (int)g->gates, g->inputs, 0};
    args->w_panel_floats = count_of(g->gates, g->inputs, args->padded);
    args->panel_floats = count_of(g->gates, g->hidden, args->padded);
    args->n_products = 1;
    args->products[0] = (RnnProduct){0, (int)g->gates, g->hidden, 0};
    /* What r takes part in is multiplied after it. */
    if (query->node->op->kind == OP_GRU && !args->attrs.resets_after) {
        args->n_products = 2;
        args->products[0].gates = 2;
        args->products[1] = (RnnProduct){2, 1, g->hidden, count_of(2, g->hidden, args->padded)};
    }
}

static void split_rows(RnnArgs *args, int tile_rows) {
    const RecurrentGeometry *g = &args->g;
    const int64_t parts =
        args->quantises ? 1 : i64_min(ceil_div(g->batch, tile_rows), ceil_div(ROW_TASKS, g->directions));
    args->rows_a_task = ceil_div(g->batch, parts);
    args->row_parts = ceil_div(g->batch, args->rows_a_task);
}

static RnnArgs args_of(const KernelQuery *query) {
    RnnArgs args = {.node = query->node,
                    .g = query_geometry(query),
                    .attrs = *(const RecurrentAttrs *)query->node->attrs};
    const RecurrentGeometry *g = &args.g;
    args.n_inputs = query->n_inputs;
    args.n_outputs = query->n_outputs;
    args.is_usual = is_usual(query);
    args.quantises = is_quantised(query);
    args.chunks = ceil_div(g->hidden, query->width);
    args.padded = i64_product(args.chunks, query->width);
    args.projected_step = args.attrs.batch_first ? 1 : g->batch;
    args.projected_row = args.attrs.batch_first ? g->steps : 1;
    const int64_t vector = query->width;
    args.parameters_at = i64_product(
        ceil_div(count_of(g->directions, g->steps, g->batch, g->gates, g->hidden), vector), vector);
    args.panels_at =
        i64_sum(args.parameters_at,
                count_of(g->directions, rnn_for(query->target)->parameter_rows, g->gates, args.padded));
    choose_products(query, &args);
    split_rows(&args, rnn_for(query->target)->rows);
    return args;
}

/* The states, and before a tile of quantised rows. */
static Bytes scratch_bytes(const RnnArgs *args, const RnnTable *table) {
    return bytes_larger(bytes_of(sizeof(float), STATE_BUFFERS, args->rows_a_task, args->padded),
                        bytes_of(sizeof(float), args->quantises ? table->rows : 0, args->g.inputs));
}

static Bytes workspace_bytes(const KernelQuery *query, const RnnArgs *args) {
    const int64_t panels =
        query->inputs[RECURRENT_R].constant ? 0 : i64_product(args->g.directions, args->panel_floats);
    return bytes_of(sizeof(float), i64_sum(args->panels_at, panels));
}

typedef struct PanelFill {
    const RnnArgs *args;
    const RnnTable *table;
    const Tensor *source, *zero; /* zero is NULL where the source is of floats */
    const RnnProduct *products;
    int n_products;
    int64_t source_floats, panel_floats; /* of a direction */
} PanelFill;

/* One for the direction, or one for each column. */
static float parameter_at(const Tensor *parameter, int64_t direction, int64_t columns, int64_t column) {
    const bool each = parameter->type.shape.rank == 2;
    return (float)tensor_get_f64(parameter, each ? direction * columns + column : direction);
}

/* Where a column of W or R lies in a vector of units, whose rows are `row` floats. */
static int64_t lane_of(const RnnArgs *args, int64_t column, int64_t row) {
    const int64_t width = args->padded / args->chunks, gate = column / args->g.hidden,
                  unit = column % args->g.hidden;
    return unit / width * row + gate * width + unit % width;
}

/* [directions][k][gates * hidden] in 8 bits. */
static void fill_quantised(const PanelFill *fill, int64_t direction, float *to) {
    const RnnArgs *args = fill->args;
    const int64_t k = fill->products->k, columns = args->g.gates * args->g.hidden,
                  row = args->g.gates * (args->padded / args->chunks);
    memset(to, 0, bytes_of(sizeof *to, fill->panel_floats).n);
    for (int64_t column = 0; column < columns; column++) {
        const float zero = parameter_at(fill->zero, direction, columns, column);
        float *lane = to + lane_of(args, column, k * row);
        for (int64_t i = 0; i < k; i++)
            lane[i * row] =
                (float)tensor_get_i64(fill->source, (direction * k + i) * columns + column) - zero;
    }
}

static Status make_scales(const RnnArgs *args, const Tensor *scale, PrepareContext *ctx,
                          const float **scales) {
    const RecurrentGeometry *g = &args->g;
    const int64_t columns = g->gates * g->hidden, row = g->gates * (args->padded / args->chunks);
    float *values;
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *values, g->directions, args->chunks, row), &values));
    for (int64_t d = 0; d < g->directions; d++)
        for (int64_t column = 0; column < columns; column++)
            values[d * args->chunks * row + lane_of(args, column, row)] =
                parameter_at(scale, d, columns, column);
    *scales = values;
    return STRIDER_OK;
}

static void fill_panels(void *context, void *memory, int64_t direction) {
    const PanelFill *fill = context;
    float *to = (float *)memory + direction * fill->panel_floats;
    if (fill->zero) {
        fill_quantised(fill, direction, to);
        return;
    }
    const float *from = (const float *)fill->source->data + direction * fill->source_floats;
    for (int p = 0; p < fill->n_products; p++)
        for (int64_t chunk = 0; chunk < fill->args->chunks; chunk++)
            fill->table->pack(fill->args, &fill->products[p], from, chunk, to);
    pack_consumed(fill->source, from, bytes_of(sizeof(float), fill->source_floats).n);
}

static Status pack_panels(const KernelQuery *query, PanelFill fill, PrepareContext *ctx,
                          KernelInstance *instance, const float **panels) {
    const int64_t directions = fill.args->g.directions;
    PanelFill *context;
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *context, 1), &context));
    *context = fill;
    context->table = rnn_for(query->target);
    const PackFill pieces = {fill_panels, directions, context};
    const Bytes size = bytes_of(sizeof(float), directions, fill.panel_floats);
    char key[96];
    const void *packed;
    snprintf(key, sizeof key, "rnn %d %d %d %p", query->width, (int)fill.args->g.gates, fill.n_products,
             (const void *)fill.zero);
    TRY(pack_constant_later(ctx, fill.source, key, size, &pieces, &packed));
    *panels = packed;
    instance->packed_bytes += size.n;
    return STRIDER_OK;
}

static Status pack_r(const KernelQuery *query, RnnArgs *args, PrepareContext *ctx, KernelInstance *instance) {
    const PanelFill fill = {.args = args,
                            .source = query->inputs[RECURRENT_R].constant,
                            .zero = args->quantises ? query->inputs[DQ_R_ZERO_POINT].constant : NULL,
                            .products = args->products,
                            .n_products = args->n_products,
                            .source_floats = count_of(args->g.gates, args->g.hidden, args->g.hidden),
                            .panel_floats = args->panel_floats};
    if (args->quantises)
        TRY(make_scales(args, query->inputs[DQ_R_SCALE].constant, ctx, &args->r_scales));
    return fill.source ? pack_panels(query, fill, ctx, instance, &args->panels) : STRIDER_OK;
}

static Status pack_w(const KernelQuery *query, RnnArgs *args, PrepareContext *ctx, KernelInstance *instance) {
    const PanelFill fill = {.args = args,
                            .source = query->inputs[RECURRENT_W].constant,
                            .zero = args->quantises ? query->inputs[DQ_W_ZERO_POINT].constant : NULL,
                            .products = &args->projection,
                            .n_products = 1,
                            .source_floats = count_of(args->g.gates, args->g.hidden, args->g.inputs),
                            .panel_floats = args->w_panel_floats};
    args->project_tasks = i64_min(args->chunks, PROJECT_TASKS);
    if (args->quantises)
        TRY(make_scales(args, query->inputs[DQ_W_SCALE].constant, ctx, &args->w_scales));
    return pack_panels(query, fill, ctx, instance, &args->w_panels);
}

static Status prepare_gemm(const KernelQuery *query, RnnArgs *args, PrepareContext *ctx,
                           KernelInstance *instance) {
    const RecurrentGeometry *g = &args->g;
    for (int64_t d = 0; d < g->directions; d++) {
        GemmArgs *product = &args->projections[d];
        KernelInstance phase = {0};
        product->m = g->steps * g->batch;
        product->n = g->gates * g->hidden;
        product->k = g->inputs;
        product->b_offset = d * product->n * product->k;
        TRY(gemm_prepare_phase(query, product, ctx, &phase));
        args->project = phase.run;
        args->project_tasks = phase.tasks;
        instance->scratch_bytes = phase.scratch_bytes;
        instance->packed_bytes += phase.packed_bytes;
    }
    return STRIDER_OK;
}

static Status prepare_projection(const KernelQuery *query, RnnArgs *args, PrepareContext *ctx,
                                 KernelInstance *instance) {
    const bool is_skinny = args->g.steps * args->g.batch <= GEMM_SKINNY_ROWS;
    return args->quantises || (is_skinny && query->inputs[RECURRENT_W].constant)
               ? pack_w(query, args, ctx, instance)
               : prepare_gemm(query, args, ctx, instance);
}

static Status check_lengths(const KernelCall *call, Error *err) {
    const RnnArgs *args = call->args;
    return recurrent_check_lengths(args->node, &args->g, call->inputs[RECURRENT_LENGTHS], err);
}

static Status prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    RnnArgs *args;
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *args, 1), &args));
    *args = args_of(query);
    TRY(prepare_projection(query, args, ctx, instance));
    TRY(pack_r(query, args, ctx, instance));
    const RnnTable *table = rnn_for(query->target);
    instance->args = args;
    if (query->n_inputs > RECURRENT_LENGTHS && query->inputs[RECURRENT_LENGTHS].type.dtype)
        instance->check = check_lengths;
    instance->prologue = table->prologue;
    const int64_t panels = args->panels ? 0 : i64_product(args->n_products, args->chunks);
    instance->prologue_tasks = i64_product(args->g.directions, i64_sum(args->project_tasks, 1 + panels));
    const int op = query->node->op->kind;
    instance->run = op == OP_GRU ? table->gru : op == OP_RNN ? table->rnn : table->lstm;
    instance->tasks = args->g.directions * args->row_parts;
    instance->scratch_bytes = bytes_larger(instance->scratch_bytes, scratch_bytes(args, table));
    instance->workspace_bytes = workspace_bytes(query, args);
    return STRIDER_OK;
}

/* --- the rows --- */

static bool accepts_layer(KernelQuery *query) {
    for (int i = 0; i < query->n_inputs; i++)
        query->inputs[i].layout = layout_plain();
    for (int i = 0; i < query->n_outputs; i++)
        query->outputs[i].layout = layout_plain();
    query->inputs[RECURRENT_W].packed = query->inputs[RECURRENT_W].constant != NULL;
    query->inputs[RECURRENT_R].packed = query->inputs[RECURRENT_R].constant != NULL;
    const RecurrentGeometry g = query_geometry(query);
    if (g.steps == 0 || g.batch == 0)
        return false;
    const RnnArgs args = args_of(query);
    return cpu_in_proportion(query, scratch_bytes(&args, rnn_for(query->target)),
                             workspace_bytes(query, &args));
}

static bool accepts(KernelQuery *query) {
    for (int i = 0; i < query->n_inputs; i++)
        if (i != RECURRENT_LENGTHS && query->inputs[i].type.dtype && !cpu_is_f32(query, i))
            return false;
    return accepts_layer(query);
}

static bool quantised_accepts(KernelQuery *query) {
    static const int constants[] = {RECURRENT_W, RECURRENT_R,     DQ_W_SCALE,
                                    DQ_R_SCALE,  DQ_W_ZERO_POINT, DQ_R_ZERO_POINT};
    for (size_t i = 0; i < sizeof constants / sizeof *constants; i++) {
        if (!query->inputs[constants[i]].constant)
            return false;
        query->inputs[constants[i]].packed = true;
    }
    return accepts_layer(query);
}

static double cost(const KernelQuery *query) {
    const RecurrentGeometry g = query_geometry(query);
    const double rows =
        (double)g.directions * (double)g.steps * (double)g.batch * (double)g.gates * (double)g.hidden;
    return 5000 + rows * ((double)g.inputs / 45 + (double)g.hidden / 20);
}

#define RECURRENT_KERNEL(ROW, NAME, OP, ACCEPTS)                                                             \
    const Kernel ROW = {                                                                                     \
        .name = NAME,                                                                                        \
        .op = OP,                                                                                            \
        .accepts = ACCEPTS,                                                                                  \
        .cost = cost,                                                                                        \
        .prepare = prepare,                                                                                  \
    };

RECURRENT_KERNEL(kernel_lstm, "lstm", OP_LSTM, accepts)
RECURRENT_KERNEL(kernel_gru, "gru", OP_GRU, accepts)
RECURRENT_KERNEL(kernel_rnn, "rnn", OP_RNN, accepts)
RECURRENT_KERNEL(kernel_dynamic_quantize_lstm, "lstm_quantised", OP_DynamicQuantizeLSTM, quantised_accepts)
