// What becomes of a packed endpoint with a link's ports in it, when all keep to the rules.

#include "strait/mach/linux/packed_endpoint.hpp"

#include "conformance/rights.hpp"
#include "conformance/transports.hpp"
#include "support/catch.hpp"
#include "support/descriptor_limit.hpp"

using namespace strait_test;

TEMPLATE_TEST_CASE("an end travels over a channel of another transport", "[ends]", Mach, MachCow,
                   Socket) {
  using Link = RawLink<TestType>;
  using Carrier = RawLink<std::conditional_t<std::is_same_v<TestType, Socket>, Mach, Socket>>;
  auto ends = Ends<Link>::make();
  REQUIRE(ends.near.send(pattern(1), numbered_rights(1, 2)));
  REQUIRE(ends.near.send(pattern(5000), numbered_rights(3, 2)));
  if (GENERATE(false, true)) {
    const auto one = [&](View bytes, Rights rights) {
      ends.at_far(bytes, std::move(rights));
      ends.far.stop();
    };
    REQUIRE(poll_until(ends.far, one, [&] { return ends.at_far.messages.size() == 1; }));
    CHECK(take_numbers(ends.at_far.rights[0], 1, 2));
  }
  const std::size_t handled = ends.at_far.messages.size();
  auto carrier = Ends<Carrier>::make();
  REQUIRE(carrier.near.send(pattern(1), rights_of(std::move(ends.far))));
  REQUIRE(carrier.deliver(1));
  Rights& came = carrier.at_far.rights[0];
  // It is no end of the other transport, and remains what it is.
  CHECK(came.template take<Carrier>().error() == Errc::wrong_right);
  auto far = came.template take<Link>().value();
  CHECK(poll_until(far, ends.at_far, [&] { return ends.at_far.messages.size() == 2; }));
  if (handled == 0) CHECK(take_numbers(ends.at_far.rights[0], 1, 2));
  CHECK(take_numbers(ends.at_far.rights[1], 3, 2));
  REQUIRE(far.send(pattern(6)));
  CHECK(poll_until(ends.near, ends.at_near, [&] { return !ends.at_near.messages.empty(); }));
}

TEST_CASE("a packed endpoint for which this process has no descriptors now is one for later",
          "[ends][mach][no-asan]") {
  using Link = RawLink<Mach>;
  auto ends = Ends<Link>::make();
  REQUIRE(ends.near.send(pattern(5)));
  Rights rights = rights_of(std::move(ends.far));
  {
    const NoMoreDescriptors exhausted(GENERATE(0, 1, 2, 3));
    CHECK(rights.take<Link>().error() == Errc::rights_lost);
  }
  auto far = rights.take<Link>().value();
  CHECK(poll_until(far, ends.at_far, [&] { return ends.at_far.messages.size() == 1; }));
}
