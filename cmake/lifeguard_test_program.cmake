# lifeguard_test_program(<name> SOURCES <file>... [TIMEOUT <seconds>] [LABELS <label>...] [CUT])
#
# Builds test_<name> from Boost.Test sources and registers it with ctest. A run writes
# ${LIFEGUARD_TEST_REPORTS}/<name>.xml, which counts the cases; the log goes to stdout.
#
# CUT: it has coroutine tests (LIFEGUARD_TEST). With the address sanitizer each of them but those
# labelled "scale" is run again, as <name>_cut, destroyed after its 1st, 2nd, 3rd ... 300th handler,
# in whatever order things go then: nothing may leak or be used too late.
set(LIFEGUARD_TEST_REPORTS "${PROJECT_BINARY_DIR}/reports" CACHE PATH "Where the tests report")
file(MAKE_DIRECTORY "${LIFEGUARD_TEST_REPORTS}")

function(lifeguard_test_program name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "CUT" "TIMEOUT" "SOURCES;LABELS")
    if(NOT arg_TIMEOUT)
        set(arg_TIMEOUT 300)
    endif()
    if(NOT arg_LABELS)
        set(arg_LABELS unit)
    endif()

    add_executable(test_${name} ${arg_SOURCES})
    lifeguard_target(test_${name})
    lifeguard_precompile_from(test_${name} lifeguard_test_support)
    target_link_libraries(test_${name} PRIVATE lifeguard_test_support)

    add_test(NAME ${name} COMMAND test_${name}
        --log_level=test_suite
        --color_output=no
        --report_format=XML
        --report_level=detailed
        "--report_sink=${LIFEGUARD_TEST_REPORTS}/${name}.xml")
    set_tests_properties(${name} PROPERTIES
        TIMEOUT ${arg_TIMEOUT}
        LABELS "${arg_LABELS}"
        ENVIRONMENT "${LIFEGUARD_TEST_ENVIRONMENT}")

    if(arg_CUT AND "address" IN_LIST LIFEGUARD_SANITIZE)
        add_test(NAME ${name}_cut COMMAND test_${name}
            --run_test=@coroutine
            --run_test=!@scale
            --log_level=test_suite
            --color_output=no)
        set_tests_properties(${name}_cut PROPERTIES
            TIMEOUT 900
            LABELS "${arg_LABELS}"
            ENVIRONMENT "LIFEGUARD_TEST_CUTS=300;${LIFEGUARD_TEST_ENVIRONMENT}")
    endif()
endfunction()

# Sanitizers stop at the first finding: what runs after it proves nothing. Without one, memory that
# has been freed holds nothing that could be taken for what was there.
set(LIFEGUARD_TEST_ENVIRONMENT
    MALLOC_PERTURB_=165
    "ASAN_OPTIONS=abort_on_error=1:detect_stack_use_after_return=1:strict_string_checks=1"
    "UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1"
    "TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1:suppressions=${PROJECT_SOURCE_DIR}/test/support/tsan.supp")
