// What goes over the wire, byte for byte, in the protocol's version that is named here. When one of
// these tests fails, builds from before and after the change do not understand each other, and have
// to find that out by the version: raise `protocol_version`, and then write down the new bytes.

#include <strait/calls/frame.hpp>
#include <strait/framing/frame_stream.hpp>
#include <strait/handshake/hello.hpp>
#include <strait/mach/region_cache.hpp>
#include <strait/redelivery/frame.hpp>
#include <strait/serializers/struct.hpp>
#include <strait/serializers/trivial.hpp>

#include <array>
#include <bit>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "support/catch.hpp"

namespace {

static_assert(strait::detail::protocol_version == 6,
              "these are the bytes of another version of the protocol: see above");

std::string hex_of(std::span<const std::byte> bytes) {
  std::string text;
  for (const std::byte byte : bytes) {
    text += "0123456789abcdef"[static_cast<unsigned>(byte) >> 4];
    text += "0123456789abcdef"[static_cast<unsigned>(byte) & 15];
  }
  return text;
}
template <class T>
std::string hex_of_object(const T& object) {
  return hex_of(std::as_bytes(std::span(&object, 1)));
}
template <class SerializerT, class Message>
std::string hex_of_message(const Message& message) {
  std::vector<std::byte> bytes(SerializerT::size(message));
  SerializerT::write(message, bytes.data());
  return hex_of(bytes);
}

strait::Token counting_token() {
  std::array<std::byte, strait::Token::size_bytes> bytes;
  for (std::size_t i = 0; i != bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i);
  return strait::Token::from_bytes(bytes);
}

struct WirePose {
  double x;
  std::int32_t id;
  std::uint32_t kind;
};
struct WireText {
  std::string text;
  std::vector<std::uint32_t> numbers;
  std::optional<std::int16_t> rest;
};

// The words of all that is below are in the byte order of the machine.
constexpr bool is_little = std::endian::native == std::endian::little;

}  // namespace

TEST_CASE("the bytes of a Hello and of a Welcome are those of this protocol's version", "[wire]") {
  if (!is_little) return;
  strait::detail::TypeDigests digests;
  digests.count = 2;
  digests.of_type[0] = 0x1234;
  digests.of_type[1] = 0x5678;
  const auto hello = strait::detail::encode_hello(0x1122334455667788, counting_token(),
                                                  {.loan_bytes = 1, .queue_bytes = 2}, digests);
  CHECK(hex_of(hello.bytes()) ==
        "1a0a73747261697406000000000000008877665544332211"
        "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
        "01000000000000000200000000000000020034127856" +
            std::string(84, '0'));
  CHECK(hex_of(strait::detail::encode_welcome({}).bytes()) == "1a0a7374726169740600000000000000");
  CHECK(hex_of(strait::detail::encode_welcome(strait::Errc::bad_token).bytes()) ==
        "1a0a7374726169740600000006000000");
  CHECK(hex_of(strait::detail::encode_welcome(strait::Errc::schema_mismatch, digests).bytes()) ==
        "1a0a7374726169740600000008000000020034127856" + std::string(84, '0'));
}

TEST_CASE("the bytes of a frame are those of this protocol's version", "[wire]") {
  if (!is_little) return;
  const std::string text = "hello";
  const auto bytes = std::as_bytes(std::span(text.data(), text.size()));
  std::string sent;
  const strait::detail::FrameParts frame(7, bytes);
  for (const auto& part : frame.get()) {
    sent += hex_of({static_cast<const std::byte*>(part.iov_base), part.iov_len});
  }
  CHECK(sent == "050000000700000068656c6c6f");
  CHECK(hex_of_object(strait::detail::FrameHeader{5, 7, 0, 2}) == "0500000007000002");
}

TEST_CASE("what stands in for memory that is elsewhere is that of this protocol's version",
          "[wire]") {
  if (!is_little) return;
  using strait::detail::OolReference;
  CHECK(hex_of_object(strait::MessageHeader{5, 7, 4, 1}) == "0500000007000401");
  CHECK(hex_of_object(OolReference{5, 3, OolReference::Place::cached}) ==
        "05000000000000000300000002000000");
  CHECK(static_cast<int>(OolReference::Place::returns) == 3);
  CHECK(static_cast<int>(OolReference::Place::shared_fresh) == 4);
  CHECK(static_cast<int>(OolReference::Place::shared_cached) == 5);
  CHECK(static_cast<int>(OolReference::Place::forgotten) == 6);
  CHECK(hex_of_object(strait::detail::PatchHeader{5, 3}) == "05000000000000000300000000000000");
  CHECK(static_cast<int>(strait::detail::MessageKind::whole) == 1);
  CHECK(static_cast<int>(strait::detail::MessageKind::patch) == 9);
}

TEST_CASE("the bytes of a call are those of this protocol's version", "[wire]") {
  if (!is_little) return;
  std::array<std::byte, strait::detail::CallTrailer::bytes> bytes;
  strait::detail::CallTrailer{strait::detail::CallKind::reply, strait::CallId{0x1234}}.write(
      bytes.data());
  CHECK(hex_of(bytes) == "0334120000000000");
}

TEST_CASE("what acknowledged messages travel with is that of this protocol's version", "[wire]") {
  if (!is_little) return;
  using strait::detail::FrameKind;
  std::array<std::byte, strait::detail::FrameTrailer::bytes> bytes;
  strait::detail::FrameTrailer{FrameKind::numbered, 0x1234}.write(bytes.data());
  CHECK(hex_of(bytes) == "0134120000000000");
  CHECK(static_cast<int>(FrameKind::hello) == 2);
  CHECK(static_cast<int>(FrameKind::acknowledgement) == 5);
  const strait::detail::ControlFrame hello(FrameKind::hello, 3,
                                           strait::detail::SessionHello{1, 2, 0x55});
  CHECK(hex_of(hello.frame().bytes) ==
        "0100000000000000020000000000000055000000000000000203000000000000");
}

TEST_CASE("the bytes and the schemas of messages are those of this protocol's version", "[wire]") {
  using Trivial = strait::TrivialSerializer<WirePose>;
  using Struct = strait::StructSerializer<WireText>;
  STATIC_REQUIRE(Trivial::schema_hash == 0x9ed04088faf7f3fd);
  STATIC_REQUIRE(Struct::schema_hash == 0xce48a210a55d9ee5);
  if (!is_little) return;
  CHECK(hex_of_message<Trivial>(WirePose{0.5, -2, 1}) == "000000000000e03ffeffffff01000000");
  CHECK(hex_of_message<Struct>(WireText{"hello", {1, 2}, std::int16_t{-1}}) ==
        "0500000068656c6c6f02000000000000010000000200000001ffff");
}
