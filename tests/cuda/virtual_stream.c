/* SPDX-License-Identifier: Apache-2.0 */
/* libcudart of the virtual device: streams, and what is queued in them. */
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "virtual_inside.h"

typedef struct Work {
    struct Work *next;
    void (*run)(void *context);
    void *context;
} Work;

struct CUstream_st {
    struct CUstream_st *next;
    Work *first, **last;
    struct CUgraph_st *capture; /* what work goes into instead; NULL: it is queued */
    bool is_live;
};

/* Of both kinds of handles: a graph is instantiated by handing its work over. */
struct CUgraph_st {
    Work *first, **last;
    bool is_spoilt; /* by a call that is illegal while a stream is captured */
};

struct CUevent_st {
    cudaStream_t stream; /* that it was recorded in */
    double time_us;      /* NaN: not reached yet */
};

static struct CUstream_st *streams;
/* Of the device: work takes what virtual_spend() says, whatever the host's clock does. */
static double clock_us;

long virtual_graph_launches(void) {
    return virtual_counts.graph_launches;
}

long virtual_synchronizations(void) {
    return virtual_counts.synchronizations;
}

/* What CUDA forbids while this thread captures a stream: the capture is lost. */
bool virtual_is_illegal_in_capture(const char *call) {
    bool illegal = false;
    for (struct CUstream_st *s = streams; s; s = s->next)
        if (s->is_live && s->capture)
            illegal = s->capture->is_spoilt = true;
    if (illegal)
        virtual_error("%s while a stream is captured", call);
    return illegal;
}

/* --- streams --- */

bool virtual_is_stream(cudaStream_t stream) {
    for (const struct CUstream_st *s = streams; s; s = s->next)
        if (s == stream && s->is_live)
            return true;
    virtual_error("%p is no stream", (void *)stream);
    return false;
}

void virtual_enqueue(cudaStream_t stream, void (*run)(void *context), void *context) {
    Work *work = calloc(1, sizeof *work);
    *work = (Work){.run = run, .context = context};
    pthread_mutex_lock(&virtual_lock);
    Work ***last = stream->capture ? &stream->capture->last : &stream->last;
    **last = work;
    *last = &work->next;
    pthread_mutex_unlock(&virtual_lock);
}

void virtual_spend(double time_us) {
    clock_us += time_us;
}

static void free_work(Work *work) {
    for (Work *next; work; work = next) {
        next = work->next;
        free(work->context);
        free(work);
    }
}

/* Without running it: a device that has failed does nothing more. */
static void drop_work(cudaStream_t stream) {
    free_work(stream->first);
    stream->first = NULL;
    stream->last = &stream->first;
}

static void run_stream(cudaStream_t stream) {
    if (!stream->first)
        return;
    virtual_enter();
    for (const Work *work = stream->first; work; work = work->next) {
        work->run(work->context);
        virtual_counts.works++;
    }
    virtual_leave();
    drop_work(stream);
}

void virtual_run_all(void) {
    for (struct CUstream_st *s = streams; s; s = s->next)
        run_stream(s);
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned flags) {
    FAIL_IF_ASKED(cudaStreamCreateWithFlags);
    (void)flags;
    struct CUstream_st *made = calloc(1, sizeof *made);
    made->last = &made->first;
    made->is_live = true;
    made->next = streams;
    streams = made;
    virtual_object("stream", 1);
    *stream = made;
    return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
    if (!virtual_is_stream(stream))
        return virtual_result(cudaErrorInvalidResourceHandle);
    NOT_IN_CAPTURE(cudaStreamSynchronize);
    virtual_counts.synchronizations++;
    if (virtual_must_skip("cudaStreamSynchronize"))
        return cudaSuccess;
    if (virtual_must_fail("cudaStreamSynchronize")) {
        drop_work(stream);
        return virtual_result(cudaErrorUnknown);
    }
    pthread_mutex_lock(&virtual_lock);
    run_stream(stream);
    pthread_mutex_unlock(&virtual_lock);
    return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
    if (!virtual_is_stream(stream))
        return virtual_result(cudaErrorInvalidResourceHandle);
    if (stream->first)
        virtual_error("a stream is destroyed that has work");
    stream->is_live = false;
    virtual_object("stream", -1);
    return cudaSuccess;
}

/* --- copies --- */

typedef struct Copy {
    void *to;
    const void *from; /* NULL: `staged` */
    size_t size_bytes;
    char staged[];
} Copy;

static void run_copy(void *context) {
    const Copy *copy = context;
    virtual_spend(5 + (double)copy->size_bytes * 1e-4);
    memcpy(copy->to, copy->from ? copy->from : copy->staged, copy->size_bytes);
}

/* What a download will write: nobody may read it before it is known to be done. */
static void forget_download(const Copy *copy) {
    if (!virtual_is_device(copy->to))
        memset(copy->to, 0xff, copy->size_bytes);
}

/* From memory that is not pinned an upload has read when it returns; from pinned memory it reads when its
 * turn comes.  A download might be done when this returns, but only synchronizing promises it, so that its
 * memory is filled with NaN until then. */
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t size_bytes, enum cudaMemcpyKind kind,
                            cudaStream_t stream) {
    FAIL_IF_ASKED(cudaMemcpyAsync);
    const bool up = kind == cudaMemcpyHostToDevice, down = kind == cudaMemcpyDeviceToHost;
    if (!virtual_is_stream(stream))
        return virtual_result(cudaErrorInvalidResourceHandle);
    if (virtual_is_device(to) == down || virtual_is_device(from) == up || kind > cudaMemcpyDeviceToDevice) {
        virtual_error("cudaMemcpyAsync: the kind %d is not that of the pointers", kind);
        return virtual_result(cudaErrorInvalidMemcpyDirection);
    }
    if ((!down && !virtual_check(to, size_bytes, "cudaMemcpyAsync")) ||
        (!up && !virtual_check(from, size_bytes, "cudaMemcpyAsync")))
        return virtual_result(cudaErrorInvalidValue);
    const bool pinned = virtual_is_pinned(up ? from : to, size_bytes), staged = up && !pinned;
    if (!pinned && (up || down))
        NOT_IN_CAPTURE(cudaMemcpyAsync of memory that is not pinned);
    Copy *copy = calloc(1, sizeof *copy + (staged ? size_bytes : 0));
    *copy = (Copy){.to = to, .from = staged ? NULL : from, .size_bytes = size_bytes};
    if (staged)
        memcpy(copy->staged, from, size_bytes);
    forget_download(copy);
    virtual_enqueue(stream, run_copy, copy);
    return cudaSuccess;
}

/* --- events --- */

cudaError_t cudaEventCreate(cudaEvent_t *event) {
    FAIL_IF_ASKED(cudaEventCreate);
    *event = calloc(1, sizeof **event);
    virtual_object("event", 1);
    return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
    free(event);
    virtual_object("event", -1);
    return cudaSuccess;
}

static void run_event(void *context) {
    cudaEvent_t event = *(cudaEvent_t *)context;
    event->time_us = clock_us;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
    FAIL_IF_ASKED(cudaEventRecord);
    if (!virtual_is_stream(stream))
        return virtual_result(cudaErrorInvalidResourceHandle);
    cudaEvent_t *context = malloc(sizeof *context);
    *context = event;
    event->stream = stream;
    event->time_us = NAN;
    virtual_enqueue(stream, run_event, context);
    return cudaSuccess;
}

cudaError_t cudaEventElapsedTime(float *time_ms, cudaEvent_t first, cudaEvent_t second) {
    if (!first->stream || !second->stream)
        return virtual_result(cudaErrorInvalidResourceHandle);
    if (isnan(first->time_us) || isnan(second->time_us))
        return cudaErrorNotReady;
    *time_ms = (float)((second->time_us - first->time_us) * 1e-3);
    return cudaSuccess;
}

/* --- graphs --- */

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, enum cudaStreamCaptureMode mode) {
    FAIL_IF_ASKED(cudaStreamBeginCapture);
    NOT_IN_CAPTURE(cudaStreamBeginCapture);
    if (!virtual_is_stream(stream))
        return virtual_result(cudaErrorInvalidResourceHandle);
    if (mode != cudaStreamCaptureModeThreadLocal)
        virtual_error("a capture that forbids other threads' calls");
    stream->capture = calloc(1, sizeof *stream->capture);
    stream->capture->last = &stream->capture->first;
    virtual_object("graph", 1);
    return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph) {
    *graph = NULL;
    if (!virtual_is_stream(stream) || !stream->capture) {
        virtual_error("the end of a capture that was not begun");
        return virtual_result(cudaErrorIllegalState);
    }
    struct CUgraph_st *made = stream->capture;
    stream->capture = NULL;
    if (made->is_spoilt || virtual_must_fail("cudaStreamEndCapture")) {
        cudaGraphDestroy(made);
        return virtual_result(cudaErrorStreamCaptureInvalidated);
    }
    *graph = made;
    return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
    free_work(graph->first);
    free(graph);
    virtual_object("graph", -1);
    return cudaSuccess;
}

/* Takes the work out of the graph, which CUDA copies. */
cudaError_t cudaGraphInstantiate(cudaGraphExec_t *made, cudaGraph_t graph, unsigned long long flags) {
    FAIL_IF_ASKED(cudaGraphInstantiate);
    NOT_IN_CAPTURE(cudaGraphInstantiate);
    (void)flags;
    struct CUgraph_st *copy = calloc(1, sizeof *copy);
    copy->first = graph->first;
    graph->first = NULL;
    virtual_object("instantiated graph", 1);
    *made = (cudaGraphExec_t)copy;
    return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t graph) {
    pthread_mutex_lock(&virtual_lock);
    virtual_run_all();
    pthread_mutex_unlock(&virtual_lock);
    free_work(((struct CUgraph_st *)graph)->first);
    free(graph);
    virtual_object("instantiated graph", -1);
    return cudaSuccess;
}

static void run_graph(void *context) {
    const struct CUgraph_st *graph = *(struct CUgraph_st **)context;
    for (const Work *work = graph->first; work; work = work->next)
        work->run(work->context);
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t graph, cudaStream_t stream) {
    FAIL_IF_ASKED(cudaGraphLaunch);
    NOT_IN_CAPTURE(cudaGraphLaunch);
    if (!virtual_is_stream(stream))
        return virtual_result(cudaErrorInvalidResourceHandle);
    struct CUgraph_st **context = malloc(sizeof *context);
    *context = (struct CUgraph_st *)graph;
    for (const Work *work = (*context)->first; work; work = work->next)
        if (work->run == run_copy)
            forget_download(work->context);
    virtual_counts.graph_launches++;
    virtual_enqueue(stream, run_graph, context);
    return cudaSuccess;
}
