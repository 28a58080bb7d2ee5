/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/cpu/roi_align.h"
#include "ops/cpu/simd.h"

/* What a task has in its scratch memory. */
typedef struct RoiTaps {
    RoiTap *rows, *columns;
    int64_t *column_counts; /* by bin */
    int64_t n_rows;
    int64_t first, end; /* the columns that any bin reads */
    float *sums;        /* of rows, from the column `first` on */
} RoiTaps;

static void find_columns(const RoiAxis *axis, int64_t bins, RoiTaps *taps) {
    RoiTap *next = taps->columns;
    taps->first = axis->length;
    taps->end = 0;
    for (int64_t bin = 0; bin < bins; bin++) {
        taps->column_counts[bin] = roi_bin_taps(axis, bin, next);
        for (int64_t i = 0; i < taps->column_counts[bin]; i++, next++) {
            taps->first = next->index < taps->first ? next->index : taps->first;
            taps->end = next->index >= taps->end ? next->index + 1 : taps->end;
        }
    }
}

static void sum_rows(const RoiTaps *taps, const float *plane, int64_t width) {
    const int64_t columns = taps->end - taps->first;
    plane += taps->first;
    int64_t x = 0;
    for (; x + VW <= columns; x += VW) {
        vf sum = v_zero();
        for (int64_t i = 0; i < taps->n_rows; i++)
            sum += v_set(taps->rows[i].weight) * v_load(plane + taps->rows[i].index * width + x);
        v_store(taps->sums + x, sum);
    }
    if (x < columns) {
        vf sum = v_zero();
        for (int64_t i = 0; i < taps->n_rows; i++)
            sum += v_set(taps->rows[i].weight) *
                   v_load_first(plane + taps->rows[i].index * width + x, columns - x, 0);
        v_store_first(taps->sums + x, sum, columns - x);
    }
}

static void sum_columns(const RoiTaps *taps, int64_t bins, float *out) {
    const RoiTap *tap = taps->columns;
    for (int64_t bin = 0; bin < bins; bin++) {
        const RoiTap *end = tap + taps->column_counts[bin];
        float sum = 0;
        for (; tap < end; tap++)
            sum += tap->weight * taps->sums[tap->index - taps->first];
        out[bin] = sum;
    }
}

static void average(const KernelCall *call, int64_t task) {
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
    find_columns(&x, attrs->width, &taps);
    for (int64_t row = 0; row < attrs->height; row++) {
        taps.n_rows = roi_bin_taps(&y, row, taps.rows);
        for (int64_t c = begin; c < end; c++) {
            sum_rows(&taps, in + c * plane, args->width);
            sum_columns(&taps, attrs->width, out + (c * attrs->height + row) * attrs->width);
        }
    }
}

const RoiAlignTable TARGET(roi_align) = {.average = average};
