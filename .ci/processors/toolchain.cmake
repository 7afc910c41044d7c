# Builds for Linux on another processor, with Debian's cross compiler for STRAIT_TRIPLE; linked
# statically, so that qemu needs none of that system's libraries.
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES STRAIT_TRIPLE)
set(CMAKE_SYSTEM_NAME Linux)
string(REGEX REPLACE "-.*" "" CMAKE_SYSTEM_PROCESSOR "${STRAIT_TRIPLE}")
set(CMAKE_CXX_COMPILER "${STRAIT_TRIPLE}-g++")
# g++ for ARM would tell of every call that its version 6 would have made in another way. And qemu
# gives a program of 32 bits the 64-bit offsets in directories that this system has, which only
# readdir() with large files takes.
set(CMAKE_CXX_FLAGS_INIT "-Wno-psabi -D_FILE_OFFSET_BITS=64")
set(CMAKE_EXE_LINKER_FLAGS_INIT "-static")

# What is used of Catch2 is headers: see there.
set(Catch2_DIR "${CMAKE_CURRENT_LIST_DIR}/../macos" CACHE PATH "")
