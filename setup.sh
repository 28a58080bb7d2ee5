#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs what Strider is built with on Debian or Ubuntu, and builds it into build/.  Does nothing twice.
set -eu
cd "$(dirname "$0")"
packages="build-essential cmake ninja-build pkg-config libprotobuf-c-dev protobuf-c-compiler zlib1g-dev libjansson-dev libcmocka-dev
    libpng-dev libjpeg62-turbo-dev libtiff-dev libwebp-dev libopenjp2-7-dev"
missing=""
for package in $packages; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q "ok installed" || missing="$missing $package"
done
if [ -n "$missing" ]; then
    as_root=""
    [ "$(id -u)" -eq 0 ] || as_root="sudo"
    $as_root apt-get update -qq
    DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq $missing >/dev/null
fi
cmake --preset release "$@" >/dev/null
cmake --build --preset release
