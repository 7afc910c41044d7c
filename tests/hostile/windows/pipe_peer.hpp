#pragma once

// Raw clients of a named pipe, beside a server.

#include <strait/os/windows/named_pipe.hpp>
#include <strait/os/windows/pipe_end.hpp>
#include <strait/os/windows/pipe_name.hpp>

#include <cstring>
#include <string>

#include "conformance/channels.hpp"
#include "conformance/transports.hpp"
#include "support/refusals.hpp"

namespace strait_test {

using strait::windows::GatheredPart;
using strait::windows::PipeEnd;

using HostileLink =
    RawLink<Pipe, strait::ChannelOptions{.handshake_timeout_ms = 200}, SharedRefusals>;

inline std::wstring pipe_of(const std::string& name) {
  return L"\\\\.\\pipe\\pipe-" + strait::windows::object_name(name);
}

/// A client's end of the pipe with that name, as any program may have it.
inline PipeEnd raw_client(const std::string& name) {
  for (;;) {
    auto pipe = strait::windows::connect_pipe(pipe_of(name));
    if (pipe) return PipeEnd::create(std::move(*pipe)).value();
    REQUIRE(pipe.error() == Errc::would_block);
  }
}

inline void write_raw(PipeEnd& to, Bytes bytes) {
  const GatheredPart part{bytes.data(), bytes.size()};
  static_cast<void>(to.write({&part, 1}));
}

inline Bytes frame(std::uint32_t bytes, std::uint8_t continued, std::uint8_t rights, View body) {
  const strait::detail::FrameHeader header{bytes, 0, continued, rights};
  Bytes out(sizeof header + body.size());
  std::memcpy(out.data(), &header, sizeof header);
  if (!body.empty()) std::memcpy(out.data() + sizeof header, body.data(), body.size());
  return out;
}

/// `inbox` is what it says of where handles may be put.
inline Bytes hello_of(const strait::Token& token, strait::windows::HandleNumber inbox = 0) {
  const auto terms = HostileLink::terms(token);
  const auto hello =
      strait::detail::encode_hello(terms.schema.hash, token, terms.options, terms.schema.digests);
  const auto noted = strait::detail::with_note(hello.bytes(), inbox);
  return frame(static_cast<std::uint32_t>(noted.bytes().size()), 0, 0, noted.bytes());
}

/// A server, and whether an honest client gets in.
struct Door {
  const std::string name = unique_name("door");
  const strait::Token token = new_token();
  SharedRefusals refusals{};
  HostileLink server = HostileLink::listen(name, token, refusals).value();
  Inbox at_server{};

  bool lets_honest_client_in() {
    Inbox inbox;
    auto client = HostileLink::connect(name, token);
    const auto end = Clock::now() + long_enough;
    while (!client && client.error() == Errc::would_block && Clock::now() < end) {
      static_cast<void>(server.poll(at_server));
      client = HostileLink::connect(name, token);
    }
    return client && pump_until(server, at_server, *client, inbox,
                                [&] { return inbox.connected == 1 && at_server.connected == 1; });
  }
};

/// A peer that has shaken hands by the rules, and now is free to do what it likes.
struct RawPeer {
  Door door{};
  PipeEnd peer = raw_client(door.name);

  RawPeer() {
    write_raw(peer, hello_of(door.token));
    REQUIRE(poll_until(door.server, door.at_server, [&] { return door.at_server.connected == 1; }));
  }
  std::error_code server_end() { return poll_until_error(door.server, door.at_server); }
};

}  // namespace strait_test
