#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "strait/base/channel_name.hpp"
#include "strait/os/posix/descriptor.hpp"
#include "strait/os/posix/fifo.hpp"
#include "strait/os/posix/fifo_pair.hpp"
#include "strait/os/posix/owner_process.hpp"
#include "strait/os/posix/user.hpp"
#include "strait/peer.hpp"

namespace strait::os {

/// Where the FIFOs or the socket of a name live: a directory of the name's own, in the user's
/// private one (`$XDG_RUNTIME_DIR/strait`, else `/tmp/strait-<uid>`), or where the name, a path,
/// says. A runtime directory is its owner's alone: root that runs in a user's session would leave
/// there what the user can't use.
struct NamePlace {
  std::string parent;
  std::string name;
  bool parent_is_ours;

  /// What clients meet the server at: a FIFO or a socket.
  static constexpr const char* hello_name = "hello";

  std::string hello() const { return directory() + "/" + hello_name; }
  std::string directory() const { return parent + (parent_is_ours ? "/" : "") + name; }
  /// Whether there is the directory in which the user's private one is, or could be made. That a
  /// path leads nowhere is another matter.
  bool has_root() const {
    struct stat root;
    return !parent_is_ours ||
           ::stat(parent.substr(0, parent.find_last_of('/')).c_str(), &root) == 0 ||
           errno != ENOENT;
  }
  static NamePlace of(std::string_view name) {
    if (detail::is_path(name)) {
      const std::size_t slash = name.find_last_of('/');
      return {std::string(name.substr(0, slash + 1)), std::string(name.substr(slash + 1)), false};
    }
    const char* runtime = ::getenv("XDG_RUNTIME_DIR");
    struct stat directory;
    // One that is missing is an error, not a reason to go elsewhere: the peer may see it made.
    if (runtime != nullptr && runtime[0] == '/' &&
        (::stat(runtime, &directory) == 0 ? is_effective_user(directory.st_uid)
                                          : errno != EACCES)) {
      return {std::string(runtime) + "/strait", std::string(name), true};
    }
    return {"/tmp/strait-" + std::to_string(effective_user()), std::string(name), true};
  }
};

/// Opens a directory. Errors: those of `open`; a symbolic link is `ENOTDIR` or `ELOOP`.
inline Result<Descriptor> open_directory(int at, const char* path) {
  Descriptor directory = adopt_new(
      retry([&] { return ::openat(at, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC); }));
  if (!directory) return last_error();
  return directory;
}

/// Errors: `permission_denied` unless the directory belongs to this user and others have no more
/// than these rights in it.
inline Result<void> check_private(const Descriptor& directory, mode_t allowed = 0) {
  struct stat status;
  if (::fstat(directory.get(), &status) != 0) return last_error();
  const bool ours = is_effective_user(status.st_uid) && (status.st_mode & 077 & ~allowed) == 0;
  return ours ? Result<void>() : Errc::permission_denied;
}

/// What `open` and `connect` say of a name that no server holds becomes `not_found`.
inline std::error_code or_not_found(std::error_code error) {
  // ENXIO: a FIFO without a reader; ECONNREFUSED: a socket on which no process listens.
  const bool absent = error == std::errc::no_such_file_or_directory ||
                      error == std::errc::no_such_device_or_address ||
                      error == std::errc::connection_refused;
  return absent ? make_error_code(Errc::not_found) : error;
}

/// Opens the directory of a name that a server holds.
///
/// Errors: `not_found`; `no_runtime_directory`; `permission_denied` in another user's directory,
/// where the server may be any process; those of `open`.
inline Result<Descriptor> find_name_directory(const NamePlace& place) {
  const auto parent = open_directory(AT_FDCWD, place.parent.c_str());
  if (!parent) return place.has_root() ? or_not_found(parent.error()) : Errc::no_runtime_directory;
  auto directory = open_directory(parent->get(), place.name.c_str());
  if (!directory) return or_not_found(directory.error());
  if (auto checked = check_private(*directory); !checked) return checked.error();
  return directory;
}

/// A name held by this process: its directory, locked. A lock dies with its owner, so a name is
/// never lost to a process that was killed; what that left behind is swept out. A forked process
/// has a share in the lock, and the name lives as long as either.
class NameDirectory {
 public:
  static constexpr const char* hello_name = NamePlace::hello_name;

  NameDirectory() = default;
  NameDirectory(NameDirectory&&) = default;
  NameDirectory& operator=(NameDirectory&&) = default;
  ~NameDirectory() {
    struct stat held, found;
    if (!directory_ || ::fstat(directory_.get(), &held) != 0) return;
    // A new lock can be had only when no process has a share in the old one.
    directory_.reset();
    auto again = open_directory(parent_.get(), place_.name.c_str());
    if (!again || ::flock(again->get(), LOCK_EX | LOCK_NB) != 0 ||
        ::fstat(again->get(), &found) != 0 || found.st_ino != held.st_ino ||
        found.st_dev != held.st_dev) {
      return;
    }
    directory_ = std::move(*again);
    remove();
  }

  /// For the process that has claimed it: frees the name, even if another process has a share in
  /// the lock.
  void withdraw() {
    if (directory_ && owner_.is_this()) remove();
  }

  /// Errors: `name_taken`; `permission_denied`; `no_runtime_directory`; the system's, among them
  /// that the parent of a path does not exist.
  static Result<NameDirectory> claim(std::string_view name,
                                     PeerPolicy peers = PeerPolicy::same_user) {
    // The last one out may remove a directory just when it was found.
    for (int attempt = 0; attempt != 100; ++attempt) {
      auto claimed = try_claim(name, peers);
      if (claimed || claimed.error() != Errc::busy) return claimed;
    }
    return Errc::name_taken;
  }

  int get() const { return directory_.get(); }
  const NamePlace& place() const { return place_; }

 private:
  /// That something is absent which was there a moment ago becomes `busy`.
  static std::error_code or_busy(std::error_code error) {
    return error == std::errc::no_such_file_or_directory ? make_error_code(Errc::busy) : error;
  }

  static Result<NameDirectory> try_claim(std::string_view name, PeerPolicy peers) {
    NameDirectory claimed;
    NamePlace& place = claimed.place_;
    place = NamePlace::of(name);
    if (place.parent_is_ours && ::mkdir(place.parent.c_str(), 0700) != 0 && errno != EEXIST) {
      const auto error = last_error();
      return place.has_root() ? error : Errc::no_runtime_directory;
    }
    auto parent = open_directory(AT_FDCWD, place.parent.c_str());
    if (!parent) return place.parent_is_ours ? or_busy(parent.error()) : parent.error();
    if (place.parent_is_ours) {
      if (auto checked = check_private(*parent); !checked) return checked.error();
    }
    if (::mkdirat(parent->get(), place.name.c_str(), 0700) != 0 && errno != EEXIST) {
      return place.parent_is_ours ? or_busy(last_error()) : last_error();
    }
    auto directory = open_directory(parent->get(), place.name.c_str());
    if (!directory) return or_busy(directory.error());
    // A killed server of the other policy may have left it.
    if (auto checked = check_private(*directory, for_others); !checked) return checked.error();
    if (retry([&] { return ::flock(directory->get(), LOCK_EX | LOCK_NB); }) != 0) {
      return errno == EWOULDBLOCK ? make_error_code(Errc::name_taken) : last_error();
    }
    // Its former holder may have removed the directory that it was on.
    struct stat locked, named;
    if (::fstat(directory->get(), &locked) != 0) return last_error();
    if (::fstatat(parent->get(), place.name.c_str(), &named, AT_SYMLINK_NOFOLLOW) != 0) {
      return or_busy(last_error());
    }
    if (locked.st_ino != named.st_ino || locked.st_dev != named.st_dev) return Errc::busy;
    const mode_t mode = 0700 | (peers == PeerPolicy::any_user ? for_others : 0);
    if (::fchmod(directory->get(), mode) != 0) return last_error();
    claimed.parent_ = std::move(*parent);
    claimed.directory_ = std::move(*directory);
    claimed.sweep();
    return claimed;
  }

  void remove() {
    ::unlinkat(directory_.get(), hello_name, 0);  // also when there is no descriptor to sweep with
    sweep();
    if (::unlinkat(parent_.get(), place_.name.c_str(), AT_REMOVEDIR) == 0 &&
        place_.parent_is_ours) {
      ::rmdir(place_.parent.c_str());  // the last one out; fails while others are there
    }
    directory_.reset();
  }

  /// Removes the FIFOs and sockets that servers and clients make, and nothing else that may lie
  /// there: a path may name a directory that has other uses.
  void sweep() {
    auto copy = open_directory(directory_.get(), ".");
    if (!copy) return;
    DIR* entries = ::fdopendir(copy->get());
    if (entries == nullptr) return;
    static_cast<void>(copy->release());
    while (const dirent* entry = ::readdir(entries)) {
      const std::string_view name(entry->d_name);
      const bool announced = name.size() == detail::FifoPair::stem_bytes + 3 &&
                             (name.ends_with(".up") || name.ends_with(".dn"));
      if (!announced && name != hello_name) continue;
      struct stat file;
      if (::fstatat(directory_.get(), entry->d_name, &file, AT_SYMLINK_NOFOLLOW) == 0 &&
          (S_ISFIFO(file.st_mode) || S_ISSOCK(file.st_mode))) {
        ::unlinkat(directory_.get(), entry->d_name, 0);
      }
    }
    ::closedir(entries);
  }

  /// What others may do with `any_user`: reach what they know the name of. They can't open the
  /// directory, so they can't lock it either.
  static constexpr mode_t for_others = 0011;

  NamePlace place_{};
  Descriptor parent_;
  Descriptor directory_;
  OwnerProcess owner_;
};

}  // namespace strait::os
