#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# imports.sh MODULE VIRTUAL_FOLDER DOCUMENT FILE...: what the module calls of NVIDIA's libraries is what the virtual
# device has, so that a new call is tested before it is used; of cuDNN's functions it calls those that the document
# names; and the FILEs, the library and the program, depend on nothing of them.
set -u
calls=$(nm -D --undefined-only "$1" | awk '{print $2}' | grep -E "@lib(cu|nv)" | sed 's/@.*//' | sort -u)
there=$(nm -D --defined-only "$2"/*.so | awk '{print $3}' | sed 's/@.*//' | sort -u)
missing=$(printf '%s\n' $calls | grep -vxF "$there")
dnn=$(printf '%s\n' $calls | grep '^cudnn')
named=$(grep -oE '\bcudnn[A-Z][A-Za-z]*' "$3" | sort -u)
echo "$(printf '%s\n' $calls | wc -l) functions are called, $(printf '%s\n' $dnn | wc -l) of them cuDNN's"
if [ -n "$missing" ]; then
    echo "the virtual device lacks: $missing"
    exit 1
fi
if [ "$dnn" != "$named" ]; then
    printf 'cuDNN is called by these names:\n%s\nand %s has these:\n%s\n' "$dnn" "$3" "$named"
    exit 1
fi
shift 3
for file in "$@"; do
    if ldd "$file" | grep -E "libcu|libnv"; then
        echo "$file depends on CUDA"
        exit 1
    fi
done
