/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>

#include "base/clock.h"
#include "base/team.h"

#include <cmocka.h>

enum { MEMBERS = 3, ROUNDS = 20 };

typedef struct Meeting {
    uint64_t came[MEMBERS][ROUNDS], heard[MEMBERS][ROUNDS];
    int members;
} Meeting;

/* In each round another member comes late. */
static void meet(void *context, Team *team, int member) {
    Meeting *meeting = context;
    if (member == 0)
        meeting->members = team->size;
    for (int round = 0; round < ROUNDS; round++) {
        if (round % team->size == member)
            nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        meeting->came[member][round] = clock_ns();
        meeting->heard[member][round] = team_barrier_timed(team);
        team_barrier(team);
    }
}

static void all_members_hear_when_the_last_one_came(void **state) {
    (void)state;
    for (int threads = 1; threads <= MEMBERS; threads++) {
        Meeting meeting = {0};
        team_run(threads, meet, &meeting);
        for (int round = 0; round < ROUNDS; round++)
            for (int i = 0; i < meeting.members; i++) {
                const int late = round % meeting.members;
                assert_true(meeting.heard[i][round] == meeting.heard[0][round]);
                assert_true(meeting.heard[i][round] >= meeting.came[late][round]);
                assert_true(round == 0 || meeting.heard[i][round] >= meeting.heard[i][round - 1]);
            }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_members_hear_when_the_last_one_came),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
