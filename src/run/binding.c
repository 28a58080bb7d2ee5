/* SPDX-License-Identifier: Apache-2.0 */
#include "run/binding.h"

#include <string.h>

#include "base/size.h"
#include "plan/buffer.h"

static Status no_memory(Error *err) {
    return fail(err, STRIDER_OUT_OF_MEMORY, "out of memory for the session's addresses");
}

/* --- making --- */

static bool alloc_tensors(Region *region, const Plan *plan, const Step *step, BoundStep *bound) {
    const size_t n_in = (size_t)step->n_inputs, n_out = (size_t)step->n_outputs;
    bound->tensors = region_alloc_array(region, n_in + n_out, sizeof *bound->tensors);
    bound->reference_inputs = region_alloc_array(region, n_in, sizeof(Tensor *));
    bound->reference_outputs = region_alloc_array(region, n_out, sizeof(Tensor *));
    if (!bound->tensors || !bound->reference_inputs || !bound->reference_outputs)
        return false;
    for (size_t i = 0; i < n_in + n_out; i++) {
        const int buffer = i < n_in ? step->inputs[i] : step->outputs[i - n_in];
        if (buffer == NO_BUFFER)
            continue;
        const Type *type = &plan->buffers[buffer].type;
        bound->tensors[i] = tensor_view(type->dtype, &type->shape, NULL);
        if (i < n_in)
            bound->reference_inputs[i] = &bound->tensors[i];
        else
            bound->reference_outputs[i - n_in] = &bound->tensors[i];
    }
    return true;
}

static bool alloc_step(Region *region, const Plan *plan, const Step *step, BoundStep *bound) {
    bound->inputs = region_alloc_array(region, (size_t)step->n_inputs, sizeof *bound->inputs);
    bound->outputs = region_alloc_array(region, (size_t)step->n_outputs, sizeof *bound->outputs);
    return bound->inputs && bound->outputs &&
           (step->kind != STEP_REFERENCE || alloc_tensors(region, plan, step, bound));
}

typedef void Visit(void *context, int buffer, const void **place);

/* All places of a step that hold the address of a buffer. */
static void visit_step(const Step *step, BoundStep *bound, Visit *visit, void *context) {
    for (int i = 0; i < step->n_inputs; i++)
        if (step->inputs[i] != NO_BUFFER) {
            visit(context, step->inputs[i], &bound->inputs[i]);
            if (bound->tensors)
                visit(context, step->inputs[i], (const void **)&bound->tensors[i].data);
        }
    for (int i = 0; i < step->n_outputs; i++)
        if (step->outputs[i] != NO_BUFFER) {
            visit(context, step->outputs[i], (const void **)&bound->outputs[i]);
            if (bound->tensors)
                visit(context, step->outputs[i], (const void **)&bound->tensors[step->n_inputs + i].data);
        }
    if (step->workspace != NO_BUFFER)
        visit(context, step->workspace, (const void **)&bound->workspace);
}

static void visit_all(Binding *binding, Visit *visit) {
    for (size_t i = 0; i < binding->plan->n_steps; i++)
        visit_step(&binding->plan->steps[i], &binding->steps[i], visit, binding);
}

static bool is_brought(const Buffer *root) {
    return root->kind == BUFFER_INPUT || root->kind == BUFFER_OUTPUT;
}

static void count_port(void *context, int buffer, const void **place) {
    Binding *binding = context;
    size_t offset;
    (void)place;
    binding->n_ports += is_brought(&binding->plan->buffers[buffer_root(binding->plan, buffer, &offset)]);
}

static void add_port(void *context, int buffer, const void **place) {
    Binding *binding = context;
    size_t offset;
    const Buffer *root = &binding->plan->buffers[buffer_root(binding->plan, buffer, &offset)];
    if (is_brought(root))
        binding->ports[binding->n_ports++] =
            (BoundPort){place, root->port, root->kind == BUFFER_OUTPUT, offset};
}

static Status fill(Binding *binding, Error *err) {
    const Plan *plan = binding->plan;
    Region *region = &binding->region;
    binding->steps = region_alloc_array(region, plan->n_steps, sizeof *binding->steps);
    if (!binding->steps)
        return no_memory(err);
    for (size_t i = 0; i < plan->n_steps; i++)
        if (!alloc_step(region, plan, &plan->steps[i], &binding->steps[i]))
            return no_memory(err);
    visit_all(binding, count_port);
    binding->ports = region_alloc_array(region, binding->n_ports, sizeof *binding->ports);
    if (!binding->ports)
        return no_memory(err);
    binding->n_ports = 0;
    visit_all(binding, add_port);
    return STRIDER_OK;
}

Status binding_make(CachedPlan *cached, const Allocator *allocator, Binding **binding, Error *err) {
    Binding *made = memory_alloc_zeroed(allocator, 1, sizeof *made);
    *binding = NULL;
    if (!made)
        return no_memory(err);
    made->plan = cached->plan;
    region_init(&made->region, allocator, 0);
    const Status status = fill(made, err);
    if (status) {
        region_free(&made->region);
        memory_free(allocator, made);
        return status;
    }
    made->cached = cached;
    *binding = made;
    return STRIDER_OK;
}

void binding_free(Binding *binding, Budget *budget) {
    if (!binding)
        return;
    const Allocator *allocator = binding->region.allocator;
    recording_free(&binding->recording.work);
    plan_cache_release(binding->cached, budget);
    region_free(&binding->region);
    memory_free(allocator, binding);
}

/* --- addresses --- */

const void *binding_address(const Binding *binding, int buffer) {
    size_t offset;
    const Buffer *root = &binding->plan->buffers[buffer_root(binding->plan, buffer, &offset)];
    return root->kind == BUFFER_ARENA ? binding->arenas[root->space] + root->arena_offset + offset
                                      : (const char *)root->fixed + offset;
}

static void resolve(void *context, int buffer, const void **place) {
    const Binding *binding = context;
    size_t offset;
    if (!is_brought(&binding->plan->buffers[buffer_root(binding->plan, buffer, &offset)]))
        *place = binding_address(binding, buffer);
}

void binding_resolve(Binding *binding, char *const arenas[MAX_DEVICES]) {
    const size_t n = (size_t)binding->plan->n_devices;
    if (binding->is_resolved && memcmp(binding->arenas, arenas, n * sizeof *arenas) == 0)
        return;
    memcpy(binding->arenas, arenas, n * sizeof *arenas);
    visit_all(binding, resolve);
    binding->is_resolved = true;
}

void binding_bring(Binding *binding, const void *const *inputs, void *const *outputs) {
    for (size_t i = 0; i < binding->n_ports; i++) {
        const BoundPort *port = &binding->ports[i];
        const char *from = port->is_output ? outputs[port->port] : inputs[port->port];
        *port->place = from + port->offset_bytes;
    }
}
