#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "strait/base/channel_name.hpp"
#include "strait/base/queue.hpp"
#include "strait/base/shared.hpp"
#include "strait/framing/frame_queue.hpp"
#include "strait/fwd.hpp"
#include "strait/handshake/half_open.hpp"
#include "strait/handshake/handshake_bytes.hpp"
#include "strait/memory/byte_buffer.hpp"
#include "strait/os/interest.hpp"
#include "strait/os/mutex.hpp"
#include "strait/os/owner_process.hpp"
#include "strait/os/poll.hpp"
#include "strait/os/process.hpp"
#include "strait/os/user.hpp"
#include "strait/os/wait_set.hpp"
#include "strait/rights/right_list.hpp"
#include "strait/transport.hpp"
#include "strait/wait_policy.hpp"

namespace strait {

namespace detail {

/// What the two ends of a loopback link share. Each end has an inbox, and a wakeup that the other
/// rings for a message, for room, and for good.
struct LoopbackWire {
  struct End {
    FrameQueue inbox;
    os::WaitSet wakeup;
    bool closed = false;
    bool wants_room = false;
  };

  static Result<Shared<LoopbackWire>> create() {
    auto wire = Shared<LoopbackWire>::make();
    for (End& end : wire->ends) {
      auto wakeup = os::WaitSet::create();
      if (!wakeup) return wakeup.error();
      end.wakeup = std::move(*wakeup);
    }
    return wire;
  }

  os::Mutex mutex;
  End ends[2];
};

/// One end of a wire, which closes it.
class LoopbackEnd {
 public:
  LoopbackEnd(Shared<LoopbackWire> wire, int side) : wire_(std::move(wire)), side_(side) {}
  LoopbackEnd(LoopbackEnd&&) = default;
  LoopbackEnd& operator=(LoopbackEnd&& other) noexcept {
    close();
    wire_ = std::move(other.wire_);
    side_ = other.side_;
    owner_ = other.owner_;
    return *this;
  }
  ~LoopbackEnd() { close(); }

  Lock<os::Mutex> lock() const { return Lock(wire_->mutex); }
  LoopbackWire::End& mine() const { return wire_->ends[side_]; }
  LoopbackWire::End& other() const { return wire_->ends[1 - side_]; }
  /// Whether both ends are of one wire.
  bool meets(const LoopbackEnd& end) const { return wire_ == end.wire_; }

 private:
  void close() {
    // In a forked process there is nothing at the other end, and a thread that is not there may
    // have had the mutex.
    if (!wire_ || !owner_.is_this()) return;
    FrameQueue unread;  // closed after the lock: there may be ends of other wires in it
    const auto locked = lock();
    unread = std::move(mine().inbox);
    mine().closed = true;
    static_cast<void>(other().wakeup.signal());
  }

  Shared<LoopbackWire> wire_;
  int side_;
  os::OwnerProcess owner_;
};

/// An end on its way.
struct PackedLoopbackEnd final : LocalRight {
  explicit PackedLoopbackEnd(LoopbackEnd travelling) : end(std::move(travelling)) {}

  /// The end in a right; a null pointer when there is none.
  static PackedLoopbackEnd* in(const Right& right) {
    return static_cast<PackedLoopbackEnd*>(right.local.get());  // there is no other kind
  }

  LoopbackEnd end;
};

/// A claimed name and the clients that have called it.
struct LoopbackName {
  struct Call {
    HandshakeBytes hello;
    LoopbackEnd end;
  };

  os::Mutex mutex;
  Queue<Call> calls;
  os::WaitSet wakeup;
};

struct LoopbackNames {
  struct Claim {
    std::string name;
    Weak<LoopbackName> server;
  };

  static LoopbackNames& instance() {
    static LoopbackNames names;
    return names;
  }

  /// Null when there is none of this name. Drops the claims of servers that are gone.
  Shared<LoopbackName> find(std::string_view name) {
    Shared<LoopbackName> found;
    for (std::size_t left = claims.size(); left != 0; --left) {
      Claim claim = claims.pop();
      auto server = claim.server.lock();
      if (!server) continue;
      if (claim.name == name) found = std::move(server);
      claims.push(std::move(claim));
    }
    return found;
  }

  os::Mutex mutex;
  Queue<Claim> claims;
};

}  // namespace detail

/// Both ends in one process: for unit tests of code that talks over channels, with the handshake,
/// the limits and the errors of the others and no second process. The ends may be on two threads.
///
/// A link holds up to 256 KiB of messages, or one larger message.
class LoopbackTransport {
 public:
  using wait_policy = Block;

  class Request {
   public:
    explicit Request(detail::LoopbackName::Call call)
        : credentials(own_credentials()), call_(std::move(call)) {}

    PeerCredentials credentials;
    std::error_code failure;

    std::span<const std::byte> hello() const { return call_.hello.bytes(); }
    Result<LoopbackTransport> welcome(std::span<const std::byte> bytes) && {
      if (auto sent = answer(bytes); !sent) return sent.error();
      return LoopbackTransport(std::move(call_.end));
    }
    void refuse(std::span<const std::byte> bytes) && { static_cast<void>(answer(bytes)); }

   private:
    Result<void> answer(std::span<const std::byte> bytes) {
      const auto locked = call_.end.lock();
      if (call_.end.other().closed) return Errc::peer_closed;
      std::byte* out = call_.end.other().inbox.push(0, bytes.size());
      if (out == nullptr) return detail::no_memory();
      std::memcpy(out, bytes.data(), bytes.size());
      return call_.end.other().wakeup.signal();
    }

    detail::LoopbackName::Call call_;
  };

  class Server {
   public:
    explicit Server(detail::Shared<detail::LoopbackName> name) : name_(std::move(name)) {}

    Result<Request> accept() {
      const detail::Lock locked(name_->mutex);
      if (name_->calls.empty()) {
        name_->wakeup.clear();
        return Errc::empty;
      }
      return Request(name_->calls.pop());
    }
    Interest interest() const { return Interest::to_read(name_->wakeup.native_handle()); }
    detail::Deadline deadline() const { return detail::Deadline::never(); }

   private:
    detail::Shared<detail::LoopbackName> name_;
  };

  class Connector {
   public:
    explicit Connector(detail::Shared<detail::LoopbackName> name) : name_(std::move(name)) {}

    PeerCredentials credentials() const { return own_credentials(); }

    Result<LoopbackTransport> hello(std::span<const std::byte> bytes) && {
      auto wire = detail::LoopbackWire::create();
      if (!wire) return wire.error();
      const detail::Lock locked(name_->mutex);
      name_->calls.push({detail::HandshakeBytes(bytes), detail::LoopbackEnd(*wire, 0)});
      if (auto rung = name_->wakeup.signal(); !rung) return rung.error();
      return LoopbackTransport(detail::LoopbackEnd(std::move(*wire), 1));
    }

   private:
    detail::Shared<detail::LoopbackName> name_;
  };

  static Result<Server> listen(std::string_view name, detail::AcceptLimits) {
    if (auto checked = detail::check_name(name); !checked) return checked.error();
    auto wakeup = os::WaitSet::create();
    if (!wakeup) return wakeup.error();
    auto& registry = detail::LoopbackNames::instance();
    const detail::Lock locked(registry.mutex);
    if (registry.find(name)) return Errc::name_taken;
    auto server = detail::Shared<detail::LoopbackName>::make();
    server->wakeup = std::move(*wakeup);
    registry.claims.push({std::string(name), server});
    return Server(std::move(server));
  }

  static Result<Connector> look_up(std::string_view name) {
    if (auto checked = detail::check_name(name); !checked) return checked.error();
    auto& registry = detail::LoopbackNames::instance();
    const detail::Lock locked(registry.mutex);
    auto server = registry.find(name);
    if (!server) return Errc::not_found;
    return Connector(std::move(server));
  }

  Result<detail::HandshakeBytes> welcome() {
    detail::RightList none;
    auto frame = take_frame(detail::HandshakeBytes::capacity, none);
    if (!frame) return frame.error();
    return detail::HandshakeBytes(incoming_.bytes());
  }

  template <class Payload>
  Result<void> send(const Payload& payload, detail::FrameQueue& queue) {
    detail::RightList none;
    return send(payload, queue, none);
  }

  /// Errors: also `unsupported` for an end of this same wire, which would then keep itself alive.
  template <class Payload>
  Result<void> send(const Payload& payload, detail::FrameQueue& queue, detail::RightList& rights) {
    if (holds_own_end(rights)) return Errc::unsupported;
    {
      const auto locked = end_.lock();
      auto& inbox = end_.other().inbox;
      if (end_.other().closed) return Errc::peer_closed;
      if (has_room(inbox, payload.size())) {
        if (auto rung = end_.other().wakeup.signal(); !rung) return rung;
        return detail::enqueue(inbox, payload, rights);
      }
    }
    return detail::enqueue(queue, payload, rights);
  }
  static bool carries(const detail::Right&) { return true; }

  Result<void> flush(detail::FrameQueue& queue) {
    if (holds_own_end(queue.rights())) return Errc::unsupported;
    const auto locked = end_.lock();
    auto& inbox = end_.other().inbox;
    while (!queue.empty()) {
      const auto frame = queue.front();
      if (end_.other().closed) return Errc::peer_closed;
      if (!has_room(inbox, frame.header.bytes)) return {};
      auto rights = queue.take_rights(frame.header.rights);
      std::byte* out = inbox.push(frame.header.tag, frame.header.bytes, false, &rights);
      if (out == nullptr) return detail::no_memory();
      std::memcpy(out, frame.payload, frame.header.bytes);
      queue.pop();
      if (auto rung = end_.other().wakeup.signal(); !rung) return rung;
    }
    return {};
  }

  template <class Sink>
  Result<void> receive(Sink&& sink, const ReceiveLimits& limits) {
    std::size_t left = detail::fair_share_bytes;
    for (int i = 0; i != detail::fair_share && left != 0; ++i) {
      detail::RightList rights;
      const auto tag = take_frame(limits.max_message_bytes, rights);
      if (!tag) return tag.error();
      left -= (detail::min)(left, incoming_.size());
      const Incoming message{*tag, incoming_.bytes(), rights.empty() ? nullptr : &rights};
      if (!sink(message)) return {};
    }
    return {};
  }

  bool readable() const {
    const auto locked = end_.lock();
    return !end_.mine().inbox.empty() || end_.other().closed;
  }
  Armed arm(const detail::FrameQueue& queue) {
    const auto locked = end_.lock();
    bool ready = !end_.mine().inbox.empty() || end_.other().closed;
    if (!queue.empty()) {
      end_.mine().wants_room = true;
      ready = has_room(end_.other().inbox, queue.front().header.bytes) || ready;
    }
    return {{Interest::to_read(end_.mine().wakeup.native_handle()), {}}, ready};
  }
  bool disarm() { return true; }
  void take_doorbells() {
    const auto locked = end_.lock();
    end_.mine().wakeup.clear();
  }

  static Result<std::pair<LoopbackTransport, LoopbackTransport>> pair() {
    auto wire = detail::LoopbackWire::create();
    if (!wire) return wire.error();
    return std::pair(LoopbackTransport(detail::LoopbackEnd(*wire, 0)),
                     LoopbackTransport(detail::LoopbackEnd(*wire, 1)));
  }
  Result<detail::Right> detach() {
    auto* packed = new (std::nothrow) detail::PackedLoopbackEnd(std::move(end_));
    if (packed == nullptr) return detail::no_memory();
    return detail::Right{{}, packed};
  }
  static Result<LoopbackTransport> attach(detail::Right& right) {
    auto* packed = detail::PackedLoopbackEnd::in(right);
    if (packed == nullptr) return Errc::wrong_right;
    LoopbackTransport link(std::move(packed->end));
    right = {};
    return link;
  }

 private:
  static constexpr std::size_t capacity_bytes = std::size_t{256} << 10;

  explicit LoopbackTransport(detail::LoopbackEnd end) : end_(std::move(end)) {}

  static PeerCredentials own_credentials() { return os::own_credentials(); }

  static bool has_room(const detail::FrameQueue& inbox, std::size_t bytes) {
    return inbox.empty() || inbox.bytes() + bytes <= capacity_bytes;
  }

  bool holds_own_end(const detail::RightList& rights) const {
    bool found = false;
    rights.for_each([&](const detail::Right& right) {
      const auto* packed = detail::PackedLoopbackEnd::in(right);
      found = found || (packed != nullptr && packed->end.meets(end_));
    });
    return found;
  }

  /// Copies the next message to `incoming_`, takes its rights, and returns its tag.
  Result<std::uint16_t> take_frame(std::size_t max_message_bytes, detail::RightList& rights) {
    const auto locked = end_.lock();
    auto& inbox = end_.mine().inbox;
    if (inbox.empty()) return end_.other().closed ? Errc::peer_closed : Errc::empty;
    const auto frame = inbox.front();
    if (frame.header.bytes > max_message_bytes) return Errc::message_too_large;
    incoming_.clear();
    std::byte* copy = incoming_.extend(frame.header.bytes);
    if (copy == nullptr) return detail::no_memory();
    std::memcpy(copy, frame.payload, frame.header.bytes);
    rights = inbox.take_rights(frame.header.rights);
    inbox.pop();
    if (end_.other().wants_room) {
      end_.other().wants_room = false;
      static_cast<void>(end_.other().wakeup.signal());
    }
    return frame.header.tag;
  }

  detail::LoopbackEnd end_;
  detail::ByteBuffer incoming_;
};

}  // namespace strait
