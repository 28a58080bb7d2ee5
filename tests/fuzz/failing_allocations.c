/* SPDX-License-Identifier: Apache-2.0 */
/* Loading, preparing and running while one allocation fails: the first, the second, and so on until none
 * does.  Each must be told as out of memory, leak nothing, and leave a session that then runs right, and
 * takes no memory when it runs once more.
 * usage: failing_allocations RANDOM_GRAPHS [MODEL...] */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/graph_maker.h"
#include "strider/strider.h"

enum { MAX_INPUTS = 16, MAX_OUTPUTS = 200, MAX_PROBLEMS = 20 };

typedef struct Subject {
    const char *name;
    const unsigned char *data; /* of the model */
    size_t size;
    strider_tensor inputs[MAX_INPUTS];
    size_t n_inputs, n_outputs;
} Subject;

/* --- an allocator that fails once --- */

static atomic_llong n_taken, n_live;
static long long failing; /* which call; 0: none */

static void *take(void *context, size_t size, size_t alignment) {
    (void)context;
    void *memory = NULL;
    if (atomic_fetch_add(&n_taken, 1) + 1 == failing)
        return NULL;
    if (posix_memalign(&memory, alignment < sizeof(void *) ? sizeof(void *) : alignment, size))
        return NULL;
    atomic_fetch_add(&n_live, 1);
    return memory;
}

static void give(void *context, void *memory) {
    (void)context;
    if (memory)
        atomic_fetch_sub(&n_live, 1);
    free(memory);
}

static const strider_allocator allocator = {.allocate = take, .release = give};

static void fail_at(long long call) {
    atomic_store(&n_taken, 0);
    failing = call;
}

/* --- one model --- */

typedef struct Outputs {
    void *data[MAX_OUTPUTS]; /* copies */
    size_t sizes[MAX_OUTPUTS];
} Outputs;

static void free_outputs(Outputs *outputs, size_t count) {
    for (size_t i = 0; i < count; i++)
        free(outputs->data[i]);
}

static strider_status run(const Subject *s, strider_session *session, Outputs *kept, strider_error *error) {
    strider_tensor outputs[MAX_OUTPUTS] = {0};
    const strider_status status =
        strider_session_run(session, s->inputs, s->n_inputs, outputs, s->n_outputs, error);
    for (size_t i = 0; i < s->n_outputs && !status; i++) {
        kept->sizes[i] = (size_t)strider_tensor_elements(&outputs[i]) * strider_dtype_size(outputs[i].dtype);
        kept->data[i] = malloc(kept->sizes[i] + 1);
        if (!kept->data[i])
            abort();
        if (kept->sizes[i])
            memcpy(kept->data[i], outputs[i].data, kept->sizes[i]);
    }
    return status;
}

static strider_status load(const Subject *s, strider_model **model, strider_error *error) {
    strider_load_options options = strider_load_options_default();
    options.allocator = &allocator;
    return strider_model_load_memory(s->data, s->size, NULL, &options, model, error);
}

static strider_status create(strider_model *model, strider_session **session, strider_error *error) {
    strider_session_options options = strider_session_options_default();
    options.threads = 2;
    return strider_session_create(model, &options, session, error);
}

/* After a run like it; and where an allocation failed after two, as the first may have given back what was
 * unused. */
static bool runs_without_taking(const Subject *s, strider_session *session, strider_error *error) {
    strider_tensor outputs[MAX_OUTPUTS] = {0};
    long long before = 0;
    for (int turn = 0; turn < 2; turn++) {
        before = atomic_load(&n_taken);
        if (strider_session_run(session, s->inputs, s->n_inputs, outputs, s->n_outputs, error))
            return false;
        if (!failing && atomic_load(&n_taken) != before)
            return false;
        memset(outputs, 0, sizeof outputs);
    }
    return atomic_load(&n_taken) == before;
}

/* The steps in turn; each that fails is told, and done again. */
static const char *with_failure(const Subject *s, Outputs *outputs, strider_error *error) {
    strider_model *model = NULL;
    strider_session *session = NULL;
    const char *problem = NULL;
    strider_status status = load(s, &model, error);
    const bool load_failed = status != STRIDER_OK;
    if (load_failed && status != STRIDER_OUT_OF_MEMORY)
        return "loading is not told as out of memory";
    if (load_failed && (atomic_load(&n_live) || model))
        return "loading leaves memory behind";
    if (load_failed && load(s, &model, error))
        return "loading fails again";
    if ((status = create(model, &session, error)) && status != STRIDER_OUT_OF_MEMORY)
        problem = "creating a session is not told as out of memory";
    else if (status && create(model, &session, error))
        problem = "creating a session fails again";
    else if ((status = strider_session_prepare(session, s->inputs, s->n_inputs, error)) &&
             status != STRIDER_OUT_OF_MEMORY)
        problem = "preparing is not told as out of memory";
    else if (status && strider_session_prepare(session, s->inputs, s->n_inputs, error))
        problem = "preparing fails again";
    else if ((status = run(s, session, outputs, error)) && status != STRIDER_OUT_OF_MEMORY)
        problem = "running is not told as out of memory";
    else if (status && run(s, session, outputs, error))
        problem = "running fails again";
    else if (!runs_without_taking(s, session, error))
        problem = "a run takes memory after one like it";
    strider_session_free(session);
    strider_model_free(model);
    if (!problem && atomic_load(&n_live))
        problem = "memory is left behind";
    return problem;
}

static bool same(const Outputs *a, const Outputs *b, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (a->sizes[i] != b->sizes[i] || memcmp(a->data[i], b->data[i], a->sizes[i]) != 0)
            return false;
    return true;
}

/* Returns how many calls there were, or -1 where one went wrong. */
static long long check(const Subject *s) {
    static Outputs wanted, got;
    strider_error error = {0};
    memset(&wanted, 0, sizeof wanted);
    fail_at(0);
    const char *problem = with_failure(s, &wanted, &error);
    if (problem) {
        printf("%s: without a failure: %s: %s\n", s->name, problem, error.message);
        return -1;
    }
    const long long calls = atomic_load(&n_taken);
    int n_problems = 0;
    for (long long i = 1; i <= calls && n_problems < MAX_PROBLEMS; i++) {
        memset(&got, 0, sizeof got);
        error = (strider_error){0};
        fail_at(i);
        problem = with_failure(s, &got, &error);
        if (!problem && !same(&got, &wanted, s->n_outputs))
            problem = "other results";
        n_problems += problem != NULL;
        if (problem)
            printf("%s: allocation %lld of %lld fails: %s: %s (%s)\n", s->name, i, calls, problem,
                   strider_status_name(error.status), error.message);
        free_outputs(&got, s->n_outputs);
    }
    free_outputs(&wanted, s->n_outputs);
    return n_problems ? -1 : calls;
}

/* --- models --- */

static strider_tensor make_input(strider_dtype dtype, int rank, const int64_t *dims) {
    strider_tensor input = {.dtype = dtype, .rank = rank};
    memcpy(input.dims, dims, (size_t)rank * sizeof *dims);
    const size_t size = (size_t)strider_tensor_elements(&input) * strider_dtype_size(dtype);
    input.data = malloc(size + 64);
    if (!input.data)
        abort();
    memset(input.data, 1, size + 64);
    return input;
}

static void free_inputs(Subject *s) {
    for (size_t i = 0; i < s->n_inputs; i++)
        free(s->inputs[i].data);
}

static unsigned char *read_file(const char *path, size_t *size) {
    FILE *file = fopen(path, "rb");
    const size_t max_bytes = 1 << 24;
    unsigned char *data = malloc(max_bytes);
    *size = file && data ? fread(data, 1, max_bytes, file) : 0;
    if (file)
        fclose(file);
    return data;
}

static bool check_file(const char *path, long long *n_calls) {
    Subject s = {.name = path};
    strider_model *model;
    strider_error error;
    unsigned char *data = read_file(path, &s.size);
    s.data = data;
    fail_at(0);
    if (load(&s, &model, &error)) {
        printf("%s: %s\n", path, error.message);
        free(data);
        return false;
    }
    s.n_inputs = strider_model_input_count(model);
    s.n_outputs = strider_model_output_count(model);
    for (size_t i = 0; i < s.n_inputs && i < MAX_INPUTS; i++) {
        strider_value_info info;
        if (strider_model_get_input(model, i, &info))
            abort();
        for (int d = 0; d < info.rank; d++)
            info.dims[d] = info.dims[d] < 0 ? 2 : info.dims[d];
        s.inputs[i] = make_input(info.dtype, info.rank, info.dims);
    }
    strider_model_free(model);
    const long long calls = check(&s);
    *n_calls += calls > 0 ? calls : 0;
    free_inputs(&s);
    free(data);
    return calls > 0;
}

static bool check_graph(uint64_t seed, long long *n_calls) {
    static const strider_dtype dtypes[] = {
        [ONNX_F32] = STRIDER_F32, [ONNX_U8] = STRIDER_U8,   [ONNX_I8] = STRIDER_I8,
        [ONNX_I32] = STRIDER_I32, [ONNX_I64] = STRIDER_I64, [ONNX_F16] = STRIDER_F16,
        [ONNX_F64] = STRIDER_F64,
    };
    Choices choices = {.state = seed};
    MadeGraph graph = make_graph(&choices, false);
    char name[40];
    snprintf(name, sizeof name, "random graph %llu", (unsigned long long)seed);
    Subject s = {.name = name,
                 .data = graph.model.data,
                 .size = graph.model.size,
                 .n_inputs = graph.n_inputs,
                 .n_outputs = graph.n_outputs};
    for (size_t i = 0; i < graph.n_inputs; i++) {
        const GraphInput *input = &graph.inputs[i];
        s.inputs[i] = make_input(dtypes[input->type], input->rank, input->dims);
        if (input->has_shape)
            memcpy(s.inputs[i].data, input->shape, (size_t)input->dims[0] * sizeof(int64_t));
    }
    const long long calls = check(&s);
    *n_calls += calls > 0 ? calls : 0;
    free_inputs(&s);
    proto_free(&graph.model);
    return calls > 0;
}

int main(int argc, char **argv) {
    int n_wrong = 0;
    long long n_calls = 0;
    if (argc < 2)
        return 2;
    for (int i = 2; i < argc; i++)
        n_wrong += !check_file(argv[i], &n_calls);
    for (uint64_t seed = 1; seed <= strtoull(argv[1], NULL, 10); seed++)
        n_wrong += !check_graph(seed, &n_calls);
    printf("%lld allocations that failed in turn; %d models where one was not coped with\n", n_calls,
           n_wrong);
    return n_wrong ? 1 : 0;
}
