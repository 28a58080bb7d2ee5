/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/cpu/conv/row_chunks.h"

#include "base/size.h"

/* Output pixels that see tap `k` inside the image. */
static void seen_by(const WindowDim *dim, int64_t k, int64_t *begin, int64_t *end) {
    const int64_t shift = k * dim->dilation - dim->pad_begin;
    *begin = i64_min(i64_max(0, -shift), dim->out);
    *end = i64_max(i64_min(dim->out, dim->in - shift), *begin);
}

/* Where the next chunk from `at` on ends: at the next pixel whose taps differ.  The taps that it sees are
 * [first, last), none where first = last: their inputs ascend, so they lie together. */
static int64_t chunk_end(const WindowDim *dim, int64_t at, int64_t *first, int64_t *last) {
    int64_t next = dim->out;
    *first = dim->kernel;
    *last = 0;
    for (int64_t k = 0; k < dim->kernel; k++) {
        int64_t begin, end;
        seen_by(dim, k, &begin, &end);
        if (begin > at)
            next = i64_min(next, begin);
        if (end > at)
            next = i64_min(next, end);
        if (begin <= at && at < end) {
            *first = i64_min(*first, k);
            *last = k + 1;
        }
    }
    if (*last == 0)
        *first = 0;
    return next;
}

void row_chunks_kernel_rows(const WindowDim *y, int64_t at, int64_t *begin, int64_t *end) {
    chunk_end(y, at, begin, end);
}

static Status make_taps(const WindowDim *y, const WindowDim *x, int64_t first, int64_t last,
                        int64_t pixel_floats, PrepareContext *ctx, RowChunk *chunk) {
    chunk->columns = last - first;
    const int64_t count = i64_product(y->kernel, chunk->columns);
    ConvTap *taps = region_alloc_array(ctx->region, (size_t)count + 1, sizeof *taps);
    if (!taps)
        return fail_memory(ctx->err, bytes_of(sizeof *taps, count).n, "the plan");
    for (int64_t t = 0; t < count; t++) {
        const int64_t i = t / chunk->columns, j = first + t % chunk->columns;
        taps[t] = (ConvTap){((i * y->dilation - y->pad_begin) * x->in + j * x->dilation - x->pad_begin) *
                                pixel_floats,
                            i * x->kernel + j};
    }
    chunk->taps = taps;
    return STRIDER_OK;
}

Status row_chunks_make(const WindowDim *y, const WindowDim *x, const ConvTiles *tiles, int count,
                       int64_t pixel_floats, PrepareContext *ctx, RowChunks *row_chunks) {
    int64_t first, last, n = 0;
    for (int64_t at = 0, end; at < x->out; at = end) {
        end = chunk_end(x, at, &first, &last);
        n += tile_count(tiles, end - at, count);
    }
    *row_chunks = (RowChunks){region_alloc_array(ctx->region, (size_t)n, sizeof *row_chunks->chunks), 0};
    if (!row_chunks->chunks)
        return fail_memory(ctx->err, bytes_of(sizeof *row_chunks->chunks, n).n, "the plan");
    for (int64_t at = 0, end; at < x->out; at = end) {
        end = chunk_end(x, at, &first, &last);
        RowChunk chunk;
        TRY(make_taps(y, x, first, last, pixel_floats, ctx, &chunk));
        const int64_t parts = tile_count(tiles, end - at, count);
        for (int64_t i = 0; i < parts; i++) {
            chunk.begin = at + i * (end - at) / parts;
            chunk.end = at + (i + 1) * (end - at) / parts;
            row_chunks->chunks[row_chunks->n_chunks++] = chunk;
        }
    }
    return STRIDER_OK;
}

double row_chunks_cycles(const WindowDim *y, const WindowDim *x, const ConvTiles *tiles, int count) {
    int64_t first, last;
    double rows = 0, row = 0;
    for (int64_t k = 0; k < y->kernel; k++) {
        seen_by(y, k, &first, &last);
        rows += (double)(last - first);
    }
    for (int64_t at = 0, end; at < x->out; at = end) {
        end = chunk_end(x, at, &first, &last);
        const double n = (double)tile_count(tiles, end - at, count);
        row += (double)(last - first) * n * tile_cycles(count, (double)(end - at) / n);
    }
    return rows * row;
}
