#include <strait/handshake/hello.hpp>

#include <cstddef>
#include <cstring>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/own_process.hpp"

using strait::Errc;
using strait::PeerCredentials;
using strait::PeerPolicy;
using strait::Token;
using strait::detail::check_hello;
using strait::detail::check_peer;
using strait::detail::check_welcome;
using strait::detail::HandshakeBytes;
using strait::detail::Hello;
using strait::detail::Welcome;

namespace {

constexpr std::uint64_t schema = 0x1234'5678'9abc'def0;

const Token& token() {
  static const Token token = Token::generate().value();
  return token;
}

Hello good_hello() {
  Hello hello;
  hello.schema_hash = schema;
  std::memcpy(hello.token, token().bytes().data(), Token::size_bytes);
  return hello;
}

template <class Struct>
std::error_code verdict(const Struct& message) {
  const auto bytes = std::as_bytes(std::span(&message, 1));
  if constexpr (std::is_same_v<Struct, Hello>) {
    return check_hello(bytes, schema, token()).error();
  } else {
    return check_welcome(bytes).error();
  }
}

}  // namespace

TEST_CASE("a Hello as it is encoded is a good one", "[handshake]") {
  const auto bytes = strait::detail::encode_hello(schema, token());
  CHECK(check_hello(bytes.bytes(), schema, token()));
  CHECK_FALSE(verdict(good_hello()));
}

TEST_CASE("each wrong field of a Hello has its own error", "[handshake]") {
  Hello hello = good_hello();
  hello.magic ^= 1;
  CHECK(verdict(hello) == Errc::malformed);
  hello = good_hello();
  hello.version = 0;
  CHECK(verdict(hello) == Errc::version_mismatch);
  hello.version = 1;
  CHECK(verdict(hello) == Errc::version_mismatch);
  hello = good_hello();
  hello.reserved = 8;
  CHECK(verdict(hello) == Errc::malformed);
  hello = good_hello();
  hello.schema_hash ^= std::uint64_t{1} << 63;
  CHECK(verdict(hello) == Errc::schema_mismatch);
  for (std::size_t i = 0; i != Token::size_bytes; ++i) {
    hello = good_hello();
    hello.token[i] ^= std::byte{128};
    CAPTURE(i);
    CHECK(verdict(hello) == Errc::bad_token);
  }
}

TEST_CASE("a wrong version is told before a wrong token, and that before a wrong schema",
          "[handshake]") {
  Hello hello;
  hello.magic = 0;
  hello.version = 7;
  hello.reserved = 1;
  CHECK(verdict(hello) == Errc::malformed);
  hello.magic = strait::detail::protocol_magic;
  CHECK(verdict(hello) == Errc::version_mismatch);
  hello.version = strait::detail::protocol_version;
  CHECK(verdict(hello) == Errc::bad_token);
  std::memcpy(hello.token, token().bytes().data(), Token::size_bytes);
  CHECK(verdict(hello) == Errc::malformed);
  hello.reserved = 0;
  CHECK(verdict(hello) == Errc::schema_mismatch);
  hello.schema_hash = schema;
  CHECK_FALSE(verdict(hello));
}

TEST_CASE("a Hello cut off anywhere is malformed, and so is one with anything behind it",
          "[handshake]") {
  std::vector<std::byte> bytes(sizeof(Hello) + 8);
  const Hello hello = good_hello();
  std::memcpy(bytes.data(), &hello, sizeof hello);
  for (std::size_t size = 0; size <= bytes.size(); ++size) {
    // A copy of just this size, so that a sanitizer sees a read past its end.
    const std::vector<std::byte> cut(bytes.begin(),
                                     bytes.begin() + static_cast<std::ptrdiff_t>(size));
    CAPTURE(size);
    const auto error = check_hello(cut, schema, token()).error();
    if (size == sizeof hello) {
      CHECK_FALSE(error);
    } else {
      CHECK(error == Errc::malformed);
    }
  }
}

TEST_CASE("the Hello of another version is known as such whatever its length", "[handshake]") {
  Hello hello = good_hello();
  hello.version = 99;
  std::vector<std::byte> bytes(128);
  std::memcpy(bytes.data(), &hello, sizeof hello);
  for (std::size_t size = 12; size <= bytes.size(); ++size) {
    const auto error = check_hello(std::span(bytes).first(size), schema, token()).error();
    CAPTURE(size);
    CHECK(error == Errc::version_mismatch);
  }
}

TEST_CASE("the Hello of an unset client carries no token at all", "[handshake]") {
  CHECK(verdict(Hello{}) == Errc::bad_token);
}

TEST_CASE("a Welcome says what the server thinks", "[handshake]") {
  const auto told = [](std::error_code why) {
    return check_welcome(strait::detail::encode_welcome(why).bytes()).error();
  };
  CHECK_FALSE(told({}));
  for (const Errc why :
       {Errc::bad_token, Errc::version_mismatch, Errc::schema_mismatch, Errc::malformed}) {
    CHECK(told(why) == why);
  }
  CHECK(told(Errc::permission_denied) == Errc::refused);
}

TEST_CASE("a Welcome with a wrong field is not a welcome", "[handshake]") {
  Welcome welcome;
  CHECK_FALSE(verdict(welcome));
  welcome.magic ^= 256;
  CHECK(verdict(welcome) == Errc::malformed);
  welcome = {};
  welcome.version = 1;
  CHECK(verdict(welcome) == Errc::version_mismatch);
  for (const std::uint32_t status : {1U, 2U, 11U, 12U, 14U, 20U, 21U, 255U, 0xffff'ffffU}) {
    welcome = {};
    welcome.status = status;
    CAPTURE(status);
    CHECK(verdict(welcome) == Errc::refused);
  }
}

TEST_CASE("a Welcome cut off anywhere is malformed", "[handshake]") {
  const auto encoded = strait::detail::encode_welcome({});
  for (std::size_t size = 0; size != sizeof(Welcome); ++size) {
    const std::vector<std::byte> cut(encoded.bytes().begin(),
                                     encoded.bytes().begin() + static_cast<std::ptrdiff_t>(size));
    CAPTURE(size);
    CHECK(check_welcome(cut).error() == Errc::malformed);
  }
  std::vector<std::byte> longer(encoded.bytes().begin(), encoded.bytes().end());
  longer.push_back(std::byte{0});
  CHECK(check_welcome(longer).error() == Errc::malformed);
}

TEST_CASE("handshake bytes never grow over their capacity", "[handshake]") {
  const std::vector<std::byte> large(1000, std::byte{1});
  CHECK(HandshakeBytes(large).bytes().size() == HandshakeBytes::capacity);
  CHECK(HandshakeBytes(std::span<const std::byte>()).bytes().empty());
}

TEST_CASE("who may be a peer is decided by the user it runs as", "[handshake]") {
  const PeerCredentials same{strait_test::own_user(), 77, 1};
  const PeerCredentials other{strait_test::another_user(), 0, 1};
  CHECK(check_peer(same, PeerPolicy::same_user));
  CHECK(check_peer(other, PeerPolicy::same_user).error() == Errc::permission_denied);
  CHECK(check_peer(same, PeerPolicy::any_user));
  CHECK(check_peer(other, PeerPolicy::any_user));
}
