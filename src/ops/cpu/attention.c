/* SPDX-License-Identifier: Apache-2.0 */
/* Attention of float32, and of 16-bit floats by conversion.  Keys are taken a chunk at a time, so that scores
 * are never whole in memory: each row keeps the largest score so far, the sum of its exponentials, and the
 * sum of values that these weigh, and scales both down when a larger score comes.  A value that is infinite
 * or NaN may reach rows that do not see it, as one of their tile does. */
#include "ops/cpu/attention.h"

#include <string.h>

enum {
    MIN_TASKS = 16,
    MIN_ROWS = 64,          /* of a task, as each packs the keys for itself */
    SUM_FLOATS = 64 * 1024, /* of a task's rows: stay in L2 */
};

static AttentionGeometry query_geometry(const KernelQuery *query) {
    const Shape *shapes[ATTENTION_PORTS] = {NULL};
    for (int port = 0; port < query->n_inputs; port++)
        shapes[port] = query->inputs[port].type.dtype ? &query->inputs[port].type.shape : NULL;
    return attention_geometry(query->node->attrs, shapes);
}

static DType mask_dtype(const KernelQuery *query) {
    return query->n_inputs > ATTENTION_MASK ? query->inputs[ATTENTION_MASK].type.dtype : STRIDER_DTYPE_NONE;
}

static AttentionMask mask_of(const KernelQuery *query) {
    const DType dtype = mask_dtype(query);
    return !dtype ? MASK_NONE : dtype == STRIDER_BOOL ? MASK_BOOLS : MASK_FLOATS;
}

static void divide(AttentionArgs *args, const AttentionTable *table) {
    const AttentionGeometry *g = &args->g;
    args->rows = g->group * g->rows;
    const int64_t wanted = ceil_div(MIN_TASKS, i64_max(g->batch * g->kv_heads, 1));
    const int64_t parts = i64_max(i64_min(wanted, args->rows / MIN_ROWS), 1);
    const int64_t max_rows = i64_max(SUM_FLOATS / i64_max(args->v_width, 1), table->tile_rows);
    args->rows_a_task = i64_max(i64_min(ceil_div(args->rows, parts), max_rows), 1);
    args->row_parts = ceil_div(args->rows, args->rows_a_task);
}

/* Four keys, or the chunk of a row of the mask. */
static int64_t converted_floats(const AttentionArgs *args) {
    const int64_t keys = args->dtype == STRIDER_F32 ? 0 : count_of(4, args->g.size),
                  mask = args->mask != MASK_FLOATS || args->mask_dtype == STRIDER_F32 ? 0 : ATTENTION_CHUNK;
    const int64_t floats = i64_max(keys, mask);
    return i64_sum(floats, floats % 2);
}

static Bytes place_scratch(AttentionArgs *args, const KernelQuery *query, const AttentionTable *table) {
    const int64_t panel = ATTENTION_COLUMNS * query->width,
                  keys = i64_min(ceil_div(args->g.keys, panel) * panel, ATTENTION_CHUNK);
    args->v_at = count_of(keys, args->g.size);
    args->converted_at = i64_sum(args->v_at, args->copies_v ? count_of(keys, args->v_width) : 0);
    args->tiles_at = i64_sum(args->converted_at, converted_floats(args));
    args->sums_at = i64_sum(args->tiles_at, count_of(2, table->tile_rows, ATTENTION_STEP));
    args->rows_at = i64_sum(args->sums_at, count_of(args->rows_a_task, args->v_width));
    args->rows_at = i64_sum(args->rows_at, args->rows_at % 2); /* whose pointers are aligned */
    return bytes_sum(bytes_of(sizeof(float), args->rows_at),
                     bytes_of(sizeof(AttentionRow), args->rows_a_task));
}

static void make_args(const KernelQuery *query, AttentionArgs *args) {
    const AttentionTable *table = attention_for(query->target);
    *args = (AttentionArgs){.g = query_geometry(query),
                            .mask = mask_of(query),
                            .mask_dtype = mask_dtype(query),
                            .dtype = query->inputs[ATTENTION_Q].type.dtype};
    args->attrs = *(const AttentionAttrs *)query->node->attrs;
    args->scale = (float)attention_scale(&args->attrs, &args->g);
    args->v_width = ceil_div(args->g.v_size, query->width) * query->width;
    args->copies_v = args->v_width != args->g.v_size || args->dtype != STRIDER_F32;
    for (int i = ATTENTION_PRESENT_KEY; i <= ATTENTION_PRESENT_VALUE && i < query->n_outputs; i++)
        args->has_present = args->has_present || query->node->outputs[i];
    divide(args, table);
}

static bool is_computed(DType dtype) {
    return dtype == STRIDER_F32 || dtype == STRIDER_F16 || dtype == STRIDER_BF16;
}

/* Queries, keys and values of one type; a mask of bools or any of these. */
static bool accepts_types(const KernelQuery *query) {
    const DType dtype = query->inputs[ATTENTION_Q].type.dtype;
    for (int i = 0; i < query->n_inputs; i++) {
        const DType own = query->inputs[i].type.dtype;
        const bool fits = i == ATTENTION_LENGTHS ? true
                          : i == ATTENTION_MASK  ? own == STRIDER_BOOL || is_computed(own)
                                                 : own == dtype;
        if (own && !fits)
            return false;
    }
    return is_computed(dtype);
}

static bool attention_accepts(KernelQuery *query) {
    if (!accepts_types(query))
        return false;
    for (int i = 0; i < query->n_inputs; i++)
        query->inputs[i].layout = layout_plain();
    for (int i = 0; i < query->n_outputs; i++)
        query->outputs[i].layout = layout_plain();
    AttentionArgs args;
    make_args(query, &args);
    const bool gives_scores = query->n_outputs > ATTENTION_SCORES && query->node->outputs[ATTENTION_SCORES];
    return !gives_scores && args.g.size > 0 && args.g.v_size > 0 && args.rows > 0 &&
           cpu_in_proportion(query, place_scratch(&args, query, attention_for(query->target)), (Bytes){0});
}

static double attention_cost(const KernelQuery *query) {
    const AttentionGeometry g = query_geometry(query);
    const double scores = (double)g.batch * (double)g.q_heads * (double)g.rows * (double)g.keys;
    return 2000 + scores * ((double)(g.size + g.v_size) / 45 + 0.6);
}

/* --- the present keys and values --- */

static void copy_present(const KernelCall *call, int64_t task) {
    const AttentionArgs *args = call->args;
    const AttentionGeometry *g = &args->g;
    const AttentionPresent present[] = {
        {g->k, g->size, call->inputs[ATTENTION_K], g->past ? call->inputs[ATTENTION_PAST_KEY] : NULL,
         call->outputs[ATTENTION_PRESENT_KEY]},
        {g->v, g->v_size, call->inputs[ATTENTION_V], g->past ? call->inputs[ATTENTION_PAST_VALUE] : NULL,
         call->outputs[ATTENTION_PRESENT_VALUE]}};
    for (int i = 0; i < 2; i++)
        if (present[i].to)
            attention_copy_present(g, &present[i], dtype_size(args->dtype), task);
}

static Status attention_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    const AttentionTable *table = attention_for(query->target);
    AttentionArgs *args;
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *args, 1), &args));
    make_args(query, args);
    instance->args = args;
    instance->scratch_bytes = place_scratch(args, query, table);
    instance->run = table->run;
    instance->tasks = args->g.batch * args->g.kv_heads * args->row_parts;
    if (args->has_present) {
        instance->prologue = copy_present;
        instance->prologue_tasks = args->g.batch * args->g.kv_heads;
    }
    return STRIDER_OK;
}

const Kernel kernel_attention = {
    .name = "attention",
    .op = OP_Attention,
    .accepts = attention_accepts,
    .cost = attention_cost,
    .prepare = attention_prepare,
};
