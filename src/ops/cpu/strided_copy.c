/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/cpu/strided_copy.h"

#include <string.h>

#include "base/size.h"

enum {
    MAX_RUN_PARTS = 4096,   /* of a run: more would take long to find */
    TASK_BYTES = 64 * 1024, /* that a task moves, where there is that much */
    LONG_RUN = 2048,        /* bytes; from here on each run is a chunk */
    TILE = 16,              /* rows and columns of a transposed tile: a cache line of floats */
};

/* A box with strides in bytes, and neighbouring dimensions that go on evenly merged. */
typedef struct CopyJob {
    int input, output, rank;
    int64_t dims[COPY_MAX_DIMS], in[COPY_MAX_DIMS], out[COPY_MAX_DIMS];
    int64_t in_offset, out_offset;
    int64_t run_bytes; /* that lie together on both sides */
    int inner;         /* dimensions that a chunk goes through */
    bool transposes;   /* the last dimension is apart in the input, the one before lies together there */
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

static void copy_runs(const char *from, char *to, int64_t count, int64_t in, int64_t out, int64_t run_bytes) {
    typedef struct {
        char bytes[64];
    } Line;
    switch (run_bytes) {
    case 1:
        COPY_RUNS(char)
        break;
    case 4:
        COPY_RUNS(int32_t)
        break;
    case 8:
        COPY_RUNS(int64_t)
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
    const int64_t columns = job->dims[rank - 1];
    for (int64_t begin = 0; begin < columns; begin += TILE) {
        const int64_t count = i64_min(TILE, columns - begin);
        for (int64_t r = 0; r < rows; r++)
            copy_runs(from + r * job->in[rank - 2] + begin * job->in[rank - 1],
                      to + r * job->out[rank - 2] + begin * job->out[rank - 1], count, job->in[rank - 1],
                      job->out[rank - 1], job->run_bytes);
    }
}

/* A chunk is one row of the last dimension, or a tile of the last two. */
static void copy_chunk(const CopyJob *job, const char *from, char *to, int64_t chunk) {
    int d = job->rank - 1 - job->inner;
    int64_t rows = 1;
    if (job->transposes) {
        int64_t tiles = ceil_div(job->dims[d + 1], TILE), first = chunk % tiles * TILE;
        chunk /= tiles;
        rows = i64_min(TILE, job->dims[d + 1] - first);
        from += first * job->in[d + 1];
        to += first * job->out[d + 1];
    }
    for (; d >= 0; d--) {
        int64_t at = chunk % job->dims[d];
        chunk /= job->dims[d];
        from += at * job->in[d];
        to += at * job->out[d];
    }
    if (job->transposes)
        copy_tile(job, from, to, rows);
    else if (job->inner)
        copy_runs(from, to, job->dims[job->rank - 1], job->in[job->rank - 1], job->out[job->rank - 1],
                  job->run_bytes);
    else
        memcpy(to, from, (size_t)job->run_bytes);
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
    for (int64_t chunk = first; chunk < end; chunk++)
        copy_chunk(job, from + job->in_offset, to + job->out_offset, chunk);
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
    if (last < 1 || job->out[last] != job->run_bytes || job->in[last] == job->run_bytes)
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
