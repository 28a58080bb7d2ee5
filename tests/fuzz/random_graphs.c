/* SPDX-License-Identifier: Apache-2.0 */
/* Random graphs, each run as it is in the file on reference kernels, and then in every other way: optimised
 * and not, on each target that the CPU runs, on one to three threads, for several shapes in turn.
 * All must agree: within rounding, and for any number of threads in each bit.  What does not is written to
 * random_graph_SEED.onnx.  usage: random_graphs COUNT [FIRST_SEED] */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "base/size.h"
#include "base/wrap.h"
#include "fuzz/graph_maker.h"
#include "ops/op.h"
#include "run/session.h"
#include "strider/strider.h"
#include "tensor/tensor.h"

enum { MAX_GIVEN = 4, MAX_OUTPUTS = 200, MAX_DEFECTS = 20 };

/* Inputs of one run. */
typedef struct GivenInputs {
    strider_tensor inputs[GRAPH_MAX_INPUTS];
} GivenInputs;

typedef struct Outcome {
    strider_status status;
    strider_error error;
    strider_tensor outputs[MAX_OUTPUTS]; /* their data are copies */
} Outcome;

/* A way of running a model. */
typedef struct Way {
    const char *name;
    bool optimize, reference;
    const CpuTarget *target;
    int threads;
} Way;

typedef struct Case {
    uint64_t seed;
    MadeGraph graph;
    GivenInputs given[MAX_GIVEN];
    size_t n_given;
    double max_layer_error;
    double tolerance;
    bool failed;
} Case;

static int n_defects;
static uint64_t n_runs, n_refused, n_accepted;

static size_t bytes_of_tensor(const strider_tensor *tensor) {
    return (size_t)strider_tensor_elements(tensor) * strider_dtype_size(tensor->dtype);
}

/* --- inputs --- */

static strider_dtype dtype_of(int onnx_type) {
    switch (onnx_type) {
    case ONNX_F32:
        return STRIDER_F32;
    case ONNX_F64:
        return STRIDER_F64;
    case ONNX_F16:
        return STRIDER_F16;
    case ONNX_I64:
        return STRIDER_I64;
    case ONNX_I32:
        return STRIDER_I32;
    case ONNX_I8:
        return STRIDER_I8;
    case ONNX_U8:
        return STRIDER_U8;
    default:
        return STRIDER_BOOL;
    }
}

static void fill(strider_tensor *made, Choices *choices, bool special) {
    const Shape shape = shape_make(made->rank, made->dims);
    Tensor tensor = tensor_view(made->dtype, &shape, made->data);
    static const double odd[] = {NAN, INFINITY, -INFINITY, 0, -0.0, 1e-40};
    const bool few = choose(choices, 10) == 0; /* many of the same */
    for (int64_t i = 0; i < strider_tensor_elements(made); i++) {
        double value = ((double)choose(choices, 1 << 16) + 0.5) / (1 << 15) - 1;
        if (!dtype_is_float(made->dtype) || few)
            value = (double)choose(choices, 4) - (made->dtype == STRIDER_U8 ? 0 : 1);
        if (special && dtype_is_float(made->dtype) && choose(choices, 24) == 0)
            value = odd[choose(choices, sizeof odd / sizeof *odd)];
        tensor_set_f64(&tensor, i, made->dtype == STRIDER_BOOL ? value > 0 : value);
    }
}

static void bind(Case *c, GivenInputs *binding, Choices *choices, bool changed, bool special) {
    for (size_t i = 0; i < c->graph.n_inputs; i++) {
        const GraphInput *input = &c->graph.inputs[i];
        strider_tensor *tensor = &binding->inputs[i];
        *tensor = (strider_tensor){.dtype = dtype_of(input->type), .rank = input->rank};
        for (int d = 0; d < input->rank; d++) {
            tensor->dims[d] = input->dims[d];
            if (changed && input->open[d] && !input->has_shape && choose(choices, 3) != 0)
                tensor->dims[d] = (int64_t)choose(choices, d == 0 ? 5 : 14) + (d != 0);
        }
        tensor->data = malloc(bytes_of_tensor(tensor) + 64);
        if (!tensor->data)
            abort();
        if (input->has_shape)
            memcpy(tensor->data, input->shape, (size_t)input->dims[0] * sizeof(int64_t));
        else
            fill(tensor, choices, special);
    }
}

WRAPS_AROUND static void make_case(Case *c, uint64_t seed) {
    Choices choices = {.state = seed * 0x2545f4914f6cdd1du + 1};
    *c = (Case){.seed = seed, .graph = make_graph(&choices, false)};
    bool dynamic = false;
    for (size_t i = 0; i < c->graph.n_inputs; i++)
        for (int d = 0; d < c->graph.inputs[i].rank; d++)
            dynamic = dynamic || (c->graph.inputs[i].open[d] && !c->graph.inputs[i].has_shape);
    const bool special = !c->graph.has_product && choose(&choices, 12) == 0;
    c->max_layer_error = special || choose(&choices, 4) == 0 ? 0 : 3e-5;
    c->tolerance = c->graph.is_coarse ? 3e-2 : 1e-3;
    c->n_given = dynamic ? MAX_GIVEN : 1;
    for (size_t i = 0; i < c->n_given; i++)
        bind(c, &c->given[i], &choices, i > 0 && i + 1 < c->n_given, special);
}

static void free_case(Case *c) {
    for (size_t i = 0; i < c->n_given; i++)
        for (size_t k = 0; k < c->graph.n_inputs; k++)
            free(c->given[i].inputs[k].data);
    proto_free(&c->graph.model);
}

/* --- one way --- */

static void keep_outputs(Outcome *outcome, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const size_t size = bytes_of_tensor(&outcome->outputs[i]);
        void *copy = malloc(size + 1);
        if (!copy)
            abort();
        if (size)
            memcpy(copy, outcome->outputs[i].data, size);
        outcome->outputs[i].data = copy;
    }
}

static void run_way(const Case *c, const Way *way, const strider_model *model, Outcome *outcomes) {
    strider_session_options options = strider_session_options_default();
    strider_session *session = NULL;
    options.threads = way->threads;
    options.reference = way->reference;
    options.max_layer_error = c->max_layer_error;
    options.max_cached_plans = 3;
    Outcome first = {0};
    first.status = strider_session_create(model, &options, &session, &first.error);
    if (session)
        session->target.cpu = way->target;
    for (size_t i = 0; i < c->n_given; i++) {
        Outcome *outcome = &outcomes[i];
        *outcome = first;
        if (first.status)
            continue;
        outcome->status = strider_session_run(session, c->given[i].inputs, c->graph.n_inputs,
                                              outcome->outputs, c->graph.n_outputs, &outcome->error);
        n_runs++;
        if (!outcome->status)
            keep_outputs(outcome, c->graph.n_outputs);
    }
    strider_session_free(session);
}

static void free_outcomes(const Case *c, Outcome *outcomes) {
    for (size_t i = 0; i < c->n_given; i++)
        for (size_t k = 0; k < c->graph.n_outputs && !outcomes[i].status; k++)
            free(outcomes[i].outputs[k].data);
}

/* --- agreement --- */

static void defect(Case *c, const Way *way, size_t binding, const char *text) {
    if (c->failed)
        return;
    c->failed = true;
    n_defects++;
    printf("seed %llu, %s, %s, %d threads, shapes %zu: %s\n", (unsigned long long)c->seed, way->name,
           way->target->name, way->threads, binding, text);
    char path[64];
    snprintf(path, sizeof path, "random_graph_%llu.onnx", (unsigned long long)c->seed);
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(c->graph.model.data, 1, c->graph.model.size, file) != c->graph.model.size ||
        fclose(file))
        printf("%s cannot be written\n", path);
    fflush(stdout);
}

static bool same_element(const Tensor *got, const Tensor *wanted, int64_t i, double tolerance) {
    if (!dtype_is_float(wanted->type.dtype))
        return tensor_get_bits(got, i) == tensor_get_bits(wanted, i);
    const double a = tensor_get_f64(got, i), b = tensor_get_f64(wanted, i);
    return a == b || (isnan(a) && isnan(b)) || fabs(a - b) <= tolerance;
}

/* Whether an output is right; `exactly`: in each bit. */
static bool agrees(const Case *c, const strider_tensor *got_, const strider_tensor *wanted_, bool exactly,
                   char *text, size_t size) {
    const Shape got_shape = shape_make(got_->rank, got_->dims),
                wanted_shape = shape_make(wanted_->rank, wanted_->dims);
    const Tensor got = tensor_view(got_->dtype, &got_shape, got_->data),
                 wanted = tensor_view(wanted_->dtype, &wanted_shape, wanted_->data);
    char shapes[2][SHAPE_TEXT];
    const bool is_empty =
        c->graph.has_items && !strider_tensor_elements(got_) && !strider_tensor_elements(wanted_);
    if (got_->dtype != wanted_->dtype || (!is_empty && !shape_equal(&got_shape, &wanted_shape))) {
        snprintf(text, size, "is %s %s, not %s %s", dtype_name(got_->dtype),
                 shape_text(&got_shape, shapes[0]), dtype_name(wanted_->dtype),
                 shape_text(&wanted_shape, shapes[1]));
        return false;
    }
    if (exactly) {
        const size_t bytes = bytes_of_tensor(wanted_);
        snprintf(text, size, "has other bits than on one thread");
        return !bytes || memcmp(got_->data, wanted_->data, bytes) == 0;
    }
    double largest = 1;
    for (int64_t i = 0; i < strider_tensor_elements(wanted_); i++)
        if (isfinite(tensor_get_f64(&wanted, i)))
            largest = fmax(largest, fabs(tensor_get_f64(&wanted, i)));
    for (int64_t i = 0; i < strider_tensor_elements(wanted_); i++)
        if (!same_element(&got, &wanted, i, c->tolerance * largest)) {
            snprintf(text, size, "element %lld of %s %s is %.9g, not %.9g (largest %.3g)", (long long)i,
                     dtype_name(got_->dtype), shape_text(&got_shape, shapes[0]), tensor_get_f64(&got, i),
                     tensor_get_f64(&wanted, i), largest);
            return false;
        }
    return true;
}

static void compare(Case *c, const Way *way, const Outcome *got, const Outcome *wanted, bool exactly) {
    char text[1500], part[600];
    for (size_t i = 0; i < c->n_given; i++) {
        /* Sizes that the model leaves open and that do not fit: who removes a node does not hear it complain.
         */
        const bool may_accept = i > 0 && wanted[i].status == STRIDER_BAD_MODEL && way->optimize;
        n_accepted += may_accept && !got[i].status;
        if (!got[i].status != !wanted[i].status && !may_accept) {
            snprintf(text, sizeof text, "%s: %s; else %s: %s", strider_status_name(got[i].status),
                     got[i].error.message, strider_status_name(wanted[i].status), wanted[i].error.message);
            defect(c, way, i, text);
        }
        for (size_t k = 0; k < c->graph.n_outputs && !got[i].status && !wanted[i].status; k++)
            if (!agrees(c, &got[i].outputs[k], &wanted[i].outputs[k], exactly, part, sizeof part)) {
                snprintf(text, sizeof text, "output %zu %s", k, part);
                defect(c, way, i, text);
            }
    }
}

static void check_way(Case *c, Way way, const strider_model *model, const Outcome *wanted) {
    Outcome *outcomes = calloc(2 * MAX_GIVEN, sizeof *outcomes);
    if (!outcomes)
        abort();
    const int threads = way.threads;
    way.threads = 1;
    run_way(c, &way, model, outcomes);
    compare(c, &way, outcomes, wanted, false);
    if (threads > 1) {
        way.threads = threads;
        run_way(c, &way, model, outcomes + MAX_GIVEN);
        compare(c, &way, outcomes + MAX_GIVEN, outcomes, true);
        free_outcomes(c, outcomes + MAX_GIVEN);
    }
    free_outcomes(c, outcomes);
    free(outcomes);
}

static strider_status load(const Case *c, bool optimize, strider_model **model, strider_error *error) {
    strider_load_options options = strider_load_options_default();
    options.optimize = optimize;
    return strider_model_load_memory(c->graph.model.data, c->graph.model.size, NULL, &options, model, error);
}

/* Each way has a model of its own, so that none finds what another one packed. */
static void check_loaded(Case *c, Way way, const Outcome *wanted) {
    strider_model *model;
    strider_error error;
    if (load(c, way.optimize, &model, &error)) {
        defect(c, &way, 0, error.message);
        return;
    }
    check_way(c, way, model, wanted);
    strider_model_free(model);
}

static void refused(const Case *c, const strider_error *error) {
    n_refused++;
    if (getenv("SHOW_REFUSED"))
        printf("seed %llu: %s\n", (unsigned long long)c->seed, error->message);
}

static void check_case(Case *c) {
    strider_model *plain = NULL, *optimized = NULL;
    strider_error error;
    const Way oracle = {
        .name = "plain on references", .reference = true, .target = cpu_target(), .threads = 1};
    if (load(c, false, &plain, &error)) {
        refused(c, &error);
        if (!load(c, true, &optimized, &error))
            defect(c, &oracle, 0, error.message);
        strider_model_free(optimized);
        return;
    }
    Outcome *wanted = calloc(MAX_GIVEN, sizeof *wanted);
    if (!wanted)
        abort();
    run_way(c, &oracle, plain, wanted);
    if (wanted[0].status)
        refused(c, &wanted[0].error);
    check_loaded(c, (Way){"optimised on references", true, true, cpu_target(), 1}, wanted);
    check_loaded(c, (Way){"plain", false, false, cpu_target(), 1}, wanted);
    for (int i = 0; i < CPU_TARGET_COUNT; i++)
        if (cpu_target_runs(&cpu_targets[i]))
            check_loaded(
                c, (Way){"optimised", true, false, &cpu_targets[i], (int)((c->seed + (unsigned)i) % 3) + 1},
                wanted);
    free_outcomes(c, wanted);
    free(wanted);
    strider_model_free(plain);
}

int main(int argc, char **argv) {
    if (argc < 2 || argc > 3)
        return 2;
    const uint64_t count = strtoull(argv[1], NULL, 10), first = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    uint64_t done = 0;
    for (; done < count && n_defects < MAX_DEFECTS; done++) {
        static Case c;
        make_case(&c, first + done);
        if (c.graph.n_outputs && c.graph.n_outputs <= MAX_OUTPUTS)
            check_case(&c);
        free_case(&c);
    }
    printf(
        "%llu graphs, %llu of them refused; %llu runs, %llu of them on sizes that only the optimised graph "
        "takes; %d graphs differ\n",
        (unsigned long long)done, (unsigned long long)n_refused, (unsigned long long)n_runs,
        (unsigned long long)n_accepted, n_defects);
    return n_defects ? 1 : 0;
}
