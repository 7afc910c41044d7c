#include <strait/base/hex.hpp>

#include <array>
#include <cstddef>
#include <string>

#include "support/catch.hpp"

TEST_CASE("bytes are two lower-case digits each, the higher half first", "[hex]") {
  std::string out(8, '?');
  strait::detail::write_hex(
      std::array{std::byte{0x00}, std::byte{0x9a}, std::byte{0xf0}, std::byte{0xff}}, out.data());
  CHECK(out == "009af0ff");
}
