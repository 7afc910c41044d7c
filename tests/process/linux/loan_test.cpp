// A borrower that dies: what it was lent comes home. (What is mapped shows in /proc.)

#include <signal.h>

#include <fstream>

#include "process/peers.hpp"
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

std::size_t mapped_segments() {
  std::ifstream maps("/proc/self/maps");
  std::size_t count = 0;
  for (std::string line; std::getline(maps, line);) {
    if (line.find("strait-loan") != std::string::npos) ++count;
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
