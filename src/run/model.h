/* SPDX-License-Identifier: Apache-2.0 */
/* What stands behind the public strider_model. */
#ifndef RUN_MODEL_H
#define RUN_MODEL_H

#include "loader/loader.h"
#include "plan/pack.h"

struct strider_model {
    const Allocator *allocator;
    LoadedModel loaded; /* its graph is optimised and has inferred types */
    Device host;
    PackCache packs; /* in the host's memory; shared by all sessions; locks itself */
    strider_shape_policy shapes;
    Log log;
};

#endif
