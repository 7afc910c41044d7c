#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <span>
#include <string_view>
#include <utility>

#include "strait/base/deadline.hpp"
#include "strait/base/slice.hpp"
#include "strait/handshake/half_open.hpp"
#include "strait/mach/message_header.hpp"
#include "strait/os/close_unseen.hpp"
#include "strait/os/descriptor.hpp"
#include "strait/os/interest.hpp"
#include "strait/os/native_handle.hpp"
#include "strait/peer.hpp"
#include "strait/result.hpp"
#include "strait/rights/right_list.hpp"

namespace strait {

/// The least of Mach that `MachTransport` needs. `LinuxKernel`, `DarwinKernel` and
/// `WindowsKernel` are models.
///
/// Nothing here blocks. A type owns what it stands for; moving it away leaves it empty. Each object
/// belongs to one thread at a time.
///
/// Names
///   K1  `K::check_in(name, limits)` claims a name: a `ServicePort`, or `invalid_name`,
///       `name_taken`. The name is free again when the port is destroyed and when its owner dies,
///       however it dies.
///   K2  `ServicePort::receive()` gives the next `Request`, whole, or `empty`. A request has the
///       sender's `credentials` from the kernel and its `body`; or `failure` when a client came but
///       sent no request in time, or one that can't be understood, or is not let in by the limits'
///       policy, before it was asked for anything. What such a client sent is closed; the port goes
///       on.
///   K3  `ServicePort::interest()` is readable when `receive` may give something; `deadline()` is
///       when it will even if nothing comes.
///   K4  `K::look_up(name)` gives a `ServiceRight`, or `not_found`. Its `credentials()` are those
///       of the name's owner. A kernel that can't tell them has none, but `Greeting::sender()` and
///       `ReceiveRight::sender()`: the credentials of the sender of what was received.
///
/// Meeting
///   K5  `K::greet(name right, queue_bytes, body)` sends a request: a `Greeting`. Its `answer()` is
///       what the server said, once: the `body` and, if it is a welcome, the `ports` of a link,
///       `in` and `out`; or `empty`, `peer_closed`, `malformed`, `bad_region`. While there is none,
///       it is waited for by the functions of K13.
///   K6  `K::welcome(request, queue_bytes, body)` makes a link with its sender and gives its ports;
///       `K::refuse(request, body)` answers and makes none. The ports end when those at the other
///       side end. Where the kernel tells of each message its sender, a message from any process
///       else ends a port. `SendRight()` has no receiver.
///
/// Sending
///   K7  `reserve(bytes)` gives room for one message body of at most `max_inline_bytes()`, to be
///       written, never read, and then staged; or `would_block`, `peer_closed`, `malformed`.
///       Without `stage` nothing is sent.
///   K8  `stage(header)` ends the reserved message; `publish()` sends all staged ones, in order.
///       `post(header, write)` does all that for one message, whose body `write(room)` writes, when
///       none is staged.
///       A kernel that can't promise room beforehand sends in `stage`, which then may fail as K7
///       does; the message was not sent.
///   K9  `send(header, body, region)` sends one message with what it carries, whole or not
///       at all; on failure the caller still has it. Staged messages must be published before.
///   K10 `SendRight::arm(bytes)` asks for a wake-up when there is room for `bytes`; true when there
///       is no need to wait. `take_doorbells()` takes wake-ups in and notices the receiver's end.
///       Where both ports of a link have one socket, `in` takes in the wake-ups of both: so `out`
///       is armed, and asked for doorbells, after it. And dropping `out` alone does not end the
///       link there; its `hang_up()` does.
///
/// Receiving
///   K11 `peek()` gives the next message's header, `empty`, or why there will be no more:
///       `peer_closed` comes after all that was sent. `body()` may lie in memory that the sender
///       can change: copy it, then look at it. It can be read up to the end of a word of eight
///       bytes. `pop(header)` steps over the message.
///   K12 `take_region(bytes)` takes what came with the message that was popped last: `malformed`
///       if there is none, `bad_region` if a region could still change or is shorter than `bytes`.
///   K13 `readable()` is one look at memory, or one system call where there is none. `arm()` asks
///       for a wake-up with the next message; true when there is no need to wait. `disarm()` takes
///       that back. `take_doorbells()` takes wake-ups in and notices the sender's end.
///       `interest()` is readable when there are any. `wait(deadline)`, when armed, sleeps until
///       there is one; it may end early.
template <class K>
concept MachKernel = requires(std::string_view name, detail::AcceptLimits limits) {
  { K::check_in(name, limits) } -> std::same_as<Result<typename K::ServicePort>>;
  { K::look_up(name) } -> std::same_as<Result<typename K::ServiceRight>>;
}
&&requires(typename K::ServicePort port, const typename K::ServicePort& const_port) {
  { port.receive() } -> std::same_as<Result<typename K::Request>>;
  { const_port.interest() } -> std::same_as<Interest>;
  { const_port.deadline() } -> std::same_as<detail::Deadline>;
}
&&requires(typename K::ServiceRight right, typename K::Request request, std::size_t bytes,
           std::span<const std::byte> body) {
  { K::greet(std::move(right), bytes, body) } -> std::same_as<Result<typename K::Greeting>>;
  { K::welcome(std::move(request), bytes, body)->in } -> std::same_as<typename K::ReceiveRight&>;
  { K::welcome(std::move(request), bytes, body)->out } -> std::same_as<typename K::SendRight&>;
  { K::refuse(std::move(request), body) } -> std::same_as<void>;
}
&&requires(typename K::Greeting greeting, const typename K::Greeting& const_greeting) {
  { greeting.answer()->body.bytes() } -> std::same_as<std::span<const std::byte>>;
  { greeting.answer()->ports->in } -> std::same_as<typename K::ReceiveRight&>;
  { const_greeting.readable() } -> std::same_as<bool>;
  { greeting.arm() } -> std::same_as<bool>;
  { greeting.disarm() } -> std::same_as<bool>;
  { greeting.take_doorbells() } -> std::same_as<void>;
  { const_greeting.interest() } -> std::same_as<Interest>;
}
&&std::default_initializable<typename K::SendRight>&& requires(typename K::SendRight right,
                                                               MessageHeader header,
                                                               std::size_t bytes) {
  { right.reserve(bytes) } -> std::same_as<Result<std::byte*>>;
  { right.stage(header) } -> std::same_as<Result<void>>;
  { right.publish() } -> std::same_as<void>;
  {
    right.post(header, [](std::byte*) {})
    } -> std::same_as<Result<void>>;
  { right.arm(bytes) } -> std::same_as<bool>;
  { right.interest() } -> std::same_as<Interest>;
  { right.take_doorbells() } -> std::same_as<void>;
}
&&std::default_initializable<typename K::ReceiveRight>&& requires(
    typename K::ReceiveRight right, const typename K::ReceiveRight& const_right,
    const MessageHeader& header) {
  { const_right.readable() } -> std::same_as<bool>;
  { right.peek() } -> std::same_as<Result<MessageHeader>>;
  { const_right.body() } -> std::same_as<const std::byte*>;
  { right.pop(header) } -> std::same_as<void>;
  { right.arm() } -> std::same_as<bool>;
  { right.disarm() } -> std::same_as<bool>;
  { right.wait(detail::Deadline::now()) } -> std::same_as<Result<void>>;
  { const_right.interest() } -> std::same_as<Interest>;
  { right.take_doorbells() } -> std::same_as<void>;
}
&&(detail::TellsCredentials<typename K::ServiceRight> ||
   requires(const typename K::ReceiveRight& right) {
     { right.sender() } -> std::same_as<PeerCredentials>;
   });

/// A kernel that also has out-of-line memory (needed by `OolThreshold`, not by `InlineOnly`).
///
///   K14 `Region::copy_of(bytes)` and `Region::filled_by(size, fill)` make a region that no process
///   can
///       change any more; `Region::create(size)` one to be written at `data()` until `freeze()`.
///       From then on, as of a received one, what is written at `data()` is seen by no other
///       process. `duplicate()` is the same bytes once more. `protect()`: this view is written to
///       no more, until `unprotect()`, after which the region may be one that can't be sent.
template <class K>
concept MachKernelWithRegions = MachKernel<K> &&
    requires(typename K::SendRight right, typename K::ReceiveRight receive, typename K::Region own,
             const typename K::Region& region, MessageHeader header,
             std::span<const std::byte> body, std::size_t bytes) {
  { K::Region::copy_of(body) } -> std::same_as<Result<typename K::Region>>;
  { K::Region::create(bytes) } -> std::same_as<Result<typename K::Region>>;
  { own.freeze() } -> std::same_as<Result<void>>;
  { own.protect() } -> std::same_as<void>;
  { own.unprotect() } -> std::same_as<Result<void>>;
  { region.duplicate() } -> std::same_as<Result<typename K::Region>>;
  { region.data() } -> std::same_as<std::byte*>;
  { region.bytes() } -> std::same_as<std::span<const std::byte>>;
  { right.send(header, body, region) } -> std::same_as<Result<void>>;
  { receive.take_region(bytes) } -> std::same_as<Result<typename K::Region>>;
};

/// A kernel whose names can be left out: a parent and its child meet over a descriptor that the
/// child inherits.
///
///   K15 `K::connected_pair()` makes two connected descriptors over which text can be sent, too.
///       `K::check_in(descriptor, credentials, limits)` makes a `ServicePort` for the process
///       that has the other one, with these credentials; `K::look_up(descriptor)` the
///       `ServiceRight` to that, or is `would_block` while a kernel that needs the one before the
///       other waits for it, and the descriptor is unchanged: readable when it is worth another
///       try. When the one client is through, `ServicePort::receive()` is `peer_closed`.
template <class K>
concept MachKernelWithInheritance = MachKernel<K> &&
    requires(os::Descriptor descriptor, const PeerCredentials& credentials,
             detail::AcceptLimits limits) {
  { K::connected_pair() } -> std::same_as<Result<std::array<os::Descriptor, 2>>>;
  {
    K::check_in(std::move(descriptor), credentials, limits)
    } -> std::same_as<Result<typename K::ServicePort>>;
  { K::look_up(std::move(descriptor)) } -> std::same_as<Result<typename K::ServiceRight>>;
};

/// A kernel whose messages can also carry descriptors.
///
///   K16 `send(header, body, descriptors)`: as K9; the receiver gets copies.
///       `take_descriptors(out)` fills `out` with those that came with the message that was popped
///       last, or is `malformed` when there are fewer.
///       A kernel that can't carry every kind of descriptor has `K::carries(descriptor)`. One whose
///       receiver takes them out of this process has `keep(rights)`: those that were sent last, to
///       be closed when the receiver has taken them.
template <class K>
concept MachKernelWithDescriptors = MachKernel<K> &&
    requires(typename K::SendRight right, typename K::ReceiveRight receive, MessageHeader header,
             std::span<const std::byte> body, detail::Slice<const NativeHandle> descriptors,
             detail::Slice<os::UnseenDescriptor> out) {
  { right.send(header, body, descriptors) } -> std::same_as<Result<void>>;
  { receive.take_descriptors(out) } -> std::same_as<Result<void>>;
};

/// A kernel that can hand the ports of a link to another process with all that is unread.
///
///   K17 `K::pack(in, out, begun, rights)` makes one descriptor of a link's two ports and of the
///       message that has come in part: a sealed file of its bytes, if there is such a message, and
///       its rights. On success the ports are of no further use. `K::unpack(descriptor, bytes)` is
///       the inverse; what comes is from a peer and is checked, also that as many bytes can be sent
///       in one piece: `wrong_right`, `bad_region`, `malformed`, `rights_lost`.
///       `K::pair(queue_bytes)`: the ports of two links that are connected to each other.
template <class K>
concept MachKernelWithPackedEndpoints = MachKernelWithDescriptors<K> &&
    requires(typename K::SendRight right, typename K::ReceiveRight receive,
             const os::Descriptor& begun, const detail::RightList& rights,
             const os::Descriptor& packed, std::size_t least) {
  { K::pack(receive, right, begun, rights) } -> std::same_as<Result<os::Descriptor>>;
  { K::unpack(packed, least)->in } -> std::same_as<typename K::ReceiveRight&>;
  { K::unpack(packed, least)->out } -> std::same_as<typename K::SendRight&>;
  { K::pair(least)->first.in } -> std::same_as<typename K::ReceiveRight&>;
  { K::pair(least)->second.out } -> std::same_as<typename K::SendRight&>;
};

}  // namespace strait
