/* SPDX-License-Identifier: Apache-2.0 */
/* A graph as a program: partitions, which are planned as a whole once the types of their inputs are known,
 * between nodes that run by themselves, since they need a run's data or call bodies.  Made once for each
 * model; nothing in it depends on shapes of a run. */
#ifndef GRAPH_PARTITION_H
#define GRAPH_PARTITION_H

#include "graph/op.h"

/* What a partition knows of an input that is made elsewhere. */
typedef struct PartitionInput {
    const Value *value;
    bool shapes; /* shapes in the partition follow from its contents, which are integers and the like */
} PartitionInput;

typedef struct Partition {
    const Graph *graph;
    int index;          /* among all of the model, those of bodies included */
    const Node **nodes; /* in the order in which they run */
    size_t n_nodes;
    PartitionInput *inputs; /* what it reads that is neither made here nor a constant */
    size_t n_inputs;
    const Value **outputs; /* what is made here, and read elsewhere or an output of the graph */
    size_t n_outputs;
    const Value **values; /* all that its nodes and their parts read and make, in order of Value.index: what
                           * a plan numbers them by */
    bool *shapes;         /* for each of these: shapes follow from its contents, directly or through others */
    size_t n_values;
    bool is_last; /* nothing runs after it that might change the memory of its plan */
} Partition;

/* The number of a value among those of the partition; -1: it has no part in it. */
int partition_find(const Partition *partition, const Value *value);

typedef enum ItemKind {
    ITEM_PARTITION,
    ITEM_EVALUATE, /* the reference of a node that finds out the shapes of its outputs while it runs */
    ITEM_HOST      /* Op.host */
} ItemKind;

/* Values that a program hands from one item to another are numbered: its cells.  Constants have none. */
enum { NO_CELL = -1 };

typedef struct ProgramItem {
    ItemKind kind;
    Partition partition;     /* ITEM_PARTITION */
    const Node *node;        /* the others */
    struct Program **bodies; /* one for each of node->bodies */
    int *inputs, *outputs; /* cells, of the partition's or the node's; NO_CELL: constant, absent or unread */
    int n_inputs, n_outputs;
    int *last_reads; /* cells that no item reads after this one, and that are no result */
    int n_last_reads;
} ProgramItem;

typedef struct Program {
    const Graph *graph;
    ProgramItem *items;
    size_t n_items;
    int n_cells;
    int *inputs;  /* cells of the graph's inputs; NO_CELL: nobody reads it */
    int *outputs; /* of its outputs; NO_CELL: a constant */
} Program;

/* The program of a model's graph, which is optimised and has inferred types, with the programs of its bodies;
 * all in `region`.  Partitions are numbered from *n_partitions on, which counts them. */
Status program_make(const Graph *graph, Region *region, int *n_partitions, const Program **program,
                    Error *err) MUST_CHECK;

#endif
