/* SPDX-License-Identifier: Apache-2.0 */
/* AffineGrid in float32: what the outer coordinates come to is added once for each row. */
#include "ops/tensor/affine_grid.h"

#include "base/size.h"
#include "ops/cpu/cpu.h"

enum { TASK_POINTS = 8 * 1024 };

typedef struct AffineGridArgs {
    int spatial;
    int64_t dims[MAX_SPATIAL];        /* outermost first */
    const float *places[MAX_SPATIAL]; /* of each dimension's elements */
    int64_t rows, rows_an_image, rows_a_task;
} AffineGridArgs;

/* x and y, or x, y and z, of each point. */
static void affine_row(const AffineGridArgs *args, const float *theta, int64_t row, float *out) {
    const int n = args->spatial;
    const int64_t width = args->dims[n - 1], y = row % args->dims[n - 2], z = row / args->dims[n - 2];
    const float *x = args->places[n - 1];
    for (int i = 0; i < n; i++, theta += n + 1) {
        float base = theta[n] + theta[1] * args->places[n - 2][y];
        if (n == 3)
            base += theta[2] * args->places[0][z];
        for (int64_t at = 0; at < width; at++)
            out[at * n + i] = theta[0] * x[at] + base;
    }
}

static void affine_grid_run(const KernelCall *call, int64_t task) {
    const AffineGridArgs *args = call->args;
    const int n = args->spatial;
    const int64_t first = task * args->rows_a_task, end = i64_min(first + args->rows_a_task, args->rows);
    for (int64_t row = first; row < end; row++)
        affine_row(args, (const float *)call->inputs[AFFINE_THETA] + row / args->rows_an_image * n * (n + 1),
                   row % args->rows_an_image, (float *)call->outputs[0] + row * args->dims[n - 1] * n);
}

static bool affine_grid_accepts(KernelQuery *query) {
    if (!cpu_is_f32(query, AFFINE_THETA))
        return false;
    query->inputs[AFFINE_THETA].layout = query->inputs[AFFINE_SIZE].layout = layout_plain();
    query->outputs[0].layout = layout_plain();
    query->inputs[AFFINE_SIZE].packed = query->inputs[AFFINE_SIZE].contents != NULL;
    return true;
}

static double affine_grid_cost(const KernelQuery *query) {
    return cpu_memory_cost(8.0 * (double)shape_elements(&query->outputs[0].type.shape));
}

static Status make_places(const AffineGridAttrs *attrs, int64_t length, PrepareContext *ctx,
                          const float **result) {
    float *places;
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *places, length), &places));
    for (int64_t i = 0; i < length; i++)
        places[i] = (float)affine_coordinate(attrs->align_corners, i, length);
    *result = places;
    return STRIDER_OK;
}

static Status affine_grid_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    const Shape *y = &query->outputs[0].type.shape;
    AffineGridArgs *args;
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *args, 1), &args));
    args->spatial = y->rank - 2;
    args->rows_an_image = shape_size(y, 1, args->spatial);
    args->rows = i64_product(y->dims[0], args->rows_an_image);
    for (int i = 0; i < args->spatial; i++) {
        args->dims[i] = y->dims[1 + i];
        TRY(make_places(query->node->attrs, args->dims[i], ctx, &args->places[i]));
    }
    args->rows_a_task = i64_max(TASK_POINTS / i64_max(y->dims[args->spatial], 1), 1);
    *instance = (KernelInstance){
        .run = affine_grid_run, .args = args, .tasks = ceil_div(args->rows, args->rows_a_task)};
    return STRIDER_OK;
}

const Kernel kernel_affine_grid = {
    .name = "affine_grid",
    .op = OP_AffineGrid,
    .accepts = affine_grid_accepts,
    .cost = affine_grid_cost,
    .prepare = affine_grid_prepare,
};
