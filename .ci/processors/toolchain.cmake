# Builds for Linux on another processor, with Debian's cross compiler for STRAIT_TRIPLE; linked
# statically, so that qemu needs none of that system's libraries.
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES STRAIT_TRIPLE)
set(CMAKE_SYSTEM_NAME Linux)
string(REGEX REPLACE "-.*" "" CMAKE_SYSTEM_PROCESSOR "${STRAIT_TRIPLE}")
set(CMAKE_CXX_COMPILER "${STRAIT_TRIPLE}-g++")
# Without this, g++ for ARM tells of every call that its version 6 would have made in another way.
set(CMAKE_CXX_FLAGS_INIT "-Wno-psabi")
set(CMAKE_EXE_LINKER_FLAGS_INIT "-static")

# What is used of Catch2 is headers: see there.
set(Catch2_DIR "${CMAKE_CURRENT_LIST_DIR}/../macos" CACHE PATH "")
