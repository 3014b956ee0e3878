# The NATS C client as nats::nats. Debian's own package file names a static library that Debian does
# not ship, so it cannot be used.
find_path(Nats_INCLUDE_DIR nats/nats.h)
find_library(Nats_LIBRARY nats)
if(Nats_INCLUDE_DIR AND EXISTS "${Nats_INCLUDE_DIR}/nats/version.h")
    file(STRINGS "${Nats_INCLUDE_DIR}/nats/version.h" line REGEX "NATS_VERSION_STRING")
    string(REGEX MATCH "[0-9]+\\.[0-9]+\\.[0-9]+" Nats_VERSION "${line}")
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Nats
    REQUIRED_VARS Nats_LIBRARY Nats_INCLUDE_DIR
    VERSION_VAR Nats_VERSION)
mark_as_advanced(Nats_INCLUDE_DIR Nats_LIBRARY)

if(Nats_FOUND AND NOT TARGET nats::nats)
    add_library(nats::nats UNKNOWN IMPORTED)
    set_target_properties(nats::nats PROPERTIES
        IMPORTED_LOCATION "${Nats_LIBRARY}"
        INTERFACE_INCLUDE_DIRECTORIES "${Nats_INCLUDE_DIR}")
endif()
