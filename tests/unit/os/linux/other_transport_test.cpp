// A name that is held by a server of another transport is told from one that is free.

#include <unistd.h>
#include <strait/channel.hpp>
#include <strait/serializers/raw.hpp>
#include <strait/transports/mach.hpp>
#include <strait/transports/pipe.hpp>
#include <strait/transports/socket.hpp>

#include <chrono>
#include <cstddef>
#include <span>
#include <string>
#include <type_traits>

#include "support/catch.hpp"
#include "support/runtime_dir.hpp"

using strait::Errc;
using strait::Token;
using namespace std::chrono_literals;

namespace {

using Mach = strait::MachTransport<>;
using Socket = strait::SocketTransport;
using Pipe = strait::PipeTransport;

template <class T>
using Link = strait::Channel<T, strait::RawSerializer>;

/// What a client of this transport hears of the name.
template <class T>
std::error_code heard(const std::string& name) {
  return Link<T>::connect(name, Token::generate().value()).error();
}

template <class T, class Of>
std::error_code expected(std::error_code of_its_own) {
  return std::is_same_v<T, Of> ? of_its_own : make_error_code(Errc::other_transport);
}

const auto deaf = [](std::span<const std::byte>) {};

}  // namespace

TEMPLATE_TEST_CASE("a server of another transport is told from none", "[name][places]", Mach,
                   Socket, Pipe) {
  for (const auto& name : {strait_test::unique_name("held"), strait_test::unique_path("held")}) {
    CAPTURE(name);
    CHECK(heard<Mach>(name) == Errc::not_found);
    {
      auto server = Link<TestType>::listen(name, Token::generate().value()).value();
      const std::error_code found;
      CHECK(heard<Mach>(name) == expected<Mach, TestType>(found));
      CHECK(heard<Socket>(name) == expected<Socket, TestType>(found));
      CHECK(heard<Pipe>(name) == expected<Pipe, TestType>(found));
      // The server goes on waiting for its own.
      REQUIRE(server.poll(deaf));
      CHECK(server.waiting_connect());
    }
    CHECK(heard<Mach>(name) == Errc::not_found);
    CHECK(heard<Socket>(name) == Errc::not_found);
    CHECK(heard<Pipe>(name) == Errc::not_found);
  }
}

TEST_CASE("a client with a timeout waits for its own transport though another has the name",
          "[name][places]") {
  const auto name = strait_test::unique_name("both");
  const auto token = Token::generate().value();
  const auto other = Link<Mach>::listen(name, token).value();
  CHECK(Link<Socket>::connect(name, token, 20ms).error() == Errc::other_transport);
  const auto own = Link<Socket>::listen(name, token).value();
  CHECK(Link<Socket>::connect(name, token));
}
