#pragma once

// Channels that carry rights, and rights that can be told apart.

#include <cstdint>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "conformance/channels.hpp"
#include "strait/rights/rights.hpp"
#include "strait/rights/semaphore.hpp"
#include "strait/rights/shared_memory.hpp"
#include "strait/rights/table.hpp"
#include "strait/transports/mach.hpp"
#include "support/plain_rights.hpp"
#if STRAIT_HAS_WINDOWS
#include "strait/transports/loopback.hpp"
// Macros of <windows.h>, for processors that had two kinds of pointers.
#undef near
#undef far
#else
#include "strait/transports/socket.hpp"
#endif

namespace strait_test {

using strait::Rights;

/// A listener that keeps all it hears, rights too.
struct RightsInbox {
  std::vector<Bytes> messages;
  std::vector<Rights> rights;

  void operator()(View bytes, Rights received) {
    messages.emplace_back(bytes.begin(), bytes.end());
    rights.push_back(std::move(received));
  }
};

/// Memory that says which one it is.
inline strait::SharedMemory numbered(std::uint64_t number) {
  auto memory = strait::SharedMemory::create(sizeof number).value();
  *memory.map<std::uint64_t>().value() = number;
  return memory;
}
inline Rights numbered_rights(std::uint64_t first, std::size_t count) {
  Rights rights;
  for (std::size_t i = 0; i != count; ++i) REQUIRE(rights.add(numbered(first + i)));
  return rights;
}

/// The number of the next right; none when it is not such memory.
inline std::optional<std::uint64_t> take_number(Rights& rights) {
  auto memory = rights.take<strait::SharedMemory>();
  if (!memory) return {};
  return *memory->map<const std::uint64_t>().value();
}

/// True when these are the numbers from `first` on, and no more than `count`.
inline bool take_numbers(Rights& rights, std::uint64_t first, std::size_t count) {
  if (rights.size() != count) return false;
  for (std::size_t i = 0; i != count; ++i) {
    if (take_number(rights) != first + i) return false;
  }
  return rights.empty();
}

/// An end with lent memory in it does not travel.
template <class T>
inline constexpr bool lends = false;
template <std::size_t threshold, class Wait, std::size_t queue>
inline constexpr bool lends<strait::BasicMachTransport<
    strait::NativeMachKernel, strait::OolThreshold<threshold, strait::Loan>, Wait, queue>> = true;

/// The transport whose ends travel over `T`, and whether there is one.
#if STRAIT_HAS_WINDOWS
template <class T>
using Passable = std::conditional_t<strait::PassesEnds<T>, T, strait::LoopbackTransport>;
template <class T>
inline constexpr bool carries_ends = strait::PassesEnds<T>;
#else
template <class T>
using Passable = std::conditional_t<strait::PassesEnds<T> && !lends<T>, T, strait::SocketTransport>;
template <class T>
inline constexpr bool carries_ends = true;
#endif

/// Two ends of a new pair of channels.
template <class Link>
struct Ends {
  Link near, far;
  RightsInbox at_near{}, at_far{};

  static Ends make() {
    if constexpr (strait::PassesEnds<typename Link::transport>) {
      auto pair = Link::pair().value();
      return {std::move(pair.first), std::move(pair.second)};
    } else {
      auto pair = fresh_pair<Link>();
      const auto deaf = [](const auto&) {};
      REQUIRE(pump_until(pair.server, deaf, pair.client, deaf, [&] {
        return !pair.server.waiting_connect() && !pair.client.waiting_connect();
      }));
      return {std::move(pair.client), std::move(pair.server)};
    }
  }
  bool deliver(std::size_t count) {
    return pump_until(near, at_near, far, at_far, [&] { return at_far.messages.size() >= count; });
  }
};

template <class Link>
Rights rights_of(Link&& end) {
  Rights rights;
  REQUIRE(rights.add(std::move(end)));
  return rights;
}

/// Sends an end from one channel to another and back out of the rights, `hops` times.
template <class Link>
Link passed(Link end, int hops = 1) {
  for (; hops != 0; --hops) {
    auto ends = Ends<Link>::make();
    REQUIRE(ends.near.send(pattern(10), rights_of(std::move(end))));
    REQUIRE(ends.deliver(1));
    end = ends.at_far.rights[0].template take<Link>().value();
  }
  return end;
}

}  // namespace strait_test
