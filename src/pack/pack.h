/* SPDX-License-Identifier: Apache-2.0 */
/* Constants in the arrangements of their kernels, made once for all plans of a model. */
#ifndef PACK_PACK_H
#define PACK_PACK_H

#include <pthread.h>

#include "base/size.h"
#include "tensor/tensor.h"

/* Where packs lie: the memory of a device, through the functions of its table. */
typedef struct PackMemory {
    const Allocator *allocator; /* of the host */
    bool is_host;               /* the memory is the host's: the others are not called */
    size_t alignment;           /* of each pack */
    void *device;               /* what the functions are called with */
    Status (*reserve)(void *device, size_t size_bytes, void **memory, Error *err);
    void (*release)(void *device, void *memory);
    Status (*upload)(void *device, void *to, const void *from, size_t size_bytes, Error *err);
} PackMemory;

/* How a large constant is packed: by `pieces` calls of fill(context, memory, piece), each once, in any order
 * and by several threads. */
typedef struct PackFill {
    void (*fill)(void *context, void *memory, int64_t piece);
    int64_t pieces;
    void *context;
} PackFill;

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
    char *memory; /* of the device */
    size_t size_bytes, used_bytes;
} PackChunk;

typedef struct PackCache {
    PackMemory memory;
    pthread_mutex_t lock;
    struct Pack **buckets;
    size_t n_buckets, n_packs;
    PackChunk *chunks;         /* memory of packs */
    PackJob *jobs, **last_job; /* of packs that wait to be filled, in the order of asking */
    uint64_t total_bytes, chunk_bytes;
} PackCache;

Status pack_cache_init(PackCache *cache, const PackMemory *memory, Error *err) MUST_CHECK;
void pack_cache_free(PackCache *cache);
/* Memory that the packs lie in. */
uint64_t pack_cache_bytes(PackCache *cache);

/* What is asked for. */
typedef struct PackRequest {
    const Tensor *source; /* identifies the pack, with `key`; NULL where what is packed comes from no tensor,
                           * so that the key says it all */
    const char *key;      /* names the arrangement completely */
    Bytes size;
    uint64_t max_bytes; /* that all packs of the cache may come to */
} PackRequest;

/* The pack of that source and key: filled by fill(context, memory), on a device other than the host through
 * memory of the host, when there is none yet.  `fill` may read the source tensor's data by memcpy only, in
 * ascending order where it is large: pages of a mapped file are given back as packing goes on when
 * pack_consumed() says so.  The memory stays valid as long as the cache. */
Status pack_now(PackCache *cache, const PackRequest *request, void (*fill)(void *context, void *memory),
                void *context, const void **packed, Error *err) MUST_CHECK;
/* The same for large constants of the host, filled by pack_fill_pending(): what fill->context points at must
 * live until then.  The source's data is not read any more after it (pack_consumed()). */
Status pack_later(PackCache *cache, const PackRequest *request, const PackFill *fill, const void **packed,
                  Error *err) MUST_CHECK;
/* A constant as it is. */
Status pack_as_it_is(PackCache *cache, const Tensor *source, uint64_t max_bytes, const void **packed,
                     Error *err) MUST_CHECK;

/* Tells that the bytes [data, data + size) of a constant were read for the last time while packing, so that
 * the system may drop those pages of a mapped file from memory.  Harmless for all other memory. */
void pack_consumed(const Tensor *source, const void *data, size_t size_bytes);

/* Fills what pack_later() left, also what other plans of the model wait for.  Every plan in the
 * making ends with it, before its regions are freed, whether it succeeds or not. */
void pack_fill_pending(PackCache *cache, int threads);

#endif
