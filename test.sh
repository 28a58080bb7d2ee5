#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Sets up, builds and runs the tests.
set -eu
cd "$(dirname "$0")"
./setup.sh "$@"
ctest --preset release
