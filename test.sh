#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Sets up, builds, and runs the ONNX backend test suite, where the onnx package can be had, and the tests.
set -eu
cd "$(dirname "$0")"
./setup.sh "$@"
tests/conformance/run.sh build
ctest --preset release
