#pragma once

// What breaks the rules of a link over rings: a server, and a client that does by hand what it
// likes, before the handshake or after it.

#include <strait/mach/windows/kernel.hpp>
#include <strait/os/windows/mapping.hpp>

#include <string>

#include "conformance/channels.hpp"
#include "conformance/transports.hpp"
#include "support/refusals.hpp"

namespace strait_test {

using strait::windows::Descriptor;
using strait::windows::Mapping;
using strait::windows::PipeEnd;
using strait::windows_mach::object_of;
using strait::windows_mach::Part;
using strait::windows_mach::RingMemory;
using strait::windows_mach::Stem;

template <class T>
using MachDoorLink =
    RawLink<T, strait::ChannelOptions{.handshake_timeout_ms = 200}, SharedRefusals>;
inline constexpr std::size_t ring_bytes = std::size_t{1} << 20;

/// A server, and a client that does by hand what it likes.
template <class T = Mach>
struct MachDoor {
  using Link = MachDoorLink<T>;

  const std::string name = unique_name("mach-door");
  const strait::Token token = new_token();
  SharedRefusals refusals{};
  Link server = Link::listen(name, token, refusals).value();
  Inbox at_server{};
  Stem stem = strait::windows_mach::new_stem().value();
  const strait::windows::Protection protection = strait::windows::Protection::create().value();
  PipeEnd pipe{};
  Descriptor events[2]{};

  void make_events() {
    for (const Part part : {Part::servers, Part::clients}) {
      events[part == Part::clients].reset(
          ::CreateEventW(nullptr, TRUE, FALSE, object_of(stem, part).c_str()));
    }
  }
  void say_hello() {
    auto found = strait::detail::connect_to_name(strait::windows_mach::kind, name).value();
    pipe = PipeEnd::create(std::move(found)).value();
    const auto terms = Link::terms(token);
    const auto hello =
        strait::detail::encode_hello(terms.schema.hash, token, terms.options, terms.schema.digests);
    REQUIRE(strait::windows_mach::write_greeting(pipe, hello.bytes(), false, stem));
  }
  bool is_refused() {
    return poll_until(server, at_server, [&] { return !refusals.log->why.empty(); }) &&
           at_server.connected == 0;
  }
  bool lets_honest_client_in() {
    Inbox inbox;
    auto client = Link::connect(name, token).value();
    return pump_until(server, at_server, client, inbox, [&] { return inbox.connected == 1; });
  }
};

/// A peer that has shaken hands by the rules.
template <class T = Mach>
struct MachPeer {
  MachDoor<T> door{};
  RingMemory up, down;

  MachPeer() {
    up = RingMemory::create(object_of(door.stem, Part::up), ring_bytes, door.protection).value();
    down =
        RingMemory::create(object_of(door.stem, Part::down), ring_bytes, door.protection).value();
    door.make_events();
    door.say_hello();
    REQUIRE(poll_until(door.server, door.at_server, [&] { return door.at_server.connected == 1; }));
  }
  /// What this peer may write to, as it may.
  Mapping view(Part part) const {
    const Descriptor section(::OpenFileMappingW(FILE_MAP_READ | FILE_MAP_WRITE, FALSE,
                                                object_of(door.stem, part).c_str()));
    return Mapping::map(RingMemory::granularity + ring_bytes, Mapping::shared, section.get())
        .value();
  }
  std::error_code server_end() { return poll_until_error(door.server, door.at_server); }
};

}  // namespace strait_test
