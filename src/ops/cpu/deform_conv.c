/* SPDX-License-Identifier: Apache-2.0 */
/* DeformConv in float32, plain: a first phase samples what each output reads, in the panels that matrix
 * products take, and packs the weights; then come the products. */
#include "ops/cpu/deform_conv.h"

#include "base/size.h"

enum { MAX_LENGTH = 1 << 22, FLOATS_A_LINE = MEMORY_ALIGNMENT / sizeof(float) };

/* --- run --- */

/* A call of the products' kernel on an image and a group of it. */
typedef struct ProductCall {
    KernelCall call;
    const void *inputs[3]; /* A, B, C */
    void *outputs[1];
    GemmArgs args;
} ProductCall;

static void open_product(ProductCall *product, const KernelCall *call, int64_t image, int64_t group) {
    const DeformConvArgs *args = call->args;
    const DeformGeometry *g = &args->geometry;
    product->args = args->gemm;
    product->args.batches = &args->groups;
    product->args.panels = deform_panel(args, call, image * g->group + group, 0);
    product->inputs[0] = args->w ? args->w : call->inputs[DEFORM_W];
    product->inputs[1] = product->args.panels;
    product->inputs[2] = args->has_bias ? (const float *)call->inputs[DEFORM_B] + group * args->gemm.m : NULL;
    product->outputs[0] = (float *)call->outputs[0] + image * g->out_channels * g->outputs;
    product->call = (KernelCall){.inputs = product->inputs,
                                 .outputs = product->outputs,
                                 .scratch = call->scratch,
                                 .workspace = call->workspace,
                                 .args = &product->args};
}

static void deform_conv_prologue(const KernelCall *call, int64_t task) {
    const DeformConvArgs *args = call->args;
    ProductCall product;
    if (task >= args->weight_tasks) {
        args->table->sample(call, task - args->weight_tasks);
        return;
    }
    open_product(&product, call, 0, 0);
    args->gemm_table->pack(&product.call, task);
}

static void deform_conv_run(const KernelCall *call, int64_t task) {
    const DeformConvArgs *args = call->args;
    const int64_t a_group = args->gemm.row_parts * args->gemm.column_parts;
    ProductCall product;
    open_product(&product, call, task / args->image_tasks, task % args->image_tasks / a_group);
    args->gemm_table->panels(&product.call, task % args->image_tasks);
}

/* --- preparation --- */

static GemmArgs product_args(const DeformConvArgs *args) {
    const DeformGeometry *g = &args->geometry;
    static const float somewhere; /* where panels are differs from product to product */
    return (GemmArgs){
        .batch = g->group,
        .m = g->out_channels / g->group,
        .n = g->outputs,
        .k = args->terms,
        .a_row = args->terms,
        .a_k = 1,
        .b_k = g->outputs,
        .b_column = 1,
        .c_row = 1,
        .c_port = args->has_bias ? 2 : -1,
        .only_bias = !args->has_bias,
        .alpha = 1,
        .beta = 1,
        .panels = &somewhere,
        .epilogue = {
            .activation = {UNARY_NONE, 0, 0}, .scale_port = -1, .bias_port = -1, .residual_port = -1}};
}

/* All that follows from shapes; false where there is nothing to compute. */
static bool fill_args(const KernelQuery *query, DeformConvArgs *args, KernelInstance *instance) {
    const Shape *x = &query->inputs[DEFORM_X].type.shape, *w = &query->inputs[DEFORM_W].type.shape;
    *args = (DeformConvArgs){.table = deform_conv_for(query->target),
                             .gemm_table = gemm_for(query->target),
                             .geometry = deform_geometry(query->node->attrs, x, w),
                             .plane = shape_size(x, 2, x->rank),
                             .columns = GEMM_PANEL_VECTORS * query->width,
                             .has_mask = cpu_has_input(query, DEFORM_MASK),
                             .has_bias = cpu_has_input(query, DEFORM_B)};
    const DeformGeometry *g = &args->geometry;
    args->terms = i64_product(g->in_channels / g->group, g->taps);
    args->panels = ceil_div(g->outputs, args->columns);
    args->groups =
        (MatMulGeometry){.batch = g->group, .batch_rank = 1, .batch_dims = {g->group}, .a_strides = {1}};
    args->gemm = product_args(args);
    *instance = (KernelInstance){.run = deform_conv_run, .prologue = deform_conv_prologue};
    if (!shape_elements(&query->outputs[0].type.shape) || !args->terms)
        return false;
    gemm_split_rows(&args->gemm, args->gemm_table, query->width, instance);
    args->image_tasks = instance->tasks;
    args->weight_tasks = args->gemm.packs_first ? instance->prologue_tasks : 0;
    args->weight_floats = ceil_div((int64_t)instance->workspace_bytes.n, MEMORY_ALIGNMENT) * FLOATS_A_LINE;
    instance->prologue = deform_conv_prologue;
    instance->prologue_tasks = i64_sum(args->weight_tasks, i64_product(g->batch, args->panels));
    instance->tasks = i64_product(g->batch, args->image_tasks);
    instance->workspace_bytes =
        bytes_sum(bytes_of(sizeof(float), args->weight_floats),
                  bytes_of(sizeof(float), g->batch, g->group, args->panels, args->columns, args->terms));
    return true;
}

static bool deform_conv_accepts(KernelQuery *query) {
    DeformConvArgs args;
    KernelInstance instance;
    for (int i = 0; i < query->n_inputs; i++) {
        if (query->inputs[i].type.dtype && !cpu_is_f32(query, i))
            return false;
        query->inputs[i].layout = layout_plain();
    }
    query->outputs[0].layout = layout_plain();
    query->inputs[DEFORM_W].packed = query->inputs[DEFORM_W].constant != NULL;
    if (!fill_args(query, &args, &instance) || args.plane > INT32_MAX)
        return false;
    const int last = args.geometry.spatial - 1; /* of which two neighbours are read together */
    for (int i = 0; i <= last; i++)
        if (args.geometry.dims[i].in < 1 + (i == last) || args.geometry.dims[i].in > MAX_LENGTH)
            return false;
    return cpu_in_proportion(query, instance.scratch_bytes, instance.workspace_bytes);
}

static double deform_conv_cost(const KernelQuery *query) {
    const DeformGeometry g = deform_geometry(query->node->attrs, &query->inputs[DEFORM_X].type.shape,
                                             &query->inputs[DEFORM_W].type.shape);
    const double read = (double)g.in_channels * (double)g.taps * (double)g.outputs * (double)g.batch;
    return 4000 + read * (2 + (double)g.out_channels / (double)g.group / 45);
}

static Status deform_conv_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    DeformConvArgs *args;
    const void *w = NULL;
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *args, 1), &args));
    (void)fill_args(query, args, instance);
    if (query->inputs[DEFORM_W].constant)
        TRY(pack_plain(ctx, query->inputs[DEFORM_W].constant, &w));
    args->w = w;
    instance->args = args;
    return STRIDER_OK;
}

const Kernel kernel_deform_conv = {
    .name = "deform_conv",
    .op = OP_DeformConv,
    .accepts = deform_conv_accepts,
    .cost = deform_conv_cost,
    .prepare = deform_conv_prepare,
};
