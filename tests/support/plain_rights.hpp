#pragma once

// Descriptors of the system, or handles, to send: pipes of bytes, and a file.

#include <strait/os/descriptor.hpp>

#include <array>
#include <optional>

#include "strait/config.hpp"
#include "support/catch.hpp"

#if !STRAIT_HAS_WINDOWS
#include <fcntl.h>
#include <unistd.h>
#include <strait/os/descriptors.hpp>
#endif

namespace strait_test {

using strait::os::Descriptor;

#if STRAIT_HAS_WINDOWS

/// The end to read from and the end to write to of an ordinary pipe.
inline std::array<Descriptor, 2> plain_pipe() {
  HANDLE read_end = nullptr;
  HANDLE write_end = nullptr;
  REQUIRE(::CreatePipe(&read_end, &write_end, nullptr, 0));
  return {Descriptor(read_end), Descriptor(write_end)};
}
inline bool write_byte(const Descriptor& to, char byte) {
  DWORD written = 0;
  return ::WriteFile(to.get(), &byte, 1, &written, nullptr) && written == 1;
}
/// The next byte, which must be there.
inline std::optional<char> read_byte(const Descriptor& from) {
  char byte = 0;
  DWORD got = 0;
  if (!::ReadFile(from.get(), &byte, 1, &got, nullptr) || got != 1) return {};
  return byte;
}
/// Whether nothing is left to read and no end to write to is left anywhere.
inline bool has_ended(const Descriptor& from) {
  DWORD here = 0;
  return !::PeekNamedPipe(from.get(), nullptr, 0, nullptr, &here, nullptr) &&
         ::GetLastError() == ERROR_BROKEN_PIPE;
}
inline bool is_inherited(const Descriptor& descriptor) {
  DWORD flags = HANDLE_FLAG_INHERIT;
  ::GetHandleInformation(descriptor.get(), &flags);
  return (flags & HANDLE_FLAG_INHERIT) != 0;
}
inline Descriptor plain_file() {
  Descriptor file(::CreateFileW(L"NUL", GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE, nullptr,
                                OPEN_EXISTING, 0, nullptr));
  REQUIRE(file);
  return file;
}

#else

inline std::array<Descriptor, 2> plain_pipe() { return strait::os::pipe_pair().value(); }
inline bool write_byte(const Descriptor& to, char byte) { return ::write(to.get(), &byte, 1) == 1; }
inline std::optional<char> read_byte(const Descriptor& from) {
  char byte = 0;
  if (::read(from.get(), &byte, 1) != 1) return {};
  return byte;
}
inline bool has_ended(const Descriptor& from) {
  char byte = 0;
  return ::read(from.get(), &byte, 1) == 0;
}
inline bool is_inherited(const Descriptor& descriptor) {
  return ::fcntl(descriptor.get(), F_GETFD) != FD_CLOEXEC;
}
inline Descriptor plain_file() { return strait::os::open("/dev/null", O_RDONLY).value(); }

#endif

}  // namespace strait_test
