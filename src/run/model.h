/* SPDX-License-Identifier: Apache-2.0 */
/* What sessions need of the public strider_model. */
#ifndef RUN_MODEL_H
#define RUN_MODEL_H

#include "run/plan_cache.h"

struct strider_model {
    const Allocator *allocator;
    const Graph *graph; /* optimised, with inferred types */
    const Program *program;
    Device host;
    PackCache packs; /* in the host's memory; shared by all sessions, like the plans; both lock themselves */
    PlanCache plans;
    strider_shape_policy shapes;
    Log log;
};

#endif
