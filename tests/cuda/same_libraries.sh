#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# same_libraries.sh BUILD OTHER_BUILD: the library and the program of two builds, one with and one without
# STRIDER_CUDA=OFF, need the same libraries.
set -u
for file in src/libstrider.so strider; do
    one=$(readelf -d "$1/$file" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | sort | xargs)
    other=$(readelf -d "$2/$file" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | sort | xargs)
    echo "$file: $one"
    if [ -z "$one" ] || [ "$one" != "$other" ]; then
        echo "but in $2: $other"
        exit 1
    fi
done
