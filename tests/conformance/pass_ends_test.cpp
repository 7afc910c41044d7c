// A channel's end is a right: it travels with all that has arrived at it and was not handled yet.

#include <poll.h>

#include "conformance/rights.hpp"
#include "conformance/transports.hpp"

using namespace strait_test;

namespace {

/// Handles `count` messages and leaves the others.
template <class Link, class Listener>
void handle(Link& link, Listener& inner, std::size_t count) {
  std::size_t handled = 0;
  const auto listener = [&](View bytes, Rights rights) {
    inner(bytes, std::move(rights));
    if (++handled == count) link.stop();
  };
  REQUIRE(poll_until(link, listener, [&] { return handled == count; }));
}

}  // namespace

TEMPLATE_TEST_CASE("both ends of a pair talk, and each sees the other close", "[ends]",
                   STRAIT_TEST_ENDS) {
  auto ends = Ends<RawLink<TestType>>::make();
  CHECK_FALSE(ends.near.waiting_connect());
  CHECK(ends.near.peer().credentials.uid == ::geteuid());
  for (std::uint64_t i = 0; i != 100; ++i) {
    REQUIRE(ends.near.send(StreamCheck::message(i)));
    REQUIRE(ends.far.send(StreamCheck::message(i)));
  }
  REQUIRE(pump_until(ends.near, ends.at_near, ends.far, ends.at_far, [&] {
    return ends.at_near.messages.size() == 100 && ends.at_far.messages.size() == 100;
  }));
  ends.far.close();
  CHECK(poll_until_error(ends.near, ends.at_near) == Errc::peer_closed);
}

TEMPLATE_TEST_CASE("an end that was sent goes on where it was, and the sender's object is closed",
                   "[ends]", STRAIT_TEST_ENDS) {
  using Link = RawLink<TestType>;
  auto ends = Ends<Link>::make();
  const int hops = GENERATE(1, 2, 5);
  auto far = passed(std::move(ends.far), hops);
  CHECK(ends.far.send(pattern(1)).error() == Errc::closed);
  RightsInbox at_far;
  for (std::uint64_t i = 0; i != 50; ++i) {
    REQUIRE(ends.near.send(StreamCheck::message(i)));
    REQUIRE(far.send(StreamCheck::message(i)));
  }
  REQUIRE(pump_until(ends.near, ends.at_near, far, at_far, [&] {
    return ends.at_near.messages.size() == 50 && at_far.messages.size() == 50;
  }));
  { const auto gone = std::move(far); }
  CHECK(poll_until_error(ends.near, ends.at_near) == Errc::peer_closed);
}

TEMPLATE_TEST_CASE("an end that was made by connecting travels like any other, if it says so",
                   "[ends]", STRAIT_TEST_ENDS) {
  using Link = RawLink<TestType, strait::ChannelOptions{.passable = true}>;
  auto pair = connected_pair<Link>();
  REQUIRE(pair.client.send(pattern(9)));
  auto server = passed(std::move(pair.server));
  auto client = passed(std::move(pair.client));
  RightsInbox at_server, at_client;
  REQUIRE(server.send(pattern(8)));
  CHECK(pump_until(server, at_server, client, at_client, [&] {
    return at_server.messages.size() == 1 && at_client.messages.size() == 1;
  }));
}

TEMPLATE_TEST_CASE("unread messages travel with their end, also those that were read half",
                   "[ends]", STRAIT_TEST_ENDS) {
  using Link = RawLink<TestType>;
  // Handled before: nothing, one, so that others are read and not handled, and more.
  const std::size_t handled_before = GENERATE(0u, 1u, 7u);
  const std::size_t large = GENERATE(0u, 150'000u);
  const int hops = GENERATE(1, 3);
  CAPTURE(handled_before, large, hops);
  auto ends = Ends<Link>::make();
  constexpr std::size_t count = 20;
  std::size_t sent = 0;
  for (; sent != count; ++sent) {
    REQUIRE(ends.near.send(pattern(sent == 10 ? large : 100 * sent, sent),
                           numbered_rights(10 * sent, sent % 3)));
  }
  RightsInbox inbox;
  if (handled_before != 0) handle(ends.far, inbox, handled_before);
  auto far = passed(std::move(ends.far), hops);
  REQUIRE(ends.near.send(pattern(1, 99), numbered_rights(990, 1)));
  REQUIRE(pump_until(ends.near, ends.at_near, far, inbox,
                     [&] { return inbox.messages.size() == count + 1; }));
  for (std::size_t i = 0; i != count; ++i) {
    CAPTURE(i);
    CHECK(same_bytes(inbox.messages[i], pattern(i == 10 ? large : 100 * i, i)));
    CHECK(take_numbers(inbox.rights[i], 10 * i, i % 3));
  }
  CHECK(take_numbers(inbox.rights[count], 990, 1));
}

TEMPLATE_TEST_CASE("an end is sent in the middle of a message that is still coming", "[ends]",
                   STRAIT_TEST_ENDS) {
  using Link = RawLink<TestType>;
  auto ends = Ends<Link>::make();
  REQUIRE(ends.near.send(pattern(10, 1)));
  REQUIRE(ends.near.send(pattern(8'000'000, 2), numbered_rights(5, 2)));
  handle(ends.far, ends.at_far, 1);
  CHECK(ends.far.poll(ends.at_far));  // begins to read the large one
  auto far = passed(std::move(ends.far));
  CHECK(far.poll(ends.at_far));
  far = passed(std::move(far), 2);
  REQUIRE(pump_until(ends.near, ends.at_near, far, ends.at_far,
                     [&] { return ends.at_far.messages.size() == 2; }));
  CHECK(same_bytes(ends.at_far.messages[1], pattern(8'000'000, 2)));
  CHECK(take_numbers(ends.at_far.rights[1], 5, 2));
}

TEMPLATE_TEST_CASE("an end travels inside an unread message of an end that travels", "[ends]",
                   STRAIT_TEST_ENDS) {
  using Link = RawLink<TestType>;
  auto inner = Ends<Link>::make();
  auto outer = Ends<Link>::make();
  REQUIRE(inner.near.send(pattern(11)));
  REQUIRE(inner.near.send(pattern(12), numbered_rights(4, 2)));
  REQUIRE(outer.near.send(pattern(1)));
  const bool read_inner = GENERATE(false, true);
  const bool read_outer = GENERATE(false, true);
  CAPTURE(read_inner, read_outer);
  if (read_inner) handle(inner.far, inner.at_far, 1);
  REQUIRE(outer.near.send(pattern(2), rights_of(std::move(inner.far))));
  if (read_outer) handle(outer.far, outer.at_far, 1);

  auto outer_far = passed(std::move(outer.far));
  REQUIRE(pump_until(outer.near, outer.at_near, outer_far, outer.at_far,
                     [&] { return outer.at_far.messages.size() == 2; }));
  auto inner_far = outer.at_far.rights[1].template take<Link>().value();
  REQUIRE(pump_until(inner.near, inner.at_near, inner_far, inner.at_far,
                     [&] { return inner.at_far.messages.size() == 2; }));
  CHECK(same_bytes(inner.at_far.messages[0], pattern(11)));
  CHECK(take_numbers(inner.at_far.rights[1], 4, 2));
}

TEMPLATE_TEST_CASE("unread ends within ends are closed with the outermost one", "[ends]",
                   STRAIT_TEST_ENDS) {
  using Link = RawLink<TestType>;
  auto inner = Ends<Link>::make();
  {
    auto outer = Ends<Link>::make();
    auto outermost = Ends<Link>::make();
    REQUIRE(outer.near.send(pattern(2), rights_of(std::move(inner.far))));
    REQUIRE(outermost.near.send(pattern(2), rights_of(std::move(outer.far))));
    CHECK(inner.near.poll(inner.at_near).value() == 0);
  }
  // Where the system counts the owners of a socket under way, it may take it a moment.
  CHECK(poll_until_error(inner.near, inner.at_near) == Errc::peer_closed);
}

TEMPLATE_TEST_CASE("the last words of a peer that has closed are in an end that was sent", "[ends]",
                   STRAIT_TEST_ENDS) {
  using Link = RawLink<TestType>;
  auto ends = Ends<Link>::make();
  REQUIRE(ends.near.send(pattern(5)));
  REQUIRE(ends.near.send(pattern(6)));
  ends.near.close();
  if (GENERATE(false, true)) {
    handle(ends.far, ends.at_far, 1);
  }
  auto far = passed(std::move(ends.far));
  CHECK(poll_until_error(far, ends.at_far) == Errc::peer_closed);
  CHECK(ends.at_far.messages.size() == 2);
}

TEMPLATE_TEST_CASE("an end that can't be sent now stays as it was", "[ends]", STRAIT_TEST_ENDS) {
  using Link = RawLink<TestType, strait::ChannelOptions{.passable = true}>;
  Rights rights;
  SECTION("before the handshake is done") {
    auto pair = fresh_pair<Link>();
    CHECK(rights.add(std::move(pair.server)).error() == Errc::would_block);
    CHECK(rights.add(std::move(pair.client)).error() == Errc::would_block);
    REQUIRE(pair.connect());
    CHECK(rights.add(std::move(pair.server)));
  }
  SECTION("with messages queued for which there is no room") {
    auto ends = Ends<Link>::make();
    std::size_t count = 0;
    for (; ends.near.queued_bytes() == 0; ++count) REQUIRE(ends.near.send(pattern(4000, count)));
    CHECK(rights.add(std::move(ends.near)).error() == Errc::would_block);
    REQUIRE(ends.deliver(count));
    CHECK(rights.add(std::move(ends.near)));
  }
  SECTION("from inside its listener") {
    auto ends = Ends<Link>::make();
    REQUIRE(ends.near.send(pattern(1)));
    REQUIRE(ends.near.send(pattern(2)));
    std::size_t heard = 0;
    const auto listener = [&](View) {
      ++heard;
      CHECK(rights.add(std::move(ends.far)).error() == Errc::busy);
    };
    REQUIRE(poll_until(ends.far, listener, [&] { return heard == 2; }));
    CHECK(rights.add(std::move(ends.far)));
  }
  SECTION("after it was closed") {
    auto ends = Ends<Link>::make();
    ends.far.close();
    CHECK(rights.add(std::move(ends.far)).error() == Errc::closed);
    CHECK(poll_until_error(ends.near, ends.at_near) == Errc::peer_closed);
    CHECK(rights.add(std::move(ends.near)).error() == Errc::peer_closed);
    CHECK(rights.empty());
  }
}

TEMPLATE_TEST_CASE("an end that was not sent after all is taken back and works", "[ends]",
                   STRAIT_TEST_ENDS) {
  using Link = RawLink<TestType, strait::ChannelOptions{.max_rights = 1}>;
  auto ends = Ends<Link>::make();
  auto carrier = Ends<Link>::make();
  REQUIRE(ends.near.send(pattern(3)));
  REQUIRE(ends.near.send(pattern(4)));
  handle(ends.far, ends.at_far, 1);
  Rights rights;
  REQUIRE(rights.add(std::move(ends.far)));
  REQUIRE(rights.add(numbered(1)));
  CHECK(carrier.near.send(pattern(1), std::move(rights)).error() == Errc::too_many_rights);
  auto back = rights.template take<Link>().value();
  CHECK(poll_until(back, ends.at_far, [&] { return ends.at_far.messages.size() == 2; }));
}

TEMPLATE_TEST_CASE("an end that was watched by a loop is watched by the next owner's", "[ends]",
                   STRAIT_TEST_ENDS) {
  using Link = RawLink<TestType>;
  auto ends = Ends<Link>::make();
  const auto readable = [](Link& link, int milliseconds) {
    pollfd entry{link.native_handle(), POLLIN, 0};
    return ::poll(&entry, 1, milliseconds) == 1;
  };
  REQUIRE(ends.far.native_handle() >= 0);
  while (ends.far.poll(ends.at_far).value() != 0) {
  }
  CHECK_FALSE(readable(ends.far, 0));
  REQUIRE(ends.near.send(pattern(1)));
  REQUIRE(ends.near.send(pattern(2)));
  handle(ends.far, ends.at_far, 1);
  auto far = passed(std::move(ends.far));
  REQUIRE(readable(far, 10'000));
  REQUIRE(far.poll(ends.at_far).value() == 1);
  while (far.poll(ends.at_far).value() != 0) {
  }
  CHECK_FALSE(readable(far, 0));
  REQUIRE(ends.near.send(pattern(3)));
  REQUIRE(readable(far, 10'000));
  CHECK(far.wait(ends.at_far, long_enough).value() == 1);
}

TEMPLATE_TEST_CASE("an end is trusted as far as whoever passed it on, and says so", "[ends]",
                   STRAIT_TEST_ENDS) {
  using Link = RawLink<TestType>;
  auto ends = Ends<Link>::make();
  auto right = ends.far.into_right().value();
  // As if another user had sent it, whoever has made what it is made of.
  right.received = true;
  right.sender = {::geteuid() + 1, ::getegid(), 1};
  CHECK(Link::from_right(right).error() == Errc::permission_denied);
  right.sender.uid = ::geteuid();
  auto far = Link::from_right(right).value();
  CHECK(far.peer().passed_on);
  CHECK(far.peer().credentials.pid == 1);
  REQUIRE(ends.near.send(pattern(3)));
  CHECK(poll_until(far, ends.at_far, [&] { return ends.at_far.messages.size() == 1; }));
}
