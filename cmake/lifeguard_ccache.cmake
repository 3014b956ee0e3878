# Uses ccache when it is installed, unless the user or an embedding project chose a launcher.
if(NOT PROJECT_IS_TOP_LEVEL OR CMAKE_CXX_COMPILER_LAUNCHER)
    return()
endif()
find_program(LIFEGUARD_CCACHE ccache)
mark_as_advanced(LIFEGUARD_CCACHE)
if(NOT LIFEGUARD_CCACHE)
    return()
endif()

# Without this sloppiness ccache refuses every compilation that uses a precompiled header.
# The base directory lets two checkouts share what does not depend on where they are.
set(CMAKE_CXX_COMPILER_LAUNCHER
    "${CMAKE_COMMAND}" -E env
    CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
    "CCACHE_BASEDIR=${PROJECT_SOURCE_DIR}"
    "${LIFEGUARD_CCACHE}")
