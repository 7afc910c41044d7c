// Clients of a server that goes and comes again all the time.

#include <signal.h>

#include <random>

#include "process/peers.hpp"
#include "strait/acceptor.hpp"

using namespace strait_test;

namespace {

/// Serves for a moment, frees the name, and claims it anew, until it is killed or told.
const ChildRole restless_server_role("restart.server", [](const ChildArguments& arguments) {
  return with_transport(
      arguments.at(0),
      []<class T>() {
        using Link = ProcessLink<T>;
        const auto rendezvous = Rendezvous::take_over();
        std::mt19937 random(static_cast<std::mt19937::result_type>(::getpid()));
        const auto deaf = [](Link&, View) {};
        for (bool first = true;; first = false) {
          auto server = strait::Acceptor<Link>::listen(rendezvous.name, rendezvous.token);
          // A predecessor that was killed may not be gone yet.
          if (!server && server.error() == Errc::name_taken) continue;
          child::require(server.has_value(), "listening: " + server.error().message());
          if (first) child::write_line("listening");
          const auto end = Clock::now() + std::chrono::microseconds(random() % 6000);
          while (Clock::now() < end) child::require(server->wait(deaf, 1ms).has_value(), "served");
          server->close();
          if (child::read_line(milliseconds{0})) return 0;
        }
      },
      Crossing());
});

}  // namespace

TEMPLATE_TEST_CASE("who has time to connect gets to a server that restarts all the time",
                   "[process][connect][slow]", STRAIT_TEST_CROSSING) {
  using Link = ProcessLink<TestType>;
  const Rendezvous rendezvous;
  auto server = spawn_peer<TestType>("restart.server", rendezvous);
  REQUIRE(server.read_line() == "listening");
  for (int round = 0; round != 150; ++round) {
    CAPTURE(round);
    const auto link = Link::connect(rendezvous.name, rendezvous.token, long_enough);
    REQUIRE((link ? std::string() : link.error().message()) == "");
    // That a server is about to go makes no other reason of one that it has.
    const auto stranger = Link::connect(rendezvous.name, new_token(), long_enough);
    REQUIRE_FALSE(stranger);
    REQUIRE(stranger.error().message() == make_error_code(Errc::bad_token).message());
    if (round % 10 != 9) continue;
    server.kill(SIGKILL);
    REQUIRE(server.wait().killed_by(SIGKILL));
    server = spawn_peer<TestType>("restart.server", rendezvous);
  }
  REQUIRE(server.write_line("enough"));
  CHECK(server.wait().success());
}
