# Parameters: PROGRAM, ARGUMENTS, FAILS, OUTPUT.
execute_process(COMMAND "${PROGRAM}" ${ARGUMENTS}
    RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output ECHO_OUTPUT_VARIABLE)

if(FAILS AND NOT status MATCHES "^[12]$")
    message(FATAL_ERROR "must fail with exit status 1 or 2, not '${status}'")
elseif(NOT FAILS AND NOT status STREQUAL "0")
    message(FATAL_ERROR "must succeed, not '${status}'")
endif()
if(NOT "${output}" MATCHES "${OUTPUT}")
    message(FATAL_ERROR "printed nothing that matches '${OUTPUT}'")
endif()
