/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/cpu/deform_conv.h"
#include "ops/cpu/sample_simd.h"

enum { PANEL = GEMM_PANEL_VECTORS * VW, MAX_CORNERS = 1 << MAX_SPATIAL };

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
    int count;
    vi offsets[MAX_CORNERS];
    vf weights[MAX_CORNERS];
    vf mask;
} Corners;

/* `row` is the tap's among those of all offset groups, `k` its coordinates in the kernel. */
static Corners find_corners(const Outputs *outputs, int64_t row, const int64_t k[MAX_SPATIAL], int64_t from) {
    static const GridSampleAttrs linear = {GRID_LINEAR, GRID_ZEROS, true};
    const DeformGeometry *g = &outputs->args->geometry;
    from = i64_min(from, outputs->count); /* after the last output there are lanes, but none is inside */
    const int64_t count = i64_min(outputs->count - from, VW), first = outputs->first + from;
    Corners corners = {
        .count = 1, .offsets = {~v_lane_mask((int)count)}, .weights = {v_set(1)}, .mask = v_set(1)};
    if (outputs->mask)
        corners.mask = v_load_first(outputs->mask + row * g->outputs + first, count, 0);
    for (int d = 0; d < g->spatial; d++) {
        const float *by = outputs->offset + (row * g->spatial + d) * g->outputs + first;
        const vf begin =
            v_load_first(&outputs->begins[d][from], count, 0) + v_set((float)(k[d] * g->dims[d].dilation));
        DimTaps taps;
        sample_taps(&linear, begin + v_load_first(by, count, 0), (float)g->dims[d].in, &taps);
        corners.count =
            sample_add_dim(&taps, corners.count, (int)g->dims[d].in, 2, corners.offsets, corners.weights);
    }
    return corners;
}

INLINE void read_channels(const Corners *corners, const float *x, int64_t plane, int64_t channels, float *to,
                          int64_t step, const int count) {
    vi inside[MAX_CORNERS];
    for (int i = 0; i < count; i++)
        inside[i] = corners->offsets[i] >= 0;
    for (int64_t c = 0; c < channels; c++, x += plane, to += step) {
        vf sum = v_zero();
        for (int i = 0; i < count; i++)
            sum += corners->weights[i] * v_gather(x, corners->offsets[i], inside[i]);
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
    if (corners->count == 4)
        read_channels(corners, x, args->plane, end - begin, to, taps * PANEL, 4);
    else
        read_channels(corners, x, args->plane, end - begin, to, taps * PANEL, corners->count);
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
