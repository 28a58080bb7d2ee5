/* SPDX-License-Identifier: Apache-2.0 */
/* What callers give to a run and get of it. */
#ifndef RUN_SESSION_VALUES_H
#define RUN_SESSION_VALUES_H

#include "run/interpreter.h"

/* Whether session->given fits the model; `with_data`: and has all data. */
Status values_check(const strider_session *session, bool with_data, Error *err) MUST_CHECK;
/* Makes session->inputs of session->given, and chooses the program: inputs that the caller does not give, and
 * that have a default, are constants unless another one of that kind is given. */
Status values_bring(strider_session *session, Error *err) MUST_CHECK;
/* Ends session->inputs. */
void values_drop(strider_session *session);

/* Output `index` of a frame that has run becomes session->results[index], in the session's memory. */
Status values_take_result(strider_session *session, const Frame *frame, size_t index, Error *err) MUST_CHECK;
/* Shows a result to the caller: copied where they brought memory for a tensor, else where it lies. */
Status values_show_tensor(const strider_session *session, size_t index, strider_tensor *output,
                          Error *err) MUST_CHECK;
Status values_show(strider_session *session, size_t index, strider_value *output, Error *err) MUST_CHECK;

#endif
