/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/size.h"
#include "ops/kernel.h"

enum { TASK_BYTES = 256 * 1024 };

static void copy_run(const KernelCall *call, int64_t task) {
    size_t size_bytes = *(const size_t *)call->args, from = (size_t)task * TASK_BYTES;
    size_t part = size_bytes - from < TASK_BYTES ? size_bytes - from : TASK_BYTES;
    memcpy((char *)call->outputs[0] + from, (const char *)call->inputs[0] + from, part);
}

Status cpu_prepare_copy(size_t size_bytes, PrepareContext *ctx, KernelInstance *instance) {
    size_t *args = region_alloc(ctx->region, sizeof *args);
    if (!args)
        return fail_memory(ctx->err, sizeof *args, "the plan");
    *args = size_bytes;
    *instance =
        (KernelInstance){.run = copy_run, .args = args, .tasks = ceil_div((int64_t)size_bytes, TASK_BYTES)};
    return STRIDER_OK;
}
