// A process that dies without a word. Whoever is left gets what was whole, in order, and then the
// end; never a hang.

#include <signal.h>

#include <filesystem>
#include <random>

#include "process/peers.hpp"

using namespace strait_test;

namespace {

/// Sends messages 0, 1, ... until the end.
template <class Link>
int stream(Link& link) {
  const auto deaf = [](View) {};
  for (std::uint64_t next = 0;;) {
    const auto sent = link.send(StreamCheck::message(next));
    if (sent) {
      ++next;
    } else if (sent.error() != Errc::queue_full) {
      return sent.error() == Errc::peer_closed ? 0 : 1;
    } else if (const auto waited = link.wait(deaf, 1ms); !waited) {
      return waited.error() == Errc::peer_closed ? 0 : 1;
    }
  }
}

const ChildRole streaming_client_role("peer.streaming_client", [](const ChildArguments& arguments) {
  return with_transport(
      arguments.at(0),
      []<class T>() {
        const auto rendezvous = Rendezvous::take_over();
        auto link = ProcessLink<T>::connect(rendezvous.name, rendezvous.token);
        child::require(link.has_value(), "found");
        return stream(*link);
      },
      Crossing());
});

const ChildRole streaming_server_role("peer.streaming_server", [](const ChildArguments& arguments) {
  return with_transport(
      arguments.at(0),
      []<class T>() {
        const auto rendezvous = Rendezvous::take_over();
        auto link = ProcessLink<T>::listen(rendezvous.name, rendezvous.token);
        child::require(link.has_value(), "listening");
        child::write_line("listening");
        return stream(*link);
      },
      Crossing());
});

const ChildRole counting_client_role("peer.counting_client", [](const ChildArguments& arguments) {
  return connect_and(arguments, [](auto& link) {
    StreamCheck received;
    child::require(wait_while(link, received, [&] { return received.count() < 500; }), "500");
    child::write_line("500");
    const auto end = wait_until_error(link, received);
    child::require(end == Errc::peer_closed, "the server's end");
    child::require(!received.wrong(), "all right until then");
    return 0;
  });
});

}  // namespace

TEMPLATE_TEST_CASE("a client killed in mid-stream is peer_closed after a prefix of whole messages",
                   "[process]", STRAIT_TEST_CROSSING) {
  const Rendezvous rendezvous;
  auto link = ProcessLink<TestType>::listen(rendezvous.name, rendezvous.token).value();
  auto child = spawn_peer<TestType>("peer.streaming_client", rendezvous);
  StreamCheck received;
  REQUIRE(wait_while(link, received, [&] { return received.count() < 2000; }));
  child.kill(SIGKILL);
  CHECK(wait_until_error(link, received) == Errc::peer_closed);
  CHECK(received.count() >= 2000);
  CHECK(received.wrong() == std::nullopt);
  CHECK(link.send(pattern(1)).error() == Errc::peer_closed);
  CHECK(child.wait().killed_by(SIGKILL));
}

TEMPLATE_TEST_CASE("a server killed in mid-stream is peer_closed for its client", "[process]",
                   STRAIT_TEST_CROSSING) {
  const Rendezvous rendezvous;
  auto server = spawn_peer<TestType>("peer.streaming_server", rendezvous);
  REQUIRE(server.read_line() == "listening");
  auto client = spawn_peer<TestType>("peer.counting_client", rendezvous);
  REQUIRE(client.read_line() == "500");
  server.kill(SIGKILL);
  CHECK(client.wait().success());
}

TEMPLATE_TEST_CASE("a server killed with kill -9 leaves a name that is taken back at once",
                   "[process]", STRAIT_TEST_CROSSING) {
  Rendezvous rendezvous;
  const bool path = GENERATE(false, true);
  if (path) rendezvous.name = unique_path("killed");
  const bool with_client = GENERATE(false, true);
  CAPTURE(path, with_client);
  for (int round = 0; round != 3; ++round) {
    auto child = spawn_peer<TestType>("peer.streaming_server", rendezvous);
    REQUIRE(child.read_line() == "listening");
    CHECK(ProcessLink<TestType>::listen(rendezvous.name, rendezvous.token).error() ==
          Errc::name_taken);
    // A client that has only said Hello, and stays: a server that saw it leave would leave, too.
    const auto client = with_client
                            ? ProcessLink<TestType>::connect(rendezvous.name, rendezvous.token)
                            : strait::Result<ProcessLink<TestType>>(Errc::empty);
    CHECK(client.has_value() == with_client);
    child.kill(SIGKILL);
    REQUIRE(child.wait().killed_by(SIGKILL));
    CHECK(ProcessLink<TestType>::connect(rendezvous.name, rendezvous.token).error() ==
          Errc::not_found);
  }
  {
    Pair<ProcessLink<TestType>> pair{
        ProcessLink<TestType>::listen(rendezvous.name, rendezvous.token).value(),
        ProcessLink<TestType>::connect(rendezvous.name, rendezvous.token).value()};
    REQUIRE(pair.connect());
  }
  // No file is left: so says the check around each test, and for this name here.
  if (path) CHECK_FALSE(std::filesystem::exists(rendezvous.name));
}

TEMPLATE_TEST_CASE("a client killed at any moment, the handshake's too, never hangs its server",
                   "[process]", STRAIT_TEST_CROSSING) {
  std::mt19937 random(20'090'914);
  for (int round = 0; round != 25; ++round) {
    CAPTURE(round);
    const Rendezvous rendezvous;
    auto link = ProcessLink<TestType>::listen(rendezvous.name, rendezvous.token).value();
    auto child = spawn_peer<TestType>("peer.streaming_client", rendezvous);
    StreamCheck received;
    // It says Hello some milliseconds after its birth.
    const auto moment = Clock::now() + std::chrono::microseconds(random() % 12'000);
    while (Clock::now() < moment) REQUIRE(link.wait(received, 100us));
    child.kill(SIGKILL);
    REQUIRE(child.wait().killed_by(SIGKILL));
    // What it has said before its death is there now, and nothing comes after.
    for (int i = 0; i != 3 && link.waiting_connect(); ++i) {
      if (!link.wait(received, 1ms)) break;
    }
    if (!link.waiting_connect()) {
      CHECK(wait_until_error(link, received) == Errc::peer_closed);
    } else {
      // The door stays open for the right one.
      auto late = ProcessLink<TestType>::connect(rendezvous.name, rendezvous.token).value();
      Inbox at_late;
      CHECK(pump_until(link, received, late, at_late, [&] { return at_late.connected == 1; }));
    }
    CHECK(received.wrong() == std::nullopt);
  }
}

TEMPLATE_TEST_CASE("a server killed at any moment, the handshake's too, never hangs its client",
                   "[process]", STRAIT_TEST_CROSSING) {
  std::mt19937 random(19'841'024);
  for (int round = 0; round != 25; ++round) {
    CAPTURE(round);
    const Rendezvous rendezvous;
    auto child = spawn_peer<TestType>("peer.streaming_server", rendezvous);
    REQUIRE(child.read_line() == "listening");
    auto link = ProcessLink<TestType>::connect(rendezvous.name, rendezvous.token).value();
    StreamCheck received;
    std::error_code told;
    const auto moment = Clock::now() + std::chrono::microseconds(random() % 2'000);
    while (!told && Clock::now() < moment) told = link.wait(received, 50us).error();
    CHECK_FALSE(told);
    child.kill(SIGKILL);
    told = wait_until_error(link, received);
    // Its answer came before its death, or not.
    const bool expected = told == Errc::peer_closed || told == Errc::refused;
    CAPTURE(told);
    CHECK(expected);
    CHECK(received.wrong() == std::nullopt);
    REQUIRE(child.wait().killed_by(SIGKILL));
    CHECK(ProcessLink<TestType>::listen(rendezvous.name, rendezvous.token));
  }
}
