#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# registers.sh NVCC SOURCE_FOLDER ARCHITECTURE...: no kernel may need a stack or spill registers, on the oldest and the
# newest device that there is code for.  Indexing an array of its own by a variable is what usually makes one.
set -u
nvcc=$1 source=$2
shift 2
status=0
for architecture in "$@"; do
    for kernel in "$source"/src/ops/cuda/kernels/*.cu; do
        report=$("$nvcc" -arch="$architecture" -I"$source/src" -I"$source/include" -O3 -Xptxas=-v -cubin -o /dev/null "$kernel" 2>&1)
        functions=$(echo "$report" | grep -c "bytes stack frame")
        clean=$(echo "$report" | grep -c " 0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads")
        if [ "$functions" -eq 0 ] || [ "$functions" -ne "$clean" ]; then
            echo "$kernel, $architecture: $functions kernels, $clean without a stack"
            echo "$report"
            status=1
        fi
    done
done
exit $status
