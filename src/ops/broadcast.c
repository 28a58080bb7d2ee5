/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/broadcast.h"

/* Strides of an input along the output's dimensions. */
static void align(const Shape *out, const Shape *in, int64_t strides[MAX_RANK]) {
    int64_t stride = 1;
    for (int i = out->rank - 1; i >= 0; i--) {
        int at = i - (out->rank - in->rank);
        strides[i] = at >= 0 && in->dims[at] != 1 ? stride : 0;
        stride *= at >= 0 ? in->dims[at] : 1;
    }
}

Broadcast broadcast_make(const Shape *out, int n_inputs, const Shape *const *inputs) {
    Broadcast made = {.n_inputs = n_inputs};
    int64_t strides[BROADCAST_MAX][MAX_RANK];
    for (int k = 0; k < n_inputs; k++)
        align(out, inputs[k], strides[k]);
    for (int i = 0; i < out->rank; i++) {
        if (out->dims[i] == 1)
            continue;
        int last = made.rank - 1;
        bool joins = last >= 0;
        for (int k = 0; k < n_inputs && joins; k++)
            joins = made.strides[k][last] == strides[k][i] * out->dims[i];
        int to = joins ? last : made.rank++;
        made.dims[to] = joins ? made.dims[to] * out->dims[i] : out->dims[i];
        for (int k = 0; k < n_inputs; k++)
            made.strides[k][to] = strides[k][i];
    }
    if (!made.rank) {
        made.rank = 1;
        made.dims[0] = 1;
    }
    return made;
}

void broadcast_offsets(const Broadcast *broadcast, int64_t index, int64_t offsets[BROADCAST_MAX]) {
    for (int k = 0; k < broadcast->n_inputs; k++)
        offsets[k] = 0;
    for (int i = broadcast->rank - 1; i >= 0; i--) {
        int64_t at = index % broadcast->dims[i];
        index /= broadcast->dims[i];
        for (int k = 0; k < broadcast->n_inputs; k++)
            offsets[k] += at * broadcast->strides[k][i];
    }
}

void broadcast_next(const Broadcast *broadcast, int64_t counters[MAX_RANK], int64_t offsets[BROADCAST_MAX]) {
    for (int i = broadcast->rank - 1; i >= 0; i--) {
        bool wraps = ++counters[i] == broadcast->dims[i];
        for (int k = 0; k < broadcast->n_inputs; k++)
            offsets[k] +=
                wraps ? -broadcast->strides[k][i] * (broadcast->dims[i] - 1) : broadcast->strides[k][i];
        if (!wraps)
            return;
        counters[i] = 0;
    }
}
