/* SPDX-License-Identifier: Apache-2.0 */
/* A task of direct convolution: a row tile in one depth times a run of output blocks
 * (direct.c). */
#include <string.h>

#include "base/size.h"
#include "ops/cpu/conv/direct.h"
#include "ops/cpu/cpu.h"

/* One input row into scratch memory, as windows see it from output `first` on: for each remainder modulo the
 * stride, its columns in order. */
static void copy_row(const DirectArgs *args, const float *row, int64_t first, float *to) {
    const int64_t pixel_floats = args->pixel_floats, stride = args->x.stride, width = args->x.in;
    if (!row) {
        memset(to, 0, (size_t)args->row_floats * sizeof *to);
        return;
    }
    for (int64_t phase = 0; phase < stride; phase++, to += args->phase_pixels * pixel_floats) {
        int64_t at = first * stride + phase - args->x.pad_begin,
                pixel = 0; /* the column of the input that the next pixel is */
        for (; pixel < args->phase_pixels && at < 0; pixel++, at += stride)
            memset(to + pixel * pixel_floats, 0, (size_t)pixel_floats * sizeof *to);
        if (stride == 1 && at < width) {
            int64_t run = i64_min(args->phase_pixels - pixel, width - at);
            memcpy(to + pixel * pixel_floats, row + at * pixel_floats,
                   (size_t)(run * pixel_floats) * sizeof *to);
            pixel += run;
        } else {
            const int64_t there = at < width ? ceil_div(width - at, stride) : 0;
            const int64_t count = i64_min(args->phase_pixels - pixel, there);
            (pixel_floats == 1 ? args->tiles->gather : args->tiles->gather_vectors)(
                row + at * pixel_floats, stride, count, to + pixel * pixel_floats);
            pixel += count;
        }
        memset(to + pixel * pixel_floats, 0,
               (size_t)((args->phase_pixels - pixel) * pixel_floats) * sizeof *to);
    }
}

/* `count` of the pixels that outputs see, from output `first` of a plane on. */
static void copy_sampled(const DirectArgs *args, const float *plane, int64_t first, int64_t count,
                         float *to) {
    const int64_t pixel_floats = args->pixel_floats, row_pixels = args->x.out;
    for (const int64_t end = first + count; first < end;) {
        const int64_t y = first / row_pixels, x = first % row_pixels;
        const int64_t run = i64_min(row_pixels - x, end - first);
        const float *from = plane + (y * args->y.stride * args->x.in + x * args->x.stride) * pixel_floats;
        (pixel_floats == 1 ? args->tiles->gather : args->tiles->gather_vectors)(from, args->x.stride, run,
                                                                                to);
        first += run;
        to += run * pixel_floats;
    }
}

static int64_t pixels_of_row(const DirectArgs *args, int64_t row) {
    return args->total_pixels ? i64_min(args->row_pixels, args->total_pixels - row * args->row_pixels)
                              : args->row_pixels;
}

/* The rows that a row tile needs of one plane of the input. */
static void copy_plane(const DirectArgs *args, const float *plane, int64_t first_row, int64_t rows,
                       float *scratch) {
    if (args->samples) {
        for (int64_t r = 0; r < rows; r++)
            copy_sampled(args, plane, (first_row + r) * args->row_pixels, pixels_of_row(args, first_row + r),
                         scratch + r * args->row_floats);
        return;
    }
    if (args->total_pixels) {
        for (int64_t r = 0; r < rows; r++)
            copy_row(args, plane, (first_row + r) * args->row_pixels, scratch + r * args->row_floats);
        return;
    }
    int64_t needed = (rows - 1) * args->row_step + (args->y.kernel - 1) * args->y.dilation + 1;
    int64_t spacing =
        args->row_step == args->y.stride ? 1 : args->y.stride; /* input rows between scratch rows */
    for (int64_t r = 0; r < needed; r++) {
        int64_t at = first_row * args->y.stride - args->y.pad_begin + r * spacing;
        bool inside = at >= 0 && at < args->y.in;
        copy_row(args, inside ? plane + at * args->x.in * args->pixel_floats : NULL, 0,
                 scratch + r * args->row_floats);
    }
}

/* Where a task's windows read: the row tile in scratch memory, or the input itself. */
typedef struct TaskInput {
    const float *base;
    int64_t block_stride, row_stride; /* in floats */
    int64_t first_block;              /* that `base` stands for */
} TaskInput;

/* The pixels of one tile in a row, and its taps. */
typedef struct TilePixels {
    int64_t begin, end;
    const ConvTap *taps;
    int64_t n_taps;
} TilePixels;

static int64_t tiles_of_row(const DirectArgs *args, int count, int64_t row) {
    if (args->skips_padding)
        return args->rows_are_chunks ? 1 : args->row_chunks.n_chunks;
    return tile_count(args->tiles, pixels_of_row(args, row), count);
}

/* Of `n`: of about equal size, so that none is nearly empty, or the row's chunks. */
static TilePixels tile_of_row(const DirectArgs *args, const WindowTaps *depths, int64_t row, int64_t i,
                              int64_t n) {
    if (!args->skips_padding) {
        const int64_t pixels = pixels_of_row(args, row);
        return (TilePixels){i * pixels / n, (i + 1) * pixels / n,
                            args->taps + depths->first * args->plane_taps,
                            (depths->end - depths->first) * args->plane_taps};
    }
    const RowChunk *chunk = &args->row_chunks.chunks[args->rows_are_chunks ? row : i];
    int64_t first, last;
    row_chunks_kernel_rows(&args->y, args->rows_are_chunks ? 0 : row, &first, &last);
    return (TilePixels){chunk->begin, chunk->end, chunk->taps + first * chunk->columns,
                        (depths->end - depths->first) * (last - first) * chunk->columns};
}

/* Where a row begins in its plane of the output, in pixels. */
static int64_t row_begin(const DirectArgs *args, int64_t row) {
    return args->rows_are_chunks ? 0 : row * args->row_pixels;
}

static void run_tile(const DirectArgs *args, const TileBlocks *blocks, const TaskInput *input, ConvTile *tile,
                     const TilePixels *pixels, int64_t row_of_tile, float *out, const float *residual) {
    const int64_t begin = pixels->begin;
    const float *in = input->base + (blocks->in_first - input->first_block) * input->block_stride +
                      row_of_tile * input->row_stride;
    tile->taps = pixels->taps;
    tile->n_taps = pixels->n_taps;
    tile->in = in + begin * args->pixel_floats;
    tile->out = out + begin * args->width;
    tile->residual = residual ? residual + begin * args->width : NULL;
    const int count = (int)(pixels->end - begin);
    (args->pixel_floats == 1
         ? args->tiles->plain[blocks->count][count]
         : tile_function(args->tiles, blocks->count, count, tile->tail_out_channels))(tile);
}

typedef struct TaskPlace {
    int64_t image, z, first_row, rows, first_blocks, end_blocks;
    int64_t in_z;      /* where the first of the windows' depths lies; may be outside */
    WindowTaps depths; /* those inside */
} TaskPlace;

/* The tiles of a run of output blocks ask for the next run's weights, which lie after its own: at full pace
 * the first of the next ones would read them faster than memory gives them. */
static void set_prefetch(const DirectArgs *args, const float *weights, const TileBlocks *blocks,
                         int64_t tiles, ConvTile *tile) {
    enum { MAX_BYTES = 128 * 1024 }; /* both runs and the row tile are to stay in L2 */
    const TileBlocks *last = &args->pack.blocks[args->pack.n_blocks - 1],
                     *next = blocks < last ? blocks + 1 : blocks;
    const int64_t floats = (int64_t)(next->weights_at - blocks->weights_at);
    const bool fits = floats * (int64_t)sizeof(float) <= MAX_BYTES;
    tile->prefetch = weights + next->weights_at;
    tile->prefetch_step = fits ? ceil_div(floats, tiles * tile->n_in_blocks * TILE_LINE) * TILE_LINE : 0;
}

/* All tiles of one run of output blocks: its weights stay in the cache while the pixels pass. */
static void run_blocks(const DirectArgs *args, const ConvPacked *packed, const TileBlocks *blocks,
                       const TaskInput *input, ConvTile *tile, const TaskPlace *place, float *out,
                       const float *residual) {
    tile_set_blocks(tile, blocks, packed->weights, packed->bias, args->width, args->out_channels);
    set_prefetch(args, packed->weights, blocks,
                 place->rows * tiles_of_row(args, blocks->count, place->first_row), tile);
    const int64_t prefetch = tile->n_in_blocks * tile->prefetch_step;
    for (int64_t r = 0; r < place->rows; r++) {
        const int64_t row = place->first_row + r, n = tiles_of_row(args, blocks->count, row);
        const int64_t at = blocks->first * tile->out_block_stride + row_begin(args, row) * args->width;
        for (int64_t i = 0; i < n; i++, tile->prefetch += prefetch) {
            const TilePixels pixels = tile_of_row(args, &place->depths, row, i, n);
            run_tile(args, blocks, input, tile, &pixels, r, out + at, residual ? residual + at : NULL);
        }
    }
}

/* Depths follow one another, as their windows read the same planes. */
static TaskPlace row_tile_place(const DirectArgs *args, int64_t row_tile) {
    const int64_t z = row_tile % args->z.out, rest = row_tile / args->z.out;
    TaskPlace place = {
        .image = rest / args->row_tiles, .z = z, .first_row = rest % args->row_tiles * args->rows_a_tile};
    place.rows = i64_min(args->rows_a_tile, args->rows - place.first_row);
    place.in_z = place.z * args->z.stride - args->z.pad_begin;
    place.depths = window_taps(&args->z, place.in_z, args->z.in);
    return place;
}

static TaskPlace task_place(const DirectArgs *args, int64_t task) {
    TaskPlace place = row_tile_place(args, task / args->oc_parts);
    place.first_blocks = task % args->oc_parts * args->tile_blocks_a_task;
    place.end_blocks = i64_min(place.first_blocks + args->tile_blocks_a_task, args->pack.n_blocks);
    return place;
}

static const float *image_of(const DirectArgs *args, const KernelCall *call, int64_t image) {
    return (const float *)call->inputs[CONV_X] + image * args->in_blocks * args->in_block;
}

/* Input blocks [first, end) of a row tile: of each block, the planes that its windows see. */
static void copy_blocks(const DirectArgs *args, const float *in, const TaskPlace *place, int64_t first,
                        int64_t end, float *to) {
    for (int64_t block = first; block < end; block++, to += args->scratch_block)
        for (int64_t k = 0; k < place->depths.end - place->depths.first; k++) {
            const int64_t z = place->in_z + (place->depths.first + k) * args->z.dilation;
            copy_plane(args, in + block * args->in_block + z * args->in_plane, place->first_row, place->rows,
                       to + k * args->scratch_plane);
        }
}

static float *row_tile_copy(const DirectArgs *args, const KernelCall *call, int64_t row_tile) {
    return (float *)call->workspace + row_tile * args->in_blocks * args->scratch_block;
}

void conv_direct_copy(const KernelCall *call, int64_t task) {
    const DirectArgs *args = call->args;
    const int64_t parts = ceil_div(args->in_blocks, args->copy_blocks), row_tile = task / parts;
    const int64_t first = task % parts * args->copy_blocks;
    const TaskPlace place = row_tile_place(args, row_tile);
    copy_blocks(args, image_of(args, call, place.image), &place, first,
                i64_min(first + args->copy_blocks, args->in_blocks),
                row_tile_copy(args, call, row_tile) + first * args->scratch_block);
}

/* The row tile as it was copied, or as it is copied now: the blocks that the task reads. */
static TaskInput input_copied(const DirectArgs *args, const KernelCall *call, const TaskPlace *place,
                              int64_t row_tile) {
    const TileBlocks *first = &args->pack.blocks[place->first_blocks],
                     *last = &args->pack.blocks[place->end_blocks - 1];
    TaskInput input = {.block_stride = args->scratch_block, .row_stride = args->row_step * args->row_floats};
    float *copy = args->copies_once ? row_tile_copy(args, call, row_tile) : call->scratch;
    if (!args->copies_once) {
        input.first_block = first->in_first;
        copy_blocks(args, image_of(args, call, place->image), place, first->in_first,
                    last->in_first + last->in_count, copy);
    }
    input.base = copy - place->depths.first * args->scratch_plane;
    return input;
}

/* The input where it lies. */
static TaskInput input_in_place(const DirectArgs *args, const KernelCall *call, const TaskPlace *place) {
    TaskInput input = {.block_stride = args->in_block};
    if (args->total_pixels)
        input.row_stride = args->row_pixels * args->pixel_floats;
    else if (!args->rows_are_chunks)
        input.row_stride = args->y.stride * args->x.in * args->pixel_floats;
    input.base = image_of(args, call, place->image) + place->in_z * args->in_plane +
                 place->first_row * input.row_stride;
    return input;
}

void conv_direct_run(const KernelCall *call, int64_t task) {
    const DirectArgs *args = call->args;
    const TaskPlace place = task_place(args, task);
    const int64_t out_plane = args->out_plane_pixels * args->width, out_block = args->z.out * out_plane;
    const int64_t out_at = place.image * args->out_blocks * out_block + place.z * out_plane;
    float *out = (float *)call->outputs[0] + out_at;
    const float *residual = cpu_residual(call, &args->epilogue);
    const TaskInput input = args->copies ? input_copied(args, call, &place, task / args->oc_parts)
                                         : input_in_place(args, call, &place);
    const ConvPacked packed = conv_packed(&args->pack, call);
    ConvTile tile = {.in_block_stride = input.block_stride,
                     .sum_blocks = tile_sum_blocks(args->n_taps * args->block_channels),
                     .block_channels = args->block_channels,
                     .all_taps = args->n_taps,
                     .out_block_stride = out_block,
                     .out_pixel_stride = args->width,
                     .epilogue = &args->epilogue};
    for (int64_t run = place.first_blocks; run < place.end_blocks; run++)
        run_blocks(args, &packed, &args->pack.blocks[run], &input, &tile, &place, out,
                   residual ? residual + out_at : NULL);
}
