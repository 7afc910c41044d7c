#pragma once

#include <strait/mach/kernel.hpp>
#include <strait/mach/linux/kernel.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

#include "../examples/counted_transport.hpp"

namespace strait_test {

/// The least that meets MachKernel: not one member more than the concept names, and no regions.
/// It works, as it stands on the real kernel.
struct LeastKernel {
  using Real = strait::LinuxKernel;
  using Bytes = std::span<const std::byte>;

  class SendRight {
   public:
    SendRight() = default;
    strait::Result<std::byte*> reserve(std::size_t bytes) { return right_.reserve(bytes); }
    strait::Result<void> stage(strait::MessageHeader header) { return right_.stage(header); }
    void publish() { right_.publish(); }
    template <class Write>
    strait::Result<void> post(strait::MessageHeader header, Write&& write) {
      return right_.post(header, write);
    }
    bool arm(std::size_t bytes) { return right_.arm(bytes); }
    strait::Interest interest() const { return right_.interest(); }
    void take_doorbells() { right_.take_doorbells(); }

   private:
    friend LeastKernel;
    explicit SendRight(Real::SendRight right) : right_(std::move(right)) {}
    Real::SendRight right_;
  };

  class ReceiveRight {
   public:
    ReceiveRight() = default;
    bool readable() const { return right_.readable(); }
    strait::Result<strait::MessageHeader> peek() { return right_.peek(); }
    const std::byte* body() const { return right_.body(); }
    void pop(const strait::MessageHeader& header) { right_.pop(header); }
    bool arm() { return right_.arm(); }
    bool disarm() { return right_.disarm(); }
    strait::Result<void> wait(strait::detail::Deadline deadline) { return right_.wait(deadline); }
    strait::Interest interest() const { return right_.interest(); }
    void take_doorbells() { right_.take_doorbells(); }

   private:
    friend LeastKernel;
    explicit ReceiveRight(Real::ReceiveRight right) : right_(std::move(right)) {}
    Real::ReceiveRight right_;
  };

  struct LinkPorts {
    ReceiveRight in;
    SendRight out;
  };

  class Request {
   public:
    strait::PeerCredentials credentials;
    std::error_code failure;
    strait::detail::HandshakeBytes body;

   private:
    friend LeastKernel;
    explicit Request(Real::Request request)
        : credentials(request.credentials),
          failure(request.failure),
          body(request.body),
          request_(std::move(request)) {}
    Real::Request request_;
  };

  class ServicePort {
   public:
    strait::Result<Request> receive() {
      auto request = port_.receive();
      if (!request) return request.error();
      return Request(std::move(*request));
    }
    strait::Interest interest() const { return port_.interest(); }
    strait::detail::Deadline deadline() const { return port_.deadline(); }

   private:
    friend LeastKernel;
    explicit ServicePort(Real::ServicePort port) : port_(std::move(port)) {}
    Real::ServicePort port_;
  };

  class ServiceRight {
   public:
    strait::PeerCredentials credentials() const { return right_.credentials(); }

   private:
    friend LeastKernel;
    explicit ServiceRight(Real::ServiceRight right) : right_(std::move(right)) {}
    Real::ServiceRight right_;
  };

  struct Answer {
    strait::detail::HandshakeBytes body;
    std::optional<LinkPorts> ports;
  };

  class Greeting {
   public:
    strait::Result<Answer> answer() {
      auto heard = greeting_.answer();
      if (!heard) return heard.error();
      Answer answer{heard->body, {}};
      if (heard->ports) answer.ports = link_ports(std::move(*heard->ports));
      return answer;
    }
    bool readable() const { return greeting_.readable(); }
    bool arm() { return greeting_.arm(); }
    bool disarm() { return greeting_.disarm(); }
    void take_doorbells() { greeting_.take_doorbells(); }
    strait::Interest interest() const { return greeting_.interest(); }

   private:
    friend LeastKernel;
    explicit Greeting(Real::Greeting greeting) : greeting_(std::move(greeting)) {}
    Real::Greeting greeting_;
  };

  static strait::Result<ServicePort> check_in(std::string_view name,
                                              strait::detail::AcceptLimits limits) {
    auto port = Real::check_in(name, limits);
    if (!port) return port.error();
    return ServicePort(std::move(*port));
  }
  static strait::Result<ServiceRight> look_up(std::string_view name) {
    auto right = Real::look_up(name);
    if (!right) return right.error();
    return ServiceRight(std::move(*right));
  }
  static strait::Result<Greeting> greet(ServiceRight&& server, std::size_t queue_bytes,
                                        Bytes body) {
    auto greeting = Real::greet(std::move(server.right_), queue_bytes, body);
    if (!greeting) return greeting.error();
    return Greeting(std::move(*greeting));
  }
  static strait::Result<LinkPorts> welcome(Request&& request, std::size_t queue_bytes, Bytes body) {
    auto ports = Real::welcome(std::move(request.request_), queue_bytes, body);
    if (!ports) return ports.error();
    return link_ports(std::move(*ports));
  }
  static void refuse(Request&& request, Bytes body) {
    Real::refuse(std::move(request.request_), body);
  }

 private:
  template <class Ports>
  static LinkPorts link_ports(Ports&& ports) {
    return {ReceiveRight(std::move(ports.in)), SendRight(std::move(ports.out))};
  }
};

static_assert(strait::MachKernel<LeastKernel>);
static_assert(!strait::MachKernelWithRegions<LeastKernel>);

/// The least that meets Serializer: not one member more than the concept names.
struct LeastSerializer {
  struct Message {
    std::byte value;
  };

  static constexpr std::uint64_t schema_hash = 1;
  template <class M>
  static constexpr bool accepts = std::is_same_v<M, Message>;
  static std::uint16_t tag(const Message&) { return 0; }
  static std::size_t size(const Message&) { return 1; }
  static void write(const Message& message, std::byte* out) { *out = message.value; }
  template <class Listener>
  static strait::Result<void> read(std::uint16_t tag, std::span<const std::byte> bytes,
                                   Listener& listener) {
    if (tag != 0 || bytes.size() != 1) return strait::Errc::malformed;
    listener(Message{bytes[0]});
    return {};
  }
};

/// The least that meets Transport is the example's.
template <class Inner>
using LeastTransport = CountedTransport<Inner>;

}  // namespace strait_test
