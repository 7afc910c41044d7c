#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <system_error>
#include <utility>
#include <variant>

#include "strait/framing/frame_queue.hpp"
#include "strait/handshake/handshake_bytes.hpp"
#include "strait/handshake/hello.hpp"
#include "strait/os/interest.hpp"
#include "strait/result.hpp"
#include "strait/rights/right_list.hpp"
#include "strait/transport.hpp"
#include "strait/transports/fault_script.hpp"

namespace strait {

/// Any transport, on which goes wrong what a `FaultScript` says: for tests of one's own code. With
/// no script it is as the transport itself, with which the other side may do; what goes out of line
/// there is copied here.
///
/// Threads: as any transport; a script may be another thread's.
template <class T>
class FaultyTransport {
  static_assert(Transport<T>,
                "strait: the argument of FaultyTransport is a transport, such as "
                "LoopbackTransport.");

 public:
  using wait_policy = typename T::wait_policy;
  static constexpr detail::WireOptions wire_options = detail::wire_options_of<T>();

  struct Request : T::Request {
    Result<FaultyTransport> welcome(std::span<const std::byte> bytes) && {
      return faulty(std::move(*this).T::Request::welcome(bytes));
    }
  };
  struct Server : T::Server {
    Result<Request> accept() {
      auto request = T::Server::accept();
      if (!request) return request.error();
      return Request{std::move(*request)};
    }
  };
  struct Connector : T::Connector {
    Result<FaultyTransport> hello(std::span<const std::byte> bytes) && {
      return faulty(std::move(*this).T::Connector::hello(bytes));
    }
  };

  static Result<Server> listen(std::string_view name, detail::AcceptLimits limits) {
    auto server = T::listen(name, limits);
    if (!server) return server.error();
    return Server{std::move(*server)};
  }
  static Result<Connector> look_up(std::string_view name) {
    if (const auto script = detail::WaitingScripts::of_this_thread().next()) {
      if (const auto why = script->take_connect()) return why;
    }
    auto found = T::look_up(name);
    if (!found) return found.error();
    return Connector{std::move(*found)};
  }
  PeerCredentials server_credentials() const
      requires(!detail::TellsCredentials<typename T::Connector>) {
    return link_->server_credentials();
  }
  Result<detail::HandshakeBytes> welcome() { return link_->welcome(); }

  template <class Payload>
  Result<void> send(const Payload& payload, detail::FrameQueue& queue) {
    if (auto queued = detail::enqueue(queue, payload); !queued) return queued;
    auto sent = flush(queue);
    if (!sent) drop(queue);
    return sent;
  }
  template <class Payload>
  Result<void> send(const Payload& payload, detail::FrameQueue& queue,
                    detail::RightList& rights) requires CarriesRights<T> {
    const std::size_t count = rights.size();
    if (auto queued = detail::enqueue(queue, payload, rights); !queued) return queued;
    auto sent = flush(queue);
    if (sent) return sent;
    // Once they have gone the message counts as sent; the next call tells what has happened.
    detail::FrameQueue& owner = front_.empty() ? queue : front_;
    const bool gone = owner.rights().empty();
    if (!gone) rights = owner.take_rights(count);
    drop(queue);
    return gone ? Result<void>() : sent;
  }
  static bool carries(const detail::Right& right) requires CarriesRights<T> {
    return T::carries(right);
  }

  Result<void> flush(detail::FrameQueue& queue) {
    held_ = false;
    heed_close();
    for (;;) {
      if (!is_open()) return Errc::peer_closed;
      if (queue.empty()) return {};
      if (front_.empty()) {
        if (const auto admitted = admit(); !admitted) {
          held_ = admitted.failed_with(Errc::would_block);
          return held_ ? Result<void>() : admitted;
        }
        if (auto moved = begin_front(queue); !moved) return moved;
      }
      if (auto sent = link_->flush(front_); !sent) return sent;
      if (!front_.empty()) return {};
      // It may have been replaced meanwhile: then the next one is whole.
      if (!queue.empty() && queue.front().header.continued != 0) queue.pop();
      if (script_) script_->count_sent();
      heed_close();
      if (queue.empty()) return {};
    }
  }
  bool retries() const {
    if constexpr (requires { link_->retries(); }) {
      if (is_open() && link_->retries()) return true;
    }
    return held_;
  }

  template <class Sink>
  Result<void> receive(Sink&& sink, const ReceiveLimits& limits) {
    heed_close();
    if (!is_open()) return Errc::peer_closed;
    if (auto ended = heed_receive_fault()) return *ended;
    std::optional<Result<void>> ended;
    Result<void> received;
    {
      const Receiving receiving(*this);
      received = link_->receive(
          [&](const Incoming& message) {
            const bool more = sink(message);
            if (!script_) return more;
            script_->count_received();
            if (more) ended = heed_receive_fault();
            return more && !ended && is_open();
          },
          limits);
    }
    return ended ? *ended : received;
  }

  bool readable() const { return !is_open() || has_receive_fault() || link_->readable(); }
  Armed arm(const detail::FrameQueue& queue) {
    if (!is_open()) return {{}, true};
    Armed armed = link_->arm(front_);
    const bool unsent = !queue.empty() && front_.empty() && !held_;
    armed.ready = armed.ready || unsent || has_receive_fault();
    return armed;
  }
  bool disarm() { return link_ && link_->disarm(); }
  void take_doorbells() {
    if (link_) link_->take_doorbells();
  }

  static Result<std::pair<FaultyTransport, FaultyTransport>> pair() requires requires { T::pair(); }
  {
    auto links = T::pair();
    if (!links) return links.error();
    FaultyTransport first(std::move(links->first));
    return std::pair(std::move(first), FaultyTransport(std::move(links->second)));
  }
  Result<detail::Right> detach() requires PassesEnds<T> {
    if (!is_open()) return Errc::peer_closed;
    return link_->detach();
  }
  static Result<FaultyTransport> attach(detail::Right& right) requires PassesEnds<T> {
    return faulty(T::attach(right));
  }

  auto unfinished() const requires requires(const T& link) { link.unfinished(); }
  {
    using Number = decltype(link_->unfinished());
    return link_ ? link_->unfinished() : Number{};
  }

 private:
  explicit FaultyTransport(T link)
      : link_(std::move(link)), script_(detail::WaitingScripts::of_this_thread().take()) {}
  static Result<FaultyTransport> faulty(Result<T> link) {
    if (!link) return link.error();
    return FaultyTransport(std::move(*link));
  }

  /// While this lives, the link is in use, and is broken only afterwards.
  struct Receiving {
    FaultyTransport& owner;
    explicit Receiving(FaultyTransport& link) : owner(link) { owner.receiving_ = true; }
    ~Receiving() {
      owner.receiving_ = false;
      if (owner.broken_) owner.link_.reset();
    }
    Receiving(const Receiving&) = delete;
    Receiving& operator=(const Receiving&) = delete;
  };

  bool is_open() const { return !broken_; }
  void close() {
    broken_ = true;
    if (!receiving_) link_.reset();
  }

  void heed_close() {
    if (script_ && script_->take_close()) close();
  }
  Result<void> admit() { return script_ ? script_->admit() : Result<void>(); }

  bool has_receive_fault() const { return script_ && script_->has_receive(); }
  /// What `receive` returns instead of going on, if anything.
  std::optional<Result<void>> heed_receive_fault() {
    if (!script_) return std::nullopt;
    const auto fault = script_->take_receive();
    if (!fault) return std::nullopt;
    if (const auto* fail = std::get_if<faults::Fail>(&*fault)) return Result<void>(fail->why);
    if (!std::holds_alternative<faults::Close>(*fault)) return Result<void>();
    close();
    return Result<void>(Errc::peer_closed);
  }

  /// Copies the oldest message, which the link may then send in parts. What stays of it in the
  /// queue, as one whose front part has left, tells the channel that there is something to send.
  Result<void> begin_front(detail::FrameQueue& queue) {
    const auto frame = queue.front();
    auto rights = queue.take_rights(frame.header.rights);
    std::byte* out = front_.push(frame.header.tag, frame.header.bytes, false, &rights);
    if (out == nullptr) return detail::no_memory();
    if (frame.header.bytes != 0) std::memcpy(out, frame.payload, frame.header.bytes);
    queue.advance(frame.header.bytes != 0 ? 1 : 0);
    return {};
  }

  void drop(detail::FrameQueue& queue) {
    front_.clear();
    queue.clear();
  }

  std::optional<T> link_;
  std::shared_ptr<detail::FaultState> script_;
  /// The message that the link is sending.
  detail::FrameQueue front_;
  /// The script has the next message wait, and no wake-up tells when it does no longer.
  bool held_ = false;
  bool broken_ = false;
  bool receiving_ = false;
};

}  // namespace strait
