/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers as text and back, for Cast. */
#ifndef OPS_TEXT_NUMBER_TEXT_H
#define OPS_TEXT_NUMBER_TEXT_H

#include "ops/op.h"

enum { NUMBER_TEXT = 40 };

/* In whose locale numbers are written and read: C's, in the calling thread alone until it is given back. */
typedef struct NumberLocale {
    void *own, *before;
} NumberLocale;

NumberLocale number_locale_enter(void);
void number_locale_leave(NumberLocale locale);

/* Element `index` as text, of which it returns the length: integers in full, bools as True and False, floats
 * by the fewest digits that give back the same number in its type, as 314.15926, from 1e16 on and below 1e-4
 * as 3.1415926e+18; NaN, INF, -INF. */
size_t number_to_text(const Tensor *x, int64_t index, char text[NUMBER_TEXT]);
/* The reverse: decimal numbers, INF and NaN in any case, and to bool true and false; false where the text is
 * none of them.  To integers a fraction is cut off. */
bool number_from_text(String text, Tensor *y, int64_t index);

#endif
