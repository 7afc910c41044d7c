#pragma once

#include <strait/mach/linux/kernel.hpp>

#include <cstddef>
#include <functional>
#include <optional>
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
  class ServicePort {
   public:
    explicit ServicePort(strait::LinuxKernel::ServicePort port) : port_(std::move(port)) {}

    strait::Result<strait::linux_mach::Request> receive() {
      auto request = port_.receive();
      const auto& scripted = Script::current().sender_of_request;
      if (request && scripted) request->credentials = scripted(request->credentials);
      return request;
    }
    strait::Interest interest() const { return port_.interest(); }
    strait::detail::Deadline deadline() const { return port_.deadline(); }

   private:
    strait::LinuxKernel::ServicePort port_;
  };

  class ServiceRight {
   public:
    explicit ServiceRight(strait::LinuxKernel::ServiceRight right) : right_(std::move(right)) {}

    strait::PeerCredentials credentials() const {
      const auto& scripted = Script::current().owner_of_name;
      return scripted ? scripted(right_.credentials()) : right_.credentials();
    }

   private:
    friend ScriptedKernel;
    strait::LinuxKernel::ServiceRight right_;
  };

  class SendRight : public strait::LinuxKernel::SendRight {
    using Base = strait::LinuxKernel::SendRight;

   public:
    SendRight() = default;
    explicit SendRight(Base right) : Base(std::move(right)) {}
    bool arm(std::size_t bytes) {
      if (const auto& scripted = Script::current().before_arm_for_room) scripted();
      return Base::arm(bytes);
    }
  };

  /// How two processes meet, where a link's receiving end is an `In`.
  template <class In>
  struct Meeting {
    struct LinkPorts {
      In in;
      SendRight out;
    };
    struct Answer {
      strait::detail::HandshakeBytes body;
      std::optional<LinkPorts> ports;
    };

    class Greeting : public strait::LinuxKernel::Greeting {
      using Base = strait::LinuxKernel::Greeting;

     public:
      explicit Greeting(Base greeting) : Base(std::move(greeting)) {}

      strait::Result<Answer> answer() {
        auto heard = Base::answer();
        if (!heard) return heard.error();
        Answer answer{heard->body, {}};
        if (heard->ports) {
          answer.ports =
              LinkPorts{In(std::move(heard->ports->in)), SendRight(std::move(heard->ports->out))};
        }
        return answer;
      }
    };

    static strait::Result<Greeting> greet(ServiceRight&& server, std::size_t queue_bytes,
                                          std::span<const std::byte> body) {
      ++Script::current().requests_sent;
      auto greeting = strait::LinuxKernel::greet(std::move(server.right_), queue_bytes, body);
      if (!greeting) return greeting.error();
      return Greeting(std::move(*greeting));
    }
    static strait::Result<LinkPorts> welcome(Request&& request, std::size_t queue_bytes,
                                             std::span<const std::byte> body) {
      auto ports = strait::LinuxKernel::welcome(std::move(request), queue_bytes, body);
      if (!ports) return ports.error();
      return LinkPorts{In(std::move(ports->in)), SendRight(std::move(ports->out))};
    }
  };
  using Greeting = Meeting<ReceiveRight>::Greeting;

  static strait::Result<ServicePort> check_in(std::string_view name,
                                              strait::detail::AcceptLimits limits) {
    auto port = strait::LinuxKernel::check_in(name, limits);
    if (!port) return port.error();
    return ServicePort(std::move(*port));
  }
  static strait::Result<ServiceRight> look_up(std::string_view name) {
    auto right = strait::LinuxKernel::look_up(name);
    if (!right) return right.error();
    return ServiceRight(std::move(*right));
  }
  static auto greet(ServiceRight&& server, std::size_t queue_bytes,
                    std::span<const std::byte> body) {
    return Meeting<ReceiveRight>::greet(std::move(server), queue_bytes, body);
  }
  static auto welcome(Request&& request, std::size_t queue_bytes, std::span<const std::byte> body) {
    return Meeting<ReceiveRight>::welcome(std::move(request), queue_bytes, body);
  }
};

static_assert(strait::MachKernelWithRegions<ScriptedKernel>);

}  // namespace strait_test
