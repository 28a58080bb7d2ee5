/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/tuning.h"

#include <string.h>

strider_status strider_tuning_create(strider_tuning **tuning, strider_error *error) {
    const Allocator *allocator = allocator_default();
    *tuning = memory_alloc_zeroed(allocator, 1, sizeof **tuning);
    if (!*tuning)
        return fail_memory(error, sizeof **tuning, "a tuning");
    region_init(&(*tuning)->region, allocator, 0);
    pthread_mutex_init(&(*tuning)->lock, NULL);
    return STRIDER_OK;
}

void strider_tuning_free(strider_tuning *tuning) {
    if (!tuning)
        return;
    pthread_mutex_destroy(&tuning->lock);
    region_free(&tuning->region);
    memory_free(allocator_default(), tuning);
}

size_t strider_tuning_unsaved(strider_tuning *tuning) {
    pthread_mutex_lock(&tuning->lock);
    const size_t unsaved = tuning->unsaved;
    pthread_mutex_unlock(&tuning->lock);
    return unsaved;
}

static KernelTime *find(strider_tuning *tuning, const char *isa, const char *kernel, const char *layer) {
    for (size_t i = 0; i < tuning->count; i++) {
        KernelTime *time = &tuning->times[i];
        if (strcmp(time->layer, layer) == 0 && strcmp(time->kernel, kernel) == 0 &&
            strcmp(time->isa, isa) == 0)
            return time;
    }
    return NULL;
}

bool tuning_find(strider_tuning *tuning, const char *isa, const char *kernel, const char *layer,
                 double *time_ns) {
    pthread_mutex_lock(&tuning->lock);
    const KernelTime *time = find(tuning, isa, kernel, layer);
    if (time)
        *time_ns = time->time_ns;
    pthread_mutex_unlock(&tuning->lock);
    return time != NULL;
}

static Status add(strider_tuning *tuning, const KernelTime *time, Error *err) {
    KernelTime *old = find(tuning, time->isa, time->kernel, time->layer);
    if (old) {
        old->time_ns = time->time_ns;
        old->estimate_ns = time->estimate_ns;
        return STRIDER_OK;
    }
    KernelTime added = *time;
    added.isa = region_string(&tuning->region, time->isa, strlen(time->isa));
    added.kernel = region_string(&tuning->region, time->kernel, strlen(time->kernel));
    added.layer = region_string(&tuning->region, time->layer, strlen(time->layer));
    if (!added.isa || !added.kernel || !added.layer ||
        !region_grow(&tuning->region, &tuning->times, tuning->count, &tuning->capacity, sizeof added))
        return fail_memory(err, sizeof added, "a tuning");
    tuning->times[tuning->count++] = added;
    tuning->unsaved++;
    return STRIDER_OK;
}

Status tuning_add(strider_tuning *tuning, const KernelTime *time, Error *err) {
    pthread_mutex_lock(&tuning->lock);
    const Status status = add(tuning, time, err);
    pthread_mutex_unlock(&tuning->lock);
    return status;
}

static bool find_time(void *context, const char *kind, const char *kernel, const char *layer,
                      double *time_ns) {
    return tuning_find(context, kind, kernel, layer, time_ns);
}

/* There is no estimate to compare it with. */
static Status add_time(void *context, const char *kind, const char *kernel, const char *layer, double time_ns,
                       Error *err) {
    const KernelTime time = {
        .isa = kind, .kernel = kernel, .layer = layer, .time_ns = time_ns, .estimate_ns = time_ns};
    return tuning_add(context, &time, err);
}

KernelTimes tuning_times(strider_tuning *tuning) {
    return (KernelTimes){tuning, find_time, add_time};
}
