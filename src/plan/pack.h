/* SPDX-License-Identifier: Apache-2.0 */
/* Constants in the arrangements of their kernels, made once for all plans of a model.  See pack_constant() in
 * ops/kernel.h. */
#ifndef PLAN_PACK_H
#define PLAN_PACK_H

#include <pthread.h>

#include "ops/device.h"

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
    Device *device; /* whose memory the packs lie in */
    pthread_mutex_t lock;
    struct Pack **buckets;
    size_t n_buckets, n_packs;
    PackChunk *chunks;         /* memory of packs */
    PackJob *jobs, **last_job; /* of packs that wait to be filled, in the order of asking */
    uint64_t total_bytes, chunk_bytes;
} PackCache;

Status pack_cache_init(PackCache *cache, Device *device, Error *err) MUST_CHECK;
void pack_cache_free(PackCache *cache);
/* Memory that the packs lie in. */
uint64_t pack_cache_bytes(PackCache *cache);

/* Fills what pack_constant_later() left, also what other plans of the model wait for.  Every plan in the
 * making ends with it, before its regions are freed, whether it succeeds or not. */
void pack_fill_pending(PackCache *cache, int threads);

#endif
