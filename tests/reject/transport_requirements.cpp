// expect: strait: a transport has a static listen(std::string_view, AcceptLimits), which returns Result<T::Server>: T1 in transport.hpp.
// expect: strait: a transport's Server has accept(), which returns Result<T::Request>, and const interest() and deadline(): T2 in transport.hpp.
// expect: strait: a transport's Request has credentials, failure, hello(), and for rvalues welcome(bytes), which returns Result<T>, and refuse(bytes): T3 in transport.hpp.
// expect: strait: a transport can be moved, and has a static look_up(std::string_view), which returns Result<T::Connector>, whose hello(bytes) returns Result<T>: T4 in transport.hpp.
// expect: strait: a transport has welcome(), which returns Result<HandshakeBytes>, and its Connector has credentials() or it has server_credentials(): T5 in transport.hpp.
// expect: strait: a transport has send(payload, FrameQueue&), which returns Result<void>: T6 in transport.hpp.
// expect: strait: a transport has flush(FrameQueue&), which returns Result<void>: T7 in transport.hpp.
// expect: strait: a transport has receive(sink, const ReceiveLimits&), which returns Result<void>: T8 in transport.hpp.
// expect: strait: a transport has a type wait_policy, such as strait::Block, and a const readable(), which returns bool: T9 in transport.hpp.
// expect: strait: a transport has arm(const FrameQueue&), which returns Armed, disarm(), which returns bool, and take_doorbells(): T10 in transport.hpp.

// The least transport, without one of its requirements at a time.

#include <strait/channel.hpp>
#include <strait/serializers/raw.hpp>

#ifndef STRAIT_REJECT
#define STRAIT_REJECT 0
#endif

struct Transport {
  struct Request {
    strait::PeerCredentials credentials;
    std::error_code failure;
    std::span<const std::byte> hello() const;
    strait::Result<Transport> welcome(std::span<const std::byte> bytes) &&;
#if STRAIT_REJECT != 3
    void refuse(std::span<const std::byte> bytes) &&;
#endif
  };
  struct Server {
    strait::Result<Request> accept();
    strait::Interest interest() const;
#if STRAIT_REJECT != 2
    strait::Deadline deadline() const;
#endif
  };
  struct Connector {
    strait::PeerCredentials credentials() const;
    strait::Result<Transport> hello(std::span<const std::byte> bytes) &&;
  };
  static strait::Result<Connector> look_up(std::string_view name);

#if STRAIT_REJECT != 1
  static strait::Result<Server> listen(std::string_view name, strait::AcceptLimits limits);
#endif
#if STRAIT_REJECT == 4
  Transport(const Transport&) = delete;
#endif
#if STRAIT_REJECT != 5
  strait::Result<strait::HandshakeBytes> welcome();
#endif
#if STRAIT_REJECT != 6
  template <class Payload>
  strait::Result<void> send(const Payload& payload, strait::FrameQueue& queue);
#endif
#if STRAIT_REJECT != 7
  strait::Result<void> flush(strait::FrameQueue& queue);
#endif
#if STRAIT_REJECT != 8
  template <class Sink>
  strait::Result<void> receive(Sink&& sink, const strait::ReceiveLimits& limits);
#endif
#if STRAIT_REJECT != 9
  bool readable() const;
#endif
  using wait_policy = strait::Block;
#if STRAIT_REJECT != 10
  strait::Armed arm(const strait::FrameQueue& queue);
#endif
  bool disarm();
  void take_doorbells();
};

using Link = strait::Channel<Transport, strait::RawSerializer>;

std::size_t look(Link& link) { return link.queued_bytes(); }
