# SPDX-License-Identifier: Apache-2.0
# cuDNN::cudnn, cuDNN_VERSION.  Looks beside the CUDA toolkit, and where cuDNN_ROOT says.
find_path(cuDNN_INCLUDE_DIR cudnn_version.h HINTS ${CUDAToolkit_INCLUDE_DIRS} PATH_SUFFIXES include)
find_library(cuDNN_LIBRARY NAMES cudnn libcudnn.so.9 HINTS ${CUDAToolkit_LIBRARY_DIR} PATH_SUFFIXES lib lib64)
if(cuDNN_INCLUDE_DIR)
    file(STRINGS ${cuDNN_INCLUDE_DIR}/cudnn_version.h cuDNN_defines REGEX "#define CUDNN_(MAJOR|MINOR|PATCHLEVEL) +[0-9]+")
    string(REGEX REPLACE "[^0-9;]" "" cuDNN_numbers "${cuDNN_defines}")
    list(JOIN cuDNN_numbers . cuDNN_VERSION)
endif()
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(cuDNN REQUIRED_VARS cuDNN_LIBRARY cuDNN_INCLUDE_DIR VERSION_VAR cuDNN_VERSION)
if(cuDNN_FOUND AND NOT TARGET cuDNN::cudnn)
    add_library(cuDNN::cudnn UNKNOWN IMPORTED)
    set_target_properties(cuDNN::cudnn PROPERTIES IMPORTED_LOCATION ${cuDNN_LIBRARY}
        INTERFACE_INCLUDE_DIRECTORIES ${cuDNN_INCLUDE_DIR})
endif()
