// Clients of servers that go and come again, and what they send again.

#include "strait/reconnecting.hpp"

#include <array>
#include <functional>
#include <random>
#include <thread>

#include "conformance/channels.hpp"
#include "conformance/transports.hpp"
#include "strait/acceptor.hpp"
#include "strait/acknowledging.hpp"
#include "strait/overloaded.hpp"
#include "strait/serializers/trivial.hpp"

#if !STRAIT_HAS_WINDOWS
#include "support/edge_loop.hpp"
#endif

using namespace strait_test;

namespace {

struct Entry {
  std::uint64_t number;
};
struct Note {
  std::uint32_t text;
};
using Journal = strait::TrivialSerializer<Entry, Note>;

inline constexpr strait::ReconnectOptions fast{.shortest_pause_ms = 1, .longest_pause_ms = 4};
/// The second attempt never comes while a test lasts.
inline constexpr strait::ReconnectOptions slow{.shortest_pause_ms = 86'400'000,
                                               .longest_pause_ms = 86'400'000};

template <class T>
using PlainLink = strait::Channel<T, Journal>;
template <class T>
using JournalLink = strait::Channel<T, strait::Acknowledged<Journal>>;
template <class T, std::size_t bytes = (std::size_t{1} << 20)>
using JournalClient = strait::Reconnecting<JournalLink<T>, strait::Redeliver<bytes>, fast>;

/// What a client hears.
struct Events {
  int ups = 0;
  int downs = 0;
  std::size_t unknown = 0;
  std::error_code why;
  std::vector<std::uint32_t> notes;

  void on_up(auto&) { ++ups; }
  void on_down(std::error_code reason) {
    ++downs;
    why = reason;
  }
  void on_unknown(std::size_t messages) { unknown += messages; }
  void operator()(const Note& note) { notes.push_back(note.text); }
  void operator()(const Entry&) {}
};

/// What an instance of a server has handled.
template <class Link>
struct Handled {
  std::vector<std::uint64_t> entries{};

  void operator()(Link&, const Entry& entry) { entries.push_back(entry.number); }
  void operator()(Link& client, const Note& note) { static_cast<void>(client.send(note)); }
};

bool in_order_from(const std::vector<std::uint64_t>& entries, std::uint64_t first) {
  for (const std::uint64_t entry : entries) {
    if (entry != first++) return false;
  }
  return true;
}

strait::Sessions new_sessions(std::size_t max = strait::Sessions::default_max_sessions) {
  return strait::Sessions::create(max).value();
}

}  // namespace

TEMPLATE_TEST_CASE("a client is up whenever its server is there, and told once of each change",
                   "[reconnecting]", STRAIT_TEST_TRANSPORTS) {
  using Link = PlainLink<TestType>;
  const auto name = unique_name("again");
  const auto token = new_token();
  auto client =
      strait::Reconnecting<Link, strait::NoRedelivery, fast>::connect(name, token).value();
  Events events;
  CHECK(client.send(Note{1}).error() == std::errc::not_connected);
  CHECK(client.wait(events, 5ms).value() == 0);
  CHECK(client.last_error() == Errc::not_found);
  for (int round = 1; round != 4; ++round) {
    auto server = strait::Acceptor<Link>::listen(name, token).value();
    Handled<Link> handled;
    REQUIRE(pump_until(server, handled, client, events, [&] { return events.ups == round; }));
    CHECK(client.channel() != nullptr);
    REQUIRE(client.send(Note{static_cast<std::uint32_t>(round)}));
    REQUIRE(pump_until(server, handled, client, events,
                       [&] { return events.notes.size() == static_cast<std::size_t>(round); }));
    CHECK(events.downs == round - 1);
    server.close();
    REQUIRE(poll_until(client, events, [&] { return events.downs == round; }));
    CHECK(events.why == Errc::peer_closed);
    CHECK(client.channel() == nullptr);
    CHECK(client.send(Note{9}).error() == std::errc::not_connected);
  }
  CHECK(events.notes == std::vector<std::uint32_t>{1, 2, 3});
  client.close();
  CHECK(client.poll(events).error() == Errc::closed);
  CHECK(client.send(Note{9}).error() == Errc::closed);
  CHECK(events.downs == 3);
}

TEMPLATE_TEST_CASE("a client's descriptor is at rest while there is nothing to do",
                   "[reconnecting]", STRAIT_TEST_TRANSPORTS) {
  using Link = PlainLink<TestType>;
  const auto name = unique_name("rest");
  const auto token = new_token();
  Events events;
  const auto is_ready = [](auto& client) {
    return strait::os::is_ready(strait::Interest::to_read(client.native_handle().value()));
  };
  SECTION("until the next attempt") {
    auto client =
        strait::Reconnecting<Link, strait::NoRedelivery, slow>::connect(name, token).value();
    CHECK(is_ready(client));
    CHECK(client.poll(events).value() == 0);
    CHECK_FALSE(is_ready(client));
  }
  SECTION("and shows when it is time, and all that comes") {
    auto client =
        strait::Reconnecting<Link, strait::NoRedelivery, fast>::connect(name, token).value();
    CHECK(client.poll(events).value() == 0);
    CHECK(repeat_until([&] { return is_ready(client); }));
    auto server = strait::Acceptor<Link>::listen(name, token).value();
    Handled<Link> handled;
    // Only when it is ready.
    const auto poll_if_ready = [&] {
      REQUIRE(server.poll(handled));
      if (is_ready(client)) REQUIRE(client.poll(events));
    };
    REQUIRE(repeat_until([&] {
      poll_if_ready();
      return events.ups == 1;
    }));
    REQUIRE(repeat_until([&] {
      poll_if_ready();
      return !is_ready(client);
    }));
    REQUIRE(client.send(Note{7}));
    REQUIRE(repeat_until([&] {
      poll_if_ready();
      return events.notes.size() == 1;
    }));
    server.close();
    REQUIRE(repeat_until([&] {
      if (is_ready(client)) REQUIRE(client.poll(events));
      return events.downs == 1;
    }));
  }
}

#if !STRAIT_HAS_WINDOWS  // where no loop is told of changes alone
TEMPLATE_TEST_CASE("an edge-triggered loop drives a client by one poll an event",
                   "[reconnecting][edge]", STRAIT_TEST_TRANSPORTS) {
  using Link = PlainLink<TestType>;
  const auto name = unique_name("edge");
  const auto token = new_token();
  auto client =
      strait::Reconnecting<Link, strait::NoRedelivery, fast>::connect(name, token).value();
  EdgeLoop loop(client.native_handle().value());
  constexpr std::uint32_t each = 300;
  // Each of three servers sends its notes and goes when the last one has come back.
  std::thread servers([&] {
    for (int round = 0; round != 3; ++round) {
      auto server = strait::Acceptor<Link>::listen(name, token).value();
      std::uint32_t heard = 0;
      struct Notes {
        std::uint32_t& heard;
        void on_connected(Link& to) {
          for (std::uint32_t i = 0; i != each; ++i) static_cast<void>(to.send(Note{i}));
        }
        void operator()(Link&, const Note&) { ++heard; }
      } notes{heard};
      for (const auto end = Clock::now() + long_enough; heard != each && Clock::now() < end;) {
        static_cast<void>(server.wait(notes, 100ms));
      }
    }
  });
  struct Echo : Events {
    decltype(client)& to;
    explicit Echo(decltype(client)& one) : to(one) {}
    void operator()(const Entry&) {}
    void operator()(const Note& note) {
      notes.push_back(note.text);
      static_cast<void>(to.send(note));
    }
  } echo(client);
  while (echo.downs != 3 && loop.next_event(10s)) REQUIRE(client.poll(echo));
  servers.join();
  CHECK(echo.ups == 3);
  CHECK(echo.downs == 3);
  CHECK(echo.notes.size() == 3 * each);
}
#endif

TEMPLATE_TEST_CASE("what another attempt can't change is the end", "[reconnecting]", Mach, Socket) {
  using Link = PlainLink<TestType>;
  const auto name = unique_name("end");
  Events events;
  SECTION("a wrong token") {
    auto server = strait::Acceptor<Link>::listen(name, new_token()).value();
    auto client =
        strait::Reconnecting<Link, strait::NoRedelivery, fast>::connect(name, new_token()).value();
    Handled<Link> handled;
    std::error_code why;
    REQUIRE(repeat_until([&] {
      REQUIRE(server.poll(handled));
      const auto polled = client.poll(events);
      if (!polled) why = polled.error();
      return !polled;
    }));
    CHECK(why == Errc::bad_token);
    CHECK(client.poll(events).error() == Errc::bad_token);
    CHECK(client.send(Note{1}).error() == Errc::bad_token);
  }
  SECTION("no name at all") {
    auto client =
        strait::Reconnecting<Link, strait::NoRedelivery, fast>::connect("no name", new_token())
            .value();
    CHECK(client.run(events).error() == Errc::invalid_name);
  }
  CHECK(events.ups == 0);
  CHECK(events.downs == 0);
}

TEST_CASE("a client may close itself, and be told to stop, inside its listener", "[reconnecting]") {
  using Link = PlainLink<Socket>;
  const auto name = unique_name("inside");
  const auto token = new_token();
  auto server = strait::Acceptor<Link>::listen(name, token).value();
  Handled<Link> handled;
  using Client = strait::Reconnecting<Link, strait::NoRedelivery, fast>;
  auto client = Client::connect(name, token).value();
  struct Closing : Events {
    Client& client;
    explicit Closing(Client& one) : client(one) {}
    void on_up(Link&) {
      CHECK(client.poll(*this).error() == Errc::busy);
      ++ups;
      client.close();
    }
  } closing(client);
  REQUIRE(pump_until(server, handled, client, closing, [&] { return closing.ups == 1; }));
  CHECK(client.poll(closing).error() == Errc::closed);
  CHECK(closing.downs == 0);

  auto another = Client::connect(name, token).value();
  another.stop();
  CHECK(another.run(closing));
}

TEMPLATE_TEST_CASE("what was not acknowledged is sent again to the next instance, in order",
                   "[reconnecting][redelivery]", STRAIT_TEST_TRANSPORTS) {
  using Link = JournalLink<TestType>;
  const auto name = unique_name("redeliver");
  const auto token = new_token();
  auto client = JournalClient<TestType>::connect(name, token).value();
  Events events;
  std::uint64_t next = 0;
  for (; next != 10; ++next) REQUIRE(client.send(Entry{next}));
  CHECK(client.unacknowledged() == 10);
  std::uint64_t acknowledged = 0;
  for (int instance = 0; instance != 5; ++instance) {
    auto sessions = new_sessions();
    auto server = strait::Acceptor<Link>::listen(name, token).value();
    Handled<Link> handled;
    auto listener = strait::acknowledging(
        server, sessions, [&](Link& from, const auto& message) { handled(from, message); });
    // It goes in the middle, with acknowledgements that were not read.
    REQUIRE(pump_until(server, listener, client, events, [&] {
      // Not more than this instance may see, however long they take.
      const bool more = next < static_cast<std::uint64_t>(80 * (instance + 1));
      if (client.channel() != nullptr && more) REQUIRE(client.send(Entry{next++}));
      return handled.entries.size() >= 20;
    }));
    // From the first one that no instance has acknowledged.
    CHECK(handled.entries[0] == acknowledged);
    CHECK(in_order_from(handled.entries, acknowledged));
    if (instance == 4) {
      REQUIRE(pump_until(server, listener, client, events,
                         [&] { return client.unacknowledged() == 0; }));
      CHECK(handled.entries.back() == next - 1);
      CHECK(in_order_from(handled.entries, acknowledged));
    }
    server.close();
    // What has come of acknowledgements is heard.
    REQUIRE(poll_until(client, events, [&] { return events.downs == instance + 1; }));
    acknowledged = next - client.unacknowledged();
  }
  CHECK(events.unknown == 0);
}

TEMPLATE_TEST_CASE("an instance that throws its client out handles nothing twice, and all",
                   "[reconnecting][redelivery]", STRAIT_TEST_TRANSPORTS) {
  using Link = JournalLink<TestType>;
  const auto name = unique_name("thrown-out");
  const auto token = new_token();
  auto sessions = new_sessions();
  auto server = strait::Acceptor<Link>::listen(name, token).value();
  auto client = JournalClient<TestType>::connect(name, token).value();
  Events events;
  Handled<Link> handled;
  std::mt19937 random(20'261'128);
  auto listener = strait::acknowledging(server, sessions, [&](Link& from, const auto& message) {
    handled(from, message);
    if (random() % 10 == 0) from.close();
  });
  std::uint64_t next = 0;
  REQUIRE(pump_until(server, listener, client, events, [&] {
    for (int i = 0; i != 5 && next != 500; ++i) REQUIRE(client.send(Entry{next++}));
    return handled.entries.size() >= 500 && client.unacknowledged() == 0;
  }));
  CHECK(handled.entries.size() == 500);
  CHECK(in_order_from(handled.entries, 0));
  CHECK(events.ups > 10);
  CHECK(events.unknown == 0);
}

TEST_CASE("a server that frees its name and claims it anew is the same instance",
          "[reconnecting][redelivery]") {
  using Link = JournalLink<Mach>;
  const auto name = unique_name("reload");
  const auto token = new_token();
  auto sessions = new_sessions();
  auto client = JournalClient<Mach>::connect(name, token).value();
  Events events;
  Handled<Link> handled;
  std::uint64_t next = 0;
  for (int round = 0; round != 20; ++round) {
    auto server = strait::Acceptor<Link>::listen(name, token).value();
    auto listener = strait::acknowledging(server, sessions, std::ref(handled));
    REQUIRE(pump_until(server, listener, client, events, [&] {
      for (int i = 0; i != 3; ++i) REQUIRE(client.send(Entry{next++}));
      return handled.entries.size() >= 10 * static_cast<std::size_t>(round + 1);
    }));
    server.close();
  }
  CHECK(in_order_from(handled.entries, 0));
}

TEMPLATE_TEST_CASE("a channel with one client acknowledges, too", "[reconnecting][redelivery]",
                   Mach, Pipe) {
  using Link = JournalLink<TestType>;
  const auto name = unique_name("one");
  const auto token = new_token();
  auto sessions = new_sessions();
  auto client = JournalClient<TestType>::connect(name, token).value();
  Events events;
  std::vector<std::uint64_t> entries;
  std::vector<std::uint32_t> notes;
  const strait::overloaded handlers{[&](const Entry& entry) { entries.push_back(entry.number); },
                                    [&](const Note& note) { notes.push_back(note.text); }};
  for (std::uint64_t round = 0; round != 3; ++round) {
    // In one place, as a program's variable would be.
    std::optional<Link> link(Link::listen(name, token).value());
    auto listener = strait::acknowledging(*link, sessions, handlers);
    REQUIRE(client.send(Entry{2 * round}));
    REQUIRE(pump_until(*link, listener, client, events,
                       [&] { return events.ups == static_cast<int>(round) + 1; }));
    // Beside what is numbered, in order.
    REQUIRE(client.send(Entry{2 * round + 1}));
    REQUIRE(client.channel()->send(Note{static_cast<std::uint32_t>(round)}));
    REQUIRE(pump_until(*link, listener, client, events,
                       [&] { return client.unacknowledged() == 0 && notes.size() == round + 1; }));
    CHECK(entries.size() == 2 * round + 2);
  }
  CHECK(in_order_from(entries, 0));
}

TEST_CASE("what is kept is bounded, and said to be full, and all of it arrives",
          "[reconnecting][redelivery]") {
  using Link = JournalLink<Socket>;
  const auto name = unique_name("bound");
  const auto token = new_token();
  auto client = JournalClient<Socket, 1000>::connect(name, token).value();
  Events events;
  std::uint64_t next = 0;
  std::error_code why;
  while (!why) {
    const auto sent = client.send(Entry{next});
    sent ? static_cast<void>(++next) : static_cast<void>(why = sent.error());
    REQUIRE(next < 1000);
  }
  CHECK(why == Errc::queue_full);
  CHECK(next == 1000 / (8 + sizeof(Entry) + 8));
  auto sessions = new_sessions();
  auto server = strait::Acceptor<Link>::listen(name, token).value();
  Handled<Link> handled;
  auto listener = strait::acknowledging(server, sessions, std::ref(handled));
  REQUIRE(
      pump_until(server, listener, client, events, [&] { return client.unacknowledged() == 0; }));
  CHECK(handled.entries.size() == next);
  CHECK(in_order_from(handled.entries, 0));
  CHECK(client.send(Entry{next}));
}

TEST_CASE("a client that an instance has forgotten is told, and repeats nothing",
          "[reconnecting][redelivery]") {
  using Link = JournalLink<Socket>;
  const auto name = unique_name("forgotten");
  const auto token = new_token();
  auto sessions = new_sessions(1);
  auto server = strait::Acceptor<Link>::listen(name, token).value();
  auto first = JournalClient<Socket>::connect(name, token).value();
  auto second = JournalClient<Socket>::connect(name, token).value();
  Events events, others;
  Handled<Link> handled;
  bool throws_out = false;
  auto listener = strait::acknowledging(server, sessions, [&](Link& from, const auto& message) {
    handled(from, message);
    if (throws_out) from.close();
  });
  REQUIRE(first.send(Entry{0}));
  REQUIRE(pump_until(server, listener, first, events, [&] { return first.unacknowledged() == 0; }));
  throws_out = true;
  for (std::uint64_t i = 1; i != 4; ++i) REQUIRE(first.send(Entry{i}));
  REQUIRE(repeat_until([&] {
    REQUIRE(server.poll(listener));
    return server.size() == 0;
  }));
  throws_out = false;
  CHECK(handled.entries.size() == 2);
  // Another one takes its place.
  REQUIRE(second.send(Entry{100}));
  REQUIRE(
      pump_until(server, listener, second, others, [&] { return second.unacknowledged() == 0; }));
  REQUIRE(pump_until(server, listener, first, events, [&] { return events.ups == 2; }));
  CHECK(events.unknown == 3);
  CHECK(first.unacknowledged() == 0);
  REQUIRE(first.send(Entry{4}));
  REQUIRE(pump_until(server, listener, first, events, [&] { return first.unacknowledged() == 0; }));
  CHECK(handled.entries == std::vector<std::uint64_t>{0, 1, 100, 4});
}

namespace {

using strait::detail::ControlFrame;
using strait::detail::EncodedFrame;
using strait::detail::FrameKind;
using strait::detail::SessionHello;

/// A server that says what it likes.
struct Liar {
  using Link = JournalLink<Socket>;
  std::string name = unique_name("liar");
  strait::Token token = new_token();
  Link link = Link::listen(name, token).value();
  JournalClient<Socket> client = JournalClient<Socket>::connect(name, token).value();
  Events events;

  /// Takes the client's frames.
  struct Ears {
    static constexpr bool takes_frames = true;
    std::size_t hellos = 0;
    std::size_t numbered = 0;
    void operator()(strait::detail::IncomingFrame in) {
      ++(in.trailer.kind == FrameKind::hello ? hellos : numbered);
      in.result = {};
    }
    void operator()(const Entry&) {}
  } ears;

  bool has_met() {
    return pump_until(link, ears, client, events, [&] { return ears.hellos == 1; });
  }
  void say(const ControlFrame& frame) { REQUIRE(link.send(frame.frame())); }
  bool is_malformed() {
    const std::error_code why = poll_until_error(client, events);
    return why == Errc::malformed && client.poll(events).error() == Errc::malformed &&
           client.send(Entry{1}).error() == Errc::malformed;
  }
};

constexpr std::uint64_t instance = 77;

template <class Link>
struct ReconnectingEnds {
  Handled<Link>& handled;
  std::vector<std::error_code>& ends;
  void operator()(Link& from, const auto& message) { handled(from, message); }
  void on_closed(Link&, std::error_code why) { ends.push_back(why); }
};

}  // namespace

TEST_CASE("a server that acknowledges what was never sent is malformed, for good",
          "[reconnecting][redelivery][hostile]") {
  Liar liar;
  for (std::uint64_t i = 0; i != 3; ++i) REQUIRE(liar.client.send(Entry{i}));
  REQUIRE(liar.has_met());
  SECTION("in its welcome") {
    liar.say(ControlFrame(FrameKind::welcome, 1, instance));
    CHECK(liar.is_malformed());
    CHECK(liar.events.ups == 0);
  }
  SECTION("before its welcome") {
    liar.say(ControlFrame(FrameKind::acknowledgement, 1));
    CHECK(liar.is_malformed());
  }
  SECTION("to a client that it never knew") {
    liar.say(ControlFrame(FrameKind::forgotten, 0, instance));
    CHECK(liar.is_malformed());
  }
  SECTION("without being an instance") {
    liar.say(ControlFrame(FrameKind::welcome, 0, std::uint64_t{0}));
    CHECK(liar.is_malformed());
  }
  SECTION("with a welcome that is none") {
    liar.say(ControlFrame(FrameKind::welcome, 0));
    CHECK(liar.is_malformed());
  }
  SECTION("afterwards") {
    liar.say(ControlFrame(FrameKind::welcome, 0, instance));
    REQUIRE(pump_until(liar.link, liar.ears, liar.client, liar.events,
                       [&] { return liar.ears.numbered == 3; }));
    CHECK(liar.client.unacknowledged() == 3);
    SECTION("beyond the last") { liar.say(ControlFrame(FrameKind::acknowledgement, 4)); }
    SECTION("far beyond") {
      liar.say(ControlFrame(FrameKind::acknowledgement, strait::detail::max_message_number));
    }
    SECTION("before the first") { liar.say(ControlFrame(FrameKind::acknowledgement, 0)); }
    SECTION("twice") {
      liar.say(ControlFrame(FrameKind::acknowledgement, 2));
      liar.say(ControlFrame(FrameKind::acknowledgement, 2));
    }
    SECTION("with something behind it") {
      liar.say(ControlFrame(FrameKind::acknowledgement, 1, instance));
    }
    SECTION("and welcomes again") { liar.say(ControlFrame(FrameKind::welcome, 0, instance)); }
    SECTION("and says what clients say") { liar.say(ControlFrame(FrameKind::hello, 1)); }
    SECTION("and numbers its own") { liar.say(ControlFrame(FrameKind::numbered, 1)); }
    SECTION("and has no such kind") {
      const std::array<std::byte, 8> trailer{std::byte{9}, std::byte{1}};
      REQUIRE(liar.link.send(EncodedFrame{0, trailer}));
    }
    SECTION("and has no trailer") {
      const std::array<std::byte, 4> bytes{};
      REQUIRE(liar.link.send(EncodedFrame{0, bytes}));
    }
    CHECK(liar.is_malformed());
    CHECK(liar.events.downs == 1);
    CHECK(liar.events.why == Errc::malformed);
  }
}

TEST_CASE("a client that breaks the rules of numbers is malformed, and closed alone",
          "[reconnecting][redelivery][hostile]") {
  using Link = JournalLink<Socket>;
  const auto name = unique_name("rogue");
  const auto token = new_token();
  auto sessions = new_sessions();
  auto server = strait::Acceptor<Link>::listen(name, token).value();
  auto honest = JournalClient<Socket>::connect(name, token).value();
  Events events;
  Handled<Link> handled;
  std::vector<std::error_code> ends;
  auto listener = strait::acknowledging(server, sessions, ReconnectingEnds<Link>{handled, ends});
  REQUIRE(pump_until(server, listener, honest, events, [&] { return events.ups == 1; }));

  auto rogue = Link::connect(name, token).value();
  const auto say = [&](FrameKind kind, std::uint64_t number, const auto&... content) {
    REQUIRE(rogue.send(ControlFrame(kind, number, content...).frame()));
  };
  const auto entry = [&](std::uint64_t number) { say(FrameKind::numbered, number, Entry{number}); };
  const SessionHello mine{5, 0, 0};
  std::size_t expected = 0;
  SECTION("numbered before hello") { entry(1); }
  SECTION("an empty hello") { say(FrameKind::hello, 1); }
  SECTION("a hello of no session") { say(FrameKind::hello, 1, SessionHello{}); }
  SECTION("a hello that begins with 0") { say(FrameKind::hello, 0, mine); }
  SECTION("a hello with too large a number") {
    say(FrameKind::hello, 1, SessionHello{5, 0, UINT64_MAX});
  }
  SECTION("two hellos") {
    say(FrameKind::hello, 1, mine);
    say(FrameKind::hello, 1, mine);
  }
  SECTION("a gap") {
    say(FrameKind::hello, 1, mine);
    entry(1);
    entry(3);
    expected = 1;
  }
  SECTION("number 0") {
    say(FrameKind::hello, 1, mine);
    entry(0);
  }
  SECTION("the largest numbers") {
    say(FrameKind::hello, strait::detail::max_message_number, mine);
    entry(1);
    entry(strait::detail::max_message_number);
    entry(strait::detail::max_message_number);
    say(FrameKind::acknowledgement, 1);
    expected = 1;
  }
  SECTION("a message that is none") {
    say(FrameKind::hello, 1, mine);
    say(FrameKind::numbered, 1, std::uint32_t{1});
  }
  SECTION("what servers say") { say(FrameKind::welcome, 1, instance); }
  std::vector<std::uint32_t> notes;
  const auto deaf = [](const auto&) {};
  static_cast<void>(pump_until(server, listener, rogue, deaf, [&] { return ends.size() == 1; }));
  REQUIRE(ends.size() == 1);
  CHECK(ends[0] == Errc::malformed);
  CHECK(handled.entries.size() == expected);
  REQUIRE(honest.send(Entry{1000}));
  REQUIRE(
      pump_until(server, listener, honest, events, [&] { return honest.unacknowledged() == 0; }));
  CHECK(handled.entries.back() == 1000);
}

namespace {

/// What a client is told that numbers by hand.
struct Told {
  static constexpr bool takes_frames = true;
  std::vector<std::uint64_t> welcomes{};
  std::vector<std::uint64_t> acknowledged{};
  void operator()(strait::detail::IncomingFrame in) {
    (in.trailer.kind == FrameKind::welcome ? welcomes : acknowledged).push_back(in.trailer.number);
    in.result = {};
  }
  void operator()(const Entry&) {}
};

}  // namespace

TEST_CASE("what comes over two connections of one client is handled once, in order",
          "[reconnecting][redelivery]") {
  using Link = JournalLink<Socket>;
  const auto name = unique_name("twice");
  const auto token = new_token();
  auto sessions = new_sessions();
  auto server = strait::Acceptor<Link>::listen(name, token).value();
  Handled<Link> handled;
  auto listener = strait::acknowledging(server, sessions, std::ref(handled));
  // The server has not seen yet that the client has left the first.
  auto first = Link::connect(name, token).value();
  auto second = Link::connect(name, token).value();
  Told by_first, by_second;
  const auto say = [](Link& link, FrameKind kind, std::uint64_t number, const auto& content) {
    REQUIRE(link.send(ControlFrame(kind, number, content).frame()));
  };
  const auto entry = [&](Link& link, std::uint64_t number) {
    say(link, FrameKind::numbered, number, Entry{number});
  };
  const SessionHello hello{5, 0, 0};
  say(first, FrameKind::hello, 1, hello);
  entry(first, 1);
  REQUIRE(pump_until(server, listener, first, by_first,
                     [&] { return by_first.acknowledged.size() == 1; }));
  say(second, FrameKind::hello, 1, hello);
  REQUIRE(pump_until(server, listener, second, by_second,
                     [&] { return by_second.welcomes.size() == 1; }));
  CHECK(by_second.welcomes[0] == 1);
  entry(first, 2);
  entry(first, 3);
  REQUIRE(pump_until(server, listener, first, by_first,
                     [&] { return by_first.acknowledged.size() == 3; }));
  for (std::uint64_t number = 2; number != 5; ++number) entry(second, number);
  REQUIRE(pump_until(server, listener, second, by_second,
                     [&] { return by_second.acknowledged.size() == 3; }));
  entry(first, 4);
  REQUIRE(pump_until(server, listener, first, by_first,
                     [&] { return by_first.acknowledged.size() == 4; }));
  CHECK(handled.entries == std::vector<std::uint64_t>{1, 2, 3, 4});
  CHECK(by_second.acknowledged == std::vector<std::uint64_t>{2, 3, 4});
}
