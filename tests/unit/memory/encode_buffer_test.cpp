#include <strait/memory/encode_buffer.hpp>

#include <strait/channel.hpp>
#include <strait/transports/loopback.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "support/catch.hpp"

namespace {

using strait::EncodeBuffer;
using strait::Errc;
using strait::Result;

/// A message that says itself how it is encoded.
struct Scripted {
  std::function<void(EncodeBuffer&)> encode;
  std::error_code unsendable;
};
struct ScriptedSerializer {
  static constexpr std::uint64_t schema_hash = 7;
  template <class Message>
  static constexpr bool accepts = std::same_as<Message, Scripted>;
  static std::uint16_t tag(const Scripted&) { return 3; }
  static void encode(const Scripted& message, EncodeBuffer& out) { message.encode(out); }
  static Result<void> check(const Scripted& message) {
    return message.unsendable ? Result<void>(message.unsendable) : Result<void>();
  }
  template <class Listener>
  static Result<void> read(std::uint16_t, std::span<const std::byte> bytes, Listener& listener) {
    listener(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
    return {};
  }
};
constexpr strait::ChannelOptions small{.max_message_bytes = 10};
using Link = strait::Channel<strait::LoopbackTransport, ScriptedSerializer, small>;

std::string received(Link& link) {
  std::string all;
  link.poll([&](std::string_view text) { all += text; }).value();
  return all;
}

}  // namespace

TEST_CASE("encode buffer: what is appended is sent, in order", "[memory]") {
  auto [a, b] = Link::pair().value();
  const auto encode = [](EncodeBuffer& out) {
    out.append("abc", 3);
    out.append(nullptr, 0);
    out.append("de", 2);
  };
  a.send(Scripted{encode, {}}).value();
  CHECK(received(b) == "abcde");
  // Nothing of it is left in the next one.
  a.send(Scripted{[](EncodeBuffer& out) { out.append("f", 1); }, {}}).value();
  CHECK(received(b) == "f");
  a.send(Scripted{[](EncodeBuffer&) {}, {}}).value();
  CHECK(received(b).empty());
}

TEST_CASE("encode buffer: the channel's limit holds, and the next message is sent", "[memory]") {
  auto [a, b] = Link::pair().value();
  const auto encode = [](EncodeBuffer& out) {
    for (int i = 0; i != 11; ++i) out.append("x", 1);
  };
  CHECK(a.send(Scripted{encode, {}}).failed_with(Errc::message_too_large));
  a.send(Scripted{[](EncodeBuffer& out) { out.append("0123456789", 10); }, {}}).value();
  CHECK(received(b) == "0123456789");
}

TEST_CASE("encode buffer: the first failure is what send answers", "[memory]") {
  auto [a, b] = Link::pair().value();
  const auto encode = [](EncodeBuffer& out) {
    out.append("abc", 3);
    out.fail(make_error_code(Errc::invalid_message));
    out.fail(make_error_code(Errc::busy));
    out.append("too long for the channel", 24);
  };
  CHECK(a.send(Scripted{encode, {}}).failed_with(Errc::invalid_message));
  CHECK(received(b).empty());
}

TEST_CASE("encode buffer: a message that is not to be sent is not encoded", "[memory]") {
  auto [a, b] = Link::pair().value();
  bool encoded = false;
  const Scripted message{[&](EncodeBuffer&) { encoded = true; },
                         make_error_code(Errc::invalid_message)};
  CHECK(a.send(message).failed_with(Errc::invalid_message));
  CHECK(!encoded);
  CHECK(received(b).empty());
}

TEST_CASE("encode buffer: sending from inside an encoder is refused", "[memory]") {
  auto [a, b] = Link::pair().value();
  Result<void> inner;
  const auto encode = [&, &link = a](EncodeBuffer& out) {
    inner = link.send(Scripted{[](EncodeBuffer&) {}, {}});
    out.append("outer", 5);
  };
  a.send(Scripted{encode, {}}).value();
  CHECK(inner.failed_with(Errc::busy));
  CHECK(received(b) == "outer");
  // What an encoder throws is the caller's, and the channel goes on.
  CHECK_THROWS_AS(a.send(Scripted{[](EncodeBuffer&) { throw 7; }, {}}), int);
  a.send(Scripted{[](EncodeBuffer& out) { out.append("next", 4); }, {}}).value();
  CHECK(received(b) == "next");
}
