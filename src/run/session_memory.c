/* SPDX-License-Identifier: Apache-2.0 */
#include "run/session_memory.h"

#include <inttypes.h>

#include "base/size.h"
#include "graph/op.h"

void session_open_budget(strider_session *session) {
    const uint64_t asked = session->options.max_memory_bytes;
    session->options.max_memory_bytes = asked ? asked : memory_of_machine();
    budget_init(&session->budget, session->model->allocator, session->options.max_memory_bytes);
    session->allocator = &session->budget.allocator;
    pool_init(&session->pool, session->allocator);
    session->host = cpu_device(session->allocator);
}

/* --- what a plan needs --- */

static Bytes scratch_stride(const Plan *plan) {
    size_t stride;
    return size_align(plan->scratch_bytes, MEMORY_ALIGNMENT, &stride) ? (Bytes){stride} : (Bytes){SIZE_MAX};
}

static Bytes scratch_of(const strider_session *session, const Plan *plan) {
    const Bytes stride = scratch_stride(plan);
    return stride.n > INT64_MAX ? stride : bytes_of((size_t)stride.n, session->options.threads);
}

Bytes session_memory_for(strider_session *session, const Plan *plan) {
    const Bytes have_arena = {memory_large_size(session->arena_bytes[HOST])},
                have_scratch = {memory_large_size(session->scratch_bytes)};
    const uint64_t others = budget_used(&session->budget) - have_arena.n - have_scratch.n;
    Bytes sum = bytes_larger(have_arena, (Bytes){memory_large_size(plan->arena_bytes[HOST])});
    sum = bytes_sum(sum, bytes_larger(have_scratch, (Bytes){memory_large_size(scratch_of(session, plan).n)}));
    sum = bytes_sum(sum, (Bytes){others});
    return bytes_sum(sum, (Bytes){pack_cache_bytes(session->target.devices[HOST].packs)});
}

/* What a step takes by itself: its results, workspace, scratch memory of all threads, and weights. */
static uint64_t wanted_by(const strider_session *session, const Plan *plan, const Step *step) {
    Bytes sum = bytes_of(step->instance.scratch_bytes.n, session->options.threads);
    sum = bytes_sum(sum, (Bytes){step->instance.packed_bytes});
    for (int i = 0; i < step->n_outputs; i++)
        if (step->outputs[i] != NO_BUFFER)
            sum = bytes_sum(sum, (Bytes){plan->buffers[step->outputs[i]].size_bytes});
    return bytes_sum(sum, step->instance.workspace_bytes).n;
}

Status session_refuse(const strider_session *session, const Plan *plan, uint64_t needed, Error *err) {
    const Step *most = NULL;
    uint64_t wanted = 0;
    for (size_t i = 0; i < plan->n_steps; i++) {
        const uint64_t wants = wanted_by(session, plan, &plan->steps[i]);
        if (plan->steps[i].node && (!most || wants > wanted)) {
            most = &plan->steps[i];
            wanted = wants;
        }
    }
    char text[NODE_TEXT] = "";
    return fail(err, STRIDER_LIMIT_EXCEEDED,
                "running the model takes %" PRIu64 " bytes of memory, more than the limit of %" PRIu64
                " (max_memory_bytes); %s wants most, %" PRIu64 " bytes",
                needed, session->options.max_memory_bytes, most ? node_text(most->node, text) : "no node",
                wanted);
}

uint64_t session_peak(const strider_session *session) {
    return session->budget.peak_bytes + pack_cache_bytes(session->target.devices[HOST].packs);
}

/* --- taking it --- */

static Status reserve_arenas(strider_session *session, const Plan *plan, Error *err) {
    for (int i = 0; i < session->target.n_devices; i++) {
        Device *device = session->target.devices[i].device;
        char **arena = &session->arenas[i];
        if (*arena && session->arena_bytes[i] >= plan->arena_bytes[i])
            continue;
        /* The old one goes first: nothing in it outlives a run. */
        device->release(device, *arena);
        *arena = NULL;
        session->arena_bytes[i] = 0;
        TRY(device->reserve(device, plan->arena_bytes[i], (void **)arena, err));
        session->arena_bytes[i] = plan->arena_bytes[i];
    }
    return STRIDER_OK;
}

static Status reserve_scratch(strider_session *session, const Plan *plan, Error *err) {
    const size_t stride = scratch_stride(plan).n, want = scratch_of(session, plan).n;
    if (session->scratch && session->scratch_stride >= stride)
        return STRIDER_OK;
    memory_free(session->allocator, session->scratch);
    session->scratch_stride = session->scratch_bytes = 0;
    session->scratch = memory_alloc_large(session->allocator, want);
    if (!session->scratch)
        return fail_memory(err, want, "the kernels' scratch memory");
    session->scratch_stride = stride;
    session->scratch_bytes = want;
    return STRIDER_OK;
}

Status session_reserve(strider_session *session, const Plan *plan, Error *err) {
    TRY(reserve_arenas(session, plan, err));
    return reserve_scratch(session, plan, err);
}

void session_release_memory(strider_session *session) {
    for (int i = 0; i < session->target.n_devices; i++) {
        Device *device = session->target.devices[i].device;
        device->release(device, session->arenas[i]);
        session->arenas[i] = NULL;
        session->arena_bytes[i] = 0;
    }
    memory_free(session->allocator, session->scratch);
    session->scratch = NULL;
    session->scratch_stride = session->scratch_bytes = 0;
    pool_trim(&session->pool);
}
