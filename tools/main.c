/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool.h"

static const char usage[] =
    "usage: strider COMMAND MODEL [INPUT...] [OPTION...]\n"
    "\n"
    "  run MODEL [INPUT...]      run it; print a summary of the outputs, save them, or show the top classes\n"
    "  check CASE...             compare with reference dumps: folders with model.onnx and test_data_set_*\n"
    "  check MODEL [INPUT...] --expect [NAME=]FILE...\n"
    "                            the same with files; an .npz may hold inputs and outputs by name\n"
    "  info MODEL                inputs, outputs, operators, parameters, multiply-accumulates, memory\n"
    "  bench MODEL [INPUT...]    latency: fastest, mean, median, 90 % and 99 %; load, planning, memory\n"
    "  profile MODEL [INPUT...]  where the time goes, per step\n"
    "  selftest [MODEL...]       whether --device D (default cuda) computes what the CPU does: built-in "
    "models, "
    "and those\n"
    "                            given, layer by layer; -o FILE keeps the report\n"
    "\n"
    "INPUT is [NAME=]VALUE, in the model's order without a name.  VALUE is a .npy, .npz or ONNX .pb file, or "
    "zeros, ones,\n"
    "random or random:SEED.  bench and profile take random inputs where none are given.\n"
    "\n"
    "  --threads N               default: all CPUs; check takes a list (1,2) and asks for the same bits from "
    "each\n"
    "  --device D                cpu (default), cuda, cuda:N, or auto: cuda where it can be used, else the "
    "CPU\n"
    "  --tf32                    on cuda, products may round their factors to 10 bits\n"
    "  --nondeterministic        on cuda, results may differ in their last bits from run to run\n"
    "  --cuda-graph              on cuda, record the third run as a CUDA graph and launch that from then on\n"
    "  --dim NAME=N              a symbolic dimension of the inputs that are generated; an open first one is "
    "1\n"
    "  --shape INPUT=1x3x224x224 the shape of an input, also against the model's own\n"
    "  --shapes=check|warn       a Conv whose declared shape is wrong: an error, or a warning (default)\n"
    "  --no-optimize             run the graph as it is in the file\n"
    "  --reference               run plain reference kernels: slow, for checking the fast ones\n"
    "  --max-error E             kernels may err by E of a layer's largest output: 1e-5 by default; 0 is "
    "without\n"
    "                            Winograd\n"
    "  --fast-winograd           allow Winograd F(6x6): up to a tenth faster on large images, four to eight "
    "times the\n"
    "                            error (as --max-error 3e-5)\n"
    "  --tune                    measure which kernels, on cuda which of cuDNN's engines, are fastest here "
    "instead of\n"
    "                            estimating it\n"
    "  --tuning FILE             the same, with times kept in FILE for the next run\n"
    "  --limit-memory SIZE       such as 512M or 2G: what loading, and then running, may take; default: "
    "this\n"
    "                            machine's memory\n"
    "  --limit-loops N           how often loops may run their bodies in a run, all together; default: 10 "
    "million\n"
    "  --allow-links             follow symbolic links to external data\n"
    "  --copy                    read files instead of mapping them: they may change while they are in use\n"
    "  --json  --quiet  --verbose\n"
    "run:    -o, --output FILE   save the outputs: .npz, .npy (of one), or a folder (DIR/, --format npy|pb)\n"
    "        --labels FILE       names of classes, one a line: show the --top N (default 5) of the first "
    "output\n"
    "        --verbose           name the operators that no fast kernel computes\n"
    "check:  --rtol R --atol A   pass when |a - b| <= A + R |b|.  Default: R = 1e-3, A = 1e-5 of the largest "
    "|b|;\n"
    "                            R is at least 2^-6 for bf16\n"
    "        --peak P            A as a part of the largest |b|\n"
    "info:   --devices           the devices, their libraries and drivers; without a model\n"
    "        --shapes            each node's shapes, with the formula of windows; --memory: each step of the "
    "plan\n"
    "bench, profile: --seconds S (default 2) --warmup N (default 3); profile: --sort time|order (default)\n"
    "\n"
    "Exit status: 0 done, all agree; 1 outputs differ; 2 wrong command line; 3 a file is missing, malformed "
    "or\n"
    "inconsistent; 4 something that Strider does not support; 5 out of memory, or a device failed.\n";

/* What is mapped has no memory any more where another process made the file shorter. */
static void on_bus_error(int number, siginfo_t *info, void *context) {
    static const char text[] =
        "strider: a file became shorter while it was in use (--copy reads it at once)\n";
    static atomic_flag is_said = ATOMIC_FLAG_INIT; /* several threads may read the same file */
    (void)context;
    if (info->si_code == BUS_ADRERR) {
        while (atomic_flag_test_and_set(&is_said))
            pause();
        (void)!write(STDERR_FILENO, text, sizeof text - 1);
        _exit(EXIT_FILE);
    }
    signal(number, SIG_DFL);
    raise(number);
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        int (*run)(const Options *options);
    } commands[] = {{"run", command_run},     {"check", command_check},     {"info", command_info},
                    {"bench", command_bench}, {"profile", command_profile}, {"selftest", command_selftest}};
    const char *command = argc > 1 ? argv[1] : "";
    const struct sigaction action = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO};
    sigaction(SIGBUS, &action, NULL);
    if (strcmp(command, "--version") == 0) {
        tool_print(stdout, "strider %s\n", strider_version());
        return EXIT_OK;
    }
    if (strcmp(command, "--help") == 0 || strcmp(command, "-h") == 0 || strcmp(command, "help") == 0) {
        fputs(usage, stdout);
        return EXIT_OK;
    }
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (strcmp(command, commands[i].name) != 0)
            continue;
        Options options;
        int status = options_parse(argc - 2, argv + 2, &options);
        if (!status)
            status = tuning_begin(&options);
        if (!status)
            status = commands[i].run(&options);
        status = tuning_end(&options, status);
        free(options.words);
        if (fflush(stdout) != 0 && !status) {
            fputs("strider: standard output cannot be written\n", stderr);
            status = EXIT_MACHINE;
        }
        return status;
    }
    return command[0] ? report_usage("unknown command \"%s\"", command)
                      : report_usage("a command is missing");
}
