/* SPDX-License-Identifier: Apache-2.0 */
/* What sessions need of the public strider_model. */
#ifndef RUN_MODEL_H
#define RUN_MODEL_H

#include "run/plan_cache.h"

typedef struct ModelProgram {
    const Program *program;
    const int *inputs; /* of its graph's inputs: which of the model's each is */
} ModelProgram;

struct strider_model {
    const Allocator *allocator;
    const Graph *graph;  /* optimised, with inferred types; its nodes are the model's for callers */
    const Graph *border; /* whose inputs and outputs are the model's for callers */
    /* Inputs that have a default are constants of the one; the other runs where a caller gives such an input,
     * and has no program where there are none. */
    ModelProgram fixed, overridable;
    int n_partitions; /* of both */
    Device host;
    PackCache packs; /* in the host's memory; shared by all sessions, like the plans; both lock themselves */
    PlanCache plans;
    strider_shape_policy shapes;
    Log log;
};

#endif
