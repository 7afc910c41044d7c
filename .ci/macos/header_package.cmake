# header_package(TARGET DIRECTORY DEFINITIONS...): a target for the headers in /usr/include/DIRECTORY
# alone. All of /usr/include would bring in the headers of Linux.
function(header_package target directory)
  set(root "${CMAKE_BINARY_DIR}/headers/${directory}")
  file(MAKE_DIRECTORY "${root}")
  file(CREATE_LINK "/usr/include/${directory}" "${root}/${directory}" SYMBOLIC)
  add_library(${target} INTERFACE IMPORTED)
  target_include_directories(${target} INTERFACE "${root}")
  target_compile_definitions(${target} INTERFACE ${ARGN})
endfunction()
