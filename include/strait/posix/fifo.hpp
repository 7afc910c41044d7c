#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cstddef>
#include <span>

#include "strait/peer.hpp"
#include "strait/posix/descriptor.hpp"
#include "strait/posix/error.hpp"
#include "strait/result.hpp"

namespace strait::posix {

/// A FIFO is opened for both, reading and writing, by the side that writes: so it can open it
/// before the reader is there, and a write to a reader that is gone raises no SIGPIPE. That the
/// peer is gone shows on the FIFO that it writes to.
enum class FifoEnd { read, write };

/// The user and group that own a file; its maker, and so known for sure.
inline Result<PeerCredentials> owner(int fd) {
  struct stat file;
  if (::fstat(fd, &file) != 0) return last_error();
  return PeerCredentials{file.st_uid, file.st_gid, 0};
}

inline bool same_file(int a, int b) {
  struct stat first;
  struct stat second;
  return ::fstat(a, &first) == 0 && ::fstat(b, &second) == 0 && first.st_ino == second.st_ino &&
         first.st_dev == second.st_dev;
}

/// Opens one end of a FIFO in a directory, without blocking now or later.
///
/// Errors: `malformed` if it is something else; those of `openat`.
inline Result<Descriptor> open_fifo(int directory, const char* name, FifoEnd end) {
  const int flags =
      (end == FifoEnd::read ? O_RDONLY : O_RDWR) | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC;
  Descriptor fifo = adopt_new(retry([&] { return ::openat(directory, name, flags); }));
  if (!fifo) return last_error();
  struct stat file;
  if (::fstat(fifo.get(), &file) != 0) return last_error();
  if (!S_ISFIFO(file.st_mode)) return Errc::malformed;
  return fifo;
}

/// Lets a FIFO hold more than the usual 64 KiB, where the system can do that and allows it.
inline void enlarge_fifo(const Descriptor& fifo) {
#if defined(F_SETPIPE_SZ)
  static_cast<void>(::fcntl(fifo.get(), F_SETPIPE_SZ, 1 << 20));
#else
  static_cast<void>(fifo);
#endif
}

/// Reads what is there, at least one byte.
///
/// Errors: `would_block`; `peer_closed` when there is no writer; those of `read`.
inline Result<std::size_t> read_some(const Descriptor& from, std::span<std::byte> bytes) {
  const ssize_t got = retry([&] { return ::read(from.get(), bytes.data(), bytes.size()); });
  if (got > 0) return static_cast<std::size_t>(got);
  if (got == 0) return Errc::peer_closed;
  if (errno == EAGAIN) return Errc::would_block;
  return last_error();
}

/// Writes what there is room for and returns how much that was.
///
/// Errors: those of `writev`; that there is no room is none.
inline Result<std::size_t> write_some(const Descriptor& to, std::span<const iovec> parts) {
  const ssize_t written =
      retry([&] { return ::writev(to.get(), parts.data(), static_cast<int>(parts.size())); });
  if (written >= 0) return static_cast<std::size_t>(written);
  if (errno == EAGAIN) return std::size_t{0};
  return last_error();
}

inline Result<std::size_t> write_some(const Descriptor& to, std::span<const std::byte> bytes) {
  const ssize_t written = retry([&] { return ::write(to.get(), bytes.data(), bytes.size()); });
  if (written >= 0) return static_cast<std::size_t>(written);
  if (errno == EAGAIN) return std::size_t{0};
  return last_error();
}

}  // namespace strait::posix
