# What `cmake --install` puts beside the headers: the CMake package with its components, strait.pc,
# and the conformance suite; and `cpack -G DEB`.
include(CMakePackageConfigHelpers)
set(strait_package_directory "${CMAKE_INSTALL_DATADIR}/cmake/strait")
install(TARGETS strait EXPORT strait FILE_SET HEADERS
  FILE_SET adapter_headers FILE_SET linux_headers FILE_SET darwin_headers
  FILE_SET windows_headers)
install(EXPORT strait
  NAMESPACE strait::
  FILE strait-targets.cmake
  DESTINATION "${strait_package_directory}")
configure_package_config_file("${CMAKE_CURRENT_LIST_DIR}/strait-config.cmake.in" strait-config.cmake
  INSTALL_DESTINATION "${strait_package_directory}"
  NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(strait-config-version.cmake
  COMPATIBILITY SameMinorVersion
  ARCH_INDEPENDENT)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/strait-config.cmake"
              "${CMAKE_CURRENT_BINARY_DIR}/strait-config-version.cmake"
              "${CMAKE_CURRENT_LIST_DIR}/adapters.txt"
              "${CMAKE_CURRENT_LIST_DIR}/strait_components.cmake"
              tests/conformance/strait_conformance.cmake
  DESTINATION "${strait_package_directory}")
# What `strait_add_conformance_tests` runs over a user's own transport.
install(DIRECTORY tests/conformance tests/support
  DESTINATION "${strait_package_directory}/tests"
  FILES_MATCHING PATTERN "*.hpp" PATTERN "*.cpp")

# A build system that knows modules compiles it itself.
install(FILES include/strait/strait.cppm DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/strait")

# Relative to the file, so that the prefix may be moved.
set(strait_pc_directory "${CMAKE_INSTALL_DATADIR}/pkgconfig")
file(RELATIVE_PATH strait_pc_up "/prefix/${strait_pc_directory}" "/prefix")
string(REGEX REPLACE "/$" "" strait_pc_up "${strait_pc_up}")
configure_file("${CMAKE_CURRENT_LIST_DIR}/strait.pc.in" strait.pc @ONLY)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/strait.pc" DESTINATION "${strait_pc_directory}")

if(PROJECT_IS_TOP_LEVEL)
  set(CPACK_PACKAGE_NAME libstrait-dev)
  set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
  set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
  set(CPACK_DEBIAN_PACKAGE_ARCHITECTURE all)
  set(CPACK_DEBIAN_PACKAGE_SECTION libdevel)
  # memfd_create, which MachTransport needs, is in glibc since 2.27.
  set(CPACK_DEBIAN_PACKAGE_DEPENDS "libc6-dev (>= 2.27)")
  set(CPACK_DEBIAN_PACKAGE_SUGGESTS "g++ (>= 4:11) | clang (>= 1:14), pkg-config")
  set(CPACK_DEBIAN_PACKAGE_DESCRIPTION "${PROJECT_DESCRIPTION} (C++ headers)
 A header-only C++20 library: typed messages between processes over a transport
 that is a template argument, through shared memory, sockets or pipes, with
 descriptors in messages, and safe against a hostile peer.")
  # Who packages says who that is, as to Debian's own tools.
  set(CPACK_PACKAGE_CONTACT "$ENV{DEBFULLNAME} <$ENV{DEBEMAIL}>")
  set(CPACK_PRE_BUILD_SCRIPTS "${CMAKE_CURRENT_LIST_DIR}/debian_files.cmake")
  set(CPACK_STRAIT_SOURCE "${PROJECT_SOURCE_DIR}")
  include(CPack)
endif()
