#include <strait/token.hpp>

#include <array>
#include <cstddef>
#include <set>
#include <string>
#include <system_error>
#include <type_traits>

#include "support/catch.hpp"

using strait::Token;

namespace {

const std::string counting = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1eff";

static_assert(!std::is_default_constructible_v<Token>, "an all-zero token is nobody's secret");
static_assert(std::is_trivially_copyable_v<Token>);

}  // namespace

TEST_CASE("a token comes back from its hexadecimal form", "[token]") {
  const Token token = Token::generate().value();
  const std::string hex = token.to_hex();
  CHECK(hex.size() == 64);
  CHECK(hex.find_first_not_of("0123456789abcdef") == std::string::npos);
  CHECK(Token::from_hex(hex).value() == token);
}

TEST_CASE("hexadecimal digits stand for the bytes in order", "[token]") {
  const Token token = Token::from_hex(counting).value();
  CHECK(token.bytes()[0] == std::byte{0});
  CHECK(token.bytes()[1] == std::byte{1});
  CHECK(token.bytes()[16] == std::byte{16});
  CHECK(token.bytes()[31] == std::byte{255});
  CHECK(token.to_hex() == counting);
  CHECK(Token::from_bytes(token.bytes()) == token);
}

TEST_CASE("anything but 64 lower-case digits is an invalid argument, which accuses no peer",
          "[token]") {
  const auto invalid = [](const std::string& hex) {
    return Token::from_hex(hex).error() == std::errc::invalid_argument;
  };
  CHECK(invalid(""));
  CHECK(invalid(counting.substr(1)));
  CHECK(invalid(counting + "0"));
  CHECK(invalid(counting + counting));
  CHECK(invalid(counting.substr(0, 62) + "FF"));
  for (const char wrong : {'g', '/', ':', '`', '@', 'A', ' ', '\n', '\0', '\xff', '-'}) {
    for (const std::size_t at : {std::size_t{0}, std::size_t{31}, std::size_t{63}}) {
      std::string hex = counting;
      hex[at] = wrong;
      CAPTURE(hex, at);
      CHECK(invalid(hex));
    }
  }
}

TEST_CASE("tokens that differ in any single bit are not equal", "[token]") {
  const Token token = Token::from_hex(counting).value();
  for (std::size_t bit = 0; bit != 8 * Token::size_bytes; ++bit) {
    std::array<std::byte, Token::size_bytes> bytes;
    for (std::size_t i = 0; i != bytes.size(); ++i) bytes[i] = token.bytes()[i];
    bytes[bit / 8] ^= std::byte{1} << (bit % 8);
    CAPTURE(bit);
    CHECK_FALSE(Token::from_bytes(bytes) == token);
    CHECK(Token::from_bytes(bytes) != token);
  }
  CHECK(Token::from_hex(counting).value() == token);
}

TEST_CASE("no two generated tokens are the same", "[token]") {
  std::set<std::string> seen;
  for (int i = 0; i != 1000; ++i) seen.insert(Token::generate().value().to_hex());
  CHECK(seen.size() == 1000);
}
