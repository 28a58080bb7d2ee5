/* SPDX-License-Identifier: Apache-2.0 */
/* ConvInteger and QLinearConv: the windows of a chunk of output pixels become panels of columns, and the
 * weights tiles of rows.  k runs over taps, and within these over pairs of channels, so that pixels that lie
 * beside each other are read beside each other.  Padding is x's zero point, so 0 where that has been taken
 * off. */
#include <stdio.h>
#include <string.h>

#include "ops/cpu/integer_product.h"
#include "ops/nn/conv.h"

enum {
    CHUNK_BYTES = 256 << 10, /* of a task's panels, which stay in the L2 cache while all rows go by */
    MAX_CHUNK_PANELS = 8,
    MIN_TASKS = 16, /* where there are as many panels: enough for the threads of small machines */
};

typedef struct IntegerConvArgs {
    const IntegerTable *table;
    ProductPorts ports; /* -1 also where the node has no such input */
    ConvGeometry g;     /* three dimensions */
    DType x, w, y;
    int64_t taps, channels, filters, pairs, pixels; /* of one group; `pairs` of a tap: channels, two by two */
    int64_t panel, chunk_panels, chunks;            /* columns of a panel; panels of a chunk */
    int64_t tiles;                                  /* of one group's filters */
    Parameter w_zero, w_scale;
    const int16_t *packed; /* NULL: in the workspace */
} IntegerConvArgs;

/* --- weights --- */

static int64_t tile_elements(const IntegerConvArgs *args) {
    return count_of(args->taps, args->pairs, 2);
}

static int tile_rows(const IntegerConvArgs *args, int64_t tile) {
    return (int)i64_min(args->table->rows, args->filters - tile * args->table->rows);
}

/* Tile `tile` of a group, [taps][pairs][rows][2], from filters whose zero points are `zeros`. */
static void pack_tile(const IntegerConvArgs *args, int64_t group, int64_t tile, const uint8_t *weights,
                      const int32_t *zeros, int16_t *packed) {
    const int rows = tile_rows(args, tile);
    const int64_t first = group * args->filters + tile * args->table->rows;
    int16_t *to = packed + first * tile_elements(args);
    for (int64_t tap = 0; tap < args->taps; tap++)
        for (int64_t pair = 0; pair < args->pairs; pair++)
            for (int r = 0; r < rows; r++, to += 2)
                for (int half = 0; half < 2; half++) {
                    const int64_t c = 2 * pair + half;
                    const ByteForm form = byte_form(args->w, zeros[r]);
                    const uint8_t *byte = weights + ((first + r) * args->channels + c) * args->taps + tap;
                    to[half] = c < args->channels ? (int16_t)((int32_t)(*byte ^ form.flip) - form.offset) : 0;
                }
}

static int32_t zero_of_filter(const IntegerConvArgs *args, const uint8_t *zeros, int64_t filter) {
    if (!zeros)
        return 0;
    const uint8_t byte = zeros[parameter_at(args->w_zero, 0, filter)];
    return args->w == STRIDER_I8 ? (int8_t)byte : byte;
}

static void pack_group_tile(const IntegerConvArgs *args, int64_t task, const uint8_t *weights,
                            const uint8_t *zeros, int16_t *packed) {
    const int64_t group = task / args->tiles, tile = task % args->tiles;
    int32_t of_rows[MAX_INTEGER_ROWS] = {0};
    for (int r = 0; r < tile_rows(args, tile); r++)
        of_rows[r] = zero_of_filter(args, zeros, group * args->filters + tile * args->table->rows + r);
    pack_tile(args, group, tile, weights, of_rows, packed);
}

static void pack_in_run(const KernelCall *call, int64_t task) {
    const IntegerConvArgs *args = call->args;
    pack_group_tile(args, task, call->inputs[args->ports.b],
                    args->ports.b_zero < 0 ? NULL : call->inputs[args->ports.b_zero], call->workspace);
}

typedef struct ConstantWeights {
    const IntegerConvArgs *args;
    const Tensor *weights, *zeros;
} ConstantWeights;

static void pack_constant_tile(void *context, void *memory, int64_t task) {
    const ConstantWeights *constant = context;
    pack_group_tile(constant->args, task, constant->weights->data,
                    constant->zeros ? constant->zeros->data : NULL, memory);
}

/* --- panels --- */

/* Where the windows of some output pixels, beside each other in one row of the output, begin. */
typedef struct PixelRun {
    int64_t begin[MAX_SPATIAL];
    int64_t count; /* pixels */
} PixelRun;

/* From output pixel `pixel` on to the end of its row, at most `most`. */
static PixelRun run_at(const ConvGeometry *g, int64_t pixel, int64_t most) {
    const WindowDim *d = g->dims;
    const int64_t x = pixel % d[2].out, y = pixel / d[2].out % d[1].out, z = pixel / d[2].out / d[1].out;
    return (PixelRun){{z * d[0].stride - d[0].pad_begin, y * d[1].stride - d[1].pad_begin,
                       x * d[2].stride - d[2].pad_begin},
                      i64_min(most, d[2].out - x)};
}

static bool is_inside(int64_t at, int64_t size) {
    return at >= 0 && at < size;
}

/* The pixels [*first, *end) of a run whose tap k of the last dimension lies inside the input. */
static void inside(const WindowDim *d, int64_t begin, int64_t tap, int64_t count, int64_t *first,
                   int64_t *end) {
    const int64_t at = begin + tap * d->dilation, room = d->in - at;
    *first = at < 0 ? i64_min(ceil_div(-at, d->stride), count) : 0;
    *end = room > 0 ? i64_max(i64_min(ceil_div(room, d->stride), count), *first) : *first;
}

/* One tap of a panel, [pairs][panel][2]: `columns` pixels from `pixel` on. */
static void fill_tap(const IntegerConvArgs *args, const uint8_t *image, ByteForm form,
                     const int64_t tap[MAX_SPATIAL], int64_t pixel, int64_t columns, int16_t *to) {
    const WindowDim *d = args->g.dims;
    const int64_t plane = count_of(d[0].in, d[1].in, d[2].in);
    memset(to, 0, bytes_of(sizeof *to, args->pairs, args->panel, 2).n);
    for (int64_t column = 0; column < columns;) {
        const PixelRun run = run_at(&args->g, pixel + column, columns - column);
        const int64_t z = run.begin[0] + tap[0] * d[0].dilation, y = run.begin[1] + tap[1] * d[1].dilation,
                      x = run.begin[2] + tap[2] * d[2].dilation;
        int64_t first, end;
        inside(&d[2], run.begin[2], tap[2], run.count, &first, &end);
        if (is_inside(z, d[0].in) && is_inside(y, d[1].in) && first < end) {
            const uint8_t *from = image + (z * d[1].in + y) * d[2].in + x + first * d[2].stride;
            for (int64_t pair = 0; pair < args->pairs; pair++)
                args->table->interleave(from + 2 * pair * plane,
                                        2 * pair + 1 < args->channels ? from + (2 * pair + 1) * plane : NULL,
                                        d[2].stride, end - first, form,
                                        to + 2 * (pair * args->panel + column + first));
        }
        column += run.count;
    }
}

static void fill_panel(const IntegerConvArgs *args, const uint8_t *image, ByteForm form, int64_t pixel,
                       int64_t columns, int16_t *to) {
    const WindowDim *d = args->g.dims;
    for (int64_t i = 0; i < args->taps; i++, to += 2 * args->pairs * args->panel) {
        const int64_t tap[MAX_SPATIAL] = {i / d[2].kernel / d[1].kernel, i / d[2].kernel % d[1].kernel,
                                          i % d[2].kernel};
        fill_tap(args, image, form, tap, pixel, columns, to);
    }
}

/* --- running --- */

/* All filters of a group for one image's chunk of pixels. */
typedef struct ChunkOfPixels {
    const IntegerConvArgs *args;
    const KernelCall *call;
    SumForm form;
    int64_t image, group, first_pixel, panels;
} ChunkOfPixels;

static void run_tile(const ChunkOfPixels *chunk, int64_t tile) {
    const IntegerConvArgs *args = chunk->args;
    const KernelCall *call = chunk->call;
    const ProductPorts *ports = &args->ports;
    const int64_t filter = chunk->group * args->filters + tile * args->table->rows;
    const int16_t *packed = args->packed ? args->packed : call->workspace, *panel = call->scratch;
    float factors[MAX_INTEGER_ROWS];
    IntegerTile t = {.a = packed + filter * tile_elements(args),
                     .pairs = i64_product(args->taps, args->pairs),
                     .rows = tile_rows(args, tile),
                     .y_row = args->pixels,
                     .form = &chunk->form,
                     .row_bias = ports->bias < 0 ? NULL : (const int32_t *)call->inputs[ports->bias] + filter,
                     .row_factors = factors};
    for (int r = 0; r < t.rows; r++)
        factors[r] = integer_scale(call, ports->a_scale, 0) *
                     integer_scale(call, ports->b_scale, parameter_at(args->w_scale, 0, filter + r)) /
                     chunk->form.divisor;
    const int64_t plane = (chunk->image * args->g.out_channels + filter) * args->pixels;
    for (int64_t p = 0; p < chunk->panels; p++) {
        const int64_t pixel = chunk->first_pixel + p * args->panel;
        t.b = panel + p * t.pairs * 2 * args->panel;
        t.columns = (int)i64_min(args->panel, args->pixels - pixel);
        t.y = (char *)call->outputs[0] + bytes_of(dtype_size(args->y), plane + pixel).n;
        args->table->tile(&t);
    }
}

static void integer_conv_run(const KernelCall *call, int64_t task) {
    const IntegerConvArgs *args = call->args;
    const int64_t number = task % args->chunks, group = task / args->chunks % args->g.group,
                  first = number * args->chunk_panels * args->panel;
    ChunkOfPixels chunk = {.args = args,
                           .call = call,
                           .form = integer_sum_form(call, &args->ports, args->y),
                           .image = task / args->chunks / args->g.group,
                           .group = group,
                           .first_pixel = first,
                           .panels =
                               i64_min(args->chunk_panels, ceil_div(args->pixels - first, args->panel))};
    const WindowDim *d = args->g.dims;
    const uint8_t *image =
        (const uint8_t *)call->inputs[args->ports.a] +
        (chunk.image * args->g.in_channels + group * args->channels) * count_of(d[0].in, d[1].in, d[2].in);
    const ByteForm form = byte_form(args->x, integer_zero(call, args->ports.a_zero, args->x, 0));
    int16_t *panel = call->scratch;
    for (int64_t p = 0; p < chunk.panels; p++) {
        const int64_t pixel = first + p * args->panel;
        fill_panel(args, image, form, pixel, i64_min(args->panel, args->pixels - pixel),
                   panel + p * args->taps * args->pairs * 2 * args->panel);
    }
    for (int64_t tile = 0; tile < args->tiles; tile++)
        run_tile(&chunk, tile);
}

/* --- preparing --- */

static IntegerConvArgs arguments(const KernelQuery *query) {
    const ProductPorts *ports = product_ports(query->node->op->kind);
    const ConvGeometry plain = conv_geometry(query->node->attrs, &query->inputs[ports->a].type.shape,
                                             &query->inputs[ports->b].type.shape);
    IntegerConvArgs args = {.table = integer_for(query->target),
                            .ports = integer_ports(query),
                            .g = conv_geometry_3d(&plain),
                            .x = query->inputs[ports->a].type.dtype,
                            .w = query->inputs[ports->b].type.dtype,
                            .y = query->outputs[0].type.dtype,
                            .panel = INTEGER_PANEL_VECTORS * query->width};
    const WindowDim *d = args.g.dims;
    args.taps = count_of(d[0].kernel, d[1].kernel, d[2].kernel);
    args.pixels = count_of(d[0].out, d[1].out, d[2].out);
    args.channels = args.g.in_channels / args.g.group;
    args.filters = args.g.out_channels / args.g.group;
    args.pairs = ceil_div(args.channels, 2);
    args.tiles = ceil_div(args.filters, args.table->rows);
    args.w_zero = integer_parameter(query, args.ports.b_zero);
    args.w_scale = integer_parameter(query, args.ports.b_scale);
    const int64_t panel_bytes = count_of(args.taps, args.pairs, 2, args.panel, sizeof(int16_t));
    args.chunk_panels = i64_min(i64_max(CHUNK_BYTES / i64_max(panel_bytes, 1), 1), MAX_CHUNK_PANELS);
    const int64_t panels = ceil_div(args.pixels, args.panel);
    args.chunk_panels =
        i64_min(args.chunk_panels, i64_max(count_of(panels, args.g.batch, args.g.group) / MIN_TASKS, 1));
    args.chunks = ceil_div(args.pixels, i64_product(args.chunk_panels, args.panel));
    return args;
}

static Bytes scratch_of_chunk(const IntegerConvArgs *args) {
    return bytes_of(sizeof(int16_t), args->chunk_panels, args->taps, args->pairs, 2, args->panel);
}

static Bytes weights_bytes(const IntegerConvArgs *args) {
    return bytes_of(sizeof(int16_t), args->g.out_channels, args->taps, args->pairs, 2);
}

static bool integer_conv_accepts(KernelQuery *query) {
    integer_plain_layouts(query);
    const ProductPorts *ports = product_ports(query->node->op->kind);
    if (!integer_product_accepts(query, ports) || !shape_elements(&query->inputs[ports->b].type.shape))
        return false;
    const IntegerConvArgs args = arguments(query);
    int32_t zero;
    const bool packs_now =
        query->inputs[ports->b].constant && integer_constant_zero(query, args.ports.b_zero, &zero);
    query->inputs[ports->b].packed = packs_now;
    return cpu_in_proportion(query, scratch_of_chunk(&args), packs_now ? (Bytes){0} : weights_bytes(&args));
}

/* An instruction multiplies as many as there are lanes twice over, but for tiles of few rows. */
static double integer_conv_cost(const KernelQuery *query) {
    const IntegerConvArgs args = arguments(query);
    const double panels =
                     (double)args.g.batch * (double)args.g.group * (double)ceil_div(args.pixels, args.panel),
                 pairs = (double)args.taps * (double)args.pairs;
    return 2000 + panels * pairs * ((double)args.filters * 0.7 + 8);
}

static Status pack_weights(const KernelQuery *query, IntegerConvArgs *args, PrepareContext *ctx,
                           KernelInstance *instance) {
    const Tensor *weights = query->inputs[args->ports.b].constant;
    int32_t zero = 0;
    if (!query->inputs[args->ports.b].packed) {
        instance->prologue = pack_in_run;
        instance->prologue_tasks = i64_product(args->g.group, args->tiles);
        instance->workspace_bytes = weights_bytes(args);
        return STRIDER_OK;
    }
    if (!integer_constant_zero(query, args->ports.b_zero, &zero))
        return fail(ctx->err, STRIDER_INVALID_ARGUMENT, "the zero points of packed weights differ");
    char key[80];
    snprintf(key, sizeof key, "integer conv, %d rows, %lld groups, less %d", args->table->rows,
             (long long)args->g.group, (int)zero);
    ConstantWeights *constant;
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *constant, 1), &constant));
    *constant = (ConstantWeights){args, weights, cpu_input_constant(query, args->ports.b_zero)};
    const PackFill fill = {pack_constant_tile, i64_product(args->g.group, args->tiles), constant};
    const void *packed;
    TRY(pack_constant_later(ctx, weights, key, weights_bytes(args), &fill, &packed));
    args->packed = packed;
    instance->packed_bytes = weights_bytes(args).n;
    return STRIDER_OK;
}

static Status integer_conv_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    IntegerConvArgs *args;
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *args, 1), &args));
    *args = arguments(query);
    *instance = (KernelInstance){.run = integer_conv_run,
                                 .args = args,
                                 .tasks = count_of(args->g.batch, args->g.group, args->chunks),
                                 .scratch_bytes = scratch_of_chunk(args)};
    return pack_weights(query, args, ctx, instance);
}

const Kernel kernel_conv_integer = {
    .name = "conv_integer",
    .op = OP_ConvInteger,
    .accepts = integer_conv_accepts,
    .cost = integer_conv_cost,
    .prepare = integer_conv_prepare,
};

const Kernel kernel_qlinear_conv = {
    .name = "qlinear_conv",
    .op = OP_QLinearConv,
    .accepts = integer_conv_accepts,
    .cost = integer_conv_cost,
    .prepare = integer_conv_prepare,
};
