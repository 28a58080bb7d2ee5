/* SPDX-License-Identifier: Apache-2.0 */
/* Col2Im in float32: of each tap of the block the windows' values are added to the image, a row at a time. */
#include "ops/nn/col2im.h"

#include <string.h>

#include "ops/cpu/cpu.h"

enum { TASK_ELEMENTS = 16 * 1024 };

typedef struct Col2ImArgs {
    Col2ImGeometry geometry;
    int64_t planes, planes_a_task;
} Col2ImArgs;

static void add_row(const float *restrict from, int64_t count, int64_t stride, float *restrict to) {
    if (stride == 1)
        for (int64_t i = 0; i < count; i++)
            to[i] += from[i];
    else
        for (int64_t i = 0; i < count; i++)
            to[i * stride] += from[i];
}

/* What all windows bring to the image by one tap. */
static void add_tap(const Col2ImGeometry *g, const int64_t tap[MAX_SPATIAL], const float *columns,
                    float *image) {
    const WindowDim *d = g->dims;
    const TapRange z = cpu_tap_range(&d[0], tap[0]), y = cpu_tap_range(&d[1], tap[1]),
                   x = cpu_tap_range(&d[2], tap[2]);
    if (x.begin >= x.end)
        return;
    for (int64_t i = z.begin; i < z.end; i++)
        for (int64_t j = y.begin; j < y.end; j++) {
            const int64_t row =
                (z.at + (i - z.begin) * d[0].stride) * d[1].in + y.at + (j - y.begin) * d[1].stride;
            add_row(columns + (i * d[1].out + j) * d[2].out + x.begin, x.end - x.begin, d[2].stride,
                    image + row * d[2].in + x.at);
        }
}

static void col2im_run(const KernelCall *call, int64_t task) {
    const Col2ImArgs *args = call->args;
    const Col2ImGeometry *g = &args->geometry;
    const WindowDim *d = g->dims;
    const int64_t pixels = d[0].in * d[1].in * d[2].in, first = task * args->planes_a_task;
    const int64_t end = i64_min(first + args->planes_a_task, args->planes);
    for (int64_t plane = first; plane < end; plane++) {
        const float *columns = (const float *)call->inputs[COL2IM_X] + plane * g->block * g->columns;
        float *image = (float *)call->outputs[0] + plane * pixels;
        memset(image, 0, (size_t)pixels * sizeof *image);
        int64_t tap[MAX_SPATIAL];
        for (tap[0] = 0; tap[0] < d[0].kernel; tap[0]++)
            for (tap[1] = 0; tap[1] < d[1].kernel; tap[1]++)
                for (tap[2] = 0; tap[2] < d[2].kernel; tap[2]++, columns += g->columns)
                    add_tap(g, tap, columns, image);
    }
}

/* The image's shape is the output's; false where the block is not known. */
static bool find_geometry(const KernelQuery *query, Col2ImGeometry *g) {
    const Shape *y = &query->outputs[0].type.shape;
    const Tensor *given = cpu_input_constant(query, COL2IM_BLOCK);
    const int spatial = y->rank - 2;
    int64_t block[MAX_SPATIAL];
    if (!given || tensor_elements(given) != spatial)
        return false;
    for (int i = 0; i < spatial; i++)
        block[i] = tensor_get_i64(given, i);
    return !col2im_resolve(query->node->attrs, spatial, y->dims + 2, block, g);
}

static bool col2im_accepts(KernelQuery *query) {
    Col2ImGeometry g;
    if (!cpu_is_f32(query, COL2IM_X) || !find_geometry(query, &g))
        return false;
    query->inputs[COL2IM_BLOCK].packed = true;
    query->inputs[COL2IM_IMAGE].packed = query->inputs[COL2IM_IMAGE].constant != NULL;
    return cpu_want_plain(query);
}

static Status col2im_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    const Shape *y = &query->outputs[0].type.shape;
    Col2ImArgs *args;
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *args, 1), &args));
    if (!find_geometry(query, &args->geometry))
        return fail(ctx->err, STRIDER_INVALID_ARGUMENT, "a block that is not constant");
    const Col2ImGeometry *g = &args->geometry;
    const int64_t elements = i64_max(count_of(g->block, g->columns), shape_size(y, 2, y->rank));
    args->planes = i64_product(y->dims[0], y->dims[1]);
    args->planes_a_task = i64_max(TASK_ELEMENTS / i64_max(elements, 1), 1);
    *instance = (KernelInstance){
        .run = col2im_run, .args = args, .tasks = ceil_div(args->planes, args->planes_a_task)};
    return STRIDER_OK;
}

const Kernel kernel_col2im = {.name = "col2im",
                              .op = OP_Col2Im,
                              .accepts = col2im_accepts,
                              .cost = cpu_operands_cost,
                              .prepare = col2im_prepare};
