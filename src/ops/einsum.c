/* SPDX-License-Identifier: Apache-2.0 */
/* Einsum (ONNX 12, 28): a sum of products of the inputs' elements, with dimensions named by letters, as
 * numpy.einsum.  "..." stands for leading dimensions without names, which broadcast.  Without "->" the output
 * has the ellipsis and then, in alphabetical order, each letter that occurs once.
 *
 * The inputs are multiplied in one after the other, and a letter is summed over as soon as nothing behind it
 * needs it.  Floats are computed in float64, integers wrap around. */
#include <ctype.h>
#include <string.h>

#include "base/size.h"
#include "ops/op.h"

/* Labels: 26 capitals and 26 small letters in ASCII's order, then the dimensions of the ellipsis, counted
 * from its last one, as they align there. */
enum { N_LETTERS = 52, N_LABELS = N_LETTERS + MAX_RANK };

typedef struct Term {
    int n_before, n_after; /* letters before and behind the ellipsis; all before where there is none */
    bool has_ellipsis;
    uint8_t before[MAX_RANK], after[MAX_RANK];
} Term;

typedef struct EinsumAttrs {
    Term *inputs;
    Term output;
} EinsumAttrs;

/* --- the equation
 * ---------------------------------------------------------------------------------------------- */

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
    attrs->inputs = region_take_array(ctx->region, (size_t)n, sizeof *attrs->inputs);
    if (!attrs->inputs)
        return fail_memory(ctx->err, (size_t)n * sizeof *attrs->inputs, "an equation");
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

/* --- shapes
 * ---------------------------------------------------------------------------------------------------- */

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

/* --- arithmetic
 * ------------------------------------------------------------------------------------------------ */

/* Elements by label: a stride for each that there is, 0 for all others and for dimensions of 1.  They are
 * doubles, or the bits of integers. */
typedef struct Operand {
    union {
        double *doubles;
        uint64_t *bits;
        void *memory;
    };
    int64_t dims[N_LABELS], strides[N_LABELS];
    uint64_t labels; /* a bit set */
} Operand;

static Status take_operand(EvalContext *ctx, int64_t count, Operand *operand) {
    size_t bytes;
    if (!size_mul((size_t)count, sizeof *operand->bits, &bytes))
        return eval_fail(ctx, STRIDER_LIMIT_EXCEEDED, "a product of inputs is too large");
    operand->memory = memory_take_zeroed(ctx->allocator, 1, bytes);
    return operand->memory ? STRIDER_OK : fail_memory(ctx->err, bytes, "a product of inputs");
}

/* A label that stands twice walks along the diagonal: its strides add up. */
static Status load_operand(EvalContext *ctx, int port, Operand *operand) {
    const EinsumAttrs *attrs = eval_attrs(ctx);
    const Tensor *x = ctx->inputs[port];
    const Shape *shape = &x->type.shape;
    uint8_t labels[MAX_RANK];
    int64_t strides[MAX_RANK], count = tensor_elements(x);
    *operand = (Operand){.labels = 0};
    for (int label = 0; label < N_LABELS; label++)
        operand->dims[label] = 1;
    if (!term_labels(&attrs->inputs[port], shape->rank, labels))
        return eval_fail(ctx, STRIDER_BAD_MODEL, "input %d does not fit the equation", port);
    shape_strides(shape, strides);
    for (int i = 0; i < shape->rank; i++) {
        int label = labels[i];
        operand->labels |= (uint64_t)1 << label;
        if (shape->dims[i] == 1)
            continue;
        operand->dims[label] = shape->dims[i];
        operand->strides[label] += strides[i];
    }
    TRY(take_operand(ctx, count, operand));
    for (int64_t i = 0; i < count; i++)
        if (dtype_is_float(x->type.dtype))
            operand->doubles[i] = tensor_get_f64(x, i);
        else
            operand->bits[i] = tensor_get_bits(x, i);
    return STRIDER_OK;
}

/* Loops over labels: the places in two operands and in their product. */
typedef struct Loop {
    int rank;
    int64_t dims[N_LABELS], a[N_LABELS], b[N_LABELS], out[N_LABELS], counters[N_LABELS];
} Loop;

static void loop_add(Loop *loop, const Operand *a, const Operand *b, const Operand *out, int label) {
    int i = loop->rank++;
    loop->dims[i] = i64_max(a->dims[label], b->dims[label]);
    if (a->dims[label] == 0 || b->dims[label] == 0)
        loop->dims[i] = 0;
    loop->a[i] = a->strides[label];
    loop->b[i] = b->strides[label];
    loop->out[i] = out->strides[label];
}

static void loop_run(Loop *loop, bool floats, const Operand *a, const Operand *b, const Operand *out) {
    int64_t at_a = 0, at_b = 0, at_out = 0;
    for (int i = 0; i < loop->rank; i++)
        if (loop->dims[i] == 0)
            return;
    for (;;) {
        if (floats)
            out->doubles[at_out] += a->doubles[at_a] * b->doubles[at_b];
        else
            out->bits[at_out] += a->bits[at_a] * b->bits[at_b];
        int i = loop->rank - 1;
        for (; i >= 0; i--) {
            at_a += loop->a[i];
            at_b += loop->b[i];
            at_out += loop->out[i];
            if (++loop->counters[i] < loop->dims[i])
                break;
            at_a -= loop->a[i] * loop->dims[i];
            at_b -= loop->b[i] * loop->dims[i];
            at_out -= loop->out[i] * loop->dims[i];
            loop->counters[i] = 0;
        }
        if (i < 0)
            return;
    }
}

/* *out = the product of a and b, summed over the labels that are not in `kept`.  `order` lists all labels,
 * the last first, as they shall lie in memory. */
static Status multiply(EvalContext *ctx, const Operand *a, const Operand *b, uint64_t kept,
                       const uint8_t order[N_LABELS], Operand *out) {
    bool floats = dtype_is_float(ctx->inputs[0]->type.dtype);
    int64_t count = 1;
    Loop loop = {.rank = 0};
    *out = (Operand){.labels = (a->labels | b->labels) & kept};
    for (int label = 0; label < N_LABELS; label++)
        out->dims[label] = 1;
    for (int i = 0; i < N_LABELS; i++) {
        int label = order[i];
        if (!(out->labels >> label & 1))
            continue;
        bool empty = a->dims[label] == 0 || b->dims[label] == 0;
        int64_t dim = empty ? 0 : i64_max(a->dims[label], b->dims[label]);
        out->dims[label] = dim;
        out->strides[label] = dim == 1 ? 0 : count;
        if (!i64_mul(count, dim, &count))
            return eval_fail(ctx, STRIDER_LIMIT_EXCEEDED, "a product of inputs is too large");
    }
    for (int i = N_LABELS - 1; i >= 0; i--)
        if ((a->labels | b->labels) >> order[i] & 1)
            loop_add(&loop, a, b, out, order[i]);
    TRY(take_operand(ctx, count, out));
    loop_run(&loop, floats, a, b, out);
    return STRIDER_OK;
}

/* Labels of the output from its last on, then all others. */
static uint64_t output_order(const Term *output, int rank, uint8_t order[N_LABELS]) {
    uint8_t labels[MAX_RANK];
    uint64_t in_output = 0;
    int n = 0;
    if (!term_labels(output, rank, labels)) /* infer() has made them fit */
        return 0;
    for (int i = rank - 1; i >= 0; i--) {
        order[n++] = labels[i];
        in_output |= (uint64_t)1 << labels[i];
    }
    for (int label = 0; label < N_LABELS; label++)
        if (!(in_output >> label & 1))
            order[n++] = (uint8_t)label;
    return in_output;
}

static uint64_t labels_from(EvalContext *ctx, int port) {
    const EinsumAttrs *attrs = eval_attrs(ctx);
    uint64_t labels = 0;
    for (; port < ctx->n_inputs; port++) {
        uint8_t term[MAX_RANK];
        int rank = ctx->inputs[port]->type.shape.rank;
        for (int i = 0; term_labels(&attrs->inputs[port], rank, term) && i < rank; i++)
            labels |= (uint64_t)1 << term[i];
    }
    return labels;
}

static Status einsum_reference(EvalContext *ctx) {
    const EinsumAttrs *attrs = eval_attrs(ctx);
    Tensor *y = ctx->outputs[0];
    bool floats = dtype_is_float(y->type.dtype);
    uint8_t order[N_LABELS];
    uint64_t in_output = output_order(&attrs->output, y->type.shape.rank, order);
    Operand product = {.labels = 0};
    for (int label = 0; label < N_LABELS; label++)
        product.dims[label] = 1;
    TRY(take_operand(ctx, 1, &product));
    if (floats)
        product.doubles[0] = 1;
    else
        product.bits[0] = 1;
    for (int port = 0; port < ctx->n_inputs; port++) {
        Operand next = {.memory = NULL}, joined = {.memory = NULL};
        Status status = load_operand(ctx, port, &next);
        if (!status)
            status = multiply(ctx, &product, &next, in_output | labels_from(ctx, port + 1), order, &joined);
        memory_give(ctx->allocator, next.memory);
        memory_give(ctx->allocator, product.memory);
        if (status)
            return status;
        product = joined;
    }
    if (floats)
        tensor_store_doubles(y, product.doubles);
    for (int64_t i = 0; !floats && i < tensor_elements(y); i++)
        tensor_set_bits(y, i, product.bits[i]);
    memory_give(ctx->allocator, product.memory);
    return STRIDER_OK;
}

const Op op_einsum = {
    .name = "Einsum",
    .since = 12,
    .inputs = {1, -1},
    .outputs = {1, 1},
    .attrs_size = sizeof(EinsumAttrs),
    .parse = einsum_parse,
    .infer = einsum_infer,
    .reference = einsum_reference,
};
