// As tests/unit/wire_test.cpp: what lies in the memory and in the packets of Linux's Mach ports.

#include <strait/handshake/hello.hpp>
#include <strait/mach/linux/packed_endpoint.hpp>
#include <strait/mach/linux/ring.hpp>

#include <array>
#include <bit>
#include <cstddef>
#include <cstring>
#include <string>

#include "support/catch.hpp"

static_assert(strait::detail::protocol_version == 6,
              "these are the bytes of another version of the protocol: see unit/wire_test.cpp");

TEST_CASE("the bytes of records in a ring are those of this protocol's version", "[wire][ring]") {
  if (std::endian::native != std::endian::little) return;
  strait::linux_mach::RingControl control{};
  // Nothing here comes to the end, where the memory would begin anew.
  alignas(8) std::array<std::byte, 4096> memory{};
  strait::linux_mach::RingWriter writer(&control, memory.data(), memory.size(), 0);
  const auto post = [&](const char* text, std::uint16_t tag) {
    const auto bytes = static_cast<std::uint32_t>(std::strlen(text));
    const auto write = [&](std::byte* room) { std::memcpy(room, text, bytes); };
    return writer.post({bytes, tag, 1, 0}, write).has_value();
  };
  REQUIRE(post("hello", 7));
  REQUIRE(post("strait!!", 8));
  // A header, of which the last bit says that it is there; the body; zeros up to the next word.
  const char expected[] =
      "\5\0\0\0\7\0\1\200hello\0\0\0"
      "\10\0\0\0\10\0\1\200strait!!\0\0\0\0\0\0\0";
  CHECK(std::memcmp(memory.data(), expected, sizeof expected) == 0);
}

TEST_CASE("the label of a packed endpoint is that of this protocol's version", "[wire]") {
  using Label = strait::linux_mach::PackedEndpointLabel;
  STATIC_REQUIRE(Label::own_magic == 0x31646e6574726173);
  STATIC_REQUIRE(sizeof(Label) == 32);
  STATIC_REQUIRE(offsetof(Label, read_position) == 8);
  STATIC_REQUIRE(offsetof(Label, write_position) == 16);
  STATIC_REQUIRE(offsetof(Label, begun) == 24);
  STATIC_REQUIRE(offsetof(Label, rights) == 28);
}
