#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "strait/base/atomic.hpp"
#include "strait/base/slice.hpp"
#include "strait/os/descriptors.hpp"
#include "strait/os/posix/descriptor.hpp"
#include "strait/os/posix/error.hpp"
#include "strait/os/posix/kernel_numbers.hpp"
#include "strait/peer.hpp"
#include "strait/result.hpp"

namespace strait::os {

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

/// What the FIFOs of this process hold more than they were made for.
inline detail::Atomic<std::size_t> grown_fifo_bytes = 0;

/// What they may: a quarter of what the system lets all pipes of a user hold. Beyond the whole,
/// every new pipe of that user, in any program, holds 8 KiB.
inline std::size_t max_grown_fifo_bytes() {
  static const std::size_t bytes = [] {
    const auto soft = KernelNumbers<1>::read("/proc/sys/fs/pipe-user-pages-soft");
    // Zero is no limit.
    const std::uint64_t pages = soft.size == 1 && soft.values[0] != 0 ? soft.values[0] : 16384;
    return static_cast<std::size_t>(pages) * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)) / 4;
  }();
  return bytes;
}

/// The share of that which one FIFO has, until its owner is gone.
class FifoGrowth {
 public:
  FifoGrowth() = default;
  FifoGrowth(FifoGrowth&& other) noexcept
      : bytes_(std::exchange(other.bytes_, 0)), refused_(other.refused_) {}
  FifoGrowth& operator=(FifoGrowth&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    std::swap(refused_, other.refused_);
    return *this;
  }
  ~FifoGrowth() { give_back(); }

  /// Lets a FIFO that was found full hold 1 MiB, where the system can do that, the share allows it
  /// and the user's other pipes do not suffer. Returns whether it holds more now.
  bool grow(const Descriptor& fifo) {
#if defined(F_SETPIPE_SZ)
    constexpr std::size_t grown = 1 << 20;
    if (bytes_ != 0 || refused_) return false;
    if (grown_fifo_bytes.load(detail::MemoryOrder::relaxed) + grown > max_grown_fifo_bytes()) {
      return false;  // until another channel ends
    }
    const int before = ::fcntl(fifo.get(), F_GETPIPE_SZ);
    refused_ = before <= 0 || static_cast<std::size_t>(before) >= grown;
    if (refused_) return false;
    bytes_ = grown - static_cast<std::size_t>(before);
    // A counter of its own: no other memory is published with it.
    const std::size_t others = grown_fifo_bytes.fetch_add(bytes_, detail::MemoryOrder::relaxed);
    if (others + bytes_ <= max_grown_fifo_bytes()) {
      if (::fcntl(fifo.get(), F_SETPIPE_SZ, static_cast<int>(grown)) > 0) {
        if (new_pipe_holds(before)) return true;
        static_cast<void>(::fcntl(fifo.get(), F_SETPIPE_SZ, before));
      }
      refused_ = true;
    }
    give_back();
#else
    static_cast<void>(fifo);
#endif
    return false;
  }

 private:
#if defined(F_SETPIPE_SZ)
  /// Whether this user's next pipe, in whatever program, is not a small one.
  static bool new_pipe_holds(int bytes) {
    const auto pipe = pipe_pair();
    return pipe && ::fcntl((*pipe)[0].get(), F_GETPIPE_SZ) >= bytes;
  }
#endif

  void give_back() {
    grown_fifo_bytes.fetch_sub(std::exchange(bytes_, 0), detail::MemoryOrder::relaxed);
  }

  std::size_t bytes_ = 0;
  /// The system did.
  bool refused_ = false;
};

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
inline Result<std::size_t> write_parts(const Descriptor& to, detail::Slice<const iovec> parts) {
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

}  // namespace strait::os
