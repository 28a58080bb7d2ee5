/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/pack.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

typedef struct Pack {
    struct Pack *next;
    const Tensor *source;
    char *key;
    void *memory;
} Pack;

enum { BUCKETS = 1024 };

Status pack_cache_init(PackCache *cache, const Allocator *allocator, Error *err) {
    *cache = (PackCache){.allocator = allocator, .n_buckets = BUCKETS};
    cache->buckets = memory_take_zeroed(allocator, BUCKETS, sizeof *cache->buckets);
    if (!cache->buckets)
        return fail_memory(err, BUCKETS * sizeof *cache->buckets, "packed weights");
    pthread_mutex_init(&cache->lock, NULL);
    return STRIDER_OK;
}

void pack_cache_free(PackCache *cache) {
    if (!cache->buckets)
        return;
    for (size_t i = 0; i < cache->n_buckets; i++)
        for (Pack *pack = cache->buckets[i], *next; pack; pack = next) {
            next = pack->next;
            memory_give(cache->allocator, pack->memory);
            memory_give(cache->allocator, pack);
        }
    memory_give(cache->allocator, cache->buckets);
    pthread_mutex_destroy(&cache->lock);
    *cache = (PackCache){0};
}

static size_t bucket_of(const Tensor *source, const char *key) {
    uint64_t hash = (uintptr_t)source * 0x9e3779b97f4a7c15u;
    for (const char *at = key; *at; at++)
        hash = (hash ^ (unsigned char)*at) * 0x100000001b3u;
    return (size_t)(hash >> 32) % BUCKETS;
}

static Status add_pack(PackCache *cache, const Tensor *source, const char *key, size_t size_bytes,
                       Pack **added, Error *err) {
    size_t key_bytes = strlen(key) + 1;
    Pack *pack = memory_take(cache->allocator, sizeof *pack + key_bytes);
    void *memory = memory_take(cache->allocator, size_bytes);
    if (!pack || !memory) {
        memory_give(cache->allocator, pack);
        memory_give(cache->allocator, memory);
        return fail_memory(err, size_bytes, "packed weights");
    }
    *pack = (Pack){.source = source, .key = (char *)(pack + 1), .memory = memory};
    memcpy(pack->key, key, key_bytes);
    Pack **bucket = &cache->buckets[bucket_of(source, key)];
    pack->next = *bucket;
    *bucket = pack;
    cache->n_packs++;
    cache->total_bytes += size_bytes;
    *added = pack;
    return STRIDER_OK;
}

Status pack_constant(PrepareContext *ctx, const Tensor *source, const char *key, size_t size_bytes,
                     void (*fill)(void *context, void *memory), void *context, const void **packed) {
    PackCache *cache = ctx->packs;
    Status status = STRIDER_OK;
    /* Held while packing: two sessions that prepare at once want the same packs, not each its own. */
    pthread_mutex_lock(&cache->lock);
    Pack *pack = cache->buckets[bucket_of(source, key)];
    while (pack && (pack->source != source || strcmp(pack->key, key) != 0))
        pack = pack->next;
    if (!pack) {
        status = add_pack(cache, source, key, size_bytes, &pack, ctx->err);
        if (!status)
            fill(context, pack->memory);
    }
    pthread_mutex_unlock(&cache->lock);
    if (!status)
        *packed = pack->memory;
    return status;
}

static void copy_source(void *context, void *memory) {
    const Tensor *source = context;
    memcpy(memory, source->data, source->size_bytes);
    pack_consumed(source, source->data, source->size_bytes);
}

Status pack_aligned(PrepareContext *ctx, const Tensor *source, const void **data) {
    return pack_constant(ctx, source, "aligned", source->size_bytes, copy_source, (void *)source, data);
}

void pack_consumed(const Tensor *source, const void *data, size_t size_bytes) {
    if (!source->mapped)
        return;
    /* Whole pages only: what shares a page with a neighbour stays. */
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t begin = ((uintptr_t)data + page - 1) & ~(page - 1),
              end = ((uintptr_t)data + size_bytes) & ~(page - 1);
    if (begin < end)
        madvise((void *)begin, end - begin, MADV_DONTNEED);
}
