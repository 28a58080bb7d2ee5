/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions of the digits' model on the virtual device, for tests. */
#ifndef CUDA_SESSION_FIXTURE_H
#define CUDA_SESSION_FIXTURE_H

#include "strider/strider.h"
#include "support/proto_writer.h"

enum { PIXELS = 64, CLASSES = 10, MAX_BATCH = 16, RUNS = 4 };

extern char digits[512]; /* the model's path */
extern strider_error error;
extern float pixels[MAX_BATCH * PIXELS], scores[MAX_BATCH * CLASSES];

typedef struct Fixture {
    strider_model *model;
    strider_session *session;
    Proto bytes;   /* of a model that was written here, which are needed as long as it is */
    char log[700]; /* the last message */
} Fixture;

/* Finds the model in the repository, and makes pixels. */
void set_up(const char *repository);
void must(strider_status status);
void open_session(Fixture *fixture, const char *device, bool record);
void open_model(Fixture *fixture, const char *path, const char *device, bool record);
/* Of GraphProto. */
enum { GRAPH_NODE = 1, GRAPH_INITIALIZER = 5, GRAPH_INPUT = 11, GRAPH_OUTPUT = 12 };
/* `second` may be NULL. */
void add_node(Proto *graph, const char *op, const char *first, const char *second, const char *output);
/* A model of opset 17 with that graph, which is freed. */
void open_graph(Fixture *fixture, Proto *graph, const char *device);
void close_model(Fixture *fixture);
strider_status run(const Fixture *fixture, int64_t batch, float *to);
/* Runs, and compares with the CPU. */
void expect_close(const Fixture *fixture, int64_t batch);
/* Numbers between -0.5 and 0.5. */
void fill(float *values, size_t count, unsigned seed);

#endif
