/* SPDX-License-Identifier: Apache-2.0 */
/* Values of any kind: reading, copying and comparing them. */
#ifndef TOOLS_VALUES_H
#define TOOLS_VALUES_H

#include "compare.h"

/* Of a file such as input_0.pb, which holds a value of this kind; freed by strider_value_free(). */
strider_status value_read(const char *path, strider_value_kind kind, strider_value *value, char *name,
                          size_t name_size, strider_error *error);
/* False for an input or output of which nothing is known. */
bool value_is_given(const strider_value *value);
/* With all that it holds; freed by strider_value_free(). */
strider_status value_copy(const strider_value *from, strider_value *to, strider_error *error);
bool value_has_same_bits(const strider_value *a, const strider_value *b);

/* Calls `compare` for each tensor of a value, with where it is in it: "" or "[3]".  False, with the reason in
 * `why`, where the values are of different kinds or hold different numbers of values. */
enum { PLACE_TEXT = 64, WHY_TEXT = 200 };
typedef void (*ComparePart)(void *context, const char *place, const strider_tensor *got,
                            const strider_tensor *expected);
bool value_compare(const strider_value *got, const strider_value *expected, ComparePart compare,
                   void *context, char why[WHY_TEXT]);

#endif
