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

#include "virtual_inside.h"

/* Addresses are never used again, so that there are more of these than memory, which a selftest fills. */
#define ARENA_BYTES ((size_t)16 << 30)
#define MEMORY_BYTES (2L << 30)
enum { PAGE = 4096, ALIGNMENT = 256, CANARY = 0xa5, STATUS_MISUSE = 86, STATUS_FAULT = 97 };

typedef struct Allocation {
    struct Allocation *next;
    char *pages, *memory;
    size_t pages_bytes, size_bytes;
    bool is_live;
} Allocation;

/* Pinned memory of the host. */
typedef struct Pinned {
    struct Pinned *next;
    char *memory;
    size_t size_bytes;
} Pinned;

static struct {
    char *arena;
    size_t used_bytes, live_bytes;
    Allocation *allocations;
    Pinned *pinned;
    int objects, errors, in_device;
    cudaError_t last_error;
} state;

pthread_mutex_t virtual_lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
VirtualCounts virtual_counts;

/* --- settings, errors --- */

long virtual_setting(const char *name, long otherwise) {
    const char *text = getenv(name);
    return text ? strtol(text, NULL, 10) : otherwise;
}

typedef struct Counter {
    char setting[60];
    int count;
} Counter;

/* Whether the variable is CALL, or CALL:N and this the Nth time since it was set to that. */
static bool is_nth(const char *variable, const char *call, Counter *counter) {
    const char *wanted = getenv(variable);
    const size_t length = strlen(call);
    if (strcmp(counter->setting, wanted ? wanted : "") != 0) {
        snprintf(counter->setting, sizeof counter->setting, "%s", wanted ? wanted : "");
        counter->count = 0;
    }
    if (!wanted || strncmp(wanted, call, length) != 0)
        return false;
    return !wanted[length] || (wanted[length] == ':' && atoi(wanted + length + 1) == ++counter->count);
}

bool virtual_must_fail(const char *call) {
    static Counter counter;
    return is_nth("VCUDA_FAIL", call, &counter);
}

bool virtual_must_skip(const char *call) {
    static Counter counter;
    return is_nth("VCUDA_SKIP", call, &counter);
}

void virtual_spoil(const char *name, float *result) {
    static Counter counter;
    if (is_nth("VCUDA_SPOIL", name, &counter))
        *result = 1.5f * *result + 1;
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

cudaError_t virtual_result(cudaError_t error) {
    if (error)
        state.last_error = error;
    return error;
}

static void report(void) {
    for (const Allocation *a = state.allocations; a; a = a->next)
        if (a->is_live)
            virtual_error("%zu bytes of device memory were not freed", a->size_bytes);
    if (state.objects)
        virtual_error("%d handles, streams or descriptors were not destroyed", state.objects);
    if (getenv("VCUDA_LOG"))
        fprintf(stderr,
                "virtual device: %ld allocations, %ld pieces of work, %ld kernel launches, %ld graph "
                "launches, %d "
                "errors\n",
                virtual_counts.allocations, virtual_counts.works, virtual_counts.launches,
                virtual_counts.graph_launches, state.errors);
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

long virtual_allocations(void) {
    return virtual_counts.allocations;
}

/* --- memory --- */

static void protect(const Allocation *a, int protection) {
    mprotect(a->pages, a->pages_bytes, protection);
}

void virtual_enter(void) {
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
            virtual_error("a write %td bytes after an allocation of %zu bytes",
                          at - a->memory - (ptrdiff_t)a->size_bytes, a->size_bytes);
            return;
        }
}

void virtual_leave(void) {
    if (--state.in_device == 0)
        for (const Allocation *a = state.allocations; a; a = a->next)
            if (a->is_live) {
                check_canary(a);
                protect(a, PROT_NONE);
            }
}

bool virtual_is_device(const void *memory) {
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
    if (!virtual_is_device(memory) || !a)
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
    NOT_IN_CAPTURE(cudaMalloc);
    if (virtual_must_fail("cudaMalloc"))
        return virtual_result(cudaErrorMemoryAllocation);
    const size_t aligned = (size_bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    const size_t pages_bytes = (aligned + PAGE - 1) / PAGE * PAGE;
    const size_t limit = (size_t)virtual_setting("VCUDA_MEMORY", MEMORY_BYTES);
    Allocation *a = calloc(1, sizeof *a);
    pthread_mutex_lock(&virtual_lock);
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
        virtual_counts.allocations++;
        *memory = a->memory;
    } else {
        free(a);
    }
    pthread_mutex_unlock(&virtual_lock);
    return fits ? cudaSuccess : virtual_result(cudaErrorMemoryAllocation);
}

cudaError_t cudaFree(void *memory) {
    if (!memory)
        return cudaSuccess;
    NOT_IN_CAPTURE(cudaFree);
    pthread_mutex_lock(&virtual_lock);
    virtual_run_all(); /* as cudaFree() waits for the device */
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
    pthread_mutex_unlock(&virtual_lock);
    return good ? cudaSuccess : virtual_result(cudaErrorInvalidValue);
}

cudaError_t cudaMemGetInfo(size_t *free_bytes, size_t *total_bytes) {
    *total_bytes = (size_t)virtual_setting("VCUDA_MEMORY", MEMORY_BYTES);
    *free_bytes = *total_bytes - state.live_bytes;
    return cudaSuccess;
}

bool virtual_is_pinned(const void *memory, size_t size_bytes) {
    for (const Pinned *p = state.pinned; p; p = p->next)
        if ((const char *)memory >= p->memory &&
            (const char *)memory + size_bytes <= p->memory + p->size_bytes)
            return true;
    return false;
}

cudaError_t cudaHostAlloc(void **memory, size_t size_bytes, unsigned flags) {
    (void)flags;
    NOT_IN_CAPTURE(cudaHostAlloc);
    if (virtual_must_fail("cudaHostAlloc"))
        return virtual_result(cudaErrorMemoryAllocation);
    Pinned *made = malloc(sizeof *made);
    *made = (Pinned){.next = state.pinned, .memory = malloc(size_bytes), .size_bytes = size_bytes};
    memset(made->memory, 0xff, size_bytes);
    state.pinned = made;
    virtual_object("pinned memory", 1);
    *memory = made->memory;
    virtual_counts.allocations++;
    return cudaSuccess;
}

cudaError_t cudaFreeHost(void *memory) {
    NOT_IN_CAPTURE(cudaFreeHost);
    pthread_mutex_lock(&virtual_lock);
    virtual_run_all(); /* as it waits for the device */
    Pinned **at = &state.pinned, *found;
    while (*at && (*at)->memory != memory)
        at = &(*at)->next;
    found = *at;
    if (found) {
        *at = found->next;
        free(found->memory);
        free(found);
        virtual_object("pinned memory", -1);
    } else {
        virtual_error("cudaFreeHost(%p): no pinned memory", memory);
    }
    pthread_mutex_unlock(&virtual_lock);
    return found ? cudaSuccess : virtual_result(cudaErrorInvalidValue);
}

/* --- the device --- */

cudaError_t cudaDriverGetVersion(int *version) {
    *version = (int)virtual_setting("VCUDA_DRIVER", CUDART_VERSION);
    return cudaSuccess;
}

cudaError_t cudaGetDeviceCount(int *count) {
    *count = (int)virtual_setting("VCUDA_DEVICES", 1);
    return *count ? cudaSuccess : virtual_result(cudaErrorNoDevice);
}

cudaError_t cudaSetDevice(int ordinal) {
    return ordinal < virtual_setting("VCUDA_DEVICES", 1) ? cudaSuccess
                                                         : virtual_result(cudaErrorInvalidDevice);
}

cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *properties, int ordinal) {
    const int capability = (int)virtual_setting("VCUDA_CAPABILITY", 80);
    (void)ordinal;
    memset(properties, 0, sizeof *properties);
    strcpy(properties->name, "virtual device");
    properties->major = capability / 10;
    properties->minor = capability % 10;
    properties->totalGlobalMem = (size_t)virtual_setting("VCUDA_MEMORY", MEMORY_BYTES);
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
