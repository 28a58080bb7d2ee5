/* SPDX-License-Identifier: Apache-2.0 */
#include "pack/pack.h"

#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/size.h"
#include "base/wrap.h"

typedef struct Pack {
    struct Pack *next;
    const Tensor *source;
    char *key;
    void *memory;
} Pack;

enum { FIRST_BUCKETS = 1024 };
static const size_t min_chunk_bytes = 1 << 20, max_chunk_bytes = 32 << 20;

Status pack_cache_init(PackCache *cache, const PackMemory *memory, Error *err) {
    *cache = (PackCache){.memory = *memory, .n_buckets = FIRST_BUCKETS};
    cache->buckets = memory_alloc_zeroed(memory->allocator, FIRST_BUCKETS, sizeof *cache->buckets);
    if (!cache->buckets)
        return fail_memory(err, bytes_of(sizeof *cache->buckets, FIRST_BUCKETS).n, "packed weights");
    cache->last_job = &cache->jobs;
    pthread_mutex_init(&cache->lock, NULL);
    return STRIDER_OK;
}

static void release(const PackMemory *memory, void *chunk) {
    if (memory->is_host)
        memory_free(memory->allocator, chunk);
    else
        memory->release(memory->device, chunk);
}

void pack_cache_free(PackCache *cache) {
    if (!cache->buckets)
        return;
    const Allocator *allocator = cache->memory.allocator;
    for (size_t i = 0; i < cache->n_buckets; i++)
        for (Pack *pack = cache->buckets[i], *next; pack; pack = next) {
            next = pack->next;
            memory_free(allocator, pack);
        }
    for (PackChunk *chunk = cache->chunks, *next; chunk; chunk = next) {
        next = chunk->next;
        release(&cache->memory, chunk->memory);
        memory_free(allocator, chunk);
    }
    memory_free(allocator, cache->buckets);
    pthread_mutex_destroy(&cache->lock);
    *cache = (PackCache){0};
}

uint64_t pack_cache_bytes(PackCache *cache) {
    pthread_mutex_lock(&cache->lock);
    const uint64_t bytes = cache->chunk_bytes;
    pthread_mutex_unlock(&cache->lock);
    return bytes;
}

WRAPS_AROUND static size_t bucket_of(const PackCache *cache, const Tensor *source, const char *key) {
    uint64_t hash = (uintptr_t)source * 0x9e3779b97f4a7c15u;
    for (const char *at = key; *at; at++)
        hash = (hash ^ (unsigned char)*at) * 0x100000001b3u;
    return (size_t)(hash >> 32) % cache->n_buckets;
}

/* Twice as many buckets, so that they stay short; where there is no memory for them, they do not. */
static void add_buckets(PackCache *cache) {
    const Allocator *allocator = cache->memory.allocator;
    PackCache larger = {.n_buckets = 2 * cache->n_buckets};
    larger.buckets = memory_alloc_zeroed(allocator, larger.n_buckets, sizeof *larger.buckets);
    if (!larger.buckets)
        return;
    for (size_t i = 0; i < cache->n_buckets; i++)
        for (Pack *pack = cache->buckets[i], *next; pack; pack = next) {
            next = pack->next;
            Pack **bucket = &larger.buckets[bucket_of(&larger, pack->source, pack->key)];
            pack->next = *bucket;
            *bucket = pack;
        }
    memory_free(allocator, cache->buckets);
    cache->buckets = larger.buckets;
    cache->n_buckets = larger.n_buckets;
}

static void *alloc_from_chunks(PackChunk *chunk, size_t size_bytes) {
    while (chunk && chunk->size_bytes - chunk->used_bytes < size_bytes)
        chunk = chunk->next;
    if (!chunk)
        return NULL;
    char *memory = chunk->memory + chunk->used_bytes;
    chunk->used_bytes += size_bytes;
    return memory;
}

static Status add_chunk(PackCache *cache, size_t size_bytes, Error *err) {
    const PackMemory *memory = &cache->memory;
    PackChunk *chunk = memory_alloc_zeroed(memory->allocator, 1, sizeof *chunk);
    if (!chunk)
        return fail_memory(err, sizeof *chunk, "packed weights");
    /* The host is asked for large pages when it is known how much fills them (pack_fill_pending()). */
    Status status = STRIDER_OK;
    if (!memory->is_host)
        status = memory->reserve(memory->device, size_bytes, (void **)&chunk->memory, err);
    else if (!(chunk->memory = memory_alloc(memory->allocator, size_bytes)))
        status = fail_memory(err, size_bytes, "packed weights");
    if (status) {
        memory_free(memory->allocator, chunk);
        return status;
    }
    chunk->size_bytes = size_bytes;
    chunk->next = cache->chunks;
    cache->chunks = chunk;
    cache->chunk_bytes += size_bytes;
    return STRIDER_OK;
}

static Status alloc_pack(PackCache *cache, size_t size_bytes, uint64_t max_bytes, void **memory, Error *err) {
    size_t size;
    if (!size_align(size_bytes ? size_bytes : 1, cache->memory.alignment, &size))
        return fail_memory(err, size_bytes, "packed weights");
    *memory = alloc_from_chunks(cache->chunks, size);
    if (*memory)
        return STRIDER_OK;
    /* As large as all before, so that they are few, and what is left at their ends is little. */
    size_t chunk_bytes = cache->total_bytes < max_chunk_bytes ? (size_t)cache->total_bytes : max_chunk_bytes;
    chunk_bytes = chunk_bytes > min_chunk_bytes ? chunk_bytes : min_chunk_bytes;
    const uint64_t left = max_bytes > cache->chunk_bytes ? max_bytes - cache->chunk_bytes : 0;
    if (size > left)
        return fail(err, STRIDER_LIMIT_EXCEEDED,
                    "its weights take %zu bytes as they are packed, more than the %" PRIu64
                    " that the limit leaves (max_memory_bytes)",
                    size, left);
    TRY(add_chunk(cache, size > chunk_bytes || chunk_bytes > left ? size : chunk_bytes, err));
    *memory = alloc_from_chunks(cache->chunks, size);
    return STRIDER_OK;
}

static Status add_pack(PackCache *cache, const PackRequest *request, Pack **added, Error *err) {
    const size_t key_bytes = strlen(request->key) + 1, size_bytes = request->size.n;
    Pack *pack = memory_alloc(cache->memory.allocator, sizeof *pack + key_bytes);
    void *memory = NULL;
    if (!pack)
        return fail_memory(err, sizeof *pack + key_bytes, "packed weights");
    Status status = alloc_pack(cache, size_bytes, request->max_bytes, &memory, err);
    if (status) {
        memory_free(cache->memory.allocator, pack);
        return status;
    }
    *pack = (Pack){.source = request->source, .key = (char *)(pack + 1), .memory = memory};
    memcpy(pack->key, request->key, key_bytes);
    if (cache->n_packs >= 2 * cache->n_buckets)
        add_buckets(cache);
    Pack **bucket = &cache->buckets[bucket_of(cache, request->source, request->key)];
    pack->next = *bucket;
    *bucket = pack;
    cache->n_packs++;
    cache->total_bytes += size_bytes;
    *added = pack;
    return STRIDER_OK;
}

static Pack *find_pack(const PackCache *cache, const PackRequest *request) {
    Pack *pack = cache->buckets[bucket_of(cache, request->source, request->key)];
    while (pack && (pack->source != request->source || strcmp(pack->key, request->key) != 0))
        pack = pack->next;
    return pack;
}

/* Where the host cannot write the device's memory the pack is made beside it first. */
static Status fill_pack(PackCache *cache, size_t size_bytes, void (*fill)(void *context, void *memory),
                        void *context, void *memory, Error *err) {
    const PackMemory *target = &cache->memory;
    if (target->is_host) {
        fill(context, memory);
        return STRIDER_OK;
    }
    void *staging = memory_alloc(target->allocator, size_bytes);
    if (!staging)
        return fail_memory(err, size_bytes, "packed weights");
    fill(context, staging);
    const Status status = target->upload(target->device, memory, staging, size_bytes, err);
    memory_free(target->allocator, staging);
    return status;
}

static void forget_pack(PackCache *cache, Pack *pack) {
    cache->buckets[bucket_of(cache, pack->source, pack->key)] = pack->next; /* the last that was added */
    memory_free(cache->memory.allocator, pack);
}

Status pack_now(PackCache *cache, const PackRequest *request, void (*fill)(void *context, void *memory),
                void *context, const void **packed, Error *err) {
    Status status = STRIDER_OK;
    /* Held while packing: two sessions that prepare at once want the same packs, not each its own. */
    pthread_mutex_lock(&cache->lock);
    Pack *pack = find_pack(cache, request);
    if (!pack) {
        status = add_pack(cache, request, &pack, err);
        if (!status) {
            status = fill_pack(cache, request->size.n, fill, context, pack->memory, err);
            if (status)
                forget_pack(cache, pack);
        }
    }
    if (!status)
        *packed = pack->memory;
    pthread_mutex_unlock(&cache->lock);
    return status;
}

Status pack_later(PackCache *cache, const PackRequest *request, const PackFill *fill, const void **packed,
                  Error *err) {
    Status status = STRIDER_OK;
    pthread_mutex_lock(&cache->lock);
    Pack *pack = find_pack(cache, request);
    if (!pack) {
        PackJob *job = memory_alloc(cache->memory.allocator, sizeof *job);
        status = job ? add_pack(cache, request, &pack, err) : fail_memory(err, sizeof *job, "packed weights");
        if (status) {
            memory_free(cache->memory.allocator, job);
        } else {
            *job = (PackJob){.source = request->source, .fill = *fill, .memory = pack->memory};
            *cache->last_job = job;
            cache->last_job = &job->next;
        }
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

Status pack_as_it_is(PackCache *cache, const Tensor *source, uint64_t max_bytes, const void **packed,
                     Error *err) {
    const PackRequest request = {source, "plain", bytes_of(source->size_bytes, 1), max_bytes};
    return pack_now(cache, &request, copy_source, (void *)source, packed, err);
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
