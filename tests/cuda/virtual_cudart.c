/* SPDX-License-Identifier: Apache-2.0 */
/* libcudart of the virtual device: see virtual_device.h. */
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "virtual_device.h"

#define ARENA_BYTES ((size_t)16 << 30)
enum {
    PAGE = 4096,
    ALIGNMENT = 256,
    CANARY = 0xa5,
    STATUS_MISUSE = 86,
    STATUS_FAULT = 97,
    MOST_FUNCTIONS = 256
};

typedef struct Allocation {
    struct Allocation *next;
    char *pages, *memory;
    size_t pages_bytes, size_bytes;
    bool is_live;
} Allocation;

typedef struct Work {
    struct Work *next;
    void (*run)(void *context);
    void *context;
} Work;

struct CUstream_st {
    struct CUstream_st *next;
    Work *first, **last;
    bool is_live;
};

static struct {
    pthread_mutex_t lock;
    char *arena;
    size_t used_bytes, live_bytes;
    Allocation *allocations;
    struct CUstream_st *streams;
    int objects, errors, in_device;
    long launches, works, allocated;
    cudaError_t last_error;
} state = {.lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP};

static struct {
    const void *host;
    const char *name;
} functions[MOST_FUNCTIONS];
static int n_functions;

/* --- settings, errors
 * --------------------------------------------------------------------------------------------- */

long virtual_setting(const char *name, long otherwise) {
    const char *text = getenv(name);
    return text ? strtol(text, NULL, 10) : otherwise;
}

bool virtual_must_fail(const char *call) {
    static int count;
    const char *wanted = getenv("VCUDA_FAIL");
    const size_t length = strlen(call);
    return wanted && strncmp(wanted, call, length) == 0 && wanted[length] == ':' &&
           atoi(wanted + length + 1) == ++count;
}

void virtual_error(const char *format, ...) {
    va_list args;
    va_start(args, format);
    fputs("virtual device: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    state.errors++;
}

void virtual_object(const char *kind, int change) {
    (void)kind;
    __atomic_add_fetch(&state.objects, change, __ATOMIC_RELAXED);
}

static cudaError_t result(cudaError_t error) {
    if (error)
        state.last_error = error;
    return error;
}

#define FAIL_IF_ASKED(CALL)                                                                                  \
    if (virtual_must_fail(#CALL))                                                                            \
    return result(cudaErrorUnknown)

static void report(void) {
    for (const Allocation *a = state.allocations; a; a = a->next)
        if (a->is_live)
            virtual_error("%zu bytes of device memory were not freed", a->size_bytes);
    if (state.objects)
        virtual_error("%d handles, streams or descriptors were not destroyed", state.objects);
    if (getenv("VCUDA_LOG"))
        fprintf(stderr,
                "virtual device: %ld allocations, %ld pieces of work, %ld kernel launches, %d errors\n",
                state.allocated, state.works, state.launches, state.errors);
    if (state.errors) {
        fflush(NULL);
        _exit(STATUS_MISUSE);
    }
}

static void on_fault(int signal_number, siginfo_t *info, void *context) {
    (void)context;
    const char *at = info->si_addr;
    if (at >= state.arena && at < state.arena + ARENA_BYTES) {
        fprintf(stderr, "virtual device: %s %p\n",
                state.in_device ? "device code out of bounds at" : "the host touched device memory at",
                info->si_addr);
        for (const Allocation *a = state.allocations; a; a = a->next)
            if (at >= a->pages - PAGE && at < a->pages + a->pages_bytes + PAGE)
                fprintf(stderr, "virtual device: offset %td of an allocation of %zu bytes%s\n",
                        at - a->memory, a->size_bytes, a->is_live ? "" : ", freed");
        _exit(STATUS_FAULT);
    }
    signal(signal_number, SIG_DFL);
}

__attribute__((constructor)) static void start(void) {
    state.arena = mmap(NULL, ARENA_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    state.used_bytes = PAGE;
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &action, NULL);
    atexit(report);
}

/* --- memory
 * ------------------------------------------------------------------------------------------------------ */

static void protect(const Allocation *a, int protection) {
    mprotect(a->pages, a->pages_bytes, protection);
}

static void enter_device(void) {
    if (state.in_device++ == 0)
        for (const Allocation *a = state.allocations; a; a = a->next)
            if (a->is_live)
                protect(a, PROT_READ | PROT_WRITE);
}

/* With AddressSanitizer also reads of what lies around an allocation on its pages are seen. */
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#define UNCHECKED __attribute__((no_sanitize_address))
#else
#define ASAN_POISON_MEMORY_REGION(MEMORY, SIZE) ((void)(MEMORY), (void)(SIZE))
#define UNCHECKED
#endif

static UNCHECKED void check_canary(const Allocation *a) {
    for (const char *at = a->memory + a->size_bytes; at < a->pages + a->pages_bytes; at++)
        if ((unsigned char)*at != CANARY) {
            virtual_error("a write %td bytes behind an allocation of %zu bytes",
                          at - a->memory - (ptrdiff_t)a->size_bytes, a->size_bytes);
            return;
        }
}

static void leave_device(void) {
    if (--state.in_device == 0)
        for (const Allocation *a = state.allocations; a; a = a->next)
            if (a->is_live) {
                check_canary(a);
                protect(a, PROT_NONE);
            }
}

static bool is_device(const void *memory) {
    return (const char *)memory >= state.arena && (const char *)memory < state.arena + ARENA_BYTES;
}

static Allocation *find(const void *memory) {
    for (Allocation *a = state.allocations; a; a = a->next)
        if ((const char *)memory >= a->memory && (const char *)memory < a->memory + a->size_bytes)
            return a;
    return NULL;
}

bool virtual_check(const void *memory, size_t size_bytes, const char *who) {
    const Allocation *a = find(memory);
    if (!is_device(memory) || !a)
        virtual_error("%s: %p is no memory of the device", who, memory);
    else if (!a->is_live)
        virtual_error("%s: %p was freed", who, memory);
    else if ((const char *)memory + size_bytes > a->memory + a->size_bytes)
        virtual_error("%s: %zu bytes at %p, where %td are left", who, size_bytes, memory,
                      a->memory + a->size_bytes - (const char *)memory);
    else
        return true;
    return false;
}

cudaError_t cudaMalloc(void **memory, size_t size_bytes) {
    if (virtual_must_fail("cudaMalloc"))
        return result(cudaErrorMemoryAllocation);
    const size_t aligned = (size_bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    const size_t pages_bytes = (aligned + PAGE - 1) / PAGE * PAGE;
    const size_t limit = (size_t)virtual_setting("VCUDA_MEMORY", (long)ARENA_BYTES);
    Allocation *a = calloc(1, sizeof *a);
    pthread_mutex_lock(&state.lock);
    const bool fits =
        a && state.live_bytes + size_bytes <= limit && state.used_bytes + pages_bytes + PAGE <= ARENA_BYTES;
    if (fits) {
        *a = (Allocation){.next = state.allocations,
                          .pages = state.arena + state.used_bytes,
                          .pages_bytes = pages_bytes,
                          .size_bytes = size_bytes,
                          .is_live = true};
        a->memory = a->pages + pages_bytes - aligned;
        protect(a, PROT_READ | PROT_WRITE);
        memset(a->pages, 0xff, pages_bytes);
        memset(a->memory + size_bytes, CANARY, aligned - size_bytes);
        ASAN_POISON_MEMORY_REGION(a->pages, (size_t)(a->memory - a->pages));
        ASAN_POISON_MEMORY_REGION(a->memory + size_bytes, aligned - size_bytes);
        protect(a, PROT_NONE);
        state.used_bytes += pages_bytes + PAGE;
        state.live_bytes += size_bytes;
        state.allocations = a;
        state.allocated++;
        *memory = a->memory;
    } else {
        free(a);
    }
    pthread_mutex_unlock(&state.lock);
    return fits ? cudaSuccess : result(cudaErrorMemoryAllocation);
}

static void run_all(void);

cudaError_t cudaFree(void *memory) {
    if (!memory)
        return cudaSuccess;
    pthread_mutex_lock(&state.lock);
    run_all(); /* as cudaFree() waits for the device */
    Allocation *a = find(memory);
    const bool good = a && a->memory == memory && a->is_live;
    if (good) {
        a->is_live = false;
        state.live_bytes -= a->size_bytes;
        protect(a, PROT_NONE);
        madvise(a->pages, a->pages_bytes, MADV_DONTNEED);
    } else {
        virtual_error("cudaFree(%p): %s", memory,
                      a ? "freed before, or no beginning" : "no memory of the device");
    }
    pthread_mutex_unlock(&state.lock);
    return good ? cudaSuccess : result(cudaErrorInvalidValue);
}

cudaError_t cudaMemGetInfo(size_t *free_bytes, size_t *total_bytes) {
    *total_bytes = (size_t)virtual_setting("VCUDA_MEMORY", (long)ARENA_BYTES);
    *free_bytes = *total_bytes - state.live_bytes;
    return cudaSuccess;
}

/* --- streams
 * ----------------------------------------------------------------------------------------------------- */

bool virtual_is_stream(cudaStream_t stream) {
    for (const struct CUstream_st *s = state.streams; s; s = s->next)
        if (s == stream && s->is_live)
            return true;
    virtual_error("%p is no stream", (void *)stream);
    return false;
}

void virtual_enqueue(cudaStream_t stream, void (*run)(void *context), void *context) {
    Work *work = calloc(1, sizeof *work);
    *work = (Work){.run = run, .context = context};
    pthread_mutex_lock(&state.lock);
    *stream->last = work;
    stream->last = &work->next;
    pthread_mutex_unlock(&state.lock);
}

/* Without running it: a device that has failed does nothing more. */
static void drop_work(cudaStream_t stream) {
    for (Work *work = stream->first, *next; work; work = next) {
        next = work->next;
        free(work->context);
        free(work);
    }
    stream->first = NULL;
    stream->last = &stream->first;
}

static void run_stream(cudaStream_t stream) {
    if (!stream->first)
        return;
    enter_device();
    for (const Work *work = stream->first; work; work = work->next) {
        work->run(work->context);
        state.works++;
    }
    leave_device();
    drop_work(stream);
}

static void run_all(void) {
    for (struct CUstream_st *s = state.streams; s; s = s->next)
        run_stream(s);
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned flags) {
    FAIL_IF_ASKED(cudaStreamCreateWithFlags);
    (void)flags;
    struct CUstream_st *made = calloc(1, sizeof *made);
    made->last = &made->first;
    made->is_live = true;
    made->next = state.streams;
    state.streams = made;
    virtual_object("stream", 1);
    *stream = made;
    return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
    if (!virtual_is_stream(stream))
        return result(cudaErrorInvalidResourceHandle);
    if (virtual_must_fail("cudaStreamSynchronize")) {
        drop_work(stream);
        return result(cudaErrorUnknown);
    }
    pthread_mutex_lock(&state.lock);
    run_stream(stream);
    pthread_mutex_unlock(&state.lock);
    return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
    if (!virtual_is_stream(stream))
        return result(cudaErrorInvalidResourceHandle);
    if (stream->first)
        virtual_error("a stream is destroyed that has work");
    stream->is_live = false;
    virtual_object("stream", -1);
    return cudaSuccess;
}

/* --- copies
 * ------------------------------------------------------------------------------------------------------ */

typedef struct Copy {
    void *to;
    const void *from; /* NULL: `staged` */
    size_t size_bytes;
    char staged[];
} Copy;

static void run_copy(void *context) {
    const Copy *copy = context;
    memcpy(copy->to, copy->from ? copy->from : copy->staged, copy->size_bytes);
}

/* Host memory is taken as not pinned: an upload has read it when it returns; a download might be done by
 * then, but only synchronizing promises it, so that it is filled with NaN until then. */
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t size_bytes, enum cudaMemcpyKind kind,
                            cudaStream_t stream) {
    FAIL_IF_ASKED(cudaMemcpyAsync);
    const bool up = kind == cudaMemcpyHostToDevice, down = kind == cudaMemcpyDeviceToHost;
    if (!virtual_is_stream(stream))
        return result(cudaErrorInvalidResourceHandle);
    if (is_device(to) == down || is_device(from) == up || kind > cudaMemcpyDeviceToDevice) {
        virtual_error("cudaMemcpyAsync: the kind %d is not that of the pointers", kind);
        return result(cudaErrorInvalidMemcpyDirection);
    }
    if ((!down && !virtual_check(to, size_bytes, "cudaMemcpyAsync")) ||
        (!up && !virtual_check(from, size_bytes, "cudaMemcpyAsync")))
        return result(cudaErrorInvalidValue);
    Copy *copy = calloc(1, sizeof *copy + (up ? size_bytes : 0));
    *copy = (Copy){.to = to, .from = up ? NULL : from, .size_bytes = size_bytes};
    if (up)
        memcpy(copy->staged, from, size_bytes);
    if (down)
        memset(to, 0xff, size_bytes);
    virtual_enqueue(stream, run_copy, copy);
    return cudaSuccess;
}

/* --- kernels
 * ----------------------------------------------------------------------------------------------------- */

typedef struct LaunchWork {
    const struct VirtualKernelRow *row;
    dim3 grid, block;
    _Alignas(16) char args[];
} LaunchWork;

static void run_launch(void *context) {
    const LaunchWork *launch = context;
    virtual_kernel_run(launch->row, launch->args, launch->grid, launch->block);
}

cudaError_t cudaLaunchKernel(const void *function, dim3 grid, dim3 block, void **args, size_t shared_bytes,
                             cudaStream_t stream) {
    FAIL_IF_ASKED(cudaLaunchKernel);
    const char *name = "?";
    size_t args_bytes;
    (void)shared_bytes;
    for (int i = 0; i < n_functions; i++)
        if (functions[i].host == function)
            name = functions[i].name;
    const struct VirtualKernelRow *row = virtual_kernel_find(name, &args_bytes);
    if (!row) {
        virtual_error("a launch of %s, which has no host build or was not registered", name);
        return result(cudaErrorInvalidDeviceFunction);
    }
    if (!virtual_is_stream(stream))
        return result(cudaErrorInvalidResourceHandle);
    if (!grid.x || grid.x > INT32_MAX || grid.y != 1 || grid.z != 1 || !block.x || block.x > 1024 ||
        block.y != 1 || block.z != 1) {
        virtual_error("%s: a grid of %u x %u x %u, blocks of %u x %u x %u", name, grid.x, grid.y, grid.z,
                      block.x, block.y, block.z);
        return result(cudaErrorInvalidConfiguration);
    }
    LaunchWork *launch = aligned_alloc(16, (sizeof *launch + args_bytes + 15) / 16 * 16);
    *launch = (LaunchWork){.row = row, .grid = grid, .block = block};
    memcpy(launch->args, args[0], args_bytes);
    state.launches++;
    virtual_enqueue(stream, run_launch, launch);
    return cudaSuccess;
}

/* What the code that nvcc generates calls when it is loaded, and in its host stubs, which nobody calls. */
EXPORTED void **__cudaRegisterFatBinary(void *binary);
EXPORTED void __cudaRegisterFatBinaryEnd(void **handle);
EXPORTED void __cudaUnregisterFatBinary(void **handle);
EXPORTED void __cudaRegisterFunction(void **handle, const char *host, char *device, const char *name,
                                     int limit, void *thread, void *block, void *block_dim, void *grid_dim,
                                     int *warp);
EXPORTED cudaError_t __cudaGetKernel(cudaKernel_t *kernel, const void *function);
EXPORTED cudaError_t __cudaLaunchKernel(cudaKernel_t kernel, dim3 grid, dim3 block, void **args,
                                        size_t shared_bytes, cudaStream_t stream);
EXPORTED unsigned __cudaPopCallConfiguration(dim3 *grid, dim3 *block, size_t *shared_bytes, void *stream);

void **__cudaRegisterFatBinary(void *binary) {
    static void *handle;
    (void)binary;
    return &handle;
}

void __cudaRegisterFatBinaryEnd(void **handle) {
    (void)handle;
}

void __cudaUnregisterFatBinary(void **handle) {
    (void)handle;
}

void __cudaRegisterFunction(void **handle, const char *host, char *device, const char *name, int limit,
                            void *thread, void *block, void *block_dim, void *grid_dim, int *warp) {
    (void)handle, (void)device, (void)limit, (void)thread, (void)block, (void)block_dim, (void)grid_dim,
        (void)warp;
    functions[n_functions].host = host;
    functions[n_functions++].name = name;
}

cudaError_t __cudaGetKernel(cudaKernel_t *kernel, const void *function) {
    *kernel = (cudaKernel_t)function;
    return cudaSuccess;
}

cudaError_t __cudaLaunchKernel(cudaKernel_t kernel, dim3 grid, dim3 block, void **args, size_t shared_bytes,
                               cudaStream_t stream) {
    return cudaLaunchKernel((const void *)kernel, grid, block, args, shared_bytes, stream);
}

unsigned __cudaPopCallConfiguration(dim3 *grid, dim3 *block, size_t *shared_bytes, void *stream) {
    (void)grid, (void)block, (void)shared_bytes, (void)stream;
    return 1;
}

/* --- the device
 * -------------------------------------------------------------------------------------------------- */

cudaError_t cudaDriverGetVersion(int *version) {
    *version = (int)virtual_setting("VCUDA_DRIVER", CUDART_VERSION);
    return cudaSuccess;
}

cudaError_t cudaGetDeviceCount(int *count) {
    *count = (int)virtual_setting("VCUDA_DEVICES", 1);
    return *count ? cudaSuccess : result(cudaErrorNoDevice);
}

cudaError_t cudaSetDevice(int ordinal) {
    return ordinal < virtual_setting("VCUDA_DEVICES", 1) ? cudaSuccess : result(cudaErrorInvalidDevice);
}

cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *properties, int ordinal) {
    const int capability = (int)virtual_setting("VCUDA_CAPABILITY", 80);
    (void)ordinal;
    memset(properties, 0, sizeof *properties);
    strcpy(properties->name, "virtual device");
    properties->major = capability / 10;
    properties->minor = capability % 10;
    properties->totalGlobalMem = (size_t)virtual_setting("VCUDA_MEMORY", (long)ARENA_BYTES);
    return cudaSuccess;
}

cudaError_t cudaGetLastError(void) {
    const cudaError_t last = state.last_error;
    state.last_error = cudaSuccess;
    return last;
}

const char *cudaGetErrorString(cudaError_t error) {
    switch (error) {
    case cudaSuccess:
        return "no error";
    case cudaErrorMemoryAllocation:
        return "out of memory";
    case cudaErrorNoDevice:
        return "no CUDA-capable device is detected";
    default:
        return "an error of the virtual device";
    }
}
