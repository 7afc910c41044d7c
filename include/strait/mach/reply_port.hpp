#pragma once

#include <cstddef>
#include <cstring>
#include <optional>
#include <span>
#include <utility>

#include "strait/handshake/handshake_bytes.hpp"
#include "strait/mach/message_header.hpp"
#include "strait/os/interest.hpp"
#include "strait/peer.hpp"
#include "strait/result.hpp"

namespace strait::detail {

/// How two processes meet over a kernel whose requests carry a right to reply, as Mach's do: the
/// client makes the port on which it will receive and sends the right to it with its request; the
/// server answers there, with a right to a fresh port for this client alone.
///
/// Needs of a kernel: `allocate`, `allocate_for`, `ServiceRight::send(body, reply)`,
/// `Request::reply`, `ReceiveRight::make_send_right`, `ReceiveRight::take_send_right`,
/// `SendRight::adopt`.
template <class KernelT>
struct ReplyPort {
  using ReceiveRight = typename KernelT::ReceiveRight;
  using SendRight = typename KernelT::SendRight;

  /// The two ports of a link.
  struct LinkPorts {
    ReceiveRight in;
    SendRight out;
  };

  /// Errors: those of the system; `malformed`, `bad_region` if the right to reply is none.
  static Result<LinkPorts> welcome(typename KernelT::Request&& request, std::size_t queue_bytes,
                                   std::span<const std::byte> body) {
    auto out = SendRight::adopt(std::move(request.reply));
    if (!out) return out.error();
    auto in = KernelT::allocate_for(request, queue_bytes);
    if (!in) return in.error();
    const auto right = in->make_send_right();
    auto sent = out->send(header(MessageKind::welcome), body, right);
    if (!sent) return sent.error();
    return LinkPorts{std::move(*in), std::move(*out)};
  }

  static void refuse(typename KernelT::Request&& request, std::span<const std::byte> body) {
    auto out = SendRight::adopt(std::move(request.reply));
    if (!out) return;
    static_cast<void>(out->post(header(MessageKind::refusal, body.size()), [&](std::byte* room) {
      if (!body.empty()) std::memcpy(room, body.data(), body.size());
    }));
  }

  /// What a server said to a request: with the ports of a link, or why there is none.
  struct Answer {
    HandshakeBytes body;
    std::optional<LinkPorts> ports;
  };

  /// A request that was sent and not answered yet.
  class Greeting {
   public:
    /// Errors: those of the system; `would_block`, `not_found`.
    static Result<Greeting> send(typename KernelT::ServiceRight&& server, std::size_t queue_bytes,
                                 std::span<const std::byte> body) {
      auto in = KernelT::allocate(queue_bytes);
      if (!in) return in.error();
      const auto reply = in->make_send_right();
      if (auto sent = server.send(body, reply); !sent) return sent.error();
      return Greeting(std::move(*in));
    }

    /// Errors: `empty`, `peer_closed`, `malformed`, `bad_region`.
    Result<Answer> answer() {
      const auto received = in_.peek();
      if (!received) return received.error();
      const auto kind = static_cast<MessageKind>(received->kind);
      if (received->bytes > HandshakeBytes::capacity ||
          (kind != MessageKind::welcome && kind != MessageKind::refusal)) {
        return Errc::malformed;
      }
      Answer answer{HandshakeBytes({in_.body(), received->bytes}), {}};
      in_.pop(*received);
      if (kind == MessageKind::refusal) return answer;
      auto out = in_.take_send_right();
      if (!out) return out.error();
      answer.ports.emplace(LinkPorts{std::move(in_), std::move(*out)});
      return answer;
    }

    bool readable() const { return in_.readable(); }
    bool arm() { return in_.arm(); }
    bool disarm() { return in_.disarm(); }
    void take_doorbells() { in_.take_doorbells(); }
    Interest interest() const { return in_.interest(); }
    /// The sender of the answer.
    PeerCredentials sender() const requires requires(const ReceiveRight& in) { in.sender(); }
    { return in_.sender(); }

   private:
    explicit Greeting(ReceiveRight in) : in_(std::move(in)) {}

    ReceiveRight in_;
  };

 private:
  static MessageHeader header(MessageKind kind, std::size_t bytes = 0) {
    return {static_cast<std::uint32_t>(bytes), 0, static_cast<std::uint8_t>(kind), 0};
  }
};

}  // namespace strait::detail
