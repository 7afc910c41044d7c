#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

#include "strait/base/deadline.hpp"
#include "strait/base/fair_share.hpp"
#include "strait/framing/frame_queue.hpp"
#include "strait/handshake/half_open.hpp"
#include "strait/handshake/handshake_bytes.hpp"
#include "strait/handshake/hello.hpp"
#include "strait/memory/message_memory.hpp"
#include "strait/os/activated_socket.hpp"
#include "strait/os/descriptor.hpp"
#include "strait/os/interest.hpp"
#include "strait/os/poll.hpp"
#include "strait/peer.hpp"
#include "strait/result.hpp"
#include "strait/rights/right_list.hpp"
#include "strait/serializer.hpp"

namespace strait {

// What the contract of a transport is made of.
using detail::AcceptLimits;
using detail::Deadline;
using detail::FrameQueue;
using detail::HandshakeBytes;
using detail::Lease;
using detail::Right;
using detail::RightList;
using detail::WireOptions;
using os::Descriptor;

/// A message that has arrived, as a transport gives it to the sink of `receive`.
///
/// Ownership: the transport's, and ends with the call; a sink may move the rights and the memory
/// out of what is pointed to.
struct Incoming {
  std::uint16_t tag;
  std::span<const std::byte> bytes;
  /// The rights that came with it; null when there were none.
  RightList* rights = nullptr;
  /// That in which `bytes` lie, from its beginning, if it came out of line; else null.
  Lease* memory = nullptr;
};

/// How much one message may be.
struct ReceiveLimits {
  std::size_t max_message_bytes;
  /// What is over it has no place here, whatever message it belongs to.
  std::size_t max_rights;

  constexpr ReceiveLimits(std::size_t message_bytes, std::size_t rights = detail::max_rights)
      : max_message_bytes(message_bytes), max_rights(rights) {}
};

namespace detail {

/// The least payload and the least sink, to state a transport's contract with.
struct AnyPayload {
  static constexpr bool contiguous = false;
  std::size_t size() const;
  std::uint16_t tag() const;
  void write_to(std::byte* out) const;
};
struct AnySink {
  bool operator()(const Incoming& message);
};

// The parts of `Transport`, each by the numbers there.

template <class T>  // T1
concept CanListen = requires(std::string_view name, AcceptLimits limits) {
  { T::listen(name, limits) } -> std::same_as<Result<typename T::Server>>;
};
template <class T>  // T2
concept AcceptsClients = requires(typename T::Server server, const typename T::Server& as_const) {
  { server.accept() } -> std::same_as<Result<typename T::Request>>;
  { as_const.interest() } -> std::same_as<Interest>;
  { as_const.deadline() } -> std::same_as<Deadline>;
};
template <class T>  // T3
concept HasRequests = requires(typename T::Request request, std::span<const std::byte> bytes) {
  { request.credentials } -> std::convertible_to<PeerCredentials>;
  { request.failure } -> std::convertible_to<std::error_code>;
  { request.hello() } -> std::same_as<std::span<const std::byte>>;
  { std::move(request).welcome(bytes) } -> std::same_as<Result<T>>;
  { std::move(request).refuse(bytes) } -> std::same_as<void>;
};
template <class T>  // T4
concept LooksUp = std::movable<T> && requires(std::string_view name, typename T::Connector server,
                                              std::span<const std::byte> bytes) {
  { T::look_up(name) } -> std::same_as<Result<typename T::Connector>>;
  { std::move(server).hello(bytes) } -> std::same_as<Result<T>>;
};
template <class T>  // T5
concept GetsAnswers = requires(T link) {
  { link.welcome() } -> std::same_as<Result<HandshakeBytes>>;
}
&&(TellsCredentials<typename T::Connector> || requires(const T& link) {
  { link.server_credentials() } -> std::same_as<PeerCredentials>;
});
template <class T>  // T6
concept Sends = requires(T link, AnyPayload payload, FrameQueue queue) {
  { link.send(payload, queue) } -> std::same_as<Result<void>>;
};
template <class T>  // T7
concept Flushes = requires(T link, FrameQueue queue) {
  { link.flush(queue) } -> std::same_as<Result<void>>;
};
template <class T>  // T8
concept Receives = requires(T link, AnySink sink, const ReceiveLimits& limits) {
  { link.receive(sink, limits) } -> std::same_as<Result<void>>;
};
template <class T>  // T9
concept SaysHowToWait = requires(const T& link) {
  typename T::wait_policy;
  { link.readable() } -> std::same_as<bool>;
};
template <class T>  // T10
concept Wakes = requires(T link, FrameQueue queue) {
  { link.arm(queue) } -> std::same_as<Armed>;
  { link.disarm() } -> std::same_as<bool>;
  { link.take_doorbells() } -> std::same_as<void>;
};

}  // namespace detail

/// A connected link that carries whole messages both ways, in order. It never sees a message type.
/// `examples/custom_transport.cpp` is a small one.
///
/// Nothing here blocks. A link, a server, a name and a request belong to one thread at a time each.
/// Destroying one closes it: the other side sees `peer_closed` after all that was sent.
///
/// Connecting
///   T1  `T::listen(name, limits)` claims a name: a `Server`. Errors: `invalid_name`, `name_taken`,
///       `permission_denied` (the place of names belongs to another user), the system's.
///   T2  `Server::accept()` gives the next client that said Hello, or failed to: a `Request`, or
///       `empty`. `interest()` is readable when there may be one; `deadline()` is when there will
///       be even if nothing comes (a silent client's time is up).
///   T3  `Request`: `credentials` from the kernel; `failure` unless a whole `hello()` came. Of a
///       good one, `welcome(bytes)` makes a link; `refuse(bytes)` sends that and closes, and so
///       does destroying it, without an answer.
///   T4  `T::look_up(name)` finds a server: a `Connector` with its owner's `credentials()`, or
///       `not_found`. `hello(bytes)` then makes a link that is not welcome yet.
///   T5  `welcome()`, on a link from T4: the server's answer, once, or `empty`, `peer_closed`,
///       `malformed`. `send` and `receive` are for afterwards. Where no system call tells whose a
///       name is, `Connector` has no `credentials()`, but the link has `server_credentials()`,
///       those of the process that sent the answer.
///
/// Sending
///   T6  `send(payload, queue)` takes one message while `queue` is empty. What there is no room for
///       goes to the queue, which is then not empty. On failure the message is not sent and the
///       queue is unchanged: `peer_closed`, `not_enough_memory`, `malformed`, the system's.
///   T7  `flush(queue)` sends from the front of the queue until it is empty or there is no room,
///       which is not an error. Optional, `retries()`: there is something to send for which no
///       wake-up comes; it has to be tried again after a while.
///
/// Receiving
///   T8  `receive(sink, limits)` calls `sink(incoming)` for each message that is there, oldest
///       first, until the sink returns false, or a fair share is done (success; of messages, bytes
///       and system calls, so that it takes no longer than a millisecond or so whatever the peer
///       does), or none is left (`empty`), or there will be no more: `peer_closed`, which comes
///       after all that was sent; `malformed`, `message_too_large`, `bad_region`, which come after
///       all that was good. The bytes are private, aligned as S9 says, and end with the call.
///       Memory grows with what has arrived, not with what was announced. A channel's sink has the
///       serializer's constant `usual_bytes`, if there is one, for a transport that copies.
///
/// Waiting
///   T9  `wait_policy`: how `Channel` waits. `readable()`: a look whether `receive` has something.
///   T10 `arm(queue)` asks for wake-ups: messages, and room if the queue is not empty. It says what
///       is ready when there is one, or the peer is gone, and whether there is no need to wait.
///       `disarm()` ends that; true if there was a wake-up to take in. `take_doorbells()` takes
///       wake-ups in and notices the peer's end, by system calls.
///   T11 optional, `wait(deadline)`: when armed and with nothing queued, sleeps until there is a
///       wake-up, or the peer is gone, or the deadline; it may end early.
///
/// Out of line
///   T12 optional, `allocate(bytes)`: a `Lease` of memory in which the receiver can read. A payload
///       may then have a `lease()` in which its bytes lie; if that is `moved()`, a successful
///       `send` may take it. An incoming message may have a `memory`, in which its bytes lie and
///       which lasts as long as its owner likes.
///   T13 optional, with `out_of_line_from`, the size from which messages go out of line:
///       `bytes_under_way()` of them, which the peer has not taken or given back yet;
///       `fits_under_way(bytes, bound)`: whether so many more stay within the bound; optional,
///       `limit_under_way(bound)`: what `flush` sends beyond the bound does not go out of line.
///
/// Rights, see `CarriesRights` and `PassesEnds`
///   T14 optional, `send(payload, queue, rights)`: as T6, with at least one right. They are gone
///       from `rights` exactly when it succeeds. Such a message comes in with its `rights`: with
///       all of them and no others, or is an error: `malformed`, `rights_lost`.
///       `T::carries(right)`: whether such a right can be sent here at all.
///   T15 optional, `T::pair()`: two links connected to each other. `detach()` makes a right of a
///       link, with all it has received and not given yet; the link is of no use then. After an
///       error it is as it was. `T::attach(right)` is the inverse: `wrong_right`, `bad_region`,
///       `malformed`, `rights_lost` (no descriptor was left for it), and the right is as it was.
///       Optional, `stay()`: this link will not be detached, and keeps nothing for that.
///   T16 optional, `unfinished()`: 0, or while descriptors are here of a message that is not here
///       whole, a number that changes with each byte of it. A peer that sends its own end in this
///       way and dies would keep the link open for ever.
///
/// Options
///   T17 optional, `T::wire_options`: what both sides must have alike, see `WireOptions`.
///
/// Past one machine
///   T20 optional, `T::Name`: what servers are found by, if that is more than text, of which it can
///       be made; also of text alone. Optional, a last argument for `listen` and `look_up`: the
///       channel's `Token`, of which they may make keys.
///   T21 optional, `public_key()` of a link: the peer's. Such a transport lets in by keys, and the
///       policy of peers is not asked.
template <class T>
concept Transport = detail::CanListen<T> && detail::AcceptsClients<T> && detail::HasRequests<T> &&
    detail::LooksUp<T> && detail::GetsAnswers<T> && detail::Sends<T> && detail::Flushes<T> &&
    detail::Receives<T> && detail::SaysHowToWait<T> && detail::Wakes<T>;

namespace detail {

/// By what a transport's servers are found.
template <class T>
struct NameOfTransport {
  using type = std::string_view;
};
template <class T>
  requires std::constructible_from<typename T::Name, std::string_view>
struct NameOfTransport<T> {
  using type = typename T::Name;
};
template <class T>
using NameOf = typename NameOfTransport<T>::type;

/// Says, in one sentence for each, what lacks to make a type a transport.
template <class T>
consteval bool check_transport() {
  static_assert(Transport<T>,
                "strait: the first argument of Channel is a transport, such as MachTransport<>.");
  static_assert(CanListen<T>,
                "strait: a transport has a static listen(std::string_view, AcceptLimits), which "
                "returns Result<T::Server>: T1 in transport.hpp.");
  static_assert(AcceptsClients<T>,
                "strait: a transport's Server has accept(), which returns Result<T::Request>, and "
                "const interest() and deadline(): T2 in transport.hpp.");
  static_assert(HasRequests<T>,
                "strait: a transport's Request has credentials, failure, hello(), and for rvalues "
                "welcome(bytes), which returns Result<T>, and refuse(bytes): T3 in transport.hpp.");
  static_assert(LooksUp<T>,
                "strait: a transport can be moved, and has a static look_up(std::string_view), "
                "which returns Result<T::Connector>, whose hello(bytes) returns Result<T>: T4 in "
                "transport.hpp.");
  static_assert(GetsAnswers<T>,
                "strait: a transport has welcome(), which returns Result<HandshakeBytes>, and its "
                "Connector has credentials() or it has server_credentials(): T5 in transport.hpp.");
  static_assert(Sends<T>,
                "strait: a transport has send(payload, FrameQueue&), which returns Result<void>: "
                "T6 in transport.hpp.");
  static_assert(Flushes<T>,
                "strait: a transport has flush(FrameQueue&), which returns Result<void>: T7 in "
                "transport.hpp.");
  static_assert(Receives<T>,
                "strait: a transport has receive(sink, const ReceiveLimits&), which returns "
                "Result<void>: T8 in transport.hpp.");
  static_assert(SaysHowToWait<T>,
                "strait: a transport has a type wait_policy, such as strait::Block, and a const "
                "readable(), which returns bool: T9 in transport.hpp.");
  static_assert(Wakes<T>,
                "strait: a transport has arm(const FrameQueue&), which returns Armed, disarm(), "
                "which returns bool, and take_doorbells(): T10 in transport.hpp.");
  return true;
}

}  // namespace detail

/// A transport whose two sides can meet without a name, over two connected descriptors, of which a
/// child inherits one.
///
///   T18 `T::connected_pair()` makes two; text can be sent from either to the other. Of one,
///       `T::listen(descriptor, credentials, limits)` makes a `Server` for the process that has the
///       other, with the credentials that its maker knows; once that one client is through,
///       `accept()` is `peer_closed`. Of the other, `T::look_up(descriptor)` makes a `Connector`;
///       or it is `would_block`, the descriptor unchanged, until that is readable, because the
///       other side has not listened yet.
template <class T>
concept Inheritable = Transport<T> &&
    requires(Descriptor descriptor, const PeerCredentials& credentials, AcceptLimits limits) {
  { T::connected_pair() } -> std::same_as<Result<std::array<Descriptor, 2>>>;
  {
    T::listen(std::move(descriptor), credentials, limits)
    } -> std::same_as<Result<typename T::Server>>;
  { T::look_up(std::move(descriptor)) } -> std::same_as<Result<typename T::Connector>>;
};

/// A transport whose servers can listen at a socket that this process was handed.
///
///   T19 `T::listen(socket, limits)` makes a `Server`, as of a name; it has no name to free.
///       Errors: those of `ActivatedSocket::listening`, the system's.
template <class T>
concept Activatable = Transport<T> && requires(ActivatedSocket socket, AcceptLimits limits) {
  { T::listen(std::move(socket), limits) } -> std::same_as<Result<typename T::Server>>;
};

namespace detail {

template <class T>
consteval bool check_activatable() {
  static_assert(Activatable<T>,
                "strait: this transport can't listen at a socket that was handed over; use "
                "SocketTransport, or on Linux MachTransport.");
  return true;
}

}  // namespace detail

/// A transport that sends rights beside bytes.
template <class T>
concept CarriesRights = Transport<T> &&
    requires(T link, detail::AnyPayload payload, FrameQueue queue, RightList rights,
             const Right& right) {
  { link.send(payload, queue, rights) } -> std::same_as<Result<void>>;
  { T::carries(right) } -> std::same_as<bool>;
};

/// A transport whose connected ends are rights themselves.
template <class T>
concept PassesEnds = Transport<T> && requires(T link, Right right) {
  { T::pair() } -> std::same_as<Result<std::pair<T, T>>>;
  { link.detach() } -> std::same_as<Result<Right>>;
  { T::attach(right) } -> std::same_as<Result<T>>;
};

namespace detail {

/// Puts a message on the queue. Errors: `not_enough_memory`, and the rights are as they were.
template <class Payload>
Result<void> enqueue(FrameQueue& queue, const Payload& payload, RightList* rights = nullptr) {
  std::byte* out = queue.push(payload.tag(), payload.size(), false, rights);
  if (out == nullptr) return detail::no_memory();
  payload.write_to(out);
  return {};
}
template <class Payload>
Result<void> enqueue(FrameQueue& queue, const Payload& payload, RightList& rights) {
  return enqueue(queue, payload, &rights);
}

template <class T>
void stay(T& link) {
  if constexpr (requires { link.stay(); }) link.stay();
}

/// As T14, for transports that send rights with the first byte, by `flush()`.
template <class Payload, class Flush>
Result<void> send_queued(const Payload& payload, FrameQueue& queue, RightList& rights,
                         Flush&& flush) {
  const std::size_t count = rights.size();
  if (auto queued = enqueue(queue, payload, rights); !queued) return queued;
  auto flushed = flush();
  // Once they have gone the message counts as sent; the next call tells what has happened.
  if (flushed || queue.rights().empty()) return {};
  rights = queue.take_rights(count);
  queue.clear();
  return flushed;
}

}  // namespace detail
}  // namespace strait
