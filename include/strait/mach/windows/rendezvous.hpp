#pragma once

#include <array>
#include <cstddef>
#include <cstring>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "strait/base/deadline.hpp"
#include "strait/base/hex.hpp"
#include "strait/base/user_id.hpp"
#include "strait/framing/frame_stream.hpp"
#include "strait/handshake/half_open.hpp"
#include "strait/handshake/handshake_bytes.hpp"
#include "strait/handshake/windows/inbox_note.hpp"
#include "strait/handshake/windows/pipe_server.hpp"
#include "strait/mach/windows/lane.hpp"
#include "strait/mach/windows/ring_memory.hpp"
#include "strait/os/interest.hpp"
#include "strait/os/windows/named_pipe.hpp"
#include "strait/os/windows/peer_process.hpp"
#include "strait/os/windows/pipe_end.hpp"
#include "strait/os/windows/random.hpp"
#include "strait/os/windows/security.hpp"
#include "strait/peer.hpp"
#include "strait/result.hpp"
#include "strait/rights/windows/handle_transfer.hpp"

namespace strait::windows_mach {

inline constexpr wchar_t kind[] = L"mach-";

/// What the names of a link's four objects have in common: chosen at random by the client, which
/// makes them, and told to the server. So they last as long as the client, and what a server has
/// sent arrives though it ends at once. Only the user may open them, in the same session.
using Stem = std::array<char, 32>;

/// Which of them: the rings from client to server and back, the events of server and client.
enum class Part : wchar_t { up = L'u', down = L'd', servers = L's', clients = L'c' };

inline std::wstring object_of(const Stem& stem, Part part) {
  std::wstring name = L"Local\\strait-mach-";
  for (const char c : stem) name += static_cast<wchar_t>(c);
  return name + L'-' + static_cast<wchar_t>(part);
}

/// Errors: the system's.
inline Result<Stem> new_stem() {
  std::array<std::byte, 16> random;
  if (auto filled = os::fill_random(random); !filled) return filled.error();
  Stem stem;
  strait::detail::write_hex(random, stem.data());
  return stem;
}

/// What goes over the pipe, once each way: a request with the stem, an answer, with which there is
/// a link if `links`; each with the number of an inbox for handles, if there is one.
struct Greeted {
  strait::detail::HandshakeBytes body;
  os::HandleNumber inbox = os::no_inbox;
  bool links = false;
  Stem stem{};
};

/// Errors: `would_block`, `peer_closed`, the system's.
inline Result<void> write_greeting(os::PipeEnd& to, std::span<const std::byte> said, bool links,
                                   std::span<const char> stem = {},
                                   os::HandleNumber inbox = os::no_inbox) {
  if (auto ready = to.prepare_to_write(); !ready) return ready;
  const auto noted = strait::detail::with_note(said, inbox);
  const auto body = noted.bytes();
  strait::detail::FrameHeader header{static_cast<std::uint32_t>(stem.size() + body.size()),
                                     static_cast<std::uint16_t>(links)};
  const os::GatheredPart parts[] = {{&header, sizeof header},
                                    {const_cast<char*>(stem.data()), stem.size()},
                                    {const_cast<std::byte*>(body.data()), body.size()}};
  const auto written = to.write(parts);
  if (!written) return written.error();
  return *written == sizeof header + header.bytes ? Result<void>() : Errc::would_block;
}

/// Errors: `would_block`; `peer_closed`; `malformed`; the system's.
inline Result<Greeted> read_greeting(os::PipeEnd& from, bool with_stem) {
  strait::detail::FrameHeader header;
  constexpr std::size_t capacity = strait::detail::HandshakeBytes::capacity;
  std::array<std::byte, sizeof header + sizeof(Stem) + capacity> frame;
  const auto got = from.read(frame);
  if (!got) return got.error();
  if (*got < sizeof header) return Errc::malformed;
  std::memcpy(&header, frame.data(), sizeof header);
  auto rest = std::span<const std::byte>(frame).first(*got).subspan(sizeof header);
  if (header.bytes != rest.size() || header.tag > 1 || header.continued != 0 ||
      header.rights != 0) {
    return Errc::malformed;
  }
  Greeted greeted;
  greeted.links = header.tag == 1;
  if (with_stem) {
    if (rest.size() < sizeof(Stem)) return Errc::malformed;
    std::memcpy(greeted.stem.data(), rest.data(), sizeof(Stem));
    rest = rest.subspan(sizeof(Stem));
    for (const char c : greeted.stem) {
      if (strait::detail::hex_digits.find(c) == std::string_view::npos) return Errc::malformed;
    }
  }
  if (rest.size() > capacity) return Errc::malformed;
  const auto noted = strait::detail::NotedHandshake::parse(rest);
  if (!noted) return noted.error();
  greeted.body = noted->body;
  greeted.inbox = noted->inbox;
  return greeted;
}

/// What a client sent to a name. `failure` tells if it did not get so far.
struct Request {
  explicit Request(os::PipeEnd pipe) : end(std::move(pipe)) {}

  PeerCredentials credentials;
  /// That the pipe's other end was given to, if it was: the credentials are its.
  std::optional<os::PeerProcess> child;
  std::error_code failure;
  strait::detail::HandshakeBytes body;
  os::HandleNumber inbox = os::no_inbox;
  Stem stem{};
  os::PipeEnd end;
};

/// A name that this process holds.
class ServicePort {
 public:
  /// Errors: also `unsupported` for `PeerPolicy::any_user`: another user can't open the objects of
  /// a link.
  static Result<ServicePort> check_in(std::string_view name, strait::detail::AcceptLimits limits) {
    if (limits.peers == PeerPolicy::any_user) return Errc::unsupported;
    auto server = strait::detail::PipeServer<Request>::listen(kind, name, limits);
    if (!server) return server.error();
    return ServicePort(std::move(*server));
  }

  /// A port without a name, for the one client at the other end of a pipe.
  static Result<ServicePort> check_in(os::Descriptor client, const PeerCredentials& credentials,
                                      strait::detail::AcceptLimits limits) {
    auto server =
        strait::detail::PipeServer<Request>::serve_one(std::move(client), credentials, limits);
    if (!server) return server.error();
    return ServicePort(std::move(*server));
  }

  Result<Request> receive() {
    return server_.accept([](Request& client) { return read_greeting(client.end, true); },
                          [](Request& client, const Result<Greeted>& hello) -> Result<Request> {
                            client.failure = hello.error();
                            if (hello) {
                              client.body = hello->body;
                              client.inbox = hello->inbox;
                              client.stem = hello->stem;
                            }
                            if (hello && !client.child) {
                              const auto known = os::client_credentials(client.end.get());
                              if (known) client.credentials = *known;
                              client.failure = known.error();
                            }
                            return std::move(client);
                          });
  }
  void withdraw() { server_.withdraw(); }
  Interest interest() const { return server_.interest(); }
  strait::detail::Deadline deadline() const { return server_.deadline(); }

 private:
  explicit ServicePort(strait::detail::PipeServer<Request> server) : server_(std::move(server)) {}

  strait::detail::PipeServer<Request> server_;
};

/// The right to send one request to the holder of a name.
class ServiceRight {
 public:
  static Result<ServiceRight> look_up(std::string_view name) {
    auto pipe = strait::detail::connect_to_name(kind, name);
    if (!pipe) return pipe.error();
    return look_up(std::move(*pipe));
  }

  /// The right to send one request over a pipe that this process inherited.
  static Result<ServiceRight> look_up(os::Descriptor pipe) {
    const auto credentials = os::server_credentials(pipe.get());
    if (!credentials) return credentials.error();
    ServiceRight right;
    right.pipe_ = std::move(pipe);
    right.credentials_ = *credentials;
    return right;
  }

  const PeerCredentials& credentials() const { return credentials_; }
  os::Descriptor take_pipe() && { return std::move(pipe_); }

 private:
  os::Descriptor pipe_;
  PeerCredentials credentials_;
};

/// Opens the objects of a link that the client has made, and lets the client in.
///
/// Errors: `bad_region` if they are none of a link of this size, or there is no such inbox;
/// `malformed`; those of the system; `peer_closed`.
inline Result<LinkPorts> welcome(Request&& request, std::size_t queue_bytes,
                                 std::span<const std::byte> body) {
  const std::size_t capacity = RingMemory::capacity_for(queue_bytes);
  auto up = RingMemory::open(object_of(request.stem, Part::up), capacity);
  if (!up) return up.error();
  auto down = RingMemory::open(object_of(request.stem, Part::down), capacity);
  if (!down) return down.error();
  auto wire = std::make_shared<Wire>();
  const auto open = [&](Part part, DWORD access) {
    return os::Descriptor(::OpenEventW(access, FALSE, object_of(request.stem, part).c_str()));
  };
  wire->event = open(Part::servers, EVENT_MODIFY_STATE | SYNCHRONIZE);
  wire->peers_event = open(Part::clients, EVENT_MODIFY_STATE);
  if (!wire->event || !wire->peers_event) return Errc::bad_region;
  auto incoming = os::HandleReceiver::create(
      request.child ? std::move(*request.child)
                    : os::PeerProcess::client_of(request.end.get(), request.credentials.uid));
  if (!incoming) return incoming.error();
  auto outgoing = os::HandleSender::create(incoming->peer(), request.inbox, wire->event.get());
  if (!outgoing) return outgoing.error();
  if (auto sent = write_greeting(request.end, body, true, {}, incoming->inbox_number()); !sent) {
    return sent.error();
  }
  wire->pipe = std::move(request.end);
  if (auto watched = wire->watch_end(); !watched) return watched.error();
  return LinkPorts{ReceiveRight(wire, std::move(*up), std::move(*incoming)),
                   SendRight(wire, std::move(*down), std::move(*outgoing))};
}

inline void refuse(Request&& request, std::span<const std::byte> body) {
  os::PipeEnd end = std::move(request.end);
  static_cast<void>(write_greeting(end, body, false));
}

/// What a server said to a request: with the ports of a link, or why there is none.
struct Answer {
  strait::detail::HandshakeBytes body;
  std::optional<LinkPorts> ports;
};

/// A request that was sent and not answered yet.
class Greeting {
 public:
  /// Makes the objects of a link. Errors: those of the system, `peer_closed`.
  static Result<Greeting> send(ServiceRight&& server, std::size_t queue_bytes,
                               std::span<const std::byte> body) {
    const auto stem = new_stem();
    if (!stem) return stem.error();
    const auto protection = os::Protection::create();
    if (!protection) return protection.error();
    const std::size_t capacity = RingMemory::capacity_for(queue_bytes);
    auto up = RingMemory::create(object_of(*stem, Part::up), capacity, *protection);
    if (!up) return up.error();
    auto down = RingMemory::create(object_of(*stem, Part::down), capacity, *protection);
    if (!down) return down.error();
    const auto create = [&](Part part) {
      return os::Descriptor(protection->use([&](SECURITY_ATTRIBUTES* attributes) {
        return ::CreateEventW(attributes, TRUE, FALSE, object_of(*stem, part).c_str());
      }));
    };
    Greeting greeting;
    greeting.wire_ = std::make_shared<Wire>();
    greeting.up_ = std::move(*up);
    greeting.down_ = std::move(*down);
    greeting.wire_->event = create(Part::clients);
    if (!greeting.wire_->event) return os::last_error();
    greeting.wire_->peers_event = create(Part::servers);
    if (!greeting.wire_->peers_event) return os::last_error();
    const UserId user = server.credentials().uid;
    auto pipe = os::PipeEnd::create(std::move(server).take_pipe(), greeting.event());
    if (!pipe) return pipe.error();
    auto incoming = os::HandleReceiver::create(os::PeerProcess::server_of(pipe->get(), user));
    if (!incoming) return incoming.error();
    greeting.incoming_ = std::move(*incoming);
    const auto sent = write_greeting(*pipe, body, false, *stem, greeting.incoming_.inbox_number());
    if (!sent) return sent.error();
    greeting.wire_->pipe = std::move(*pipe);
    return greeting;
  }

  /// Errors: `empty`; `peer_closed`; `malformed`; `bad_region` if there is no such inbox.
  Result<Answer> answer() {
    const auto greeted = read_greeting(wire_->pipe, false);
    if (!greeted) {
      return greeted.error() == Errc::would_block ? make_error_code(Errc::empty) : greeted.error();
    }
    Answer answer{greeted->body, {}};
    if (!greeted->links) return answer;
    auto outgoing = os::HandleSender::create(incoming_.peer(), greeted->inbox, event());
    if (!outgoing) return outgoing.error();
    if (auto watched = wire_->watch_end(); !watched) return watched.error();
    answer.ports.emplace(LinkPorts{ReceiveRight(wire_, std::move(down_), std::move(incoming_)),
                                   SendRight(wire_, std::move(up_), std::move(*outgoing))});
    return answer;
  }

  bool readable() const { return wire_->pipe.readable(); }
  bool arm() { return wire_->pipe.readable(); }
  bool disarm() { return false; }
  void take_doorbells() {}
  Interest interest() const { return Interest::to_read(event()); }

 private:
  HANDLE event() const { return wire_->event.get(); }

  os::HandleReceiver incoming_;
  std::shared_ptr<Wire> wire_;
  RingMemory up_;
  RingMemory down_;
};

}  // namespace strait::windows_mach
