// Rights between processes of which one may not open the other, or neither, such as a child that
// runs with less than its parent. An access control list says which.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "conformance/rights.hpp"
#include "process/peers.hpp"
#include "strait/launch.hpp"
#include "support/windows/closed_process.hpp"

using namespace strait_test;

namespace {

using Carriers = Transports<STRAIT_TEST_RIGHTS_CROSSING>;

constexpr std::size_t inbox_capacity = strait::windows::InboxPage::capacity;

/// Which process no other one may open.
enum class Closed { none, parent, child, both };

bool is_parents(Closed closed) { return closed == Closed::parent || closed == Closed::both; }
bool is_childs(Closed closed) { return closed == Closed::child || closed == Closed::both; }
std::string word_of(bool is_closed) { return is_closed ? "closed" : "open"; }

/// Sends back what it gets, until the parent ends.
template <class Link>
int echo_rights(Link& link) {
  const auto ended = link.run([&](View bytes, Rights rights) {
    child::require(link.send(bytes, std::move(rights)).has_value(), "echo");
  });
  return ended.error() == Errc::peer_closed ? 0 : 1;
}

/// Calls `play` with a channel to the parent, by name.
template <class Play>
int with_parent(const ChildArguments& arguments, Play play) {
  std::optional<ClosedProcess> closed;
  if (arguments.at(1) == "closed") closed.emplace();
  return with_transport(
      arguments.at(0),
      [&]<class T>() {
        const auto rendezvous = Rendezvous::take_over();
        auto link = RawLink<T>::connect(rendezvous.name, rendezvous.token, long_enough);
        child::require(link.has_value(), "connected");
        return play(*link);
      },
      Carriers());
}

const ChildRole confined_echo_role("confined.echo", [](const ChildArguments& arguments) {
  return with_parent(arguments, [](auto& link) { return echo_rights(link); });
});

/// The same, but reads nothing before it is told to.
const ChildRole confined_late_echo_role("confined.late_echo", [](const ChildArguments& arguments) {
  return with_parent(arguments, [](auto& link) {
    child::read_line();
    return echo_rights(link);
  });
});

/// Sends rights, all of which leave it, and ends without a word of farewell.
const ChildRole confined_source_role("confined.source", [](const ChildArguments& arguments) {
  return with_parent(arguments, [](auto& link) {
    for (std::uint64_t i = 0; i != 100; ++i) {
      Rights rights;
      child::require(rights.add(numbered(i)).has_value(), "a right");
      child::require(link.send(StreamCheck::message(i), std::move(rights)).has_value(), "sent");
    }
    child::require(link.flush(long_enough).has_value(), "flushed");
    ::TerminateProcess(::GetCurrentProcess(), 9);
    return 0;
  });
});

/// Closes the channel when it is told to, and lives on.
const ChildRole confined_leaver_role("confined.leaver", [](const ChildArguments& arguments) {
  return with_parent(arguments, [](auto& link) {
    child::read_line();
    link.close();
    child::write_line("closed");
    child::read_line();
    return 0;
  });
});

const ChildRole confined_launched_role("confined.launched", [](const ChildArguments& arguments) {
  std::optional<ClosedProcess> closed;
  if (arguments.at(1) == "closed") closed.emplace();
  return with_transport(
      arguments.at(0),
      []<class T>() {
        auto parent = strait::connect_to_parent<RawLink<T>>(long_enough);
        child::require(parent.has_value(), parent ? "" : parent.error().message());
        return echo_rights(*parent);
      },
      Carriers());
});

/// A parent, closed or not, and its child in a role.
template <class T>
struct TwoSides {
  TwoSides(std::string_view role, Closed which) {
    if (is_parents(which)) closed.emplace();
    link.emplace(RawLink<T>::listen(rendezvous.name, rendezvous.token).value());
    child.emplace(Child::spawn(role, {word_for<T>(Carriers()), word_of(is_childs(which))}));
    rendezvous.hand_over(*child);
  }
  bool connect() {
    Inbox inbox;
    return wait_while(*link, inbox, [&] { return link->waiting_connect(); });
  }

  Rendezvous rendezvous{};
  std::optional<ClosedProcess> closed{};
  std::optional<RawLink<T>> link{};
  std::optional<Child> child{};
};

/// Sends numbered rights to an echo and looks at what comes back.
template <class Link>
void check_echo(Link& link) {
  constexpr std::uint64_t count = 200;
  for (std::uint64_t i = 0; i != count; ++i) {
    REQUIRE(link.send(StreamCheck::message(i), numbered_rights(10 * i, i % 4)));
  }
  std::uint64_t next = 0;
  std::uint64_t wrong = 0;
  const auto listener = [&](View bytes, Rights rights) {
    if (!same_bytes(bytes, StreamCheck::message(next))) ++wrong;
    if (!take_numbers(rights, 10 * next, next % 4)) ++wrong;
    ++next;
  };
  CHECK(wait_while(link, listener, [&] { return next != count; }));
  CHECK(wrong == 0);
}

}  // namespace

TEMPLATE_TEST_CASE("rights go both ways where only one side may open the other",
                   "[process][rights][windows]", STRAIT_TEST_RIGHTS_CROSSING) {
  const auto closed = GENERATE(Closed::parent, Closed::child);
  CAPTURE(static_cast<int>(closed));
  TwoSides<TestType> sides("confined.echo", closed);
  REQUIRE(sides.connect());
  check_echo(*sides.link);
  sides.link->close();
  CHECK(sides.child->wait().success());
}

TEMPLATE_TEST_CASE("rights go both ways between a parent and a child that it has launched",
                   "[process][rights][launch][windows]", STRAIT_TEST_RIGHTS_CROSSING) {
  const auto which = GENERATE(Closed::none, Closed::parent, Closed::child);
  CAPTURE(static_cast<int>(which));
  std::optional<ClosedProcess> closed;
  if (is_parents(which)) closed.emplace();
  wchar_t path[MAX_PATH];
  ::GetModuleFileNameW(nullptr, path, MAX_PATH);
  const std::string program(path, path + ::wcslen(path));
  const std::vector<std::string> words{"--child", "confined.launched",
                                       word_for<TestType>(Carriers()), word_of(is_childs(which))};
  using Link = RawLink<TestType>;
  auto launched = GENERATE(true, false)
                      ? strait::launch<Link, strait::Inherited>(program, words, {long_enough})
                      : strait::launch<Link, strait::ByName>(program, words, {long_enough});
  REQUIRE(launched);
  check_echo(launched->channel);
  launched->channel.close();
  CHECK(launched->child.wait(long_enough).value() == strait::ExitStatus{0, 0});
}

TEMPLATE_TEST_CASE("where neither side may open the other messages go, and rights do not",
                   "[process][rights][windows]", STRAIT_TEST_RIGHTS_CROSSING) {
  TwoSides<TestType> sides("confined.echo", Closed::both);
  REQUIRE(sides.connect());
  Rights rights = numbered_rights(7, 2);
  CHECK(sides.link->send(pattern(10), std::move(rights)).error() == Errc::permission_denied);
  REQUIRE(sides.link->send(pattern(20)));
  Inbox inbox;
  REQUIRE(wait_while(*sides.link, inbox, [&] { return inbox.messages.empty(); }));
  CHECK(same_bytes(inbox.messages[0], pattern(20)));
  sides.link->close();
  CHECK(sides.child->wait().success());
}

TEMPLATE_TEST_CASE("more rights than may be under way wait for a side that may not open the other",
                   "[process][rights][windows]", STRAIT_TEST_RIGHTS_CROSSING) {
  TwoSides<TestType> sides("confined.late_echo", Closed::parent);
  REQUIRE(sides.connect());
  constexpr std::uint64_t count = inbox_capacity + inbox_capacity / 2;
  for (std::uint64_t i = 0; i != count; ++i) {
    REQUIRE(sides.link->send(StreamCheck::message(i), numbered_rights(i, 1)));
  }
  std::uint64_t next = 0;
  std::uint64_t wrong = 0;
  const auto listener = [&](View bytes, Rights rights) {
    if (!same_bytes(bytes, StreamCheck::message(next))) ++wrong;
    if (!take_numbers(rights, next, 1)) ++wrong;
    ++next;
  };
  // All that fits has gone, and the rest waits without a wake-up.
  REQUIRE(sides.link->wait(listener, 0ms));
  CHECK(sides.link->queued_bytes() != 0);
  CHECK(next == 0);
  REQUIRE(sides.child->write_line("read"));
  CHECK(wait_while(*sides.link, listener, [&] { return next != count; }));
  CHECK(wrong == 0);
  sides.link->close();
  CHECK(sides.child->wait().success());
}

TEMPLATE_TEST_CASE("rights that were put into a side outlive their sender", "[process][windows]",
                   STRAIT_TEST_RIGHTS_CROSSING) {
  TwoSides<TestType> sides("confined.source", Closed::child);
  std::uint64_t next = 0;
  std::uint64_t wrong = 0;
  const auto listener = [&](View bytes, Rights rights) {
    if (!same_bytes(bytes, StreamCheck::message(next))) ++wrong;
    if (!take_numbers(rights, next, 1)) ++wrong;
    ++next;
  };
  REQUIRE(wait_while(*sides.link, listener, [&] { return sides.link->waiting_connect(); }));
  REQUIRE(sides.child->wait().code == 9);
  CHECK(wait_until_error(*sides.link, listener) == Errc::peer_closed);
  CHECK(next == 100);
  CHECK(wrong == 0);
}

TEMPLATE_TEST_CASE("rights that were put into a side and not taken are closed with its channel",
                   "[process][windows]", STRAIT_TEST_RIGHTS_CROSSING) {
  // The check around each test sees that nothing is left.
  TwoSides<TestType> sides("confined.source", Closed::child);
  std::uint64_t count = 0;
  const auto listener = [&](View, Rights) {
    if (++count == 10) sides.link->stop();
  };
  REQUIRE(wait_while(*sides.link, listener, [&] { return count == 0; }));
  REQUIRE(sides.child->wait().code == 9);
  sides.link->close();
}

TEMPLATE_TEST_CASE("a side that closes its channel and lives on keeps nothing of what was put in",
                   "[process][windows]", STRAIT_TEST_RIGHTS_CROSSING) {
  TwoSides<TestType> sides("confined.leaver", Closed::parent);
  REQUIRE(sides.connect());
  auto before = plain_pipe();
  REQUIRE(sides.link->send(pattern(1), rights_of(std::move(before[1]))));
  REQUIRE(sides.link->flush(long_enough));
  CHECK_FALSE(has_ended(before[0]));
  REQUIRE(sides.child->write_line("close"));
  REQUIRE(sides.child->read_line() == "closed");
  CHECK(has_ended(before[0]));
  // This side may not have seen the end yet.
  auto after = plain_pipe();
  static_cast<void>(sides.link->send(pattern(1), rights_of(std::move(after[1]))));
  Inbox inbox;
  CHECK(wait_until_error(*sides.link, inbox) == Errc::peer_closed);
  sides.link->close();
  CHECK(has_ended(after[0]));
  REQUIRE(sides.child->write_line("end"));
  CHECK(sides.child->wait().success());
}
