/* SPDX-License-Identifier: Apache-2.0 */
/* Plans that are kept: of the main graph, of bodies, and of what comes after nodes that depend on data. Plans
 * for the host alone are shared by all sessions of a model; those for a device belong to its session. */
#ifndef RUN_PLAN_CACHE_H
#define RUN_PLAN_CACHE_H

#include <pthread.h>

#include "plan/plan.h"

/* What tells plans apart. */
typedef struct PlanKey {
    const Partition *partition;
    const Type *inputs;
    const Tensor *const *contents; /* as PlanRequest.contents */
    const PlanTarget *target;
} PlanKey;

typedef struct CachedPlan {
    const Plan *plan;
    PlanTarget target;
    Type *inputs;
    Tensor *contents; /* copies; zeroed where shapes do not follow from the input */
    int holders;      /* under the cache's lock */
    struct CachedPlan *next;
    struct PlanCache *cache;
} CachedPlan;

/* Thread safe. */
typedef struct PlanCache {
    pthread_mutex_t lock;
    const Allocator *allocator; /* of plans and entries */
    CachedPlan **buckets;       /* of the first plan on */
    size_t n_buckets, n_plans;
} PlanCache;

void plan_cache_init(PlanCache *cache, const Allocator *allocator);
/* Nobody may hold a plan any more. */
void plan_cache_free(PlanCache *cache);

/* The plan of that request: one that is there, or a new one.  The caller holds it until
 * plan_cache_release(), and its bytes are booked in request->budget. */
Status plan_cache_get(PlanCache *cache, const PlanRequest *request, CachedPlan **held, Error *err) MUST_CHECK;
/* Ends with the last holder.  `budget` is the one of the request. */
void plan_cache_release(CachedPlan *held, Budget *budget);

/* Whether the plan is for these inputs. */
bool cached_plan_fits(const CachedPlan *cached, const PlanKey *key);

#endif
