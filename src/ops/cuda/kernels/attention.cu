/* SPDX-License-Identifier: Apache-2.0 */
/* Attention by chunks of keys, so that scores are never whole in memory: of each row the largest score so
 * far, the sum of weights relative to it, and the values that these weigh, which are scaled down when a
 * larger score comes.  Each warp has some of the rows, each of its threads one key of the chunk, then some
 * columns. */
#include "ops/cuda/kernels/device_code.h"

enum {
    WARP = 32,
    WARPS = TEAM_THREADS / WARP,
    OWN_ROWS = ATTENTION_ROWS / WARPS,
    OWN_COLUMNS = ATTENTION_COLUMNS / WARP,
    ROW_THREADS = TEAM_THREADS / ATTENTION_ROWS, /* that share a row's softmax */
    ROW_KEYS = ATTENTION_KEYS / ROW_THREADS
};

/* What a block computes. */
typedef struct Tile {
    int batch, head, first_row, n_rows, first_column, n_columns;
} Tile;

SHARED Tile tile_of(const struct AttentionArgs *args, int block) {
    const int part = block % args->parts, tile = block / args->parts % args->tiles,
              matrix = block / args->parts / args->tiles;
    const int row = tile * ATTENTION_ROWS, column = part * ATTENTION_COLUMNS;
    return (Tile){matrix / args->heads,
                  matrix % args->heads,
                  row,
                  min_of(ATTENTION_ROWS, args->rows - row),
                  column,
                  min_of(ATTENTION_COLUMNS, args->v_size - column)};
}

/* The keys [begin, end) that a row may see, whatever the mask says. */
typedef struct Range {
    int begin, end;
} Range;

/* Lengths are any numbers; those beyond these bounds are as good as these. */
SHARED long long length_of(const struct AttentionArgs *args, int batch) {
    const long long bound = 1LL << 40, length = ((const long long *)args->data.in[6])[batch];
    return length < -bound ? -bound : length > bound ? bound : length;
}

SHARED Range range_of(const struct AttentionArgs *args, int batch, int row) {
    long long begin = 0, end = min_of(args->keys, args->mask_keys), position = (long long)row + args->past;
    if (args->data.in[6]) {
        const long long length = length_of(args, batch);
        position = row + length - args->rows;
        end = length < end ? length : end;
    }
    if (args->is_causal && position + 1 < end)
        end = position + 1;
    if (args->right >= 0 && position + args->right + 1 < end)
        end = position + args->right + 1;
    if (args->left >= 0 && position - args->left > begin)
        begin = position - args->left;
    end = end < 0 ? 0 : end;
    return (Range){(int)(begin < end ? begin : end), (int)end};
}

/* Row `key` of keys or values. */
SHARED const float *key_row(const struct AttentionArgs *args, const Tile *tile, const float *past,
                            const float *now, KernelSteps steps, int size, int key) {
    const int head = tile->head / (args->heads / args->kv_heads);
    if (key < args->past)
        return past + ((long long)(tile->batch * args->kv_heads + head) * args->past + key) * size;
    return now + (long long)tile->batch * steps.batch + (long long)head * steps.head +
           (long long)(key - args->past) * steps.row;
}

/* What the mask makes of a score; -infinity for a key that the row does not see. */
SHARED float masked(const struct AttentionArgs *args, const Tile *tile, int row, int key, float score) {
    const Range range = range_of(args, tile->batch, row);
    const void *mask = args->data.in[3];
    if (key < range.begin || key >= range.end)
        return -INFINITY;
    if (!mask)
        return score;
    const long long at = (long long)(tile->batch % args->mask_batches) * args->mask.batch +
                         (long long)tile->head * args->mask.head + (long long)row * args->mask.row + key;
    if (args->mask_is_bools)
        return ((const unsigned char *)mask)[at] ? score : -INFINITY;
    const float bias = ((const float *)mask)[at];
    return bias == -INFINITY ? bias : score + bias;
}

SHARED float scaled(const struct AttentionArgs *args, float product) {
    const float score = product * args->scale;
    return args->softcap > 0 ? args->softcap * tanh(score / args->softcap) : score;
}

/* What the threads of a block share. */
typedef struct Shared {
    float q[ATTENTION_ROWS][ATTENTION_SLICE + 1], k[ATTENTION_KEYS][ATTENTION_SLICE + 1];
    float weights[ATTENTION_ROWS][ATTENTION_KEYS + ROW_THREADS]; /* first scores */
    float parts[TEAM_THREADS];
    float largest[ATTENTION_ROWS], sums[ATTENTION_ROWS], factors[ATTENTION_ROWS]; /* so far; of the sums */
} Shared;

/* Elements [at, at + width) of the tile's queries, unless they are there, and of the chunk's keys. */
SHARED void load_slice(const struct AttentionArgs *args, const Tile *tile, Shared *shared, bool loads_q,
                       int first_key, int n_keys, int at, int width) {
    const float *q = args->data.in[0] + (long long)tile->batch * args->q.batch +
                     (long long)tile->head * args->q.head + (long long)tile->first_row * args->q.row + at;
    __syncthreads(); /* the slice before has been read */
    for (int i = (int)threadIdx.x; i < ATTENTION_KEYS * ATTENTION_SLICE; i += TEAM_THREADS) {
        const int row = i / ATTENTION_SLICE, d = i % ATTENTION_SLICE;
        if (loads_q)
            shared->q[row][d] = row < tile->n_rows && d < width ? q[(long long)row * args->q.row + d] : 0;
        shared->k[row][d] = row < n_keys && d < width
                                ? key_row(args, tile, args->data.in[4], args->data.in[1], args->k, args->size,
                                          first_key + row)[at + d]
                                : 0;
    }
    __syncthreads();
}

/* Of the thread's rows and its key. */
SHARED void add_products(const Shared *shared, int own, int width, float scores[OWN_ROWS]) {
    for (int d = 0; d < width; d++) {
        const float of_key = shared->k[threadIdx.x % WARP][d];
        UNROLL
        for (int r = 0; r < OWN_ROWS; r++)
            scores[r] += shared->q[own + r][d] * of_key;
    }
}

/* The largest score of the thread's row. */
SHARED float largest_score(Shared *shared, int row, int part) {
    float max = -INFINITY;
    UNROLL
    for (int i = 0; i < ROW_KEYS; i++) {
        const float score = shared->weights[row][part + i * ROW_THREADS];
        max = score > max ? score : max;
    }
    shared->parts[threadIdx.x] = max;
    __syncthreads();
    max = shared->largest[row];
    UNROLL
    for (int i = 0; i < ROW_THREADS; i++) {
        const float score = shared->parts[row * ROW_THREADS + i];
        max = score > max ? score : max;
    }
    return max;
}

/* Scores become weights; sums and factors follow. */
SHARED void weigh(Shared *shared) {
    const int me = (int)threadIdx.x, row = me / ROW_THREADS, part = me % ROW_THREADS;
    const float max = largest_score(shared, row, part);
    float sum = 0;
    UNROLL
    for (int i = 0; i < ROW_KEYS; i++) {
        float *weight = &shared->weights[row][part + i * ROW_THREADS];
        *weight = *weight == -INFINITY ? 0 : exp(*weight - max);
        sum += *weight;
    }
    __syncthreads(); /* all have read the parts and the largest */
    shared->parts[me] = sum;
    __syncthreads();
    if (part == 0) {
        const float before = shared->largest[row], factor = before == -INFINITY ? 0 : exp(before - max);
        sum = shared->sums[row] * factor;
        UNROLL
        for (int i = 0; i < ROW_THREADS; i++)
            sum += shared->parts[me + i];
        shared->sums[row] = sum;
        shared->factors[row] = factor;
        shared->largest[row] = max;
    }
    __syncthreads();
}

/* A chunk's values, weighed, of the thread's rows and columns. */
SHARED void add_values(const struct AttentionArgs *args, const Tile *tile, const Shared *shared, int own,
                       int first_key, int n_keys, float out[OWN_ROWS][OWN_COLUMNS]) {
    const int lane = (int)threadIdx.x % WARP;
    UNROLL
    for (int r = 0; r < OWN_ROWS; r++)
        UNROLL
    for (int j = 0; j < OWN_COLUMNS; j++)
        out[r][j] *= shared->factors[own + r];
    for (int key = 0; key < n_keys; key++) {
        const float *v =
            key_row(args, tile, args->data.in[5], args->data.in[2], args->v, args->v_size, first_key + key) +
            tile->first_column;
        float values[OWN_COLUMNS];
        UNROLL
        for (int j = 0; j < OWN_COLUMNS; j++)
            values[j] = lane + j * WARP < tile->n_columns ? v[lane + j * WARP] : 0;
        UNROLL
        for (int r = 0; r < OWN_ROWS; r++) {
            const float weight = shared->weights[own + r][key];
            if (weight != 0) /* what a row does not see may be an infinity */
                UNROLL
            for (int j = 0; j < OWN_COLUMNS; j++)
                out[r][j] += weight * values[j];
        }
    }
}

SHARED void store(const struct AttentionArgs *args, const Tile *tile, const Shared *shared, int own,
                  float out[OWN_ROWS][OWN_COLUMNS]) {
    const int lane = (int)threadIdx.x % WARP;
    float *y = args->data.out + (long long)tile->batch * args->y.batch +
               (long long)tile->head * args->y.head + (long long)(tile->first_row + own) * args->y.row +
               tile->first_column + lane;
    UNROLL
    for (int r = 0; r < OWN_ROWS; r++) {
        const float sum = shared->sums[own + r];
        UNROLL
        for (int j = 0; j < OWN_COLUMNS; j++)
            if (own + r < tile->n_rows && lane + j * WARP < tile->n_columns)
                y[(long long)r * args->y.row + j * WARP] = sum != 0               ? out[r][j] / sum
                                                           : args->nan_where_none ? NAN
                                                                                  : 0;
    }
}

TEAM_KERNEL(k_attention, AttentionArgs) {
    BLOCK_SHARED Shared shared;
    const int me = (int)threadIdx.x, lane = me % WARP, own = me / WARP * OWN_ROWS;
    const Tile tile = tile_of(&args, (int)blockIdx.x);
    const int first_key = range_of(&args, tile.batch, tile.first_row).begin,
              end_key = range_of(&args, tile.batch, tile.first_row + tile.n_rows - 1).end;
    float out[OWN_ROWS][OWN_COLUMNS], scores[OWN_ROWS];
    UNROLL
    for (int r = 0; r < OWN_ROWS; r++)
        UNROLL
    for (int j = 0; j < OWN_COLUMNS; j++)
        out[r][j] = 0;
    if (me < ATTENTION_ROWS) {
        shared.largest[me] = -INFINITY;
        shared.sums[me] = 0;
    }
    __syncthreads();
    for (int first = first_key; first < end_key; first += ATTENTION_KEYS) {
        const int n_keys = min_of(ATTENTION_KEYS, end_key - first);
        const bool loads_q = args.size > ATTENTION_SLICE || first == first_key;
        UNROLL
        for (int r = 0; r < OWN_ROWS; r++)
            scores[r] = 0;
        for (int at = 0; at < args.size; at += ATTENTION_SLICE) {
            const int width = min_of(ATTENTION_SLICE, args.size - at);
            load_slice(&args, &tile, &shared, loads_q, first, n_keys, at, width);
            add_products(&shared, own, width, scores);
        }
        UNROLL
        for (int r = 0; r < OWN_ROWS; r++)
            shared.weights[own + r][lane] =
                own + r < tile.n_rows
                    ? masked(&args, &tile, tile.first_row + own + r, first + lane, scaled(&args, scores[r]))
                    : -INFINITY;
        __syncthreads();
        weigh(&shared);
        add_values(&args, &tile, &shared, own, first, n_keys, out);
    }
    store(&args, &tile, &shared, own, out);
}
