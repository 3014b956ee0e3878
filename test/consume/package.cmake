# Builds the consumer with the installed package and runs it. Looking for headers in the source
# tree would hide one that is not installed.
include("${CMAKE_CURRENT_LIST_DIR}/consume.cmake")

consume("${WORK}/installed" "-DCMAKE_PREFIX_PATH=${WORK}/prefix")

file(STRINGS "${WORK}/installed/CMakeCache.txt" found REGEX "^lifeguard_DIR:")
if(NOT found MATCHES "=${WORK}/prefix/")
    message(FATAL_ERROR "another lifeguard was found: ${found}")
endif()
