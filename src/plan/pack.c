/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/pack.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/size.h"
#include "base/team.h"

typedef struct Pack {
    struct Pack *next;
    const Tensor *source;
    char *key;
    void *memory;
} Pack;

/* A pack that waits to be filled. */
typedef struct PackJob {
    struct PackJob *next;
    const Tensor *source;
    PackFill fill;
    void *memory;
    int64_t next_piece; /* shared by the threads */
} PackJob;

/* Packs lie in large chunks, which the system may then back by large pages: fewer faults while they are
 * filled, fewer misses of the address translation in runs. */
typedef struct PackChunk {
    struct PackChunk *next;
    size_t size_bytes, used_bytes; /* with this header */
} PackChunk;

enum { BUCKETS = 1024 };
static const size_t least_chunk_bytes = 1 << 20, most_chunk_bytes = 32 << 20;

Status pack_cache_init(PackCache *cache, const Allocator *allocator, Error *err) {
    *cache = (PackCache){.allocator = allocator, .n_buckets = BUCKETS};
    cache->buckets = memory_take_zeroed(allocator, BUCKETS, sizeof *cache->buckets);
    if (!cache->buckets)
        return fail_memory(err, BUCKETS * sizeof *cache->buckets, "packed weights");
    cache->last_job = &cache->jobs;
    pthread_mutex_init(&cache->lock, NULL);
    return STRIDER_OK;
}

void pack_cache_free(PackCache *cache) {
    if (!cache->buckets)
        return;
    for (size_t i = 0; i < cache->n_buckets; i++)
        for (Pack *pack = cache->buckets[i], *next; pack; pack = next) {
            next = pack->next;
            memory_give(cache->allocator, pack);
        }
    for (PackChunk *chunk = cache->chunks, *next; chunk; chunk = next) {
        next = chunk->next;
        memory_give(cache->allocator, chunk);
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

static void *take_from_chunks(PackChunk *chunk, size_t size_bytes) {
    while (chunk && chunk->size_bytes - chunk->used_bytes < size_bytes)
        chunk = chunk->next;
    if (!chunk)
        return NULL;
    char *memory = (char *)chunk + chunk->used_bytes;
    chunk->used_bytes += size_bytes;
    return memory;
}

static void *take_memory(PackCache *cache, size_t size_bytes) {
    size_t aligned, size;
    if (!size_align(size_bytes, MEMORY_ALIGNMENT, &aligned) || !size_add(aligned, MEMORY_ALIGNMENT, &size))
        return NULL;
    void *memory = take_from_chunks(cache->chunks, aligned);
    if (memory)
        return memory;
    /* As large as all before, so that they are few, and what is left at their ends is little. */
    size_t chunk_bytes =
        cache->total_bytes < most_chunk_bytes ? (size_t)cache->total_bytes : most_chunk_bytes;
    chunk_bytes = chunk_bytes > least_chunk_bytes ? chunk_bytes : least_chunk_bytes;
    size = size > chunk_bytes ? size : chunk_bytes;
    PackChunk *chunk = memory_take(cache->allocator, size);
    if (!chunk)
        return NULL;
    *chunk = (PackChunk){.next = cache->chunks, .size_bytes = size, .used_bytes = MEMORY_ALIGNMENT};
    cache->chunks = chunk;
    return take_from_chunks(chunk, aligned);
}

static Status add_pack(PackCache *cache, const Tensor *source, const char *key, size_t size_bytes,
                       Pack **added, Error *err) {
    size_t key_bytes = strlen(key) + 1;
    Pack *pack = memory_take(cache->allocator, sizeof *pack + key_bytes);
    void *memory = pack ? take_memory(cache, size_bytes) : NULL;
    if (!memory) {
        memory_give(cache->allocator, pack);
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

static Pack *find_pack(const PackCache *cache, const Tensor *source, const char *key) {
    Pack *pack = cache->buckets[bucket_of(source, key)];
    while (pack && (pack->source != source || strcmp(pack->key, key) != 0))
        pack = pack->next;
    return pack;
}

Status pack_constant(PrepareContext *ctx, const Tensor *source, const char *key, size_t size_bytes,
                     void (*fill)(void *context, void *memory), void *context, const void **packed) {
    PackCache *cache = ctx->packs;
    Status status = STRIDER_OK;
    /* Held while packing: two sessions that prepare at once want the same packs, not each its own. */
    pthread_mutex_lock(&cache->lock);
    Pack *pack = find_pack(cache, source, key);
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

Status pack_constant_later(PrepareContext *ctx, const Tensor *source, const char *key, size_t size_bytes,
                           const PackFill *fill, const void **packed) {
    PackCache *cache = ctx->packs;
    Status status = STRIDER_OK;
    pthread_mutex_lock(&cache->lock);
    Pack *pack = find_pack(cache, source, key);
    if (!pack) {
        PackJob *job = memory_take(cache->allocator, sizeof *job);
        status = job ? add_pack(cache, source, key, size_bytes, &pack, ctx->err)
                     : fail_memory(ctx->err, sizeof *job, "packed weights");
        if (status) {
            memory_give(cache->allocator, job);
        } else {
            *job = (PackJob){.source = source, .fill = *fill, .memory = pack->memory};
            *cache->last_job = job;
            cache->last_job = &job->next;
        }
    }
    pthread_mutex_unlock(&cache->lock);
    if (!status)
        *packed = pack->memory;
    return status;
}

static void fill_pieces(void *context, Team *team, int member) {
    (void)team;
    (void)member;
    int64_t piece;
    for (PackJob *job = context; job; job = job->next)
        while ((piece = __atomic_fetch_add(&job->next_piece, 1, __ATOMIC_RELAXED)) < job->fill.pieces)
            job->fill.fill(job->fill.context, job->memory, piece);
}

void pack_fill_pending(PackCache *cache, int threads) {
    /* Held to the end: whoever waits here may need these packs. */
    pthread_mutex_lock(&cache->lock);
    PackJob *jobs = cache->jobs;
    for (const PackChunk *chunk = cache->chunks; chunk && jobs; chunk = chunk->next)
        memory_advise_large((void *)chunk, chunk->used_bytes);
    if (jobs)
        team_run(threads, fill_pieces, jobs);
    for (PackJob *next; jobs; jobs = next) {
        next = jobs->next;
        /* A page that is read brings back neighbours that were given back before. */
        pack_consumed(jobs->source, jobs->source->data, jobs->source->size_bytes);
        memory_give(cache->allocator, jobs);
    }
    cache->jobs = NULL;
    cache->last_job = &cache->jobs;
    pthread_mutex_unlock(&cache->lock);
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
