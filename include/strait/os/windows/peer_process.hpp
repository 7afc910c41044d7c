#pragma once

#include <cstdint>
#include <system_error>
#include <utility>

#include "strait/base/user_id.hpp"
#include "strait/os/windows/descriptor.hpp"
#include "strait/os/windows/named_pipe.hpp"
#include "strait/os/windows/user.hpp"
#include "strait/peer.hpp"
#include "strait/result.hpp"

namespace strait::windows {

/// A handle's number in its process, as it goes to another one: 32 bits are all that the system
/// uses.
using HandleNumber = std::uint32_t;

inline HandleNumber number_of(HANDLE handle) {
  return static_cast<HandleNumber>(reinterpret_cast<std::uintptr_t>(handle));
}
inline HANDLE handle_of(HandleNumber number) {
  return reinterpret_cast<HANDLE>(static_cast<std::uintptr_t>(number));
}

/// Whether a number is one of a table. A pseudo handle has none: taken out of another process, it
/// would stand for this one, or for its thread, with all access.
inline bool is_handle_number(std::intptr_t number) {
  return number > 0 && number <= INT32_MAX && number % 4 == 0;
}
inline bool can_travel(HANDLE handle) {
  return is_handle_number(reinterpret_cast<std::intptr_t>(handle));
}

/// The process at the other end of a pipe, opened so that handles can be taken out of it and put
/// into it. A number that the peer names is one of its own table, so a lie can only give away what
/// is the peer's.
class PeerProcess {
 public:
  PeerProcess() = default;

  /// That of a pipe's client. The kernel knows its id and, by `user`, whose it is. The id alone is
  /// no proof, for it may be another's by now: so the process that was opened has to have the same
  /// user, and the pipe's other end still to be open, which went with the process that had the id.
  static PeerProcess client_of(HANDLE pipe, const UserId& user) {
    ULONG id = 0;
    const bool known = ::GetNamedPipeClientProcessId(pipe, &id) != 0;
    return known ? open(pipe, id, user) : PeerProcess(Errc::permission_denied);
  }
  /// That of a pipe's server, in the same way.
  static PeerProcess server_of(HANDLE pipe, const UserId& user) {
    ULONG id = 0;
    const bool known = ::GetNamedPipeServerProcessId(pipe, &id) != 0;
    return known ? open(pipe, id, user) : PeerProcess(Errc::permission_denied);
  }
  /// That of a child which has inherited a pipe's end, for the kernel knows of the process that
  /// made the pipe alone: this one, whose handles the child would name then. The caller has the
  /// child's process open, so that its id is no other's.
  static PeerProcess of_child(HANDLE pipe, const PeerCredentials& child) {
    return open(pipe, static_cast<ULONG>(child.pid), child.uid);
  }
  /// For the same process. Errors are told as if it might not be opened.
  PeerProcess duplicate() const {
    PeerProcess copy(why_not_);
    if (process_) copy.process_ = windows::duplicate(process_.get());
    return copy;
  }

  /// Whether this process may open the peer's.
  explicit operator bool() const { return static_cast<bool>(process_); }

  /// A handle of this process's for what one of the peer's stands for, with the same rights.
  ///
  /// Errors: `malformed` if the peer has no such handle; `rights_lost` if the peer has ended, or
  /// this process has no room; `permission_denied` if this process may not open the peer's.
  Result<Descriptor> take(HandleNumber number) const {
    if (!process_) return why_not_;
    if (!is_handle_number(number)) return Errc::malformed;
    HANDLE taken = nullptr;
    if (::DuplicateHandle(process_.get(), handle_of(number), ::GetCurrentProcess(), &taken, 0,
                          FALSE, DUPLICATE_SAME_ACCESS)) {
      return Descriptor(taken);
    }
    const auto error = last_error();
    return has_ended() || is_exhaustion(error) ? Errc::rights_lost : Errc::malformed;
  }

  /// Puts a handle into the peer's table, for what one of this process's stands for, with `access`
  /// or, if that is 0, the same rights.
  ///
  /// Errors: `peer_closed` if the peer has ended; `permission_denied` if this process may not open
  /// the peer's; the system's.
  Result<HandleNumber> put(HANDLE handle, DWORD access = 0) const {
    if (!process_) return why_not_;
    HANDLE theirs = nullptr;
    if (::DuplicateHandle(::GetCurrentProcess(), handle, process_.get(), &theirs, access, FALSE,
                          access == 0 ? DUPLICATE_SAME_ACCESS : 0)) {
      return number_of(theirs);
    }
    const auto error = last_error();
    return has_ended() ? make_error_code(Errc::peer_closed) : error;
  }
  /// Closes a handle in the peer's table that was `put` there and that the peer was not told of.
  void take_back(HandleNumber number) const noexcept {
    HANDLE moved = nullptr;
    // To nowhere would do on Windows, but not under Wine.
    ::DuplicateHandle(process_.get(), handle_of(number), ::GetCurrentProcess(), &moved, 0, FALSE,
                      DUPLICATE_SAME_ACCESS | DUPLICATE_CLOSE_SOURCE);
    const Descriptor closed(moved);
  }

  bool has_ended() const { return ::WaitForSingleObject(process_.get(), 0) == WAIT_OBJECT_0; }

 private:
  explicit PeerProcess(std::error_code why_not) : why_not_(why_not) {}

  static PeerProcess open(HANDLE pipe, ULONG id, const UserId& user) {
    constexpr DWORD access = PROCESS_DUP_HANDLE | PROCESS_QUERY_LIMITED_INFORMATION | SYNCHRONIZE;
    PeerProcess peer(make_error_code(Errc::permission_denied));
    Descriptor process(::OpenProcess(access, FALSE, id));
    if (!process || !user || user_of_process(process.get()) != user) return peer;
    if (!is_whole(pipe)) return peer;
    peer.process_ = std::move(process);
    return peer;
  }

  Descriptor process_;
  std::error_code why_not_ = make_error_code(Errc::permission_denied);
};

}  // namespace strait::windows
