// expect: strait: this listener takes none of the channel's message types.
// expect: strait: the listener of a raw channel takes a std::span<const std::byte>.
// expect: strait: an acceptor's listener takes the client's channel before the message
// expect: strait: an acceptor's listener takes the client's channel before the message
// expect: strait: this listener takes none of the channel's message types.
// expect: strait: an acceptor's listener takes the client's channel before the message
// expect: strait: an acceptor's listener has on_closed(Link&, std::error_code)
// expect: strait: an acceptor's listener has on_connected(Link&)
// expect: strait: no rights come over this transport
// expect: strait: no rights come over this transport

#include <strait/acceptor.hpp>
#include <strait/channel.hpp>
#include <strait/overloaded.hpp>
#include <strait/rights/rights.hpp>
#include <strait/serializers/raw.hpp>
#include <strait/serializers/trivial.hpp>
#include <strait/transports/mach.hpp>
#include <strait/transports/pipe.hpp>

struct Ping {
  int id;
};
struct Pong {
  int id;
};

struct ForgetsClient {
  void operator()(auto&, const Ping&) {}
  void on_closed(std::error_code) {}
};
struct ForSingleChannel {
  void operator()(auto&, const Ping&) {}
  void on_connected(const strait::Peer&) {}
};

using Typed = strait::Channel<strait::MachTransport<>, strait::TrivialSerializer<Ping>>;
using Both = strait::Channel<strait::MachTransport<>, strait::TrivialSerializer<Ping, Pong>>;
using Raw = strait::Channel<strait::MachTransport<>, strait::RawSerializer>;

using Plain = strait::Channel<strait::PipeTransport, strait::TrivialSerializer<Ping, Pong>>;

using Rooms = strait::Acceptor<Typed>;
using PlainRooms = strait::Acceptor<Plain>;
using Halls = strait::Acceptor<Both>;
using RawRooms = strait::Acceptor<Raw>;

void listen([[maybe_unused]] Typed& typed, [[maybe_unused]] Raw& raw, [[maybe_unused]] Rooms& rooms,
            [[maybe_unused]] Halls& halls, [[maybe_unused]] RawRooms& raw_rooms,
            [[maybe_unused]] Plain& plain, [[maybe_unused]] PlainRooms& plain_rooms) {
#if !defined(STRAIT_REJECT)
  static_cast<void>(typed.poll([](const Ping&) {}));
  static_cast<void>(raw.poll([](std::span<const std::byte>) {}));
  static_cast<void>(rooms.poll([](Typed&, const Ping&) {}));
  static_cast<void>(rooms.poll([](Typed&, const Ping&, strait::Rights) {}));
  static_cast<void>(raw_rooms.poll([](Raw&, std::span<const std::byte>) {}));
  static_cast<void>(plain.poll(strait::overloaded{[](const Ping&) {}, [](const Pong&) {}}));
  static_cast<void>(plain.poll([](const auto&...) {}));
  static_cast<void>(plain_rooms.poll([](Plain&, const Ping&) {}));
#elif STRAIT_REJECT == 1
  static_cast<void>(typed.poll([](const Pong&) {}));
#elif STRAIT_REJECT == 2
  static_cast<void>(raw.poll([](const Ping&) {}));
#elif STRAIT_REJECT == 3
  static_cast<void>(rooms.poll([](const Ping&) {}));
#elif STRAIT_REJECT == 4
  static_cast<void>(raw_rooms.poll([](std::span<const std::byte>) {}));
#elif STRAIT_REJECT == 5
  static_cast<void>(rooms.poll([](Typed&, const Pong&, strait::Rights) {}));
#elif STRAIT_REJECT == 6
  static_cast<void>(halls.poll(strait::overloaded{[](Both&, const Ping&) {}, [](const Pong&) {}}));
#elif STRAIT_REJECT == 7
  static_cast<void>(rooms.poll(ForgetsClient()));
#elif STRAIT_REJECT == 8
  static_cast<void>(rooms.poll(ForSingleChannel()));
#elif STRAIT_REJECT == 9
  static_cast<void>(
      plain.poll(strait::overloaded{[](const Ping&, strait::Rights) {}, [](const Pong&) {}}));
#elif STRAIT_REJECT == 10
  static_cast<void>(plain_rooms.poll(
      strait::overloaded{[](Plain&, const Ping&, strait::Rights) {}, [](Plain&, const Pong&) {}}));
#endif
}
