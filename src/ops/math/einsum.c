/* SPDX-License-Identifier: Apache-2.0 */
/* Einsum (ONNX 12, 28): a sum of products of the inputs' elements, with dimensions named by letters, as
 * numpy.einsum.  "..." stands for leading dimensions without names, which broadcast.  Without "->" the output
 * has the ellipsis and then, in alphabetical order, each letter that occurs once.
 *
 * The inputs are multiplied in one after the other, and a letter is summed over as soon as nothing after it
 * needs it; where a product on the way would be far larger than inputs and output, all at once.  Floats are
 * computed in float64, integers wrap around. */
#include "ops/math/einsum.h"

#include <ctype.h>
#include <string.h>

#include "base/size.h"
#include "base/wrap.h"

/* Labels: 26 capitals and 26 small letters in ASCII's order, then the dimensions of the ellipsis, counted
 * from its last one, as they align there. */
enum { N_LABELS = EINSUM_MAX_LABELS, N_LETTERS = N_LABELS - MAX_RANK };

typedef struct Term {
    int n_before, n_after; /* letters before and after the ellipsis; all before where there is none */
    bool has_ellipsis;
    uint8_t before[MAX_RANK], after[MAX_RANK];
} Term;

typedef struct EinsumAttrs {
    Term *inputs;
    Term output;
} EinsumAttrs;

/* --- the equation --- */

static int letter_label(char letter) {
    if (letter >= 'A' && letter <= 'Z')
        return letter - 'A';
    return letter >= 'a' && letter <= 'z' ? letter - 'a' + 26 : -1;
}

/* Reads up to ',', '-' or the end. */
static Status parse_term(ParseContext *ctx, const char **text, Term *term) {
    for (; **text && **text != ',' && **text != '-'; ++*text) {
        int label = letter_label(**text);
        if (**text == ' ')
            continue;
        if (strncmp(*text, "...", 3) == 0 && !term->has_ellipsis) {
            term->has_ellipsis = true;
            *text += 2;
        } else if (label < 0) {
            return parse_fail(ctx, STRIDER_BAD_MODEL, "the equation has an unexpected '%c'",
                              isprint((unsigned char)**text) ? **text : '?');
        } else if (term->n_before + term->n_after == MAX_RANK) {
            return parse_fail(ctx, STRIDER_LIMIT_EXCEEDED, "the equation has a term of more than %d letters",
                              MAX_RANK);
        } else if (term->has_ellipsis) {
            term->after[term->n_after++] = (uint8_t)label;
        } else {
            term->before[term->n_before++] = (uint8_t)label;
        }
    }
    return STRIDER_OK;
}

static void count_letters(const Term *term, int counts[N_LETTERS]) {
    for (int i = 0; i < term->n_before; i++)
        counts[term->before[i]]++;
    for (int i = 0; i < term->n_after; i++)
        counts[term->after[i]]++;
}

static Status implicit_output(ParseContext *ctx, const int counts[N_LETTERS], bool has_ellipsis,
                              Term *output) {
    output->has_ellipsis = has_ellipsis;
    for (int label = 0; label < N_LETTERS; label++) {
        if (counts[label] != 1)
            continue;
        if (output->n_after == MAX_RANK)
            return parse_fail(ctx, STRIDER_LIMIT_EXCEEDED, "the output has more than %d dimensions",
                              MAX_RANK);
        output->after[output->n_after++] = (uint8_t)label;
    }
    return STRIDER_OK;
}

static Status einsum_parse(ParseContext *ctx, void *attrs_) {
    EinsumAttrs *attrs = attrs_;
    const char *text;
    int counts[N_LETTERS] = {0}, output_counts[N_LETTERS] = {0}, n = ctx->node->n_inputs;
    bool has_ellipsis = false;
    TRY(parse_require(ctx, "equation"));
    TRY(parse_string(ctx, "equation", "", &text));
    attrs->inputs = region_alloc_array(ctx->region, (size_t)n, sizeof *attrs->inputs);
    if (!attrs->inputs)
        return fail_memory(ctx->err, bytes_of(sizeof *attrs->inputs, n).n, "an equation");
    for (int i = 0; i < n; i++) {
        TRY(parse_term(ctx, &text, &attrs->inputs[i]));
        count_letters(&attrs->inputs[i], counts);
        has_ellipsis |= attrs->inputs[i].has_ellipsis;
        if ((*text == ',') != (i + 1 < n))
            return parse_fail(ctx, STRIDER_BAD_MODEL, "the equation is not one for %d inputs", n);
        text += *text == ',';
    }
    if (!*text)
        return implicit_output(ctx, counts, has_ellipsis, &attrs->output);
    if (strncmp(text, "->", 2) != 0)
        return parse_fail(ctx, STRIDER_BAD_MODEL, "the equation has a '-' that is no \"->\"");
    text += 2;
    TRY(parse_term(ctx, &text, &attrs->output));
    if (*text)
        return parse_fail(ctx, STRIDER_BAD_MODEL, "the equation has an unexpected '%c' in its output", *text);
    count_letters(&attrs->output, output_counts);
    for (int label = 0; label < N_LETTERS; label++)
        if (output_counts[label] > 1 || (output_counts[label] && !counts[label]))
            return parse_fail(ctx, STRIDER_BAD_MODEL,
                              "the equation's output has a letter twice, or one that no input has");
    return STRIDER_OK;
}

/* --- shapes --- */

/* The label of each of `rank` dimensions; false where the rank does not fit. */
static bool term_labels(const Term *term, int rank, uint8_t labels[MAX_RANK]) {
    int letters = term->n_before + term->n_after, hidden = rank - letters;
    if (hidden < 0 || (hidden > 0 && !term->has_ellipsis))
        return false;
    for (int i = 0; i < term->n_before; i++)
        *labels++ = term->before[i];
    for (int i = hidden - 1; i >= 0; i--)
        *labels++ = (uint8_t)(N_LETTERS + i);
    for (int i = 0; i < term->n_after; i++)
        *labels++ = term->after[i];
    return true;
}

bool einsum_labels(const Node *node, int port, int rank, uint8_t labels[MAX_RANK]) {
    const EinsumAttrs *attrs = node->attrs;
    return rank <= MAX_RANK && term_labels(port < 0 ? &attrs->output : &attrs->inputs[port], rank, labels);
}

/* Ones broadcast, as everywhere. */
static Status join_dim(InferContext *ctx, int64_t dim, int64_t *joined) {
    Shape a = shape_make(1, joined), b = shape_make(1, &dim), both;
    TRY(infer_broadcast(ctx, &a, &b, &both));
    *joined = both.dims[0];
    return STRIDER_OK;
}

static Status einsum_infer(InferContext *ctx) {
    const EinsumAttrs *attrs = infer_attrs(ctx);
    int64_t dims[N_LABELS];
    int hidden = 0;
    bool hidden_known = true;
    Shape y = {.rank = 0};
    for (int label = 0; label < N_LABELS; label++)
        dims[label] = 1;
    for (int i = 0; i < ctx->n_inputs; i++) {
        const Shape *x = &ctx->inputs[i].shape;
        const Term *term = &attrs->inputs[i];
        uint8_t labels[MAX_RANK];
        TRY(infer_require_dtype(ctx, i, DTYPES_NUMERIC));
        TRY(infer_require_same_dtype(ctx, 0, i));
        if (x->rank < 0) { /* its letters' dimensions may be anything */
            hidden_known &= !term->has_ellipsis;
            for (int k = 0; k < term->n_before + term->n_after; k++)
                TRY(join_dim(ctx, DIM_UNKNOWN,
                             &dims[k < term->n_before ? term->before[k] : term->after[k - term->n_before]]));
            continue;
        }
        if (!term_labels(term, x->rank, labels))
            return infer_fail(ctx, STRIDER_BAD_MODEL, "input %d has rank %d, its term in the equation not", i,
                              x->rank);
        for (int k = 0; k < x->rank; k++)
            TRY(join_dim(ctx, x->dims[k], &dims[labels[k]]));
        if (x->rank - term->n_before - term->n_after > hidden)
            hidden = x->rank - term->n_before - term->n_after;
    }
    ctx->outputs[0].dtype = ctx->inputs[0].dtype;
    if (attrs->output.has_ellipsis && !hidden_known)
        return STRIDER_OK;
    uint8_t labels[2 * MAX_RANK];
    y.rank = attrs->output.n_before + attrs->output.n_after + (attrs->output.has_ellipsis ? hidden : 0);
    if (y.rank > MAX_RANK)
        return infer_fail(ctx, STRIDER_LIMIT_EXCEEDED, "the output has more than %d dimensions", MAX_RANK);
    if (!term_labels(&attrs->output, y.rank, labels))
        return infer_fail(ctx, STRIDER_BAD_MODEL, "the equation's output does not fit its inputs");
    for (int k = 0; k < y.rank; k++)
        y.dims[k] = dims[labels[k]];
    ctx->outputs[0].shape = y;
    return STRIDER_OK;
}

/* --- arithmetic --- */

/* Elements by label: a stride for each that there is, 0 for all others and for dimensions of 1.  They are an
 * input's, or a product's: doubles, or the bits of integers. */
typedef struct Operand {
    const Tensor *tensor; /* NULL: a product */
    union {
        double *doubles;
        uint64_t *bits;
        void *memory;
    };
    int64_t dims[N_LABELS], strides[N_LABELS];
    uint64_t labels; /* a bit set */
    int64_t at;      /* while loops run */
} Operand;

static void clear_operand(Operand *operand) {
    *operand = (Operand){.labels = 0};
    for (int label = 0; label < N_LABELS; label++)
        operand->dims[label] = 1;
}

/* A label that stands twice walks along the diagonal: its strides add up.  infer() has made the term fit. */
static void open_operand(const Term *term, const Shape *shape, Operand *operand) {
    uint8_t labels[MAX_RANK];
    int64_t strides[MAX_RANK];
    clear_operand(operand);
    if (!term_labels(term, shape->rank, labels))
        return;
    shape_strides(shape, strides);
    for (int i = 0; i < shape->rank; i++) {
        int label = labels[i];
        operand->labels |= (uint64_t)1 << label;
        if (shape->dims[i] == 1)
            continue;
        operand->dims[label] = shape->dims[i];
        operand->strides[label] += strides[i];
    }
}

/* *out is made what the product of a and b is when it is summed over the labels that are not in `kept`;
 * returns its number of elements.  `order` lists all labels, the last first, as they shall lie in memory. */
static int64_t open_product(const Operand *a, const Operand *b, uint64_t kept, const uint8_t order[N_LABELS],
                            Operand *out) {
    int64_t count = 1;
    bool is_empty = false;
    clear_operand(out);
    out->labels = (a->labels | b->labels) & kept;
    for (int i = 0; i < N_LABELS; i++) {
        const int label = order[i];
        if (!(out->labels >> label & 1))
            continue;
        const int64_t dim = a->dims[label] == 1 ? b->dims[label] : a->dims[label];
        out->dims[label] = dim;
        out->strides[label] = dim == 1 ? 0 : count;
        count = i64_product(count, dim ? dim : 1);
        is_empty = is_empty || dim == 0;
    }
    return is_empty ? 0 : count;
}

/* Labels of the output from its last on, then all others. */
static uint64_t output_order(const Term *output, int rank, uint8_t order[N_LABELS]) {
    uint8_t labels[MAX_RANK];
    uint64_t in_output = 0;
    int n = 0;
    if (!term_labels(output, rank, labels)) /* infer() has made them fit */
        rank = 0;
    for (int i = rank - 1; i >= 0; i--) {
        order[n++] = labels[i];
        in_output |= (uint64_t)1 << labels[i];
    }
    for (int label = 0; label < N_LABELS; label++)
        if (!(in_output >> label & 1))
            order[n++] = (uint8_t)label;
    return in_output;
}

/* The inputs' shapes, before a run and in it. */
typedef struct Inputs {
    int n;
    const Type *types;
    const Tensor *const *tensors;
} Inputs;

static const Shape *shape_at(const Inputs *inputs, int port) {
    return inputs->types ? &inputs->types[port].shape : &inputs->tensors[port]->type.shape;
}

/* How many inputs, from some one on, need each label: those where it is not 1. */
static void count_needs(const Term *term, const Shape *shape, int add, int needs[N_LABELS]) {
    uint8_t labels[MAX_RANK];
    const bool fits = term_labels(term, shape->rank, labels);
    for (int i = 0; fits && i < shape->rank; i++)
        needs[labels[i]] += shape->dims[i] == 1 ? 0 : add;
}

static uint64_t needed(const int needs[N_LABELS]) {
    uint64_t labels = 0;
    for (int label = 0; label < N_LABELS; label++)
        labels |= (uint64_t)(needs[label] > 0) << label;
    return labels;
}

/* Products of inputs before the last, from the first on, may take no more elements than this for each element
 * of inputs and output: else all inputs are multiplied at once, which takes none. */
enum { MAX_GROWTH = 16, SMALL_PRODUCT = 4096 };

/* The elements of the largest product of inputs before the last; 0 where all are multiplied at once. */
static int64_t largest_product(const EinsumAttrs *attrs, const Inputs *inputs, const Shape *output) {
    uint8_t order[N_LABELS];
    const uint64_t in_output = output_order(&attrs->output, output->rank, order);
    int needs[N_LABELS] = {0};
    int64_t largest = 0, elements = i64_product_of_list(output->dims, (size_t)output->rank);
    for (int port = 0; port < inputs->n; port++) {
        const Shape *shape = shape_at(inputs, port);
        count_needs(&attrs->inputs[port], shape, 1, needs);
        elements = i64_sum(elements, i64_product_of_list(shape->dims, (size_t)shape->rank));
    }
    Operand product, next, joined;
    clear_operand(&product);
    for (int port = 0; port + 1 < inputs->n; port++) {
        open_operand(&attrs->inputs[port], shape_at(inputs, port), &next);
        count_needs(&attrs->inputs[port], shape_at(inputs, port), -1, needs);
        largest = i64_max(largest, open_product(&product, &next, in_output | needed(needs), order, &joined));
        product = joined;
    }
    return largest > i64_sum(i64_product(elements, MAX_GROWTH), SMALL_PRODUCT) ? 0 : largest;
}

/* Loops over labels, the outermost first. */
typedef struct Loop {
    int rank, labels[N_LABELS];
    int64_t dims[N_LABELS], counters[N_LABELS], count;
} Loop;

static Loop loop_over(const Operand *operands, int n, uint64_t labels, const uint8_t order[N_LABELS]) {
    Loop loop = {.count = 1};
    for (int i = N_LABELS - 1; i >= 0; i--) {
        int64_t dim = 1;
        for (int k = 0; k < n && dim == 1; k++)
            dim = operands[k].dims[order[i]];
        if (!(labels >> order[i] & 1) || dim == 1)
            continue;
        loop.labels[loop.rank] = order[i];
        loop.dims[loop.rank++] = dim;
        loop.count = dim == 0 || loop.count == 0 ? 0 : i64_product(loop.count, dim);
    }
    return loop;
}

/* Counts on in the loops before `rank`; false at the end, when all are where they began. */
static bool loop_next(Loop *loop, int rank, Operand *operands, int n) {
    for (int i = rank - 1; i >= 0; i--) {
        const bool wraps = ++loop->counters[i] == loop->dims[i];
        for (int k = 0; k < n; k++) {
            const int64_t stride = operands[k].strides[loop->labels[i]];
            operands[k].at += wraps ? -stride * (loop->dims[i] - 1) : stride;
        }
        if (!wraps)
            return true;
        loop->counters[i] = 0;
    }
    return false;
}

enum { RUN = 64 };

static void read_doubles(const Operand *operand, int64_t at, int64_t stride, int64_t n, double values[RUN]) {
    const Tensor *tensor = operand->tensor;
    if (!tensor)
        for (int64_t i = 0; i < n; i++)
            values[i] = operand->doubles[at + i * stride];
    else if (tensor->type.dtype == STRIDER_F32)
        for (int64_t i = 0; i < n; i++)
            values[i] = (double)((const float *)tensor->data)[at + i * stride];
    else
        for (int64_t i = 0; i < n; i++)
            values[i] = tensor_get_f64(tensor, at + i * stride);
}

static void read_bits(const Operand *operand, int64_t at, int64_t stride, int64_t n, uint64_t values[RUN]) {
    for (int64_t i = 0; i < n; i++)
        values[i] = operand->tensor ? tensor_get_bits(operand->tensor, at + i * stride)
                                    : operand->bits[at + i * stride];
}

/* The sum over `loop` of the products of all operands' elements. */
#define SUM_OF_PRODUCTS(NAME, T, READ, ADD, MUL)                                                             \
    static T NAME(Loop *loop, Operand *operands, int n) {                                                    \
        const int last = loop->rank - 1;                                                                     \
        const int64_t length = loop->rank ? loop->dims[last] : 1;                                            \
        T sum = 0, products[RUN], values[RUN];                                                               \
        if (!loop->count)                                                                                    \
            return 0;                                                                                        \
        do {                                                                                                 \
            for (int64_t done = 0; done < length; done += RUN) {                                             \
                const int64_t run = i64_min(length - done, RUN);                                             \
                for (int k = 0; k < n; k++) {                                                                \
                    const int64_t stride = loop->rank ? operands[k].strides[loop->labels[last]] : 0;         \
                    READ(&operands[k], operands[k].at + done * stride, stride, run, k ? values : products);  \
                    for (int64_t i = 0; k && i < run; i++)                                                   \
                        products[i] = MUL(products[i], values[i]);                                           \
                }                                                                                            \
                for (int64_t i = 0; i < run; i++)                                                            \
                    sum = ADD(sum, products[i]);                                                             \
            }                                                                                                \
        } while (loop_next(loop, last, operands, n));                                                        \
        return sum;                                                                                          \
    }
#define ADD_FLOATS(a, b) ((a) + (b))
#define MULTIPLY_FLOATS(a, b) ((a) * (b))
SUM_OF_PRODUCTS(sum_doubles, double, read_doubles, ADD_FLOATS, MULTIPLY_FLOATS)
SUM_OF_PRODUCTS(sum_bits, uint64_t, read_bits, wrap_add, wrap_mul)

/* The operands' product, summed over all labels but `kept`: into *out, or into the output `y`. */
static void multiply(Operand *operands, int n, bool floats, uint64_t kept, const uint8_t order[N_LABELS],
                     const Operand *out, Tensor *y) {
    uint64_t labels = 0;
    for (int k = 0; k < n; k++) {
        labels |= operands[k].labels;
        operands[k].at = 0;
    }
    Loop outer = loop_over(operands, n, labels & kept, order),
         inner = loop_over(operands, n, labels & ~kept, order);
    int64_t to = 0;
    if (!outer.count)
        return;
    do {
        if (floats) {
            const double sum = sum_doubles(&inner, operands, n);
            if (y)
                tensor_set_f64(y, to++, sum);
            else
                out->doubles[to++] = sum;
        } else {
            const uint64_t sum = sum_bits(&inner, operands, n);
            if (y)
                tensor_set_bits(y, to++, sum);
            else
                out->bits[to++] = sum;
        }
    } while (loop_next(&outer, outer.rank, operands, n));
}

/* The inputs one after the other, in memory for two products. */
static Status multiply_in_turn(EvalContext *ctx, const Inputs *inputs, int64_t largest) {
    const EinsumAttrs *attrs = eval_attrs(ctx);
    const int n = ctx->n_inputs;
    const bool floats = dtype_is_float(ctx->inputs[0]->type.dtype);
    uint8_t order[N_LABELS];
    const uint64_t in_output = output_order(&attrs->output, ctx->outputs[0]->type.shape.rank, order);
    int needs[N_LABELS] = {0};
    void *products[2];
    for (int i = 0; i < 2; i++)
        TRY(eval_alloc(ctx, sizeof(uint64_t), largest, &products[i]));
    for (int port = 0; port < n; port++)
        count_needs(&attrs->inputs[port], shape_at(inputs, port), 1, needs);
    Operand pair[2], joined, one;
    clear_operand(&one);
    for (int port = 0; port < n; port++) {
        Operand *next = &pair[port > 0];
        open_operand(&attrs->inputs[port], shape_at(inputs, port), next);
        next->tensor = ctx->inputs[port];
        count_needs(&attrs->inputs[port], shape_at(inputs, port), -1, needs);
        const uint64_t kept = in_output | needed(needs);
        const bool is_last = port + 1 == n;
        open_product(port ? &pair[0] : &one, next, kept, order, &joined);
        joined.memory = products[port % 2];
        multiply(pair, port ? 2 : 1, floats, kept, order, &joined, is_last ? ctx->outputs[0] : NULL);
        pair[0] = joined;
    }
    return STRIDER_OK;
}

static Status multiply_at_once(EvalContext *ctx, const Inputs *inputs) {
    const EinsumAttrs *attrs = eval_attrs(ctx);
    uint8_t order[N_LABELS];
    const uint64_t in_output = output_order(&attrs->output, ctx->outputs[0]->type.shape.rank, order);
    void *memory;
    TRY(eval_alloc(ctx, sizeof(Operand), ctx->n_inputs, &memory));
    Operand *operands = memory;
    for (int port = 0; port < ctx->n_inputs; port++) {
        open_operand(&attrs->inputs[port], shape_at(inputs, port), &operands[port]);
        operands[port].tensor = ctx->inputs[port];
    }
    multiply(operands, ctx->n_inputs, dtype_is_float(ctx->inputs[0]->type.dtype), in_output, order, NULL,
             ctx->outputs[0]);
    return STRIDER_OK;
}

static Status einsum_reference(EvalContext *ctx) {
    const Inputs inputs = {.n = ctx->n_inputs, .tensors = ctx->inputs};
    const int64_t largest = largest_product(eval_attrs(ctx), &inputs, &ctx->outputs[0]->type.shape);
    return largest || inputs.n == 1 ? multiply_in_turn(ctx, &inputs, largest)
                                    : multiply_at_once(ctx, &inputs);
}

static Bytes einsum_scratch(const Node *node, const Type *types, const Type *outputs) {
    const Inputs inputs = {.n = node->n_inputs, .types = types};
    const int64_t largest = largest_product(node->attrs, &inputs, &outputs[0].shape);
    const Bytes product = scratch_of(sizeof(uint64_t), largest);
    return largest || inputs.n == 1 ? bytes_sum(product, product) : scratch_of(sizeof(Operand), inputs.n);
}

const Op op_einsum = {
    OP_NAMED(Einsum),
    .since = 12,
    .inputs = {1, -1},
    .outputs = {1, 1},
    .attrs_size = sizeof(EinsumAttrs),
    .parse = einsum_parse,
    .infer = einsum_infer,
    .reference = einsum_reference,
    .scratch = einsum_scratch,
};
