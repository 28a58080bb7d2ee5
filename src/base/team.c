/* SPDX-License-Identifier: Apache-2.0 */
#include "base/team.h"

#include <omp.h>
#include <sched.h>
#include <stdbool.h>

#include "base/clock.h"

/* Waiting turns into yielding after this many looks, some tens of microseconds: with more threads than free
 * CPUs the one that is waited for needs the CPU. */
enum { SPINS_BEFORE_YIELD = 4000 };

static inline void spin_pause(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static void meet(Team *team, bool timed) {
    if (team->size == 1) {
        team->arrival_ns = timed ? clock_ns() : 0;
        return;
    }
    int generation = atomic_load_explicit(&team->generation, memory_order_relaxed);
    if (atomic_fetch_add_explicit(&team->arrived, 1, memory_order_acq_rel) == team->size - 1) {
        /* Nobody reads the old time any more: all have come here. */
        team->arrival_ns = timed ? clock_ns() : 0;
        atomic_store_explicit(&team->arrived, 0, memory_order_relaxed);
        atomic_store_explicit(&team->generation, generation + 1, memory_order_release);
        return;
    }
    for (int spins = 0; atomic_load_explicit(&team->generation, memory_order_acquire) == generation;
         spins++) {
        if (spins < SPINS_BEFORE_YIELD)
            spin_pause();
        else
            sched_yield();
    }
}

void team_barrier(Team *team) {
    meet(team, false);
}

uint64_t team_barrier_timed(Team *team) {
    meet(team, true);
    return team->arrival_ns;
}

void team_run(int threads, void (*body)(void *context, Team *team, int member), void *context) {
    Team team = {.size = 1};
    if (threads <= 1) {
        body(context, &team, 0);
        return;
    }
#pragma omp parallel num_threads(threads)
    {
#pragma omp single
        team.size = omp_get_num_threads();
        body(context, &team, omp_get_thread_num());
    }
}
