// A forked process is another task: what its copies of Mach's rights name is not theirs.

#include <strait/channel.hpp>
#include <strait/serializers/raw.hpp>
#include <strait/transports/mach.hpp>

#include <optional>
#include <utility>

#include "process/forking.hpp"
#include "support/catch.hpp"
#include "support/runtime_dir.hpp"
#include "support/scripted_mach.hpp"

using namespace strait_test;

TEST_CASE("a forked process leaves the Mach rights alone that its copies of channels name",
          "[darwin][fork]") {
  using Transport = strait::BasicMachTransport<ScriptedDarwin>;
  using Link = strait::Channel<Transport, strait::RawSerializer>;
  const auto deaf = [](std::span<const std::byte>) {};
  const auto name = unique_name("fork");
  const auto token = strait::Token::generate().value();
  std::optional<Link> server = Link::listen(name, token).value();
  std::optional<Link> client = Link::connect(name, token).value();
  const auto ends_without_a_trace = [&] {
    Fork fork([&] {
      const auto before = mach_holdings();
      const auto calls = MachScript::calls();
      client.reset();
      server.reset();
      if (mach_holdings() != before || MachScript::calls() != calls) ::_exit(1);
    });
    return fork.ended_well();
  };
  CHECK(ends_without_a_trace());
  REQUIRE(server->poll(deaf));
  REQUIRE(client->poll(deaf));
  REQUIRE_FALSE(client->waiting_connect());
  CHECK(ends_without_a_trace());
  std::array<std::byte, 100> message{};
  REQUIRE(client->send(std::span<const std::byte>(message)));
  CHECK(server->poll(deaf).value() == 1);
  while (client->queued_bytes() == 0) {
    REQUIRE(client->send(std::span<const std::byte>(message)));
  }
  CHECK(ends_without_a_trace());  // also of its wish to hear of room
}
