// Peers that send descriptors over a lane by hand, and not by the rules.

#include <fcntl.h>

#include <array>
#include <vector>

#include "conformance/rights.hpp"
#include "strait/transports/mach.hpp"
#include "support/hostile_peer.hpp"

using namespace strait_test;
using strait::MessageHeader;

namespace {

using Link = RawLink<strait::MachTransport<>, strait::ChannelOptions{.max_rights = 8}>;

/// A channel whose other end is in rogue hands.
struct Rogue {
  std::string name = unique_name("hostile");
  strait::Token token = new_token();
  Link link = Link::listen(name, token).value();
  RightsInbox inbox;
  RawClient peer{link, inbox, name, token};
  Descriptor file = strait::os::open("/dev/null", O_RDONLY).value();

  /// Puts descriptors under way, and a record that says that there are `claimed`.
  void say(std::uint8_t kind, std::size_t passed, std::uint8_t claimed) {
    if (passed != 0) REQUIRE(peer.pass(std::vector<int>(passed, file.get())));
    const Bytes body = pattern(100);
    peer.out.ring.write({static_cast<std::uint32_t>(body.size()), 0, kind, claimed}, body);
  }
  std::error_code end() { return poll_until_error(link, inbox); }
};

}  // namespace

TEST_CASE("rights over a lane by the rules, by hand, are heard", "[hostile][rights]") {
  Rogue rogue;
  rogue.say(whole, 3, 3);
  rogue.say(whole, 0, 0);
  rogue.say(fragment, 8, 8);
  rogue.say(fragment, 0, 0);
  rogue.say(last_fragment, 0, 0);
  REQUIRE(poll_until(rogue.link, rogue.inbox, [&] { return rogue.inbox.messages.size() == 3; }));
  CHECK(rogue.inbox.rights[0].size() == 3);
  CHECK(rogue.inbox.rights[1].empty());
  CHECK(rogue.inbox.rights[2].size() == 8);
}

TEST_CASE("a record that promises more descriptors than come is malformed", "[hostile][rights]") {
  Rogue rogue;
  SECTION("none at all") { rogue.say(whole, 0, 1); }
  SECTION("one less") { rogue.say(whole, 4, 5); }
  SECTION("in a fragment") { rogue.say(fragment, 4, 5); }
  SECTION("as many as can be claimed") { rogue.say(whole, 8, 127); }
  CHECK(rogue.end() == Errc::malformed);
  CHECK(rogue.inbox.messages.empty());
}

TEST_CASE("descriptors with a later part of a message are malformed", "[hostile][rights]") {
  Rogue rogue;
  rogue.say(fragment, 1, 1);
  SECTION("the next") { rogue.say(fragment, 1, 1); }
  SECTION("the last") { rogue.say(last_fragment, 1, 1); }
  CHECK(rogue.end() == Errc::malformed);
  CHECK(rogue.inbox.messages.empty());
}

TEST_CASE("more rights over a lane than the channel's limit end it", "[hostile][rights]") {
  Rogue rogue;
  rogue.say(whole, 9, 9);
  CHECK(rogue.end() == Errc::too_many_rights);
}

TEST_CASE("a peer that dies in the middle of a message leaves none of its rights",
          "[hostile][rights][mach]") {
  Rogue rogue;
  rogue.say(fragment, 5, 5);
  if (GENERATE(false, true)) CHECK(rogue.link.poll(rogue.inbox).value() == 0);
  rogue.peer.socket.reset();
  CHECK(rogue.end() == Errc::peer_closed);
}
