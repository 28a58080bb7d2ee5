/* SPDX-License-Identifier: Apache-2.0 */
#include "run/session_bindings.h"

#include "run/session_memory.h"

/* --- dropping --- */

static void forget_trace(strider_session *session, const Binding *binding) {
    for (size_t i = 0; i < session->n_trace; i++)
        if (session->trace[i].binding == binding)
            session->trace[i].binding = NULL;
}

/* The last one takes its place. */
static void drop(strider_session *session, BindingList *list, int at) {
    Binding *binding = list->items[at];
    list->items[at] = list->items[--list->count];
    forget_trace(session, binding);
    binding_free(binding, &session->budget);
}

void session_drop_binding(strider_session *session, Binding *binding) {
    BindingList *list = &session->bindings[binding->plan->partition->index];
    int at = 0;
    while (list->items[at] != binding)
        at++;
    drop(session, list, at);
}

void session_drop_bindings(strider_session *session) {
    for (size_t i = 0; i < session->n_partitions; i++)
        while (session->bindings[i].count)
            drop(session, &session->bindings[i], 0);
}

static int oldest_of(const BindingList *list) {
    int oldest = 0;
    for (int i = 1; i < list->count; i++)
        if (list->items[i]->last_used < list->items[oldest]->last_used)
            oldest = i;
    return oldest;
}

/* Of all partitions, but not `keep`; false: there is none.  Nothing of a plan that has run is needed any
 * more. */
static bool drop_oldest(strider_session *session, const Binding *keep) {
    Binding *oldest = NULL;
    for (size_t i = 0; i < session->n_partitions; i++) {
        const BindingList *list = &session->bindings[i];
        if (!list->count)
            continue;
        Binding *candidate = list->items[oldest_of(list)];
        if (candidate != keep && (!oldest || candidate->last_used < oldest->last_used))
            oldest = candidate;
    }
    if (oldest)
        session_drop_binding(session, oldest);
    return oldest != NULL;
}

/* --- making --- */

static Binding *find(const BindingList *list, const PlanKey *key) {
    for (int i = 0; i < list->count; i++)
        if (cached_plan_fits(list->items[i]->cached, key))
            return list->items[i];
    return NULL;
}

static Status make(strider_session *session, const PlanKey *key, Binding **binding, Error *err) {
    const PlanRequest request = {.partition = key->partition,
                                 .inputs = key->inputs,
                                 .contents = key->contents,
                                 .target = key->target,
                                 .threads = session->options.threads,
                                 .max_pack_bytes = budget_left(&session->budget),
                                 .budget = &session->budget,
                                 .allocator = session->plans->allocator,
                                 .log = &session->model->log};
    CachedPlan *cached;
    TRY(plan_cache_get(session->plans, &request, &cached, err));
    const Status status = binding_make(cached, session->allocator, binding, err);
    if (status)
        plan_cache_release(cached, &session->budget);
    return status;
}

static Status store(strider_session *session, BindingList *list, Binding *binding, Error *err) {
    const size_t most = (size_t)session->options.max_cached_plans;
    if (!list->items) {
        list->items = memory_alloc_zeroed(session->allocator, most, sizeof *list->items);
        if (!list->items)
            return fail_memory(err, bytes_of(sizeof *list->items, (int64_t)most).n, "the plan");
    }
    if ((size_t)list->count == most)
        drop(session, list, oldest_of(list));
    list->items[list->count++] = binding;
    return STRIDER_OK;
}

/* Asks whether it fits before anything is taken. */
static Status admit(strider_session *session, const Binding *binding, Error *err) {
    const uint64_t most = session->options.max_memory_bytes;
    Bytes needed = session_memory_for(session, binding->plan);
    if (needed.n > most)
        pool_trim(&session->pool);
    while ((needed = session_memory_for(session, binding->plan)).n > most && drop_oldest(session, binding))
        ;
    if (needed.n > most)
        return session_refuse(session, binding->plan, needed.n, err);
    const uint64_t peak = session_peak(session);
    session->promised_bytes = needed.n > peak ? needed.n : peak;
    return STRIDER_OK;
}

static Status find_or_make(strider_session *session, const PlanKey *key, Binding **binding, Error *err) {
    BindingList *list = &session->bindings[key->partition->index];
    *binding = find(list, key);
    if (*binding)
        return STRIDER_OK;
    TRY(make(session, key, binding, err));
    const Status status = store(session, list, *binding, err);
    if (status)
        binding_free(*binding, &session->budget);
    return status;
}

Status session_bind(strider_session *session, const PlanKey *key, Binding **binding, Error *err) {
    TRY(find_or_make(session, key, binding, err));
    (*binding)->last_used = ++session->uses;
    TRY(admit(session, *binding, err));
    TRY(session_reserve(session, (*binding)->plan, err));
    binding_resolve(*binding, session->arenas);
    return STRIDER_OK;
}
