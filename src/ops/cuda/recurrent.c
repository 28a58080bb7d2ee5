/* SPDX-License-Identifier: Apache-2.0 */
/* LSTM, GRU and RNN: the products of X and W of all steps through cuBLASLt, then one kernel for all steps.
 * That reads R by columns, so that neighbouring units lie together, and it is transposed before. */
#include "ops/rnn/recurrent.h"

#include <limits.h>

#include "ops/cuda/dnn.h"
#include "ops/cuda/kernels.h"
#include "ops/cuda/product.h"

/* Where parts of the workspace begin, in bytes. */
typedef struct Places {
    Bytes r, states, product;
} Places;

typedef struct CudaRecurrent {
    CudaProduct product;
    Places places;
    Launch transpose, steps;
    struct MoveArgs transpose_args;
    struct RecurrentArgs steps_args;
    int n_inputs, n_outputs;
} CudaRecurrent;

static void recurrent_discard(void *args) {
    CudaRecurrent *recurrent = args;
    product_free(&recurrent->product);
}

static RecurrentGeometry geometry_of(const KernelQuery *query) {
    return recurrent_geometry(query->node, &query->inputs[RECURRENT_X].type.shape,
                              &query->inputs[RECURRENT_R].type.shape);
}

static RecurrentKind kind_of(const KernelQuery *query) {
    const int kind = query->node->op->kind;
    return kind == OP_LSTM ? RECURRENT_LSTM : kind == OP_GRU ? RECURRENT_GRU : RECURRENT_RNN;
}

/* Elements of X's sums. */
static int64_t sums_of(const RecurrentGeometry *g) {
    return count_of(g->directions, g->steps, g->batch, g->gates, g->hidden);
}

static bool has_activations(const KernelQuery *query, int64_t directions) {
    const RecurrentAttrs *attrs = query->node->attrs;
    const RecurrentKind kind = kind_of(query);
    const int n = kind == RECURRENT_LSTM ? 3 : kind == RECURRENT_GRU ? 2 : 1;
    for (int64_t d = 0; d < directions; d++)
        for (int i = 0; i < n; i++)
            if (attrs->activations[d][i].kind >= UNARY_ACTIVATIONS)
                return false;
    return true;
}

static bool accepts(KernelQuery *query) {
    for (int i = 0; i < query->n_inputs; i++)
        if (!cuda_is(&query->inputs[i], DTYPE_BIT(i == RECURRENT_LENGTHS ? STRIDER_I32 : STRIDER_F32)))
            return false;
    for (int i = 0; i < query->n_outputs; i++)
        if (!cuda_is_f32(&query->outputs[i]))
            return false;
    const RecurrentGeometry g = geometry_of(query);
    return has_activations(query, g.directions) && sums_of(&g) <= INT_MAX &&
           (!cuda_has_input(query, RECURRENT_LENGTHS) ||
            cuda_may_check(query, RECURRENT_LENGTHS, g.steps + 1));
}

static void *at(const KernelCall *call, Bytes place) {
    return (char *)call->workspace + place.n;
}

static const float *input_of(const KernelCall *call, const CudaRecurrent *recurrent, int port) {
    return port < recurrent->n_inputs ? call->inputs[port] : NULL;
}

static float *output_of(const KernelCall *call, const CudaRecurrent *recurrent, int port) {
    return port < recurrent->n_outputs ? call->outputs[port] : NULL;
}

static Status submit(const KernelCall *call, Error *err) {
    const CudaRecurrent *recurrent = call->args;
    CudaDevice *device = recurrent->product.device;
    struct MoveArgs transpose = recurrent->transpose_args;
    struct RecurrentArgs steps = recurrent->steps_args;
    float *sums = call->workspace, *r = at(call, recurrent->places.r);
    transpose.data = (KernelData){.in = {call->inputs[RECURRENT_R]}, .out = r};
    TRY(cuda_launch(device, &recurrent->transpose, &transpose, err));
    TRY(product_submit(&recurrent->product, call->inputs[RECURRENT_X], call->inputs[RECURRENT_W], sums, NULL,
                       at(call, recurrent->places.product), err));
    steps.data = (KernelData){.in = {sums, r}, .out = output_of(call, recurrent, RECURRENT_Y)};
    for (int port = RECURRENT_B; port <= RECURRENT_PEEPHOLES; port++)
        steps.data.in[port - RECURRENT_B + 2] = input_of(call, recurrent, port);
    steps.y_h = output_of(call, recurrent, RECURRENT_Y_H);
    steps.y_c = output_of(call, recurrent, RECURRENT_Y_C);
    steps.states = at(call, recurrent->places.states);
    return cuda_launch(device, &recurrent->steps, &steps, err);
}

static Status make_product(const RecurrentGeometry *g, PrepareContext *ctx, CudaProduct *product) {
    static const Offsets one = {0, 0, 0};
    const int64_t m = count_of(g->steps, g->batch), n = count_of(g->gates, g->hidden);
    const Products products = {.m = m,
                               .n = n,
                               .k = g->inputs,
                               .batch = g->directions,
                               .step = {0, count_of(n, g->inputs), count_of(m, n)},
                               .trans_b = true,
                               .alpha = 1,
                               .n_calls = 1,
                               .calls = &one};
    return product_make((CudaDevice *)ctx->device, &products, CUBLASLT_EPILOGUE_DEFAULT, product, ctx->err);
}

static void set_transpose(const RecurrentGeometry *g, CudaRecurrent *recurrent) {
    const int64_t n = count_of(g->gates, g->hidden), dims[] = {g->directions, g->hidden, n},
                  in[] = {count_of(n, g->hidden), 1, g->hidden}, out[] = {count_of(n, g->hidden), n, 1};
    struct MoveArgs *move = &recurrent->transpose_args;
    move->count = (int)count_of(g->directions, g->hidden, n);
    cuda_dims(3, dims, 1, MOVE_DIMS, move->dims);
    cuda_dims(3, in, 0, MOVE_DIMS, move->in_strides);
    cuda_dims(3, out, 0, MOVE_DIMS, move->out_strides);
    recurrent->transpose = launch_each((const void *)k_move, move->count);
}

static void set_steps(const KernelQuery *query, const RecurrentGeometry *g, PrepareContext *ctx,
                      CudaRecurrent *recurrent) {
    const RecurrentAttrs *attrs = query->node->attrs;
    struct RecurrentArgs *args = &recurrent->steps_args;
    *args = (struct RecurrentArgs){
        .kind = kind_of(query),
        .gates = (int)g->gates,
        .steps = (int)g->steps,
        .batch = (int)g->batch,
        .hidden = (int)g->hidden,
        .x_step = attrs->batch_first ? 1 : (int)g->batch,
        .x_row = attrs->batch_first ? (int)g->steps : 1,
        .y_step = (int)g->y_step,
        .y_row = (int)g->y_row,
        .y_direction = (int)g->y_direction,
        .state_row = (int)g->state_row,
        .state_direction = (int)g->state_direction,
        .first_reversed = attrs->first_reversed,
        .couples_gates = attrs->couples_gates,
        .resets_after = attrs->resets_after,
        .clip = attrs->clip,
        .check = cuda_check(query, RECURRENT_LENGTHS, g->steps + 1, "a sequence's length", ctx)};
    for (int d = 0; d < MAX_DIRECTIONS; d++)
        for (int i = 0; i < RECURRENT_FUNCTIONS; i++)
            args->activations[d][i] = attrs->activations[d][i];
    recurrent->steps = (Launch){.kernel = (const void *)k_recurrent,
                                .blocks = count_of(g->directions, g->batch),
                                .threads = RECURRENT_THREADS};
}

static Status prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    const RecurrentGeometry g = geometry_of(query);
    CudaRecurrent *recurrent = NULL;
    TRY(cuda_alloc(ctx, bytes_of(sizeof *recurrent, 1), &recurrent));
    recurrent->n_inputs = query->n_inputs;
    recurrent->n_outputs = query->n_outputs;
    Places *places = &recurrent->places;
    places->r = workspace_part(sums_of(&g));
    places->states =
        bytes_sum(places->r, workspace_part(count_of(g.directions, g.gates, g.hidden, g.hidden)));
    places->product = bytes_sum(places->states,
                                workspace_part(count_of(g.directions, g.batch, RECURRENT_VECTORS, g.hidden)));
    set_transpose(&g, recurrent);
    set_steps(query, &g, ctx, recurrent);
    TRY(make_product(&g, ctx, &recurrent->product));
    *instance =
        (KernelInstance){.submit = submit,
                         .tasks = 1,
                         .args = recurrent,
                         .discard = recurrent_discard,
                         .workspace_bytes = bytes_sum(places->product, recurrent->product.workspace_bytes)};
    return STRIDER_OK;
}

CUDA_ROW(cuda_lstm, OP_LSTM, accepts, prepare)
CUDA_ROW(cuda_gru, OP_GRU, accepts, prepare)
CUDA_ROW(cuda_rnn, OP_RNN, accepts, prepare)
