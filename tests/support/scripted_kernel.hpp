#pragma once

#include <strait/mach/linux/kernel.hpp>

#include <cstddef>
#include <functional>
#include <span>
#include <string_view>
#include <utility>

namespace strait_test {

/// What a ScriptedKernel does differently from the real one. One script for each test case.
struct Script {
  /// Who the kernel says that the owner of a name, or the sender of a request, is.
  std::function<strait::PeerCredentials(strait::PeerCredentials)> owner_of_name;
  std::function<strait::PeerCredentials(strait::PeerCredentials)> sender_of_request;
  /// Called just before a sender asks for a wake-up with the next room.
  std::function<void()> before_arm_for_room;
  /// Requests that were sent to any name.
  int requests_sent = 0;

  static Script& current() {
    static Script script;
    return script;
  }
  /// A fresh script, which ends with its scope, so that no test sees that of another.
  struct Scope {
    Scope() { current() = {}; }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;
    ~Scope() { current() = {}; }
    Script* operator->() const { return &current(); }
  };
};

/// The real kernel, but for what the current script says.
struct ScriptedKernel : strait::LinuxKernel {
  class NamePort {
   public:
    explicit NamePort(strait::LinuxKernel::NamePort port) : port_(std::move(port)) {}

    strait::Result<strait::linux_mach::Request> receive() {
      auto request = port_.receive();
      const auto& scripted = Script::current().sender_of_request;
      if (request && scripted) request->credentials = scripted(request->credentials);
      return request;
    }
    pollfd interest() const { return port_.interest(); }
    strait::detail::Deadline deadline() const { return port_.deadline(); }

   private:
    strait::LinuxKernel::NamePort port_;
  };

  class NameRight {
   public:
    explicit NameRight(strait::LinuxKernel::NameRight right) : right_(std::move(right)) {}

    strait::PeerCredentials credentials() const {
      const auto& scripted = Script::current().owner_of_name;
      return scripted ? scripted(right_.credentials()) : right_.credentials();
    }
    strait::Result<void> send(std::span<const std::byte> body, const TravellingRight& reply) {
      ++Script::current().requests_sent;
      return right_.send(body, reply);
    }

   private:
    strait::LinuxKernel::NameRight right_;
  };

  class SendRight : public strait::LinuxKernel::SendRight {
    using Base = strait::LinuxKernel::SendRight;

   public:
    SendRight() = default;
    explicit SendRight(Base right) : Base(std::move(right)) {}

    static strait::Result<SendRight> adopt(TravellingRight right) {
      auto adopted = Base::adopt(std::move(right));
      if (!adopted) return adopted.error();
      return SendRight(std::move(*adopted));
    }
    bool arm(std::size_t bytes) {
      if (const auto& scripted = Script::current().before_arm_for_room) scripted();
      return Base::arm(bytes);
    }
  };

  class ReceiveRight : public strait::LinuxKernel::ReceiveRight {
    using Base = strait::LinuxKernel::ReceiveRight;

   public:
    ReceiveRight() = default;
    explicit ReceiveRight(Base right) : Base(std::move(right)) {}

    strait::Result<SendRight> take_send_right() {
      auto taken = Base::take_send_right();
      if (!taken) return taken.error();
      return SendRight(std::move(*taken));
    }
  };

  static strait::Result<NamePort> check_in(std::string_view name,
                                           strait::detail::AcceptLimits limits) {
    auto port = strait::LinuxKernel::check_in(name, limits);
    if (!port) return port.error();
    return NamePort(std::move(*port));
  }
  static strait::Result<NameRight> look_up(std::string_view name) {
    auto right = strait::LinuxKernel::look_up(name);
    if (!right) return right.error();
    return NameRight(std::move(*right));
  }
  static strait::Result<ReceiveRight> allocate(std::size_t queue_bytes) {
    auto right = strait::LinuxKernel::allocate(queue_bytes);
    if (!right) return right.error();
    return ReceiveRight(std::move(*right));
  }
  static strait::Result<ReceiveRight> allocate_for(const strait::linux_mach::Request&,
                                                   std::size_t queue_bytes) {
    return allocate(queue_bytes);
  }
};

static_assert(strait::MachKernelWithRegions<ScriptedKernel>);

}  // namespace strait_test
