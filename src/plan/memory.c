/* SPDX-License-Identifier: Apache-2.0 */
/* Where slots lie in the arena: lifetimes first, then memory that a step may write over, then offsets,
 * largest first, each into the lowest gap that is free for its whole life. */
#include <stdio.h>
#include <stdlib.h>

#include "base/size.h"
#include "graph/op.h"
#include "plan/plan.h"

static int root_of(const Plan *plan, int slot) {
    size_t offset;
    return plan_root(plan, slot, &offset);
}

static void touch(Plan *plan, int slot, int step) {
    if (slot == NO_SLOT)
        return;
    Slot *root = &plan->slots[root_of(plan, slot)];
    if (root->first_step < 0 || step < root->first_step)
        root->first_step = step;
    if (step > root->last_step)
        root->last_step = step;
}

/* Memory that is read after the plan has run lives to its end. */
static void keep_results(Plan *plan) {
    const Graph *graph = plan->graph;
    int end = (int)plan->n_steps;
    for (size_t i = plan->end_node; i < graph->n_nodes; i++)
        for (int port = 0; port < graph->nodes[i]->n_inputs; port++)
            if (graph->nodes[i]->inputs[port])
                touch(plan, plan->plain_slots[graph->nodes[i]->inputs[port]->index], end);
    for (size_t i = 0; i < graph->n_outputs; i++)
        touch(plan, plan->plain_slots[graph->outputs[i]->index], end);
}

static void find_lifetimes(Plan *plan, bool keep_all) {
    for (size_t s = 0; s < plan->n_steps; s++) {
        for (int i = 0; i < plan->steps[s].n_inputs; i++)
            touch(plan, plan->steps[s].input_slots[i], (int)s);
        for (int i = 0; i < plan->steps[s].n_outputs; i++)
            touch(plan, plan->steps[s].output_slots[i], (int)s);
        touch(plan, plan->steps[s].workspace_slot, (int)s);
    }
    keep_results(plan);
    for (size_t i = 0; keep_all && i < plan->n_slots; i++)
        if (plan->slots[i].first_step >= 0)
            plan->slots[i].last_step = (int)plan->n_steps;
}

/* Whether the step's first output may take the memory of its input `port`. */
static bool can_overwrite(const Plan *plan, const Step *step, int step_index, int port) {
    int in = step->input_slots[port], out = step->output_slots[0];
    if (in == NO_SLOT || out == NO_SLOT)
        return false;
    int root_in = root_of(plan, in);
    const Slot *root = &plan->slots[root_in], *output = &plan->slots[out];
    if (root->kind != SLOT_ARENA || root->last_step != step_index || root->size_bytes != output->size_bytes ||
        plan->slots[in].size_bytes != output->size_bytes ||
        plan->slots[in].place.layout != output->place.layout || output->root != out)
        return false;
    for (int i = 0; i < step->n_inputs; i++)
        if (i != port && step->input_slots[i] != NO_SLOT && root_of(plan, step->input_slots[i]) == root_in)
            return false;
    return true;
}

static void reuse_inputs(Plan *plan) {
    for (size_t s = 0; s < plan->n_steps; s++) {
        const Step *step = &plan->steps[s];
        for (int port = 0; port < step->n_inputs; port++) {
            if (!(step->overwrites >> port & 1) || !can_overwrite(plan, step, (int)s, port))
                continue;
            Slot *root = &plan->slots[root_of(plan, step->input_slots[port])];
            Slot *output = &plan->slots[step->output_slots[0]];
            root->last_step = output->last_step > root->last_step ? output->last_step : root->last_step;
            output->root = (int)(root - plan->slots);
            output->root_offset = 0;
            break;
        }
    }
}

typedef struct Placing {
    Plan *plan;
    int device;
    size_t alignment;
    int *by_size;   /* roots, largest first */
    int *by_offset; /* those that are placed, in order of their offsets */
    size_t n_roots, n_placed;
} Placing;

static int larger_first(const void *a, const void *b, void *slots) {
    const Slot *first = (const Slot *)slots + *(const int *)a,
               *second = (const Slot *)slots + *(const int *)b;
    if (first->size_bytes != second->size_bytes)
        return first->size_bytes > second->size_bytes ? -1 : 1;
    return *(const int *)a - *(const int *)b;
}

static bool place_root(Placing *placing, int index) {
    Slot *slots = placing->plan->slots, *slot = &slots[index];
    size_t offset = 0, size, end, at = 0;
    if (!size_align(slot->size_bytes ? slot->size_bytes : 1, placing->alignment, &size))
        return false;
    for (size_t i = 0; i < placing->n_placed; i++) {
        const Slot *other = &slots[placing->by_offset[i]];
        if (other->last_step < slot->first_step || other->first_step > slot->last_step)
            continue;
        if (other->arena_offset >= offset + size)
            break; /* the gap before it is large enough, and all further ones lie behind it */
        size_t other_end =
            other->arena_offset + ((other->size_bytes + placing->alignment - 1) & ~(placing->alignment - 1));
        offset = other_end > offset ? other_end : offset;
    }
    if (!size_add(offset, size, &end))
        return false;
    slot->arena_offset = offset;
    while (at < placing->n_placed && slots[placing->by_offset[at]].arena_offset <= offset)
        at++;
    for (size_t i = placing->n_placed++; i > at; i--)
        placing->by_offset[i] = placing->by_offset[i - 1];
    placing->by_offset[at] = index;
    size_t *arena_bytes = &placing->plan->arena_bytes[placing->device];
    size_t *activation_bytes = &placing->plan->activation_bytes[placing->device];
    *arena_bytes = end > *arena_bytes ? end : *arena_bytes;
    return size_add(*activation_bytes, slot->size_bytes, activation_bytes);
}

static Status place_device(PlanBuilder *builder, Placing *placing) {
    Plan *plan = placing->plan;
    placing->n_roots = placing->n_placed = 0;
    for (size_t i = 0; i < plan->n_slots; i++) {
        const Slot *slot = &plan->slots[i];
        if (slot->kind == SLOT_ARENA && slot->root == (int)i && slot->first_step >= 0 &&
            slot->place.device == placing->device)
            placing->by_size[placing->n_roots++] = (int)i;
    }
    qsort_r(placing->by_size, placing->n_roots, sizeof *placing->by_size, larger_first, plan->slots);
    for (size_t i = 0; i < placing->n_roots; i++)
        if (!place_root(placing, placing->by_size[i]))
            return fail(builder->err, STRIDER_LIMIT_EXCEEDED, "the activations' size overflows");
    const size_t arena_bytes = plan->arena_bytes[placing->device];
    if (arena_bytes > builder->request->max_arena_bytes)
        return fail(builder->err, STRIDER_LIMIT_EXCEEDED,
                    "the activations need %zu bytes, more than the limit of %llu (max_arena_bytes)",
                    arena_bytes, (unsigned long long)builder->request->max_arena_bytes);
    return STRIDER_OK;
}

Status plan_place(PlanBuilder *builder) {
    Plan *plan = builder->plan;
    find_lifetimes(plan, builder->request->keep_values);
    reuse_inputs(plan);
    Placing placing = {.plan = plan};
    placing.by_size = region_take_array(&builder->scratch, plan->n_slots, sizeof(int));
    placing.by_offset = region_take_array(&builder->scratch, plan->n_slots, sizeof(int));
    if (!placing.by_size || !placing.by_offset)
        return fail_memory(builder->err, plan->n_slots * sizeof(int), "the plan");
    for (placing.device = 0; placing.device < plan->n_devices; placing.device++) {
        placing.alignment = plan->devices[placing.device]->alignment;
        TRY(place_device(builder, &placing));
    }
    for (size_t s = 0; s < plan->n_steps; s++)
        if (plan->steps[s].prepared.scratch_bytes > plan->scratch_bytes)
            plan->scratch_bytes = plan->steps[s].prepared.scratch_bytes;
    return STRIDER_OK;
}
