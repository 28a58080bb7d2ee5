#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Sets up, builds and runs the tests; and the ONNX backend test suite, where the onnx package can be had.
set -eu
cd "$(dirname "$0")"
./setup.sh "$@"
ctest --preset release
tests/conformance/run.sh build
