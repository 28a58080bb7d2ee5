/* SPDX-License-Identifier: Apache-2.0 */
/* Recordings: states, hooks and their order, on a device that notes which hooks are called. */
#include "ops/device.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

typedef struct Noting {
    Device device;
    char calls[200];
    const char *failing; /* the hook or call that fails */
} Noting;

static Status note(Device *device, const char *call) {
    Noting *noting = (Noting *)device;
    strcat(noting->calls, call);
    strcat(noting->calls, " ");
    return noting->failing && strcmp(noting->failing, call) == 0 ? STRIDER_DEVICE_FAILED : STRIDER_OK;
}

#define HOOK(NAME)                                                                                           \
    static Status note_##NAME(Device *device, Recording *recording, Error *err) {                            \
        (void)err;                                                                                           \
        assert_ptr_equal(device->recording, recording);                                                      \
        return note(device, #NAME);                                                                          \
    }
HOOK(record)
HOOK(finish)
HOOK(replay)
HOOK(launch)

static void note_abandon(Device *device, Recording *recording) {
    assert_ptr_equal(device->recording, recording);
    (void)note(device, "abandon");
}

static void note_forget(Device *device, Recording *recording) {
    assert_true(device->recording != recording);
    (void)note(device, "forget");
}

static Status note_upload(Device *device, void *to, const void *from, size_t size_bytes, Error *err) {
    (void)to, (void)from, (void)size_bytes, (void)err;
    return note(device, "upload");
}

static Status note_download(Device *device, void *to, const void *from, size_t size_bytes, Error *err) {
    (void)to, (void)from, (void)size_bytes, (void)err;
    return note(device, "download");
}

static Status note_synchronize(Device *device, Error *err) {
    (void)err;
    return note(device, "synchronize");
}

static Status submit(const KernelCall *call, Error *err) {
    (void)err;
    return note((Device *)call->args, "submit");
}

static const RecordingHooks hooks = {.record = note_record,
                                     .finish = note_finish,
                                     .replay = note_replay,
                                     .launch = note_launch,
                                     .abandon = note_abandon,
                                     .forget = note_forget};

static Noting noting_device(const char *failing) {
    return (Noting){.device = {.recording_hooks = &hooks,
                               .upload = note_upload,
                               .download = note_download,
                               .synchronize = note_synchronize},
                    .failing = failing};
}

static Error error;
static const CopyCount announced = {.size_bytes = 12, .copies = 2};

/* What a run hands over, in any mode, until something fails. */
static Status hand_over(Noting *noting, bool submits) {
    const KernelInstance instance = {.submit = submit};
    const KernelCall call = {.args = noting};
    TRY(device_upload(&noting->device, NULL, NULL, 8, &error));
    if (submits)
        TRY(device_submit(&noting->device, &instance, &call, &error));
    return device_download(&noting->device, NULL, NULL, 4, &error);
}

static Status record_all(Noting *noting, Recording *recording) {
    TRY(recording_begin(recording, &noting->device, announced, &error));
    assert_int_equal(recording->state, RECORDING_RECORDING);
    TRY(hand_over(noting, true));
    return recording_launch(recording, &error);
}

static Status replay_all(Noting *noting, Recording *recording) {
    TRY(recording_replay(recording, &error));
    assert_int_equal(recording->state, RECORDING_REPLAYING);
    TRY(hand_over(noting, false));
    return recording_launch(recording, &error);
}

static void expect(const Noting *noting, const Recording *recording, RecordingState state,
                   const char *calls) {
    assert_string_equal(noting->calls, calls);
    assert_int_equal(recording->state, state);
    const bool is_in_work = state == RECORDING_RECORDING || state == RECORDING_REPLAYING;
    assert_ptr_equal(noting->device.recording, is_in_work ? recording : NULL);
}

static void a_recording_is_made_once_and_replayed(void **state) {
    (void)state;
    Noting noting = noting_device(NULL);
    Recording recording = {0};
    assert_int_equal(record_all(&noting, &recording), STRIDER_OK);
    expect(&noting, &recording, RECORDING_READY, "record upload submit download finish launch ");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(device_synchronize(&noting.device, &error), STRIDER_OK);
        noting.calls[0] = '\0';
        assert_int_equal(replay_all(&noting, &recording), STRIDER_OK);
        expect(&noting, &recording, RECORDING_READY, "replay upload download launch ");
    }
    noting.calls[0] = '\0';
    recording_free(&recording);
    expect(&noting, &recording, RECORDING_EMPTY, "forget ");
    recording_free(&recording);
    expect(&noting, &recording, RECORDING_EMPTY, "forget ");
}

/* Whichever hook or call fails first: it is abandoned at once, and freed and made anew after. */
static void a_failure_ends_a_recording(void **state) {
    (void)state;
    static const struct {
        const char *failing, *calls;
    } cases[] = {{"record", "record abandon "},
                 {"upload", "record upload abandon "},
                 {"submit", "record upload submit abandon "},
                 {"download", "record upload submit download abandon "},
                 {"finish", "record upload submit download finish abandon "},
                 {"launch", "record upload submit download finish launch abandon "}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Noting noting = noting_device(cases[i].failing);
        Recording recording = {0};
        assert_int_equal(record_all(&noting, &recording), STRIDER_DEVICE_FAILED);
        expect(&noting, &recording, RECORDING_FAILED, cases[i].calls);
        noting.failing = NULL;
        noting.calls[0] = '\0';
        recording_free(&recording);
        expect(&noting, &recording, RECORDING_EMPTY, "forget ");
        assert_int_equal(record_all(&noting, &recording), STRIDER_OK);
        recording_free(&recording);
    }
}

static void a_failure_ends_a_replay(void **state) {
    (void)state;
    static const struct {
        const char *failing, *calls;
    } cases[] = {{"replay", "replay abandon "},
                 {"upload", "replay upload abandon "},
                 {"download", "replay upload download abandon "},
                 {"launch", "replay upload download launch abandon "}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Noting noting = noting_device(NULL);
        Recording recording = {0};
        assert_int_equal(record_all(&noting, &recording), STRIDER_OK);
        assert_int_equal(device_synchronize(&noting.device, &error), STRIDER_OK);
        noting.failing = cases[i].failing;
        noting.calls[0] = '\0';
        assert_int_equal(replay_all(&noting, &recording), STRIDER_DEVICE_FAILED);
        expect(&noting, &recording, RECORDING_FAILED, cases[i].calls);
        recording_free(&recording);
    }
}

static void an_unfinished_recording_is_abandoned_and_forgotten(void **state) {
    (void)state;
    Noting noting = noting_device(NULL);
    Recording recording = {0};
    assert_int_equal(recording_begin(&recording, &noting.device, announced, &error), STRIDER_OK);
    expect(&noting, &recording, RECORDING_RECORDING, "record ");
    recording_free(&recording);
    expect(&noting, &recording, RECORDING_EMPTY, "record abandon forget ");
}

/* --- mistakes, which asserts find --- */

static void launch_of_nothing(Noting *noting, Recording *recording) {
    (void)noting;
    recording->device = &noting->device;
    (void)!recording_launch(recording, &error);
}

static void replay_of_nothing(Noting *noting, Recording *recording) {
    recording->device = &noting->device;
    (void)!recording_replay(recording, &error);
}

static void begin_twice(Noting *noting, Recording *recording) {
    (void)!record_all(noting, recording);
    (void)!recording_begin(recording, &noting->device, announced, &error);
}

static void two_in_work(Noting *noting, Recording *recording) {
    Recording other = {0};
    (void)!recording_begin(recording, &noting->device, announced, &error);
    (void)!recording_begin(&other, &noting->device, announced, &error);
}

static void waiting_in_the_middle(Noting *noting, Recording *recording) {
    (void)!recording_begin(recording, &noting->device, announced, &error);
    (void)!device_synchronize(&noting->device, &error);
}

static void a_copy_too_few(Noting *noting, Recording *recording) {
    (void)!recording_begin(recording, &noting->device, announced, &error);
    (void)!device_upload(&noting->device, NULL, NULL, 8, &error);
    (void)!recording_launch(recording, &error);
}

static void a_copy_too_many(Noting *noting, Recording *recording) {
    (void)!recording_begin(recording, &noting->device, announced, &error);
    (void)!hand_over(noting, true);
    (void)!device_upload(&noting->device, NULL, NULL, 1, &error);
}

static void submitting_while_replaying(Noting *noting, Recording *recording) {
    (void)!record_all(noting, recording);
    (void)!device_synchronize(&noting->device, &error);
    (void)!recording_replay(recording, &error);
    (void)!hand_over(noting, true);
}

static void replay_of_what_nobody_waited_for(Noting *noting, Recording *recording) {
    (void)!record_all(noting, recording);
    (void)!recording_replay(recording, &error);
}

static bool aborts(void (*mistake)(Noting *noting, Recording *recording)) {
    const pid_t child = fork();
    int status = 0;
    assert_true(child >= 0);
    if (child == 0) {
        Noting noting = noting_device(NULL);
        Recording recording = {0};
        close(STDERR_FILENO);
        signal(SIGABRT, SIG_DFL);
        mistake(&noting, &recording);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void mistakes_are_found(void **state) {
    (void)state;
    void (*const mistakes[])(Noting *, Recording *) = {
        launch_of_nothing, replay_of_nothing,          begin_twice,
        two_in_work,       waiting_in_the_middle,      a_copy_too_few,
        a_copy_too_many,   submitting_while_replaying, replay_of_what_nobody_waited_for};
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++)
        if (!aborts(mistakes[i]))
            fail_msg("mistake %zu is not found", i);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_recording_is_made_once_and_replayed),
        cmocka_unit_test(a_failure_ends_a_recording),
        cmocka_unit_test(a_failure_ends_a_replay),
        cmocka_unit_test(an_unfinished_recording_is_abandoned_and_forgotten),
        cmocka_unit_test(mistakes_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
