/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/cpu/conv/tile.h"

#include "base/size.h"

ConvTileFunction tile_function(const ConvTiles *tiles, int blocks, int pixels, int tail_out_channels) {
    const ConvTileFunction half = tiles->half[blocks][pixels];
    return half && tail_out_channels <= TILE_MAX_WIDTH / 2 ? half : tiles->blocked[blocks][pixels];
}

int64_t tile_sum_blocks(int64_t products) {
    return i64_max(TILE_SUM / i64_max(products, 1), 1);
}

int64_t tile_count(const ConvTiles *tiles, int64_t pixels, int blocks) {
    return ceil_div(pixels, tiles->max_pixels[blocks]);
}

double tile_cycles(int blocks, double pixels) {
    const double products = blocks * pixels;
    return (products < 8 ? 8 : products) + 1 + 0.35 * blocks + 0.2 * pixels;
}

double tile_call_cycles(int blocks, double pixels) {
    return 1.5 * blocks * pixels + 15;
}

int tile_choose_blocks(const ConvTiles *tiles, int64_t row_pixels, int64_t out_blocks) {
    int best = 1;
    double best_cost = 1e30;
    for (int count = 1; count <= TILE_MAX_BLOCKS && count <= out_blocks; count++) {
        double n = (double)tile_count(tiles, row_pixels, count), pixels = (double)row_pixels / n;
        double cycles = tile_cycles(count, pixels);
        int64_t rest = out_blocks % count;
        double cost =
            (double)(out_blocks / count) * n * cycles + (rest ? n * tile_cycles((int)rest, pixels) : 0);
        if (cost < best_cost) {
            best_cost = cost;
            best = count;
        }
    }
    return best;
}

int tile_choose_group_blocks(const ConvTiles *tiles, int64_t row_pixels, const ConvGeometry *g, int width) {
    const int64_t blocks = ceil_div(g->out_channels, width), of_group = g->out_channels / g->group / width;
    return tile_choose_blocks(tiles, row_pixels, g->group == 1 ? blocks : i64_max(of_group, 1));
}

TileBlocks tile_blocks(const ConvGeometry *g, int width, int block_channels, int first, int count) {
    int64_t out_group = g->out_channels / g->group, in_group = g->in_channels / g->group;
    int64_t last_channel = i64_min((int64_t)(first + count) * width, g->out_channels) - 1;
    int64_t in_begin = (int64_t)first * width / out_group * in_group,
            in_end = (last_channel / out_group + 1) * in_group;
    int64_t begin = in_begin / block_channels, end = ceil_div(in_end, block_channels);
    return (TileBlocks){.first = first,
                        .count = count,
                        .in_first = (int)begin,
                        .in_count = (int)(end - begin),
                        .tail_channels =
                            (int)i64_min(block_channels, g->in_channels - (end - 1) * block_channels)};
}

size_t tile_weights(const TileBlocks *blocks, int width, int block_channels, int64_t n_taps) {
    int64_t in_channels = (int64_t)(blocks->in_count - 1) * block_channels + blocks->tail_channels;
    return (size_t)count_of(in_channels, n_taps, blocks->count, width);
}

size_t tile_weight_at(const TileBlocks *blocks, int width, int block_channels, int64_t n_taps, int64_t t,
                      int64_t channel, int o) {
    int64_t inside = channel - (int64_t)blocks->in_first * block_channels, block = inside / block_channels,
            of_channel = inside % block_channels;
    int64_t of_block = block == blocks->in_count - 1 ? blocks->tail_channels : block_channels;
    int64_t row = block * n_taps * block_channels + t * of_block + of_channel;
    return (size_t)count_of(i64_sum(i64_product(row, blocks->count), o), width);
}

void tile_set_blocks(ConvTile *tile, const TileBlocks *blocks, const float *weights, const float *bias,
                     int width, int64_t out_channels) {
    int64_t rest = out_channels - (int64_t)(blocks->first + blocks->count - 1) * width;
    tile->n_in_blocks = blocks->in_count;
    tile->tail_channels = blocks->tail_channels;
    tile->weights = weights + blocks->weights_at;
    tile->bias = bias + (int64_t)blocks->first * width;
    tile->tail_out_channels = rest < width ? (int)rest : width;
}
