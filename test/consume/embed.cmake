# Builds the consumer with lifeguard as a subdirectory, runs it, and installs lifeguard from that
# build for the test of the package: so the library is compiled once for both.
include("${CMAKE_CURRENT_LIST_DIR}/consume.cmake")

consume("${WORK}/embedded"
    "-DLIFEGUARD_SOURCES=${SOURCES}"
    -DLIFEGUARD_INSTALL=ON
    -DLIFEGUARD_WITH_SQLITE=ON
    -DLIFEGUARD_PCH=ON)

file(REMOVE_RECURSE "${WORK}/prefix")
run("${CMAKE_COMMAND}" --install "${WORK}/embedded" --prefix "${WORK}/prefix")
