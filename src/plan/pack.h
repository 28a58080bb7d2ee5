/* SPDX-License-Identifier: Apache-2.0 */
/* Constants in the arrangements of their kernels, made once for all plans of a model.  See pack_constant() in
 * ops/kernel.h. */
#ifndef PLAN_PACK_H
#define PLAN_PACK_H

#include <pthread.h>

#include "ops/kernel.h"

typedef struct PackCache {
    const Allocator *allocator;
    pthread_mutex_t lock;
    struct Pack **buckets;
    size_t n_buckets, n_packs;
    struct PackChunk *chunks;         /* memory of packs */
    struct PackJob *jobs, **last_job; /* of packs that wait to be filled, in the order of asking */
    uint64_t total_bytes;
} PackCache;

Status pack_cache_init(PackCache *cache, const Allocator *allocator, Error *err) MUST_CHECK;
void pack_cache_free(PackCache *cache);

/* Fills what pack_constant_later() left, also what other plans of the model wait for.  Every plan in the
 * making ends with it, before its regions are freed, whether it succeeds or not. */
void pack_fill_pending(PackCache *cache, int threads);

/* An aligned copy of an unaligned constant, kept like any pack. */
Status pack_aligned(PrepareContext *ctx, const Tensor *source, const void **data) MUST_CHECK;

#endif
