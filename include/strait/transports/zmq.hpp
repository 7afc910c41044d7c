#pragma once

#include <zmq.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "strait/base/slice.hpp"
#include "strait/framing/frame_queue.hpp"
#include "strait/framing/frame_reader.hpp"
#include "strait/framing/frame_stream.hpp"
#include "strait/fwd.hpp"
#include "strait/handshake/half_open.hpp"
#include "strait/handshake/handshake_bytes.hpp"
#include "strait/os/interest.hpp"
#include "strait/os/posix/gathered.hpp"
#include "strait/peer.hpp"
#include "strait/result.hpp"
#include "strait/token.hpp"
#include "strait/transport.hpp"
#include "strait/transports/zmq/context.hpp"
#include "strait/transports/zmq/hub.hpp"
#include "strait/transports/zmq/ipc_file.hpp"
#include "strait/transports/zmq/keys.hpp"
#include "strait/transports/zmq/link.hpp"
#include "strait/transports/zmq/message.hpp"
#include "strait/wait_policy.hpp"

namespace strait {

/// Every connection is encrypted, and each side knows the other one's key: CurveZMQ.
struct Curve {
  static constexpr bool encrypts = true;
};
/// Nothing is: for tests, within this machine only (`unsupported` elsewhere).
struct Plaintext {
  static constexpr bool encrypts = false;
};

/// Messages between two machines, by ZeroMQ, which carries bytes only. A name is an endpoint, such
/// as `tcp://127.0.0.1:5555`, and may bring keys: see `ZmqName`. Needs libzmq 4.3.
///
/// The promises are those of the other transports. ZeroMQ's own are less: it connects again by
/// itself, and may lose what was under way. Here a link is one connection, and ends with it. Each
/// message is numbered. Neither side sends more than the other one has room for (1 MiB each way),
/// so one that is slow holds up no other one of the same server.
///
/// Every end has a share in the library's one context of libzmq in this process, whose threads do
/// the sending and receiving. What was sent when a link is closed has a second and a half to go
/// out, also while the process ends. Without memory or descriptors libzmq may abort the process.
template <class SecurityT>
class BasicZmqTransport {
 public:
  using wait_policy = Block;
  using Name = ZmqName;

  class Request {
   public:
    PeerCredentials credentials = unknown_credentials();
    std::error_code failure;
    PublicKey public_key;

    Request(Request&&) noexcept = default;
    Request& operator=(Request&&) noexcept = default;
    ~Request() {
      if (client_) std::move(*this).refuse({});
    }

    std::span<const std::byte> hello() const { return client_->handshake.bytes(); }
    Result<BasicZmqTransport> welcome(std::span<const std::byte> bytes) && {
      const auto hub = std::move(hub_);
      const auto client = std::move(client_);
      const auto locked = hub->lock();
      if (auto welcomed = hub->welcome(*client, bytes); !welcomed) {
        hub->refuse(*client, {});
        return welcomed.error();
      }
      return BasicZmqTransport(detail::ZmqLink(hub, client));
    }
    void refuse(std::span<const std::byte> bytes) && {
      const auto client = std::move(client_);
      if (!hub_->is_this_process()) return;
      const auto locked = hub_->lock();
      hub_->refuse(*client, bytes);
    }

   private:
    friend class BasicZmqTransport;
    Request() = default;

    std::shared_ptr<detail::ZmqHub> hub_;
    std::shared_ptr<detail::ZmqLinkState> client_;
  };

  class Server {
   public:
    Server(Server&&) noexcept = default;
    Server& operator=(Server&& other) noexcept {
      withdraw();
      hub_ = std::move(other.hub_);
      file_ = std::move(other.file_);
      return *this;
    }
    ~Server() { withdraw(); }

    Result<Request> accept() {
      if (!hub_->is_this_process()) return Errc::closed;
      const auto locked = hub_->lock();
      Request request;
      request.hub_ = hub_;
      if ((request.client_ = hub_->next_waiting())) {
        request.public_key = request.client_->key;
        return request;
      }
      if (!hub_->next_refused(request.public_key)) return Errc::empty;
      request.failure = make_error_code(Errc::permission_denied);
      return request;
    }
    /// Refuses clients from now on. The endpoint is free when the last link that came by it has
    /// ended: libzmq would end those with it.
    void withdraw() {
      if (!hub_ || !hub_->is_this_process()) return;
      file_.remove();
      const auto locked = hub_->lock();
      hub_->close();
    }
    Interest interest() const { return hub_->interest(); }
    detail::Deadline deadline() const { return detail::Deadline::never(); }

    /// Where it listens, with the port that the system chose if the name had `*` for one.
    std::string endpoint() const { return hub_->socket().endpoint(); }

   private:
    friend class BasicZmqTransport;
    Server(std::shared_ptr<detail::ZmqHub> hub, detail::ZmqIpcFile file)
        : hub_(std::move(hub)), file_(std::move(file)) {}

    std::shared_ptr<detail::ZmqHub> hub_;
    detail::ZmqIpcFile file_;
  };

  /// Has nothing of the system's before it says Hello.
  class Connector {
   public:
    Result<BasicZmqTransport> hello(std::span<const std::byte> bytes) && {
      // The channel says when its server has taken too long.
      auto hub = make_hub(name_, detail::ZmqHub::Role::client, detail::zmq_no_limit);
      if (!hub) return hub.error();
      if (auto configured = configure((*hub)->socket()); !configured) return configured.error();
      constexpr int events = ZMQ_EVENT_CONNECTED | ZMQ_EVENT_CLOSED | ZMQ_EVENT_DISCONNECTED |
                             ZMQ_EVENT_CONNECT_RETRIED | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH |
                             ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
                             ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL;
      if (auto watched = (*hub)->monitor(events); !watched) return watched.error();
      std::shared_ptr<detail::ZmqLinkState> state;
      {
        const auto locked = (*hub)->lock();
        if (::zmq_connect((*hub)->socket().get(), name_.endpoint.c_str()) != 0) {
          return name_failure();
        }
        auto connecting = (*hub)->connect(detail::HandshakeBytes(bytes), server_);
        if (!connecting) return connecting.error();
        state = std::move(*connecting);
      }
      // A key of the token's that is not allowed is another token's.
      const Errc denied = name_.keys.own ? Errc::permission_denied : Errc::bad_token;
      return BasicZmqTransport(detail::ZmqLink(std::move(*hub), std::move(state)), denied);
    }

   private:
    friend class BasicZmqTransport;
    Connector(const ZmqName& name, std::optional<KeyPair> own, const PublicKey& server)
        : name_(name), own_(own), server_(server) {}

    Result<void> configure(detail::ZmqSocket& socket) const {
      // A link is one connection: libzmq may try again tomorrow, when there is no link any more.
      // With -1 for never, or with ZMQ_IMMEDIATE, it would drop what has come when the connection
      // ends.
      constexpr int one_day = 24 * 60 * 60 * 1000;
      if (auto set = socket.set(ZMQ_RECONNECT_IVL, one_day); !set) return set;
      if (!own_) return {};
      const auto secret = own_->secret_text();
      const auto own = detail::key_text(own_->public_key().bytes.data());
      const auto server = detail::key_text(server_.bytes.data());
      if (auto set = socket.set(ZMQ_CURVE_SERVERKEY, server.data(), server.size()); !set) {
        return set;
      }
      if (auto set = socket.set(ZMQ_CURVE_PUBLICKEY, own.data(), own.size()); !set) return set;
      return socket.set(ZMQ_CURVE_SECRETKEY, secret.data(), secret.size());
    }

    ZmqName name_;
    /// None where nothing is encrypted.
    std::optional<KeyPair> own_;
    PublicKey server_;
  };

  /// Errors: `invalid_name`, `name_taken`, `permission_denied`; `unsupported` where libzmq has no
  /// CURVE, and for `Plaintext` past this machine; the system's.
  static Result<Server> listen(const ZmqName& name, detail::AcceptLimits limits,
                               const Token& token) {
    auto hub =
        make_hub(name, detail::ZmqHub::Role::server, detail::zmq_handshake_limit(limits.timeout));
    if (!hub) return hub.error();
    auto& socket = (*hub)->socket();
    if (encrypts(name)) {
      auto from_token = KeyPair::from_token(token);
      if (!from_token) return from_token.error();
      const auto secret = name.keys.own.value_or(*from_token).secret_text();
      auto admitted = name.keys.clients;
      if (admitted.empty()) admitted.push_back(from_token->public_key());
      static std::atomic<std::uint64_t> count = 0;
      const std::string domain = "strait." + std::to_string(++count);
      if (auto set = socket.set(ZMQ_CURVE_SERVER, 1); !set) return set.error();
      if (auto set = socket.set(ZMQ_CURVE_SECRETKEY, secret.data(), secret.size()); !set)
        return set.error();
      if (auto set = socket.set(ZMQ_ZAP_DOMAIN, domain.data(), domain.size()); !set)
        return set.error();
      if (auto guarded = (*hub)->guard(domain, std::move(admitted)); !guarded)
        return guarded.error();
    }
    // libzmq tells a sender that its peer is gone.
    if (auto set = socket.set(ZMQ_ROUTER_MANDATORY, 1); !set) return set.error();
    if (auto watched = (*hub)->monitor(ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_DISCONNECTED); !watched)
      return watched.error();
    detail::ZmqIpcFile file(name.endpoint);
    if (auto free = file.check_free(); !free) return free.error();
    const auto locked = (*hub)->lock();
    if (::zmq_bind(socket.get(), name.endpoint.c_str()) != 0) return name_failure();
    file.claim();
    if (auto opened = (*hub)->open(max_waiting(limits)); !opened) {
      file.remove();
      return opened.error();
    }
    return Server(std::move(*hub), std::move(file));
  }

  /// Errors: `unsupported`, as above. All else shows in `hello`, and that no server is there in
  /// `welcome`.
  static Result<Connector> look_up(const ZmqName& name, const Token& token) {
    if (auto checked = check(name); !checked) return checked.error();
    if (!encrypts(name)) return Connector(name, std::nullopt, PublicKey());
    auto from_token = KeyPair::from_token(token);
    if (!from_token) return from_token.error();
    return Connector(name, name.keys.own.value_or(*from_token),
                     name.keys.server.value_or(from_token->public_key()));
  }

  // Without a channel's token, as the contract says: keys have to be in the name, which a plain
  // string has not.
  static Result<Server> listen(const ZmqName& name, detail::AcceptLimits limits) {
    if (encrypts(name) && (!name.keys.own || name.keys.clients.empty())) return Errc::bad_token;
    return listen(name, limits, Token::from_bytes(no_token));
  }
  static Result<Connector> look_up(const ZmqName& name) {
    if (encrypts(name) && (!name.keys.own || !name.keys.server)) return Errc::bad_token;
    return look_up(name, Token::from_bytes(no_token));
  }

  PeerCredentials server_credentials() const { return unknown_credentials(); }
  /// The peer's; none where nothing is encrypted.
  const PublicKey& public_key() const { return link_.key(); }

  Result<detail::HandshakeBytes> welcome() {
    auto answer = link_.welcome();
    if (answer.failed_with(Errc::permission_denied)) return denied_;
    return answer;
  }

  template <class Payload>
  Result<void> send(const Payload& payload, detail::FrameQueue& queue) {
    return detail::send_frame(payload, queue, link_, writer());
  }
  Result<void> flush(detail::FrameQueue& queue) { return detail::flush_frames(queue, writer()); }

  template <class Sink>
  Result<void> receive(Sink&& sink, const ReceiveLimits& limits) {
    return reader_.receive(
        [&](std::span<std::byte> room) { return link_.read(room); },
        [&](const detail::FrameHeader& header, std::span<const std::byte> bytes) {
          return sink(Incoming{header.tag, bytes});
        },
        limits.max_message_bytes, detail::fair_share);
  }

  bool readable() const { return reader_.readable() || link_.readable(); }
  Armed arm(const detail::FrameQueue& queue) {
    Armed armed = link_.arm(!queue.empty());
    armed.ready = armed.ready || reader_.readable();
    return armed;
  }
  bool disarm() {
    link_.disarm();
    return true;
  }
  void take_doorbells() { link_.take_wakeups(); }

 private:
  static constexpr std::array<std::byte, Token::size_bytes> no_token{};

  explicit BasicZmqTransport(detail::ZmqLink link, Errc denied = Errc::permission_denied)
      : link_(std::move(link)), denied_(denied) {}

  static PeerCredentials unknown_credentials() {
    return {PeerCredentials::unknown_id, PeerCredentials::unknown_id, 0};
  }

  /// Clients that have said Hello wait for no one, so there may be some more of them.
  static std::size_t max_waiting(const detail::AcceptLimits& limits) {
    return 64 * limits.max_half_open;
  }

  static bool encrypts(const ZmqName& name) {
    return SecurityT::encrypts && !name.endpoint.starts_with("inproc://");
  }
  static bool is_local(const ZmqName& name) {
    constexpr std::string_view local[] = {
        "tcp://127.0.0.1:", "tcp://[::1]:", "tcp://localhost:", "ipc://", "inproc://"};
    for (const auto& front : local) {
      if (name.endpoint.starts_with(front)) return true;
    }
    return false;
  }

  static Result<void> check(const ZmqName& name) {
    if (name.endpoint.find('\0') != name.endpoint.npos) return Errc::invalid_name;
    if (!SecurityT::encrypts && !is_local(name)) return Errc::unsupported;
    return {};
  }

  /// Why an endpoint could not be used.
  static std::error_code name_failure() {
    switch (::zmq_errno()) {
      case EADDRINUSE: return make_error_code(Errc::name_taken);
      case EACCES:
      case EPERM: return make_error_code(Errc::permission_denied);
      case EINVAL:
      case ENAMETOOLONG:
      case ENOCOMPATPROTO:
      case EPROTONOSUPPORT: return make_error_code(Errc::invalid_name);
      default: return detail::zmq_failure();
    }
  }

  static Result<std::shared_ptr<detail::ZmqHub>> make_hub(const ZmqName& name,
                                                          detail::ZmqHub::Role role,
                                                          int handshake_limit) {
    if (auto checked = check(name); !checked) return checked.error();
    auto context = detail::ZmqContext::get();
    if (!context) return context.error();
    const bool serves = role == detail::ZmqHub::Role::server;
    auto socket =
        detail::ZmqSocket::create((*context)->get_raw(), serves ? ZMQ_ROUTER : ZMQ_DEALER);
    if (!socket) return socket.error();
    const int silence = static_cast<int>(
        std::clamp(name.silence, ZmqName::min_silence, ZmqName::max_silence).count());
    const std::pair<int, int> options[] = {
        {ZMQ_LINGER, static_cast<int>(detail::zmq_linger.count())},
        {ZMQ_SNDHWM, detail::zmq_queue_limit},
        {ZMQ_RCVHWM, detail::zmq_queue_limit},
        {ZMQ_BACKLOG, 1024},
        {ZMQ_IPV6, 1},
        {ZMQ_HANDSHAKE_IVL, handshake_limit},
        {ZMQ_HEARTBEAT_IVL, silence / 3},
        {ZMQ_HEARTBEAT_TIMEOUT, silence - silence / 3},
    };
    for (const auto& [option, value] : options) {
      if (auto set = socket->set(option, value); !set) return set.error();
    }
    // What a frame may be, encrypted; memory is taken for what one says.
    constexpr std::int64_t max_frame = (std::int64_t{64} << 10) + 1024;
    if (auto set = socket->set(ZMQ_MAXMSGSIZE, &max_frame, sizeof max_frame); !set)
      return set.error();
    return std::make_shared<detail::ZmqHub>(std::move(*context), std::move(*socket), role);
  }

  auto writer() {
    return [this](detail::Slice<const os::GatheredPart> parts) { return link_.write(parts); };
  }

  detail::ZmqLink link_;
  detail::FrameReader reader_;
  Errc denied_;
};

}  // namespace strait
