/* SPDX-License-Identifier: Apache-2.0 */
#include "run/session_values.h"

#include <string.h>

#include "graph/evaluate.h"

/* --- checking --- */

static bool is_absent(const strider_value *given) {
    return given->kind == STRIDER_TENSOR && !given->tensor.dtype;
}

static bool strings_have_data(const strider_tensor *tensor) {
    const strider_string *strings = tensor->data;
    for (int64_t i = 0; i < strider_tensor_elements(tensor); i++)
        if (strings[i].size && !strings[i].data)
            return false;
    return true;
}

static Status check_tensor(const Value *value, const strider_tensor *tensor, bool with_data, Error *err) {
    const ValueType *declared = &value->declared;
    if (strider_tensor_elements(tensor) < 0 || !dtype_size(tensor->dtype))
        return fail(err, STRIDER_INVALID_ARGUMENT, "input \"%s\" is not a valid tensor", value->name);
    if (with_data && !tensor->data && strider_tensor_elements(tensor) != 0)
        return fail(err, STRIDER_INVALID_ARGUMENT, "input \"%s\" has no data", value->name);
    if (with_data && tensor->dtype == STRIDER_STRING && !strings_have_data(tensor))
        return fail(err, STRIDER_INVALID_ARGUMENT, "a string of input \"%s\" has no data", value->name);
    if (declared->dtype && tensor->dtype != declared->dtype)
        return fail(err, STRIDER_INVALID_ARGUMENT, "input \"%s\" is %s, the model wants %s", value->name,
                    dtype_name(tensor->dtype), dtype_name(declared->dtype));
    Shape shape = shape_make(tensor->rank, tensor->dims);
    if (!shape_agrees(&declared->shape, &shape)) {
        char got[SHAPE_TEXT], wanted[SHAPE_TEXT];
        return fail(err, STRIDER_INVALID_ARGUMENT, "input \"%s\" has shape %s, the model wants %s",
                    value->name, shape_text(&shape, got), shape_text(&declared->shape, wanted));
    }
    return STRIDER_OK;
}

static Status check_kind(const Value *value, const strider_value *given, ValueKind kind, Error *err) {
    static const char *const names[] = {"a tensor", "a sequence", "an optional"};
    if ((ValueKind)given->kind == kind)
        return STRIDER_OK;
    return fail(err, STRIDER_INVALID_ARGUMENT, "input \"%s\" is not %s, as the model wants", value->name,
                names[kind]);
}

/* `kind` is what the model wants at this place. */
static Status check_value(const Value *value, const strider_value *given, ValueKind kind, bool with_data,
                          Error *err) {
    TRY(check_kind(value, given, kind, err));
    if (kind == VALUE_TENSOR)
        return check_tensor(value, &given->tensor, with_data, err);
    if (kind == VALUE_OPTIONAL && given->count > 1)
        return fail(err, STRIDER_INVALID_ARGUMENT, "input \"%s\" is an optional that holds %zu values",
                    value->name, given->count);
    for (size_t i = 0; i < given->count; i++)
        TRY(check_value(value, &given->items[i], kind == VALUE_OPTIONAL ? value->declared.held : VALUE_TENSOR,
                        with_data, err));
    return STRIDER_OK;
}

Status values_check(const strider_session *session, bool with_data, Error *err) {
    const Graph *border = session->model->border;
    for (size_t i = 0; i < border->n_inputs; i++) {
        const Value *value = border->inputs[i];
        const strider_value *given = &session->given[i];
        if (!is_absent(given))
            TRY(check_value(value, given, value->declared.kind, with_data, err));
        else if (!value->default_value)
            return fail(err, STRIDER_INVALID_ARGUMENT, "input \"%s\" is missing", value->name);
    }
    return STRIDER_OK;
}

/* --- inputs --- */

/* Where inputs lie that have no elements, or no data while preparing: pointers to NULL may not be moved. */
static char no_elements[MEMORY_ALIGNMENT];

static Tensor view_of(const strider_tensor *tensor) {
    const Shape shape = shape_make(tensor->rank, tensor->dims);
    return tensor_view(tensor->dtype, &shape, tensor->data ? tensor->data : no_elements);
}

/* Sequences and optionals are lists of the session's own; the tensors in them stay where they are. */
static Status bring_value(strider_session *session, const strider_value *given, RunValue **value,
                          Error *err) {
    const Allocator *allocator = &session->pool.allocator;
    if (given->kind == STRIDER_TENSOR)
        return run_value_wrap(allocator, view_of(&given->tensor), value, err);
    if (given->kind == STRIDER_OPTIONAL)
        TRY(run_value_new_optional(allocator, NULL, value, err));
    else
        TRY(run_value_new_sequence(allocator, given->dtype, value, err));
    Status status = STRIDER_OK;
    for (size_t i = 0; i < given->count && !status; i++) {
        RunValue *item = NULL;
        status = bring_value(session, &given->items[i], &item, err);
        if (!status)
            status = run_value_insert(*value, i, item, err);
        run_value_release(item);
    }
    if (status) {
        run_value_release(*value);
        *value = NULL;
    }
    return status;
}

/* A view that is never freed and, as the caller's, never changed. */
static void bring_tensor(strider_session *session, size_t index, Tensor view) {
    session->views[index] = (RunValue){.references = 2, .kind = VALUE_TENSOR, .tensor = view};
    session->inputs[index] = &session->views[index];
}

Status values_bring(strider_session *session, Error *err) {
    const Graph *border = session->model->border;
    session->chosen = &session->model->fixed;
    for (size_t i = 0; i < border->n_inputs; i++) {
        const Tensor *fallback = border->inputs[i]->default_value;
        const strider_value *given = &session->given[i];
        if (is_absent(given)) {
            const Value value = {.constant = fallback};
            Tensor view;
            TRY(session_constant(session, &value, &view, err));
            bring_tensor(session, i, view);
            continue;
        }
        if (fallback)
            session->chosen = &session->model->overridable;
        if (given->kind == STRIDER_TENSOR)
            bring_tensor(session, i, view_of(&given->tensor));
        else
            TRY(bring_value(session, given, &session->inputs[i], err));
    }
    return STRIDER_OK;
}

void values_drop(strider_session *session) {
    for (size_t i = 0; session->inputs && session->views && i < session->model->border->n_inputs; i++) {
        if (session->inputs[i] != &session->views[i])
            run_value_release(session->inputs[i]);
        session->inputs[i] = NULL;
    }
}

/* --- results --- */

static Status copy_tensor(strider_session *session, const Tensor *from, RunValue **copy, Error *err) {
    TRY(run_value_new_tensor(&session->pool.allocator, from->type.dtype, &from->type.shape, copy, err));
    if (from->size_bytes)
        memcpy((*copy)->tensor.data, from->data, from->size_bytes);
    return STRIDER_OK;
}

/* With tensors that the session owns: those in lists of the caller's, and constants, are copied. */
static Status own_value(strider_session *session, const RunValue *from, RunValue **own, Error *err) {
    const Allocator *allocator = &session->pool.allocator;
    if (from->kind == VALUE_TENSOR)
        return copy_tensor(session, &from->tensor, own, err);
    if (from->kind == VALUE_OPTIONAL)
        TRY(run_value_new_optional(allocator, NULL, own, err));
    else
        TRY(run_value_new_sequence(allocator, from->dtype, own, err));
    Status status = STRIDER_OK;
    for (size_t i = 0; i < from->n_items && !status; i++) {
        RunValue *item = from->items[i];
        const bool is_own = item->kind == VALUE_TENSOR && item->tensor.allocator;
        if (is_own)
            run_value_hold(item);
        else
            status = own_value(session, item, &item, err);
        if (!status)
            status = run_value_insert(*own, i, item, err);
        if (!status || is_own)
            run_value_release(item);
    }
    if (status) {
        run_value_release(*own);
        *own = NULL;
    }
    return status;
}

Status values_take_result(strider_session *session, const Frame *frame, size_t index, Error *err) {
    const Program *program = frame->program;
    const Value *value = program->graph->outputs[index];
    const int cell = program->outputs[index];
    if (cell == NO_CELL) {
        Tensor view;
        TRY(session_constant(session, value, &view, err));
        return copy_tensor(session, &view, &session->results[index], err);
    }
    RunValue *found = frame->cells[cell];
    /* What host() makes may be somebody else's: an input that it hands on. */
    const bool is_own = found->kind == VALUE_TENSOR && value->producer && !node_is_for_host(value->producer);
    if (!is_own)
        return own_value(session, found, &session->results[index], err);
    session->results[index] = run_value_hold(found);
    return STRIDER_OK;
}

static Status check_memory(const Value *value, const Type *type, const strider_tensor *output, Error *err) {
    Shape shape = shape_make(output->rank, output->dims);
    if (output->dtype == type->dtype && output->rank >= 0 && output->rank <= MAX_RANK &&
        shape_equal(&shape, &type->shape))
        return STRIDER_OK;
    char text[SHAPE_TEXT];
    return fail(err, STRIDER_INVALID_ARGUMENT, "the buffer for output \"%s\" must be %s %s", value->name,
                dtype_name(type->dtype), shape_text(&type->shape, text));
}

Status values_show_tensor(const strider_session *session, size_t index, strider_tensor *output, Error *err) {
    const Value *value = session->model->border->outputs[index];
    const RunValue *result = session->results[index];
    void *wanted = output->data;
    if (result->kind != VALUE_TENSOR)
        return fail(err, STRIDER_INVALID_ARGUMENT,
                    "output \"%s\" is no tensor: strider_session_run_values() shows it", value->name);
    if (wanted) {
        TRY(check_memory(value, &result->tensor.type, output, err));
        if (result->tensor.size_bytes)
            memcpy(wanted, result->tensor.data, result->tensor.size_bytes);
    }
    *output = tensor_to_public(&result->tensor);
    if (wanted)
        output->data = wanted;
    return STRIDER_OK;
}

static Status show_list(strider_session *session, const RunValue *result, strider_value *shown, Error *err) {
    *shown = (strider_value){
        .kind = (strider_value_kind)result->kind, .dtype = result->dtype, .count = result->n_items};
    if (result->kind == VALUE_TENSOR) {
        shown->tensor = tensor_to_public(&result->tensor);
        return STRIDER_OK;
    }
    shown->items = region_alloc_array(&session->shown, result->n_items, sizeof *shown->items);
    if (!shown->items)
        return fail(err, STRIDER_OUT_OF_MEMORY, "out of memory for the outputs");
    for (size_t i = 0; i < result->n_items; i++)
        TRY(show_list(session, result->items[i], &shown->items[i], err));
    return STRIDER_OK;
}

Status values_show(strider_session *session, size_t index, strider_value *output, Error *err) {
    const RunValue *result = session->results[index];
    if (result->kind != VALUE_TENSOR)
        return show_list(session, result, output, err);
    output->kind = STRIDER_TENSOR;
    return values_show_tensor(session, index, &output->tensor, err);
}
