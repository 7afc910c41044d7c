# Builds for macOS 13 with zig, which has its own linker and the system's headers and symbols, so no
# SDK is needed. STRAIT_ZIG is the compiler's path, STRAIT_MACOS_CPU is aarch64 or x86_64.
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES STRAIT_ZIG STRAIT_MACOS_CPU)
set(CMAKE_SYSTEM_NAME Darwin)
set(CMAKE_SYSTEM_VERSION 22)
set(CMAKE_SYSTEM_PROCESSOR "${STRAIT_MACOS_CPU}")
set(CMAKE_CXX_COMPILER "${STRAIT_ZIG}" c++ -target "${STRAIT_MACOS_CPU}-macos.13.0-none")

# zig's own default is to trap on undefined behaviour, for which it would need a run-time library.
set(CMAKE_CXX_FLAGS_INIT "-O0 -fno-sanitize=undefined")

# CMake wants them to exist on this platform; nothing here is archived or renamed.
set(CMAKE_AR true CACHE FILEPATH "")
set(CMAKE_RANLIB true CACHE FILEPATH "")
set(CMAKE_INSTALL_NAME_TOOL true CACHE FILEPATH "")

# zig makes none.
set(CMAKE_DISABLE_PRECOMPILE_HEADERS ON CACHE BOOL "")
# Not found out, because it is said of the whole program on this platform, and zig links none so.
set(CMAKE_SIZEOF_VOID_P 8)

# The packages are Debian's, for Linux, but what is used of them is headers: see there.
foreach(package IN ITEMS Catch2 fmt CLI11)
  set(${package}_DIR "${CMAKE_CURRENT_LIST_DIR}" CACHE PATH "")
endforeach()
