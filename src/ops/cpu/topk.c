/* SPDX-License-Identifier: Apache-2.0 */
/* TopK of types of up to 32 bits.  Each element becomes a number of 64 bits that stands in the order of the
 * result: what orders its value, then its index, of which the lower comes first.  A heap holds the best k so
 * far, the worst at its root; elements that are no better are passed over many at a time. */
#include "ops/math/topk.h"

#include <string.h>

#include "base/size.h"
#include "ops/cpu/convert.h"
#include "ops/tensor/concat.h"

enum { CHUNK = 256, BLOCK = 16, TASK_ELEMENTS = 16384 };

typedef struct TopKArgs {
    int64_t n, k, inner, groups, groups_a_task;
    DType work;           /* f32, i32 or u32 */
    ConvertFunction load; /* NULL: it has that type */
    size_t size;
    bool is_smallest, has_indices;
} TopKArgs;

/* --- a heap whose root is the smallest --- */

static void sink(uint64_t *heap, int64_t count, int64_t at, uint64_t entry) {
    for (;;) {
        int64_t child = 2 * at + 1;
        if (child >= count)
            break;
        if (child + 1 < count && heap[child + 1] < heap[child])
            child++;
        if (heap[child] >= entry)
            break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = entry;
}

static void make_heap(uint64_t *heap, int64_t count) {
    for (int64_t i = count / 2 - 1; i >= 0; i--)
        sink(heap, count, i, heap[i]);
}

/* From a heap to falling order: the smallest goes to the end, again and again. */
static void sort_heap(uint64_t *heap, int64_t count) {
    for (int64_t last = count - 1; last > 0; last--) {
        const uint64_t smallest = heap[0];
        sink(heap, last, 0, heap[last]);
        heap[last] = smallest;
    }
}

/* --- keys --- */

/* Unsigned numbers in the order of floats, where 0 and -0 are the same and NaN is the largest. */
static void order_floats(uint32_t *keys, int64_t count) {
    const uint32_t top = (uint32_t)1 << 31;
    for (int64_t i = 0; i < count; i++) {
        const uint32_t bits = keys[i] == top ? 0 : keys[i];
        const uint32_t key = bits & top ? ~bits : bits | top;
        keys[i] = (bits & ~top) > 0x7f800000 ? UINT32_MAX : key;
    }
}

static void order(const TopKArgs *args, uint32_t *keys, int64_t count) {
    if (args->work == STRIDER_F32)
        order_floats(keys, count);
    else if (args->work == STRIDER_I32)
        for (int64_t i = 0; i < count; i++)
            keys[i] ^= (uint32_t)1 << 31;
    for (int64_t i = 0; args->is_smallest && i < count; i++)
        keys[i] = ~keys[i];
}

/* Of elements [begin, begin + count) of a group. */
static void load_keys(const TopKArgs *args, const char *x, int64_t begin, int64_t count, uint32_t *keys) {
    char gathered[CHUNK * sizeof(uint32_t)];
    const char *from = x + begin * args->inner * (int64_t)args->size;
    if (args->inner != 1) {
        for (int64_t i = 0; i < count; i++)
            memcpy(gathered + i * (int64_t)args->size, from + i * args->inner * (int64_t)args->size,
                   args->size);
        from = gathered;
    }
    if (args->load)
        args->load(from, keys, count);
    else
        memcpy(keys, from, (size_t)count * sizeof *keys);
    order(args, keys, count);
}

static uint64_t entry_of(uint32_t key, int64_t index) {
    return (uint64_t)key << 32 | (uint32_t) ~(uint32_t)index;
}

static int64_t index_of(uint64_t entry) {
    return (int64_t)(uint32_t) ~(uint32_t)entry;
}

/* --- running --- */

static bool any_above(const uint32_t *keys, uint32_t least) {
    uint32_t found = 0;
    for (int i = 0; i < BLOCK; i++)
        found |= keys[i] > least;
    return found != 0;
}

/* Of equal keys the one that is there came first, and stays. */
static void offer(const TopKArgs *args, uint64_t *heap, const uint32_t *keys, int64_t begin, int64_t count) {
    for (int64_t block = 0; block < count; block += BLOCK) {
        const int64_t end = i64_min(block + BLOCK, count);
        if (end - block == BLOCK && !any_above(keys + block, (uint32_t)(heap[0] >> 32)))
            continue;
        for (int64_t i = block; i < end; i++)
            if (keys[i] > (uint32_t)(heap[0] >> 32))
                sink(heap, args->k, 0, entry_of(keys[i], begin + i));
    }
}

static void find_best(const TopKArgs *args, const char *x, uint64_t *heap) {
    uint32_t keys[CHUNK];
    int64_t filled = 0;
    for (int64_t begin = 0; begin < args->n; begin += CHUNK) {
        const int64_t count = i64_min(CHUNK, args->n - begin), taken = i64_min(args->k - filled, count);
        load_keys(args, x, begin, count, keys);
        for (int64_t i = 0; i < taken; i++)
            heap[filled++] = entry_of(keys[i], begin + i);
        if (taken && filled == args->k)
            make_heap(heap, args->k);
        if (taken < count)
            offer(args, heap, keys + taken, begin + taken, count - taken);
    }
    sort_heap(heap, args->k);
}

static void topk_run(const KernelCall *call, int64_t task) {
    const TopKArgs *args = call->args;
    const int64_t first = task * args->groups_a_task,
                  end = i64_min(first + args->groups_a_task, args->groups);
    uint64_t *heap = call->scratch;
    char *values = call->outputs[0];
    int64_t *indices = args->has_indices ? call->outputs[1] : NULL;
    for (int64_t group = first; group < end; group++) {
        const int64_t outer = group / args->inner, column = group % args->inner;
        const char *x =
            (const char *)call->inputs[0] + (outer * args->n * args->inner + column) * (int64_t)args->size;
        find_best(args, x, heap);
        for (int64_t i = 0; i < args->k; i++) {
            const int64_t to = (outer * args->k + i) * args->inner + column, from = index_of(heap[i]);
            if (values)
                memcpy(values + to * (int64_t)args->size, x + from * args->inner * (int64_t)args->size,
                       args->size);
            if (indices)
                indices[to] = from;
        }
    }
}

/* --- preparing --- */

static int axis_of(const KernelQuery *query) {
    const TopKAttrs *attrs = query->node->attrs;
    return axis_resolve(attrs->axis, query->inputs[0].type.shape.rank);
}

/* NONE for types of 64 bits. */
static DType work_of(DType dtype) {
    switch (dtype) {
    case STRIDER_F32:
    case STRIDER_F16:
    case STRIDER_BF16:
        return STRIDER_F32;
    case STRIDER_I8:
    case STRIDER_I16:
    case STRIDER_I32:
    case STRIDER_U8:
    case STRIDER_U16:
        return STRIDER_I32;
    case STRIDER_U32:
        return STRIDER_U32;
    default:
        return STRIDER_DTYPE_NONE;
    }
}

/* The number that is wanted has made the outputs' shapes; it is not read again. */
static bool topk_accepts(KernelQuery *query) {
    const Type *x = &query->inputs[0].type;
    if (!work_of(x->dtype) || x->shape.rank < 1 || x->shape.dims[axis_of(query)] > UINT32_MAX)
        return false;
    cpu_pack_contents(query, 1);
    return cpu_want_plain(query);
}

static double topk_cost(const KernelQuery *query) {
    return cpu_operands_cost(query) + (double)shape_elements(&query->inputs[0].type.shape);
}

static Status topk_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    const TopKAttrs *attrs = query->node->attrs;
    const Type *x = &query->inputs[0].type;
    const int axis = axis_of(query);
    const Operand *made = query->outputs[0].type.dtype ? &query->outputs[0] : &query->outputs[1];
    TopKArgs *args;
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *args, 1), &args));
    *args = (TopKArgs){.n = x->shape.dims[axis],
                       .k = made->type.shape.dims[axis],
                       .inner = shape_size(&x->shape, axis + 1, x->shape.rank),
                       .work = work_of(x->dtype),
                       .size = dtype_size(x->dtype),
                       .is_smallest = !attrs->largest,
                       .has_indices = query->n_outputs > 1};
    if (x->dtype != args->work)
        args->load = convert_for(query->target)->rows[x->dtype][args->work];
    args->groups = count_of(shape_size(&x->shape, 0, axis), args->inner);
    args->groups_a_task = i64_max(TASK_ELEMENTS / i64_max(args->n, 1), 1);
    *instance = (KernelInstance){.run = topk_run,
                                 .args = args,
                                 .tasks = args->k ? ceil_div(args->groups, args->groups_a_task) : 0,
                                 .scratch_bytes = bytes_of(sizeof(uint64_t), args->k)};
    return STRIDER_OK;
}

const Kernel kernel_topk = {
    .name = "topk", .op = OP_TopK, .accepts = topk_accepts, .cost = topk_cost, .prepare = topk_prepare};
