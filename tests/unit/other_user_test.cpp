// A second user for real: only root can become one, so elsewhere this shows as skipped.

#include <sys/stat.h>
#include <unistd.h>
#include <strait/channel.hpp>
#include <strait/mach_transport.hpp>
#include <strait/serializers/raw.hpp>

#include <chrono>
#include <string>
#include <system_error>
#include <vector>

#include "support/catch.hpp"
#include "support/process.hpp"
#include "support/refusals.hpp"
#include "support/runtime_dir.hpp"

using strait::Errc;
using strait::Token;
using strait_test::Child;
using strait_test::Refusals;
using namespace std::chrono_literals;

namespace {

constexpr uid_t nobody = 65534;

using Link = strait::Channel<strait::MachTransport<>, strait::RawSerializer,
                             strait::ChannelOptions{}, Refusals>;
using Trusting = strait::Channel<strait::MachTransport<>, strait::RawSerializer,
                                 strait::ChannelOptions{.peers = strait::PeerPolicy::any_user}>;

const auto deaf = [](std::span<const std::byte>) {};

void become_nobody() {
  strait_test::child::require(::setgid(nobody) == 0 && ::setuid(nobody) == 0, "to be nobody");
}

const strait_test::ChildRole intruder(
    "other_user.intruder", [](const strait_test::ChildArguments& arguments) {
      become_nobody();
      // It does not mind who the server is, and it knows the token.
      auto link = Trusting::connect(arguments.at(0), Token::from_hex(arguments.at(1)).value());
      strait_test::child::require(link.has_value(), "to find the server");
      strait_test::child::write_line("said Hello");
      const auto ended = link->wait(deaf, 20s);
      strait_test::child::require(ended.error() == Errc::refused, "to be refused");
      return 0;
    });

const strait_test::ChildRole squatter(
    "other_user.squatter", [](const strait_test::ChildArguments& arguments) {
      become_nobody();
      auto port = strait::linux_mach::NamePort::check_in(arguments.at(0), {});
      strait_test::child::require(port.has_value(), "to hold the name");
      strait_test::child::write_line("holds the name");
      strait_test::child::read_line();
      // Whoever came has sent nothing before it left.
      const auto request = port->receive();
      strait_test::child::require(request && request->failure == Errc::peer_closed,
                                  "to be told nothing");
      return 0;
    });

}  // namespace

TEST_CASE("another user's process is refused though it knows the token", "[credentials][process]") {
  if (::geteuid() != 0) STRAIT_TEST_SKIP("only root can become another user");
  const auto name = strait_test::unique_name("own");
  const auto token = Token::generate().value();
  auto server = Link::listen(name, token).value();
  auto child = Child::spawn("other_user.intruder", {name, token.to_hex()});
  REQUIRE(child.read_line() == "said Hello");
  while (server.observer().seen.empty()) REQUIRE(server.wait(deaf, 1ms).value() == 0);
  CHECK(server.observer().seen[0].why == Errc::permission_denied);
  CHECK(server.observer().seen[0].who.uid == nobody);
  CHECK(server.observer().seen[0].who.gid == nobody);
  CHECK(server.observer().seen[0].who.pid == child.pid());
  CHECK(child.wait().success());
  CHECK(server.waiting_connect());
  auto client = Link::connect(name, token).value();
  REQUIRE(server.poll(deaf));
  CHECK_FALSE(server.waiting_connect());
}

TEST_CASE("a name that another user holds is not talked to", "[credentials][process]") {
  if (::geteuid() != 0) STRAIT_TEST_SKIP("only root can become another user");
  const auto name = strait_test::unique_name("squatted");
  auto child = Child::spawn("other_user.squatter", {name});
  REQUIRE(child.read_line() == "holds the name");
  const auto token = Token::generate().value();
  CHECK(Link::connect(name, token).error() == Errc::permission_denied);
  CHECK(Link::listen(name, token).error() == Errc::name_taken);
  child.write_line("look");
  CHECK(child.wait().success());
}
