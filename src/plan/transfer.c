/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/transfer.h"

/* Read and written once, at about 8 GB/s. */
double transfer_cost(size_t size_bytes) {
    return 1000 + (double)size_bytes * 0.25;
}

/* Blocks of a tensor without spatial extent lie as the plain tensor does, unless a padded block is followed
 * by another row. */
static bool same_bytes(const Type *type, int block) {
    const Shape *shape = &type->shape;
    return shape_size(shape, 2, shape->rank) == 1 && (shape->dims[0] == 1 || shape->dims[1] % block == 0);
}

/* A plain tensor lacks the blocked one's padding, so it is no blocked one, only the reverse holds. */
static bool is_free(const Type *type, Layout from, Layout to) {
    const int block = layout_block(from.kind == LAYOUT_PLAIN ? to : from);
    return from.dtype == to.dtype && same_bytes(type, block) &&
           (to.kind == LAYOUT_PLAIN || type->shape.dims[1] % block == 0);
}

static Status reorder(PlanBuilder *builder, const Value *value, int from, Layout layout, int *buffer) {
    Plan *plan = builder->plan;
    const Type *type = builder_type(builder, value);
    const Layout old = plan->buffers[from].layout;
    TRY(builder_add_buffer(builder, BUFFER_ARENA, type, HOST, layout, buffer));
    if (is_free(type, old, layout)) {
        plan->buffers[*buffer].root = from;
        return STRIDER_OK;
    }
    Step *step = NULL;
    TRY(builder_add_step(builder, NULL, 1, 1, &step));
    step->kernel = "reorder";
    step->inputs[0] = from;
    step->outputs[0] = *buffer;
    PrepareContext prepare = builder_prepare_context(builder, HOST);
    return cpu_prepare_reorder(type, old, layout, &prepare, &step->instance);
}

typedef struct ConstantFill {
    const void *source;
    const KernelInstance *reorder;
    void *scratch;
} ConstantFill;

static void fill_constant(void *context, void *memory) {
    const ConstantFill *fill = context;
    const void *inputs[1] = {fill->source};
    void *outputs[1] = {memory};
    KernelCall call = {
        .inputs = inputs, .outputs = outputs, .scratch = fill->scratch, .args = fill->reorder->args};
    for (int64_t task = 0; task < fill->reorder->tasks; task++)
        fill->reorder->run(&call, task);
}

static Status reorder_constant(PlanBuilder *builder, const Tensor *constant, bool keep, Layout layout,
                               const void **data) {
    const Type *type = &constant->type;
    KernelInstance instance = {0};
    size_t size_bytes;
    char key[LAYOUT_TEXT];
    PrepareContext prepare = builder_prepare_context(builder, HOST);
    prepare.region = &builder->scratch;
    TRY(cpu_prepare_reorder(type, layout_plain(), layout, &prepare, &instance));
    ConstantFill fill = {.source = *data,
                         .reorder = &instance,
                         .scratch = region_alloc(&builder->scratch, instance.scratch_bytes.n)};
    if (!fill.scratch || !layout_size(type, layout, &size_bytes))
        return fail_memory(builder->err, instance.scratch_bytes.n, "the plan");
    if (keep)
        return pack_constant(&prepare, constant, layout_text(type->shape.rank, layout, key),
                             bytes_of(size_bytes, 1), fill_constant, &fill, data);
    void *memory = region_alloc(&builder->plan->region, size_bytes);
    if (!memory)
        return fail_memory(builder->err, size_bytes, "the plan");
    fill_constant(&fill, memory);
    *data = memory;
    return STRIDER_OK;
}

/* A constant's buffer points at its own memory where that will do, else at a pack; contents that were
 * computed for this plan alone are not packed, as packs outlive it. */
static Status add_constant(PlanBuilder *builder, const Value *value, Layout layout, int *buffer) {
    const Tensor *constant = *builder_contents(builder, value);
    const void *data = constant->data;
    PrepareContext prepare = builder_prepare_context(builder, HOST);
    if (constant->unaligned)
        TRY(pack_plain(&prepare, constant, &data));
    if (layout.kind != LAYOUT_PLAIN)
        TRY(reorder_constant(builder, constant, constant == value->constant, layout, &data));
    TRY(builder_add_buffer(builder, BUFFER_FIXED, &constant->type, HOST, layout, buffer));
    builder->plan->buffers[*buffer].fixed = data;
    return STRIDER_OK;
}

/* Uploaded now and not in each run.  What was computed for this plan alone goes with it, as its source does.
 */
static Status add_device_constant(PlanBuilder *builder, const Value *value, int device, int *buffer) {
    const Tensor *constant = *builder_contents(builder, value);
    const void *data;
    PrepareContext prepare = builder_prepare_context(builder, device);
    if (!value->constant) {
        const PackMemory memory = device_pack_memory(prepare.device);
        prepare.packs = &builder->plan->computed[device];
        if (!prepare.packs->buckets)
            TRY(pack_cache_init(prepare.packs, &memory, builder->err));
    }
    TRY(pack_plain(&prepare, constant, &data));
    TRY(builder_add_buffer(builder, BUFFER_FIXED, &constant->type, device, layout_plain(), buffer));
    builder->plan->buffers[*buffer].fixed = data;
    return STRIDER_OK;
}

/* A step that moves a value from or to device `device`. */
static Status add_copy(PlanBuilder *builder, StepKind kind, int device, int from, int to) {
    Step *step = NULL;
    TRY(builder_add_step(builder, NULL, 1, 1, &step));
    step->kind = kind;
    step->device = device;
    step->kernel = kind == STEP_UPLOAD ? "upload" : "download";
    step->waits = kind == STEP_DOWNLOAD && !builder->at_end;
    step->size_bytes = builder->plan->buffers[to].size_bytes;
    step->instance.tasks = 1;
    step->inputs[0] = from;
    step->outputs[0] = to;
    return STRIDER_OK;
}

static Status upload(PlanBuilder *builder, const Value *value, int device, int *buffer) {
    int from;
    TRY(transfer(builder, value, HOST, layout_plain(), &from));
    TRY(builder_add_buffer(builder, BUFFER_ARENA, builder_type(builder, value), device, layout_plain(),
                           buffer));
    return add_copy(builder, STEP_UPLOAD, device, from, *buffer);
}

static Status download(PlanBuilder *builder, const Value *value, int from, int *buffer) {
    TRY(builder_add_buffer(builder, BUFFER_ARENA, builder_type(builder, value), HOST, layout_plain(),
                           buffer));
    return add_copy(builder, STEP_DOWNLOAD, builder->plan->buffers[from].space, from, *buffer);
}

/* Where the value lies already, on the host in plain layout, else in another one, else on a device; or
 * NO_BUFFER. */
static int any_buffer(const PlanBuilder *builder, const Value *value) {
    const int at = partition_find(builder->plan->partition, value);
    int buffer = builder->plain[HOST][at];
    if (buffer == NO_BUFFER)
        buffer = builder->blocked[at];
    for (int device = HOST + 1; buffer == NO_BUFFER && device < builder->plan->n_devices; device++)
        buffer = builder->plain[device][at];
    return buffer;
}

static Status bring_to_host(PlanBuilder *builder, const Value *value, Layout layout, int *buffer) {
    int from = any_buffer(builder, value);
    if (from == NO_BUFFER)
        return fail(builder->err, STRIDER_INVALID_ARGUMENT, "value \"%s\" is not there", value->name);
    if (builder->plan->buffers[from].space != HOST) {
        int *plain = builder_buffer(builder, value, HOST, layout_plain());
        TRY(download(builder, value, from, plain));
        from = *plain;
    }
    return layout_equal(layout, builder->plan->buffers[from].layout)
               ? STRIDER_OK
               : reorder(builder, value, from, layout, buffer);
}

Status transfer(PlanBuilder *builder, const Value *value, int space, Layout layout, int *buffer) {
    int *wanted = builder_buffer(builder, value, space, layout);
    const bool is_constant = *builder_contents(builder, value) != NULL;
    if (*wanted == NO_BUFFER) {
        if (is_constant && space != HOST)
            TRY(add_device_constant(builder, value, space, wanted));
        else if (is_constant)
            TRY(add_constant(builder, value, layout, wanted));
        else if (space == HOST)
            TRY(bring_to_host(builder, value, layout, wanted));
        else
            TRY(upload(builder, value, space, wanted));
    }
    *buffer = *wanted;
    return STRIDER_OK;
}
