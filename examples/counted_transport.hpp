#pragma once

#include <strait/transport.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

/// A transport that counts the messages of this process which another one brings in. All the rest
/// it takes over as it is.
template <class Inner>
class CountedTransport : private Inner {
 public:
  static inline std::uint64_t messages = 0;
  static inline std::uint64_t bytes = 0;

  struct Request : Inner::Request {  // T3
    strait::Result<CountedTransport> welcome(std::span<const std::byte> answer) && {
      return counted(std::move(*this).Inner::Request::welcome(answer));
    }
  };
  struct Server : Inner::Server {
    strait::Result<Request> accept() {  // T2
      auto request = Inner::Server::accept();
      if (!request) return request.error();
      return Request{std::move(*request)};
    }
  };
  struct Connector : Inner::Connector {
    strait::Result<CountedTransport> hello(std::span<const std::byte> hello) && {  // T4
      return counted(std::move(*this).Inner::Connector::hello(hello));
    }
  };

  static strait::Result<Server> listen(std::string_view name, strait::AcceptLimits limits) {  // T1
    auto server = Inner::listen(name, limits);
    if (!server) return server.error();
    return Server{std::move(*server)};
  }
  static strait::Result<Connector> look_up(std::string_view name) {  // T4
    auto server = Inner::look_up(name);
    if (!server) return server.error();
    return Connector{std::move(*server)};
  }
  using Inner::welcome;  // T5

  template <class Payload>
  strait::Result<void> send(const Payload& payload, strait::FrameQueue& queue) {  // T6
    return Inner::send(payload, queue);
  }
  using Inner::flush;  // T7

  template <class Sink>
  strait::Result<void> receive(Sink&& sink, const strait::ReceiveLimits& limits) {  // T8
    const auto count = [&](const strait::Incoming& message) {
      ++messages;
      bytes += message.bytes.size();
      return sink(message);
    };
    return Inner::receive(count, limits);
  }

  using Inner::arm;  // T10
  using Inner::disarm;
  using Inner::readable;
  using Inner::take_doorbells;
  using typename Inner::wait_policy;  // T9

 private:
  explicit CountedTransport(Inner&& link) : Inner(std::move(link)) {}
  static strait::Result<CountedTransport> counted(strait::Result<Inner> link) {
    if (!link) return link.error();
    return CountedTransport(std::move(*link));
  }
};
