// Calls to servers that go and come again.

#include <array>
#include <cstdint>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "conformance/channels.hpp"
#include "conformance/transports.hpp"
#include "strait/acceptor.hpp"
#include "strait/answering.hpp"
#include "strait/caller.hpp"
#include "strait/overloaded.hpp"
#include "strait/reconnecting.hpp"
#include "strait/serializers/trivial.hpp"

using namespace strait_test;

namespace {

struct Where {
  std::uint32_t thing;
};
struct There {
  std::uint32_t place;
};
template <class T>
using WhereLink = strait::Channel<T, strait::Calls<strait::TrivialSerializer<Where, There>>>;
template <class T>
using WhereClient =
    strait::Reconnecting<WhereLink<T>, strait::NoRedelivery,
                         strait::ReconnectOptions{.shortest_pause_ms = 1, .longest_pause_ms = 4}>;

struct Ups {
  int ups = 0;
  int downs = 0;
  void on_up(auto&) { ++ups; }
  void on_down(std::error_code) { ++downs; }
  void operator()(const There&) {}
};

}  // namespace

TEMPLATE_TEST_CASE("calls end when the server goes, and the next instance answers others",
                   "[reconnecting][calls]", STRAIT_TEST_TRANSPORTS) {
  using Link = WhereLink<TestType>;
  using Server = strait::Acceptor<Link>;
  const auto name = unique_name("where");
  const auto token = new_token();
  strait::Caller caller(WhereClient<TestType>::connect(name, token).value());
  std::vector<std::uint32_t> places;
  std::vector<std::error_code> errors;
  const auto note = [&](strait::Result<There> there) {
    there ? places.push_back(there->place) : errors.push_back(there.error());
  };
  Ups events;
  const auto none = caller.template call<There>(Where{0}, long_enough, note);
  CHECK(none.error() == std::errc::not_connected);
  for (std::uint32_t round = 1; round != 4; ++round) {
    auto server = Server::listen(name, token).value();
    std::vector<strait::Reply<Server>> kept;
    int asked = 0;
    auto answers =
        strait::answering(server, [&](Link&, const Where& where, strait::Reply<Server> reply) {
          ++asked;
          if (where.thing >= 100) return kept.push_back(std::move(reply));
          reply.send(There{where.thing + round}).value();
        });
    const auto times = static_cast<std::size_t>(round);
    REQUIRE(pump_until(server, answers, caller, events,
                       [&] { return events.ups == static_cast<int>(round); }));
    caller.template call<There>(Where{10}, long_enough, note).value();
    caller.template call<There>(Where{100}, long_enough, note).value();
    const auto given_up = caller.template call<There>(Where{101}, long_enough, note).value();
    REQUIRE(pump_until(server, answers, caller, events,
                       [&] { return places.size() == times && kept.size() == 2; }));
    CHECK(places.back() == 10 + round);
    CHECK(asked == 3);
    CHECK(caller.cancel(given_up));
    server.close();
    REQUIRE(poll_until(caller, events, [&] { return events.downs == static_cast<int>(round); }));
    CHECK(caller.calls_under_way() == 0);
    REQUIRE(errors.size() == 2 * times);
    CHECK(errors.back() == Errc::peer_closed);
    CHECK_FALSE(caller.template call<There>(Where{10}, long_enough, note));
  }
}

TEMPLATE_TEST_CASE("a reconnecting client answers its server, and a late answer goes to no other",
                   "[reconnecting][calls]", STRAIT_TEST_TRANSPORTS) {
  using Link = WhereLink<TestType>;
  using Client = WhereClient<TestType>;
  const auto name = unique_name("where");
  const auto token = new_token();
  strait::Caller client(Client::connect(name, token).value());
  using Reply = strait::Reply<Client>;
  std::vector<Reply> kept;
  int ups = 0;
  struct Handlers {
    std::vector<Reply>& kept;
    int& ups;
    void operator()(const Where& where, Reply reply) {
      if (where.thing == 0) return kept.push_back(std::move(reply));
      reply.send(There{2 * where.thing}).value();
    }
    void on_up(Link&) { ++ups; }
  };
  auto answers = strait::answering(client, Handlers{kept, ups});
  for (int round = 1; round != 3; ++round) {
    strait::Caller<Link> server(Link::listen(name, token).value());
    std::vector<strait::Result<There>> results;
    const auto note = [&](strait::Result<There> there) { results.push_back(there); };
    server.template call<There>(Where{21}, long_enough, note).value();
    server.template call<There>(Where{0}, long_enough, note).value();
    auto nothing = strait::detail::NoListener();
    REQUIRE(pump_until(server, nothing, client, answers, [&] {
      return results.size() == 1 && kept.size() == static_cast<std::size_t>(round);
    }));
    CHECK(results[0].value().place == 42);
    CHECK(ups == round);
    if (round == 2) {
      // The first server's, which is gone: this one has asked that not, and would say `malformed`.
      CHECK(kept[0].send(There{1}).failed_with(Errc::peer_closed));
      kept[0] = Reply();
      kept[1].send(There{2}).value();
      REQUIRE(pump_until(server, nothing, client, answers, [&] { return results.size() == 2; }));
      CHECK(results[1].value().place == 2);
    }
    server.close();
    REQUIRE(poll_until(client, answers, [&] { return client.channel().channel() == nullptr; }));
  }
}

TEST_CASE("a call's time and its end by stop hold while a client is not connected",
          "[reconnecting][calls]") {
  using Link = WhereLink<strait::LoopbackTransport>;
  const auto name = unique_name("where");
  const auto token = new_token();
  strait::Caller caller(WhereClient<strait::LoopbackTransport>::connect(name, token).value());
  auto server = Link::listen(name, token).value();
  Ups events;
  const auto nothing = [](const There&) {};
  REQUIRE(pump_until(server, nothing, caller, events, [&] { return events.ups == 1; }));
  std::vector<std::error_code> errors;
  const auto note = [&](strait::Result<There> there) { errors.push_back(there.error()); };
  caller.call<There>(Where{1}, 2ms, note).value();
  // By its descriptor, as in a loop.
  const auto handle = strait::Interest::to_read(caller.native_handle().value());
  while (errors.empty()) {
    REQUIRE(strait::os::wait_for({handle}, strait::Deadline::after(long_enough)));
    static_cast<void>(caller.poll(events).value());
  }
  CHECK(errors == std::vector{make_error_code(Errc::timed_out)});
  caller.stop();
  CHECK(caller.run(events).has_value());
  server.close();
  REQUIRE(poll_until(caller, events, [&] { return events.downs == 1; }));
  caller.stop();
  CHECK(caller.run(events).has_value());
}
