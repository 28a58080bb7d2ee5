/* SPDX-License-Identifier: Apache-2.0 */
/* Runs kernels' host builds.  Where threads meet each thread of a block is a fibre, so that barriers work;
 * fibres run in an order that is shuffled anew for each block, so that a missing barrier gives wrong numbers.
 * A barrier that only some threads reach ends the program with status 98. */
#include "virtual_kernel.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

#include "virtual_device.h"

enum { MAX_THREADS = 1024, STACK_BYTES = 64 * 1024 };

VirtualIndex threadIdx, blockIdx, blockDim, gridDim;

static VirtualKernelRow *rows;

void virtual_kernel_add(VirtualKernelRow *row) {
    row->next = rows;
    rows = row;
}

const VirtualKernelRow *virtual_kernel_find(const char *name, size_t *args_bytes) {
    const VirtualKernelRow *row = rows;
    while (row && strcmp(row->name, name) != 0)
        row = row->next;
    *args_bytes = row ? row->args_bytes : 0;
    return row;
}

typedef enum FibreState { FIBRE_NEW, FIBRE_WAITS, FIBRE_ENDED } FibreState;

/* --- AddressSanitizer, which must know what stack is used --- */

typedef struct Stack {
    const void *bottom;
    size_t size;
    void *fake; /* of the sanitizer, while another stack is used */
} Stack;

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/common_interface_defs.h>

/* Before a change of stacks; the one that is left ends where `from` is NULL. */
static void leave_stack(Stack *from, const Stack *to) {
    __sanitizer_start_switch_fiber(from ? &from->fake : NULL, to->bottom, to->size);
}

/* After it; `from` is filled unless NULL. */
static void enter_stack(Stack *to, Stack *from) {
    __sanitizer_finish_switch_fiber(to->fake, from ? &from->bottom : NULL, from ? &from->size : NULL);
}
#else
static void leave_stack(Stack *from, const Stack *to) {
    (void)from, (void)to;
}

static void enter_stack(Stack *to, Stack *from) {
    (void)to, (void)from;
}
#endif

/* --- blocks --- */

/* swapcontext() would ask the kernel for the mask of signals each time, which takes most of a test's time. */
typedef void *Jump[5];
#define SAVE(JUMP) __builtin_setjmp(JUMP)
#define RETURN_TO(JUMP) __builtin_longjmp(JUMP, 1)

static struct {
    ucontext_t fibre; /* that begins */
    Jump caller_jump, fibre_jumps[MAX_THREADS];
    Stack caller_stack, fibre_stacks[MAX_THREADS];
    FibreState states[MAX_THREADS];
    unsigned order[MAX_THREADS], current;
    char *stacks;
    const VirtualKernelRow *row;
    const void *args;
} block;

static void fibre_main(void) {
    enter_stack(&block.fibre_stacks[block.current], &block.caller_stack);
    block.row->run(block.args);
    block.states[block.current] = FIBRE_ENDED;
    leave_stack(NULL, &block.caller_stack);
    RETURN_TO(block.caller_jump);
}

void virtual_barrier(void) {
    if (!block.row->is_team) {
        fprintf(stderr, "virtual device: %s: a barrier in a KERNEL, which must be a TEAM_KERNEL\n",
                block.row->name);
        _exit(98);
    }
    const unsigned me = block.current;
    block.states[me] = FIBRE_WAITS;
    leave_stack(&block.fibre_stacks[me], &block.caller_stack);
    if (!SAVE(block.fibre_jumps[me]))
        RETURN_TO(block.caller_jump);
    enter_stack(&block.fibre_stacks[me], &block.caller_stack);
}

static void resume(unsigned thread) {
    ucontext_t *fibre = &block.fibre;
    const bool is_new = block.states[thread] == FIBRE_NEW;
    threadIdx = (VirtualIndex){thread, 0, 0};
    block.current = thread;
    if (is_new) {
        getcontext(fibre);
        fibre->uc_stack.ss_sp = block.stacks + (size_t)thread * STACK_BYTES;
        fibre->uc_stack.ss_size = STACK_BYTES;
        makecontext(fibre, fibre_main, 0);
        block.fibre_stacks[thread] = (Stack){fibre->uc_stack.ss_sp, STACK_BYTES, NULL};
    }
    leave_stack(&block.caller_stack, &block.fibre_stacks[thread]);
    if (!SAVE(block.caller_jump)) {
        if (is_new)
            setcontext(fibre);
        RETURN_TO(block.fibre_jumps[thread]);
    }
    enter_stack(&block.caller_stack, NULL);
}

static void shuffle(unsigned threads) {
    static uint32_t seed = 1;
    for (unsigned i = 0; i < threads; i++)
        block.order[i] = i;
    for (unsigned i = threads; i > 1; i--) {
        seed = seed * 1664525u + 1013904223u;
        const unsigned j = (seed >> 8) % i, kept = block.order[i - 1];
        block.order[i - 1] = block.order[j];
        block.order[j] = kept;
    }
}

/* The section that BLOCK_SHARED puts variables into, as the linker names its ends. */
extern char __start_block_shared[], __stop_block_shared[];

/* From barrier to barrier, until all threads have ended. */
static void run_block(unsigned threads) {
    memset(block.states, 0, sizeof block.states);
    memset(__start_block_shared, 0xff, (size_t)(__stop_block_shared - __start_block_shared));
    shuffle(threads);
    for (unsigned waiting = threads; waiting;) {
        unsigned ended = 0;
        for (unsigned i = 0; i < threads; i++) {
            resume(block.order[i]);
            ended += block.states[block.order[i]] == FIBRE_ENDED;
        }
        waiting = threads - ended;
        if (waiting && ended) {
            fprintf(stderr, "virtual device: %s: %u threads wait at a barrier, %u have ended\n",
                    block.row->name, waiting, ended);
            _exit(98);
        }
    }
}

void virtual_kernel_run(const VirtualKernelRow *row, const void *args, dim3 grid, dim3 threads) {
    if (!block.stacks)
        block.stacks = malloc((size_t)MAX_THREADS * STACK_BYTES);
    block.row = row;
    block.args = args;
    gridDim = (VirtualIndex){grid.x, 1, 1};
    blockDim = (VirtualIndex){threads.x, 1, 1};
    for (unsigned x = 0; x < grid.x; x++) {
        blockIdx = (VirtualIndex){x, 0, 0};
        if (row->is_team) {
            run_block(threads.x);
            continue;
        }
        for (threadIdx.x = 0; threadIdx.x < threads.x; threadIdx.x++)
            row->run(args);
    }
}
