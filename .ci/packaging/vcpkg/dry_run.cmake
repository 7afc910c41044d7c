# Runs portfile.cmake as vcpkg would, with stand-ins for vcpkg's functions; a check where vcpkg is
# not: cmake -DCURRENT_PORT_DIR=.. -DCURRENT_PACKAGES_DIR=.. -DVERSION=.. -P dry_run.cmake
set(ENV{VCPKG_BUILD} "${CURRENT_PACKAGES_DIR}-build")
function(vcpkg_cmake_configure)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "SOURCE_PATH" "OPTIONS")
  execute_process(COMMAND "${CMAKE_COMMAND}" -G Ninja -S "${arg_SOURCE_PATH}" -B "$ENV{VCPKG_BUILD}"
      ${arg_OPTIONS} COMMAND_ERROR_IS_FATAL ANY)
endfunction()
function(vcpkg_cmake_install)
  execute_process(COMMAND "${CMAKE_COMMAND}" --install "$ENV{VCPKG_BUILD}"
      --prefix "${CURRENT_PACKAGES_DIR}" COMMAND_ERROR_IS_FATAL ANY)
endfunction()
function(vcpkg_cmake_config_fixup)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "CONFIG_PATH" "")
  file(RENAME "${CURRENT_PACKAGES_DIR}/${arg_CONFIG_PATH}" "${CURRENT_PACKAGES_DIR}/share/strait")
endfunction()
function(vcpkg_fixup_pkgconfig)
endfunction()
function(vcpkg_install_copyright)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "" "FILE_LIST")
  configure_file("${arg_FILE_LIST}" "${CURRENT_PACKAGES_DIR}/share/strait/copyright" COPYONLY)
endfunction()
include("${CURRENT_PORT_DIR}/portfile.cmake")

file(READ "${CURRENT_PORT_DIR}/vcpkg.json" manifest)
string(JSON port_version GET "${manifest}" version-semver)
if(NOT port_version STREQUAL VERSION)
  message(FATAL_ERROR "vcpkg.json says ${port_version}, and version.hpp ${VERSION}")
endif()
