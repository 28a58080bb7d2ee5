/* SPDX-License-Identifier: Apache-2.0 */
/* A task of transposed convolution (transpose.c). */
#include <string.h>

#include "base/size.h"
#include "ops/cpu/conv/transpose.h"
#include "ops/cpu/cpu.h"

typedef struct TransposePlace {
    int64_t image, z, phase_z, phase_y, first, rows, first_column, blocks_begin, blocks_end;
    int64_t in_z;                        /* the depth that tap 0 reads */
    int64_t first_depth_tap, depth_taps; /* those that read inside the input */
} TransposePlace;

/* The rows of the row tile in one plane of the input, with zeros where that has none. */
static void copy_plane(const TransposeArgs *args, const float *plane, const TransposePlace *place,
                       float *to) {
    const int64_t pixel_floats = args->width, columns = args->scratch_columns;
    const int64_t column = args->first_column + place->first_column;
    const int64_t before = i64_min(i64_max(-column, 0), columns);
    const int64_t inside = i64_max(i64_min(args->x.in - i64_max(column, 0), columns - before), 0);
    const int64_t first = args->rows[place->phase_y].first + place->first - args->halo_y;
    for (int64_t at = first; at < first + place->rows + args->halo_y; at++, to += columns * pixel_floats) {
        if (at < 0 || at >= args->y.in) {
            memset(to, 0, (size_t)(columns * pixel_floats) * sizeof *to);
            continue;
        }
        const float *source = plane + (at * args->x.in + i64_max(column, 0)) * pixel_floats;
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
    for (int64_t block = first->in_first; block < last->in_first + last->in_count; block++)
        for (int64_t k = 0; k < place->depth_taps; k++) {
            const int64_t z = place->in_z - place->first_depth_tap - k;
            copy_plane(args, in + (block * args->z.in + z) * args->y.in * args->x.in * args->width, place,
                       scratch + (block - first->in_first) * args->scratch_block + k * args->scratch_plane);
        }
}

static TransposePlace place_of(const TransposeArgs *args, int64_t task) {
    const int64_t part = task % args->parts, column_tile = task / args->parts % args->column_tiles;
    const int64_t rest = task / (args->parts * args->column_tiles), row_tile = rest % args->row_tiles;
    const int64_t phase = rest / args->row_tiles, plane = phase / args->y.stride;
    TransposePlace place = {.image = plane / args->z.out,
                            .z = plane % args->z.out,
                            .phase_y = phase % args->y.stride,
                            .first = row_tile * args->rows_a_tile,
                            .first_column = column_tile * args->columns_a_tile,
                            .blocks_begin = part * args->blocks_a_task};
    place.rows = i64_min(args->rows_a_tile, args->rows[place.phase_y].count - place.first);
    place.blocks_end = i64_min(place.blocks_begin + args->blocks_a_task, args->n_tile_blocks);
    /* Phases begin at q = Phase.first; pads may be of either sign. */
    while (args->depths[place.phase_z].count == 0 ||
           (place.z - args->depths[place.phase_z].out) % args->z.stride != 0)
        place.phase_z++;
    const Phase *depth = &args->depths[place.phase_z];
    place.in_z = depth->first + (place.z - depth->out) / args->z.stride;
    place.first_depth_tap = i64_max(place.in_z - (args->z.in - 1), 0);
    place.depth_taps = i64_max(i64_min(depth->taps, place.in_z + 1) - place.first_depth_tap, 0);
    return place;
}

/* One row of one phase by one run of blocks. */
static void run_row(const TransposeArgs *args, const TransposePlace *place, const TileBlocks *blocks,
                    const Phase *columns, ConvTile *tile, const float *in, float *out,
                    const float *residual) {
    const int64_t first = place->first_column, width = args->width;
    const int64_t count = i64_min(args->columns_a_tile, columns->count - first);
    const int64_t n = tile_count(args->tiles, count, blocks->count);
    for (int64_t i = 0; i < n; i++) {
        const int64_t begin = i * count / n, end = (i + 1) * count / n;
        const int64_t at = (columns->out + (first + begin) * args->x.stride) * width;
        tile->in = in + (columns->first + begin - args->first_column) * width;
        tile->out = out + at;
        tile->residual = residual ? residual + at : NULL;
        args->tiles->blocked[blocks->count][end - begin](tile);
    }
}

void conv_transpose_run(const KernelCall *call, int64_t task) {
    const TransposeArgs *args = call->args;
    TransposePlace place = place_of(args, task);
    if (place.rows <= 0)
        return;
    const Phase *rows = &args->rows[place.phase_y];
    int64_t width = args->width, in_block = args->z.in * args->y.in * args->x.in * width,
            out_plane = args->y.out * args->x.out * width, out_block = args->z.out * out_plane;
    const int64_t out_at = place.image * args->out_blocks * out_block + place.z * out_plane;
    const float *in = (const float *)call->inputs[CONV_X] + place.image * args->in_blocks * in_block;
    float *out = (float *)call->outputs[0] + out_at;
    const float *residual = cpu_residual(call, &args->epilogue);
    const TileBlocks *first = &args->pack.blocks[place.blocks_begin];
    const ConvPacked packed = conv_packed(&args->pack, call);
    int64_t row_floats = args->scratch_columns * width;
    copy_row_tile(args, in, &place, call->scratch);
    ConvTile tile = {.in_block_stride = args->scratch_block,
                     .block_channels = (int)width,
                     .out_block_stride = out_block,
                     .out_pixel_stride = args->x.stride * width,
                     .epilogue = &args->epilogue};
    for (int64_t phase_x = 0; phase_x < args->x.stride; phase_x++) {
        const Phase *columns = &args->columns[phase_x];
        int64_t phase = (place.phase_z * args->y.stride + place.phase_y) * args->x.stride + phase_x;
        int64_t plane_taps = rows->taps * columns->taps;
        tile.taps = args->taps + phase * args->max_taps + place.first_depth_tap * plane_taps;
        tile.n_taps = place.depth_taps * plane_taps;
        tile.all_taps = args->depths[place.phase_z].taps * plane_taps;
        tile.sum_blocks = tile_sum_blocks(tile.all_taps * width);
        for (int64_t b = place.blocks_begin; b < place.blocks_end && columns->count > place.first_column;
             b++) {
            const TileBlocks *blocks = &args->pack.blocks[phase * args->n_tile_blocks + b];
            tile_set_blocks(&tile, blocks, packed.weights, packed.bias, args->width, args->out_channels);
            for (int64_t r = 0; r < place.rows; r++) {
                int64_t at = blocks->first * out_block +
                             (rows->out + (place.first + r) * args->y.stride) * args->x.out * width;
                const float *from = (const float *)call->scratch + (args->halo_y + r) * row_floats -
                                    place.first_depth_tap * args->scratch_plane +
                                    (int64_t)(blocks->in_first - first->in_first) * tile.in_block_stride;
                run_row(args, &place, blocks, columns, &tile, from, out + at,
                        residual ? residual + out_at + at : NULL);
            }
        }
    }
}
