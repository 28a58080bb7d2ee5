/* SPDX-License-Identifier: Apache-2.0 */
/* A task's rows of attention, by tiles of rows and chunks of keys: scores by products with panels of keys,
 * which are packed once for all of the task's rows; their exponentials where they lie; then products with
 * values as they lie. */
#include <math.h>

#include "base/size.h"
#include "ops/cpu/attention.h"
#include "ops/cpu/row_tile_simd.h"
#include "ops/cpu/transpose_4.h"

enum { PANEL = ATTENTION_COLUMNS * VW, STEP = ATTENTION_STEP };

/* One head of keys and values, and what a task has for it. */
typedef struct Task {
    const AttentionArgs *args;
    const float *k, *v, *past_k, *past_v;
    int64_t n_rows;
    AttentionRow *rows;                        /* scratch memory, as all that follows */
    float *panels, *values, *queries, *scores; /* the last two: a tile of rows */
} Task;

/* Some keys that lie one after the other. */
typedef struct Chunk {
    int64_t first, count;
    const float *k, *v;
    int64_t v_step;
} Chunk;

/* --- products --- */

/* c = a b, or c + a b: `rows` rows of k elements, STEP apart, times k rows of vectors. */
INLINE void product(const float *a, const float *b, int64_t b_step, int64_t k, bool adds, float *c,
                    int64_t c_step, const int rows, const int vectors) {
    vf acc[TILE_ROWS][ATTENTION_COLUMNS] = {{v_zero()}};
    if (adds) {
#pragma GCC unroll 14
        for (int r = 0; r < rows; r++)
#pragma GCC unroll 2
            for (int v = 0; v < vectors; v++)
                acc[r][v] = v_load(c + r * c_step + v * VW);
    }
    for (int64_t i = 0; i < k; i++, a++, b += b_step) {
        vf right[ATTENTION_COLUMNS];
#pragma GCC unroll 2
        for (int v = 0; v < vectors; v++)
            right[v] = v_load(b + v * VW);
#pragma GCC unroll 14
        for (int r = 0; r < rows; r++) {
            const float left = a[r * STEP];
#pragma GCC unroll 2
            for (int v = 0; v < vectors; v++)
                acc[r][v] += right[v] * left;
        }
    }
#pragma GCC unroll 14
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 2
        for (int v = 0; v < vectors; v++)
            v_store(c + r * c_step + v * VW, acc[r][v]);
}

typedef void (*ProductFunction)(const float *a, const float *b, int64_t b_step, int64_t k, bool adds,
                                float *c, int64_t c_step);

#define PRODUCT(ROWS, VECTORS)                                                                               \
    static void product_##ROWS##_##VECTORS(const float *a, const float *b, int64_t b_step, int64_t k,        \
                                           bool adds, float *c, int64_t c_step) {                            \
        product(a, b, b_step, k, adds, c, c_step, ROWS, VECTORS);                                            \
    }
#define PRODUCTS(ROWS) PRODUCT(ROWS, 1) PRODUCT(ROWS, 2)
#define ENTRY(ROWS) {product_##ROWS##_1, product_##ROWS##_2},

FOR_TILES(PRODUCTS)

static const ProductFunction products[TILE_ROWS][ATTENTION_COLUMNS] = {FOR_TILES(ENTRY)};

/* --- keys and values --- */

/* Four keys' elements, as four columns of a panel. */
static void pack_four(const float *k, int64_t row, int64_t size, float *to) {
    int64_t i = 0;
    for (; i + 4 <= size; i += 4) {
        v4 columns[4];
        transpose_4(k + i, row, columns);
        for (int j = 0; j < 4; j++)
            *(v4_anywhere *)(to + (i + j) * PANEL) = columns[j];
    }
    for (; i < size; i++)
        for (int j = 0; j < 4; j++)
            to[i * PANEL + j] = k[j * row + i];
}

static void pack_keys(const Task *t, const Chunk *chunk) {
    const int64_t size = t->args->g.size, row = chunk->first < t->args->g.past ? size : t->args->g.k.row;
    const int64_t columns = (chunk->count + PANEL - 1) / PANEL * PANEL;
    for (int64_t key = 0; key < columns; key += 4) {
        float *to = t->panels + key / PANEL * PANEL * size + key % PANEL;
        if (key + 4 <= chunk->count) {
            pack_four(chunk->k + key * row, row, size, to);
            continue;
        }
        for (int64_t i = 0; i < size; i++)
            for (int j = 0; j < 4; j++)
                to[i * PANEL + j] = key + j < chunk->count ? chunk->k[(key + j) * row + i] : 0;
    }
}

/* Rows of whole vectors. */
static void copy_values(const Task *t, Chunk *chunk) {
    const int64_t size = t->args->g.v_size, width = t->args->v_width;
    for (int64_t key = 0; key < chunk->count; key++)
        for (int64_t i = 0; i < width; i += VW)
            v_store(t->values + key * width + i,
                    v_load_first(chunk->v + key * chunk->v_step + i, i64_min(size - i, VW), 0));
    chunk->v = t->values;
    chunk->v_step = width;
}

/* The keys from `first` on, up to a chunk of those that are of the past, or of those that are not. */
static Chunk chunk_at(const Task *t, int64_t first, int64_t end) {
    const AttentionGeometry *g = &t->args->g;
    Chunk chunk = {.first = first, .count = i64_min(end - first, ATTENTION_CHUNK)};
    if (first < g->past) {
        chunk.count = i64_min(chunk.count, g->past - first);
        chunk.k = t->past_k + first * g->size;
        chunk.v = t->past_v + first * g->v_size;
        chunk.v_step = g->v_size;
    } else {
        chunk.k = t->k + (first - g->past) * g->k.row;
        chunk.v = t->v + (first - g->past) * g->v.row;
        chunk.v_step = g->v.row;
    }
    return chunk;
}

/* --- scores of a row --- */

/* A row of scores of a chunk, [begin, end) of which are computed, whole vectors, and [from, to) are seen. */
typedef struct Scores {
    float *values;
    int64_t begin, end, from, to;
    const char *mask; /* of the chunk's first key */
} Scores;

typedef uint8_t vb __attribute__((vector_size(STRIDER_WIDTH)));

INLINE vf load_bias(const char *mask, const AttentionMask kind, int64_t at, int64_t lanes) {
    if (kind == MASK_FLOATS)
        return lanes >= VW ? v_load((const float *)mask + at)
                           : v_load_first((const float *)mask + at, lanes, 0);
    vb bytes = {0};
    if (lanes >= VW)
        memcpy(&bytes, mask + at, VW);
    else
        memcpy(&bytes, mask + at, (size_t)lanes);
    return v_select(__builtin_convertvector(bytes, vi) != 0, v_zero(), v_set(-INFINITY));
}

/* A score that is not seen is -infinity, whatever it is. */
INLINE vf with_bias(const Scores *scores, const AttentionMask kind, int64_t at, vf x) {
    if (kind == MASK_NONE || at >= scores->to)
        return x;
    const vf bias = load_bias(scores->mask, kind, at, scores->to - at);
    return v_select(bias == v_set(-INFINITY), bias, x + bias);
}

INLINE vf only_seen(const Scores *scores, int64_t at, vf x) {
    if (at >= scores->from && at + VW <= scores->to)
        return x;
    const vi before = v_lane_mask((int)i64_min(i64_max(scores->from - at, 0), VW)),
             until = v_lane_mask((int)i64_min(i64_max(scores->to - at, 0), VW));
    return v_select(until & ~before, x, v_set(-INFINITY));
}

/* Gives the largest. */
INLINE float add_bias(const Scores *scores, const AttentionMask kind) {
    vf largest = v_set(-INFINITY);
    for (int64_t i = scores->begin; i < scores->end; i += VW) {
        const vf x = only_seen(scores, i, with_bias(scores, kind, i, v_load(scores->values + i)));
        if (kind != MASK_NONE || i < scores->from || i + VW > scores->to)
            v_store(scores->values + i, x);
        largest = v_max(largest, x);
    }
    return v_max_lanes(largest);
}

static float finish_scores(const AttentionArgs *args, const Scores *scores) {
    const float cap = args->attrs.softcap;
    for (int64_t i = scores->begin; cap > 0 && i < scores->end; i += VW)
        v_store(scores->values + i, v_tanh(v_load(scores->values + i) * v_set(1 / cap)) * v_set(cap));
    return args->mask == MASK_NONE     ? add_bias(scores, MASK_NONE)
           : args->mask == MASK_FLOATS ? add_bias(scores, MASK_FLOATS)
                                       : add_bias(scores, MASK_BOOLS);
}

/* Where the largest is -infinity, which a maximum may be that lost a NaN. */
static bool sees_nothing(const Scores *scores) {
    vi is_nan = v_set_int(0);
    for (int64_t i = scores->begin; i < scores->end; i += VW)
        is_nan |= v_is_nan(v_load(scores->values + i));
    for (int lane = 0; lane < VW; lane++)
        if (is_nan[lane])
            return false;
    return true;
}

/* Weights in the place of scores; their sum. */
static float weigh(const Scores *scores, float largest) {
    vf sum = v_zero();
    for (int64_t i = scores->begin; i < scores->end; i += VW) {
        const vf weight = v_exp(v_load(scores->values + i) - v_set(largest));
        v_store(scores->values + i, weight);
        sum += weight;
    }
    return v_sum_lanes(sum);
}

static void scale(float *values, int64_t width, float factor) {
    for (int64_t i = 0; i < width; i += VW)
        v_store(values + i, v_load(values + i) * v_set(factor));
}

/* Turns scores into weights relative to the largest so far, as what the row has from before becomes, too. */
static void update_row(const AttentionArgs *args, AttentionRow *row, const Scores *scores) {
    const float now = finish_scores(args, scores), largest = now > row->largest ? now : row->largest;
    if (largest == -INFINITY && sees_nothing(scores)) {
        memset(scores->values + scores->begin, 0, (size_t)(scores->end - scores->begin) * sizeof(float));
        return;
    }
    const float factor = row->largest == -INFINITY ? 0 : expf(row->largest - largest);
    if (factor != 1)
        scale(row->sums, args->v_width, factor);
    row->weight = row->weight * factor + weigh(scores, largest);
    row->largest = largest;
}

/* --- tiles of rows --- */

/* What any of the rows sees. */
static AttentionRange seen_by_any(const AttentionRow *rows, int64_t count) {
    AttentionRange any = {INT64_MAX, 0};
    for (int64_t i = 0; i < count; i++)
        if (rows[i].seen.begin < rows[i].seen.end)
            any =
                (AttentionRange){i64_min(any.begin, rows[i].seen.begin), i64_max(any.end, rows[i].seen.end)};
    return any.begin < any.end ? any : (AttentionRange){0, 0};
}

/* Elements [begin, begin + count) of the rows of Q, scaled. */
static void load_queries(const Task *t, const AttentionRow *rows, int64_t n_rows, int64_t begin,
                         int64_t count) {
    const vf factor = v_set(t->args->scale);
    for (int64_t r = 0; r < n_rows; r++) {
        const float *from = rows[r].q + begin;
        float *to = t->queries + r * STEP;
        int64_t i = 0;
        for (; i + VW <= count; i += VW)
            v_store(to + i, v_load(from + i) * factor);
        if (i < count)
            v_store_first(to + i, v_load_first(from + i, count - i, 0) * factor, count - i);
    }
}

/* Columns [begin, end) of the scores, whole panels. */
static void multiply_keys(const Task *t, const AttentionRow *rows, int64_t n_rows, int64_t begin,
                          int64_t end) {
    const int64_t size = t->args->g.size;
    for (int64_t i = 0; i < size; i += ATTENTION_CHUNK) {
        const int64_t count = i64_min(size - i, ATTENTION_CHUNK);
        load_queries(t, rows, n_rows, i, count);
        for (int64_t n = begin; n < end; n += PANEL)
            products[n_rows - 1][ATTENTION_COLUMNS - 1](t->queries, t->panels + n * size + i * PANEL, PANEL,
                                                        count, i > 0, t->scores + n, STEP);
    }
}

static void multiply_values(const Task *t, const Chunk *chunk, const AttentionRow *rows, int64_t n_rows,
                            int64_t begin, int64_t end) {
    const int64_t width = t->args->v_width;
    for (int64_t n = 0; n < width; n += PANEL)
        products[n_rows - 1][width - n > VW](t->scores + begin, chunk->v + begin * chunk->v_step + n,
                                             chunk->v_step, end - begin, true, rows[0].sums + n, width);
}

static void attend_tile(const Task *t, const Chunk *chunk, AttentionRow *rows, int64_t n_rows) {
    const size_t element = t->args->mask == MASK_BOOLS ? 1 : sizeof(float);
    const AttentionRange any = seen_by_any(rows, n_rows);
    const int64_t begin = i64_max(any.begin - chunk->first, 0) / PANEL * PANEL,
                  end = i64_min(any.end - chunk->first, chunk->count);
    if (begin >= end)
        return;
    const int64_t columns = begin + (end - begin + PANEL - 1) / PANEL * PANEL;
    multiply_keys(t, rows, n_rows, begin, columns);
    for (int64_t r = 0; r < n_rows; r++) {
        const Scores scores = {.values = t->scores + r * STEP,
                               .begin = begin,
                               .end = columns,
                               .from = rows[r].seen.begin - chunk->first,
                               .to = i64_min(rows[r].seen.end - chunk->first, chunk->count),
                               .mask = rows[r].mask ? rows[r].mask + (size_t)chunk->first * element : NULL};
        update_row(t->args, &rows[r], &scores);
    }
    multiply_values(t, chunk, rows, n_rows, begin, end);
}

static void attend_chunk(const Task *t, Chunk *chunk) {
    const int64_t tiles = (t->n_rows + TILE_ROWS - 1) / TILE_ROWS;
    pack_keys(t, chunk);
    if (t->args->copies_v)
        copy_values(t, chunk);
    for (int64_t i = 0; i < tiles; i++) {
        const int64_t first = i * t->n_rows / tiles, end = (i + 1) * t->n_rows / tiles;
        attend_tile(t, chunk, t->rows + first, end - first);
    }
}

/* A row that sees nothing is 0, or NaN. */
static void store_row(const AttentionArgs *args, const AttentionRow *row) {
    const int64_t size = args->g.v_size;
    const vf factor = v_set(row->weight != 0 ? 1 / row->weight : args->attrs.nan_where_none ? NAN : 0);
    int64_t i = 0;
    for (; i + VW <= size; i += VW)
        v_store(row->y + i, v_load(row->sums + i) * factor);
    if (i < size)
        v_store_first(row->y + i, v_load(row->sums + i) * factor, size - i);
}

/* --- the task --- */

/* Rows from `first` on of all query heads that go with one of keys. */
static void make_rows(const KernelCall *call, Task *t, int64_t batch, int64_t kv_head, int64_t first) {
    const AttentionArgs *args = call->args;
    const AttentionGeometry *g = &args->g;
    const int64_t length = g->has_lengths ? ((const int64_t *)call->inputs[ATTENTION_LENGTHS])[batch] : 0;
    const size_t element = args->mask == MASK_BOOLS ? 1 : sizeof(float);
    int64_t head = kv_head * g->group + first / g->rows, at = first % g->rows;
    float *sums = (float *)call->scratch + args->sums_at;
    memset(sums, 0, (size_t)(t->n_rows * args->v_width) * sizeof *sums);
    for (int64_t i = 0; i < t->n_rows; i++, sums += args->v_width) {
        t->rows[i] = (AttentionRow){.q = (const float *)call->inputs[ATTENTION_Q] + batch * g->q.batch +
                                         head * g->q.head + at * g->q.row,
                                    .y = (float *)call->outputs[ATTENTION_Y] + batch * g->y.batch +
                                         head * g->y.head + at * g->y.row,
                                    .sums = sums,
                                    .seen = attention_range(&args->attrs, g, length, at),
                                    .largest = -INFINITY};
        if (args->mask != MASK_NONE)
            t->rows[i].mask = (const char *)call->inputs[ATTENTION_MASK] +
                              bytes_of(element, attention_mask_row(g, batch, head, at)).n;
        if (++at == g->rows) {
            at = 0;
            head++;
        }
    }
}

static Task task_of(const KernelCall *call, int64_t index) {
    const AttentionArgs *args = call->args;
    const AttentionGeometry *g = &args->g;
    float *scratch = call->scratch;
    const int64_t matrix = index / args->row_parts, first = index % args->row_parts * args->rows_a_task,
                  batch = matrix / g->kv_heads, kv_head = matrix % g->kv_heads;
    Task t = {.args = args,
              .k = (const float *)call->inputs[ATTENTION_K] + batch * g->k.batch + kv_head * g->k.head,
              .v = (const float *)call->inputs[ATTENTION_V] + batch * g->v.batch + kv_head * g->v.head,
              .n_rows = i64_min(args->rows - first, args->rows_a_task),
              .rows = (AttentionRow *)(void *)(scratch + args->rows_at),
              .panels = scratch,
              .values = scratch + args->v_at,
              .queries = scratch + args->tiles_at,
              .scores = scratch + args->tiles_at + TILE_ROWS * STEP};
    if (g->past) {
        t.past_k = (const float *)call->inputs[ATTENTION_PAST_KEY] + matrix * g->past * g->size;
        t.past_v = (const float *)call->inputs[ATTENTION_PAST_VALUE] + matrix * g->past * g->v_size;
    }
    make_rows(call, &t, batch, kv_head, first);
    return t;
}

static void run(const KernelCall *call, int64_t index) {
    const Task t = task_of(call, index);
    const AttentionRange any = seen_by_any(t.rows, t.n_rows);
    for (int64_t first = any.begin; first < any.end;) {
        Chunk chunk = chunk_at(&t, first, any.end);
        attend_chunk(&t, &chunk);
        first += chunk.count;
    }
    for (int64_t i = 0; i < t.n_rows; i++)
        store_row(t.args, &t.rows[i]);
}

const AttentionTable TARGET(attention) = {.tile_rows = TILE_ROWS, .run = run};
