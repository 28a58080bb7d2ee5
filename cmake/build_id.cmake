# SPDX-License-Identifier: Apache-2.0
# cmake -D LIST=FILE -D ROOT=FOLDER -D VERSION=TEXT -D OUTPUT=FILE.c -P build_id.cmake
#
# Writes the text that a library and a module of devices must have in common: the version, and a hash of what LIST names,
# which is how both are compiled, a line, and then the headers that they share, a path in ROOT a line.  The file stays as it
# is where the text does, so that nothing is built anew.
file(STRINGS ${LIST} lines)
list(POP_FRONT lines how)
set(text "${how}\n")
foreach(header IN LISTS lines)
    file(SHA256 ${ROOT}/${header} hash)
    string(APPEND text "${header} ${hash}\n")
endforeach()
string(SHA256 id "${text}")
string(SUBSTRING ${id} 0 16 id)
file(CONFIGURE OUTPUT ${OUTPUT} @ONLY CONTENT [[
/* Made by cmake/build_id.cmake. */
#include "ops/device.h"

const char device_build[] = "@VERSION@ (build @id@)";
]])
