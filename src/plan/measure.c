/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/clock.h"
#include "base/size.h"
#include "ops/device.h"
#include "plan/tuning.h"

enum {
    MIN_RUNS = 3,
    MAX_RUNS = 50,
    ENOUGH_NS = 4000000, /* of all runs together */
    FLUSH_BYTES = 4 << 20,
};

typedef struct Measurement {
    Region region; /* the kernel's arguments and all memory that it works on */
    Device device;
    PackCache packs;
    KernelInstance instance;
    KernelCall call;
} Measurement;

static Status take(Measurement *m, size_t size_bytes, void **memory, Error *err) {
    *memory = region_alloc(&m->region, size_bytes ? size_bytes : 1);
    return *memory ? STRIDER_OK : fail_memory(err, size_bytes, "measuring a kernel");
}

/* A tensor of small numbers: zeros could run faster than others, denormal numbers slower. */
static Status take_operand(Measurement *m, const Operand *operand, void **memory, Error *err) {
    size_t size_bytes;
    *memory = NULL;
    if (!operand->type.dtype || operand->packed)
        return STRIDER_OK;
    if (!layout_size(&operand->type, operand->layout, &size_bytes))
        return fail_memory(err, SIZE_MAX, "measuring a kernel");
    TRY(take(m, size_bytes, memory, err));
    if (layout_dtype(&operand->type, operand->layout) == STRIDER_F32)
        for (size_t i = 0; i < size_bytes / sizeof(float); i++)
            ((float *)*memory)[i] = (float)(i % 13) * 0.125f - 0.75f;
    return STRIDER_OK;
}

static Status set_up(Measurement *m, const Kernel *kernel, const KernelQuery *query, Error *err) {
    PrepareContext ctx = {.region = &m->region,
                          .packs = &m->packs,
                          .max_pack_bytes = UINT64_MAX, /* they come from the budget here */
                          .err = err,
                          .device = &m->device};
    void **inputs, **outputs;
    TRY(kernel->prepare(query, &ctx, &m->instance));
    pack_fill_pending(&m->packs, 1);
    TRY(take(m, bytes_of(sizeof(void *), query->n_inputs).n, (void **)&inputs, err));
    TRY(take(m, bytes_of(sizeof(void *), query->n_outputs).n, (void **)&outputs, err));
    for (int i = 0; i < query->n_inputs; i++)
        TRY(take_operand(m, &query->inputs[i], &inputs[i], err));
    for (int i = 0; i < query->n_outputs; i++)
        TRY(take_operand(m, &query->outputs[i], &outputs[i], err));
    m->call =
        (KernelCall){.inputs = (const void *const *)inputs, .outputs = outputs, .args = m->instance.args};
    TRY(take(m, m->instance.scratch_bytes.n, &m->call.scratch, err));
    return take(m, m->instance.workspace_bytes.n, &m->call.workspace, err);
}

static double run_once(const Measurement *m) {
    const uint64_t start = clock_ns();
    for (int64_t task = 0; m->instance.prologue && task < m->instance.prologue_tasks; task++)
        m->instance.prologue(&m->call, task);
    for (int64_t task = 0; task < m->instance.tasks; task++)
        m->instance.run(&m->call, task);
    return (double)(clock_ns() - start);
}

static Status measure(Measurement *m, double *time_ns, Error *err) {
    void *flush;
    TRY(take(m, FLUSH_BYTES, &flush, err));
    double total = 0;
    *time_ns = run_once(m); /* touches the memory for the first time: counts only where it is the fastest */
    for (int i = 0; i < MAX_RUNS && (i < MIN_RUNS || total < ENOUGH_NS); i++) {
        memset(flush, i, FLUSH_BYTES);
        const double time = run_once(m);
        *time_ns = time < *time_ns ? time : *time_ns;
        total += time;
    }
    return STRIDER_OK;
}

Status measure_kernel(const Kernel *kernel, const KernelQuery *query, const Allocator *allocator,
                      double *time_ns, Error *err) {
    Measurement m = {0};
    m.device = cpu_device(allocator);
    const PackMemory memory = device_pack_memory(&m.device);
    region_init(&m.region, allocator, 0);
    Status status = pack_cache_init(&m.packs, &memory, err);
    if (!status) {
        status = set_up(&m, kernel, query, err);
        pack_fill_pending(&m.packs, 1); /* what waits after a failure */
        if (!status)
            status = measure(&m, time_ns, err);
        pack_cache_free(&m.packs);
    }
    region_free(&m.region);
    return status;
}
