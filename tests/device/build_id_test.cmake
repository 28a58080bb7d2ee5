# SPDX-License-Identifier: Apache-2.0
# cmake -D SCRIPT=FILE -D FOLDER=FOLDER -P build_id_test.cmake
#
# What changes a build's id and what does not.
set(output ${FOLDER}/build_id.c)

function(build_id result)
    execute_process(COMMAND ${CMAKE_COMMAND} -D LIST=${FOLDER}/list.txt -D ROOT=${FOLDER} -D VERSION=1.2.3 -D OUTPUT=${output} -P ${SCRIPT}
        RESULT_VARIABLE failed)
    file(STRINGS ${output} line REGEX "1\\.2\\.3 \\(build [0-9a-f]+\\)")
    if(failed OR NOT line)
        message(FATAL_ERROR "no id was written")
    endif()
    set(${result} ${line} PARENT_SCOPE)
endfunction()

function(expect_other what got first)
    if(got STREQUAL first)
        message(FATAL_ERROR "the id is the same: ${what}")
    endif()
endfunction()

file(REMOVE_RECURSE ${FOLDER})
file(WRITE ${FOLDER}/list.txt "GNU 12 x86_64 8\na.h\nsub/b.h\n")
file(WRITE ${FOLDER}/a.h "struct a { int b; };\n")
file(WRITE ${FOLDER}/sub/b.h "struct c { long d; };\n")
build_id(first)
file(TIMESTAMP ${output} written "%s" UTC)

execute_process(COMMAND ${CMAKE_COMMAND} -E sleep 1.1)
file(TOUCH ${FOLDER}/a.h ${FOLDER}/list.txt)
build_id(again)
file(TIMESTAMP ${output} written_again "%s" UTC)
if(NOT again STREQUAL first OR NOT written_again STREQUAL written)
    message(FATAL_ERROR "files that were touched and not changed change the id or write it again")
endif()

file(WRITE ${FOLDER}/sub/b.h "struct c { long e; };\n")
build_id(other)
expect_other("a header has changed" ${other} ${first})
file(WRITE ${FOLDER}/sub/b.h "struct c { long d; };\n")
file(WRITE ${FOLDER}/list.txt "GNU 13 x86_64 8\na.h\nsub/b.h\n")
build_id(other)
expect_other("the compiler has changed" ${other} ${first})
file(WRITE ${FOLDER}/list.txt "GNU 12 x86_64 8\na.h\n")
build_id(other)
expect_other("a header has gone" ${other} ${first})
file(WRITE ${FOLDER}/list.txt "GNU 12 x86_64 8\na.h\nsub/b.h\n")
build_id(again)
if(NOT again STREQUAL first)
    message(FATAL_ERROR "the same files have another id")
endif()
