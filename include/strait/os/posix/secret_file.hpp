#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <system_error>

#include "strait/base/hex.hpp"
#include "strait/os/posix/descriptor.hpp"
#include "strait/os/posix/error.hpp"
#include "strait/os/posix/file_size_limit.hpp"
#include "strait/os/posix/random.hpp"
#include "strait/os/posix/user.hpp"
#include "strait/result.hpp"

namespace strait::os {

/// Reads a file that holds just `size` bytes of text and a newline, and that this user alone may
/// read.
///
/// Errors: `unsafe_token_file` if it is another user's, or others may read or write it, or it is no
/// plain file but a link, say; `garbled_token_file` if it holds another amount of text; the
/// system's.
inline Result<void> read_secret(const char* path, char* text, std::size_t size) {
  // Without waiting for the writer of a FIFO that somebody has put there.
  auto file = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  if (!file) return file.error() == system_error(ELOOP) ? Errc::unsafe_token_file : file.error();
  struct stat status;
  if (::fstat(file->get(), &status) != 0) return last_error();
  if (!S_ISREG(status.st_mode) || !is_effective_user(status.st_uid) ||
      (status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    return Errc::unsafe_token_file;
  }
  if (static_cast<std::size_t>(status.st_size) != size + 1) {
    return Errc::garbled_token_file;
  }
  const ssize_t got = retry([&] { return ::read(file->get(), text, size); });
  if (got < 0) return last_error();
  // It was cut meanwhile.
  if (static_cast<std::size_t>(got) != size) {
    return Errc::garbled_token_file;
  }
  return {};
}

/// Makes such a file, whole or not at all, if there is none.
///
/// Errors: `std::errc::file_exists`; the system's.
inline Result<void> create_secret(const std::string& path, std::string_view text) {
  if (auto allowed = check_file_size(text.size() + 1); !allowed) return allowed;
  std::array<std::byte, 8> random;
  if (auto filled = fill_random(random); !filled) return filled;
  std::string hidden = path + "." + std::string(2 * random.size(), '0');
  strait::detail::write_hex(random, hidden.data() + path.size() + 1);

  const auto file = open(hidden.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
  if (!file) return file.error();
  const std::string line = std::string(text) + '\n';
  Result<void> made;
  // A umask may have taken more than it should.
  if (::fchmod(file->get(), 0600) != 0) made = last_error();
  const ssize_t put =
      made ? retry([&] { return ::write(file->get(), line.data(), line.size()); }) : 0;
  if (made && static_cast<std::size_t>(put) != line.size()) {
    made = put < 0 ? last_error() : system_error(ENOSPC);
  }
  if (made && ::fsync(file->get()) != 0) made = last_error();
  // Unlike a rename, a link does not replace what another process has made meanwhile.
  if (made && ::link(hidden.c_str(), path.c_str()) != 0) made = last_error();
  ::unlink(hidden.c_str());
  return made;
}

}  // namespace strait::os
