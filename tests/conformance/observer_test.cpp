// What an observer hears of a channel's life, over every transport.

#include "strait/observer.hpp"

#include <memory>
#include <optional>
#include <thread>

#include "conformance/channels.hpp"
#include "conformance/rights.hpp"
#include "conformance/transports.hpp"
#include "conformance/watched.hpp"
#include "strait/acceptor.hpp"
#include "strait/channel_proxy.hpp"
#include "strait/serializers/trivial.hpp"
#include "support/events.hpp"

using namespace strait_test;
using strait::EndedBy;

namespace {

struct NoteMessage {
  std::uint64_t number;
};
struct Wide {
#if STRAIT_HAS_CLEAR_PADDING
  char letter;
#else
  char letter;
  char unused[7] = {};
#endif
  std::uint64_t number;
};
struct Tall {
  std::array<std::uint64_t, 1024> words;
};
using Notes = strait::TrivialSerializer<NoteMessage, Wide, Tall>;

template <class T>
using ObservedLink = strait::Channel<T, Notes, strait::ChannelOptions{}, Events>;

const auto hears_nothing = [](const auto&) {};

/// Both ends and what their observers heard.
template <class T>
struct Observed {
  using Link = ObservedLink<T>;

  strait::Token token = new_token();
  std::string name = unique_name("observed");
  Events at_server{};
  Events at_client{};
  std::optional<Link> server = Link::listen(name, token, at_server).value();
  std::optional<Link> client = Link::connect(name, token, 0ms, at_client).value();

  bool connect() {
    return strait_test::pump_until(*server, hears_nothing, *client, hears_nothing, [&] {
      return !server->waiting_connect() && !client->waiting_connect();
    });
  }
};

template <class Log>
bool ended_once(const Log& log, Errc why, EndedBy by) {
  return log->ends.size() == 1 && log->ends[0].why == why && log->ends[0].by == by &&
         log->events.back() == "ended";
}

}  // namespace

TEMPLATE_TEST_CASE("an observer hears the name, the peer, and the end, each once", "[observer]",
                   STRAIT_TEST_TRANSPORTS) {
  Observed<TestType> pair;
  REQUIRE(pair.connect());
  for (const Events& end : {pair.at_server, pair.at_client}) {
    CHECK(end.log->events == std::vector<std::string>{"name " + pair.name, "connected"});
    REQUIRE(end.log->peers.size() == 1);
    CHECK(end.log->peers[0].credentials.uid == strait::os::own_credentials().uid);
    CHECK(end.log->clients.empty());
  }
  pair.client->close();
  pair.client->close();
  CHECK(ended_once(pair.at_client.log, Errc::closed, EndedBy::this_side));
  CHECK(poll_until_error(*pair.server, hears_nothing) == Errc::peer_closed);
  // This very process is the peer, and lives.
  CHECK(ended_once(pair.at_server.log, Errc::peer_closed, EndedBy::peer));
  pair.server.reset();
  pair.client.reset();
  CHECK(pair.at_client.log->ends.size() == 1);
  CHECK(pair.at_server.log->ends.size() == 1);
}

TEMPLATE_TEST_CASE("an observer hears the end of a channel that is destroyed or replaced",
                   "[observer]", STRAIT_TEST_TRANSPORTS) {
  Observed<TestType> pair;
  Observed<TestType> other;
  REQUIRE(pair.connect());
  REQUIRE(other.connect());
  {
    const auto moved = std::move(*pair.client);
    pair.client.reset();
    CHECK(pair.at_client.log->ends.empty());
  }
  CHECK(ended_once(pair.at_client.log, Errc::closed, EndedBy::this_side));
  *other.server = std::move(*pair.server);
  CHECK(ended_once(other.at_server.log, Errc::closed, EndedBy::this_side));
  CHECK(pair.at_server.log->ends.empty());
  CHECK(poll_until_error(*other.server, hears_nothing) == Errc::peer_closed);
  CHECK(ended_once(pair.at_server.log, Errc::peer_closed, EndedBy::peer));
}

TEMPLATE_TEST_CASE("an observer hears that there was no channel, and why", "[observer]",
                   STRAIT_TEST_TRANSPORTS) {
  using Link = ObservedLink<TestType>;
  const auto token = new_token();
  const auto name = unique_name("observed");
  const Events stranger;
  const Events second;
  const Events at_server;
  CHECK(Link::connect(name, token, 0ms, stranger).error() == Errc::not_found);
  CHECK(ended_once(stranger.log, Errc::not_found, EndedBy::this_side));
  auto server = Link::listen(name, token, at_server).value();
  CHECK(Link::listen(name, token, second).error() == Errc::name_taken);
  CHECK(ended_once(second.log, Errc::name_taken, EndedBy::this_side));

  const Events liar;
  auto client = Link::connect(name, new_token(), 0ms, liar).value();
  REQUIRE(repeat_until([&] {
    static_cast<void>(server.poll(hears_nothing));
    return !client.poll(hears_nothing);
  }));
  CHECK(ended_once(liar.log, Errc::bad_token, EndedBy::peer));
  CHECK(liar.log->peers.empty());
  const auto refused = "refused " + make_error_code(Errc::bad_token).message();
  CHECK(at_server.log->count(refused) == 1);
  server.close();
  CHECK(ended_once(at_server.log, Errc::closed, EndedBy::this_side));
}

TEMPLATE_TEST_CASE("an observer hears of each message that was not sent, and why", "[observer]",
                   STRAIT_TEST_TRANSPORTS) {
  using Link =
      RawLink<TestType,
              strait::ChannelOptions{.max_message_bytes = 5000, .max_queued_bytes = bound}, Events>;
  const auto token = new_token();
  const auto name = unique_name("observed");
  const Events at_client;
  auto server = Link::listen(name, token).value();
  auto client = Link::connect(name, token, 0ms, at_client).value();
  Inbox unused;
  REQUIRE(pump_until(server, unused, client, unused,
                     [&] { return !server.waiting_connect() && !client.waiting_connect(); }));
  const auto failed = [](std::size_t bytes, Errc why) {
    return "failed  0 " + std::to_string(bytes) + ": " + make_error_code(why).message();
  };
  CHECK(client.send(pattern(5001)).error() == Errc::message_too_large);
  CHECK(at_client.log->events.back() == failed(5001, Errc::message_too_large));
  const std::size_t taken = fill(client);
  CHECK(at_client.log->events.back() == failed(1000, Errc::queue_full));
  CHECK(at_client.log->count("send  0 1000") == taken);
  client.close();
  CHECK(client.send(pattern(1)).error() == Errc::closed);
  // The only thing that is told after the end is what the program does to it.
  CHECK(at_client.log->events.back() == failed(1, Errc::closed));
}

TEMPLATE_TEST_CASE("an observer hears of limits of rights", "[observer][rights]",
                   STRAIT_TEST_RIGHTS) {
  using Link = RawLink<TestType, strait::ChannelOptions{.max_rights = 2}, Events>;
  const auto token = new_token();
  const auto name = unique_name("observed");
  const Events at_client;
  auto server = Link::listen(name, token).value();
  auto client = Link::connect(name, token, 0ms, at_client).value();
  Rights rights;
  for (std::uint64_t i = 0; i != 3; ++i) REQUIRE(rights.add(numbered(i)));
  CHECK(client.send(pattern(1), std::move(rights)).error() == Errc::too_many_rights);
  const auto why = make_error_code(Errc::too_many_rights).message();
  CHECK(at_client.log->events.back() == "failed  0 0: " + why);
}

TEMPLATE_TEST_CASE("an observer hears which limit a peer has broken", "[observer]",
                   STRAIT_TEST_TRANSPORTS) {
  const auto token = new_token();
  const auto name = unique_name("observed");
  using Raw = RawLink<TestType, strait::ChannelOptions{.max_message_bytes = 8192}, Events>;
  using RawPeer = RawLink<TestType>;
  const Events at_server;
  auto server = Raw::listen(name, token, at_server).value();
  auto client = RawPeer::connect(name, token).value();
  Inbox inbox;
  REQUIRE(pump_until(server, inbox, client, inbox,
                     [&] { return !server.waiting_connect() && !client.waiting_connect(); }));
  REQUIRE(client.send(pattern(10'000)));
  std::error_code why;
  REQUIRE(repeat_until([&] {
    static_cast<void>(client.poll(inbox));
    const auto handled = server.poll(inbox);
    why = handled.error();
    return !handled;
  }));
  CHECK(why == Errc::message_too_large);
  CHECK(ended_once(at_server.log, Errc::message_too_large, EndedBy::peer));
}

TEMPLATE_TEST_CASE("an observer that asks for types hears them", "[observer]",
                   STRAIT_TEST_TRANSPORTS) {
  Observed<TestType> pair;
  REQUIRE(pair.connect());
  REQUIRE(pair.client->send(NoteMessage{1}));
  REQUIRE(pair.client->send(Wide{.letter = 'a', .number = 2}));
  const auto notes = [](const NoteMessage&) {};
  REQUIRE(repeat_until([&] {
    static_cast<void>(pair.server->poll(notes));
    return pair.at_server.log->events.back() == "unexpected Wide 1 16";
  }));
  CHECK(pair.at_client.log->count("send NoteMessage 0 8") == 1);
  CHECK(pair.at_client.log->count("send Wide 1 16") == 1);
  CHECK(pair.at_server.log->count("receive NoteMessage 0 8") == 1);
}

TEMPLATE_TEST_CASE("an observer that asks for bytes hears the same at both ends", "[observer]",
                   STRAIT_TEST_TRANSPORTS) {
  using Link = strait::Channel<TestType, Notes, strait::ChannelOptions{}, KeptBytes>;
  const auto token = new_token();
  const auto name = unique_name("observed");
  const KeptBytes at_server;
  const KeptBytes at_client;
  auto server = Link::listen(name, token, at_server).value();
  auto client = Link::connect(name, token, 0ms, at_client).value();
  REQUIRE(client.send(NoteMessage{7}));  // before there is a peer
  REQUIRE(pump_until(server, hears_nothing, client, hears_nothing,
                     [&] { return !server.waiting_connect() && !client.waiting_connect(); }));
  REQUIRE(client.send(Wide{.letter = 'a', .number = 0x0102030405060708}));  // has padding
  auto given = client.template out_of_line<Tall>().value();
  given.writable().value()->words = {};
  REQUIRE(client.send(given));
  given.writable().value()->words[0] = 0x6363'6363'6363'6363;  // the same in either byte order
  REQUIRE(client.send(std::move(given)));
  REQUIRE(pump_until(server, hears_nothing, client, hears_nothing,
                     [&] { return at_server.log->received.size() == 4; }));
  const auto& sent = at_client.log->sent;
  REQUIRE(sent.size() == 4);
  CHECK(sent == at_server.log->received);
  CHECK(sent[0].bytes.size() == sizeof(NoteMessage));
  CHECK(sent[1].tag == 1);
  CHECK(sent[2].bytes.size() == sizeof(Tall));
  CHECK(sent[2].bytes[0] == std::byte{0});
  CHECK(sent[3].bytes[0] == std::byte{0x63});
  CHECK(at_client.log->received.empty());
}

TEMPLATE_TEST_CASE("each client of an acceptor has an observer of its own, which hears who it is",
                   "[observer][acceptor]", STRAIT_TEST_TRANSPORTS) {
  // A copy that keeps a log of its own from the moment it hears of a peer.
  struct PerClient {
    std::shared_ptr<std::vector<Events>> all = std::make_shared<std::vector<Events>>();
    Events mine{};
    void on_connected(const strait::Peer& peer) {
      mine = Events();
      mine.on_connected(peer);
      all->push_back(mine);
    }
    void on_client(strait::ClientId client) { mine.on_client(client); }
    void on_ended(const strait::ChannelEnd& end) { mine.on_ended(end); }
  };
  using Link = strait::Channel<TestType, Notes, strait::ChannelOptions{}, PerClient>;
  using Client = strait::Channel<TestType, Notes>;
  const auto token = new_token();
  const auto name = unique_name("observed");
  PerClient observer;
  auto server = strait::Acceptor<Link>::listen(name, token, observer).value();
  const auto listener = [](Link&, const NoteMessage&) {};
  auto first = Client::connect(name, token).value();
  auto second = Client::connect(name, token).value();
  REQUIRE(repeat_until([&] {
    static_cast<void>(server.poll(listener));
    static_cast<void>(first.poll(hears_nothing));
    static_cast<void>(second.poll(hears_nothing));
    return observer.all->size() == 2 && !first.waiting_connect() && !second.waiting_connect();
  }));
  const auto& heard = *observer.all;
  REQUIRE(heard[0].log->clients.size() == 1);
  REQUIRE(heard[1].log->clients.size() == 1);
  CHECK(heard[0].log->clients[0] != heard[1].log->clients[0]);
  for (const Events& client : heard) CHECK(server.find(client.log->clients[0]) != nullptr);
  first.close();
  REQUIRE(second.send(Wide{.letter = 'a', .number = 1}));  // which has no callable
  REQUIRE(repeat_until([&] {
    static_cast<void>(server.poll(listener));
    return server.size() == 0;
  }));
  const bool in_order = heard[0].log->ends[0].by == EndedBy::peer;
  CHECK(ended_once(heard[in_order ? 0 : 1].log, Errc::peer_closed, EndedBy::peer));
  CHECK(ended_once(heard[in_order ? 1 : 0].log, Errc::unexpected_message, EndedBy::this_side));
}

TEMPLATE_TEST_CASE("a proxy's observer is called on the threads that it is said to be",
                   "[observer][proxy]", STRAIT_TEST_TRANSPORTS) {
  struct Where : Watched {
    std::vector<std::pair<std::string, std::thread::id>> calls;
    std::error_code why;
  };
  struct Threads {
    std::shared_ptr<Where> where = std::make_shared<Where>();
    void note(std::string event) {
      const auto access = where->access();
      where->calls.emplace_back(std::move(event), std::this_thread::get_id());
    }
    void on_connected(const strait::Peer&) { note("connected"); }
    void on_send(std::size_t) { note("send"); }
    void on_receive(std::size_t) { note("receive"); }
    void on_ended(const strait::ChannelEnd& end) {
      note("ended");
      const auto access = where->access();
      where->why = end.why;
    }
  };
  using Link = strait::Channel<TestType, Notes, strait::ChannelOptions{}, Threads>;
  const auto token = new_token();
  const auto name = unique_name("observed");
  const Threads observer;
  auto server = Link::listen(name, token, observer).value();
  auto client = strait::Channel<TestType, Notes>::connect(name, token).value();
  {
    auto proxy =
        strait::ChannelProxy<Link>::start(std::move(server), [](const NoteMessage&) {}).value();
    REQUIRE(proxy.send(NoteMessage{1}));
    REQUIRE(client.send(NoteMessage{2}));
    REQUIRE(client.send(Wide{.letter = 'a', .number = 3}));  // has no callable, which is the end
    REQUIRE(repeat_until([&] {
      static_cast<void>(client.poll(hears_nothing));
      const auto access = observer.where->access();
      return static_cast<bool>(observer.where->why);
    }));
  }
  const auto access = observer.where->access();
  CHECK(observer.where->why == Errc::unexpected_message);
  int sends = 0;
  for (const auto& [event, thread] : observer.where->calls) {
    CAPTURE(event);
    const bool here = thread == std::this_thread::get_id();
    CHECK(here == (event == "send"));
    sends += event == "send";
  }
  CHECK(sends == 1);
  CHECK(observer.where->calls.back().first == "ended");
}
