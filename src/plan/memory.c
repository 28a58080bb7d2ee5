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
        for (int port = 0; port < step->n_inputs && port < (int)(8 * sizeof step->overwrites); port++) {
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

/* The highest end of what lives at a time, over ranges of steps: a tree of segments, in which each node
 * stands for a range. */
typedef struct Skyline {
    size_t *highest, *everywhere; /* by node: the maximum of its range; what holds for all of it */
    size_t n_leaves;
} Skyline;

static size_t larger(size_t a, size_t b) {
    return a > b ? a : b;
}

static size_t skyline_highest(const Skyline *sky, size_t node, size_t begin, size_t end, size_t first,
                              size_t last) {
    if (last < begin || first >= end)
        return 0;
    if (first <= begin && end <= last + 1)
        return sky->highest[node];
    const size_t middle = begin + (end - begin) / 2;
    const size_t below = larger(skyline_highest(sky, 2 * node, begin, middle, first, last),
                                skyline_highest(sky, 2 * node + 1, middle, end, first, last));
    return larger(below, sky->everywhere[node]);
}

static void skyline_raise(Skyline *sky, size_t node, size_t begin, size_t end, size_t first, size_t last,
                          size_t height) {
    if (last < begin || first >= end)
        return;
    sky->highest[node] = larger(sky->highest[node], height);
    if (first <= begin && end <= last + 1) {
        sky->everywhere[node] = larger(sky->everywhere[node], height);
        return;
    }
    const size_t middle = begin + (end - begin) / 2;
    skyline_raise(sky, 2 * node, begin, middle, first, last, height);
    skyline_raise(sky, 2 * node + 1, middle, end, first, last, height);
}

/* Looking for gaps takes time with the square of the slots, so it ends after that many looks, which 8,000
 * slots do not come to; from then on a slot is laid upon all that lives while it does. */
enum { MAX_LOOKS = 1 << 25 };

typedef struct Placing {
    Plan *plan;
    int device;
    size_t alignment;
    int *by_size;   /* roots, largest first */
    int *by_offset; /* those that are placed, in order of their offsets */
    size_t n_roots, n_placed;
    size_t looks;
    Skyline sky; /* has no leaves before it is needed */
} Placing;

static int larger_first(const void *a, const void *b, void *slots) {
    const Slot *first = (const Slot *)slots + *(const int *)a,
               *second = (const Slot *)slots + *(const int *)b;
    if (first->size_bytes != second->size_bytes)
        return first->size_bytes > second->size_bytes ? -1 : 1;
    return *(const int *)a - *(const int *)b;
}

static size_t place_size(const Placing *placing, const Slot *slot) {
    size_t size;
    return size_align(slot->size_bytes ? slot->size_bytes : 1, placing->alignment, &size) ? size : SIZE_MAX;
}

/* The lowest offset at which nothing lies that lives when the slot does. */
static bool find_gap(Placing *placing, const Slot *slot, size_t size, size_t *offset) {
    const Slot *slots = placing->plan->slots;
    *offset = 0;
    placing->looks += placing->n_placed;
    for (size_t i = 0; i < placing->n_placed; i++) {
        const Slot *other = &slots[placing->by_offset[i]];
        size_t end;
        if (other->last_step < slot->first_step || other->first_step > slot->last_step)
            continue;
        if (!size_add(*offset, size, &end))
            return false;
        if (other->arena_offset >= end)
            break; /* the gap before it is large enough, and all further ones lie behind it */
        *offset = larger(*offset, other->arena_offset + place_size(placing, other));
    }
    return true;
}

static void keep_order(Placing *placing, int index) {
    const Slot *slots = placing->plan->slots;
    size_t at = placing->n_placed++;
    for (; at && slots[placing->by_offset[at - 1]].arena_offset > slots[index].arena_offset; at--)
        placing->by_offset[at] = placing->by_offset[at - 1];
    placing->by_offset[at] = index;
}

static void cover(Placing *placing, const Slot *slot) {
    skyline_raise(&placing->sky, 1, 0, placing->sky.n_leaves, (size_t)slot->first_step,
                  (size_t)slot->last_step, slot->arena_offset + place_size(placing, slot));
}

static Status build_skyline(PlanBuilder *builder, Placing *placing) {
    Skyline *sky = &placing->sky;
    const size_t steps = placing->plan->n_steps + 1;
    size_t leaves = 1;
    while (leaves < steps)
        leaves *= 2;
    sky->highest = region_alloc_array(&builder->scratch, leaves, 2 * sizeof *sky->highest);
    sky->everywhere = region_alloc_array(&builder->scratch, leaves, 2 * sizeof *sky->everywhere);
    if (!sky->highest || !sky->everywhere)
        return fail(builder->err, STRIDER_OUT_OF_MEMORY, "out of memory for the plan");
    sky->n_leaves = leaves;
    for (size_t i = 0; i < placing->n_placed; i++)
        cover(placing, &placing->plan->slots[placing->by_offset[i]]);
    return STRIDER_OK;
}

static Status place_root(PlanBuilder *builder, Placing *placing, int index) {
    Plan *plan = placing->plan;
    Slot *slot = &plan->slots[index];
    const size_t size = place_size(placing, slot);
    size_t *arena_bytes = &plan->arena_bytes[placing->device], end;
    bool fits = true;
    if (placing->looks > MAX_LOOKS && !placing->sky.n_leaves)
        TRY(build_skyline(builder, placing));
    if (placing->sky.n_leaves)
        slot->arena_offset = skyline_highest(&placing->sky, 1, 0, placing->sky.n_leaves,
                                             (size_t)slot->first_step, (size_t)slot->last_step);
    else
        fits = find_gap(placing, slot, size, &slot->arena_offset);
    if (!fits || !size_add(slot->arena_offset, size, &end) ||
        !size_add(plan->activation_bytes[placing->device], slot->size_bytes,
                  &plan->activation_bytes[placing->device]))
        return fail(builder->err, STRIDER_LIMIT_EXCEEDED, "the activations' size overflows");
    if (placing->sky.n_leaves)
        cover(placing, slot);
    else
        keep_order(placing, index);
    *arena_bytes = larger(*arena_bytes, end);
    return STRIDER_OK;
}

static Status place_device(PlanBuilder *builder, Placing *placing) {
    Plan *plan = placing->plan;
    placing->n_roots = placing->n_placed = placing->looks = 0;
    placing->sky = (Skyline){0};
    for (size_t i = 0; i < plan->n_slots; i++) {
        const Slot *slot = &plan->slots[i];
        if (slot->kind == SLOT_ARENA && slot->root == (int)i && slot->first_step >= 0 &&
            slot->place.device == placing->device)
            placing->by_size[placing->n_roots++] = (int)i;
    }
    qsort_r(placing->by_size, placing->n_roots, sizeof *placing->by_size, larger_first, plan->slots);
    for (size_t i = 0; i < placing->n_roots; i++)
        TRY(place_root(builder, placing, placing->by_size[i]));
    return STRIDER_OK;
}

Status plan_place(PlanBuilder *builder) {
    Plan *plan = builder->plan;
    find_lifetimes(plan, builder->request->keep_values);
    reuse_inputs(plan);
    Placing placing = {.plan = plan};
    placing.by_size = region_alloc_array(&builder->scratch, plan->n_slots, sizeof(int));
    placing.by_offset = region_alloc_array(&builder->scratch, plan->n_slots, sizeof(int));
    if (!placing.by_size || !placing.by_offset)
        return fail_memory(builder->err, bytes_of(sizeof(int), plan->n_slots).n, "the plan");
    for (placing.device = 0; placing.device < plan->n_devices; placing.device++) {
        placing.alignment = plan->devices[placing.device]->alignment;
        TRY(place_device(builder, &placing));
    }
    for (size_t s = 0; s < plan->n_steps; s++)
        if (plan->steps[s].instance.scratch_bytes.n > plan->scratch_bytes)
            plan->scratch_bytes = plan->steps[s].instance.scratch_bytes.n;
    return STRIDER_OK;
}
