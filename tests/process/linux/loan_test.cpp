// A borrower that dies: what it was lent comes home. (What is mapped shows in /proc.)

#include <signal.h>

#include <fstream>

#include "process/peers.hpp"
#include "strait/acceptor.hpp"
#include "strait/memory/out_of_line.hpp"

using namespace strait_test;
using strait::OutOfLineBytes;

namespace {

const ChildRole hoarder_role("peer.hoarder", [](const ChildArguments&) {
  const auto rendezvous = Rendezvous::take_over();
  auto link = RawLink<MachLoan>::connect(rendezvous.name, rendezvous.token, long_enough);
  child::require(link.has_value(), "connected");
  std::vector<OutOfLineBytes> kept;
  const auto keep = [&](OutOfLineBytes bytes) {
    kept.push_back(std::move(bytes));
    if (kept.size() == 5) child::write_line("five");
  };
  return link->run(keep) ? 1 : 0;
});

std::size_t mapped_segments(std::string_view name = "strait-loan") {
  std::ifstream maps("/proc/self/maps");
  std::size_t count = 0;
  for (std::string line; std::getline(maps, line);) {
    if (line.find(name) != std::string::npos) ++count;
  }
  return count;
}

OutOfLineBytes buffer_of(RawLink<MachLoan>& link, std::uint64_t seed) {
  auto buffer = link.out_of_line_bytes(100'000).value();
  fill_pattern(buffer.writable().value(), seed);
  return buffer;
}

}  // namespace

TEST_CASE("what was lent to a process that is killed is the lender's again",
          "[process][out_of_line]") {
  const Rendezvous rendezvous;
  auto link = RawLink<MachLoan>::listen(rendezvous.name, rendezvous.token).value();
  Child child = Child::spawn("peer.hoarder");
  rendezvous.hand_over(child);
  const auto deaf = [](View) {};
  REQUIRE(wait_while(link, deaf, [&] { return link.waiting_connect(); }));
  for (std::uint64_t i = 0; i != 5; ++i) REQUIRE(link.send(buffer_of(link, i)));
  CHECK(child.read_line() == "five");
  auto unsent = buffer_of(link, 9);
  CHECK(mapped_segments() == 6);
  child.kill(SIGKILL);
  CHECK(wait_until_error(link, deaf) == Errc::peer_closed);
  // Those that were lent are gone with the channel; the one that was not is still its owner's.
  CHECK(mapped_segments() == 1);
  CHECK(same_bytes(unsent, pattern(100'000, 9)));
}

TEST_CASE("one of many receivers that is killed with what it was lent leaves the others theirs",
          "[process][out_of_line]") {
  const Rendezvous rendezvous;
  using Link = RawLink<MachLoan>;
  auto server = strait::Acceptor<Link>::listen(rendezvous.name, rendezvous.token).value();
  const auto ignore = [](Link&, View) {};
  Child child = Child::spawn("peer.hoarder");
  rendezvous.hand_over(child);
  auto honest = Link::connect(rendezvous.name, rendezvous.token).value();
  std::vector<OutOfLineBytes> kept;
  const auto keep = [&](OutOfLineBytes bytes) { kept.push_back(std::move(bytes)); };
  const auto turn = [&] {
    static_cast<void>(server.poll(ignore));
    static_cast<void>(honest.poll(keep));
  };
  const auto hears = [&](std::size_t count) {
    return repeat_until([&] {
      turn();
      return kept.size() == count;
    });
  };
  REQUIRE(repeat_until([&] {
    turn();
    return server.size() == 2 && !honest.waiting_connect();
  }));
  for (std::uint64_t i = 0; i != 5; ++i) {
    REQUIRE(server.send_all(View(pattern(100'000, i))) == 2);
  }
  CHECK(child.read_line() == "five");
  REQUIRE(hears(5));
  CHECK(mapped_segments("strait-shared") == 10);
  child.kill(SIGKILL);
  REQUIRE(repeat_until([&] {
    turn();
    return server.size() == 1;
  }));
  for (std::size_t i = 0; i != 5; ++i) CHECK(same_bytes(kept[i], pattern(100'000, i)));
  kept.clear();
  // What the one that was killed may still read is not written to: no system tells when it is gone.
  for (std::uint64_t i = 0; i != 10; ++i) {
    auto buffer = server.out_of_line_bytes(100'000).value();
    fill_pattern(buffer.writable().value(), 100 + i);
    REQUIRE(server.send_all(buffer) == 1);
    buffer = OutOfLineBytes();
    REQUIRE(hears(1));
    CHECK(same_bytes(kept[0], pattern(100'000, 100 + i)));
    kept.clear();
  }
  // Those five are gone, and one serves all that came since.
  REQUIRE(repeat_until([&] {
    turn();
    server.for_each([](Link& client) { static_cast<void>(client.wait([](View) {}, 0ms)); });
    return mapped_segments("strait-shared") == 2;
  }));
}
