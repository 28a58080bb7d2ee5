/* SPDX-License-Identifier: Apache-2.0 */
/* Attention, by one kernel whatever heads and masks there are; the present keys and values are copies. */
#include "ops/nn/attention.h"

#include <limits.h>

#include "ops/cuda/cuda.h"
#include "ops/cuda/kernels.h"

static AttentionGeometry query_geometry(const KernelQuery *query) {
    const Shape *shapes[ATTENTION_PORTS] = {NULL};
    for (int port = 0; port < query->n_inputs; port++)
        shapes[port] = cuda_has_input(query, port) ? &query->inputs[port].type.shape : NULL;
    return attention_geometry(query->node->attrs, shapes);
}

static bool is_asked_for(const KernelQuery *query, int port) {
    return port < query->n_outputs && query->node->outputs[port];
}

static int64_t blocks_of(const AttentionGeometry *g) {
    return count_of(g->batch, g->q_heads, ceil_div(g->rows, ATTENTION_ROWS),
                    ceil_div(g->v_size, ATTENTION_COLUMNS));
}

static bool accepts(KernelQuery *query) {
    const AttentionAttrs *attrs = query->node->attrs;
    for (int port = 0; port < query->n_inputs; port++) {
        const unsigned dtypes = port == ATTENTION_MASK      ? CUDA_FLOATS_AND_BOOLS
                                : port == ATTENTION_LENGTHS ? DTYPE_BIT(STRIDER_I64)
                                                            : DTYPE_BIT(STRIDER_F32);
        if (!cuda_is(&query->inputs[port], dtypes))
            return false;
    }
    for (int port = 0; port < query->n_outputs; port++)
        if (!cuda_is_f32(&query->outputs[port]))
            return false;
    const AttentionGeometry g = query_geometry(query);
    return is_asked_for(query, ATTENTION_Y) && !is_asked_for(query, ATTENTION_SCORES) &&
           blocks_of(&g) <= INT_MAX && attrs->left <= INT_MAX && attrs->right <= INT_MAX;
}

static KernelSteps steps_of(AttentionSteps steps) {
    return (KernelSteps){(int)steps.batch, (int)steps.head, (int)steps.row};
}

static struct AttentionArgs args_of(const KernelQuery *query, const AttentionGeometry *g) {
    const AttentionAttrs *attrs = query->node->attrs;
    return (struct AttentionArgs){.heads = (int)g->q_heads,
                                  .kv_heads = (int)g->kv_heads,
                                  .rows = (int)g->rows,
                                  .past = (int)g->past,
                                  .keys = (int)g->keys,
                                  .size = (int)g->size,
                                  .v_size = (int)g->v_size,
                                  .tiles = (int)ceil_div(g->rows, ATTENTION_ROWS),
                                  .parts = (int)ceil_div(g->v_size, ATTENTION_COLUMNS),
                                  .mask_batches = (int)g->mask_batches,
                                  .mask_keys = (int)g->mask_keys,
                                  .left = (int)attrs->left,
                                  .right = (int)attrs->right,
                                  .q = steps_of(g->q),
                                  .k = steps_of(g->k),
                                  .v = steps_of(g->v),
                                  .y = steps_of(g->y),
                                  .mask = steps_of(g->mask),
                                  .scale = (float)attention_scale(attrs, g),
                                  .softcap = attrs->softcap,
                                  .mask_is_bools = cuda_has_input(query, ATTENTION_MASK) &&
                                                   query->inputs[ATTENTION_MASK].type.dtype == STRIDER_BOOL,
                                  .is_causal = attrs->is_causal,
                                  .nan_where_none = attrs->nan_where_none};
}

/* Of kernels with different arguments. */
typedef union AnyArgs {
    struct AttentionArgs attention;
    struct MoveArgs move;
} AnyArgs;

enum { MAX_LAUNCHES = 5 };

typedef struct Launches {
    Launch launches[MAX_LAUNCHES];
    AnyArgs args[MAX_LAUNCHES];
    int count;
} Launches;

/* Copies the `rows` of all heads from input `from` to rows `first` on of the output. */
static void add_copy(const AttentionGeometry *g, int from, int to, AttentionSteps steps, int64_t rows,
                     int64_t first, int64_t size, Launches *list) {
    const int64_t dims[] = {g->batch, g->kv_heads, rows, size},
                  in[] = {steps.batch, steps.head, steps.row, 1},
                  out[] = {count_of(g->kv_heads, g->keys, size), count_of(g->keys, size), size, 1};
    const int64_t count = count_of(dims[0], dims[1], dims[2], dims[3]);
    struct MoveArgs *move = &list->args[list->count].move;
    Launch *launch = &list->launches[list->count++];
    *move = (struct MoveArgs){.count = (int)count, .out_offset = (int)count_of(first, size)};
    cuda_dims(4, dims, 1, MOVE_DIMS, move->dims);
    cuda_dims(4, in, 0, MOVE_DIMS, move->in_strides);
    cuda_dims(4, out, 0, MOVE_DIMS, move->out_strides);
    *launch = launch_each((const void *)k_move, count);
    launch->first_input = from;
    launch->output = to;
}

static void add_present(const KernelQuery *query, const AttentionGeometry *g, int port, AttentionSteps steps,
                        int64_t size, Launches *list) {
    const int output = port - ATTENTION_K + ATTENTION_PRESENT_KEY,
              past = port - ATTENTION_K + ATTENTION_PAST_KEY;
    const AttentionSteps dense = {count_of(g->kv_heads, g->past, size), count_of(g->past, size), size};
    if (!is_asked_for(query, output))
        return;
    add_copy(g, port, output, steps, g->new_keys, g->past, size, list);
    if (g->past)
        add_copy(g, past, output, dense, g->past, 0, size, list);
}

static Status prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    const AttentionGeometry g = query_geometry(query);
    Launches list = {.launches = {launch_teams((const void *)k_attention, blocks_of(&g))},
                     .args = {{.attention = args_of(query, &g)}},
                     .count = 1};
    list.launches[0].n_inputs = query->n_inputs;
    add_present(query, &g, ATTENTION_K, g.k, g.size, &list);
    add_present(query, &g, ATTENTION_V, g.v, g.v_size, &list);
    return cuda_prepare_launches(ctx, list.launches, list.count, list.args, sizeof *list.args, instance);
}

CUDA_ROW(cuda_attention, OP_Attention, accepts, prepare)
