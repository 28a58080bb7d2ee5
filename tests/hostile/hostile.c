/* SPDX-License-Identifier: Apache-2.0 */
/* Files that ask for too much, lie or are odd, against the program: each command must end with a status that
 * is right for it, at most one line on standard error besides warnings, each of which begins "strider: ",
 * nothing that a terminal obeys, within seconds and a gigabyte.  usage: hostile STRIDER FOLDER, in which
 * commands.txt lists them */
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
enum { SLOWER = 10, KNOWS_MEMORY = false };
#else
enum { SLOWER = 1, KNOWS_MEMORY = true };
#endif

/* Of the processor, for a busy machine counts no less; the clock is only watched for what waits forever. */
enum { SECONDS = 5 * SLOWER, CLOCK_SECONDS = 120 * SLOWER, MEGABYTES = 1000, MAX_ARGUMENTS = 16 };

static int n_commands, n_wrong;

typedef struct Ended {
    int status; /* the exit status, -1 where a signal ended it */
    int signal;
    double seconds;
    long megabytes;
} Ended;

static Ended run(char **arguments, FILE *out, FILE *errors) {
    fflush(stdout);
    const pid_t child = fork();
    if (child == 0) {
        const struct rlimit cpu = {2 * SECONDS, 2 * SECONDS}, space = {(rlim_t)2 << 30, (rlim_t)2 << 30};
        setrlimit(RLIMIT_CPU, &cpu);
        if (KNOWS_MEMORY) /* so that a fault does not take the machine's */
            setrlimit(RLIMIT_AS, &space);
        alarm(CLOCK_SECONDS);
        dup2(fileno(out), STDOUT_FILENO);
        dup2(fileno(errors), STDERR_FILENO);
        execv(arguments[0], arguments);
        _exit(127);
    }
    int status = 0;
    struct rusage usage = {0};
    wait4(child, &status, 0, &usage);
    return (Ended){.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1,
                   .signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0,
                   .seconds = (double)usage.ru_utime.tv_sec + (double)usage.ru_utime.tv_usec * 1e-6 +
                              (double)usage.ru_stime.tv_sec + (double)usage.ru_stime.tv_usec * 1e-6,
                   .megabytes = usage.ru_maxrss / 1024};
}

/* Whether a stream's text has no control character but ends of lines, and how many lines. */
static bool is_plain(FILE *stream, int *n_lines) {
    bool plain = true;
    *n_lines = 0;
    rewind(stream);
    for (int c; (c = fgetc(stream)) != EOF;) {
        *n_lines += c == '\n';
        plain = plain && c != 0x7f && (c >= ' ' || c == '\n');
    }
    return plain;
}

/* Whether all lines are ours, and one of them at most is no warning; `line` is the last that was read. */
static bool is_message(FILE *errors, char *line, size_t size) {
    int others = 0;
    rewind(errors);
    line[0] = '\0';
    while (fgets(line, (int)size, errors)) {
        line[strcspn(line, "\n")] = '\0';
        others += strstr(line, ": warning: ") == NULL;
        if (others > 1 || strncmp(line, "strider: ", 9) != 0)
            return false;
    }
    return true;
}

static const char *complaint(const Ended *ended, const char *statuses, FILE *out, FILE *errors, char *line,
                             size_t size) {
    int n_lines;
    const bool plain = is_plain(out, &n_lines);
    const bool plain_errors = is_plain(errors, &n_lines);
    const bool is_told = is_message(errors, line, size);
    if (ended->signal)
        return "ended by a signal";
    if (ended->status < 0 || ended->status > 9 || !strchr(statuses, '0' + ended->status))
        return "another exit status";
    if (!is_told)
        return "other than one line and warnings on standard error";
    if (!plain || !plain_errors)
        return "control characters";
    if (ended->seconds > SECONDS)
        return "too slow";
    if (KNOWS_MEMORY && ended->megabytes > MEGABYTES)
        return "too much memory";
    return NULL;
}

static void check(const char *statuses, char **arguments, int count, const char *option) {
    char line[1200];
    FILE *out = tmpfile(), *errors = tmpfile();
    if (!out || !errors)
        abort();
    arguments[count] = (char *)option;
    arguments[count + 1] = NULL;
    const Ended ended = run(arguments, out, errors);
    const char *wrong = complaint(&ended, statuses, out, errors, line, sizeof line);
    n_commands++;
    n_wrong += wrong != NULL;
    if (wrong || getenv("SHOW")) {
        printf("%s:", wrong ? wrong : "fine");
        for (int i = 1; arguments[i]; i++)
            printf(" %s", arguments[i]);
        printf("\n    status %d, signal %d, %.1f s, %ld MB", ended.status, ended.signal, ended.seconds,
               ended.megabytes);
        printf(", \"");
        for (const char *c = line; *c; c++)
            putchar((unsigned char)*c < ' ' || *c == 0x7f ? '?' : *c);
        printf("\"\n");
    }
    fclose(out);
    fclose(errors);
}

int main(int argc, char **argv) {
    if (argc != 3)
        return 2;
    char *program = realpath(argv[1], NULL), text[1024];
    if (!program || chdir(argv[2]))
        return 2;
    FILE *commands = fopen("commands.txt", "r");
    if (!commands)
        return 2;
    while (fgets(text, sizeof text, commands)) {
        char *arguments[MAX_ARGUMENTS + 3] = {program}, *statuses = strtok(text, " \n");
        int count = 1;
        if (!statuses || statuses[0] == '#')
            continue;
        while (count < MAX_ARGUMENTS && (arguments[count] = strtok(NULL, " \n")))
            count++;
        const bool is_run = count > 1 && strcmp(arguments[1], "run") == 0;
        check(statuses, arguments, count, NULL);
        if (is_run) {
            check(statuses, arguments, count, "--no-optimize");
            check(statuses, arguments, count, "--reference");
        }
    }
    fclose(commands);
    free(program);
    printf("%d commands, %d of them wrong\n", n_commands, n_wrong);
    return n_wrong || !n_commands ? 1 : 0;
}
