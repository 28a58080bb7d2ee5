/* SPDX-License-Identifier: Apache-2.0 */
/* Random graphs as files, for fuzzers to begin with: of most operators, with bodies and sequences.
 * usage: seeds FOLDER COUNT */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "fuzz/graph_maker.h"

enum { MAX_BYTES = 8192 }; /* small files are mutated more often at what matters */

static bool write_graph(const char *folder, uint64_t number, const Proto *model) {
    char path[4096];
    snprintf(path, sizeof path, "%s/graph_%" PRIu64 ".onnx", folder, number);
    FILE *file = fopen(path, "wb");
    const bool written = file && fwrite(model->data, 1, model->size, file) == model->size;
    return file && !fclose(file) && written;
}

int main(int argc, char **argv) {
    if (argc != 3)
        return 2;
    const uint64_t count = strtoull(argv[2], NULL, 10);
    for (uint64_t seed = 1, made = 0; made < count; seed++) {
        Choices choices = {.state = seed};
        MadeGraph graph = make_graph(&choices, false);
        const bool fits = graph.model.size <= MAX_BYTES;
        if (fits && !write_graph(argv[1], made++, &graph.model)) {
            perror(argv[1]);
            return 1;
        }
        proto_free(&graph.model);
    }
    return 0;
}
