/* SPDX-License-Identifier: Apache-2.0 */
#include "strider/machine.h"

#include "base/clock.h"
#include "base/cpu.h"
#include "base/team.h"
#include "ops/cpu/peak.h"

enum { ROUNDS_OF_MEASURING = 8 };

typedef struct Measuring {
    const PeakLoop *loop;
    int64_t rounds;
    uint64_t time_ns; /* the shortest; written by member 0 */
} Measuring;

static void measure(void *context, Team *team, int member) {
    Measuring *measuring = context;
    volatile double kept;
    for (int i = 0; i < ROUNDS_OF_MEASURING; i++) {
        team_barrier(team);
        const uint64_t before = clock_ns();
        kept = measuring->loop->run(measuring->rounds);
        team_barrier(team);
        const uint64_t time_ns = clock_ns() - before;
        if (member == 0 && (i == 0 || time_ns < measuring->time_ns))
            measuring->time_ns = time_ns;
    }
    (void)kept;
}

double strider_machine_peak_gflops(int threads) {
    const PeakLoop *loop = peak_loop_for(cpu_target());
    /* About 5 ms at 100 GFLOP/s. */
    Measuring measuring = {.loop = loop, .rounds = (int64_t)(5e8 / loop->flops_a_round)};
    threads = threads < 1 ? 1 : threads;
    team_run(threads, measure, &measuring);
    return loop->flops_a_round * (double)measuring.rounds * threads / (double)measuring.time_ns;
}
