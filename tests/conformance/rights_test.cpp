// Rights travel with a message, in order, whole or not at all. The check around each test sees that
// no descriptor is left or missing.

#include "conformance/rights.hpp"

#include "conformance/transports.hpp"
#include "strait/serializers/trivial.hpp"

using namespace strait_test;
using strait::Semaphore;
using strait::SharedMemory;

namespace {

static_assert(!std::is_copy_constructible_v<Rights> &&
              std::is_nothrow_move_constructible_v<Rights>);
static_assert(strait::CarriesRights<Pipe> == STRAIT_HAS_WINDOWS && !strait::PassesEnds<Pipe>);

constexpr std::size_t limit = 5;
template <class T>
using FewRights =
    RawLink<T, strait::ChannelOptions{.max_queued_bytes = 64 << 10, .max_rights = limit}>;

}  // namespace

TEMPLATE_TEST_CASE("each kind of right arrives and works", "[rights]", STRAIT_TEST_RIGHTS) {
  auto pair = connected_pair<RawLink<TestType>>();
  RightsInbox at_server;
  auto ends = plain_pipe();
  const Descriptor& read_end = ends[0];
  auto memory = SharedMemory::create(10'000).value();
  auto here = memory.map().value();
  auto semaphore = Semaphore::create(1).value();
  auto my_semaphore = semaphore.duplicate().value();
  using End = RawLink<Passable<TestType>>;
  auto channels = End::pair().value();

  Rights rights;
  REQUIRE(rights.add(std::move(ends[1])));
  REQUIRE(rights.add(std::move(memory)));
  REQUIRE(rights.add(std::move(semaphore)));
  constexpr std::size_t count = carries_ends<TestType> ? 4 : 3;
  if (carries_ends<TestType>) REQUIRE(rights.add(std::move(channels.second)));
  CHECK(rights.size() == count);
  REQUIRE(pair.client.send(pattern(100), std::move(rights)));
  CHECK(rights.empty());
  REQUIRE(pump_until(pair.server, at_server, pair.client, pair.at_client,
                     [&] { return at_server.messages.size() == 1; }));
  CHECK(same_bytes(at_server.messages[0], pattern(100)));
  Rights& arrived = at_server.rights[0];
  REQUIRE(arrived.size() == count);

  auto write_end = arrived.take<Descriptor>().value();
  CHECK_FALSE(is_inherited(write_end));
  CHECK(write_byte(write_end, 'x'));
  CHECK(read_byte(read_end) == 'x');

  const auto there_memory = arrived.take<SharedMemory>().value();
  CHECK(there_memory.size_bytes() == strait::os::memory_file_bytes(10'000));
  const auto there = there_memory.map().value();
  fill_pattern(here.span(), 3);
  CHECK(same_bytes(there.span(), pattern(there.span().size(), 3)));

  auto there_semaphore = arrived.take<Semaphore>().value();
  CHECK(there_semaphore.try_wait());
  CHECK(my_semaphore.try_wait().error() == Errc::would_block);
  my_semaphore.post();
  CHECK(there_semaphore.wait_for(long_enough));

  if (!carries_ends<TestType>) return;
  auto end = arrived.template take<End>().value();
  CHECK(arrived.empty());
  CHECK(arrived.take<Descriptor>().error() == Errc::empty);
  Inbox at_end, at_mine;
  REQUIRE(channels.first.send(pattern(7)));
  REQUIRE(end.send(pattern(8)));
  CHECK(pump_until(end, at_end, channels.first, at_mine,
                   [&] { return at_end.messages.size() == 1 && at_mine.messages.size() == 1; }));
  CHECK(same_bytes(at_end.messages[0], pattern(7)));
  CHECK(same_bytes(at_mine.messages[0], pattern(8)));
}

TEMPLATE_TEST_CASE("rights stay with their messages, in order, whatever the sizes", "[rights]",
                   STRAIT_TEST_RIGHTS) {
  auto pair = connected_pair<RawLink<TestType>>();
  RightsInbox inbox;
  const bool to_server = GENERATE(true, false);
  auto& from = to_server ? pair.client : pair.server;
  auto& to = to_server ? pair.server : pair.client;
  std::uint64_t number = 0;
  std::vector<std::pair<std::uint64_t, std::size_t>> sent;
  for (std::size_t i = 0; i != 300; ++i) {
    const std::size_t count = i % 3 == 0 ? i % 5 : 0;
    sent.emplace_back(number, count);
    auto rights = numbered_rights(number, count);
    REQUIRE(from.send(StreamCheck::message(i), std::move(rights)));
    REQUIRE(rights.empty());
    number += count;
    // Now and then the receiver keeps up, and now and then it does not.
    if (i % 50 == 0) REQUIRE(to.poll(inbox));
  }
  REQUIRE(
      pump_until(to, inbox, from, pair.at_client, [&] { return inbox.messages.size() == 300; }));
  for (std::size_t i = 0; i != 300; ++i) {
    CAPTURE(i);
    REQUIRE(same_bytes(inbox.messages[i], StreamCheck::message(i)));
    REQUIRE(take_numbers(inbox.rights[i], sent[i].first, sent[i].second));
  }
}

TEMPLATE_TEST_CASE("rights with the empty message and with large ones arrive", "[rights]",
                   STRAIT_TEST_RIGHTS) {
  auto ends = Ends<RawLink<TestType>>::make();
  const std::vector<std::size_t> sizes{0, 1, 4096, 4097, 65'528, 65'529, 300'000, 3'000'000, 0};
  for (std::size_t i = 0; i != sizes.size(); ++i) {
    REQUIRE(ends.near.send(pattern(sizes[i], i), numbered_rights(10 * i, 2)));
  }
  REQUIRE(ends.deliver(sizes.size()));
  for (std::size_t i = 0; i != sizes.size(); ++i) {
    CHECK(same_bytes(ends.at_far.messages[i], pattern(sizes[i], i)));
    CHECK(take_numbers(ends.at_far.rights[i], 10 * i, 2));
  }
}

TEMPLATE_TEST_CASE("rights that were sent before the handshake arrive after it", "[rights]",
                   STRAIT_TEST_RIGHTS) {
  auto pair = fresh_pair<RawLink<TestType>>();
  RightsInbox at_server, at_client;
  for (std::size_t i = 0; i != 3; ++i) {
    REQUIRE(pair.server.send(pattern(i), numbered_rights(i, i)));
    REQUIRE(pair.client.send(pattern(i), numbered_rights(10 + i, i)));
  }
  REQUIRE(pump_until(pair.server, at_server, pair.client, at_client, [&] {
    return at_server.messages.size() == 3 && at_client.messages.size() == 3;
  }));
  for (std::size_t i = 0; i != 3; ++i) {
    CHECK(take_numbers(at_client.rights[i], i, i));
    CHECK(take_numbers(at_server.rights[i], 10 + i, i));
  }
}

TEMPLATE_TEST_CASE("as many rights as the limit says travel, and one more is not sent", "[rights]",
                   STRAIT_TEST_RIGHTS) {
  auto ends = Ends<FewRights<TestType>>::make();
  for (const std::size_t count : {limit - 1, limit}) {
    REQUIRE(ends.near.send(pattern(1), numbered_rights(0, count)));
  }
  auto rights = numbered_rights(0, limit + 1);
  CHECK(ends.near.send(pattern(1), std::move(rights)).error() == Errc::too_many_rights);
  CHECK(take_numbers(rights, 0, limit + 1));
  REQUIRE(ends.near.send(pattern(2)));
  REQUIRE(ends.deliver(3));
  CHECK(take_numbers(ends.at_far.rights[0], 0, limit - 1));
  CHECK(take_numbers(ends.at_far.rights[1], 0, limit));
  CHECK(ends.at_far.rights[2].empty());
}

TEMPLATE_TEST_CASE("the most rights that any limit allows travel", "[rights]", STRAIT_TEST_RIGHTS) {
  auto ends = Ends<RawLink<TestType, strait::ChannelOptions{.max_rights = 127}>>::make();
  for (int round = 0; round != 3; ++round) {
    Rights rights;
    for (int i = 0; i != 127; ++i) {
      REQUIRE(rights.add(plain_file()));
    }
    REQUIRE(ends.near.send(pattern(10), std::move(rights)));
  }
  REQUIRE(ends.deliver(3));
  for (const Rights& rights : ends.at_far.rights) CHECK(rights.size() == 127);
}

TEMPLATE_TEST_CASE("a peer that sends more rights than this end allows is cut off", "[rights]",
                   STRAIT_TEST_RIGHTS) {
  const auto token = new_token();
  const auto name = unique_name();
  auto few = FewRights<TestType>::listen(name, token).value();
  auto many = RawLink<TestType>::connect(name, token).value();
  RightsInbox at_few, at_many;
  REQUIRE(many.send(pattern(1), numbered_rights(0, limit)));
  REQUIRE(many.send(pattern(2), numbered_rights(0, limit + 1)));
  std::error_code ended;
  for (int i = 0; i != 1000 && !ended; ++i) {
    ended = few.poll(at_few).error();
    static_cast<void>(many.poll(at_many));
  }
  CHECK(ended == Errc::too_many_rights);
  REQUIRE(at_few.messages.size() == 1);
  CHECK(take_numbers(at_few.rights[0], 0, limit));
}

TEMPLATE_TEST_CASE("after a send that failed the caller still has the rights", "[rights]",
                   STRAIT_TEST_RIGHTS) {
  using Link = RawLink<TestType,
                       strait::ChannelOptions{.max_message_bytes = 1000, .max_queued_bytes = 4000}>;
  auto ends = Ends<Link>::make();
  auto rights = numbered_rights(7, 3);
  CHECK(ends.near.send(pattern(1001), std::move(rights)).error() == Errc::message_too_large);
  CHECK(rights.size() == 3);
  std::size_t sent = 0;
  while (auto taken = ends.near.send(pattern(1000, sent))) ++sent;
  CHECK(ends.near.send(pattern(1000), std::move(rights)).error() == Errc::queue_full);
  CHECK(rights.size() == 3);
  REQUIRE(ends.deliver(sent));
  ends.far.close();
  CHECK(ends.near.send(pattern(1), std::move(rights)).error() == Errc::peer_closed);
  CHECK(rights.size() == 3);
  ends.near.close();
  CHECK(ends.near.send(pattern(1), std::move(rights)).error() == Errc::closed);
  CHECK(take_numbers(rights, 7, 3));
}

TEMPLATE_TEST_CASE("rights are queued with their messages while the peer does not read", "[rights]",
                   STRAIT_TEST_RIGHTS) {
  auto ends = Ends<RawLink<TestType>>::make();
  std::size_t count = 0;
  // Some more, so that there are several with rights in the queue.
  for (int more = 0; more != 20; more += ends.near.queued_bytes() != 0 ? 1 : 0) {
    REQUIRE(ends.near.send(pattern(5000, count), numbered_rights(count, count % 3)));
    ++count;
  }
  REQUIRE(ends.deliver(count));
  for (std::size_t i = 0; i != count; ++i) {
    CAPTURE(i);
    CHECK(same_bytes(ends.at_far.messages[i], pattern(5000, i)));
    CHECK(take_numbers(ends.at_far.rights[i], i, i % 3));
  }
}

TEMPLATE_TEST_CASE("rights in a channel that is closed are closed with it", "[rights]",
                   STRAIT_TEST_RIGHTS) {
  // At each stage: queued, under way, read but not handled, and a part of them handled.
  const int stage = GENERATE(0, 1, 2, 3);
  CAPTURE(stage);
  auto ends = Ends<RawLink<TestType>>::make();
  for (std::size_t i = 0; i != 4; ++i) {
    REQUIRE(ends.near.send(pattern(stage == 0 ? 300'000 : 10), numbered_rights(0, 3)));
  }
  if (stage >= 2) {
    std::size_t handled = 0;
    const auto listener = [&](View, Rights rights) {
      if (stage == 3) CHECK(rights.template take<SharedMemory>());
      if (++handled == 2) ends.far.stop();
    };
    REQUIRE(poll_until(ends.far, listener, [&] { return handled == 2; }));
  }
  if (GENERATE(true, false)) {
    ends.far.close();
  } else {
    ends.near.close();
  }
}

TEMPLATE_TEST_CASE("a listener that takes no rights gets the messages, and the rights are closed",
                   "[rights]", STRAIT_TEST_RIGHTS) {
  auto ends = Ends<RawLink<TestType>>::make();
  Inbox plain;
  auto pipe_ends = plain_pipe();
  const Descriptor& read_end = pipe_ends[0];
  REQUIRE(ends.near.send(pattern(10), rights_of(std::move(pipe_ends[1]))));
  REQUIRE(poll_until(ends.far, plain, [&] { return plain.messages.size() == 1; }));
  // It may be closed by a thread in the background.
  CHECK(poll_until(ends.far, plain, [&] { return has_ended(read_end); }));
}

TEMPLATE_TEST_CASE("typed listeners ask for rights message by message", "[rights]",
                   STRAIT_TEST_RIGHTS) {
  struct With {
    int id;
  };
  struct Without {
    int id;
  };
  struct Unheard {
    int id;
  };
  using Link = strait::Channel<TestType, strait::TrivialSerializer<With, Without, Unheard>>;
  auto ends = Ends<Link>::make();
  REQUIRE(ends.near.send(With{1}, numbered_rights(1, 2)));
  REQUIRE(ends.near.send(Without{2}, numbered_rights(3, 2)));
  REQUIRE(ends.near.send(Unheard{3}, numbered_rights(5, 2)));
  REQUIRE(ends.near.send(With{4}));
  struct Listener {
    std::vector<int> heard;
    std::vector<std::size_t> counts;
    void operator()(const With& message, Rights rights) {
      heard.push_back(message.id);
      counts.push_back(rights.size());
    }
    void operator()(const Without& message) { heard.push_back(message.id); }
  } listener;
  std::vector<std::error_code> errors;
  for (int i = 0; i != 1000 && listener.heard.size() != 3; ++i) {
    if (auto handled = ends.far.poll(listener); !handled) errors.push_back(handled.error());
  }
  static_cast<void>(ends.far.poll(listener));
  CHECK(listener.heard == std::vector<int>{1, 2, 4});
  CHECK(listener.counts == std::vector<std::size_t>{2, 0});
  CHECK(errors == std::vector<std::error_code>{Errc::unexpected_message});
}

TEMPLATE_TEST_CASE("a right that is not what it is taken for stays, and can be taken as what it is",
                   "[rights]", STRAIT_TEST_RIGHTS) {
  using End = RawLink<Passable<TestType>>;
  constexpr Errc no_semaphore = STRAIT_HAS_WINDOWS ? Errc::wrong_right : Errc::bad_region;
  auto ends = Ends<RawLink<TestType>>::make();
  auto channels = End::pair().value();
  Rights rights = numbered_rights(5, 1);
  if (carries_ends<TestType>) REQUIRE(rights.add(std::move(channels.second)));
  REQUIRE(rights.add(plain_file()));
  REQUIRE(ends.near.send(pattern(1), std::move(rights)));
  REQUIRE(ends.deliver(1));
  Rights& arrived = ends.at_far.rights[0];
  CHECK(arrived.template take<End>().error() == Errc::wrong_right);
  CHECK(take_number(arrived) == 5);
  CHECK(arrived.template take<SharedMemory>().error() == Errc::bad_region);
  CHECK(arrived.template take<Semaphore>().error() == no_semaphore);
  if (carries_ends<TestType>) CHECK(arrived.template take<End>());
  CHECK(arrived.template take<End>().error() == Errc::wrong_right);
  CHECK(arrived.template take<Semaphore>().error() == no_semaphore);
  CHECK(arrived.size() == 1);
  arrived.drop();
  CHECK(arrived.empty());
}

TEMPLATE_TEST_CASE("what has arrived is kept under an id that other messages can name", "[rights]",
                   STRAIT_TEST_RIGHTS) {
  struct Take {
    strait::RightId id;
    std::uint64_t number;
  };
  auto ends = Ends<RawLink<TestType>>::make();
  strait::RightsTable table;
  REQUIRE(ends.near.send(pattern(1), numbered_rights(30, 2)));
  REQUIRE(ends.deliver(1));
  Rights& arrived = ends.at_far.rights[0];
  const auto first = table.keep(arrived).value();
  const auto second = table.keep(arrived).value();
  CHECK(table.keep(arrived).error() == Errc::empty);
  CHECK_FALSE(first == second);
  // The ids go to somebody else, as plain data, and come back.
  using Typed = strait::Channel<TestType, strait::TrivialSerializer<Take>>;
  auto plain = Ends<Typed>::make();
  REQUIRE(plain.near.send(Take{second, 31}));
  REQUIRE(plain.near.send(Take{first, 30}));
  REQUIRE(plain.near.send(Take{{first.value + 1}, 0}));
  REQUIRE(plain.near.send(Take{first, 0}));
  std::vector<std::error_code> missing;
  std::size_t heard = 0;
  const auto listener = [&](const Take& message) {
    ++heard;
    CHECK(table.take<Descriptor>({}).error() == Errc::not_found);
    auto memory = table.take<SharedMemory>(message.id);
    if (!memory) return missing.push_back(memory.error());
    CHECK(*memory->template map<std::uint64_t>().value() == message.number);
  };
  REQUIRE(poll_until(plain.far, listener, [&] { return heard == 4; }));
  CHECK(missing == std::vector<std::error_code>(2, Errc::not_found));
  CHECK(table.size() == 0);
}
