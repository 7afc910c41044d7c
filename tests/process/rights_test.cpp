// Rights between processes that live, and that die.

#include <signal.h>

#include "conformance/rights.hpp"
#include "process/peers.hpp"

using namespace strait_test;
using strait::Semaphore;
using strait::SharedMemory;

namespace {

using RightsCarriers = Transports<STRAIT_TEST_RIGHTS_CROSSING>;

/// A child's connection to its parent.
template <class T>
RawLink<T> to_parent() {
  const auto rendezvous = Rendezvous::take_over();
  auto link = RawLink<T>::connect(rendezvous.name, rendezvous.token, long_enough);
  child::require(link.has_value(), "connected");
  return std::move(*link);
}

/// The next message with rights.
template <class Link>
Rights next_rights(Link& link) {
  RightsInbox inbox;
  child::require(wait_while(link, inbox, [&] { return inbox.rights.empty(); }), "rights");
  return std::move(inbox.rights.front());
}

/// Takes memory and two semaphores, and adds one to the memory whenever it is told to.
const ChildRole worker_role("rights.worker", [](const ChildArguments& arguments) {
  return with_transport(
      arguments.at(0),
      []<class T>() {
        auto link = to_parent<T>();
        auto rights = next_rights(link);
        auto memory = rights.template take<SharedMemory>();
        auto go = rights.template take<Semaphore>();
        auto done = rights.template take<Semaphore>();
        child::require(memory && go && done && rights.empty(), "the rights");
        const auto counter = memory->template map<std::uint64_t>().value();
        for (int round = 0; round != 200; ++round) {
          child::require(go->wait_for(long_enough).has_value(), "to be told");
          ++*counter;
          done->post();
        }
        return 0;
      },
      RightsCarriers());
});

#if !STRAIT_HAS_WINDOWS  // where no end of a channel is a right
/// Takes the end of a channel and echoes there.
const ChildRole rights_echo_role("rights.echo", [](const ChildArguments& arguments) {
  return with_transport(
      arguments.at(0),
      []<class T>() {
        auto link = to_parent<T>();
        auto rights = next_rights(link);
        auto end = rights.template take<RawLink<Passable<T>>>();
        child::require(end.has_value(), "an end");
        link.close();
        const auto ended = end->run([&](View bytes, Rights back) {
          child::require(end->send(bytes, std::move(back)).has_value(), "echo");
        });
        child::require(ended.error() == Errc::peer_closed, "the end");
        return 0;
      },
      RightsCarriers());
});
#endif

/// Sends rights to its parent until it is killed.
const ChildRole source_role("rights.source", [](const ChildArguments& arguments) {
  return with_transport(
      arguments.at(0),
      []<class T>() {
        auto link = to_parent<T>();
        const auto deaf = [](View) {};
        for (std::uint64_t next = 0;;) {
          auto rights = [&] {
            Rights made;
            for (std::uint64_t i = 0; i != next % 4; ++i) {
              child::require(made.add(numbered(next + i)).has_value(), "a right");
            }
            return made;
          }();
          const auto sent = link.send(StreamCheck::message(next), std::move(rights));
          if (sent) ++next;
          if (const auto waited = link.wait(deaf, link.queued_bytes() > 65'536 ? 1ms : 0ms);
              !waited) {
            return 0;
          }
        }
      },
      RightsCarriers());
});

/// Writes to what it is sent, and holds it until it is told to end.
const ChildRole holder_role("rights.holder", [](const ChildArguments& arguments) {
  return with_transport(
      arguments.at(0),
      []<class T>() {
        auto link = to_parent<T>();
        {
          auto rights = next_rights(link);
          auto write_end = rights.template take<Descriptor>();
          child::require(write_end.has_value(), "a right");
          child::require(write_byte(*write_end, 'x'), "to write");
          child::write_line("written");
          child::read_line();
        }
        child::write_line("closed");
        child::read_line();
        return 0;
      },
      RightsCarriers());
});

/// Connects and waits to be killed.
const ChildRole victim_role("rights.victim", [](const ChildArguments& arguments) {
  return with_transport(
      arguments.at(0),
      []<class T>() {
        auto link = to_parent<T>();
        child::write_line("here");
        child::read_line();
        return 0;
      },
      RightsCarriers());
});

template <class T>
Child spawn_with(std::string_view role, const Rendezvous& rendezvous) {
  Child child = Child::spawn(role, {word_for<T>(RightsCarriers())});
  rendezvous.hand_over(child);
  return child;
}

/// A child in a role, and the parent's channel to it.
template <class T, strait::ChannelOptions options = strait::ChannelOptions{}>
struct Employed {
  explicit Employed(std::string_view role)
      : link(RawLink<T, options>::listen(rendezvous.name, rendezvous.token).value()),
        child(spawn_with<T>(role, rendezvous)) {}

  Rendezvous rendezvous;
  RawLink<T, options> link;
  Child child;
};

}  // namespace

TEMPLATE_TEST_CASE("two processes work on shared memory in turns, by semaphores",
                   "[process][rights]", STRAIT_TEST_RIGHTS_CROSSING) {
  Employed<TestType> worker("rights.worker");
  auto memory = SharedMemory::create(sizeof(std::uint64_t)).value();
  auto go = Semaphore::create().value();
  auto done = Semaphore::create().value();
  const auto counter = memory.map<std::uint64_t>().value();
  auto my_go = go.duplicate().value();
  auto my_done = done.duplicate().value();
  Rights rights;
  REQUIRE(rights.add(std::move(memory)));
  REQUIRE(rights.add(std::move(go)));
  REQUIRE(rights.add(std::move(done)));
  REQUIRE(worker.link.send(pattern(1), std::move(rights)));
  Inbox inbox;
  REQUIRE(wait_while(worker.link, inbox, [&] { return worker.link.waiting_connect(); }));
  REQUIRE(worker.link.flush(long_enough));
  for (std::uint64_t round = 0; round != 200; ++round) {
    my_go.post();
    REQUIRE(my_done.wait_for(long_enough));
    REQUIRE(*counter == round + 1);
  }
  CHECK(worker.child.wait().success());
}

TEMPLATE_TEST_CASE("rights of a process killed in mid-stream arrive as a prefix, whole each",
                   "[process][rights]", STRAIT_TEST_RIGHTS_CROSSING) {
  for (int round = 0; round != 5; ++round) {
    Employed<TestType> source("rights.source");
    std::uint64_t count = 0;
    std::uint64_t wrong = 0;
    const auto listener = [&](View bytes, Rights rights) {
      if (!same_bytes(bytes, StreamCheck::message(count))) ++wrong;
      if (!take_numbers(rights, count, count % 4)) ++wrong;
      ++count;
    };
    REQUIRE(wait_while(source.link, listener, [&] { return count < 300; }));
    source.child.kill(SIGKILL);
    const auto end = wait_until_error(source.link, listener);
    // There a handle on its way is one of its sender's, and gone with it.
    const bool lost = STRAIT_HAS_WINDOWS && end == Errc::rights_lost;
    CHECK((lost || end == Errc::peer_closed));
    CHECK(wrong == 0);
    CHECK(source.child.wait().killed_by(SIGKILL));
  }
}

TEMPLATE_TEST_CASE("descriptors on their way to a process that is killed are closed with it",
                   "[process][rights]", STRAIT_TEST_RIGHTS_CROSSING) {
  Employed<TestType> victim("rights.victim");
  Inbox inbox;
  REQUIRE(wait_while(victim.link, inbox, [&] { return victim.link.waiting_connect(); }));
  REQUIRE(victim.child.read_line() == "here");
  auto plain = plain_pipe();
  const Descriptor read_end = std::move(plain[0]);
  REQUIRE(victim.link.send(pattern(1), rights_of(std::move(plain[1]))));
  victim.child.kill(SIGKILL);
  CHECK(victim.child.wait().killed_by(SIGKILL));
  CHECK(wait_until_error(victim.link, inbox) == Errc::peer_closed);
  victim.link.close();
  CHECK(repeat_until([&] { return has_ended(read_end); }));
}

TEMPLATE_TEST_CASE("a descriptor that was sent lives in its receiver alone", "[process][rights]",
                   STRAIT_TEST_RIGHTS_CROSSING) {
  Employed<TestType> holder("rights.holder");
  Inbox inbox;
  auto plain = plain_pipe();
  const Descriptor read_end = std::move(plain[0]);
  REQUIRE(holder.link.send(pattern(1), rights_of(std::move(plain[1]))));
  REQUIRE(wait_while(holder.link, inbox, [&] { return holder.link.waiting_connect(); }));
  REQUIRE(holder.link.flush(long_enough));
  // This side does nothing from now on, and the channel is idle.
  CHECK(holder.child.read_line() == "written");
  CHECK(read_byte(read_end) == 'x');
  REQUIRE(holder.child.write_line("end"));
  CHECK(holder.child.read_line() == "closed");
  CHECK(repeat_until([&] { return has_ended(read_end); }));
  REQUIRE(holder.child.write_line("end"));
  CHECK(holder.child.wait().success());
}

TEMPLATE_TEST_CASE("rights that were sent arrive though their sender closes at once",
                   "[process][rights]", STRAIT_TEST_RIGHTS_CROSSING) {
  Employed<TestType> holder("rights.holder");
  Inbox inbox;
  REQUIRE(wait_while(holder.link, inbox, [&] { return holder.link.waiting_connect(); }));
  auto plain = plain_pipe();
  const Descriptor read_end = std::move(plain[0]);
  REQUIRE(holder.link.send(pattern(1), rights_of(std::move(plain[1]))));
  REQUIRE(holder.link.flush(long_enough));
  holder.link.close();
  CHECK(holder.child.read_line() == "written");
  CHECK(read_byte(read_end) == 'x');
  REQUIRE(holder.child.write_line("end"));
  REQUIRE(holder.child.write_line("end"));
  CHECK(holder.child.wait().success());
}

#if !STRAIT_HAS_WINDOWS  // where no end of a channel is a right
TEMPLATE_TEST_CASE("an end is sent to another process, with unread messages, and talks from there",
                   "[process][rights]", STRAIT_TEST_RIGHTS_CROSSING) {
  Employed<TestType> echo("rights.echo");
  auto ends = Ends<RawLink<Passable<TestType>>>::make();
  for (std::uint64_t i = 0; i != 10; ++i) {
    REQUIRE(ends.near.send(StreamCheck::message(i), numbered_rights(10 * i, i % 3)));
  }
  // Some of them are handled here, others are read here and handled there.
  std::size_t handled = 0;
  const auto listener = [&](View) {
    if (++handled == 2) ends.far.stop();
  };
  if (GENERATE(false, true)) {
    REQUIRE(poll_until(ends.far, listener, [&] { return handled == 2; }));
  }
  REQUIRE(echo.link.send(pattern(1), rights_of(std::move(ends.far))));
  Inbox inbox;
  REQUIRE(wait_while(echo.link, inbox, [&] { return echo.link.waiting_connect(); }));
  static_cast<void>(echo.link.flush(long_enough));  // the child may have closed it by now
  for (std::uint64_t i = 10; i != 200; ++i) {
    REQUIRE(ends.near.send(StreamCheck::message(i), numbered_rights(10 * i, i % 3)));
  }
  REQUIRE(wait_while(ends.near, ends.at_near,
                     [&] { return ends.at_near.messages.size() < 200 - handled; }));
  for (std::size_t i = handled; i != 200; ++i) {
    CAPTURE(i);
    CHECK(same_bytes(ends.at_near.messages[i - handled], StreamCheck::message(i)));
    CHECK(take_numbers(ends.at_near.rights[i - handled], 10 * i, i % 3));
  }
  ends.near.close();
  CHECK(echo.child.wait().success());
}

TEMPLATE_TEST_CASE("an end that goes from hand to hand while its peer streams loses nothing",
                   "[process][rights][ends]", STRAIT_TEST_ENDS_CROSSING) {
  Employed<TestType, strait::ChannelOptions{.passable = true}> source("rights.source");
  const bool watched = GENERATE(false, true);
  std::uint64_t count = 0;
  std::uint64_t wrong = 0;
  const auto listener = [&](View bytes, Rights rights) {
    if (!same_bytes(bytes, StreamCheck::message(count))) ++wrong;
    if (!take_numbers(rights, count, count % 4)) ++wrong;
    // Not always to the end of what is there.
    if (++count % 7 == 0) source.link.stop();
  };
  for (std::uint64_t target = 5; target < 500; target += 5) {
    REQUIRE(wait_while(source.link, listener, [&] { return count < target; }));
    if (watched) REQUIRE(source.link.native_handle() >= 0);
    source.link = passed(std::move(source.link));
  }
  CHECK(wrong == 0);
  source.link.close();
  CHECK(source.child.wait().success());
}

TEMPLATE_TEST_CASE("rights on their way to a process that is killed are closed with it",
                   "[process][rights]", STRAIT_TEST_RIGHTS_CROSSING) {
  Employed<TestType> victim("rights.victim");
  Inbox inbox;
  REQUIRE(wait_while(victim.link, inbox, [&] { return victim.link.waiting_connect(); }));
  REQUIRE(victim.child.read_line() == "here");
  auto ends = Ends<RawLink<Passable<TestType>>>::make();
  auto inner = Ends<RawLink<Passable<TestType>>>::make();
  REQUIRE(ends.near.send(pattern(1), rights_of(std::move(inner.far))));
  REQUIRE(victim.link.send(pattern(1), rights_of(std::move(ends.far))));
  // And as many as are not taken.
  while (victim.link.queued_bytes() < 100'000) {
    REQUIRE(victim.link.send(pattern(10'000), numbered_rights(0, 2)));
  }
  CHECK(inner.near.poll(inner.at_near).value() == 0);
  victim.child.kill(SIGKILL);
  CHECK(victim.child.wait().killed_by(SIGKILL));
  CHECK(wait_until_error(victim.link, inbox) == Errc::peer_closed);
  CHECK(wait_until_error(ends.near, ends.at_near) == Errc::peer_closed);
  CHECK(wait_until_error(inner.near, inner.at_near) == Errc::peer_closed);
}

TEMPLATE_TEST_CASE("a process killed while it holds the other end of a channel is peer_closed",
                   "[process][rights]", STRAIT_TEST_RIGHTS_CROSSING) {
  Employed<TestType> echo("rights.echo");
  auto ends = Ends<RawLink<Passable<TestType>>>::make();
  REQUIRE(echo.link.send(pattern(1), rights_of(std::move(ends.far))));
  REQUIRE(ends.near.send(pattern(2)));
  Inbox inbox;
  REQUIRE(wait_while(echo.link, inbox, [&] { return echo.link.waiting_connect(); }));
  static_cast<void>(echo.link.flush(long_enough));  // the child may have closed it by now
  REQUIRE(wait_while(ends.near, ends.at_near, [&] { return ends.at_near.messages.empty(); }));
  echo.child.kill(SIGKILL);
  CHECK(wait_until_error(ends.near, ends.at_near) == Errc::peer_closed);
  CHECK(echo.child.wait().killed_by(SIGKILL));
}
#endif
