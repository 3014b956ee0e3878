include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/lifeguard")

install(TARGETS lifeguard EXPORT lifeguardTargets FILE_SET HEADERS)
if(LIFEGUARD_WITH_SQLITE)
    install(TARGETS lifeguard_sqlite EXPORT lifeguardTargets FILE_SET HEADERS)
endif()
if(LIFEGUARD_WITH_NATS)
    install(TARGETS lifeguard_nats EXPORT lifeguardTargets FILE_SET HEADERS)
    install(FILES "${PROJECT_SOURCE_DIR}/cmake/FindNats.cmake" DESTINATION "${package_dir}")
endif()
if(LIFEGUARD_WITH_HTTP)
    install(TARGETS lifeguard_http EXPORT lifeguardTargets FILE_SET HEADERS)
endif()
if(LIFEGUARD_CLI)
    install(TARGETS lifeguard_cli)
endif()
install(EXPORT lifeguardTargets NAMESPACE lifeguard:: DESTINATION "${package_dir}")

configure_package_config_file(
    "${PROJECT_SOURCE_DIR}/cmake/lifeguardConfig.cmake.in"
    "${PROJECT_BINARY_DIR}/lifeguardConfig.cmake"
    INSTALL_DESTINATION "${package_dir}")
write_basic_package_version_file(
    "${PROJECT_BINARY_DIR}/lifeguardConfigVersion.cmake"
    COMPATIBILITY SameMajorVersion)
install(FILES
    "${PROJECT_BINARY_DIR}/lifeguardConfig.cmake"
    "${PROJECT_BINARY_DIR}/lifeguardConfigVersion.cmake"
    DESTINATION "${package_dir}")
