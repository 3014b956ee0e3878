# Shared by the two tests. Parameters: SOURCES, WORK, COMPILER, LAUNCHER.

# In the environment, because a list does not survive as an argument.
set(ENV{CMAKE_CXX_COMPILER_LAUNCHER} "${LAUNCHER}")

function(run)
    execute_process(COMMAND ${ARGV} COMMAND_ECHO STDOUT COMMAND_ERROR_IS_FATAL ANY)
endfunction()

# consume(<build folder> <cmake argument>...): configures, builds and runs the consumer.
function(consume build)
    run("${CMAKE_COMMAND}" --fresh -G Ninja
        -S "${SOURCES}/test/consume/project" -B "${build}"
        "-DCMAKE_CXX_COMPILER=${COMPILER}"
        -DCMAKE_BUILD_TYPE=Debug
        "-DCMAKE_CXX_FLAGS_DEBUG=-O0"
        ${ARGN})
    run("${CMAKE_COMMAND}" --build "${build}")
    run("${build}/consumer")
    run("${build}/durable")
endfunction()
