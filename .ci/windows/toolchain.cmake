# Builds for Windows with Debian's mingw-w64, and runs what it builds under Wine: see run.
set(CMAKE_SYSTEM_NAME Windows)
set(CMAKE_SYSTEM_PROCESSOR x86_64)
set(CMAKE_CXX_COMPILER x86_64-w64-mingw32-g++-posix)
set(CMAKE_RC_COMPILER x86_64-w64-mingw32-windres)
set(CMAKE_CROSSCOMPILING_EMULATOR /usr/lib/wine/wine64)

# Several files of tests in one have more sections than the usual form of an object file may have.
set(CMAKE_CXX_FLAGS_INIT "-Wa,-mbig-obj")
# No library has to stand beside a program.
set(CMAKE_EXE_LINKER_FLAGS_INIT "-static")

# The packages are Debian's, for Linux, but what is used of them is headers: see there.
foreach(package IN ITEMS Catch2 fmt CLI11)
  set(${package}_DIR "${CMAKE_CURRENT_LIST_DIR}/../macos" CACHE PATH "")
endforeach()

# Asio is nothing but headers, too.
set(ASIO_INCLUDE_DIR "${CMAKE_BINARY_DIR}/headers/asio_root" CACHE PATH "")
file(MAKE_DIRECTORY "${ASIO_INCLUDE_DIR}")
foreach(part IN ITEMS asio asio.hpp)
  file(CREATE_LINK "/usr/include/${part}" "${ASIO_INCLUDE_DIR}/${part}" SYMBOLIC)
endforeach()
