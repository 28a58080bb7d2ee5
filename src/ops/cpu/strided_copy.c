/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/cpu/strided_copy.h"

#include <string.h>

#include "base/size.h"
#include "ops/cpu/transpose_block.h"

enum {
    MAX_RUN_PARTS = 4096,   /* of a run: more would take long to find */
    TASK_BYTES = 64 * 1024, /* that a task moves, where there is that much */
    LONG_RUN = 2048,        /* bytes; from here on each run is a chunk */
    TILE = 16,              /* rows and columns of a transposed tile: a cache line of floats */
};

typedef void Transpose(const char *from, int64_t in, char *to, int64_t out, int64_t rows, int64_t columns);

/* NULL where elements have another size. */
static Transpose *transpose_of(int64_t element_bytes) {
    switch (element_bytes) {
    case 1:
        return transpose_bytes;
    case 2:
        return transpose_halves;
    case 4:
        return transpose_words;
    case 8:
        return transpose_doubles;
    default:
        return NULL;
    }
}

/* A box with strides in bytes, and neighbouring dimensions that go on evenly merged. */
typedef struct CopyJob {
    int input, output, rank;
    int64_t dims[COPY_MAX_DIMS], in[COPY_MAX_DIMS], out[COPY_MAX_DIMS];
    int64_t in_offset, out_offset;
    int64_t run_bytes;    /* that lie together on both sides */
    int inner;            /* dimensions that a chunk goes through */
    bool transposes;      /* the last dimension is apart in the input, the one before lies together there */
    Transpose *transpose; /* of blocks there; NULL: element by element */
    int64_t first_task, n_chunks, chunks_a_task;
} CopyJob;

typedef struct CopyArgs {
    int n_jobs;
    CopyJob *jobs;
} CopyArgs;

/* --- running --- */

#define COPY_RUNS(T)                                                                                         \
    for (int64_t i = 0; i < count; i++) {                                                                    \
        T element;                                                                                           \
        memcpy(&element, from + i * in, sizeof element);                                                     \
        memcpy(to + i * out, &element, sizeof element);                                                      \
    }

/* One element again and again: a loop that becomes vectors. */
#define FILL(T)                                                                                              \
    {                                                                                                        \
        T element;                                                                                           \
        memcpy(&element, from, sizeof element);                                                              \
        for (int64_t i = 0; i < count; i++)                                                                  \
            memcpy(to + i * (int64_t)sizeof element, &element, sizeof element);                              \
    }

#define COPY_OR_FILL(T)                                                                                      \
    if (in == 0 && out == sizeof(T))                                                                         \
        FILL(T)                                                                                              \
    else                                                                                                     \
        COPY_RUNS(T)

static void copy_runs(const char *from, char *to, int64_t count, int64_t in, int64_t out, int64_t run_bytes) {
    typedef struct {
        char bytes[64];
    } Line;
    switch (run_bytes) {
    case 1:
        COPY_OR_FILL(char)
        break;
    case 2:
        COPY_OR_FILL(int16_t)
        break;
    case 4:
        COPY_OR_FILL(int32_t)
        break;
    case 8:
        COPY_OR_FILL(int64_t)
        break;
    case sizeof(Line):
        COPY_RUNS(Line)
        break;
    default:
        for (int64_t i = 0; i < count; i++)
            memcpy(to + i * out, from + i * in, (size_t)run_bytes);
    }
}

/* The last two dimensions, a tile of rows of the output at a time. */
static void copy_tile(const CopyJob *job, const char *from, char *to, int64_t rows) {
    const int rank = job->rank;
    const int64_t columns = job->dims[rank - 1], lines = TRANSPOSE_BYTES / job->run_bytes;
    if (rows == 2 && job->run_bytes == sizeof(uint32_t) &&
        job->in[rank - 1] == i64_product(2, job->run_bytes)) {
        split_words(from, to, job->out[rank - 2], columns);
        return;
    }
    for (int64_t begin = 0; begin < columns; begin += TILE) {
        const int64_t count = i64_min(TILE, columns - begin);
        const int64_t whole_rows = job->transpose ? rows / lines * lines : 0,
                      whole_columns = job->transpose ? count / lines * lines : 0;
        if (whole_rows && whole_columns)
            job->transpose(from + begin * job->in[rank - 1], job->in[rank - 1],
                           to + begin * job->out[rank - 1], job->out[rank - 2], whole_rows, whole_columns);
        for (int64_t r = whole_columns == count ? whole_rows : 0; r < rows; r++) {
            const int64_t done = r < whole_rows ? whole_columns : 0, at = begin + done;
            copy_runs(from + r * job->in[rank - 2] + at * job->in[rank - 1],
                      to + r * job->out[rank - 2] + at * job->out[rank - 1], count - done, job->in[rank - 1],
                      job->out[rank - 1], job->run_bytes);
        }
    }
}

/* Chunks in turn: one row of the last dimension, a tile of the last two, or a run. */
typedef struct CopyWalk {
    const CopyJob *job;
    int n_outer; /* dimensions outside a chunk, and of a transposed one its tiles */
    int64_t index[COPY_MAX_DIMS], dims[COPY_MAX_DIMS], in[COPY_MAX_DIMS], out[COPY_MAX_DIMS];
    const char *from;
    char *to;
} CopyWalk;

static CopyWalk walk_from(const CopyJob *job, const char *from, char *to, int64_t chunk) {
    CopyWalk walk = {.job = job, .n_outer = job->rank - job->inner, .from = from, .to = to};
    for (int d = 0; d < walk.n_outer; d++) {
        walk.dims[d] = job->dims[d];
        walk.in[d] = job->in[d];
        walk.out[d] = job->out[d];
    }
    if (job->transposes) {
        const int d = walk.n_outer++;
        walk.dims[d] = ceil_div(job->dims[d], TILE);
        walk.in[d] = job->in[d] * TILE;
        walk.out[d] = job->out[d] * TILE;
    }
    for (int d = walk.n_outer - 1; d >= 0; d--) {
        walk.index[d] = chunk % walk.dims[d];
        chunk /= walk.dims[d];
        walk.from += walk.index[d] * walk.in[d];
        walk.to += walk.index[d] * walk.out[d];
    }
    return walk;
}

static void walk_next(CopyWalk *walk) {
    for (int d = walk->n_outer - 1; d >= 0; d--) {
        walk->from += walk->in[d];
        walk->to += walk->out[d];
        if (++walk->index[d] < walk->dims[d])
            return;
        walk->from -= walk->in[d] * walk->dims[d];
        walk->to -= walk->out[d] * walk->dims[d];
        walk->index[d] = 0;
    }
}

static void copy_chunk(const CopyWalk *walk) {
    const CopyJob *job = walk->job;
    const int last = job->rank - 1;
    if (job->transposes)
        copy_tile(job, walk->from, walk->to,
                  i64_min(TILE, job->dims[last - 1] - walk->index[walk->n_outer - 1] * TILE));
    else if (job->inner)
        copy_runs(walk->from, walk->to, job->dims[last], job->in[last], job->out[last], job->run_bytes);
    else
        memcpy(walk->to, walk->from, (size_t)job->run_bytes);
}

static const CopyJob *job_of(const CopyArgs *args, int64_t task) {
    int64_t first = 0, end = args->n_jobs;
    while (end - first > 1) {
        const int64_t middle = first + (end - first) / 2;
        if (args->jobs[middle].first_task <= task)
            first = middle;
        else
            end = middle;
    }
    return &args->jobs[first];
}

static void copy_run(const KernelCall *call, int64_t task) {
    const CopyArgs *args = call->args;
    const CopyJob *job = job_of(args, task);
    const char *from = call->inputs[job->input];
    char *to = call->outputs[job->output];
    if (!from || !to || from + job->in_offset == to + job->out_offset)
        return;
    int64_t first = (task - job->first_task) * job->chunks_a_task,
            end = i64_min(first + job->chunks_a_task, job->n_chunks);
    CopyWalk walk = walk_from(job, from + job->in_offset, to + job->out_offset, first);
    for (int64_t chunk = first; chunk < end; chunk++, walk_next(&walk))
        copy_chunk(&walk);
}

/* --- preparing --- */

static void merge_dims(CopyJob *job, const CopyBox *box, int64_t element_bytes) {
    for (int d = 0; d < box->rank; d++) {
        int64_t size = box->dims[d], in = box->in_strides[d] * element_bytes,
                out = box->out_strides[d] * element_bytes;
        int last = job->rank - 1;
        if (size == 1)
            continue;
        if (last >= 0 && job->in[last] == in * size && job->out[last] == out * size) {
            job->dims[last] *= size;
        } else {
            last = job->rank++;
            job->dims[last] = size;
        }
        job->in[last] = in;
        job->out[last] = out;
    }
    job->run_bytes = element_bytes;
    int last = job->rank - 1;
    if (last < 0 || job->in[last] != element_bytes || job->out[last] != element_bytes)
        return;
    /* Long runs are divided, so that several tasks can share them. */
    int64_t run = job->dims[last] * element_bytes, parts = i64_min(run / TASK_BYTES, MAX_RUN_PARTS);
    while (parts > 1 && job->dims[last] % parts)
        parts--;
    job->rank--;
    job->run_bytes = run;
    if (parts > 1) {
        job->run_bytes = run / parts;
        job->dims[last] = parts;
        job->in[last] = job->out[last] = job->run_bytes;
        job->rank++;
    }
}

/* Where elements next to each other in the output are apart in the input, the dimension that lies together
 * there is brought next to the last one, to be copied by tiles. */
static void find_transpose(CopyJob *job) {
    int last = job->rank - 1;
    if (last < 1 || job->out[last] != job->run_bytes || job->in[last] == job->run_bytes || job->in[last] == 0)
        return;
    for (int d = 0; d < last; d++)
        if (job->in[d] == job->run_bytes) {
            int64_t dim = job->dims[d], in = job->in[d], out = job->out[d];
            for (; d + 1 < last; d++) {
                job->dims[d] = job->dims[d + 1];
                job->in[d] = job->in[d + 1];
                job->out[d] = job->out[d + 1];
            }
            job->dims[d] = dim;
            job->in[d] = in;
            job->out[d] = out;
            job->transposes = true;
            job->transpose = transpose_of(job->run_bytes);
            return;
        }
}

Status copy_prepare(const CopyBox *boxes, int n_boxes, size_t element_bytes, PrepareContext *ctx,
                    KernelInstance *instance) {
    CopyArgs *args;
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *args, 1), &args));
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *args->jobs, n_boxes), &args->jobs));
    int64_t tasks = 0;
    for (int i = 0; i < n_boxes; i++) {
        const CopyBox *box = &boxes[i];
        int64_t count = 1;
        for (int d = 0; d < box->rank; d++)
            count *= box->dims[d];
        if (count == 0)
            continue;
        CopyJob *job = &args->jobs[args->n_jobs++];
        *job = (CopyJob){.input = box->input,
                         .output = box->output,
                         .in_offset = box->in_offset * (int64_t)element_bytes,
                         .out_offset = box->out_offset * (int64_t)element_bytes,
                         .first_task = tasks};
        merge_dims(job, box, (int64_t)element_bytes);
        find_transpose(job);
        job->inner = job->transposes ? 2 : job->rank && job->run_bytes < LONG_RUN ? 1 : 0;
        int64_t chunk_bytes = job->run_bytes;
        job->n_chunks = 1;
        for (int d = 0; d < job->rank; d++)
            *(d < job->rank - job->inner ? &job->n_chunks : &chunk_bytes) *= job->dims[d];
        if (job->transposes) {
            int64_t tiles = ceil_div(job->dims[job->rank - 2], TILE);
            job->n_chunks *= tiles;
            chunk_bytes = ceil_div(chunk_bytes, tiles);
        }
        job->chunks_a_task = i64_max(TASK_BYTES / chunk_bytes, 1);
        tasks += ceil_div(job->n_chunks, job->chunks_a_task);
    }
    *instance = (KernelInstance){.run = copy_run, .args = args, .tasks = tasks};
    return STRIDER_OK;
}

bool copy_is_one_run(const int64_t *dims, const int64_t *strides, int rank) {
    int64_t stride = 1;
    for (int d = rank - 1; d >= 0; d--) {
        if (dims[d] != 1 && strides[d] != stride)
            return false;
        stride *= dims[d];
    }
    return true;
}

int physical_dims(const Shape *shape, Layout layout, int64_t dims[COPY_MAX_DIMS]) {
    memcpy(dims, shape->dims, sizeof shape->dims);
    if (layout.kind == LAYOUT_PLAIN)
        return shape->rank;
    dims[1] = layout_blocks(shape, layout);
    dims[shape->rank] = layout.block;
    return shape->rank + 1;
}

void physical_strides(const int64_t *dims, int rank, int64_t strides[COPY_MAX_DIMS]) {
    int64_t stride = 1;
    for (int d = rank - 1; d >= 0; d--) {
        strides[d] = stride;
        stride *= dims[d];
    }
}
