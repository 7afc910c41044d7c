#pragma once

// ZmqTransport under the names of the conformance suite: each stands for a port of the loopback
// interface, which the system chooses. What the kernel says of the peer is all that the suite
// asks for and a network has not, so it is told what it expects.

#include <strait/base/channel_name.hpp>
#include <strait/os/posix/user.hpp>
#include <strait/transports/zmq.hpp>

#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

namespace strait_test {

struct ZmqNames {
  static ZmqNames& instance() {
    static ZmqNames names;
    return names;
  }
  std::mutex mutex;
  std::map<std::string, std::string, std::less<>> endpoints;
};

/// Keys of the two sides, so that tokens are not what makes them.
inline const strait::KeyPair& zmq_server_keys() {
  static const auto keys = strait::KeyPair::generate().value();
  return keys;
}
inline const strait::KeyPair& zmq_client_keys() {
  static const auto keys = strait::KeyPair::generate().value();
  return keys;
}

template <class Inner>
class NamedZmq : private Inner {
 public:
  static constexpr bool arrives_later = true;

  struct Request : Inner::Request {
    explicit Request(typename Inner::Request request) : Inner::Request(std::move(request)) {
      this->credentials = strait::os::own_credentials();
    }
    strait::Result<NamedZmq> welcome(std::span<const std::byte> answer) && {
      return named(std::move(*this).Inner::Request::welcome(answer));
    }
  };

  class Server : public Inner::Server {
   public:
    Server(typename Inner::Server server, std::string_view name)
        : Inner::Server(std::move(server)), name_(name) {}
    Server(Server&& other) noexcept
        : Inner::Server(std::move(other)), name_(std::exchange(other.name_, {})) {}
    Server& operator=(Server&&) = delete;
    ~Server() { forget(); }

    strait::Result<Request> accept() {
      auto request = Inner::Server::accept();
      if (!request) return request.error();
      return Request(std::move(*request));
    }
    void withdraw() {
      forget();
      Inner::Server::withdraw();
    }

   private:
    void forget() {
      if (name_.empty()) return;
      auto& names = ZmqNames::instance();
      const std::lock_guard locked(names.mutex);
      names.endpoints.erase(std::exchange(name_, {}));
    }

    std::string name_;
  };

  struct Connector : Inner::Connector {
    strait::Result<NamedZmq> hello(std::span<const std::byte> hello) && {
      return named(std::move(*this).Inner::Connector::hello(hello));
    }
  };

  static strait::Result<Server> listen(std::string_view name, strait::AcceptLimits limits) {
    if (auto checked = strait::detail::check_name(name); !checked) return checked.error();
    auto& names = ZmqNames::instance();
    const std::lock_guard locked(names.mutex);
    if (names.endpoints.count(name) != 0) return strait::Errc::name_taken;
    const strait::ZmqName any_port(
        "tcp://127.0.0.1:*",
        {.own = zmq_server_keys(), .clients = {zmq_client_keys().public_key()}});
    auto server = Inner::listen(any_port, limits);
    if (!server) return server.error();
    names.endpoints.emplace(name, server->endpoint());
    return Server(std::move(*server), name);
  }

  static strait::Result<Connector> look_up(std::string_view name) {
    if (auto checked = strait::detail::check_name(name); !checked) return checked.error();
    std::string endpoint;
    {
      auto& names = ZmqNames::instance();
      const std::lock_guard locked(names.mutex);
      const auto found = names.endpoints.find(name);
      if (found == names.endpoints.end()) return strait::Errc::not_found;
      endpoint = found->second;
    }
    auto server = Inner::look_up(strait::ZmqName(
        endpoint, {.own = zmq_client_keys(), .server = zmq_server_keys().public_key()}));
    if (!server) return server.error();
    return Connector{std::move(*server)};
  }

  strait::PeerCredentials server_credentials() const { return strait::os::own_credentials(); }
  using Inner::welcome;

  template <class Payload>
  strait::Result<void> send(const Payload& payload, strait::FrameQueue& queue) {
    return Inner::send(payload, queue);
  }
  using Inner::flush;
  template <class Sink>
  strait::Result<void> receive(Sink&& sink, const strait::ReceiveLimits& limits) {
    return Inner::receive(sink, limits);
  }
  using Inner::arm;
  using Inner::disarm;
  using Inner::readable;
  using Inner::take_doorbells;
  using typename Inner::wait_policy;

 private:
  explicit NamedZmq(Inner&& link) : Inner(std::move(link)) {}
  static strait::Result<NamedZmq> named(strait::Result<Inner> link) {
    if (!link) return link.error();
    return NamedZmq(std::move(*link));
  }
};

}  // namespace strait_test
