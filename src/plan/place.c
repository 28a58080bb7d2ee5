/* SPDX-License-Identifier: Apache-2.0 */
/* Bringing values to where steps want them: into other layouts, and to other devices. */
#include "plan/plan.h"

int *plan_slot_of(PlanBuilder *builder, const Value *value, Place place) {
    int *slots = place.device != HOST           ? builder->device_slots[place.device]
                 : place.layout == LAYOUT_PLAIN ? builder->plan->plain_slots
                                                : builder->blocked_slots;
    return &slots[value->index];
}

PrepareContext plan_prepare_context(PlanBuilder *builder, int device) {
    const PlanDevice *used = &builder->request->devices[device];
    PrepareContext context = {.region = &builder->plan->region,
                              .packs = used->packs,
                              .max_pack_bytes =
                                  device == HOST ? budget_left(builder->request->budget) : UINT64_MAX,
                              .err = builder->err,
                              .device = used->device};
    if (builder->request->tuning)
        context.times = tuning_times(builder->request->tuning);
    return context;
}

/* Read and written once, at about 8 GB/s. */
double plan_reorder_cost(size_t size_bytes) {
    return 1000 + (double)size_bytes * 0.25;
}

/* Blocks of a tensor without spatial extent lie as the plain tensor does, unless a padded block is followed
 * by another row. */
static bool same_bytes(const Type *type, Layout block) {
    const Shape *shape = &type->shape;
    return shape_size(shape, 2, shape->rank) == 1 && (shape->dims[0] == 1 || shape->dims[1] % block == 0);
}

/* A plain tensor lacks the blocked one's padding, so it is no blocked one, only the reverse holds. */
static bool is_free(const Type *type, Layout from, Layout to) {
    Layout block = from == LAYOUT_PLAIN ? to : from;
    return same_bytes(type, block) && (to == LAYOUT_PLAIN || type->shape.dims[1] % block == 0);
}

static Status reorder(PlanBuilder *builder, const Value *value, int from, Layout layout, int *slot) {
    Plan *plan = builder->plan;
    const Type *type = &plan->types[value->index];
    Layout old = plan->slots[from].place.layout;
    if (is_free(type, old, layout)) {
        TRY(plan_add_slot(builder, SLOT_ARENA, type, (Place){HOST, layout}, slot));
        plan->slots[*slot].root = from;
        return STRIDER_OK;
    }
    Step *step = NULL;
    TRY(plan_add_slot(builder, SLOT_ARENA, type, (Place){HOST, layout}, slot));
    TRY(plan_add_step(builder, NULL, 1, 1, &step));
    step->kernel = "reorder";
    step->input_slots[0] = from;
    step->output_slots[0] = *slot;
    PrepareContext prepare = plan_prepare_context(builder, HOST);
    return cpu_prepare_reorder(type, old, layout, builder->request->isa, &prepare, &step->instance);
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
    PrepareContext prepare = plan_prepare_context(builder, HOST);
    prepare.region = &builder->scratch;
    TRY(cpu_prepare_reorder(type, LAYOUT_PLAIN, layout, builder->request->isa, &prepare, &instance));
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

/* A constant's slot points at its own memory where that will do, else at a pack; contents that were computed
 * for this plan alone are not packed, as packs outlive it. */
static Status add_constant(PlanBuilder *builder, const Value *value, Layout layout, int *slot) {
    const Tensor *constant = builder->plan->contents[value->index];
    const void *data = constant->data;
    PrepareContext prepare = plan_prepare_context(builder, HOST);
    if (constant->unaligned)
        TRY(pack_plain(&prepare, constant, &data));
    if (layout != LAYOUT_PLAIN)
        TRY(reorder_constant(builder, constant, constant == value->constant, layout, &data));
    TRY(plan_add_slot(builder, SLOT_FIXED, &constant->type, (Place){HOST, layout}, slot));
    builder->plan->slots[*slot].fixed = data;
    return STRIDER_OK;
}

/* Uploaded now and not in each run.  What was computed for this plan alone goes with it, as its source does.
 */
static Status add_device_constant(PlanBuilder *builder, const Value *value, Place place, int *slot) {
    const Tensor *constant = value->constant ? value->constant : builder->plan->contents[value->index];
    const void *data;
    PrepareContext prepare = plan_prepare_context(builder, place.device);
    if (!value->constant) {
        prepare.packs = &builder->plan->computed[place.device];
        if (!prepare.packs->device)
            TRY(pack_cache_init(prepare.packs, prepare.device, builder->err));
    }
    TRY(pack_plain(&prepare, constant, &data));
    TRY(plan_add_slot(builder, SLOT_FIXED, &constant->type, place, slot));
    builder->plan->slots[*slot].fixed = data;
    return STRIDER_OK;
}

/* Plans behind a border are made for one run, in which a step uploads as well. */
static bool runs_once(const PlanBuilder *builder) {
    return builder->request->first_node > 0;
}

/* A step that moves a value from or to device `device`. */
static Status add_copy(PlanBuilder *builder, StepKind kind, int device, int from, int to) {
    Step *step = NULL;
    TRY(plan_add_step(builder, NULL, 1, 1, &step));
    step->kind = kind;
    step->device = device;
    step->kernel = kind == STEP_UPLOAD ? "upload" : "download";
    step->waits = kind == STEP_DOWNLOAD && !builder->at_end;
    step->size_bytes = builder->plan->slots[to].size_bytes;
    step->instance.tasks = 1;
    step->input_slots[0] = from;
    step->output_slots[0] = to;
    return STRIDER_OK;
}

static Status upload(PlanBuilder *builder, const Value *value, int device, int *slot) {
    int from;
    TRY(plan_require(builder, value, host_plain, &from));
    TRY(plan_add_slot(builder, SLOT_ARENA, &builder->plan->types[value->index], (Place){device, LAYOUT_PLAIN},
                      slot));
    return add_copy(builder, STEP_UPLOAD, device, from, *slot);
}

static Status download(PlanBuilder *builder, const Value *value, int from, int *slot) {
    TRY(plan_add_slot(builder, SLOT_ARENA, &builder->plan->types[value->index], host_plain, slot));
    return add_copy(builder, STEP_DOWNLOAD, builder->plan->slots[from].place.device, from, *slot);
}

/* Where the value lies already, on the host in plain layout, else blocked, else on a device; or NO_SLOT. */
static int any_slot(PlanBuilder *builder, const Value *value) {
    int slot = builder->plan->plain_slots[value->index];
    if (slot == NO_SLOT)
        slot = builder->blocked_slots[value->index];
    for (int device = HOST + 1; slot == NO_SLOT && device < builder->plan->n_devices; device++)
        slot = builder->device_slots[device][value->index];
    return slot;
}

static Status bring_to_host(PlanBuilder *builder, const Value *value, Layout layout, int *slot) {
    int from = any_slot(builder, value);
    if (from == NO_SLOT)
        return fail(builder->err, STRIDER_INVALID_ARGUMENT, "value \"%s\" is not there", value->name);
    if (builder->plan->slots[from].place.device != HOST) {
        int *plain = &builder->plan->plain_slots[value->index];
        TRY(download(builder, value, from, plain));
        from = *plain;
    }
    return layout == builder->plan->slots[from].place.layout ? STRIDER_OK
                                                             : reorder(builder, value, from, layout, slot);
}

Status plan_require(PlanBuilder *builder, const Value *value, Place place, int *slot) {
    int *wanted = plan_slot_of(builder, value, place);
    const Tensor *contents = builder->plan->contents[value->index];
    if (*wanted == NO_SLOT) {
        if (place.device != HOST && contents && (value->constant || !runs_once(builder)))
            TRY(add_device_constant(builder, value, place, wanted));
        else if (place.device == HOST && contents)
            TRY(add_constant(builder, value, place.layout, wanted));
        else if (place.device == HOST)
            TRY(bring_to_host(builder, value, place.layout, wanted));
        else
            TRY(upload(builder, value, place.device, wanted));
    }
    *slot = *wanted;
    return STRIDER_OK;
}
