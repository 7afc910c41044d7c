#pragma once

// What peers that break the rules of frames by hand have in common, over FIFOs and over sockets.

#include <strait/channel.hpp>
#include <strait/framing/frame_stream.hpp>
#include <strait/serializers/raw.hpp>

#include <array>
#include <chrono>
#include <cstring>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/refusals.hpp"
#include "support/runtime_dir.hpp"
#include "support/wire_bytes.hpp"

namespace strait_test::frames {

using Bytes = std::span<const std::byte>;
using Verdicts = std::vector<std::error_code>;

inline std::vector<std::byte> frame(strait::detail::FrameHeader header, Bytes body) {
  std::vector<std::byte> bytes(sizeof header + body.size());
  std::memcpy(bytes.data(), &header, sizeof header);
  if (!body.empty()) std::memcpy(bytes.data() + sizeof header, body.data(), body.size());
  return bytes;
}
inline std::vector<std::byte> frame(Bytes body, std::uint16_t tag = 0) {
  return frame({static_cast<std::uint32_t>(body.size()), tag, 0}, body);
}

inline constexpr strait::ChannelOptions limits{.max_message_bytes = std::size_t{1} << 20,
                                               .handshake_timeout_ms = 3'600'000,
                                               .max_half_open = 4};
inline constexpr auto deaf = [](Bytes) {};

template <class Transport>
struct FrameServer {
  using Link = strait::Channel<Transport, strait::RawSerializer, limits, Refusals>;

  std::string name = unique_name("hostile");
  strait::Token token = strait::Token::generate().value();
  Link link = Link::listen(name, token).value();
  strait::PeerCredentials last_refused = {};

  std::vector<std::byte> hello() const {
    return frame(strait::detail::encode_hello(strait::RawSerializer::schema_hash, token).bytes());
  }
  Verdicts verdicts() {
    CHECK(link.poll(deaf).value() == 0);
    CHECK(link.waiting_connect());
    Verdicts all;
    for (const auto& refusal : std::exchange(link.observer().seen, {})) {
      all.push_back(refusal.why);
      last_refused = refusal.who;
    }
    return all;
  }
  bool admits_an_honest_client() {
    auto client = Link::connect(name, token).value();
    if (!link.poll(deaf) || link.waiting_connect()) return false;
    if (!client.poll(deaf) || client.waiting_connect()) return false;
    return client.send(std::array{std::byte{5}}) && link.poll(deaf).value() == 1;
  }

  /// Hellos that are none.
  std::vector<std::vector<std::byte>> wrong_hellos() const {
    std::vector<std::vector<std::byte>> wrong(3, hello());
    wrong[0][8] ^= std::byte{1};  // the magic
    wrong[1][0] ^= std::byte{1};  // the length
    wrong[2].push_back(std::byte{0});
    for (const std::size_t at : {4u, 5u, 6u, 7u}) {  // the tag; what no frame may have; rights
      wrong.push_back(hello());
      wrong.back()[at] ^= std::byte{1};
    }
    wrong.emplace_back(300, std::byte{0x5a});
    for (const std::size_t size : {3u, 8u, 40u}) {
      wrong.push_back(hello());
      wrong.back().resize(size);
    }
    return wrong;
  }

  /// A good message from `client`, which has been let in; then `bytes`, then the end: how the
  /// channel ends.
  template <class Client>
  std::error_code end_by(Client& client, Bytes bytes, bool and_close) {
    const std::array<std::byte, 3> good{};
    client.say(frame(good));
    client.say(bytes);
    if (and_close) client.leave();
    std::size_t messages = 0;
    const auto listener = [&](Bytes) { ++messages; };
    CHECK(link.poll(listener).value() == 1);
    const auto error = link.wait(listener, std::chrono::hours(1)).error();
    CHECK(messages == 1);
    CHECK(link.poll(listener).error() == error);
    CHECK(link.send(good).error() == error);
    return error;
  }
};

// What every transport of frames passes. A `Client` speaks by hand to the server of a name: it
// comes with a Hello by `come_with`, and then sends by `say` and reads by `receive`.

/// What the client gets in one piece.
template <class Client>
std::vector<std::byte> received(const Client& client) {
  std::vector<std::byte> bytes(100);
  const auto size = client.receive(bytes);
  REQUIRE(size > 0);
  bytes.resize(static_cast<std::size_t>(size));
  return bytes;
}

template <class Server, class Client>
void check_rules_kept_by_hand() {
  Server server;
  Client client(server.name);
  client.come_with(server.hello());
  REQUIRE(server.link.poll(deaf));
  CHECK_FALSE(server.link.waiting_connect());
  CHECK(received(client).size() == 8 + 16);
  const std::array<std::byte, 3> message{};
  client.say(frame(message));
  client.say(frame({}));
  CHECK(server.link.poll(deaf).value() == 2);
}

/// The bytes of a whole conversation: see support/wire_bytes.hpp.
template <class Server, class Client>
void check_wire_bytes() {
  if (!wire::is_little) return;
  Server server{.token = wire::token()};
  Client client(server.name);
  client.come_with(wire::from_hex("7800000000000000" + wire::raw_hello()));
  REQUIRE(server.link.poll(deaf));
  REQUIRE_FALSE(server.link.waiting_connect());
  CHECK(wire::to_hex(received(client)) == "1000000000000000" + std::string(wire::good_welcome));
  client.say(wire::from_hex(wire::framed_hello));
  std::string heard;
  const auto listener = [&](Bytes bytes) {
    heard.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  };
  CHECK(server.link.poll(listener).value() == 1);
  CHECK(heard == "hello");
  REQUIRE(server.link.send(std::string("strait")));
  CHECK(wire::to_hex(received(client)) == wire::framed_strait);
}

/// `end_of(bytes, and_close)` says how the channel ends of a peer that sends these bytes.
template <class EndOf>
void check_senseless_frames(EndOf end_of) {
  const std::array<std::byte, 8> body{};
  CHECK(end_of(frame({8, 0, 1}, body), false) == strait::Errc::malformed);
  CHECK(end_of(frame({8, 0, 255}, body), false) == strait::Errc::malformed);
  CHECK(end_of(frame({8, 0, 0, 1}, body), false) == strait::Errc::malformed);
  CHECK(end_of(frame(body, 1), false) == strait::Errc::malformed);
  CHECK(end_of(frame(body, 65535), false) == strait::Errc::malformed);
  CHECK(end_of(frame({limits.max_message_bytes + 1, 0, 0}, {}), false) ==
        strait::Errc::message_too_large);
  CHECK(end_of(frame({0xffff'ffff, 0, 0}, body), false) == strait::Errc::message_too_large);
}

template <class EndOf>
void check_cut_frames(EndOf end_of) {
  const auto whole = frame(std::vector<std::byte>(20'000));
  for (const std::size_t size : {std::size_t{1}, std::size_t{7}, std::size_t{8}, std::size_t{9},
                                 std::size_t{19'000}, whole.size() - 1}) {
    CAPTURE(size);
    CHECK(end_of(Bytes(whole).first(size), true) == strait::Errc::peer_closed);
  }
}

}  // namespace strait_test::frames
