#include <strait/answering.hpp>
#include <strait/caller.hpp>
#include <strait/proxy_calls.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "strait/acceptor.hpp"
#include "strait/overloaded.hpp"
#include "strait/rights/rights.hpp"
#include "strait/rights/shared_memory.hpp"
#include "strait/serializers/calls.hpp"
#include "strait/serializers/trivial.hpp"
#include "strait/transports/loopback.hpp"
#include "strait/transports/socket.hpp"
#include "support/catch.hpp"
#include "support/runtime_dir.hpp"

namespace call_rights_test {

namespace {

using namespace std::chrono_literals;
using strait::Errc;
using strait::Rights;

struct Open {
  std::uint32_t number;
};
struct Opened {
  std::uint32_t rights;
};

template <class T>
using RightsLink = strait::Channel<T, strait::Calls<strait::TrivialSerializer<Open, Opened>>>;
using SocketCalls = RightsLink<strait::SocketTransport>;

constexpr auto long_enough = 40s;

/// A right that can be told from others.
Rights memory_with(std::uint32_t value) {
  auto memory = strait::SharedMemory::create(sizeof value).value();
  *memory.map<std::uint32_t>().value() = value;
  Rights rights;
  rights.add(std::move(memory)).value();
  return rights;
}
std::uint32_t value_in(Rights& rights) {
  return *rights.take<strait::SharedMemory>().value().map<const std::uint32_t>().value();
}

/// Answers with a right that has twice the value of the one that came.
template <class ReplyTo>
void answer_with_twice(Rights rights, ReplyTo& reply) {
  reply.send(Opened{1}, memory_with(2 * value_in(rights))).value();
}

template <class Link>
struct RightsCall {
  std::optional<strait::Result<Opened>> result = {};
  std::uint32_t value = 0;

  void make(strait::Caller<Link>& caller, std::uint32_t with) {
    auto rights = memory_with(with);
    caller
        .template call<Opened>(Open{1}, std::move(rights), long_enough,
                               [this](strait::Result<Opened> opened, Rights back) {
                                 result = opened;
                                 if (!back.empty()) value = value_in(back);
                               })
        .value();
    CHECK(rights.empty());
  }
};

}  // namespace

TEMPLATE_TEST_CASE("rights go with a call and come with its reply", "[calls][rights]",
                   strait::LoopbackTransport, strait::SocketTransport) {
  using Link = RightsLink<TestType>;
  auto ends = Link::pair().value();
  strait::Caller caller(std::move(ends.first));
  auto& server = ends.second;
  const auto answer = [](const Open&, Rights rights, strait::Reply<Link> reply) {
    answer_with_twice(std::move(rights), reply);
  };
  RightsCall<Link> call;
  call.make(caller, 21);
  server.poll(strait::answering(server, answer)).value();
  while (!call.result) REQUIRE(caller.wait(long_enough));
  CHECK(call.result->value().rights == 1);
  CHECK(call.value == 42);
}

TEST_CASE("a listener takes a call's rights and returns the reply", "[calls][rights]") {
  auto ends = SocketCalls::pair().value();
  strait::Caller caller(std::move(ends.first));
  auto& server = ends.second;
  std::uint32_t seen = 0;
  const auto answer = [&](const Open&, Rights rights) {
    const auto count = static_cast<std::uint32_t>(rights.size());
    seen = value_in(rights);
    return Opened{count};
  };
  RightsCall<SocketCalls> call;
  call.make(caller, 7);
  server.poll(strait::answering(server, answer)).value();
  while (!call.result) REQUIRE(caller.wait(long_enough));
  CHECK(call.result->value().rights == 1);
  CHECK(seen == 7);
  // What is no call is heard by the same callable, with its rights.
  caller.channel().send(Open{1}, memory_with(8)).value();
  server.poll(strait::answering(server, answer)).value();
  CHECK(seen == 8);
}

TEST_CASE("rights that a callable or a handler does not take are closed", "[calls][rights]") {
  auto ends = SocketCalls::pair().value();
  strait::Caller caller(std::move(ends.first));
  auto& server = ends.second;
  const auto answer = [](const Open&, auto reply) {
    reply.send(Opened{0}, memory_with(1)).value();
  };
  std::vector<std::uint32_t> opened;
  caller
      .call(Open{1}, memory_with(1), long_enough,
            strait::overloaded{[&](const Opened& reply) { opened.push_back(reply.rights); },
                               [](std::error_code) { FAIL("it is answered"); }})
      .value();
  server.poll(strait::answering(server, answer)).value();
  while (opened.empty()) REQUIRE(caller.wait(long_enough));
  CHECK(opened == std::vector<std::uint32_t>{0});
}

TEST_CASE("rights stay where they are when a call or its reply is not sent", "[calls][rights]") {
  auto ends = SocketCalls::pair().value();
  strait::Caller caller(std::move(ends.first));
  auto& server = ends.second;
  strait::Reply<SocketCalls> owed;
  RightsCall<SocketCalls> call;
  call.make(caller, 1);
  server.poll(strait::answering(server, [&](const Open&, auto reply) { owed = std::move(reply); }))
      .value();
  server.close();
  auto rights = memory_with(5);
  CHECK_FALSE(owed.send(Opened{1}, std::move(rights)));
  CHECK(rights.size() == 1);
  while (caller.wait(long_enough)) {
  }
  CHECK(call.result->error() == Errc::peer_closed);
  const auto none = [](strait::Result<Opened>) { FAIL("there is no call"); };
  CHECK_FALSE(caller.call<Opened>(Open{1}, std::move(rights), long_enough, none));
  CHECK(rights.size() == 1);
}

TEST_CASE("an acceptor's and a proxy's listener take a call's rights", "[calls][rights]") {
  const auto name = strait_test::unique_name();
  const auto token = strait::Token::generate().value();
  auto acceptor = strait::Acceptor<SocketCalls>::listen(name, token).value();
  strait::Caller caller(SocketCalls::connect(name, token).value());
  const auto answer = [](SocketCalls&, const Open&, Rights rights, auto reply) {
    answer_with_twice(std::move(rights), reply);
  };
  RightsCall<SocketCalls> call;
  call.make(caller, 3);
  while (!call.result) {
    acceptor.poll(strait::answering(acceptor, answer)).value();
    caller.wait(1ms).value();
  }
  CHECK(call.value == 6);

  using Proxy = strait::ChannelProxy<SocketCalls>;
  auto ends = SocketCalls::pair().value();
  const auto answer_here = [](const Open&, Rights rights, strait::Reply<Proxy> reply) {
    answer_with_twice(std::move(rights), reply);
  };
  auto proxy = Proxy::start(std::move(ends.second), strait::answering<Proxy>(answer_here)).value();
  strait::Caller to_proxy(std::move(ends.first));
  RightsCall<SocketCalls> second;
  second.make(to_proxy, 4);
  while (!second.result) REQUIRE(to_proxy.wait(long_enough));
  CHECK(second.value == 8);
}

}  // namespace call_rights_test
