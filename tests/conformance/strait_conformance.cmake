# The conformance suite for a transport of your own.
#
#   find_package(strait REQUIRED)
#   include("${strait_DIR}/strait_conformance.cmake")
#   strait_add_conformance_tests(NAME HEADER FILE TRANSPORT TYPE)
#
# makes the program NAME and a ctest test of that name, which has every case that needs nothing but
# what the concept strait::Transport names. TYPE is the transport, as FILE declares it. Needs Catch2
# 2 or 3, and CMake 3.25.
set(strait_tests_directory "${CMAKE_CURRENT_LIST_DIR}/.." CACHE INTERNAL "")
if(NOT EXISTS "${strait_tests_directory}/support/main.cpp")
  set(strait_tests_directory "${CMAKE_CURRENT_LIST_DIR}/tests" CACHE INTERNAL "")
endif()

function(strait_add_conformance_tests name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "HEADER;TRANSPORT" "")
  if(NOT arg_HEADER OR NOT arg_TRANSPORT)
    message(FATAL_ERROR "strait_add_conformance_tests(NAME HEADER FILE TRANSPORT TYPE)")
  endif()
  find_package(Catch2 REQUIRED)
  find_package(Threads REQUIRED)
  cmake_path(ABSOLUTE_PATH arg_HEADER)
  set(root "${strait_tests_directory}")
  file(GLOB sources CONFIGURE_DEPENDS "${root}/conformance/*_test.cpp")
  # Rights and ends that travel are optional, and the warnings of headers are no matter of a
  # transport.
  list(FILTER sources EXCLUDE REGEX "(rights|pass_ends|switch_warnings)_test")
  foreach(support IN ITEMS main leak_check leak_listener native_$<LOWER_CASE:${CMAKE_SYSTEM_NAME}>
          process runtime_dir scripted_mach)
    list(APPEND sources "${root}/support/${support}.cpp")
  endforeach()
  add_executable(${name} ${sources})
  target_compile_features(${name} PRIVATE cxx_std_20)
  target_compile_definitions(${name} PRIVATE CATCH_CONFIG_FAST_COMPILE
    "STRAIT_CONFORMANCE_HEADER=\"${arg_HEADER}\"" "STRAIT_CONFORMANCE_TRANSPORT=${arg_TRANSPORT}")
  target_include_directories(${name} PRIVATE "${root}")
  target_link_libraries(${name} PRIVATE strait::strait Catch2::Catch2 Threads::Threads)
  set_target_properties(${name} PROPERTIES CXX_EXTENSIONS OFF UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 8)
  # Catch's implementation is made in the first, and some stand for a system's own functions.
  file(GLOB alone "${root}/support/*.cpp")
  set_source_files_properties(${alone} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
  if(NOT CMAKE_CROSSCOMPILING)
    add_test(NAME ${name} COMMAND ${name})
  endif()
endfunction()
