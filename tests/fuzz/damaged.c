/* SPDX-License-Identifier: Apache-2.0 */
/* Damaged files against the program: each must give exit status 3 or 4 with one line that begins "strider: ",
 * within seconds and without the sanitizers' complaint.  usage: damaged STRIDER MODEL */
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/wrap.h"
#include "support/proto_writer.h"

enum { SECONDS = 20 };

static const char *program;
static char folder[] = "/tmp/strider_damaged_XXXXXX";
static int n_files, n_wrong;

static void write_file(const char *path, const void *data, size_t size) {
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(data, 1, size, file) != size || fclose(file) != 0)
        abort();
}

/* Runs the program on a file; returns its exit status, -1 where a signal ended it. */
static int run_program(const char *path, const char *errors) {
    fflush(stdout); /* or the child would print it again */
    pid_t child = fork();
    if (child == 0) {
        alarm(SECONDS);
        freopen("/dev/null", "w", stdout);
        freopen(errors, "w", stderr);
        execl(program, program, "run", path, "zeros", "--quiet", "--shapes=check", "--threads", "2",
              (char *)NULL);
        _exit(127);
    }
    int status;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool one_line(const char *errors, char *line, size_t size) {
    FILE *file = fopen(errors, "r");
    char more[4];
    bool fine = file && fgets(line, (int)size, file) && strncmp(line, "strider: ", 9) == 0 &&
                !fgets(more, sizeof more, file);
    if (file)
        fclose(file);
    return fine;
}

/* `may_be_fine`: what was damaged need not matter. */
static void check(const char *name, const void *data, size_t size, bool may_be_fine) {
    char path[160], errors[160], line[1200] = "";
    snprintf(path, sizeof path, "%s/model.onnx", folder);
    snprintf(errors, sizeof errors, "%s/errors", folder);
    write_file(path, data, size);
    int status = run_program(path, errors);
    bool fine = (status == 3 || status == 4) && one_line(errors, line, sizeof line);
    fine = fine || (may_be_fine && (status == 0 || status == 2));
    n_files++;
    if (!fine) {
        n_wrong++;
        printf("%s: exit status %d, standard error begins: %s\n", name, status, line);
    } else if (getenv("SHOW")) {
        printf("%-34s %d  %s", name, status, line[0] ? line : "\n");
    }
}

/* --- a convolution, of which each part can be wrong --- */

typedef struct Damage {
    const char *name, *op;
    int64_t strides[3], pads[6], dilations[2], kernel[2], group, input[5], weight[5], opset, ir;
    int n_strides, n_pads, n_dilations, n_kernel, input_rank, weight_rank;
    const char *input_name, *node_input, *node_output, *graph_output, *domain, *auto_pad;
    int data_type, input_type;
    int64_t data_bytes; /* of the weight; -1: as its dimensions need */
    bool twice, no_output, int_strides;
    const char *location, *offset, *length;
    int64_t declared; /* the output's third dimension; 0: undeclared */
} Damage;

static Damage sound(const char *name) {
    return (Damage){.name = name,
                    .op = "Conv",
                    .strides = {1, 1},
                    .pads = {1, 1, 1, 1},
                    .dilations = {1, 1},
                    .kernel = {3, 3},
                    .group = 1,
                    .input = {1, 4, 8, 8},
                    .weight = {6, 4, 3, 3},
                    .opset = 13,
                    .ir = 8,
                    .n_strides = 2,
                    .n_pads = 4,
                    .n_dilations = 2,
                    .n_kernel = 2,
                    .input_rank = 4,
                    .weight_rank = 4,
                    .input_name = "x",
                    .node_input = "x",
                    .node_output = "y",
                    .graph_output = "y",
                    .data_type = 1,
                    .input_type = 1,
                    .data_bytes = -1};
}

/* Sizes that are meant to be too large wrap around here, too. */
WRAPS_AROUND static void put_weight(Proto *graph, const Damage *d) {
    Proto tensor = {0};
    uint64_t count = 4;
    for (int i = 0; i < d->weight_rank; i++) {
        proto_int(&tensor, 1, d->weight[i]);
        count *= (uint64_t)d->weight[i];
    }
    size_t bytes = d->data_bytes >= 0 ? (size_t)d->data_bytes : count < 1 << 20 ? (size_t)count : 64;
    proto_int(&tensor, 2, d->data_type);
    proto_text(&tensor, 8, "w");
    if (d->location) {
        const char *keys[] = {"location", "offset", "length"},
                   *values[] = {d->location, d->offset, d->length};
        for (int i = 0; i < 3; i++) {
            Proto entry = {0};
            if (!values[i])
                continue;
            proto_text(&entry, 1, keys[i]);
            proto_text(&entry, 2, values[i]);
            proto_message(&tensor, 13, &entry);
        }
        proto_int(&tensor, 14, 1);
    } else {
        void *zeros = calloc(1, bytes + 1);
        proto_bytes(&tensor, 9, zeros, bytes);
        free(zeros);
    }
    proto_message(graph, 5, &tensor);
}

static void put_node(Proto *graph, const Damage *d) {
    Proto node = {0};
    proto_text(&node, 1, d->node_input);
    proto_text(&node, 1, "w");
    proto_text(&node, 2, d->node_output);
    proto_text(&node, 3, "conv");
    proto_text(&node, 4, d->op);
    if (d->int_strides)
        proto_int_attribute(&node, "strides", 1);
    else
        proto_ints_attribute(&node, "strides", d->strides, (size_t)d->n_strides);
    proto_ints_attribute(&node, "pads", d->pads, (size_t)d->n_pads);
    proto_ints_attribute(&node, "dilations", d->dilations, (size_t)d->n_dilations);
    if (d->n_kernel)
        proto_ints_attribute(&node, "kernel_shape", d->kernel, (size_t)d->n_kernel);
    proto_int_attribute(&node, "group", d->group);
    if (d->auto_pad)
        proto_text_attribute(&node, "auto_pad", d->auto_pad);
    if (d->domain)
        proto_text(&node, 7, d->domain);
    proto_message(graph, 1, &node);
}

static Proto make_model(const Damage *d) {
    Proto model = {0}, graph = {0}, opset = {0};
    put_node(&graph, d);
    if (d->twice)
        put_node(&graph, d);
    proto_text(&graph, 2, "damaged");
    put_weight(&graph, d);
    proto_value(&graph, 11, d->input_name, d->input_type, d->input, d->input_rank);
    int64_t out[4] = {-1, -1, d->declared ? d->declared : -1, -1};
    if (!d->no_output)
        proto_value(&graph, 12, d->graph_output, 1, out, 4);
    proto_int(&model, 1, d->ir);
    proto_message(&model, 7, &graph);
    proto_text(&opset, 1, "");
    proto_int(&opset, 2, d->opset);
    if (d->opset != INT64_MIN)
        proto_message(&model, 8, &opset);
    proto_free(&opset);
    return model;
}

static void check_damage(Damage d) {
    Proto model = make_model(&d);
    check(d.name, model.data, model.size, false);
    proto_free(&model);
}

#define DAMAGE(NAME, ...)                                                                                    \
    do {                                                                                                     \
        Damage d = sound(NAME);                                                                              \
        __VA_ARGS__;                                                                                         \
        check_damage(d);                                                                                     \
    } while (0)

static void check_attributes(void) {
    DAMAGE("stride 0", d.strides[0] = 0);
    DAMAGE("stride -1", d.strides[1] = -1);
    DAMAGE("stride 2^62", d.strides[0] = (int64_t)1 << 62);
    DAMAGE("one stride", d.n_strides = 1);
    DAMAGE("three strides", d.n_strides = 3);
    DAMAGE("strides an int", d.int_strides = true);
    DAMAGE("dilation 0", d.dilations[0] = 0);
    DAMAGE("dilation -3", d.dilations[1] = -3);
    DAMAGE("dilation 2^62", d.dilations[1] = (int64_t)1 << 62);
    DAMAGE("dilation too large", d.dilations[1] = 100);
    DAMAGE("one dilation", d.n_dilations = 1);
    DAMAGE("group 0", d.group = 0);
    DAMAGE("group -1", d.group = -1);
    DAMAGE("group 3", d.group = 3);
    DAMAGE("group 2^62", d.group = (int64_t)1 << 62);
    DAMAGE("kernel 0", d.kernel[0] = 0);
    DAMAGE("kernel -3", d.kernel[0] = -3);
    DAMAGE("kernel other than weight", d.kernel[0] = 5);
    DAMAGE("one kernel", d.n_kernel = 1);
    DAMAGE("three pads", d.n_pads = 3);
    DAMAGE("five pads", d.n_pads = 5);
    DAMAGE("pads crop all", d.pads[0] = -6; d.pads[2] = -6);
    DAMAGE("pad 2^62", d.pads[0] = (int64_t)1 << 62);
    DAMAGE("pad -2^62", d.pads[0] = -((int64_t)1 << 62));
    DAMAGE("auto_pad unknown", d.auto_pad = "SOMETIMES");
    DAMAGE("declared shape wrong", d.declared = 9);
}

static void check_tensors(void) {
    DAMAGE("weight dims overflow", d.weight[0] = (int64_t)1 << 32; d.weight[1] = (int64_t)1 << 32);
    DAMAGE("weight dim negative", d.weight[2] = -3);
    DAMAGE("weight dim 0", d.weight[2] = 0);
    DAMAGE("weight rank 3", d.weight_rank = 3);
    DAMAGE("weight rank 5", d.weight_rank = 5; d.weight[4] = 1);
    DAMAGE("weight petabytes", d.weight[0] = (int64_t)1 << 50);
    DAMAGE("weight data short", d.data_bytes = 100);
    DAMAGE("weight data long", d.data_bytes = 10000);
    DAMAGE("weight no data", d.data_bytes = 0);
    DAMAGE("weight type undefined", d.data_type = 0);
    DAMAGE("weight type 99", d.data_type = 99);
    DAMAGE("weight type string", d.data_type = 8);
    DAMAGE("weight type complex", d.data_type = 14);
    DAMAGE("weight int64", d.data_type = 7; d.data_bytes = 6 * 4 * 9 * 8);
    DAMAGE("input type string", d.input_type = 8);
    DAMAGE("input type int32", d.input_type = 6);
    DAMAGE("input rank 3", d.input_rank = 3);
    DAMAGE("input rank 2", d.input_rank = 2);
    DAMAGE("input channels 5", d.input[1] = 5);
    DAMAGE("input 1x1 without pads", d.input[2] = d.input[3] = 1; memset(d.pads, 0, sizeof d.pads));
    DAMAGE("input dims huge", d.input[2] = (int64_t)1 << 62);
    DAMAGE("input dims overflow", d.input[0] = (int64_t)1 << 40; d.input[2] = (int64_t)1 << 40);
}

static void check_graphs(void) {
    DAMAGE("no outputs", d.no_output = true);
    DAMAGE("output of no node", d.graph_output = "z");
    DAMAGE("missing producer", d.node_input = "nowhere");
    DAMAGE("empty required input", d.node_input = "");
    DAMAGE("cycle", d.node_input = "y");
    DAMAGE("made twice", d.twice = true);
    DAMAGE("output is the input", d.node_output = "x");
    DAMAGE("output is the weight", d.node_output = "w");
    DAMAGE("input called nothing", d.input_name = "");
    DAMAGE("unknown operator", d.op = "Convolve");
    DAMAGE("no operator", d.op = "");
    DAMAGE("control flow", d.op = "If");
    DAMAGE("unknown domain", d.domain = "com.example");
    DAMAGE("opset 0", d.opset = 0);
    DAMAGE("opset -1", d.opset = -1);
    DAMAGE("no opset", d.opset = INT64_MIN);
    DAMAGE("operator newer than opset", d.op = "Resize"; d.opset = 5);
}

static void check_external(void) {
    char outside[160], link_path[160], sub[160], fifo[160], small[160];
    snprintf(small, sizeof small, "%s/small.bin", folder);
    snprintf(outside, sizeof outside, "%s_outside.bin", folder);
    snprintf(link_path, sizeof link_path, "%s/link.bin", folder);
    snprintf(sub, sizeof sub, "%s/sub", folder);
    snprintf(fifo, sizeof fifo, "%s/fifo", folder);
    char zeros[864] = {0};
    write_file(small, zeros, 800);
    write_file(outside, zeros, sizeof zeros);
    if (symlink(outside, link_path) || symlink("/", sub) || mkfifo(fifo, 0600))
        abort();
    char up[200];
    snprintf(up, sizeof up, "../%s_outside.bin", strrchr(folder, '/') + 1);
    DAMAGE("external missing", d.location = "missing.bin");
    DAMAGE("external short", d.location = "small.bin");
    DAMAGE("external parent", d.location = up);
    DAMAGE("external parent, hidden", d.location = "a/../../x.bin");
    DAMAGE("external absolute", d.location = outside);
    DAMAGE("external link", d.location = "link.bin");
    DAMAGE("external folder link", d.location = "sub/etc/passwd");
    DAMAGE("external fifo", d.location = "fifo");
    DAMAGE("external folder", d.location = ".");
    DAMAGE("external device", d.location = "/dev/zero");
    DAMAGE("external empty name", d.location = "");
    DAMAGE("external offset beyond", d.location = "small.bin"; d.offset = "900"; d.length = "864");
    DAMAGE("external offset wraps", d.location = "small.bin"; d.offset = "18446744073709551615";
           d.length = "864");
    DAMAGE("external offset negative", d.location = "small.bin"; d.offset = "-1"; d.length = "864");
    DAMAGE("external length wrong", d.location = "small.bin"; d.length = "400");
    DAMAGE("external length no number", d.location = "small.bin"; d.length = "many");
    unlink(outside);
    unlink(link_path);
    unlink(sub);
    unlink(fifo);
    unlink(small);
}

/* --- bytes --- */

static void check_nested(const char *name, int depth, bool in_type) {
    Proto inner = {0};
    for (int i = 0; i < depth; i++) {
        Proto outer = {0}, holder = {0};
        if (in_type) { /* TypeProto.sequence_type.elem_type */
            proto_message(&holder, 1, &inner);
            proto_message(&outer, 4, &holder);
        } else { /* GraphProto.node.attribute.g */
            Proto attribute = {0};
            proto_text(&attribute, 1, "body");
            proto_message(&attribute, 6, &inner);
            proto_message(&holder, 5, &attribute);
            proto_message(&outer, 1, &holder);
        }
        inner = outer;
    }
    Proto model = {0}, graph = {0};
    proto_int(&model, 1, 8);
    if (in_type) {
        Proto value = {0};
        proto_text(&value, 1, "x");
        proto_message(&value, 2, &inner);
        proto_message(&graph, 11, &value);
        proto_message(&model, 7, &graph);
    } else {
        proto_message(&model, 7, &inner);
    }
    check(name, model.data, model.size, false);
    proto_free(&model);
}

WRAPS_AROUND static uint64_t next_random(uint64_t *state) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state;
}

static void check_bytes(const unsigned char *data, size_t size) {
    static const struct {
        const char *name, *bytes;
        size_t size;
    } rows[] = {
        {"empty", "", 0},
        {"one byte", "\x08", 1},
        {"text", "This is no model.\n", 18},
        {"zeros", "\0\0\0\0\0\0\0\0", 8},
        {"long integer", "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 12},
        {"length beyond", "\x3a\xff\xff\xff\x0f", 5},
        {"length negative", "\x3a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11},
        {"group", "\x3b\x3c", 2},
        {"wire type 7", "\x3f\x01", 2},
        {"graph an int", "\x38\x01", 2},
        {"field 0", "\x02\x00", 2},
        {"only a version", "\x08\x08", 2},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        check(rows[i].name, rows[i].bytes, rows[i].size, false);
    check_nested("nested graphs", 4000, false);
    check_nested("nested types", 8000, true);
    for (int i = 1; i < 40; i++) {
        char name[40];
        snprintf(name, sizeof name, "truncated %d", i);
        check(name, data, size * (size_t)i / 40 / (i % 2 ? 1 : 3), false);
    }
    unsigned char *copy = malloc(size);
    uint64_t state = 1;
    for (int i = 0; i < 60 && copy; i++) {
        char name[40];
        memcpy(copy, data, size);
        for (int flips = 0; flips < 1 + i % 4; flips++) {
            next_random(&state);
            /* The structure stands at both ends, weights between them. */
            size_t at = (size_t)(state >> 33) % (size < 4000 ? size : 4000);
            at = i % 2 ? at : size - 1 - at;
            copy[at] ^= (unsigned char)(1 << (state >> 60 & 7));
        }
        snprintf(name, sizeof name, "flipped %d", i);
        check(name, copy, size, true);
    }
    free(copy);
}

int main(int argc, char **argv) {
    if (argc != 3 || !mkdtemp(folder))
        return 2;
    program = argv[1];
    FILE *file = fopen(argv[2], "rb");
    unsigned char *data = malloc(1 << 22);
    size_t size = file && data ? fread(data, 1, 1 << 22, file) : 0;
    if (!size)
        return 2;
    fclose(file);
    Damage whole = sound("sound");
    Proto model = make_model(&whole);
    check("sound", model.data, model.size, true);
    proto_free(&model);
    check_attributes();
    check_tensors();
    check_graphs();
    check_external();
    check_bytes(data, size);
    free(data);
    char command[200];
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    int removed = system(command);
    printf("%d files, %d without a clear error\n", n_files, n_wrong);
    return n_wrong || removed ? 1 : 0;
}
