#pragma once

#include <strait/mach/kernel.hpp>
#include <strait/mach/linux/kernel.hpp>

#include <cstddef>
#include <span>
#include <string_view>
#include <utility>

namespace strait_test {

/// The least that meets MachKernel: not one member more than the concept names, and no regions.
/// It works, as it stands on the real kernel.
struct LeastKernel {
  using Real = strait::LinuxKernel;
  using Bytes = std::span<const std::byte>;

  class TravellingRight {
   public:
    TravellingRight(TravellingRight&&) = default;
    TravellingRight& operator=(TravellingRight&&) = default;

   private:
    friend LeastKernel;
    explicit TravellingRight(Real::TravellingRight right) : right_(std::move(right)) {}
    Real::TravellingRight right_;
  };

  class SendRight {
   public:
    SendRight() = default;
    static strait::Result<SendRight> adopt(TravellingRight right) {
      auto adopted = Real::SendRight::adopt(std::move(right.right_));
      if (!adopted) return adopted.error();
      return SendRight(std::move(*adopted));
    }
    std::size_t max_inline_bytes() { return right_.max_inline_bytes(); }
    strait::Result<std::byte*> reserve(std::size_t bytes) { return right_.reserve(bytes); }
    strait::Result<void> stage(strait::MessageHeader header) { return right_.stage(header); }
    void publish() { right_.publish(); }
    strait::Result<void> send(strait::MessageHeader header, Bytes body,
                              const TravellingRight& right) {
      return right_.send(header, body, right.right_);
    }
    bool arm(std::size_t bytes) { return right_.arm(bytes); }
    pollfd interest() const { return right_.interest(); }
    void take_doorbells() { right_.take_doorbells(); }

   private:
    friend LeastKernel;
    explicit SendRight(Real::SendRight right) : right_(std::move(right)) {}
    Real::SendRight right_;
  };

  class ReceiveRight {
   public:
    TravellingRight make_send_right() { return TravellingRight(right_.make_send_right()); }
    bool readable() const { return right_.readable(); }
    strait::Result<strait::MessageHeader> peek() { return right_.peek(); }
    const std::byte* body() const { return right_.body(); }
    void pop(const strait::MessageHeader& header) { right_.pop(header); }
    strait::Result<SendRight> take_send_right() {
      auto taken = right_.take_send_right();
      if (!taken) return taken.error();
      return SendRight(std::move(*taken));
    }
    bool arm() { return right_.arm(); }
    bool disarm() { return right_.disarm(); }
    strait::Result<void> wait(strait::detail::Deadline deadline) { return right_.wait(deadline); }
    pollfd interest() const { return right_.interest(); }
    void take_doorbells() { right_.take_doorbells(); }

   private:
    friend LeastKernel;
    explicit ReceiveRight(Real::ReceiveRight right) : right_(std::move(right)) {}
    Real::ReceiveRight right_;
  };

  struct Request {
    strait::PeerCredentials credentials;
    std::error_code failure;
    strait::detail::HandshakeBytes body;
    TravellingRight reply;
  };

  class NamePort {
   public:
    strait::Result<Request> receive() {
      auto request = port_.receive();
      if (!request) return request.error();
      return Request{request->credentials, request->failure, request->body,
                     TravellingRight(std::move(request->reply))};
    }
    pollfd interest() const { return port_.interest(); }
    strait::detail::Deadline deadline() const { return port_.deadline(); }

   private:
    friend LeastKernel;
    explicit NamePort(Real::NamePort port) : port_(std::move(port)) {}
    Real::NamePort port_;
  };

  class NameRight {
   public:
    strait::PeerCredentials credentials() const { return right_.credentials(); }
    strait::Result<void> send(Bytes body, const TravellingRight& reply) {
      return right_.send(body, reply.right_);
    }

   private:
    friend LeastKernel;
    explicit NameRight(Real::NameRight right) : right_(std::move(right)) {}
    Real::NameRight right_;
  };

  static strait::Result<NamePort> check_in(std::string_view name,
                                           strait::detail::AcceptLimits limits) {
    auto port = Real::check_in(name, limits);
    if (!port) return port.error();
    return NamePort(std::move(*port));
  }
  static strait::Result<NameRight> look_up(std::string_view name) {
    auto right = Real::look_up(name);
    if (!right) return right.error();
    return NameRight(std::move(*right));
  }
  static strait::Result<ReceiveRight> allocate(std::size_t queue_bytes) {
    auto right = Real::allocate(queue_bytes);
    if (!right) return right.error();
    return ReceiveRight(std::move(*right));
  }
  static strait::Result<ReceiveRight> allocate_for(const Request&, std::size_t queue_bytes) {
    return allocate(queue_bytes);
  }
};

static_assert(strait::MachKernel<LeastKernel>);
static_assert(!strait::MachKernelWithRegions<LeastKernel>);

}  // namespace strait_test
