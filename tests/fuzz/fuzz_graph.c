/* SPDX-License-Identifier: Apache-2.0 */
/* For libFuzzer: bytes choose operators and attributes of a graph, most of which fit together; it is loaded,
 * planned and run. */
#include "fuzz/fuzz.h"
#include "fuzz/graph_maker.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const uint8_t nothing[1];
    Choices choices = {.bytes = size ? data : nothing, .left = size};
    MadeGraph graph = make_graph(&choices, true);
    fuzz_model_bytes(graph.model.data, graph.model.size);
    proto_free(&graph.model);
    return 0;
}
