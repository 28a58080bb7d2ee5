/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions of the digits' model and of small ones on a device, through the public functions. */
#ifndef TESTS_SESSION_FIXTURE_H
#define TESTS_SESSION_FIXTURE_H

#include "strider/strider.h"
#include "support/tiny_model.h"

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
strider_status try_open_model(Fixture *fixture, const char *path, const char *device, bool record);
void open_model(Fixture *fixture, const char *path, const char *device, bool record);
/* A model of opset 17 with that graph, which is freed. */
void open_graph(Fixture *fixture, Proto *graph, const char *device, bool record);
void close_model(Fixture *fixture);
strider_status run(const Fixture *fixture, int64_t batch, float *to);
void expect_scores(const float *got, const float *expected, int64_t batch);
/* Runs, and compares with the CPU. */
void expect_close(const Fixture *fixture, int64_t batch);
/* Numbers between -0.5 and 0.5. */
void fill(float *values, size_t count, unsigned seed);

#endif
