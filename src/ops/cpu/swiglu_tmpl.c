/* SPDX-License-Identifier: Apache-2.0 */
#include "base/size.h"
#include "ops/cpu/simd.h"
#include "ops/cpu/swiglu.h"

static void run(const KernelCall *call, int64_t task) {
    const SwigluArgs *args = call->args;
    const float *a = call->inputs[0], *b = call->inputs[1];
    float *y = call->outputs[0];
    const vf alpha = v_set(args->alpha);
    const int64_t end = i64_min((task + 1) * args->task_floats, args->floats);
    int64_t i = task * args->task_floats;
    for (; i + VW <= end; i += VW) {
        const vf x = v_load(a + i);
        v_store(y + i, v_silu(x, alpha * x) * v_load(b + i));
    }
    if (i < end) {
        const vf x = v_load_first(a + i, end - i, 0);
        v_store_first(y + i, v_silu(x, alpha * x) * v_load_first(b + i, end - i, 0), end - i);
    }
}

const SwigluTable TARGET(swiglu) = {.run = run};
