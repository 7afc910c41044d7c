#pragma once

#include <zmq.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "strait/base/slice.hpp"
#include "strait/handshake/handshake_bytes.hpp"
#include "strait/os/interest.hpp"
#include "strait/os/posix/fork_mark.hpp"
#include "strait/os/posix/gathered.hpp"
#include "strait/os/wait_set.hpp"
#include "strait/peer.hpp"
#include "strait/result.hpp"
#include "strait/transports/zmq/connections.hpp"
#include "strait/transports/zmq/context.hpp"
#include "strait/transports/zmq/link_state.hpp"
#include "strait/transports/zmq/message.hpp"
#include "strait/transports/zmq/monitor.hpp"
#include "strait/transports/zmq/send_frame.hpp"
#include "strait/transports/zmq/waiting_clients.hpp"
#include "strait/transports/zmq/watch.hpp"
#include "strait/transports/zmq/wire.hpp"

namespace strait::detail {

/// One of libzmq's sockets and the links that share it: a server's ROUTER has many, a client's
/// DEALER one.
///
/// A socket is used by one thread at a time, hence the mutex. What comes for any link is taken in
/// by the thread that looks, and the owner of the link that it is for is woken. The one party that
/// a socket has (the only link, or a server without links) waits for the socket itself, which costs
/// no wake-up more than libzmq does. When there are several, the context's thread waits for it:
/// then a link is woken for its own messages only, and depends on no other link's owner. That costs
/// a wake-up.
class ZmqHub final : public ZmqServed, public std::enable_shared_from_this<ZmqHub> {
 public:
  using State = ZmqLinkState;
  enum class Role { server, client };

  ZmqHub(std::shared_ptr<ZmqContext> context, ZmqSocket socket, Role role)
      : role_(role), context_(std::move(context)), socket_(std::move(socket)) {}
  ~ZmqHub() {
    if (!is_this_process()) return;
    if (!domain_.empty()) context_->unguard(domain_);
    watch_.stop();
    if (role_ == Role::server && monitor_) context_->forget(monitor_.descriptor());
    monitor_.stop();
    // Without a connection nothing can go out any more.
    if (role_ == Role::client && lost_) static_cast<void>(socket_.set(ZMQ_LINGER, 0));
  }
  ZmqHub(const ZmqHub&) = delete;
  ZmqHub& operator=(const ZmqHub&) = delete;

  bool is_this_process() const { return mark_.is_this_process(); }
  std::unique_lock<std::mutex> lock() const { return std::unique_lock(mutex_); }
  ZmqSocket& socket() { return socket_; }

  /// Has libzmq tell of the socket's connections. Of a server's the context's thread hears, whose
  /// peers may be many, and strangers: libzmq's own thread would wait for a reader.
  ///
  /// Errors: the system's.
  Result<void> monitor(int events) {
    if (auto started = monitor_.start(context_->get_raw(), socket_, events); !started) {
      return started;
    }
    if (role_ == Role::client) return {};
    return context_->watch(monitor_.descriptor(), weak_from_this());
  }

  /// Has the context's thread admit clients with these keys.
  Result<void> guard(std::string domain, std::vector<PublicKey> admitted) {
    admitted_ = std::move(admitted);
    domain_ = std::move(domain);
    return context_->guard(domain_, weak_from_this());
  }

  // From here on with the lock held.

  /// A server's beginning and end.
  Result<void> open(std::size_t max_waiting) {
    auto wakeup = os::wait_set_with_signal();
    if (!wakeup) return wakeup.error();
    server_wakeup_ = std::move(*wakeup);
    max_waiting_ = max_waiting;
    listening_ = true;
    connections_.begin(socket_.endpoint());
    if (auto checked = context_->check(weak_from_this()); !checked) return checked;
    auto watched = update_watch();
    pump(nullptr);  // takes in what the socket tells of its own making
    return watched;
  }
  void close() {
    if (!listening_) return;
    listening_ = false;
    for (const auto& client : waiting_.take_all()) say_bye(*client);
    refused_.clear();
    see_off();
  }
  Interest interest() const { return Interest::to_read(server_wakeup_.native_handle()); }

  /// A client that has said Hello, and then that it is still there; null when there is none.
  std::shared_ptr<State> next_waiting() {
    const bool more = pump(nullptr);
    waiting_.ask([&](State& client) { static_cast<void>(send(client, ZmqKind::ask, {})); });
    look_after_send();
    if (more) {
      static_cast<void>(server_wakeup_.signal());
    } else if (!waiting_.has_next() && refused_.empty()) {
      server_wakeup_.clear();
    }
    return waiting_.take_next();
  }
  /// Whether a client came that had no key to come in with.
  bool next_refused(PublicKey& key) {
    if (refused_.empty()) return false;
    key = refused_.front();
    refused_.pop_front();
    return true;
  }

  /// Makes the client's link, to be followed by `Welcome`'s bytes.
  Result<void> welcome(State& client, std::span<const std::byte> bytes) {
    if (client.ended) return client.ended;
    auto wakeup = os::wait_set_with_signal();
    if (!wakeup) return wakeup.error();
    client.wakeup = std::move(*wakeup);
    if (auto sent = send(client, ZmqKind::welcome, bytes); !sent) return sent;
    client.linked = true;
    ++linked_;
    auto watched = update_watch();
    look_after_send();
    return watched;
  }
  void refuse(State& client, std::span<const std::byte> bytes) {
    if (!client.ended && !bytes.empty()) {
      static_cast<void>(send(client, ZmqKind::welcome, bytes));
    }
    say_bye(client);
    look_after_send();
  }

  /// A client's one link, which will say Hello.
  Result<std::shared_ptr<State>> connect(const HandshakeBytes& hello, const PublicKey& server) {
    auto wakeup = os::wait_set_with_signal();
    if (!wakeup) return wakeup.error();
    auto state = std::make_shared<State>();
    state->wakeup = std::move(*wakeup);
    state->key = server;
    connections_.begin(socket_.endpoint());
    if (auto checked = context_->check(weak_from_this()); !checked) return checked.error();
    links_.emplace(std::string(), state);
    linked_ = 1;
    // libzmq keeps it until there is a connection.
    if (auto sent = send(*state, ZmqKind::hello, hello.bytes()); !sent) return sent.error();
    if (auto watched = update_watch(); !watched) return watched.error();
    return state;
  }

  /// Ends a link, which nothing can follow.
  void leave(State& link) {
    --linked_;
    watch_.stop(link.wakeup);
    link.wakeup = {};
    link.armed = false;
    say_bye(link);
    see_off();
  }

  /// Sends as much of the stream as there is credit for, and says how much that was.
  ///
  /// Errors: why the link has ended; `not_enough_memory`, and nothing was sent.
  Result<std::size_t> write(State& link, Slice<const os::GatheredPart> parts) {
    // A link that only sends takes in here what gives room.
    if (link.credit < zmq_min_cost) pump(&link);
    if (link.ended) return link.ended;
    GatheredReader stream(parts);
    std::size_t written = 0;
    while (stream.left() != 0 && link.credit >= zmq_min_cost) {
      const std::size_t size = (min)((min)(stream.left(), zmq_part_bytes), link.credit);
      ZmqMessage message(sizeof(ZmqHeader) + size);
      if (message.size() == 0) return written != 0 ? Result<std::size_t>(written) : no_memory();
      stream.read({message.data() + sizeof(ZmqHeader), size});
      if (auto sent = send(link, ZmqKind::data, message); !sent) return sent.error();
      link.credit -= zmq_cost(size);
      written += size;
    }
    look_after_send();
    return written;
  }

  /// Gives back credit for what was taken.
  void give_credit(State& link, std::size_t amount) {
    if (link.ended) return;
    ZmqMessage message(sizeof(ZmqHeader));
    if (message.size() == 0) return link.end(no_memory());
    static_cast<void>(send(link, ZmqKind::credit, message, amount));
    look_after_send();
  }

  /// Takes in what has come, a fair share of it. `looking` is the link whose owner does so and need
  /// not be woken. True when there may be more.
  bool pump(State* looking) {
    if (!socket_) return false;
    const bool was_armed = looking != nullptr && std::exchange(looking->armed, false);
    bool more = receive_all();
    if (role_ == Role::client) {
      look_for_end(more);
    } else {
      read_monitor();
      if (probe_suspects()) more = (socket_.events() & ZMQ_POLLIN) != 0 || more;
    }
    if (more) look_again();
    if (looking != nullptr) looking->armed = was_armed;
    return more;
  }

  // Called by the context's thread, without the lock.

  void serve() override {
    const auto locked = lock();
    pump(nullptr);
  }

  void check() override {
    const auto locked = lock();
    pump(nullptr);
    connections_.check(links_);
    for (const auto& client : waiting_.take_mute()) say_bye(*client);
    // That a peer has nothing to say must not look to the other side as if it never ended.
    for (const auto& [id, link] : links_) {
      if (link->is_quiet()) static_cast<void>(send(*link, ZmqKind::probe, {}));
    }
    look_after_send();
  }

  bool finished() const override {
    const auto locked = lock();
    return links_.empty();
  }

  bool admits(const PublicKey& key) override {
    const auto locked = lock();
    if (std::find(admitted_.begin(), admitted_.end(), key) != admitted_.end()) return true;
    if (listening_ && refused_.size() < max_waiting_) {
      refused_.push_back(key);
      static_cast<void>(server_wakeup_.signal());
    }
    return false;
  }

 private:
  /// Turns of the loop that one `pump` does at the most.
  static constexpr int max_messages = 512;

  bool receive_all() {
    for (int i = 0; i != max_messages; ++i) {
      ZmqMessage id;
      ZmqMessage message;
      if (role_ == Role::server && !socket_.receive(id)) return false;
      if (!socket_.receive(message)) return false;
      bool whole = true;  // no honest peer's message has several frames
      while (message.more()) {
        whole = false;
        if (!socket_.receive(message)) return false;
      }
      dispatch(id, message, whole);
    }
    return true;
  }

  void dispatch(ZmqMessage& id, ZmqMessage& message, bool whole) {
    ZmqHeader header{};
    whole = whole && message.size() >= sizeof header;
    if (whole) std::memcpy(&header, message.data(), sizeof header);
    const auto found = links_.find(id.text());
    if (found == links_.end()) {
      if (whole && header.kind == ZmqKind::hello && header.number == 0) welcome_hello(id, message);
      return;
    }
    State& link = *found->second;
    ++link.taken;
    if (link.left) {
      if (whole && header.kind == ZmqKind::bye) links_.erase(found);
      return;
    }
    if (link.ended) return;
    const bool is_client = role_ == Role::client;
    if (!whole || header.number != link.next_in++ || !link.take(header, message, is_client)) {
      return link.end(make_error_code(Errc::malformed));
    }
    if (header.kind == ZmqKind::ask) static_cast<void>(send(link, ZmqKind::answer, {}));
    if (header.kind == ZmqKind::answer) static_cast<void>(server_wakeup_.signal());
    if (header.kind == ZmqKind::bye) {
      // What the peer waits for. It is sent but once: see `say_bye`.
      static_cast<void>(send(link, ZmqKind::bye, {}));
      link.end(make_error_code(Errc::peer_closed));
    }
  }

  /// Of a client that was not there before.
  void welcome_hello(ZmqMessage& id, ZmqMessage& message) {
    auto client = std::make_shared<State>();
    client->routing_id = id.text();
    client->next_in = 1;
    client->connection = ::zmq_msg_get(message.get(), ZMQ_SRCFD);
    client->handshake = HandshakeBytes(message.bytes().subspan(sizeof(ZmqHeader)));
    if (!domain_.empty()) client->key = ZmqContext::key_of(message);
    // The ends of earlier connections are told before this one's beginning: see monitor.hpp.
    read_monitor();
    if (!listening_ || waiting_.size() >= max_waiting_) {
      static_cast<void>(send(*client, ZmqKind::bye, {}));
      return;
    }
    links_.emplace(client->routing_id, client);
    waiting_.add(std::move(client));
    static_cast<void>(server_wakeup_.signal());
  }

  /// Whether a client's connection has failed or ended.
  void look_for_end(bool more) {
    if (links_.empty()) return;
    const auto link = links_.begin()->second;
    bool all_came = false;
    monitor_.read([&](const ZmqMonitor::Event& event) {
      if (event.kind == ZMQ_EVENT_CONNECTED) {
        link->connection = static_cast<int>(event.value);
        return connections_.add(event.value);
      }
      if (event.kind == ZMQ_EVENT_CONNECT_RETRIED) all_came = true;
      if (!lost_) lost_ = event.failure();
      // Nothing can have come.
      all_came = all_came || event.is_refusal();
    });
    if (all_came) {
      // It is told when all that had come can be received; no more than the credit.
      for (int turns = 0; turns != 4 && receive_all();) ++turns;
    } else if (lost_ && !more) {
      // After an error of its protocol libzmq does not try again, but shows that there is no room.
      const int events = socket_.events();
      if ((events & ZMQ_POLLIN) != 0) return link->signal();
      all_came = (events & ZMQ_POLLOUT) == 0;
    }
    if (!all_came) return;
    link->end(lost_);
    if (link->left) links_.clear();
  }

  void read_monitor() {
    monitor_.read([&](const ZmqMonitor::Event& event) {
      event.kind == ZMQ_EVENT_ACCEPTED ? connections_.add(event.value) : note_end(event.value);
    });
  }
  /// A connection has ended: its link ends when all that had come is taken in.
  void note_end(std::uint32_t connection) {
    connections_.remove(connection);
    for (const auto& [id, link] : links_) {
      if (link->connection == static_cast<int>(connection)) {
        link->connection = -1;
        suspects_.push_back(link);
      }
    }
  }

  /// Asks libzmq, which says only to a sender that a peer is gone. When it does, all that had come
  /// can be received.
  ///
  /// Whether something was sent, which may have used up the edge that tells of messages.
  bool probe_suspects() {
    bool sent = false;
    for (std::size_t i = 0; i != suspects_.size();) {
      const auto suspect = suspects_[i];
      if (send(*suspect, ZmqKind::probe, {})) {
        sent = true;
        ++i;  // its end will wake this again
        continue;
      }
      suspects_.erase(suspects_.begin() + static_cast<std::ptrdiff_t>(i));
      // No more of it than its credit, but others go on sending meanwhile.
      for (int turns = 0; !suspect->ended && turns != 4 && receive_all();) ++turns;
      suspect->end(make_error_code(Errc::peer_closed));
      waiting_.remove(suspect);
      const auto found = links_.find(suspect->routing_id);
      if (found != links_.end() && suspect->left) links_.erase(found);
    }
    return sent;
  }

  Result<void> send(State& link, ZmqKind kind, std::span<const std::byte> bytes) {
    return send_frame(socket_, role_ == Role::server, link, kind, bytes);
  }
  Result<void> send(State& link, ZmqKind kind, ZmqMessage& message, std::size_t credit = 0) {
    return send_frame(socket_, role_ == Role::server, link, kind, message, credit);
  }

  /// There are more messages than were taken in, of which the socket does not tell again.
  void look_again() {
    if (watch_.by_context()) return context_->serve_again(weak_from_this());
    if (listening_) static_cast<void>(server_wakeup_.signal());
    for (const auto& [id, link] : links_) link->signal();
  }

  /// Sending may have used up the edge that tells of messages: see `ZmqSocket::descriptor`.
  void look_after_send() {
    if ((socket_.events() & ZMQ_POLLIN) != 0) pump(nullptr);
  }

  /// Tells the peer that there is no more, unless it has been told, or is gone.
  void say_bye(State& link) {
    link.inbox.clear();
    link.left = true;
    const bool over = link.ended == Errc::peer_closed || !send(link, ZmqKind::bye, {});
    link.end(make_error_code(Errc::closed));
    const auto found = links_.find(link.routing_id);
    if (over && found != links_.end()) links_.erase(found);
  }

  /// Without a party left the socket stays until all peers know so, or for a while.
  void see_off() {
    static_cast<void>(update_watch());
    look_after_send();
    if (linked_ != 0 || listening_ || links_.empty()) return;
    if (role_ == Role::client && !links_.begin()->second->linked) {
      // There is but a Hello, which is of no use any more.
      static_cast<void>(socket_.set(ZMQ_LINGER, 0));
      links_.clear();
      return;
    }
    const int monitored = role_ == Role::client ? monitor_.descriptor() : -1;
    if (watch_.by_context(weak_from_this(), {socket_.descriptor(), monitored})) {
      context_->see_off(shared_from_this());
    }
  }

  /// Has the right one wait for the socket: see above.
  Result<void> update_watch() {
    const std::array<int, 2> descriptors{socket_.descriptor(),
                                         role_ == Role::client ? monitor_.descriptor() : -1};
    if (linked_ + (listening_ ? 1 : 0) > 1) {
      return watch_.by_context(weak_from_this(), descriptors);
    }
    if (listening_) return watch_.by(server_wakeup_, descriptors);
    for (const auto& [id, link] : links_) {
      if (!link->left && (link->linked || role_ == Role::client)) {
        return watch_.by(link->wakeup, descriptors);
      }
    }
    return {};
  }

  const Role role_;
  mutable std::mutex mutex_;
  std::shared_ptr<ZmqContext> context_;
  ZmqSocket socket_;
  ZmqMonitor monitor_;
  /// By routing id.
  std::map<std::string, std::shared_ptr<State>, std::less<>> links_;
  std::vector<std::shared_ptr<State>> suspects_;
  ZmqConnections connections_;
  /// How many links there are, of the others apart that still wait for an answer.
  std::size_t linked_ = 0;
  /// Why a client's connection is not there any more.
  std::error_code lost_;

  std::string domain_;
  std::vector<PublicKey> admitted_;
  bool listening_ = false;
  std::size_t max_waiting_ = 0;
  ZmqWaitingClients waiting_;
  std::deque<PublicKey> refused_;
  os::WaitSet server_wakeup_;

  ZmqWatch watch_{context_};
  os::ForkMark mark_;
};

}  // namespace strait::detail
