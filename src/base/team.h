/* SPDX-License-Identifier: Apache-2.0 */
/* A team of threads that works through something together: OpenMP makes and keeps the threads, and the
 * members wait for each other at barriers of our own, which are cheaper than ending and starting parallel
 * regions. */
#ifndef BASE_TEAM_H
#define BASE_TEAM_H

#include <stdatomic.h>
#include <stdint.h>

typedef struct Team {
    int size;
    _Alignas(64) atomic_int arrived;
    _Alignas(64) atomic_int generation;
    uint64_t arrival_ns; /* when the last member came to the last timed barrier */
} Team;

/* Calls body(context, team, member) once for each member 0 .. team->size - 1, at the same time, and returns
 * when all have returned.  There are `threads` members, or fewer where the system gives fewer. */
void team_run(int threads, void (*body)(void *context, Team *team, int member), void *context);

/* Returns when all members have come here.  What a member wrote before is seen by all after. */
void team_barrier(Team *team);
/* The same, and when the last one came, by clock_ns(): what lies between two of these is what the team took,
 * whoever was put aside by the system meanwhile. */
uint64_t team_barrier_timed(Team *team);

#endif
