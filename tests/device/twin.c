/* SPDX-License-Identifier: Apache-2.0 */
/* "twin": a device for tests, a second CPU whose memory is separate, in a module of its own.  It computes by
 * the operators' references, and is as strict as a device can be: its memory may only be touched while its
 * work runs, its work runs as late as it may (in synchronize()), and new memory is full of NaN.
 * $TWIN_FAIL=CALL:N lets the Nth call of reserve, upload, download, submit, synchronize or a hook of
 * recordings fail, $TWIN_MEMORY limits its bytes, and $TWIN_SPOIL=NAME lets it compute one element of the
 * node of that name wrong. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "graph/evaluate.h"
#include "twin.h"

/* --- failures --- */

bool twin_must_fail(const char *call) {
    static int count; /* since the variable was set */
    const char *wanted = getenv("TWIN_FAIL");
    const size_t length = strlen(call);
    if (!wanted)
        count = 0;
    else if (strncmp(wanted, call, length) == 0 && wanted[length] == ':')
        return atoi(wanted + length + 1) == ++count;
    return false;
}

/* --- memory --- */

static size_t page_round(size_t size_bytes) {
    return (size_bytes + 4095) & ~(size_t)4095;
}

static Status twin_reserve(Device *device, size_t size_bytes, void **memory, Error *err) {
    Twin *twin = (Twin *)device;
    const char *limit = getenv("TWIN_MEMORY");
    FAIL_IF_ASKED("reserve");
    device->was_full = limit && twin->used_bytes + size_bytes > strtoull(limit, NULL, 10);
    if (device->was_full)
        return fail(err, STRIDER_OUT_OF_MEMORY, "device twin: out of memory: %zu bytes", size_bytes);
    Block *block = malloc(sizeof *block);
    void *taken =
        mmap(NULL, page_round(size_bytes + 1), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (!block || taken == MAP_FAILED)
        return fail_memory(err, size_bytes, "the device twin");
    memset(taken, 0xff, page_round(size_bytes + 1));
    mprotect(taken, page_round(size_bytes + 1), PROT_NONE);
    *block = (Block){.next = twin->blocks, .memory = taken, .size_bytes = page_round(size_bytes + 1)};
    twin->blocks = block;
    twin->used_bytes += size_bytes;
    *memory = taken;
    return STRIDER_OK;
}

static bool is_own(const Twin *twin, const void *memory, size_t size_bytes) {
    for (const Block *block = twin->blocks; block; block = block->next)
        if ((const char *)memory >= block->memory &&
            (const char *)memory + size_bytes <= block->memory + block->size_bytes)
            return true;
    return false;
}

/* --- work --- */

Job *twin_add_to(Queue *queue, size_t staged_bytes) {
    Job *job = calloc(1, sizeof *job + staged_bytes);
    if (job) {
        *queue->end = job;
        queue->end = &job->next;
    }
    return job;
}

/* Device.recording says where what is given now belongs. */
static Job *add_job(Twin *twin, size_t staged_bytes) {
    const Recording *recording = twin->device.recording;
    return twin_add_to(recording ? &((TwinRecording *)recording->data)->jobs : &twin->queue, staged_bytes);
}

static Status twin_upload(Device *device, void *to, const void *from, size_t size_bytes, Error *err) {
    Twin *twin = (Twin *)device;
    FAIL_IF_ASKED("upload");
    if (!is_own(twin, to, size_bytes) || is_own(twin, from, size_bytes))
        return fail(err, STRIDER_DEVICE_FAILED, "device twin: an upload from or to the wrong side");
    Job *job = NULL;
    if (twin_is_replaying(twin))
        TRY(twin_next_copy(twin, size_bytes, true, &job, err));
    else
        job = add_job(twin, size_bytes);
    if (!job)
        return fail_memory(err, size_bytes, "the device twin");
    job->to = to;
    job->size_bytes = size_bytes;
    memcpy(job->staged, from, size_bytes);
    return STRIDER_OK;
}

static Status twin_download(Device *device, void *to, const void *from, size_t size_bytes, Error *err) {
    Twin *twin = (Twin *)device;
    FAIL_IF_ASKED("download");
    if (!is_own(twin, from, size_bytes) || is_own(twin, to, size_bytes))
        return fail(err, STRIDER_DEVICE_FAILED, "device twin: a download from or to the wrong side");
    memset(to, 0xff, size_bytes); /* nobody may read it yet */
    Job *job = NULL;
    if (twin_is_replaying(twin))
        TRY(twin_next_copy(twin, size_bytes, false, &job, err));
    else
        job = add_job(twin, 0);
    if (!job)
        return fail_memory(err, size_bytes, "the device twin");
    job->to = to;
    job->from = from;
    job->size_bytes = size_bytes;
    return STRIDER_OK;
}

typedef struct NodeArgs {
    Twin *twin;
    const Node *node;
    ValueType *inputs, *outputs;
} NodeArgs;

static Status run_node(const Job *job, Error *err) {
    enum { MAX_PORTS = 64 };
    const NodeArgs *args = job->node;
    const Node *node = args->node;
    Tensor inputs[MAX_PORTS], outputs[MAX_PORTS] = {0};
    const Tensor *input_list[MAX_PORTS] = {0};
    for (int i = 0; i < node->n_inputs; i++)
        if (args->inputs[i].dtype) {
            inputs[i] = tensor_view(args->inputs[i].dtype, &args->inputs[i].shape, (void *)job->inputs[i]);
            input_list[i] = &inputs[i];
        }
    for (int i = 0; i < node->n_outputs; i++)
        if (args->outputs[i].dtype)
            outputs[i] = tensor_view(args->outputs[i].dtype, &args->outputs[i].shape, job->outputs[i]);
    TRY(node_evaluate(node, input_list, args->outputs, outputs, args->twin->device.allocator, err));
    const char *spoiled = getenv("TWIN_SPOIL");
    if (spoiled && node->name && strcmp(spoiled, node->name) == 0)
        tensor_set_f64(&outputs[0], 0, 2 * tensor_get_f64(&outputs[0], 0) + 100);
    return STRIDER_OK;
}

static void protect(const Twin *twin, int protection) {
    for (const Block *block = twin->blocks; block; block = block->next)
        mprotect(block->memory, block->size_bytes, protection);
}

/* After a failure nothing is computed any more, but copies are done, so that nobody reads NaN. */
static void run_job(const Job *job, Status *status, Error *err) {
    if (job->recording)
        for (const Job *part = job->recording->jobs.first; part; part = part->next)
            run_job(part, status, err);
    else if (!job->node)
        memcpy(job->to, job->from ? job->from : job->staged, job->size_bytes);
    else if (!*status)
        *status = run_node(job, err);
}

void twin_free_jobs(Queue *queue) {
    for (Job *job = queue->first, *next; job; job = next) {
        next = job->next;
        free(job);
    }
    *queue = (Queue){.end = &queue->first};
}

Status twin_run_jobs(Twin *twin, Error *err) {
    Status status = STRIDER_OK;
    protect(twin, PROT_READ | PROT_WRITE);
    for (const Job *job = twin->queue.first; job; job = job->next)
        run_job(job, &status, err);
    protect(twin, PROT_NONE);
    twin_free_jobs(&twin->queue);
    return status;
}

static Status twin_synchronize(Device *device, Error *err) {
    TRY(twin_run_jobs((Twin *)device, err));
    FAIL_IF_ASKED("synchronize");
    return STRIDER_OK;
}

static void twin_release(Device *device, void *memory) {
    Twin *twin = (Twin *)device;
    (void)twin_run_jobs(twin, NULL); /* which may use it */
    for (Block **at = &twin->blocks; *at; at = &(*at)->next)
        if ((*at)->memory == memory) {
            Block *block = *at;
            *at = block->next;
            munmap(block->memory, block->size_bytes);
            free(block);
            return;
        }
}

/* --- kernels --- */

static bool accepts(KernelQuery *query) {
    for (int i = 0; i < query->n_inputs + query->n_outputs; i++) {
        const Operand *operand =
            i < query->n_inputs ? &query->inputs[i] : &query->outputs[i - query->n_inputs];
        const Type *type = &operand->type;
        if (type->dtype && (type->dtype != STRIDER_F32 || operand->layout.kind != LAYOUT_PLAIN ||
                            shape_elements(&type->shape) == 0))
            return false;
    }
    return true;
}

static double cost(const KernelQuery *query) {
    (void)query;
    return 1;
}

static Status submit(const KernelCall *call, Error *err) {
    const NodeArgs *args = call->args;
    const Node *node = args->node;
    const size_t in_bytes = (size_t)node->n_inputs * sizeof(void *);
    FAIL_IF_ASKED("submit");
    Job *job = add_job(args->twin, in_bytes + (size_t)node->n_outputs * sizeof(void *));
    if (!job)
        return fail_memory(err, sizeof *job, "the device twin");
    job->node = args;
    job->inputs = (const void **)(void *)job->staged;
    job->outputs = (void **)(void *)(job->staged + in_bytes);
    memcpy(job->inputs, call->inputs, in_bytes);
    memcpy(job->outputs, call->outputs, (size_t)node->n_outputs * sizeof(void *));
    return STRIDER_OK;
}

static Status prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    NodeArgs *args = region_alloc(ctx->region, sizeof *args);
    ValueType *types =
        region_alloc_array(ctx->region, (size_t)(query->n_inputs + query->n_outputs), sizeof *types);
    if (!args || !types)
        return fail_memory(ctx->err, sizeof *args, "the plan");
    *args = (NodeArgs){.twin = (Twin *)ctx->device,
                       .node = query->node,
                       .inputs = types,
                       .outputs = types + query->n_inputs};
    for (int i = 0; i < query->n_inputs; i++)
        args->inputs[i] = value_type_tensor(query->inputs[i].type);
    for (int i = 0; i < query->n_outputs; i++)
        args->outputs[i] = value_type_tensor(query->outputs[i].type);
    *instance = (KernelInstance){.submit = submit, .tasks = 1, .args = args, .workspace_bytes = {1000}};
    return STRIDER_OK;
}

/* Not MaxPool and some others, so that values cross in both directions. */
#define OPS(ROW) ROW(Conv) ROW(Gemm) ROW(GlobalAveragePool) ROW(Relu) ROW(Add) ROW(Mul) ROW(Concat) ROW(Pad)

#define ROW(OP)                                                                                              \
    static const Kernel kernel_##OP = {                                                                      \
        .name = "twin_" #OP, .op = OP_##OP, .accepts = accepts, .cost = cost, .prepare = prepare};
OPS(ROW)
#undef ROW

static const Kernel *const kernels[] = {
#define ROW(OP) &kernel_##OP,
    OPS(ROW)
#undef ROW
};

/* --- the module --- */

/* A test builds it as a module of another build. */
#ifndef TWIN_BUILD
#define TWIN_BUILD device_build
#endif

static void twin_close(Device *device) {
    Twin *twin = (Twin *)device;
    (void)twin_synchronize(device, NULL);
    for (Block *block = twin->blocks; block; block = block->next)
        fprintf(stderr, "twin: %zu bytes were not released\n", block->size_bytes);
    if (twin->blocks)
        abort();
    free(twin);
}

static Status twin_describe(int ordinal, strider_device_info *info, int *count, Error *err) {
    (void)err;
    *count = 1;
    snprintf(info->name, sizeof info->name, "twin:%d", ordinal);
    return STRIDER_OK;
}

static Status twin_open(int ordinal, const DeviceOptions *options, Device **device, Error *err) {
    if (ordinal != 0)
        return fail(err, STRIDER_DEVICE_FAILED, "device twin:%d: there is one", ordinal);
    Twin *twin = calloc(1, sizeof *twin);
    if (!twin)
        return fail_memory(err, sizeof *twin, "the device twin");
    twin->queue.end = &twin->queue.first;
    twin->device = (Device){.name = "twin:0",
                            .alignment = 256,
                            .kernels = kernels,
                            .n_kernels = sizeof kernels / sizeof *kernels,
                            .allocator = options->allocator,
                            .reserve = twin_reserve,
                            .release = twin_release,
                            .upload = twin_upload,
                            .download = twin_download,
                            .synchronize = twin_synchronize,
                            .recording_hooks = &twin_recording_hooks,
                            .close = twin_close};
    *device = &twin->device;
    return STRIDER_OK;
}

const char *strider_device_build(void) {
    return TWIN_BUILD;
}

const DeviceModule *strider_device_module(void) {
    static const DeviceModule module = {.describe = twin_describe, .open = twin_open};
    return &module;
}
