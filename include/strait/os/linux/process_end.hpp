#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdio>
#include <cstring>

#include "strait/os/posix/descriptor.hpp"
#include "strait/os/posix/error.hpp"
#include "strait/os/posix/process.hpp"
#include "strait/os/posix/user.hpp"
#include "strait/os/process_status.hpp"
#include "strait/peer.hpp"

namespace strait::os {

/// Reads how a process has ended out of the text of its /proc/PID/stat. The kernel sets the code
/// before it closes the process's descriptors, so that an end of a connection that is seen closed
/// comes after it.
///
/// A code of 0 may also mean that the kernel does not tell: unless `is_told`.
inline ProcessEnd parse_process_end(const char* text, bool is_told) {
  constexpr unsigned exiting = 0x4;     // PF_EXITING
  constexpr unsigned signaled = 0x400;  // PF_SIGNALED
  // Any letter may be in the program's name, also a parenthesis.
  const char* const after_name = std::strrchr(text, ')');
  char state = 0;
  unsigned flags = 0;
  long threads = 0;
  int code = 0;
  // By the numbers in proc(5): 3, 9, 20 and 52.
  if (after_name == nullptr ||
      std::sscanf(after_name + 1,
                  " %c %*s %*s %*s %*s %*s %u %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %ld"
                  " %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s"
                  " %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %d",
                  &state, &flags, &threads, &code) != 4) {
    return {};
  }
  if (state != 'Z' && state != 'X' && (flags & exiting) == 0) return {};
  if (const int signal = code & 0x7f; signal != 0) return {ProcessEnd::How::killed, signal};
  if (code == 0 && (flags & signaled) != 0) return {ProcessEnd::How::gone, 0};
  // Its first thread may have ended and others go on.
  if (code == 0 && threads > 1) return {};
  if (code == 0 && !is_told) return {ProcessEnd::How::gone, 0};
  return {ProcessEnd::How::exited, code >> 8 & 0xff};
}

/// How a peer's process has ended. Another process may have its id by now, and then it seems to
/// live.
inline ProcessEnd look_at_end(const PeerCredentials& process) {
  if (process.pid <= 0) return {};
  std::array<char, 32> path;
  std::snprintf(path.data(), path.size(), "/proc/%d/stat", static_cast<int>(process.pid));
  std::array<char, 1024> text;
  ssize_t got = -1;
  if (const auto file = open(path.data(), O_RDONLY)) {
    got = retry([&] { return ::read(file->get(), text.data(), text.size() - 1); });
  }
  if (got <= 0) {
    return {has_ended(process.pid) ? ProcessEnd::How::gone : ProcessEnd::How::none, 0};
  }
  text[static_cast<std::size_t>(got)] = '\0';
  return parse_process_end(text.data(), is_effective_user(process.uid));
}

}  // namespace strait::os
