#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The whole ONNX backend test suite, by the program in BUILD:
#     run.sh BUILD [--required] [--debian]
# It comes from the onnx package of the version that VERSION names: of $STRIDER_PYTHON, of the system's python3, or of a virtual
# environment that is made beside the user's other caches.  Where that cannot be had this says so and does nothing, unless it is
# --required.  --debian: Debian's libonnx-testdata 1.12, too, with the cases of older opsets.
set -eu
here="$(cd "$(dirname "$0")" && pwd)"
build="$(cd "$1" && pwd)"
required=false debian=false
for option in "${@:2}"; do
    case "$option" in
    --required) required=true ;;
    --debian) debian=true ;;
    *) echo "run.sh: unknown option $option" >&2; exit 2 ;;
    esac
done
version="$(cat "$here/VERSION")"
venv="${XDG_CACHE_HOME:-$HOME/.cache}/strider/onnx-$version"
scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT

has_onnx() {
    "$1" -c "import onnx; raise SystemExit(onnx.__version__ != '$version')" 2>/dev/null
}

find_python() {
    for python in ${STRIDER_PYTHON:+"$STRIDER_PYTHON"} python3; do
        if has_onnx "$python"; then
            echo "$python"
            return
        fi
    done
    has_onnx "$venv/bin/python" || { python3 -m venv "$venv" && "$venv/bin/pip" install -q "onnx==$version"; } >"$scratch/log" 2>&1
    has_onnx "$venv/bin/python" && echo "$venv/bin/python"
}

if ! python="$(find_python)"; then
    echo "the ONNX suite was not run: it needs python3 with venv, and the package onnx $version from PyPI"
    tail -n 3 "$scratch/log" 2>/dev/null || true
    if $required; then exit 1; fi
    exit 0
fi
"$python" "$here/generate.py" "$scratch/onnx"
"$python" "$here/run.py" "$build/strider" "$scratch/onnx" --expected "$here/expected/onnx-$version.txt"
if $debian; then
    (cd "$scratch" && apt-get download -qq libonnx-testdata && dpkg -x libonnx-testdata_*.deb debian) 2>/dev/null
    "$python" "$here/run.py" "$build/strider" "$scratch/debian/usr/share/libonnx-testdata/data" --expected "$here/expected/debian-1.12.txt"
fi
