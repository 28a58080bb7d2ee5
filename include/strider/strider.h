/* SPDX-License-Identifier: Apache-2.0 */
/* Strider runs ONNX convolutional networks.  This header brings all of it:
 *
 *     strider_model *model;
 *     strider_session *session;
 *     strider_error error;
 *     if (strider_model_load("model.onnx", NULL, &model, &error) ||
 *         strider_session_create(model, NULL, &session, &error)) { ... error.message ... }
 *     strider_tensor input = {STRIDER_F32, 4, {1, 3, 224, 224}, pixels}, output = {0};
 *     if (strider_session_run(session, &input, 1, &output, 1, &error)) { ... }
 */
#ifndef STRIDER_STRIDER_H
#define STRIDER_STRIDER_H

#include "strider/device.h"
#include "strider/machine.h"
#include "strider/model.h"
#include "strider/session.h"
#include "strider/status.h"
#include "strider/tensor.h"
#include "strider/tuning.h"

#endif
