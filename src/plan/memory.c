/* SPDX-License-Identifier: Apache-2.0 */
/* Where buffers lie in the arena: lifetimes first, then memory that a step may write over, then offsets,
 * largest first, each into the lowest gap that is free for its whole life. */
#include <stdio.h>
#include <stdlib.h>

#include "base/size.h"
#include "graph/op.h"
#include "plan/memory.h"

static int root_of(const Plan *plan, int buffer) {
    size_t offset;
    return buffer_root(plan, buffer, &offset);
}

static void touch(Plan *plan, int buffer, int step) {
    if (buffer == NO_BUFFER)
        return;
    Buffer *root = &plan->buffers[root_of(plan, buffer)];
    if (root->first_step < 0 || step < root->first_step)
        root->first_step = step;
    if (step > root->last_step)
        root->last_step = step;
}

/* Memory that is read after the plan has run lives to its end. */
static void keep_results(Plan *plan) {
    for (size_t i = 0; i < plan->partition->n_outputs; i++)
        touch(plan, plan->outputs[i], (int)plan->n_steps);
}

static void find_lifetimes(Plan *plan, bool keep_all) {
    for (size_t s = 0; s < plan->n_steps; s++) {
        for (int i = 0; i < plan->steps[s].n_inputs; i++)
            touch(plan, plan->steps[s].inputs[i], (int)s);
        for (int i = 0; i < plan->steps[s].n_outputs; i++)
            touch(plan, plan->steps[s].outputs[i], (int)s);
        touch(plan, plan->steps[s].workspace, (int)s);
    }
    keep_results(plan);
    for (size_t i = 0; keep_all && i < plan->n_buffers; i++)
        if (plan->buffers[i].first_step >= 0)
            plan->buffers[i].last_step = (int)plan->n_steps;
}

/* Whether the step's first output may take the memory of its input `port`. */
static bool can_overwrite(const Plan *plan, const Step *step, int step_index, int port) {
    int in = step->inputs[port], out = step->outputs[0];
    if (in == NO_BUFFER || out == NO_BUFFER)
        return false;
    int root_in = root_of(plan, in);
    const Buffer *root = &plan->buffers[root_in], *output = &plan->buffers[out];
    if (root->kind != BUFFER_ARENA || output->kind != BUFFER_ARENA || root->last_step != step_index ||
        root->size_bytes != output->size_bytes || plan->buffers[in].size_bytes != output->size_bytes ||
        !layout_equal(plan->buffers[in].layout, output->layout) || output->root != out)
        return false;
    for (int i = 0; i < step->n_inputs; i++)
        if (i != port && step->inputs[i] != NO_BUFFER && root_of(plan, step->inputs[i]) == root_in)
            return false;
    return true;
}

static void reuse_inputs(Plan *plan) {
    for (size_t s = 0; s < plan->n_steps; s++) {
        const Step *step = &plan->steps[s];
        for (int port = 0; port < step->n_inputs && port < (int)(8 * sizeof step->overwrites); port++) {
            if (!(step->overwrites >> port & 1) || !can_overwrite(plan, step, (int)s, port))
                continue;
            Buffer *root = &plan->buffers[root_of(plan, step->inputs[port])];
            Buffer *output = &plan->buffers[step->outputs[0]];
            root->last_step = output->last_step > root->last_step ? output->last_step : root->last_step;
            output->root = (int)(root - plan->buffers);
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

/* Looking for gaps takes time with the square of the buffers, so it ends after that many looks, which 8,000
 * buffers do not come to; from then on a buffer is laid upon all that lives while it does. */
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

static int larger_first(const void *a, const void *b, void *buffers) {
    const Buffer *first = (const Buffer *)buffers + *(const int *)a,
                 *second = (const Buffer *)buffers + *(const int *)b;
    if (first->size_bytes != second->size_bytes)
        return first->size_bytes > second->size_bytes ? -1 : 1;
    return *(const int *)a - *(const int *)b;
}

static size_t place_size(const Placing *placing, const Buffer *buffer) {
    size_t size;
    return size_align(buffer->size_bytes ? buffer->size_bytes : 1, placing->alignment, &size) ? size
                                                                                              : SIZE_MAX;
}

/* The lowest offset at which nothing lies that lives when the buffer does. */
static bool find_gap(Placing *placing, const Buffer *buffer, size_t size, size_t *offset) {
    const Buffer *buffers = placing->plan->buffers;
    *offset = 0;
    placing->looks += placing->n_placed;
    for (size_t i = 0; i < placing->n_placed; i++) {
        const Buffer *other = &buffers[placing->by_offset[i]];
        size_t end;
        if (other->last_step < buffer->first_step || other->first_step > buffer->last_step)
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
    const Buffer *buffers = placing->plan->buffers;
    size_t at = placing->n_placed++;
    for (; at && buffers[placing->by_offset[at - 1]].arena_offset > buffers[index].arena_offset; at--)
        placing->by_offset[at] = placing->by_offset[at - 1];
    placing->by_offset[at] = index;
}

static void cover(Placing *placing, const Buffer *buffer) {
    skyline_raise(&placing->sky, 1, 0, placing->sky.n_leaves, (size_t)buffer->first_step,
                  (size_t)buffer->last_step, buffer->arena_offset + place_size(placing, buffer));
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
        cover(placing, &placing->plan->buffers[placing->by_offset[i]]);
    return STRIDER_OK;
}

static Status place_root(PlanBuilder *builder, Placing *placing, int index) {
    Plan *plan = placing->plan;
    Buffer *buffer = &plan->buffers[index];
    const size_t size = place_size(placing, buffer);
    size_t *arena_bytes = &plan->arena_bytes[placing->device], end;
    bool fits = true;
    if (placing->looks > MAX_LOOKS && !placing->sky.n_leaves)
        TRY(build_skyline(builder, placing));
    if (placing->sky.n_leaves)
        buffer->arena_offset = skyline_highest(&placing->sky, 1, 0, placing->sky.n_leaves,
                                               (size_t)buffer->first_step, (size_t)buffer->last_step);
    else
        fits = find_gap(placing, buffer, size, &buffer->arena_offset);
    if (!fits || !size_add(buffer->arena_offset, size, &end) ||
        !size_add(plan->activation_bytes[placing->device], buffer->size_bytes,
                  &plan->activation_bytes[placing->device]))
        return fail(builder->err, STRIDER_LIMIT_EXCEEDED, "the activations' size overflows");
    if (placing->sky.n_leaves)
        cover(placing, buffer);
    else
        keep_order(placing, index);
    *arena_bytes = larger(*arena_bytes, end);
    return STRIDER_OK;
}

static Status place_device(PlanBuilder *builder, Placing *placing) {
    Plan *plan = placing->plan;
    placing->n_roots = placing->n_placed = placing->looks = 0;
    placing->sky = (Skyline){0};
    for (size_t i = 0; i < plan->n_buffers; i++) {
        const Buffer *buffer = &plan->buffers[i];
        if (buffer->kind == BUFFER_ARENA && buffer->root == (int)i && buffer->first_step >= 0 &&
            buffer->space == placing->device)
            placing->by_size[placing->n_roots++] = (int)i;
    }
    qsort_r(placing->by_size, placing->n_roots, sizeof *placing->by_size, larger_first, plan->buffers);
    for (size_t i = 0; i < placing->n_roots; i++)
        TRY(place_root(builder, placing, placing->by_size[i]));
    return STRIDER_OK;
}

Status place_buffers(PlanBuilder *builder) {
    Plan *plan = builder->plan;
    find_lifetimes(plan, builder->target->keep_values);
    reuse_inputs(plan);
    Placing placing = {.plan = plan};
    placing.by_size = region_alloc_array(&builder->scratch, plan->n_buffers, sizeof(int));
    placing.by_offset = region_alloc_array(&builder->scratch, plan->n_buffers, sizeof(int));
    if (!placing.by_size || !placing.by_offset)
        return fail_memory(builder->err, bytes_of(sizeof(int), plan->n_buffers).n, "the plan");
    for (placing.device = 0; placing.device < plan->n_devices; placing.device++) {
        placing.alignment = plan->devices[placing.device]->alignment;
        TRY(place_device(builder, &placing));
    }
    for (size_t s = 0; s < plan->n_steps; s++)
        if (plan->steps[s].instance.scratch_bytes.n > plan->scratch_bytes)
            plan->scratch_bytes = plan->steps[s].instance.scratch_bytes.n;
    return STRIDER_OK;
}
