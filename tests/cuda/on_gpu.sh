#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# on_gpu.sh STRIDER COMMAND...: runs the command where there is a GPU that can be used; else says why not, and exits
# with 77.
if ! "$1" info --devices | grep "^cuda:0 " | grep -qv "not available"; then
    "$1" info --devices | sed 's/^/SKIPPED: /'
    exit 77
fi
shift
exec "$@"
