/* SPDX-License-Identifier: Apache-2.0 */
/* What plans of a graph that is made by support/flow.h are asked with. */
#ifndef TESTS_PLAN_FIXTURE_H
#define TESTS_PLAN_FIXTURE_H

#include "plan/plan.h"
#include "support/counter.h"
#include "support/program_check.h"

typedef struct PlanFixture {
    Cut cut;
    Counter counter; /* the plans' allocator */
    Budget budget;
    Device host;
    PackCache packs;
    PlanTarget target;
} PlanFixture;

/* An empty graph in fixture->cut. */
void plan_fixture_open(PlanFixture *fixture);
/* Fails the test where plans left memory behind, or bytes in the budget. */
void plan_fixture_close(PlanFixture *fixture);
/* For the partition that is item `item` of fixture->cut.program, with inputs of these types. */
PlanRequest plan_fixture_request(PlanFixture *fixture, size_t item, const Type *inputs,
                                 const Tensor *const *contents);

#endif
