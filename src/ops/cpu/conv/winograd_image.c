/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/cpu/conv/winograd_image.h"

#include <string.h>

#include "base/size.h"
#include "ops/cpu/conv/query.h"
#include "ops/cpu/conv/tile.h"

static bool accepts(KernelQuery *query, int64_t stride) {
    const ConvAttrs *attrs = query->node->attrs;
    if (attrs->group != 1 || !conv_accepts_blocked(query, cpu_blocked(query)))
        return false;
    const ConvGeometry g = winograd_geometry(query);
    for (int i = 0; i < g.spatial; i++)
        if (g.dims[i].kernel != 3 || g.dims[i].stride != stride || (stride > 1 && g.dims[i].dilation > 1))
            return false;
    return true;
}

bool winograd_accepts(KernelQuery *query) {
    return accepts(query, 1);
}

bool winograd_accepts_stride_2(KernelQuery *query) {
    return accepts(query, 2);
}

ConvGeometry winograd_geometry(const KernelQuery *query) {
    ConvGeometry g = conv_query_volume(query);
    if (g.dims[0].kernel > 1)
        g.in_channels = count_of(g.dims[0].kernel, ceil_div(g.in_channels, query->width), query->width);
    g.spatial = 2;
    g.dims[0] = g.dims[1];
    g.dims[1] = g.dims[2];
    return g;
}

WinogradImage winograd_image(const KernelQuery *query, WinogradKind kind) {
    const ConvGeometry g = winograd_geometry(query);
    const WindowDim z = conv_query_volume(query).dims[0];
    const WinogradTransform *transform = &winograd_transforms_for(query->target)->of[kind];
    const int m = transform->m;
    WinogradImage image = {.transform = transform,
                           .z = z,
                           .y = g.dims[0],
                           .x = g.dims[1],
                           .m = m,
                           .n = transform->n,
                           .frequencies = transform->n * transform->n,
                           .width = query->width,
                           .phases_y = i64_min(g.dims[0].dilation, g.dims[0].out),
                           .phases_x = i64_min(g.dims[1].dilation, g.dims[1].out),
                           .tiles_y = ceil_div(ceil_div(g.dims[0].out, g.dims[0].dilation), m),
                           .tiles_x = ceil_div(ceil_div(g.dims[1].out, g.dims[1].dilation), m),
                           .in_channels = g.in_channels,
                           .out_channels = g.out_channels,
                           .in_blocks = ceil_div(g.in_channels, query->width),
                           .out_blocks = ceil_div(g.out_channels, query->width)};
    image.depth_blocks = image.in_blocks / z.kernel;
    image.n_tiles = count_of(g.batch, z.out, image.phases_y, image.phases_x, image.tiles_y, image.tiles_x);
    return image;
}

int64_t winograd_block_channels(const WinogradImage *image, int64_t in_block) {
    return i64_min(image->width, image->in_channels - in_block * image->width);
}

int64_t winograd_stride(const WinogradImage *image, int64_t vectors) {
    return i64_product(vectors | 1, image->width);
}

typedef struct TilePlace {
    int64_t image, z, y, x; /* of its first output pixel */
} TilePlace;

static TilePlace place_of(const WinogradImage *image, int64_t tile) {
    const int64_t row = tile / image->tiles_x, phase = row / image->tiles_y;
    const int64_t phase_y = phase / image->phases_x, phase_x = phase % image->phases_x;
    const int64_t plane = phase_y / image->phases_y;
    return (TilePlace){plane / image->z.out, plane % image->z.out,
                       phase_y % image->phases_y + row % image->tiles_y * image->m * image->y.dilation,
                       phase_x + tile % image->tiles_x * image->m * image->x.dilation};
}

/* How many of `count` pixels, from `at` on and a dilation apart, lie before `end`. */
static int64_t pixels_before(const WindowDim *dim, int64_t at, int64_t count, int64_t end) {
    return at < end ? i64_min(count, ceil_div(end - at, dim->dilation)) : 0;
}

/* The plane of the input that a tile of the output reads from an input block; NULL where that is padding. */
static const float *plane_of(const WinogradImage *image, const float *input, int64_t block,
                             const TilePlace *place) {
    const int64_t step = block / image->depth_blocks, of_depth = block % image->depth_blocks;
    const int64_t z = place->z * image->z.stride - image->z.pad_begin + step * image->z.dilation;
    if (z < 0 || z >= image->z.in)
        return NULL;
    return input + ((place->image * image->depth_blocks + of_depth) * image->z.in + z) * image->y.in *
                       image->x.in * image->width;
}

/* A tile that extends beyond the image's edge, with zeros there. */
static const float *copy_edge_tile(const WinogradImage *image, const float *plane, int64_t y, int64_t x,
                                   float *copy) {
    const int n = image->n, width = image->width;
    memset(copy, 0, (size_t)(n * n * width) * sizeof *copy);
    const int64_t step_y = image->y.dilation, step_x = image->x.dilation;
    const int64_t first_y = y < 0 ? ceil_div(-y, step_y) : 0,
                  end_y = pixels_before(&image->y, y, n, image->y.in);
    const int64_t begin = x < 0 ? ceil_div(-x, step_x) : 0, end = pixels_before(&image->x, x, n, image->x.in);
    const int64_t run = step_x == 1 ? end - begin : 1; /* pixels that lie together */
    for (int64_t row = first_y; row < end_y; row++)
        for (int64_t column = begin; column < end; column += run)
            memcpy(copy + (row * n + column) * width,
                   plane + ((y + row * step_y) * image->x.in + x + column * step_x) * width,
                   (size_t)(run * width) * sizeof *copy);
    return copy;
}

void winograd_transform_input(const WinogradImage *image, const float *input, int64_t block, int64_t first,
                              int64_t count, float *to, int64_t frequency_stride) {
    float copy[WINOGRAD_MAX_IN * WINOGRAD_MAX_IN * TILE_MAX_WIDTH];
    const int n = image->n, width = image->width;
    const int64_t stride = image->transform->stride;
    const int64_t span_y = (n - 1) * image->y.dilation, span_x = (n - 1) * image->x.dilation;
    for (int64_t i = 0; i < count; i++, to += width) {
        TilePlace place = place_of(image, first + i);
        const float *plane = plane_of(image, input, block, &place);
        if (!plane) {
            for (int f = 0; f < image->frequencies; f++)
                memset(to + f * frequency_stride, 0, (size_t)width * sizeof *to);
            continue;
        }
        const int64_t y = place.y * stride - image->y.pad_begin, x = place.x * stride - image->x.pad_begin;
        const bool inside = y >= 0 && x >= 0 && y + span_y < image->y.in && x + span_x < image->x.in;
        if (inside)
            image->transform->input(plane + (y * image->x.in + x) * width,
                                    image->x.in * image->y.dilation * width, image->x.dilation * width, to,
                                    frequency_stride);
        else
            image->transform->input(copy_edge_tile(image, plane, y, x, copy), (int64_t)n * width, width, to,
                                    frequency_stride);
    }
}

void winograd_transform_output(const WinogradImage *image, const KernelCall *call, const float *bias,
                               int64_t block, int64_t first, int64_t count, const float *sums,
                               int64_t frequency_stride) {
    const int width = image->width, m = image->m;
    const int64_t plane = image->y.out * image->x.out * width;
    float *out = call->outputs[0];
    const float *residual = cpu_residual(call, &image->epilogue);
    WinogradStore store = {.bias = bias + block * width,
                           .epilogue = &image->epilogue,
                           .row_stride = image->x.out * image->y.dilation * width,
                           .pixel_stride = image->x.dilation * width,
                           .channels = (int)i64_min(width, image->out_channels - block * width)};
    for (int64_t i = 0; i < count; i++, sums += width) {
        TilePlace place = place_of(image, first + i);
        const int64_t at = ((place.image * image->out_blocks + block) * image->z.out + place.z) * plane +
                           (place.y * image->x.out + place.x) * width;
        store.out = out + at;
        store.residual = residual ? residual + at : NULL;
        store.rows = (int)pixels_before(&image->y, place.y, m, image->y.out);
        store.columns = (int)pixels_before(&image->x, place.x, m, image->x.out);
        image->transform->output(sums, frequency_stride, &store);
    }
}
