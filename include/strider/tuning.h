/* SPDX-License-Identifier: Apache-2.0 */
/* Tuning: choosing kernels by times measured on this machine instead of by estimates. */
#ifndef STRIDER_TUNING_H
#define STRIDER_TUNING_H

#include "strider/model.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Times of kernels, by layer.  A session that has one (strider_session_options.tuning) measures, when it
 * makes a plan, every layer that several kernels could compute and that is not known yet: each kernel for
 * some milliseconds, on one thread, on memory of its own.  Several sessions, also of different models and in
 * several threads, may share one. */
typedef struct strider_tuning strider_tuning;

/* Makes an empty one.  STRIDER_OK or OUT_OF_MEMORY. */
STRIDER_API strider_status strider_tuning_create(strider_tuning **tuning, strider_error *error);

/* Frees it; NULL is allowed.  Sessions that have it must be freed before. */
STRIDER_API void strider_tuning_free(strider_tuning *tuning);

/* Adds the times of a file that strider_tuning_save() wrote; `*matches` (may be NULL) is set to false, and
 * nothing is added, where they were measured on another model of CPU or by another version of Strider.
 * FILE_ERROR (also where there is no such file), BAD_MODEL (no such file's contents) or OUT_OF_MEMORY. */
STRIDER_API strider_status strider_tuning_load(strider_tuning *tuning, const char *path, bool *matches,
                                               strider_error *error);

/* Writes all times to a file, in place of what it was; an old file stays whole until the new one is.  The
 * file is text: a line for each kernel and layer.  FILE_ERROR or OUT_OF_MEMORY. */
STRIDER_API strider_status strider_tuning_save(strider_tuning *tuning, const char *path,
                                               strider_error *error);

/* How many times were measured since it was made, loaded or saved. */
STRIDER_API size_t strider_tuning_unsaved(strider_tuning *tuning);

#ifdef __cplusplus
}
#endif
#endif
