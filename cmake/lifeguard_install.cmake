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
if(LIFEGUARD_WITH_TURTLE)
    install(TARGETS lifeguard_turtle EXPORT lifeguardTargets)
    install(FILES "${PROJECT_SOURCE_DIR}/cmake/FindSerd.cmake" DESTINATION "${package_dir}")
endif()
if(LIFEGUARD_CLI)
    install(TARGETS lifeguard_cli)
    install(FILES "${PROJECT_SOURCE_DIR}/docs/lifeguard.1" DESTINATION "${CMAKE_INSTALL_MANDIR}/man1")
    if(NOT CMAKE_CROSSCOMPILING)
        set(completion "${PROJECT_BINARY_DIR}/src/cli/completion")
        install(FILES "${completion}/lifeguard"
            DESTINATION "${CMAKE_INSTALL_DATADIR}/bash-completion/completions")
        install(FILES "${completion}/_lifeguard"
            DESTINATION "${CMAKE_INSTALL_DATADIR}/zsh/site-functions")
        install(FILES "${completion}/lifeguard.fish"
            DESTINATION "${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d")
    endif()
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
