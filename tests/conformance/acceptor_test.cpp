// One name and many clients: who is let in, who hears what, and who does not notice.

#include "strait/acceptor.hpp"

#include <algorithm>
#include <map>
#include <memory>

#include "conformance/channels.hpp"
#include "conformance/transports.hpp"
#include "strait/overloaded.hpp"
#include "strait/rights/shared_memory.hpp"
#include "strait/serializers/trivial.hpp"
#include "support/descriptor_limit.hpp"
#include "support/readable.hpp"
#include "support/refusals.hpp"

using namespace strait_test;

namespace {

template <class T>
using ManyLink = RawLink<T, strait::ChannelOptions{}, SharedRefusals>;

/// Sends back what it gets and keeps account of who is there.
template <class Link>
struct Echo {
  std::map<Link*, int> heard{};
  std::vector<std::error_code> closed{};

  void on_connected(Link& client) { heard[&client] = 0; }
  void operator()(Link& client, View bytes) {
    ++heard.at(&client);
    static_cast<void>(client.send(bytes));  // who has left already hears nothing
  }
  void on_closed(Link& client, std::error_code why) {
    CHECK(heard.erase(&client) == 1);
    closed.push_back(why);
  }
};

/// A server, its name and its clients, all polled in turns.
template <class T, strait::AcceptorOptions options = strait::AcceptorOptions{}>
struct Hall {
  using Link = ManyLink<T>;
  using Client = RawLink<T>;

  const strait::Token token = new_token();
  const std::string name = unique_name("hall");
  SharedRefusals refusals{};
  strait::Acceptor<Link, options> server =
      strait::Acceptor<Link, options>::listen(name, token, refusals).value();
  Echo<Link> at_server{};
  // In places of their own: a listener keeps a reference.
  std::vector<std::unique_ptr<Client>> clients{};
  std::vector<Inbox> inboxes{};

  Client& join(const strait::Token& with) {
    clients.push_back(std::make_unique<Client>(Client::connect(name, with).value()));
    inboxes.emplace_back();
    return *clients.back();
  }
  Client& join() { return join(token); }

  template <class Done>
  bool pump_until(Done done) {
    for (const auto end = Clock::now() + long_enough; Clock::now() < end;) {
      if (done()) return true;
      REQUIRE(server.poll(at_server));
      for (std::size_t i = 0; i != clients.size(); ++i) {
        static_cast<void>(clients[i]->poll(inboxes[i]));
      }
    }
    return done();
  }
  bool join_all(std::size_t count) {
    for (std::size_t i = 0; i != count; ++i) join();
    return pump_until([&] {
      return server.size() == clients.size() &&
             std::all_of(inboxes.begin(), inboxes.end(),
                         [](const Inbox& inbox) { return inbox.connected == 1; });
    });
  }
};

}  // namespace

TEMPLATE_TEST_CASE("each of many clients talks to the server by itself", "[acceptor]",
                   STRAIT_TEST_TRANSPORTS) {
  Hall<TestType> hall;
  REQUIRE(hall.join_all(20));
  CHECK(hall.at_server.heard.size() == 20);
  for (int round = 0; round != 5; ++round) {
    for (std::size_t i = 0; i != hall.clients.size(); ++i) {
      REQUIRE(hall.clients[i]->send(pattern(i, i)));
    }
  }
  REQUIRE(hall.pump_until([&] {
    return std::all_of(hall.inboxes.begin(), hall.inboxes.end(),
                       [](const Inbox& inbox) { return inbox.messages.size() == 5; });
  }));
  for (std::size_t i = 0; i != hall.inboxes.size(); ++i) {
    CHECK(same_bytes(hall.inboxes[i].messages[4], pattern(i, i)));
  }
  for (const auto& [client, heard] : hall.at_server.heard) CHECK(heard == 5);
  CHECK(hall.refusals.log->why.empty());
}

TEMPLATE_TEST_CASE("a client that leaves is told of once, after all that it said", "[acceptor]",
                   STRAIT_TEST_TRANSPORTS) {
  Hall<TestType> hall;
  REQUIRE(hall.join_all(3));
  REQUIRE(hall.clients[1]->send(pattern(9)));
  REQUIRE(hall.clients[1]->flush(long_enough));
  hall.clients[1]->close();
  REQUIRE(hall.pump_until([&] { return hall.server.size() == 2; }));
  CHECK(hall.at_server.closed == std::vector{make_error_code(Errc::peer_closed)});
  CHECK(hall.at_server.heard.size() == 2);
  REQUIRE(hall.clients[2]->send(pattern(1)));
  CHECK(hall.pump_until([&] { return hall.inboxes[2].messages.size() == 1; }));
}

TEMPLATE_TEST_CASE("a wrong token among right ones is told so and takes no place", "[acceptor]",
                   STRAIT_TEST_TRANSPORTS) {
  Hall<TestType, strait::AcceptorOptions{.max_clients = 2}> hall;
  auto& wrong = hall.join(new_token());
  std::error_code told;
  Inbox inbox;
  REQUIRE(hall.pump_until([&] {
    told = wrong.poll(inbox).error();
    return static_cast<bool>(told);
  }));
  CHECK(told == Errc::bad_token);
  CHECK(hall.refusals.log->why == std::vector{make_error_code(Errc::bad_token)});
  hall.clients.clear();
  hall.inboxes.clear();
  CHECK(hall.join_all(2));
}

TEMPLATE_TEST_CASE("one client too many is refused until another one leaves", "[acceptor]",
                   STRAIT_TEST_TRANSPORTS) {
  const auto run = [](auto& hall) {
    REQUIRE(hall.join_all(2));
    auto& third = hall.join();
    std::error_code told;
    Inbox inbox;
    REQUIRE(hall.pump_until([&] {
      told = third.poll(inbox).error();
      return static_cast<bool>(told);
    }));
    CHECK(told == Errc::refused);
    CHECK(hall.refusals.log->why == std::vector{make_error_code(Errc::refused)});
    hall.clients.pop_back();
    hall.inboxes.pop_back();
    hall.clients.front()->close();
    REQUIRE(hall.pump_until([&] { return hall.server.size() == 1; }));
    hall.clients.erase(hall.clients.begin());
    hall.inboxes.erase(hall.inboxes.begin());
    CHECK(hall.join_all(1));
  };
  SECTION("in all") {
    Hall<TestType, strait::AcceptorOptions{.max_clients = 2}> hall;
    run(hall);
  }
  SECTION("of one user") {
    Hall<TestType, strait::AcceptorOptions{.max_clients_per_user = 2}> hall;
    run(hall);
  }
}

TEMPLATE_TEST_CASE("one descriptor tells of newcomers, messages and ends", "[acceptor]",
                   STRAIT_TEST_TRANSPORTS) {
  Hall<TestType> hall;
  const auto readable = [&] { return readable_within(hall.server.native_handle(), 5s); };
  /// Polls the server only when its descriptor says so.
  const auto serve_until = [&](auto done) {
    while (!done() && readable()) REQUIRE(hall.server.poll(hall.at_server));
    return done();
  };
  auto& client = hall.join();
  CHECK(serve_until([&] { return hall.server.size() == 1; }));
  REQUIRE(poll_until(client, hall.inboxes[0], [&] { return hall.inboxes[0].connected == 1; }));
  for (int i = 1; i != 4; ++i) {
    REQUIRE(client.send(pattern(3)));
    CHECK(serve_until([&] { return hall.at_server.heard.begin()->second == i; }));
  }
  // With nothing to do it is quiet.
  while (readable_within(hall.server.native_handle(), 0ms)) {
    REQUIRE(hall.server.poll(hall.at_server).value() == 0);
  }
  client.close();
  CHECK(serve_until([&] { return hall.server.size() == 0; }));
}

TEMPLATE_TEST_CASE("a listener may send to, close and count the other clients", "[acceptor]",
                   STRAIT_TEST_TRANSPORTS) {
  Hall<TestType> hall;
  using Link = typename Hall<TestType>::Link;
  REQUIRE(hall.join_all(3));
  std::vector<std::error_code> closed;
  struct Listener {
    Hall<TestType>& hall;
    std::vector<std::error_code>& closed;
    void operator()(Link& from, View bytes) {
      CHECK(hall.server.poll(hall.at_server).error() == Errc::busy);
      hall.server.for_each([&](Link& client) {
        if (&client != &from) CHECK(client.send(bytes));
      });
      int rank = 0;
      hall.server.for_each([&](Link& client) {
        if (&client != &from && rank++ == 0) {
          CHECK(client.flush(long_enough));
          client.close();
        }
      });
    }
    void on_closed(Link&, std::error_code why) { closed.push_back(why); }
  } listener{hall, closed};
  REQUIRE(hall.clients[0]->send(pattern(8)));
  for (const auto end = Clock::now() + long_enough; Clock::now() < end && closed.empty();) {
    REQUIRE(hall.server.wait(listener, 100ms));
  }
  CHECK(closed == std::vector{make_error_code(Errc::closed)});
  CHECK(hall.server.size() == 2);
  CHECK(hall.pump_until([&] {
    return hall.inboxes[1].messages.size() == 1 && hall.inboxes[2].messages.size() == 1;
  }));
}

TEMPLATE_TEST_CASE("a client's id is never another client's", "[acceptor]",
                   STRAIT_TEST_TRANSPORTS) {
  Hall<TestType> hall;
  REQUIRE(hall.join_all(2));
  std::vector<strait::ClientId> ids;
  hall.server.for_each([&](auto& client) { ids.push_back(hall.server.id(client)); });
  REQUIRE(ids.size() == 2);
  CHECK(ids[0] != ids[1]);
  hall.server.for_each(
      [&](auto& client) { CHECK(hall.server.find(hall.server.id(client)) == &client); });

  struct Closed {
    strait::Acceptor<ManyLink<TestType>>& server;
    std::vector<strait::ClientId> ids{};
    void operator()(ManyLink<TestType>&, View) {}
    void on_closed(ManyLink<TestType>& client, std::error_code) {
      ids.push_back(server.id(client));
    }
  };
  Closed closed{hall.server};
  hall.clients.clear();
  hall.inboxes.clear();
  for (const auto end = Clock::now() + long_enough;
       hall.server.size() != 0 && Clock::now() < end;) {
    REQUIRE(hall.server.wait(closed, 10ms));
  }
  std::sort(ids.begin(), ids.end());
  std::sort(closed.ids.begin(), closed.ids.end());
  CHECK(closed.ids == ids);
  REQUIRE(hall.join_all(1));
  for (const auto id : ids) CHECK(hall.server.find(id) == nullptr);
  hall.server.for_each([&](auto& client) {
    CHECK(std::find(ids.begin(), ids.end(), hall.server.id(client)) == ids.end());
  });
}

TEMPLATE_TEST_CASE("what is sent to all reaches each, and one that can't take it is not counted",
                   "[acceptor]", STRAIT_TEST_TRANSPORTS) {
  Hall<TestType> hall;
  REQUIRE(hall.join_all(3));
  const Bytes news = pattern(100, 7);
  CHECK(hall.server.send_all(View(news)) == 3);
  REQUIRE(hall.pump_until([&] {
    return std::all_of(hall.inboxes.begin(), hall.inboxes.end(), [&](const Inbox& inbox) {
      return inbox.messages == std::vector<Bytes>{news};
    });
  }));
  bool first = true;
  hall.server.for_each([&](auto& client) {
    if (std::exchange(first, false)) client.close();
  });
  CHECK(hall.server.send_all(View(news)) == 2);
}

TEMPLATE_TEST_CASE("a client is handed over with what it had said", "[acceptor]",
                   STRAIT_TEST_TRANSPORTS) {
  Hall<TestType> hall;
  Hall<TestType> other;
  REQUIRE(hall.join_all(1));
  strait::ClientId id{};
  hall.server.for_each([&](auto& client) { id = hall.server.id(client); });
  const Bytes said = pattern(50, 1);
  REQUIRE(hall.clients[0]->send(View(said)));
  auto released = hall.server.release(id);
  REQUIRE(released);
  CHECK(hall.server.size() == 0);
  CHECK(hall.server.release(id).error() == Errc::peer_closed);
  const auto adopted = other.server.adopt(std::move(*released));
  REQUIRE(adopted);
  std::vector<Bytes> heard;
  const auto listener = [&](ManyLink<TestType>& client, View bytes) {
    CHECK(other.server.id(client) == *adopted);
    CHECK(other.server.release(*adopted).error() == Errc::busy);
    heard.emplace_back(bytes.begin(), bytes.end());
    CHECK(client.send(bytes));
  };
  for (const auto end = Clock::now() + long_enough; heard.empty() && Clock::now() < end;) {
    REQUIRE(other.server.wait(listener, 10ms));
  }
  CHECK(heard == std::vector<Bytes>{said});
  CHECK(hall.pump_until([&] { return hall.inboxes[0].messages == std::vector<Bytes>{said}; }));
}

TEMPLATE_TEST_CASE("run serves until it is told to stop, or closes", "[acceptor]",
                   STRAIT_TEST_TRANSPORTS) {
  Hall<TestType> hall;
  using Link = typename Hall<TestType>::Link;
  REQUIRE(hall.join_all(2));
  REQUIRE(hall.clients[0]->send(pattern(1)));
  REQUIRE(hall.server.run([&](Link&, View) { hall.server.stop(); }));
  CHECK(hall.server.size() == 2);
  REQUIRE(hall.clients[1]->send(pattern(1)));
  REQUIRE(hall.server.run([&](Link&, View) { hall.server.close(); }));
  CHECK(hall.server.size() == 0);
  CHECK(hall.server.poll(hall.at_server).error() == Errc::closed);
  CHECK(poll_until_error(*hall.clients[0], hall.inboxes[0]) == Errc::peer_closed);
  // The name is free.
  CHECK(strait::Acceptor<Link>::listen(hall.name, hall.token));
}

TEMPLATE_TEST_CASE("an acceptor that moves takes its clients along", "[acceptor]",
                   STRAIT_TEST_TRANSPORTS) {
  Hall<TestType> hall;
  using Link = typename Hall<TestType>::Link;
  REQUIRE(hall.join_all(1));
  strait::Acceptor<Link> moved = std::move(hall.server);
  CHECK(hall.server.poll(hall.at_server).error() == Errc::closed);
  CHECK(moved.size() == 1);
  REQUIRE(hall.clients[0]->send(pattern(1)));
  CHECK(moved.wait(hall.at_server, long_enough).value() == 1);
  hall.server = std::move(moved);
  CHECK(hall.pump_until([&] { return hall.inboxes[0].messages.size() == 1; }));
}

#if STRAIT_TEST_LIMITS_DESCRIPTORS
TEMPLATE_TEST_CASE("without a descriptor to spare who is there is served and others wait",
                   "[acceptor][no-asan]", Mach, Pipe) {
  Hall<TestType> hall;
  REQUIRE(hall.join_all(3));
  // Never polled while there are none, as it is in the same process.
  auto late = RawLink<TestType>::connect(hall.name, hall.token).value();
  {
    const NoMoreDescriptors exhausted(GENERATE(0, 1, 2, 3, 4, 5));
    for (int i = 0; i != 50; ++i) {
      for (std::size_t c = 0; c != 3; ++c) REQUIRE(hall.clients[c]->send(pattern(c)));
      REQUIRE(hall.pump_until([&] {
        return std::all_of(hall.inboxes.begin(), hall.inboxes.end(), [&](const Inbox& inbox) {
          return inbox.messages.size() == static_cast<std::size_t>(i + 1);
        });
      }));
    }
    int heard = 0;
    for (const auto& [client, count] : hall.at_server.heard) heard += count;
    CHECK(heard == 3 * 50);
    CHECK(hall.at_server.closed.empty());
    // It does not spin: once it has seen that it can't, it sleeps.
    int polls = 0;
    for (const auto end = Clock::now() + 50ms; Clock::now() < end; ++polls) {
      if (!readable_within(hall.server.native_handle(), 50ms)) break;
      REQUIRE(hall.server.poll(hall.at_server));
    }
    CHECK(polls < 10);
  }
  // The one that waited gets in, or was turned away and comes again.
  Inbox inbox;
  std::error_code told;
  REQUIRE(hall.pump_until([&] {
    told = late.poll(inbox).error();
    return static_cast<bool>(told) || inbox.connected == 1;
  }));
  if (told) {
    CHECK(told == Errc::refused);
    CHECK(hall.join_all(1));
  }
}
#endif

TEST_CASE("a client that sends what the listener has no callable for is closed alone",
          "[acceptor]") {
  struct Ping {
    std::uint32_t id;
  };
  struct Pong {
    std::uint32_t id;
  };
  using Link = strait::Channel<Mach, strait::TrivialSerializer<Ping, Pong>>;
  const auto token = new_token();
  const auto name = unique_name();
  auto server = strait::Acceptor<Link>::listen(name, token).value();
  auto good = Link::connect(name, token).value();
  auto bad = Link::connect(name, token).value();
  std::vector<std::error_code> closed;
  struct Listener {
    std::vector<std::error_code>& closed;
    void operator()(Link& client, const Ping& ping) { CHECK(client.send(Pong{ping.id})); }
    void on_closed(Link&, std::error_code why) { closed.push_back(why); }
  } listener{closed};
  REQUIRE(good.send(Ping{1}));
  REQUIRE(bad.send(Pong{2}));
  std::uint32_t ponged = 0;
  const auto on_pong = [&](const Pong& pong) { ponged = pong.id; };
  for (const auto end = Clock::now() + long_enough;
       Clock::now() < end && (closed.empty() || ponged == 0);) {
    REQUIRE(server.poll(listener));
    static_cast<void>(good.poll(on_pong));
    static_cast<void>(bad.poll(on_pong));
  }
  CHECK(ponged == 1);
  CHECK(closed == std::vector{make_error_code(Errc::unexpected_message)});
  CHECK(server.size() == 1);
  CHECK(poll_until_error(bad, on_pong) == Errc::peer_closed);
}

namespace {

struct Item {
  std::uint32_t id;
};
struct Other {
  std::uint32_t id;
};
template <class T>
using ItemLink = strait::Channel<T, strait::TrivialSerializer<Item, Other>>;

/// A server of one client that has sent an `Item` with two rights, an `Item` alone, an `Other`, and
/// an `Item` with one right.
/// A multiple of what any system rounds the size of memory up to.
constexpr std::size_t unit = 64 << 10;

template <class Link>
struct RightsHall {
  const strait::Token token = new_token();
  const std::string name = unique_name("rights-hall");
  strait::Acceptor<Link> server = strait::Acceptor<Link>::listen(name, token).value();
  Link client = Link::connect(name, token).value();

  RightsHall() {
    const auto send = [&](std::uint32_t id, int count) {
      strait::Rights rights;
      for (int i = 0; i != count; ++i) {
        REQUIRE(rights.add(strait::SharedMemory::create(10 * unit * id).value()));
      }
      REQUIRE(client.send(Item{id}, std::move(rights)));
    };
    send(1, 2);
    REQUIRE(client.send(Item{2}));
    REQUIRE(client.send(Other{3}));
    send(4, 1);
  }

  template <class Listener>
  bool serve(Listener&& listener, const std::vector<std::string>& heard) {
    const auto ignore = [](const auto&) {};
    for (const auto end = Clock::now() + long_enough; Clock::now() < end;) {
      if (heard.size() >= 4) return true;
      REQUIRE(server.poll(listener));
      static_cast<void>(client.poll(ignore));
    }
    return false;
  }
};

std::string told(const char* what, std::uint32_t id, strait::Rights& rights) {
  std::string line = what + std::to_string(id);
  while (!rights.empty()) {
    const auto memory = rights.template take<strait::SharedMemory>().value();
    line += " " + std::to_string(memory.size_bytes() / unit);
  }
  return line;
}

}  // namespace

TEMPLATE_TEST_CASE("an acceptor's listener gets the rights that came with a message",
                   "[acceptor][rights]", STRAIT_TEST_RIGHTS) {
  using Link = ItemLink<TestType>;
  RightsHall<Link> hall;
  std::vector<std::string> heard;
  SECTION("if it takes them") {
    const auto item = [&](Link&, const Item& message, strait::Rights rights) {
      heard.push_back(told("item ", message.id, rights));
    };
    const auto other = [&](Link&, const Other& message) {
      heard.push_back("other " + std::to_string(message.id));
    };
    REQUIRE(hall.serve(strait::overloaded{item, other}, heard));
    CHECK(heard == std::vector<std::string>{"item 1 10 10", "item 2", "other 3", "item 4 40"});
  }
  SECTION("also if it could do without") {
    const auto with = [&](Link&, const Item& message, strait::Rights rights) {
      heard.push_back(told("with ", message.id, rights));
    };
    const auto without = [&](Link&, const auto& message) {
      heard.push_back("without " + std::to_string(message.id));
    };
    REQUIRE(hall.serve(strait::overloaded{with, without}, heard));
    CHECK(heard == std::vector<std::string>{"with 1 10 10", "with 2", "without 3", "with 4 40"});
  }
  SECTION("if it is generic") {
    const auto any = [&](auto&, const auto& message, strait::Rights&& rights) {
      heard.push_back(told("any ", message.id, rights));
    };
    REQUIRE(hall.serve(any, heard));
    CHECK(heard == std::vector<std::string>{"any 1 10 10", "any 2", "any 3", "any 4 40"});
  }
  SECTION("with a buffer to keep") {
    std::vector<strait::OutOfLine<Item>> kept;
    const auto keep = [&](Link&, strait::OutOfLine<Item> item, strait::Rights rights) {
      heard.push_back(told("kept ", item->id, rights));
      kept.push_back(std::move(item));
    };
    const auto other = [&](Link&, const Other&) { heard.push_back("other"); };
    REQUIRE(hall.serve(strait::overloaded{keep, other}, heard));
    CHECK(heard == std::vector<std::string>{"kept 1 10 10", "kept 2", "other", "kept 4 40"});
    CHECK(kept.at(2)->id == 4);
  }
}

TEMPLATE_TEST_CASE("an acceptor's listener gets a buffer to keep if it takes one", "[acceptor]",
                   STRAIT_TEST_TRANSPORTS) {
  Hall<TestType> hall;
  REQUIRE(hall.join_all(1));
  REQUIRE(hall.clients[0]->send(pattern(100'000, 1)));
  REQUIRE(hall.clients[0]->send(pattern(10, 2)));
  std::vector<strait::OutOfLineBytes> kept;
  const auto keep = [&](ManyLink<TestType>&, strait::OutOfLineBytes bytes) {
    kept.push_back(std::move(bytes));
  };
  REQUIRE(repeat_until([&] {
    REQUIRE(hall.server.poll(keep));
    static_cast<void>(hall.clients[0]->poll(hall.inboxes[0]));
    return kept.size() == 2;
  }));
  CHECK(same_bytes(kept[0].bytes(), pattern(100'000, 1)));
  CHECK(same_bytes(kept[1].bytes(), pattern(10, 2)));
}

#if !STRAIT_HAS_WINDOWS  // where no such crowd gets in: 32 may connect before the server looks
TEMPLATE_TEST_CASE("a newcomer gets past a crowd that says nothing, though all who are in are busy",
                   "[acceptor][hostile]", STRAIT_TEST_MACH, Socket) {
  using Link = RawLink<TestType>;
  const auto token = new_token();
  const auto name = unique_name("crowd");
  auto server =
      strait::Acceptor<Link, strait::AcceptorOptions{.max_half_open = 8}>::listen(name, token)
          .value();
  auto busy = Link::connect(name, token).value();
  Inbox inbox;
  const auto deaf = [](auto&&...) {};
  REQUIRE(pump_until(server, deaf, busy, inbox, [&] { return inbox.connected == 1; }));
  // More than there is room for, before the newcomer.
  std::vector<typename TestType::Connector> silent;
  for (int i = 0; i != 300; ++i) silent.push_back(TestType::look_up(name).value());
  auto newcomer = Link::connect(name, token).value();
  int polls = 0;
  for (; newcomer.waiting_connect() && polls != 300; ++polls) {
    REQUIRE(busy.send(pattern(1)));
    // A whole turn is over with this one message, which some transports bring a little later.
    const auto busy_turn = [](Link&, View) {
      for (const auto end = Clock::now() + 6ms; Clock::now() < end;) {
      }
    };
    REQUIRE(server.wait(busy_turn, 100ms));
    REQUIRE(newcomer.poll(deaf));
  }
  CHECK(polls < 50);
}
#endif
