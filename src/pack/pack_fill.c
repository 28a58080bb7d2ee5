/* SPDX-License-Identifier: Apache-2.0 */
/* Filling large packs of the host by all threads, when a plan is complete. */
#include "base/team.h"
#include "pack/pack.h"

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
        memory_advise_large(chunk->memory, chunk->used_bytes);
    if (jobs)
        team_run(threads, fill_pieces, jobs);
    for (PackJob *next; jobs; jobs = next) {
        next = jobs->next;
        /* A page that is read brings back neighbours that were given back before. */
        pack_consumed(jobs->source, jobs->source->data, jobs->source->size_bytes);
        memory_free(cache->memory.allocator, jobs);
    }
    cache->jobs = NULL;
    cache->last_job = &cache->jobs;
    pthread_mutex_unlock(&cache->lock);
}
