/* SPDX-License-Identifier: Apache-2.0 */
/* A task's rows of attention, by tiles of rows and chunks of keys: scores by products with panels of keys,
 * which are packed once for all of the task's rows; their exponentials where they lie; then products with
 * values as they lie. */
#include <math.h>

#include "base/size.h"
#include "ops/cpu/attention_simd.h"
#include "ops/cpu/transpose_4.h"

/* One head of keys and values, and what a task has for it. */
typedef struct Task {
    const AttentionArgs *args;
    const char *k, *v, *past_k, *past_v;
    int64_t n_rows;
    AttentionRow *rows;                                    /* scratch memory, as all that follows */
    float *panels, *values, *converted, *queries, *scores; /* the last two: a tile of rows */
} Task;

/* Some keys that lie one after the other. */
typedef struct Chunk {
    int64_t first, count;
    const char *k, *v;
    int64_t k_step, v_step; /* in elements */
    const float *values;    /* the same as v, or converted */
} Chunk;

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

/* Up to four keys; those that are not there are zeros. */
static void pack_some(const float *k, int64_t row, int64_t count, int64_t size, float *to) {
    if (count >= 4) {
        pack_four(k, row, size, to);
        return;
    }
    for (int64_t i = 0; i < size; i++)
        for (int j = 0; j < 4; j++)
            to[i * PANEL + j] = j < count ? k[j * row + i] : 0;
}

static void pack_keys(const Task *t, const Chunk *chunk) {
    const int64_t size = t->args->g.size, columns = (chunk->count + PANEL - 1) / PANEL * PANEL;
    const DType dtype = t->args->dtype;
    for (int64_t key = 0; key < columns; key += 4) {
        float *to = t->panels + key / PANEL * PANEL * size + key % PANEL;
        const int64_t count = i64_max(i64_min(chunk->count - key, 4), 0);
        if (dtype == STRIDER_F32) {
            pack_some((const float *)(const void *)chunk->k + key * chunk->k_step, chunk->k_step, count, size,
                      to);
            continue;
        }
        for (int64_t i = 0; i < count; i++)
            floats_of(dtype, chunk->k, (key + i) * chunk->k_step, size, t->converted + i * size);
        pack_some(t->converted, size, count, size, to);
    }
}

/* Rows of whole vectors, of float32. */
static void copy_values(const Task *t, Chunk *chunk) {
    const int64_t size = t->args->g.v_size, width = t->args->v_width;
    for (int64_t key = 0; key < chunk->count; key++) {
        float *to = t->values + key * width;
        floats_of(t->args->dtype, chunk->v, key * chunk->v_step, size, to);
        memset(to + size, 0, (size_t)(width - size) * sizeof *to);
    }
    chunk->values = t->values;
    chunk->v_step = width;
}

/* The keys from `first` on, up to a chunk of those that are of the past, or of those that are not. */
static Chunk chunk_at(const Task *t, int64_t first, int64_t end) {
    const AttentionGeometry *g = &t->args->g;
    const size_t element = dtype_size(t->args->dtype);
    const bool is_past = first < g->past;
    const int64_t at = is_past ? first : first - g->past;
    Chunk chunk = {.first = first,
                   .count =
                       i64_min(i64_min(end - first, ATTENTION_CHUNK), is_past ? g->past - first : INT64_MAX),
                   .k_step = is_past ? g->size : g->k.row,
                   .v_step = is_past ? g->v_size : g->v.row};
    chunk.k = (is_past ? t->past_k : t->k) + bytes_of(element, at * chunk.k_step).n;
    chunk.v = (is_past ? t->past_v : t->v) + bytes_of(element, at * chunk.v_step).n;
    chunk.values = (const float *)(const void *)chunk.v;
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
    if (largest != row->largest && row->largest != -INFINITY) {
        const float factor = expf(row->largest - largest);
        scale(row->sums, args->v_width, factor);
        row->weight *= factor;
    }
    row->weight += weigh(scores, largest);
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

/* Elements [begin, begin + count) of the rows of Q, scaled; whole vectors are written. */
static void load_queries(const Task *t, const AttentionRow *rows, int64_t n_rows, int64_t begin,
                         int64_t count) {
    for (int64_t r = 0; r < n_rows; r++) {
        float *to = t->queries + r * STEP;
        floats_of(t->args->dtype, rows[r].q, begin, count, to);
        scale(to, count, t->args->scale);
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
        products[n_rows - 1][width - n > VW](t->scores + begin, chunk->values + begin * chunk->v_step + n,
                                             chunk->v_step, end - begin, true, rows[0].sums + n, width);
}

/* A row of the mask, from the chunk's first key on. */
static const char *mask_row(const Task *t, const Chunk *chunk, const AttentionRow *row) {
    const AttentionArgs *args = t->args;
    if (!row->mask)
        return NULL;
    if (args->mask == MASK_BOOLS || args->mask_dtype == STRIDER_F32)
        return row->mask + bytes_of(dtype_size(args->mask_dtype), chunk->first).n;
    const int64_t count = i64_min(i64_max(row->seen.end - chunk->first, 0), chunk->count);
    floats_of(args->mask_dtype, row->mask, chunk->first, count, t->converted);
    return (const char *)t->converted;
}

static void attend_tile(const Task *t, const Chunk *chunk, AttentionRow *rows, int64_t n_rows) {
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
                               .mask = mask_row(t, chunk, &rows[r])};
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
    scale(row->sums, args->v_width,
          row->weight != 0             ? 1 / row->weight
          : args->attrs.nan_where_none ? NAN
                                       : 0);
    store_floats(args->dtype, row->y, row->sums, args->g.v_size);
}

/* --- the task --- */

static const char *element_at(const void *base, DType dtype, int64_t at) {
    return (const char *)base + bytes_of(dtype_size(dtype), at).n;
}

/* Rows from `first` on of all query heads that go with one of keys. */
static void make_rows(const KernelCall *call, Task *t, int64_t batch, int64_t kv_head, int64_t first) {
    const AttentionArgs *args = call->args;
    const AttentionGeometry *g = &args->g;
    const int64_t length = g->has_lengths ? ((const int64_t *)call->inputs[ATTENTION_LENGTHS])[batch] : 0;
    int64_t head = kv_head * g->group + first / g->rows, at = first % g->rows;
    float *sums = (float *)call->scratch + args->sums_at;
    memset(sums, 0, (size_t)(t->n_rows * args->v_width) * sizeof *sums);
    for (int64_t i = 0; i < t->n_rows; i++, sums += args->v_width) {
        const int64_t q = batch * g->q.batch + head * g->q.head + at * g->q.row,
                      y = batch * g->y.batch + head * g->y.head + at * g->y.row;
        t->rows[i] = (AttentionRow){.q = element_at(call->inputs[ATTENTION_Q], args->dtype, q),
                                    .y = (char *)element_at(call->outputs[ATTENTION_Y], args->dtype, y),
                                    .sums = sums,
                                    .seen = attention_range(&args->attrs, g, length, at),
                                    .largest = -INFINITY};
        if (args->mask != MASK_NONE)
            t->rows[i].mask = element_at(call->inputs[ATTENTION_MASK], args->mask_dtype,
                                         attention_mask_row(g, batch, head, at));
        if (++at == g->rows) {
            at = 0;
            head++;
        }
    }
}

static Task task_of(const KernelCall *call, int64_t index) {
    const AttentionArgs *args = call->args;
    const AttentionGeometry *g = &args->g;
    const DType dtype = args->dtype;
    float *scratch = call->scratch;
    const int64_t matrix = index / args->row_parts, first = index % args->row_parts * args->rows_a_task,
                  batch = matrix / g->kv_heads, kv_head = matrix % g->kv_heads;
    Task t = {
        .args = args,
        .k = element_at(call->inputs[ATTENTION_K], dtype, batch * g->k.batch + kv_head * g->k.head),
        .v = element_at(call->inputs[ATTENTION_V], dtype, batch * g->v.batch + kv_head * g->v.head),
        .n_rows = i64_min(args->rows - first, args->rows_a_task),
        .rows = (AttentionRow *)(void *)(scratch + args->rows_at),
        .panels = scratch,
        .values = scratch + args->v_at,
        .converted = scratch + args->converted_at,
        .queries = scratch + args->tiles_at,
        .scores = scratch + args->tiles_at + TILE_ROWS * STEP,
    };
    if (g->past) {
        t.past_k = element_at(call->inputs[ATTENTION_PAST_KEY], dtype, matrix * g->past * g->size);
        t.past_v = element_at(call->inputs[ATTENTION_PAST_VALUE], dtype, matrix * g->past * g->v_size);
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
