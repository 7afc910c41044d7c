// expect: strait: a serializer has a static schema_hash, a std::uint64_t: S1 in serializer.hpp.
// expect: strait: a serializer has a static accepts<M>, a bool: S2 in serializer.hpp.
// expect: strait: a serializer has a static tag(const M&), which returns a std::uint16_t: S3 in serializer.hpp.
// expect: strait: a serializer has a static size(const M&), which returns a std::size_t or a std::integral_constant of one: S4 in serializer.hpp.
// expect: strait: a serializer has a static write(const M&, std::byte*), which returns nothing: S5 in serializer.hpp.
// expect: strait: a serializer has a static read(std::uint16_t, std::span<const std::byte>, listener&), which returns Result<void>: S9 in serializer.hpp.

// The least serializer, without one of its requirements at a time.

#include <strait/channel.hpp>
#include <strait/transports/mach.hpp>

#ifndef STRAIT_REJECT
#define STRAIT_REJECT 0
#endif

struct Ping {};

struct Serializer {
#if STRAIT_REJECT != 1
  static constexpr std::uint64_t schema_hash = 1;
#endif
#if STRAIT_REJECT != 2
  template <class Message>
  static constexpr bool accepts = true;
#endif
#if STRAIT_REJECT != 3
  static std::uint16_t tag(const Ping& message);
#endif
#if STRAIT_REJECT != 4
  static std::size_t size(const Ping& message);
#endif
#if STRAIT_REJECT != 5
  static void write(const Ping& message, std::byte* out);
#endif
#if STRAIT_REJECT != 6
  template <class Listener>
  static strait::Result<void> read(std::uint16_t tag, std::span<const std::byte> bytes,
                                   Listener& listener);
#endif
};

using Link = strait::Channel<strait::MachTransport<>, Serializer>;

bool look(Link& link) { return link.send(Ping{}).has_value(); }
