// The two sides were built with other options of their transport.

#include <strait/transports/bridged.hpp>
#include <strait/transports/mach.hpp>
#include <strait/transports/socket.hpp>

#include "conformance/channels.hpp"

using namespace strait_test;
using strait::Block;
using strait::InlineOnly;
using strait::LoanUpTo;
using strait::MachTransport;
using strait::OolThreshold;

namespace {

/// What a client hears of a server with another transport.
template <class Client, class Server>
std::error_code verdict() {
  const auto token = new_token();
  const auto name = unique_name("options");
  auto server = RawLink<Server>::listen(name, token).value();
  auto client = RawLink<Client>::connect(name, token).value();
  Inbox inbox;
  while (server.waiting_connect() && client.waiting_connect()) {
    if (!server.poll(inbox)) break;
    if (auto heard = client.poll(inbox); !heard) return heard.error();
  }
  return {};
}

using Inline = MachTransport<>;
using Cow = MachTransport<OolThreshold<4096>>;
using OtherCow = MachTransport<OolThreshold<8192>>;
using Loan = MachTransport<OolThreshold<4096, strait::Loan>>;
using SmallLoan = MachTransport<OolThreshold<4096, LoanUpTo<1 << 20>>>;
using OtherQueue = MachTransport<InlineOnly, strait::SpinThenBlock<>, 64 << 10>;

}  // namespace

TEST_CASE("a side that lends memory and one that does not are told so", "[handshake]") {
  CHECK(verdict<Loan, Inline>() == Errc::send_policy_mismatch);
  CHECK(verdict<Inline, Loan>() == Errc::send_policy_mismatch);
  CHECK(verdict<Loan, Cow>() == Errc::send_policy_mismatch);
  CHECK(verdict<Loan, SmallLoan>() == Errc::send_policy_mismatch);
  CHECK(verdict<strait::BridgedTransport<Loan>, Inline>() == Errc::send_policy_mismatch);
}

TEST_CASE("sides with queues of other sizes are told so", "[handshake]") {
  CHECK(verdict<OtherQueue, Inline>() == Errc::queue_size_mismatch);
  CHECK(verdict<Inline, OtherQueue>() == Errc::queue_size_mismatch);
}

TEST_CASE("what each side chooses for itself need not be alike", "[handshake]") {
  CHECK_FALSE(verdict<Cow, Inline>());
  CHECK_FALSE(verdict<Inline, Cow>());
  CHECK_FALSE(verdict<Cow, OtherCow>());
  CHECK_FALSE(verdict<MachTransport<InlineOnly, Block>, Inline>());
  CHECK_FALSE(verdict<strait::BridgedTransport<Inline>, Inline>());
}

TEST_CASE("large messages go between a side that sends regions and one that does not", "[ool]") {
  auto pair = connected_pair<RawLink<Cow>, RawLink<Inline>>();
  REQUIRE(pair.client.send(pattern(100'000, 1)));
  REQUIRE(pair.deliver_to_server(1));
  CHECK(same_bytes(pair.at_server.messages[0], pattern(100'000, 1)));
  REQUIRE(pair.server.send(pattern(100'000, 2)));
  REQUIRE(pair.deliver_to_client(1));
  CHECK(same_bytes(pair.at_client.messages[0], pattern(100'000, 2)));
}
