# What every target of this project shares. Consumers see none of it but the sanitizers.

# lifeguard_target(<target>): language, warnings and sanitizers of one of our own targets.
function(lifeguard_target target)
    set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF)
    target_compile_options(${target} PRIVATE
        -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor -Wswitch-enum)
    if(LIFEGUARD_WERROR)
        target_compile_options(${target} PRIVATE -Werror)
    endif()
endfunction()

# lifeguard_precompile(<target> <header>...): precompiled headers that ccache can cache. The
# preprocessed text must name the header (g++), and the header must not hold the time it was
# made (clang); otherwise every build from scratch misses the cache.
function(lifeguard_precompile target)
    if(NOT LIFEGUARD_PCH)
        return()
    endif()
    target_precompile_headers(${target} PRIVATE ${ARGN})
    lifeguard_precompile_options(${target})
endfunction()

# lifeguard_precompile_from(<target> <other>): uses the precompiled header of another target,
# whose flags must be the same.
function(lifeguard_precompile_from target other)
    if(NOT LIFEGUARD_PCH)
        return()
    endif()
    target_precompile_headers(${target} REUSE_FROM ${other})
    lifeguard_precompile_options(${target})
endfunction()

function(lifeguard_precompile_options target)
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
        target_compile_options(${target} PRIVATE -fpch-preprocess)
    else()
        target_compile_options(${target} PRIVATE "SHELL:-Xclang -fno-pch-timestamp")
    endif()
endfunction()
