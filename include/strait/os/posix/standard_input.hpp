#pragma once

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "strait/base/deadline.hpp"
#include "strait/os/descriptors.hpp"
#include "strait/os/interest.hpp"
#include "strait/os/poll.hpp"
#include "strait/os/posix/descriptor.hpp"
#include "strait/os/posix/error.hpp"
#include "strait/result.hpp"

namespace strait::os {

/// What this process inherited as its standard input, which then is empty.
///
/// Errors: `not_found` if that is no socket.
inline Result<Descriptor> take_standard_input() {
  struct stat status;
  if (::fstat(STDIN_FILENO, &status) != 0 || !S_ISSOCK(status.st_mode)) return Errc::not_found;
  Descriptor input(::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
  if (!input) return last_error();
  auto nothing = open("/dev/null", O_RDONLY);
  if (!nothing) {
    // A bare chroot has none: a pipe that nothing writes to is as empty.
    auto pipe = pipe_pair();
    if (!pipe) return pipe.error();
    nothing = std::move((*pipe)[0]);
  }
  if (retry([&] { return ::dup2(nothing->get(), STDIN_FILENO); }) < 0) {
    return last_error();
  }
  return input;
}

/// Reads a line from a socket, without its end, and leaves alone what stands behind it.
///
/// Errors: `malformed`; `peer_closed`; `handshake_timeout`.
inline Result<std::string> read_line(const Descriptor& input, std::size_t max_bytes,
                                     detail::Deadline deadline) {
  std::string line(max_bytes, char());
  std::size_t size = 0;
  for (;;) {
    const auto receive = [&](std::size_t bytes, int how) {
      return retry([&] { return ::recv(input.get(), &line[size], bytes, MSG_DONTWAIT | how); });
    };
    const ssize_t got = receive(line.size() - size, MSG_PEEK);
    if (got == 0) return Errc::peer_closed;
    if (got > 0) {
      const std::string_view fresh(&line[size], static_cast<std::size_t>(got));
      const std::size_t end = fresh.find('\n');
      const bool ends = end != fresh.npos;
      const ssize_t taken = receive(ends ? end + 1 : fresh.size(), 0);
      if (taken < 0) return last_error();
      size += static_cast<std::size_t>(taken);
      if (ends) return line.substr(0, size - 1);
      if (size == line.size()) return Errc::malformed;
      continue;
    }
    if (errno != EAGAIN) return last_error();
    if (deadline.passed()) return Errc::handshake_timeout;
    auto slept = wait_for({Interest::to_read(input.get())}, deadline);
    if (!slept) return slept.error();
  }
}

}  // namespace strait::os
