# cmake -DCOMPILER=<c++> -DSOURCE=<file> -DEXPECT=accepted|refused [-DMESSAGE=<regex>]
#     [-DFLAGS=<flags>] -P check.cmake
#
# Compiles one file and compares what the compiler did with what is expected of it. Without a message
# it is the compiler's defect that refuses, with one our own check.
separate_arguments(flags UNIX_COMMAND "${FLAGS}")
execute_process(
    COMMAND "${CMAKE_COMMAND}" -E env LC_ALL=C "${COMPILER}" -std=c++20 -fsyntax-only ${flags} "${SOURCE}"
    RESULT_VARIABLE result
    OUTPUT_QUIET
    ERROR_VARIABLE messages)

if(EXPECT STREQUAL "accepted")
    if(NOT result EQUAL 0)
        message(FATAL_ERROR "should compile, but:\n${messages}")
    endif()
elseif(EXPECT STREQUAL "refused")
    if(result EQUAL 0 AND MESSAGE)
        message(FATAL_ERROR "compiles, and should not")
    elseif(result EQUAL 0)
        message(FATAL_ERROR
            "compiles: this compiler was mended, the rule in docs/compiler-traps.md may go")
    endif()
    # Any other message would mean that the file is wrong, not the compiler.
    if(NOT MESSAGE)
        set(MESSAGE "array used as initializer")
    endif()
    if(NOT messages MATCHES "${MESSAGE}")
        message(FATAL_ERROR "refused for an unexpected reason:\n${messages}")
    endif()
else()
    message(FATAL_ERROR "EXPECT is \"${EXPECT}\": accepted or refused")
endif()
