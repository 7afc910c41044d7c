// An acceptor whose clients it calls, over every transport.

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "conformance/channels.hpp"
#include "conformance/transports.hpp"
#include "strait/acceptor.hpp"
#include "strait/answering.hpp"
#include "strait/caller.hpp"
#include "strait/serializers/trivial.hpp"

using namespace strait_test;

namespace {

struct Present {  // a client's first words
  std::int64_t number;
};
struct Price {
  std::int64_t of;
};
struct Offer {
  std::int64_t cents;
};
template <class T>
using OfferLink =
    strait::Channel<T, strait::Calls<strait::TrivialSerializer<Present, Price, Offer>>>;

/// A server that asks each client for a price as soon as it presents itself.
template <class Link>
struct Buyer {
  using Client = strait::Caller<Link>;
  using Server = strait::Acceptor<Client>;

  std::chrono::nanoseconds timeout = long_enough;
  std::string name = unique_name("buyer");
  strait::Token token = new_token();
  Server server = Server::listen(name, token).value();
  std::map<std::int64_t, std::vector<strait::Result<Offer>>> offers{};
  std::vector<std::error_code> closed{};
  std::vector<std::size_t> ended_before_close{};

  void ask(Client& client, std::int64_t number) {
    client
        .template call<Offer>(Price{number}, timeout,
                              [this, number](strait::Result<Offer> offer) {
                                offers[number].push_back(std::move(offer));
                              })
        .value();
  }
  std::size_t ended() const {
    std::size_t count = 0;
    for (const auto& [number, results] : offers) count += results.size();
    return count;
  }

  void operator()(Client& client, const Present& present) { ask(client, present.number); }
  void on_closed(Client&, std::error_code why) {
    closed.push_back(why);
    ended_before_close.push_back(ended());
  }
};

/// A client that has presented itself.
template <class Link>
Link present_to(Buyer<Link>& buyer, std::int64_t number) {
  auto client = Link::connect(buyer.name, buyer.token).value();
  client.send(Present{number}).value();
  return client;
}

constexpr auto sells_nothing = [](const Present&) {};

}  // namespace

TEMPLATE_TEST_CASE("an acceptor calls its clients, and each answers for itself",
                   "[calls][acceptor]", STRAIT_TEST_TRANSPORTS) {
  using Link = OfferLink<TestType>;
  Buyer<Link> buyer;
  std::vector<Link> clients;
  for (std::int64_t number = 0; number != 4; ++number) {
    clients.push_back(present_to(buyer, number));
    auto& client = clients.back();
    auto seller = strait::answering(
        client, [&](const Price& price) { return Offer{100 + price.of + number}; });
    REQUIRE(pump_until(buyer.server, buyer, client, seller,
                       [&] { return buyer.ended() == clients.size(); }));
    CHECK(buyer.offers[number].back().value().cents == 100 + 2 * number);
  }
  CHECK(buyer.server.size() == 4);
  CHECK(buyer.closed.empty());
}

TEMPLATE_TEST_CASE("a client that is called by its acceptor calls it, too", "[calls][acceptor]",
                   STRAIT_TEST_TRANSPORTS) {
  using Link = OfferLink<TestType>;
  Buyer<Link> buyer;
  using Client = typename Buyer<Link>::Client;
  // To answer a client it asks the same one first.
  using Reply = strait::Reply<typename Buyer<Link>::Server>;
  std::optional<Reply> owed;
  auto listener =
      strait::answering(buyer.server, [&](Client& client, const Price& price, Reply reply) {
        owed = std::move(reply);
        client
            .template call<Offer>(price, long_enough,
                                  [&](strait::Result<Offer> offer) {
                                    owed->send(Offer{offer.value().cents + 1}).value();
                                  })
            .value();
      });
  strait::Caller<Link> client(Link::connect(buyer.name, buyer.token).value());
  auto seller = strait::answering(client, [](const Price& price) { return Offer{10 * price.of}; });
  std::int64_t cents = 0;
  client
      .template call<Offer>(Price{7}, long_enough,
                            [&](strait::Result<Offer> offer) { cents = offer.value().cents; })
      .value();
  REQUIRE(pump_until(buyer.server, listener, client, seller, [&] { return cents != 0; }));
  CHECK(cents == 71);
}

TEMPLATE_TEST_CASE(
    "a call to a client that does not answer ends by its time, while the server waits",
    "[calls][acceptor]", STRAIT_TEST_TRANSPORTS) {
  using Link = OfferLink<TestType>;
  Buyer<Link> buyer{.timeout = 1ms};
  auto client = present_to(buyer, 1);
  while (client.waiting_connect() || buyer.server.size() != 1) {
    static_cast<void>(buyer.server.poll(buyer).value());
    static_cast<void>(client.poll(sells_nothing).value());
  }
  while (buyer.ended() == 0) REQUIRE(buyer.server.wait(buyer, long_enough).value() != 0);
  CHECK(buyer.offers[1].back().error() == Errc::timed_out);
  CHECK(buyer.server.size() == 1);
}

TEMPLATE_TEST_CASE("calls to a client that goes end before the server hears that it has gone",
                   "[calls][acceptor]", STRAIT_TEST_TRANSPORTS) {
  using Link = OfferLink<TestType>;
  Buyer<Link> buyer;
  auto stays = present_to(buyer, 1);
  auto goes = present_to(buyer, 2);
  // Their calls have come in, and are kept.
  std::vector<strait::Reply<Link>> kept;
  const auto keep = [&](const Price&, strait::Reply<Link> reply) {
    kept.push_back(std::move(reply));
  };
  auto at_staying = strait::answering(stays, keep);
  auto at_going = strait::answering(goes, keep);
  REQUIRE(pump_until(buyer.server, buyer, stays, at_staying, [&] { return kept.size() == 1; }));
  REQUIRE(pump_until(buyer.server, buyer, goes, at_going, [&] { return kept.size() == 2; }));
  kept.pop_back();
  while (buyer.ended() == 0) REQUIRE(buyer.server.wait(buyer, long_enough).value() != 0);
  CHECK(buyer.offers[2].back().error() == Errc::unanswered);

  // One more call is under way when it goes.
  buyer.server.for_each([&](auto& client) { buyer.ask(client, 3); });
  goes.close();
  while (buyer.closed.empty()) REQUIRE(buyer.server.wait(buyer, long_enough).value() != 0);
  CHECK(buyer.closed == std::vector{make_error_code(Errc::peer_closed)});
  CHECK(buyer.offers[3].size() == 1);
  CHECK(buyer.offers[3].back().error() == Errc::peer_closed);
  CHECK(buyer.ended_before_close == std::vector<std::size_t>{2});
  CHECK(buyer.server.size() == 1);

  kept[0].send(Offer{5}).value();
  while (buyer.ended() == 2) REQUIRE(buyer.server.wait(buyer, long_enough).value() != 0);
  CHECK(buyer.offers[1].back().value().cents == 5);
}

TEMPLATE_TEST_CASE("a client that answers what another one was asked is malformed",
                   "[calls][acceptor][hostile]", STRAIT_TEST_TRANSPORTS) {
  using Link = OfferLink<TestType>;
  Buyer<Link> buyer;
  auto honest = present_to(buyer, 1);
  std::optional<strait::Reply<Link>> owed;
  auto keep = strait::answering(
      honest, [&](const Price&, strait::Reply<Link> reply) { owed = std::move(reply); });
  REQUIRE(pump_until(buyer.server, buyer, honest, keep, [&] { return owed.has_value(); }));
  // Numbers are easy to guess: those of its own first call, and so of the other one's.
  auto rogue = Link::connect(buyer.name, buyer.token).value();
  REQUIRE(pump_until(buyer.server, buyer, rogue, sells_nothing,
                     [&] { return buyer.server.size() == 2; }));
  constexpr strait::CallId first{std::uint64_t{1} << 24};
  const Offer wrong{-1};
  rogue.send(strait::detail::OutgoingCall<Offer>{wrong, {strait::detail::CallKind::reply, first}})
      .value();
  REQUIRE(
      pump_until(buyer.server, buyer, rogue, sells_nothing, [&] { return !buyer.closed.empty(); }));
  CHECK(buyer.closed == std::vector{make_error_code(Errc::malformed)});
  CHECK(buyer.ended() == 0);
  owed->send(Offer{2}).value();
  while (buyer.ended() == 0) REQUIRE(buyer.server.wait(buyer, long_enough).value() != 0);
  CHECK(buyer.offers[1].back().value().cents == 2);
}

TEMPLATE_TEST_CASE("a client that says what has no callable is closed, and calls to it end",
                   "[calls][acceptor]", STRAIT_TEST_TRANSPORTS) {
  using Link = OfferLink<TestType>;
  // Also where the time of a call is up in the same moment.
  for (const auto timeout : {std::chrono::nanoseconds(0), std::chrono::nanoseconds(long_enough)}) {
    Buyer<Link> buyer{.timeout = timeout};
    auto client = present_to(buyer, 1);
    client.send(Offer{1}).value();
    REQUIRE(pump_until(buyer.server, buyer, client, sells_nothing,
                       [&] { return !buyer.closed.empty(); }));
    CHECK(buyer.closed == std::vector{make_error_code(Errc::unexpected_message)});
    REQUIRE(buyer.offers[1].size() == 1);
    const auto why = timeout == 0ns ? Errc::timed_out : Errc::unexpected_message;
    CHECK(buyer.offers[1].back().error() == why);
  }
}

TEMPLATE_TEST_CASE(
    "clients that are called hear what is sent to all, and are handed over with calls",
    "[calls][acceptor]", STRAIT_TEST_TRANSPORTS) {
  using Link = OfferLink<TestType>;
  Buyer<Link> buyer;
  std::vector<std::int64_t> heard;
  std::vector<Link> clients;
  const auto hear = [&](const Offer& offer) { heard.push_back(offer.cents); };
  for (std::int64_t number = 0; number != 2; ++number) {
    clients.push_back(present_to(buyer, number));
    REQUIRE(pump_until(buyer.server, buyer, clients.back(), sells_nothing, [&] {
      return buyer.server.size() == clients.size() && !clients.back().waiting_connect();
    }));
  }
  CHECK(buyer.server.send_all(Offer{9}) == 2);
  for (auto& client : clients) {
    const auto before = heard.size();
    REQUIRE(pump_until(buyer.server, buyer, client, hear, [&] { return heard.size() > before; }));
  }
  CHECK(heard == std::vector<std::int64_t>{9, 9});

  // The first one goes to another acceptor; what it was asked before ends there.
  auto other = Buyer<Link>::Server::create().value();
  const strait::ClientId first{1};
  REQUIRE(buyer.server.find(first) != nullptr);
  buyer.ask(*buyer.server.find(first), 5);
  other.adopt(buyer.server.release(first).value()).value();
  CHECK(buyer.server.size() == 1);
  auto seller = strait::answering(clients[0], [](const Price& price) { return Offer{price.of}; });
  REQUIRE(pump_until(other, buyer, clients[0], seller, [&] { return !buyer.offers[5].empty(); }));
  CHECK(buyer.offers[5].back().value().cents == 5);
}
