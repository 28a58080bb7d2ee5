#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# imports.sh MODULE VIRTUAL_FOLDER LIBRARY: what the module calls of NVIDIA's libraries is what the virtual device has,
# so that a new call is tested before it is used; and the library itself calls nothing of them.
set -u
calls=$(nm -D --undefined-only "$1" | awk '{print $2}' | grep -E "@lib(cu|nv)" | sed 's/@.*//' | sort -u)
there=$(nm -D --defined-only "$2"/*.so | awk '{print $3}' | sed 's/@.*//' | sort -u)
missing=$(printf '%s\n' $calls | grep -vxF "$there")
echo "$(printf '%s\n' $calls | wc -l) functions are called, $(printf '%s\n' $calls | grep -c '^cudnn') of them cuDNN's"
if [ -n "$missing" ]; then
    echo "the virtual device lacks: $missing"
    exit 1
fi
if ldd "$3" | grep -E "libcu|libnv"; then
    echo "$3 depends on CUDA"
    exit 1
fi
