/* SPDX-License-Identifier: Apache-2.0 */
/* A task of transposed convolution (transpose.c). */
#include <string.h>

#include "base/size.h"
#include "ops/cpu/conv/transpose.h"
#include "ops/cpu/cpu.h"

typedef struct TransposePlace {
    int64_t image, z, phase_z, phase_y, first, rows, first_column, blocks_begin, blocks_end;
    int64_t in_z;      /* q of the depth */
    WindowTaps depths; /* those that read inside the input */
    int64_t in_row;    /* the input row that is the first in scratch memory */
} TransposePlace;

/* The rows of the row tile in one plane of the input, with zeros before and after each. */
static void copy_plane(const TransposeArgs *args, const float *plane, const TransposePlace *place,
                       float *to) {
    const int64_t pixel_floats = args->width, columns = args->scratch_columns, in = args->x.dim.in;
    const int64_t column = args->first_column + place->first_column;
    const int64_t before = i64_min(i64_max(-column, 0), columns);
    const int64_t inside = i64_max(i64_min(in - i64_max(column, 0), columns - before), 0);
    const int64_t end = args->y.phases[place->phase_y].first + place->first + place->rows;
    for (int64_t at = place->in_row; at < i64_min(end, args->y.dim.in); at++, to += columns * pixel_floats) {
        const float *source = plane + (at * in + i64_max(column, 0)) * pixel_floats;
        memset(to, 0, (size_t)(before * pixel_floats) * sizeof *to);
        if (inside)
            memcpy(to + before * pixel_floats, source, (size_t)(inside * pixel_floats) * sizeof *to);
        memset(to + (before + inside) * pixel_floats, 0,
               (size_t)((columns - before - inside) * pixel_floats) * sizeof *to);
    }
}

static void copy_row_tile(const TransposeArgs *args, const float *in, const TransposePlace *place,
                          float *scratch) {
    const TileBlocks *first = &args->pack.blocks[place->blocks_begin],
                     *last = &args->pack.blocks[place->blocks_end - 1];
    const int64_t plane = args->y.dim.in * args->x.dim.in * args->width,
                  shift = args->z.phases[place->phase_z].shift;
    for (int64_t block = first->in_first; block < last->in_first + last->in_count; block++)
        for (int64_t k = place->depths.first; k < place->depths.end; k++) {
            const int64_t z = place->in_z - shift - k * args->z.in_step;
            copy_plane(args, in + (block * args->z.dim.in + z) * plane, place,
                       scratch + (block - first->in_first) * args->scratch_block +
                           (k - place->depths.first) * args->scratch_plane);
        }
}

static TransposePlace place_of(const TransposeArgs *args, int64_t task) {
    const int64_t part = task % args->parts, column_tile = task / args->parts % args->column_tiles;
    const int64_t rest = task / (args->parts * args->column_tiles), row_tile = rest % args->row_tiles;
    const int64_t phase = rest / args->row_tiles, plane = phase / args->y.dim.stride;
    TransposePlace place = {.image = plane / args->z.dim.out,
                            .z = plane % args->z.dim.out,
                            .phase_y = phase % args->y.dim.stride,
                            .first = row_tile * args->rows_a_tile,
                            .first_column = column_tile * args->columns_a_tile,
                            .blocks_begin = part * args->blocks_a_task};
    const Phase *rows = &args->y.phases[place.phase_y];
    place.rows = i64_min(args->rows_a_tile, rows->count - place.first);
    place.in_row = i64_max(rows->first + place.first - args->y.halo, 0);
    place.blocks_end = i64_min(place.blocks_begin + args->blocks_a_task, args->n_tile_blocks);
    /* Phases begin at q = Phase.first; pads may be of either sign. */
    while (args->z.phases[place.phase_z].count == 0 ||
           (place.z - args->z.phases[place.phase_z].out) % args->z.dim.stride != 0)
        place.phase_z++;
    const Phase *depth = &args->z.phases[place.phase_z];
    place.in_z = depth->first + (place.z - depth->out) / args->z.dim.stride;
    place.depths = transpose_taps(&args->z, depth, place.in_z, place.in_z);
    return place;
}

/* A row of one phase, and what its pixels read. */
typedef struct TransposeRow {
    Phases phases;
    WindowTaps rows; /* taps */
    int64_t in_row;  /* q of the row, from TransposePlace.in_row on */
} TransposeRow;

/* The taps in `columns`, from where scratch memory has q of a pixel in its first row; returns their number.
 */
static int64_t list_taps(const TransposeArgs *args, const TransposePlace *place, const TransposeRow *row,
                         WindowTaps columns, ConvTap *taps) {
    const Phase *y = row->phases.y, *x = row->phases.x;
    int64_t n = 0;
    for (int64_t k = place->depths.first; k < place->depths.end; k++)
        for (int64_t i = row->rows.first; i < row->rows.end; i++)
            for (int64_t j = columns.first; j < columns.end; j++) {
                const int64_t in_row = row->in_row - y->shift - i * args->y.in_step,
                              in_column = -x->shift - j * args->x.in_step;
                taps[n++] = (ConvTap){(k - place->depths.first) * args->scratch_plane +
                                          (in_row * args->scratch_columns + in_column) * args->width,
                                      (k * y->taps + i) * x->taps + j};
            }
    return n;
}

/* One row of one phase by one run of blocks; `in` is where its input blocks begin in scratch memory, and
 * `taps` where its taps may be listed. */
static void run_row(const TransposeArgs *args, const TransposePlace *place, const TransposeRow *row,
                    ConvTap *taps, ConvTile *tile, int blocks, const float *in, float *out,
                    const float *residual) {
    const Phase *columns = row->phases.x;
    const int64_t first = place->first_column, width = args->width;
    const int64_t count = i64_min(args->columns_a_tile, columns->count - first);
    const int64_t n = tile_count(args->tiles, count, blocks);
    WindowTaps listed = {-1, -1};
    tile->taps = taps;
    for (int64_t i = 0; i < n; i++) {
        const int64_t begin = i * count / n, end = (i + 1) * count / n, q = columns->first + first + begin;
        const int64_t at = (columns->out + (first + begin) * args->x.dim.stride) * width;
        const WindowTaps seen = transpose_taps(&args->x, columns, q, q + end - begin - 1);
        if (seen.first != listed.first || seen.end != listed.end)
            tile->n_taps = list_taps(args, place, row, seen, taps);
        listed = seen;
        tile->in = in + (columns->first + begin - args->first_column) * width;
        tile->out = out + at;
        tile->residual = residual ? residual + at : NULL;
        tile_function(args->tiles, blocks, (int)(end - begin), tile->tail_out_channels)(tile);
    }
}

/* All rows of one phase by one run of blocks. */
static void run_rows(const TransposeArgs *args, const KernelCall *call, const TransposePlace *place,
                     const Phases *phases, const TileBlocks *blocks, ConvTile *tile) {
    const Phase *y = phases->y;
    const float *residual = cpu_residual(call, &args->epilogue);
    const float *in =
        (const float *)call->scratch +
        (blocks->in_first - args->pack.blocks[place->blocks_begin].in_first) * tile->in_block_stride;
    ConvTap *taps = (ConvTap *)((float *)call->scratch + args->in_blocks * args->scratch_block);
    const int64_t row_floats = args->x.dim.out * args->width, plane = args->y.dim.out * row_floats;
    for (int64_t r = 0; r < place->rows; r++) {
        const int64_t q = y->first + place->first + r;
        const int64_t at =
            ((place->image * args->out_blocks + blocks->first) * args->z.dim.out + place->z) * plane +
            (y->out + (place->first + r) * args->y.dim.stride) * row_floats;
        const TransposeRow row = {*phases, transpose_taps(&args->y, y, q, q), q - place->in_row};
        run_row(args, place, &row, taps, tile, blocks->count, in, (float *)call->outputs[0] + at,
                residual ? residual + at : NULL);
    }
}

void conv_transpose_run(const KernelCall *call, int64_t task) {
    const TransposeArgs *args = call->args;
    const int64_t width = args->width, in_volume = args->z.dim.in * args->y.dim.in * args->x.dim.in;
    const TransposePlace place = place_of(args, task);
    if (place.rows <= 0)
        return;
    const ConvPacked packed = conv_packed(&args->pack, call);
    copy_row_tile(args,
                  (const float *)call->inputs[CONV_X] + place.image * args->in_blocks * in_volume * width,
                  &place, call->scratch);
    ConvTile tile = {.in_block_stride = args->scratch_block,
                     .block_channels = (int)width,
                     .out_block_stride = args->z.dim.out * args->y.dim.out * args->x.dim.out * width,
                     .out_pixel_stride = args->x.dim.stride * width,
                     .epilogue = &args->epilogue};
    for (int64_t phase_x = 0; phase_x < args->x.dim.stride; phase_x++) {
        const int64_t phase =
            (place.phase_z * args->y.dim.stride + place.phase_y) * args->x.dim.stride + phase_x;
        const Phases phases = transpose_phases(args, phase);
        tile.all_taps = phases.taps;
        tile.sum_blocks = tile_sum_blocks(phases.taps * width);
        for (int64_t b = place.blocks_begin; b < place.blocks_end && phases.x->count > place.first_column;
             b++) {
            const TileBlocks *blocks = &args->pack.blocks[phase * args->n_tile_blocks + b];
            tile_set_blocks(&tile, blocks, packed.weights, packed.bias, args->width, args->out_channels);
            run_rows(args, call, &place, &phases, blocks, &tile);
        }
    }
}
