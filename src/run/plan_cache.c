/* SPDX-License-Identifier: Apache-2.0 */
#include "run/plan_cache.h"

#include <string.h>

#include "base/size.h"
#include "base/wrap.h"

void plan_cache_init(PlanCache *cache, const Allocator *allocator) {
    *cache = (PlanCache){.allocator = allocator};
    pthread_mutex_init(&cache->lock, NULL);
}

static void free_buckets(PlanCache *cache) {
    memory_free(cache->allocator, cache->buckets);
    cache->buckets = NULL;
    cache->n_buckets = 0;
}

void plan_cache_free(PlanCache *cache) {
    if (cache->allocator) {
        free_buckets(cache);
        pthread_mutex_destroy(&cache->lock);
    }
    *cache = (PlanCache){0};
}

/* --- keys --- */

static bool same_target(const PlanTarget *a, const PlanTarget *b) {
    for (int i = 0; i < MAX_DEVICES; i++)
        if (i && a->devices[i].device != b->devices[i].device)
            return false;
    return a->n_devices == b->n_devices && a->reference == b->reference && a->cpu == b->cpu &&
           a->max_layer_error == b->max_layer_error && a->keep_values == b->keep_values &&
           a->shapes == b->shapes && a->tuning == b->tuning;
}

static bool same_contents(const Tensor *a, const Tensor *b) {
    return a->size_bytes == b->size_bytes && (!a->size_bytes || memcmp(a->data, b->data, a->size_bytes) == 0);
}

bool cached_plan_fits(const CachedPlan *cached, const PlanKey *key) {
    const Partition *partition = key->partition;
    if (cached->plan->partition != partition)
        return false;
    for (size_t i = 0; i < partition->n_inputs; i++) {
        if (cached->inputs[i].dtype != key->inputs[i].dtype ||
            !shape_equal(&cached->inputs[i].shape, &key->inputs[i].shape))
            return false;
        if (partition->inputs[i].shapes && !same_contents(&cached->contents[i], key->contents[i]))
            return false;
    }
    return same_target(&cached->target, key->target);
}

/* Of the types alone: plans that differ in contents only are few. */
WRAPS_AROUND static CachedPlan **bucket_of(const PlanCache *cache, const Partition *partition,
                                           const Type *inputs) {
    uint64_t hash = (uint64_t)partition->index + 1;
    for (size_t i = 0; i < partition->n_inputs; i++)
        for (int d = 0; d < inputs[i].shape.rank; d++)
            hash = (hash ^ (uint64_t)inputs[i].shape.dims[d]) * 0x100000001b3u;
    return &cache->buckets[(size_t)(hash >> 20 ^ hash) % cache->n_buckets];
}

/* --- entries --- */

static void free_entry(CachedPlan *entry, size_t n_inputs) {
    const Allocator *allocator = entry->cache->allocator;
    for (size_t i = 0; entry->contents && i < n_inputs; i++)
        tensor_free(&entry->contents[i]);
    memory_free(allocator, entry->contents);
    memory_free(allocator, entry->inputs);
    memory_free(allocator, entry);
}

static Status copy_key(CachedPlan *entry, const PlanRequest *request, Error *err) {
    const Allocator *allocator = entry->cache->allocator;
    const Partition *partition = request->partition;
    const size_t n = partition->n_inputs;
    entry->target = *request->target;
    entry->inputs = memory_alloc_zeroed(allocator, n, sizeof *entry->inputs);
    entry->contents = memory_alloc_zeroed(allocator, n, sizeof *entry->contents);
    if (!entry->inputs || !entry->contents)
        return fail_memory(err, bytes_of(sizeof *entry->contents, (int64_t)n).n, "the plan");
    for (size_t i = 0; i < n; i++) {
        entry->inputs[i] = request->inputs[i];
        if (!partition->inputs[i].shapes)
            continue;
        const Tensor *contents = request->contents[i];
        TRY(tensor_alloc(&entry->contents[i], allocator, contents->type.dtype, &contents->type.shape, err));
        if (contents->size_bytes)
            memcpy(entry->contents[i].data, contents->data, contents->size_bytes);
    }
    return STRIDER_OK;
}

/* Twice as many buckets, so that they stay short; where there is no memory for more, they do not. */
static Status make_room(PlanCache *cache, Error *err) {
    enum { FIRST_BUCKETS = 16 };
    PlanCache larger = {.n_buckets = cache->n_buckets ? 2 * cache->n_buckets : FIRST_BUCKETS};
    if (cache->n_plans < cache->n_buckets)
        return STRIDER_OK;
    larger.buckets = memory_alloc_zeroed(cache->allocator, larger.n_buckets, sizeof(CachedPlan *));
    if (!larger.buckets)
        return cache->n_buckets ? STRIDER_OK
                                : fail_memory(err, FIRST_BUCKETS * sizeof(CachedPlan *), "the plan");
    for (size_t i = 0; i < cache->n_buckets; i++)
        for (CachedPlan *entry = cache->buckets[i], *next; entry; entry = next) {
            CachedPlan **bucket = bucket_of(&larger, entry->plan->partition, entry->inputs);
            next = entry->next;
            entry->next = *bucket;
            *bucket = entry;
        }
    memory_free(cache->allocator, cache->buckets);
    cache->buckets = larger.buckets;
    cache->n_buckets = larger.n_buckets;
    return STRIDER_OK;
}

static Status add_plan(PlanCache *cache, const PlanRequest *request, CachedPlan **added, Error *err) {
    TRY(make_room(cache, err));
    CachedPlan *entry = memory_alloc_zeroed(cache->allocator, 1, sizeof *entry);
    if (!entry)
        return fail_memory(err, sizeof *entry, "the plan");
    *entry = (CachedPlan){.cache = cache, .holders = 1};
    Status status = copy_key(entry, request, err);
    if (!status)
        status = plan_make(request, &entry->plan, err);
    if (status) {
        free_entry(entry, request->partition->n_inputs);
        if (!cache->n_plans)
            free_buckets(cache);
        return status;
    }
    CachedPlan **bucket = bucket_of(cache, request->partition, request->inputs);
    entry->next = *bucket;
    *bucket = entry;
    cache->n_plans++;
    *added = entry;
    return STRIDER_OK;
}

static Status hold(CachedPlan *found, const PlanRequest *request, Error *err) {
    const size_t size_bytes = (size_t)found->plan->budget.used_bytes;
    if (!budget_book(request->budget, size_bytes))
        return fail_memory(err, size_bytes, "the plan");
    found->holders++;
    return STRIDER_OK;
}

Status plan_cache_get(PlanCache *cache, const PlanRequest *request, CachedPlan **held, Error *err) {
    const PlanKey key = {request->partition, request->inputs, request->contents, request->target};
    /* Held while planning: who asks for the same plan meanwhile waits for it instead of making another. */
    pthread_mutex_lock(&cache->lock);
    CachedPlan *found = cache->n_buckets ? *bucket_of(cache, request->partition, request->inputs) : NULL;
    while (found && !cached_plan_fits(found, &key))
        found = found->next;
    const Status status = found ? hold(found, request, err) : add_plan(cache, request, &found, err);
    pthread_mutex_unlock(&cache->lock);
    *held = status ? NULL : found;
    return status;
}

void plan_cache_release(CachedPlan *held, Budget *budget) {
    PlanCache *cache = held->cache;
    const Partition *partition = held->plan->partition;
    budget_unbook(budget, (size_t)held->plan->budget.used_bytes);
    pthread_mutex_lock(&cache->lock);
    const bool is_last = --held->holders == 0;
    if (is_last) {
        CachedPlan **at = bucket_of(cache, partition, held->inputs);
        while (*at != held)
            at = &(*at)->next;
        *at = held->next;
        if (--cache->n_plans == 0)
            free_buckets(cache);
    }
    pthread_mutex_unlock(&cache->lock);
    if (!is_last)
        return;
    plan_free(held->plan);
    free_entry(held, partition->n_inputs);
}
