/* SPDX-License-Identifier: Apache-2.0 */
/* Measured times of kernels, which a plan goes by instead of Kernel.cost() where it has them. */
#ifndef PLAN_TUNING_H
#define PLAN_TUNING_H

#include <pthread.h>

#include "ops/kernel.h"
#include "strider/tuning.h"

typedef struct KernelTime {
    const char *isa, *kernel, *layer; /* layer: Kernel.tuning_key's text */
    double time_ns, estimate_ns;
} KernelTime;

struct strider_tuning {
    Region region;
    pthread_mutex_t lock;
    KernelTime *times;
    size_t count, capacity, unsaved;
};

/* Whether a time is there. */
bool tuning_find(strider_tuning *tuning, const char *isa, const char *kernel, const char *layer,
                 double *time_ns);
/* Adds one; the texts are copied. */
Status tuning_add(strider_tuning *tuning, const KernelTime *time, Error *err) MUST_CHECK;

/* The same as prepare() sees it. */
KernelTimes tuning_times(strider_tuning *tuning);

/* Nanoseconds of a kernel of the host that has accepted the query: the fastest of several runs on one thread,
 * each with the caches full of other things, as they are in a network. */
Status measure_kernel(const Kernel *kernel, const KernelQuery *query, const Allocator *allocator,
                      double *time_ns, Error *err) MUST_CHECK;

#endif
