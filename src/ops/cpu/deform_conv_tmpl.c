/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/cpu/deform_conv.h"
#include "ops/cpu/sample_simd.h"

enum { PANEL = GEMM_PANEL_VECTORS * VW };

/* Up to a panel's width of outputs of an image, and where their windows begin. */
typedef struct Outputs {
    const DeformConvArgs *args;
    const float *x, *offset, *mask; /* of the image; mask NULL: 1 */
    int64_t first, count;
    float begins[MAX_SPATIAL][PANEL];
} Outputs;

/* The next output's coordinates. */
INLINE void advance(const DeformGeometry *g, int64_t at[MAX_SPATIAL]) {
    for (int d = g->spatial - 1; d >= 0 && ++at[d] == g->dims[d].out; d--)
        at[d] = 0;
}

static void find_begins(Outputs *outputs) {
    const DeformGeometry *g = &outputs->args->geometry;
    int64_t at[MAX_SPATIAL] = {0}, rest = outputs->first;
    for (int d = g->spatial - 1; d >= 0; d--) {
        at[d] = rest % g->dims[d].out;
        rest /= g->dims[d].out;
    }
    for (int64_t i = 0; i < outputs->count; i++, advance(g, at))
        for (int d = 0; d < g->spatial; d++)
            outputs->begins[d][i] = (float)(at[d] * g->dims[d].stride - g->dims[d].pad_begin);
}

/* What a vector of outputs reads of each channel for one tap. */
typedef struct Corners {
    PairRows rows;
    vf mask;
} Corners;

/* A tap of a vector of outputs, the first of which is number `at` of the image. */
typedef struct MovedTap {
    int64_t row;      /* among those of all offset groups */
    const int64_t *k; /* its coordinates in the kernel */
    int64_t from, count, at;
} MovedTap;

INLINE void move_tap(const Outputs *outputs, const MovedTap *tap, int d, DimTaps *taps) {
    static const GridSampleAttrs linear = {GRID_LINEAR, GRID_ZEROS, true};
    const DeformGeometry *g = &outputs->args->geometry;
    const float *by = outputs->offset + (tap->row * g->spatial + d) * g->outputs + tap->at;
    const vf begin = v_load_first(&outputs->begins[d][tap->from], tap->count, 0) +
                     v_set((float)(tap->k[d] * g->dims[d].dilation));
    sample_taps(&linear, begin + v_load_first(by, tap->count, 0), (float)g->dims[d].in, taps);
}

static Corners find_corners(const Outputs *outputs, int64_t row, const int64_t k[MAX_SPATIAL], int64_t from) {
    const DeformGeometry *g = &outputs->args->geometry;
    const int last = g->spatial - 1;
    from = i64_min(from, outputs->count); /* after the last output there are lanes, but none is inside */
    const MovedTap tap = {row, k, from, i64_min(outputs->count - from, VW), outputs->first + from};
    vi offsets[MAX_PAIR_ROWS] = {~v_lane_mask((int)tap.count)};
    vf weights[MAX_PAIR_ROWS] = {v_set(1)};
    DimTaps taps;
    int rows = 1;
    for (int d = 0; d < last; d++) {
        move_tap(outputs, &tap, d, &taps);
        rows = sample_add_dim(&taps, rows, (int)g->dims[d].in, 2, offsets, weights);
    }
    move_tap(outputs, &tap, last, &taps);
    Corners corners = {.rows = sample_pairs(&taps, (int)g->dims[last].in, rows, offsets, weights),
                       .mask = v_set(1)};
    if (outputs->mask)
        corners.mask = v_load_first(outputs->mask + row * g->outputs + tap.at, tap.count, 0);
    return corners;
}

INLINE void read_channels(const Corners *corners, const float *x, int64_t plane, int64_t channels, float *to,
                          int64_t step, const int count) {
    const PairRows *rows = &corners->rows;
    for (int64_t c = 0; c < channels; c++, x += plane, to += step) {
        vf sum = v_zero();
        for (int r = 0; r < count; r++) {
            vf values[2];
            v_gather_pairs(x, rows->offsets[r], &values[0], &values[1]);
            for (int i = 0; i < 2; i++)
                sum += rows->weights[r][i] * (vf)((vi)values[i] & rows->masks[r][i]);
        }
        v_store(to, sum * corners->mask);
    }
}

/* Channels [begin, end) that lie in one group, whose panel of the product it is. */
static void read_tap(const Outputs *outputs, const Corners *corners, int64_t begin, int64_t end, int64_t tap,
                     float *panel) {
    const DeformConvArgs *args = outputs->args;
    const int64_t taps = args->geometry.taps,
                  first = begin % (args->geometry.in_channels / args->geometry.group);
    const float *x = outputs->x + begin * args->plane;
    float *to = panel + (first * taps + tap) * PANEL;
    if (corners->rows.count == 2)
        read_channels(corners, x, args->plane, end - begin, to, taps * PANEL, 2);
    else
        read_channels(corners, x, args->plane, end - begin, to, taps * PANEL, corners->rows.count);
}

/* One tap of an offset group, whose channels may be in several groups. */
static void sample_tap(const Outputs *outputs, const KernelCall *call, int64_t image, int64_t offset_group,
                       int64_t tap, const int64_t k[MAX_SPATIAL]) {
    const DeformConvArgs *args = outputs->args;
    const DeformGeometry *g = &args->geometry;
    const int64_t a_group = g->in_channels / g->group, channels = g->in_channels / g->offset_group;
    for (int64_t from = 0; from < PANEL; from += VW) {
        const Corners corners = find_corners(outputs, offset_group * g->taps + tap, k, from);
        int64_t end;
        for (int64_t c = offset_group * channels; c < (offset_group + 1) * channels; c = end) {
            end = i64_min((offset_group + 1) * channels, (c / a_group + 1) * a_group);
            read_tap(outputs, &corners, c, end, tap,
                     deform_panel(args, call, image * g->group + c / a_group, outputs->first / PANEL) + from);
        }
    }
}

static void sample(const KernelCall *call, int64_t task) {
    const DeformConvArgs *args = call->args;
    const DeformGeometry *g = &args->geometry;
    const int64_t image = task / args->panels, rows = g->offset_group * g->taps * g->outputs;
    Outputs outputs = {.args = args,
                       .x = (const float *)call->inputs[DEFORM_X] + image * g->in_channels * args->plane,
                       .offset = (const float *)call->inputs[DEFORM_OFFSET] + image * rows * g->spatial,
                       .first = task % args->panels * PANEL};
    if (args->has_mask)
        outputs.mask = (const float *)call->inputs[DEFORM_MASK] + image * rows;
    outputs.count = i64_min(PANEL, g->outputs - outputs.first);
    find_begins(&outputs);
    for (int64_t offset_group = 0; offset_group < g->offset_group; offset_group++) {
        int64_t k[MAX_SPATIAL] = {0};
        for (int64_t tap = 0; tap < g->taps; tap++) {
            sample_tap(&outputs, call, image, offset_group, tap, k);
            for (int d = g->spatial - 1; d >= 0 && ++k[d] == g->dims[d].kernel; d--)
                k[d] = 0;
        }
    }
}

const DeformConvTable TARGET(deform_conv) = {.sample = sample};
