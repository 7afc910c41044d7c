#pragma once

#include <cstddef>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "strait/base/channel_name.hpp"
#include "strait/base/deadline.hpp"
#include "strait/handshake/half_open.hpp"
#include "strait/os/interest.hpp"
#include "strait/os/windows/descriptor.hpp"
#include "strait/os/windows/name_claim.hpp"
#include "strait/os/windows/named_pipe.hpp"
#include "strait/os/windows/peer_process.hpp"
#include "strait/os/windows/pipe_end.hpp"
#include "strait/os/windows/pipe_name.hpp"
#include "strait/os/windows/security.hpp"
#include "strait/peer.hpp"
#include "strait/result.hpp"

namespace strait::detail {

/// The client's end of the pipe of a name. `kind` is what the names of one transport begin with.
///
/// Errors: `invalid_name`, `not_found`; `would_block` when more clients have come at once than the
/// server has looked at; the system's.
inline Result<os::Descriptor> connect_to_name(const wchar_t* kind, std::string_view name) {
  if (auto checked = check_name(name); !checked) return checked.error();
  const std::wstring object = kind + os::object_name(name);
  auto pipe = os::connect_pipe(L"\\\\.\\pipe\\" + object);
  // The pipe is there as long as any client that once was let in.
  if (!pipe && pipe.error() == Errc::would_block && !os::NameClaim::is_held(object)) {
    return Errc::not_found;
  }
  return pipe;
}

/// An end of a pipe at which a server waits for a client.
class PipeInstance {
 public:
  PipeInstance* next = nullptr;

  PipeInstance(os::Descriptor pipe, HANDLE event) : pipe_(std::move(pipe)) {
    overlapped_.hEvent = event;
  }
  ~PipeInstance() { stop(); }
  PipeInstance(const PipeInstance&) = delete;
  PipeInstance& operator=(const PipeInstance&) = delete;

  /// Errors: the system's.
  Result<void> listen() {
    connected_ = false;
    if (::ConnectNamedPipe(pipe_.get(), &overlapped_)) return {};
    switch (const DWORD failed = ::GetLastError(); failed) {
      case ERROR_IO_PENDING: pending_ = true; return {};
      // One was faster; of the second kind, one that has left again.
      case ERROR_PIPE_CONNECTED:
      case ERROR_NO_DATA: connected_ = true; return {};
      default: return os::system_error(failed);
    }
  }

  /// Whether a client has connected. Whether it listens again, since the thread in which it had
  /// begun to has ended, `listened_anew` says.
  bool is_connected(bool& listened_anew) {
    if (connected_ || !pending_ || !HasOverlappedIoCompleted(&overlapped_)) return connected_;
    pending_ = false;
    DWORD nothing = 0;
    if (::GetOverlappedResult(pipe_.get(), &overlapped_, &nothing, FALSE)) return true;
    listened_anew = true;
    return ::GetLastError() != ERROR_OPERATION_ABORTED || !listen() || connected_;
  }

  HANDLE handle() const { return pipe_.get(); }
  os::Descriptor take() { return std::move(pipe_); }

 private:
  void stop() {
    if (!pending_) return;
    ::CancelIoEx(pipe_.get(), &overlapped_);
    DWORD nothing = 0;
    while (!HasOverlappedIoCompleted(&overlapped_)) {  // the event is set by others, too
      ::GetOverlappedResult(pipe_.get(), &overlapped_, &nothing, TRUE);
    }
  }

  os::Descriptor pipe_;
  OVERLAPPED overlapped_{};
  bool pending_ = false;
  bool connected_ = false;
};

/// A claimed name: the ends of its pipe that wait for clients, the clients that have not said Hello
/// yet, and one event for all of them. `Candidate` has an `end`, which is read once, `credentials`,
/// and a `child` if it is one, whose credentials are known already.
template <class Candidate>
class PipeServer {
 public:
  PipeServer() = default;
  PipeServer(PipeServer&& other) noexcept
      : claim_(std::move(other.claim_)),
        protection_(std::move(other.protection_)),
        name_(std::move(other.name_)),
        event_(std::move(other.event_)),
        first_(std::exchange(other.first_, nullptr)),
        listening_(std::exchange(other.listening_, 0)),
        half_open_(std::move(other.half_open_)) {}
  PipeServer& operator=(PipeServer&& other) noexcept {
    std::swap(claim_, other.claim_);
    std::swap(protection_, other.protection_);
    std::swap(name_, other.name_);
    std::swap(event_, other.event_);
    std::swap(first_, other.first_);
    std::swap(listening_, other.listening_);
    std::swap(half_open_, other.half_open_);
    return *this;
  }
  ~PipeServer() { withdraw(); }

  /// `kind` is what the names of one transport begin with.
  ///
  /// Errors: `invalid_name`, `name_taken`, `permission_denied`, the system's.
  static Result<PipeServer> listen(const wchar_t* kind, std::string_view name,
                                   AcceptLimits limits) {
    if (auto checked = check_name(name); !checked) return checked.error();
    auto protection = os::Protection::create(limits.peers, os::pipe_client_access);
    if (!protection) return protection.error();
    const std::wstring object = kind + os::object_name(name);
    auto claim = os::NameClaim::create(object, *protection);
    if (!claim) return claim.error();
    auto event = os::make_event();
    if (!event) return event.error();
    PipeServer server;
    server.claim_ = std::move(*claim);
    server.protection_ = std::move(*protection);
    server.name_ = L"\\\\.\\pipe\\" + object;
    server.event_ = std::move(*event);
    server.half_open_ = HalfOpen<Candidate>(limits);
    if (auto added = server.add_instance(); !added) return added.error();
    // Another user may have made the pipe before, and has then set the users that may open it.
    const auto owner = os::owner_of(server.first_->handle());
    if (!owner) return owner.error();
    if (!os::is_effective_user(*owner)) return Errc::permission_denied;
    server.add_instances();
    return server;
  }

  /// A server without a name, for the one client at the other end of a pipe: a child that its
  /// parent, the caller, has open.
  ///
  /// Errors: the system's; `std::errc::not_enough_memory`.
  static Result<PipeServer> serve_one(os::Descriptor pipe, const PeerCredentials& credentials,
                                      AcceptLimits limits) {
    auto event = os::make_event();
    if (!event) return event.error();
    auto process = os::PeerProcess::of_child(pipe.get(), credentials);
    auto end = os::PipeEnd::create(std::move(pipe), event->get());
    if (!end) return end.error();
    Candidate client(std::move(*end));
    client.credentials = credentials;
    client.child = std::move(process);
    PipeServer server;
    server.event_ = std::move(*event);
    server.half_open_ = HalfOpen<Candidate>(limits);
    if (auto added = server.half_open_.add(std::move(client)); !added) return added.error();
    return server;
  }

  /// Lets in clients that wait, and has `done(candidate, answer)` make what this returns of the
  /// next one of which `ask(candidate)` has something to say.
  ///
  /// Errors: `empty`; `peer_closed` when there was but one client and it is through; the system's.
  template <class Ask, class Done>
  auto accept(Ask&& ask, Done&& done)
      -> decltype(done(std::declval<Candidate&>(), ask(std::declval<Candidate&>()))) {
    ::ResetEvent(event_.get());
    if (name_.empty()) {
      if (half_open_.empty()) return Errc::peer_closed;
    } else if (auto let_in = let_clients_in(); !let_in) {
      return let_in.error();
    }
    auto answer = half_open_.next(ask, done);
    // Others may have been ready when the event was reset.
    if (answer || answer.error() != Errc::empty) ::SetEvent(event_.get());
    return answer;
  }

  /// Frees the name. Clients that have come already may still say Hello.
  void withdraw() {
    while (first_ != nullptr) delete std::exchange(first_, first_->next);
    listening_ = 0;
    claim_ = {};
  }

  Interest interest() const { return Interest::to_read(event_.get()); }
  Deadline deadline() const { return half_open_.deadline(); }

 private:
  /// How many clients may connect before the server looks: each needs an end that waits for it.
  static constexpr std::size_t backlog = 32;

  Result<void> add_instance() {
    auto pipe = os::make_pipe_instance(name_, *protection_);
    if (!pipe) return pipe.error();
    auto* instance = new (std::nothrow) PipeInstance(std::move(*pipe), event_.get());
    if (instance == nullptr) return no_memory();
    // Behind the others, so that the first client to come is the first to be let in.
    PipeInstance** end = &first_;
    while (*end != nullptr) end = &(*end)->next;
    *end = instance;
    ++listening_;
    return instance->listen();
  }
  void add_instances() {
    while (listening_ != backlog && add_instance()) {
    }
  }

  /// What this begins resets the event, so it looks until there was nothing to begin.
  ///
  /// Errors: the system's, when not one end is left that waits, but for want of handles or memory:
  /// then there is to be one after a while.
  Result<void> let_clients_in() {
    bool begun = true;
    while (begun && !half_open_.overfull()) {
      begun = false;
      for (PipeInstance** at = &first_; *at != nullptr && !half_open_.overfull();) {
        PipeInstance* const instance = *at;
        if (!instance->is_connected(begun)) {
          at = &instance->next;
          continue;
        }
        begun = true;
        *at = instance->next;
        --listening_;
        auto pipe = instance->take();
        delete instance;
        // One that has left already needs no place.
        auto end = os::PipeEnd::create(std::move(pipe), event_.get());
        if (end) static_cast<void>(half_open_.add(Candidate(std::move(*end))));
      }
      if (begun) add_instances();
    }
    if (listening_ != 0) return {};
    if (half_open_.paused() && !half_open_.resume()) return {};
    auto added = add_instance();
    if (added || !os::is_exhaustion(added.error())) return added;
    half_open_.pause();
    return {};
  }

  os::NameClaim claim_;
  std::optional<os::Protection> protection_;
  std::wstring name_;
  os::Descriptor event_;
  PipeInstance* first_ = nullptr;
  std::size_t listening_ = 0;
  HalfOpen<Candidate> half_open_;
};

}  // namespace strait::detail
