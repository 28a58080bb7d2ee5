/* SPDX-License-Identifier: Apache-2.0 */
/* Small models, each of which takes a way of its own through a run, with inputs and the results by hand. */
#ifndef TESTS_RUN_MODELS_H
#define TESTS_RUN_MODELS_H

#include <stdbool.h>

#include "strider/strider.h"
#include "support/counter.h"
#include "support/proto_writer.h"

enum { RUN_MODEL_ELEMENTS = 24, RUN_MODEL_MAX_TRIPS = 1000, RUN_MODEL_FIRST_INTEGER = 8 };

typedef enum RunModelKind {
    CASE_PLAIN,    /* Conv, Relu, MatMul: one partition */
    CASE_SHAPED,   /* ConstantOfShape, Reshape and Slice by integers that the run computes */
    CASE_FOUND,    /* a node whose output's shape nothing but its result tells */
    CASE_BRANCH,   /* an If whose branches reshape by data */
    CASE_LOOP,     /* with a carried value and results of all iterations */
    CASE_SEQUENCE, /* sequences that are made, grown, read and joined, in a loop as well */
    CASE_NESTED,   /* an If with a shape by data inside a Loop */
    CASE_DETECTED, /* in each turn of a Loop more boxes are found, at first none, and images read there; an
                    * image that there is not, where integers[0] is another */
    RUN_MODEL_KINDS
} RunModelKind;

typedef struct RunModel {
    Proto bytes;
    Counter counter; /* the model's allocator */
    strider_model *model;
    strider_tensor inputs[3];
    size_t n_inputs;
    float x[RUN_MODEL_ELEMENTS];                                    /* input 0 */
    int64_t integers[2];                                            /* input 1 */
    bool is_true;                                                   /* input 2 */
    int trips;                                                      /* of its loop */
    float expected[(RUN_MODEL_MAX_TRIPS + 2) * RUN_MODEL_ELEMENTS]; /* of the only output */
    size_t n_expected;
} RunModel;

/* Loads it; loops have 5 iterations.  It must stay where it is. */
void run_model_open(RunModel *model, RunModelKind kind);
void run_model_open_loop(RunModel *model, RunModelKind kind, int trips);
/* Fails the test where the model or its sessions left memory behind. */
void run_model_close(RunModel *model);
strider_session *run_model_session(const RunModel *model, bool reference, int threads);
/* Runs it in a session and fails the test unless it makes what it should. */
void run_model_run(const RunModel *model, strider_session *session);
/* The same where no test may fail, as in a thread: whether it does. */
bool run_model_try(const RunModel *model, strider_session *session, strider_error *error);

#endif
