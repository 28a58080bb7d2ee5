/* SPDX-License-Identifier: Apache-2.0 */
/* Programs of graphs that are made by support/flow.h, and what every program must keep. */
#ifndef TESTS_PROGRAM_CHECK_H
#define TESTS_PROGRAM_CHECK_H

#include "graph/partition.h"

typedef struct Cut {
    Graph graph;
    Region region; /* of the program */
    const Program *program;
    int n_partitions;
} Cut;

void cut_open(Cut *cut);
void cut_close(Cut *cut);
/* Declares a tensor. */
void cut_declare(Cut *cut, const char *name, DType dtype, Shape shape);
/* The program of the graph, which is complete then.  Fails the test where a cell is read before it is written
 * or after it is released, is not released exactly once or is no result in the end; where a node is not in
 * one item, after all that it reads; where partitions are not numbered one by one; where partition_find() is
 * wrong. */
const Program *cut_graph(Cut *cut);

#endif
