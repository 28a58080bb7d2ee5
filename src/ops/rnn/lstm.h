/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPS_RNN_LSTM_H
#define OPS_RNN_LSTM_H

#include "ops/rnn/recurrent.h"

RecurrentCell lstm_cell;

#endif
