/* SPDX-License-Identifier: Apache-2.0 */
#include "strider/machine.h"

#include <time.h>

#include "base/cpu.h"
#include "base/team.h"
#include "ops/cpu/peak.h"

const char *strider_machine_isa(void) {
    return isa_name(isa_chosen());
}

int strider_machine_cpus(void) {
    return cpu_count();
}

enum { ROUNDS_OF_MEASURING = 8 };

typedef struct Measuring {
    const PeakLoop *loop;
    int64_t rounds;
    double seconds; /* the shortest; written by member 0 */
} Measuring;

static double now_s(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static void measure(void *context, Team *team, int member) {
    Measuring *measuring = context;
    volatile double kept;
    for (int i = 0; i < ROUNDS_OF_MEASURING; i++) {
        team_barrier(team);
        double before = now_s();
        kept = measuring->loop->run(measuring->rounds);
        team_barrier(team);
        double seconds = now_s() - before;
        if (member == 0 && (i == 0 || seconds < measuring->seconds))
            measuring->seconds = seconds;
    }
    (void)kept;
}

double strider_machine_peak_gflops(int threads) {
    const PeakLoop *loop = peak_loop_for(isa_chosen());
    /* About 5 ms at 100 GFLOP/s. */
    Measuring measuring = {.loop = loop, .rounds = (int64_t)(5e8 / loop->flops_a_round)};
    threads = threads < 1 ? 1 : threads;
    team_run(threads, measure, &measuring);
    return loop->flops_a_round * (double)measuring.rounds * threads / measuring.seconds * 1e-9;
}
