/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPS_CONTROLFLOW_SCAN_H
#define OPS_CONTROLFLOW_SCAN_H

#include "ops/op.h"

typedef struct Ints {
    int64_t count; /* -1 where absent: all 0 */
    const int64_t *values;
} Ints;

typedef struct ScanAttrs {
    int64_t n_scanned; /* inputs of the node that are gone through */
    Ints input_axes, input_directions, output_axes, output_directions;
} ScanAttrs;

/* An axis or a direction. */
static inline int64_t scan_item(const Ints *list, int i) {
    return list->count < 0 ? 0 : list->values[i];
}

/* The ports of a node: [lengths of the batch's sequences,] state..., scanned. */
typedef struct ScanPorts {
    const ScanAttrs *attrs;
    const Graph *body;
    bool is_batched;
    int first_state, n_states, n_scanned, n_items;
} ScanPorts;

/* Of a node with `n_inputs` inputs without captured ones; false where they are too few. */
bool scan_ports(const Node *node, int n_inputs, ScanPorts *ports) MUST_CHECK;

Status scan_host(HostContext *ctx);

#endif
