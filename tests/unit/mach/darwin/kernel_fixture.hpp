#pragma once

// Peers that write their Mach messages by hand, for the tests of the kernel that speaks to Mach.

#include <strait/channel.hpp>
#include <strait/os/wait_set.hpp>
#include <strait/rights/rights.hpp>
#include <strait/serializers/raw.hpp>
#include <strait/transports/mach.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <poll.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/raw_mach.hpp"
#include "support/refusals.hpp"
#include "support/runtime_dir.hpp"
#include "support/scripted_mach.hpp"

namespace strait_test::darwin {

using mach::Disposition;
using mach::Notification;
using strait::ChannelOptions;
using strait::Errc;
using strait::RawSerializer;
using strait::Token;
using strait::os::Descriptor;

using View = std::span<const std::byte>;
using Transport = strait::BasicMachTransport<ScriptedDarwin, strait::OolThreshold<10'000>>;
using Link = strait::Channel<Transport, RawSerializer>;

using WatchedLink = strait::Channel<Transport, RawSerializer, ChannelOptions{}, Refusals>;

inline const auto deaf = [](View) {};

inline strait::Rights two_files() {
  strait::Rights rights;
  for (int i = 0; i != 2; ++i) {
    REQUIRE(rights.add(strait::os::open("/dev/zero", O_RDONLY).value()));
  }
  return rights;
}

/// Two ends, and the rights that came to the server's.
struct ConnectedLinks {
  ConnectedLinks() {
    REQUIRE(server.poll(deaf));
    REQUIRE(client.poll(deaf));
    REQUIRE_FALSE(client.waiting_connect());
  }
  void operator()(View, strait::Rights rights) { received.push_back(std::move(rights)); }

  std::string name = unique_name("files");
  Token token = Token::generate().value();
  Link server = Link::listen(name, token).value();
  Link client = Link::connect(name, token).value();
  std::vector<strait::Rights> received{};
};

inline View text() {
  static const std::string letters =
      "some seventy bytes that are the same whoever sends them, and no more";
  return std::as_bytes(std::span(letters));
}

inline OwnedSend look_up(const std::string& name) {
  mach::PortName port = 0;
  REQUIRE(ScriptedTraps::look_up(("strait." + name).c_str(), port) == mach::success);
  return OwnedSend(port);
}

struct Door {
  std::string name = unique_name("door");
  Token token = Token::generate().value();
  WatchedLink server = WatchedLink::listen(name, token).value();
  OwnedSend port = look_up(name);

  strait::detail::HandshakeBytes hello() const {
    return strait::detail::HandshakeBytes(
        strait::detail::encode_hello(RawSerializer::schema_hash, token,
                                     strait::detail::wire_options_of<Transport>())
            .bytes());
  }
  void let_the_right_one_in() {
    auto client = Link::connect(name, token).value();
    REQUIRE(server.poll(deaf));
    REQUIRE_FALSE(server.waiting_connect());
    REQUIRE(client.poll(deaf));
    REQUIRE_FALSE(client.waiting_connect());
    REQUIRE(client.send(text()));
    CHECK(server.poll(deaf).value() == 1);
  }
};

/// A client that writes its messages by hand and has been let in.
struct RawClient {
  RawClient() {
    REQUIRE(RawMessage(door.port.name()).right(in.name()).body(0, door.hello().bytes()).send() ==
            mach::success);
    in.send = OwnedSend();
    REQUIRE(door.server.poll(deaf));
    REQUIRE_FALSE(door.server.waiting_connect());
    const auto received = in.next();
    out = OwnedSend(only_right(received));
  }

  RawMessage message() const { return RawMessage(out.name()); }
  /// What the server says after this.
  std::error_code verdict() {
    const auto error = door.server.poll(deaf).error();
    if (error) CHECK(door.server.poll(deaf).error() == error);
    return error;
  }

  Door door{};
  RawPort in{};
  OwnedSend out{};
};

/// A server that writes its messages by hand, and a client that has said Hello to it.
template <class ClientLink = Link>
struct RawServer {
  RawServer() {
    mach::PortName port = 0;
    REQUIRE(ScriptedTraps::check_in(("strait." + name).c_str(), port) == mach::success);
    names = OwnedReceive(port);
    client.emplace(ClientLink::connect(name, Token::generate().value()).value());
    std::vector<std::byte> hello(4096);
    REQUIRE(ScriptedTraps::message(hello.data(),
                                   mach::option::receive | mach::option::receive_timeout, 0, 4096,
                                   port, 0) == mach::success);
    reply = OwnedSend(only_right(hello));
  }

  RawMessage answer() const { return RawMessage(reply.name()); }
  RawMessage good_welcome() {
    const auto bytes = strait::detail::encode_welcome({});
    return answer().right(in.name()).body(welcome, bytes.bytes());
  }
  std::error_code verdict() { return client->poll(deaf).error(); }

  std::string name = unique_name("hostile");
  OwnedReceive names{};
  RawPort in{};
  std::optional<ClientLink> client{};
  OwnedSend reply{};
};

struct Connected {
  Connected() {
    REQUIRE(server.poll(deaf));
    REQUIRE(client.poll(deaf));
    REQUIRE_FALSE(client.waiting_connect());
  }
  std::string name = unique_name("pair");
  Token token = Token::generate().value();
  Link server = Link::listen(name, token).value();
  Link client = Link::connect(name, token).value();
};

inline std::vector<std::byte> block(std::size_t size, std::uint8_t seed = 1) {
  std::vector<std::byte> bytes(size);
  for (std::size_t i = 0; i != size; ++i) bytes[i] = std::byte((i * 7 + seed) & 0xff);
  return bytes;
}

inline mach::Region<ScriptedTraps> region_of(std::size_t size) {
  return mach::Region<ScriptedTraps>::copy_of(block(size)).value();
}

/// A Hello of some bytes.
inline std::error_code say_hello(ScriptedDarwin::ServiceRight& right) {
  auto in = ScriptedDarwin::allocate(16 << 10).value();
  const auto reply = in.make_send_right();
  return right.send(text(), reply).error();
}

inline bool is_readable(const ScriptedDarwin::ServicePort& port) {
  return strait::os::is_ready(port.interest());
}

inline bool is_readable(strait::NativeHandle handle) {
  return strait::os::is_ready(strait::Interest::to_read(handle));
}

}  // namespace strait_test::darwin
