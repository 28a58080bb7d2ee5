/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "ops/cpu/roi_align.h"
#include "ops/cpu/simd.h"

/* What a task has in its scratch memory. */
typedef struct RoiTaps {
    RoiTap *rows, *columns;
    int64_t *column_counts; /* by bin */
    int64_t n_rows;
    int64_t first, end; /* the columns that any bin reads */
    float *sums;        /* of rows, or the largest, from the column `first` on */
    bool *columns_see;  /* by bin: all samples do */
    bool rows_see;
} RoiTaps;

static void find_columns(const RoiAxis *axis, int64_t bins, bool is_max, RoiTaps *taps) {
    RoiTap *next = taps->columns;
    taps->first = axis->length;
    taps->end = 0;
    for (int64_t bin = 0; bin < bins; bin++) {
        taps->column_counts[bin] = roi_bin_taps(axis, bin, is_max, next, &taps->columns_see[bin]);
        for (int64_t i = 0; i < taps->column_counts[bin]; i++, next++) {
            taps->first = next->index < taps->first ? next->index : taps->first;
            taps->end = next->index >= taps->end ? next->index + 1 : taps->end;
        }
    }
}

/* NaN is larger than everything, and stays. */
INLINE vf larger(vf a, vf b) {
    return v_select((b > a) | v_is_nan(b), b, a);
}

INLINE vf join_row(const RoiTap *tap, const bool is_max, vf so_far, vf x) {
    if (!is_max)
        return so_far + v_set(tap->weight) * x;
    return larger(larger(so_far, v_set(tap->weight) * x), v_set(tap->least) * x);
}

INLINE void join_rows(const RoiTaps *taps, const bool is_max, const float *plane, int64_t width) {
    const int64_t columns = taps->end - taps->first;
    plane += taps->first;
    for (int64_t x = 0; x < columns; x += VW) {
        vf sum = v_set(is_max ? -INFINITY : 0);
        const int64_t count = columns - x < VW ? columns - x : VW;
        for (int64_t i = 0; i < taps->n_rows; i++) {
            const float *from = plane + taps->rows[i].index * width + x;
            sum = join_row(&taps->rows[i], is_max, sum,
                           count == VW ? v_load(from) : v_load_first(from, count, 0));
        }
        if (count == VW)
            v_store(taps->sums + x, sum);
        else
            v_store_first(taps->sums + x, sum, count);
    }
}

/* Samples that do not see the image are 0.  Without branches on what the image holds. */
static float largest_of(const RoiTaps *taps, int64_t bin, const RoiTap *tap, const RoiTap *end) {
    float largest = taps->rows_see && taps->columns_see[bin] ? -INFINITY : 0;
    bool any_nan = false;
    for (; tap < end && taps->n_rows; tap++) {
        const float value = taps->sums[tap->index - taps->first];
        const float high = tap->weight * value, low = tap->least * value;
        largest = high > largest ? high : largest;
        largest = low > largest ? low : largest;
        any_nan |= (high != high) | (low != low);
    }
    return any_nan ? NAN : largest;
}

INLINE void join_columns(const RoiTaps *taps, const bool is_max, int64_t bins, float *out) {
    const RoiTap *tap = taps->columns;
    for (int64_t bin = 0; bin < bins; bin++) {
        const RoiTap *end = tap + taps->column_counts[bin];
        float sum = 0;
        if (is_max)
            sum = largest_of(taps, bin, tap, end);
        for (; tap < end; tap++)
            sum += is_max ? 0 : tap->weight * taps->sums[tap->index - taps->first];
        out[bin] = sum;
    }
}

INLINE void roi_align_task(const KernelCall *call, int64_t task, const bool is_max) {
    const RoiAlignArgs *args = call->args;
    const RoiAlignAttrs *attrs = args->node->attrs;
    const int64_t roi = task / args->channel_parts,
                  begin = task % args->channel_parts * args->channels_a_task;
    const int64_t end = i64_min(begin + args->channels_a_task, args->channels);
    const float *box = (const float *)call->inputs[ROI_ROIS] + roi * 4;
    const RoiAxis x = roi_axis(attrs, (double)box[0], (double)box[2], false, attrs->width, args->width);
    const RoiAxis y = roi_axis(attrs, (double)box[1], (double)box[3], false, attrs->height, args->height);
    const int64_t image = roi_image(args, call->inputs[ROI_BATCHES], roi), plane = args->height * args->width;
    const float *in = (const float *)call->inputs[ROI_X] + image * args->channels * plane;
    float *out = (float *)call->outputs[0] + roi * args->channels * attrs->height * attrs->width;
    RoiTaps taps = {.columns = call->scratch};
    taps.rows = taps.columns + args->max_taps[1];
    taps.column_counts = (int64_t *)(void *)(taps.rows + args->max_taps[0]);
    taps.sums = (float *)(void *)(taps.column_counts + attrs->width);
    taps.columns_see = (bool *)(void *)(taps.sums + args->width);
    find_columns(&x, attrs->width, is_max, &taps);
    for (int64_t row = 0; row < attrs->height; row++) {
        taps.n_rows = roi_bin_taps(&y, row, is_max, taps.rows, &taps.rows_see);
        for (int64_t c = begin; c < end; c++) {
            join_rows(&taps, is_max, in + c * plane, args->width);
            join_columns(&taps, is_max, attrs->width, out + (c * attrs->height + row) * attrs->width);
        }
    }
}

static void average(const KernelCall *call, int64_t task) {
    roi_align_task(call, task, false);
}

static void max(const KernelCall *call, int64_t task) {
    roi_align_task(call, task, true);
}

const RoiAlignTable TARGET(roi_align) = {.average = average, .max = max};
