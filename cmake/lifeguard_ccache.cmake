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
set(settings CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime)

# A checkout in another folder hits the cache when no object knows where it was made. Not with
# clang, whose precompiled headers remember and check the full names of what they include.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    list(APPEND settings "CCACHE_BASEDIR=${PROJECT_SOURCE_DIR}" CCACHE_ABSSTDERR=true)
    add_compile_options("-ffile-prefix-map=${PROJECT_SOURCE_DIR}=.")
    # ccache compiles "../../test/x.cpp" then; the tests' messages name "test/x.cpp".
    file(RELATIVE_PATH up "${PROJECT_BINARY_DIR}" "${PROJECT_SOURCE_DIR}/")
    add_compile_options("-fmacro-prefix-map=${up}=")
endif()

set(CMAKE_CXX_COMPILER_LAUNCHER "${CMAKE_COMMAND}" -E env ${settings} "${LIFEGUARD_CCACHE}")
