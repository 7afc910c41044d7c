// Messages as types: the right callable, the right bytes, where a T may lie.

#include <array>
#include <memory>
#include <string>
#include <string_view>

#include "conformance/channels.hpp"
#include "conformance/transports.hpp"
#include "strait/overloaded.hpp"
#include "strait/serializers/trivial.hpp"

using namespace strait_test;

namespace {

struct Empty {};
struct Small {
  std::uint64_t id;
};
#if STRAIT_HAS_CLEAR_PADDING
struct Padded {
  char letter;
  std::uint64_t number;
  std::uint16_t half;
};
struct alignas(32) LargePadded {
  char letter;
  std::array<std::uint64_t, 1 << 18> words;  // a little over 2 MiB
  char last;
};
#else
// The same with the padding as members.
struct Padded {
  char letter;
  char unused[7] = {};
  std::uint64_t number;
  std::uint16_t half;
  char unused_end[6] = {};
};
struct alignas(32) LargePadded {
  char letter;
  char unused[7] = {};
  std::array<std::uint64_t, 1 << 18> words;
  char last;
  char unused_end[23] = {};
};
#endif
struct alignas(64) Aligned {
  std::array<std::int32_t, 16> lanes;
};
struct Large {
  std::array<std::uint64_t, 3 << 17> words;  // 3 MiB
};

using Types = strait::TrivialSerializer<Empty, Small, Padded, Aligned, Large, LargePadded>;
template <class T>
using TypedLink = strait::Channel<T, Types>;

template <class M>
bool is_aligned(const M& message) {
  return reinterpret_cast<std::uintptr_t>(&message) % alignof(M) == 0;
}

/// What came, as far as it was right.
struct Receiver {
  std::string seen;
  void operator()(const Empty&) { seen += "e"; }
  void operator()(const Small& m) { seen += is_aligned(m) && m.id == 77 ? "s" : "?"; }
  void operator()(const Padded& m) {
    seen += is_aligned(m) && m.letter == 'x' && m.number == 9 && m.half == 3 ? "p" : "?";
  }
  void operator()(const Aligned& m) { seen += is_aligned(m) && m.lanes[15] == 15 ? "a" : "?"; }
  void operator()(const Large& m) {
    seen += is_aligned(m) && m.words.front() == 1 && m.words.back() == 2 ? "L" : "?";
  }
  void operator()(const LargePadded& m) {
    seen += is_aligned(m) && m.letter == 'y' && m.words.back() == 4 && m.last == 'z' ? "P" : "?";
  }
};

template <class T, class ServerListener>
struct TypedPair {
  const strait::Token token = new_token();
  const std::string name = unique_name("typed");
  TypedLink<T> server = TypedLink<T>::listen(name, token).value();
  TypedLink<T> client = TypedLink<T>::connect(name, token).value();
  ServerListener at_server{};
  Receiver at_client{};
};

}  // namespace

TEMPLATE_TEST_CASE("each type arrives at its own callable, aligned, also of several MiB", "[typed]",
                   STRAIT_TEST_TRANSPORTS) {
  TypedPair<TestType, Receiver> pair;
  const auto large = std::make_unique<Large>();
  large->words.front() = 1;
  large->words.back() = 2;
  const auto padded = std::make_unique<LargePadded>();
  padded->letter = 'y';
  padded->words.back() = 4;
  padded->last = 'z';
  Aligned aligned{};
  aligned.lanes[15] = 15;
  std::string sent;
  // Queued at first, then by the direct way.
  for (int round = 0; round != 3; ++round) {
    REQUIRE(pair.client.send(Small{77}));
    REQUIRE(pair.client.send(Padded{.letter = 'x', .number = 9, .half = 3}));
    REQUIRE(pair.client.send(Empty{}));
    REQUIRE(pair.client.send(aligned));
    REQUIRE(pair.client.send(*large));
    REQUIRE(pair.client.send(Small{77}));
    REQUIRE(pair.client.send(*padded));
    sent += "spaLsP";
    sent.insert(sent.size() - 4, "e");
    REQUIRE(pump_until(pair.server, pair.at_server, pair.client, pair.at_client,
                       [&] { return pair.at_server.seen.size() == sent.size(); }));
  }
  CHECK(pair.at_server.seen == sent);
}

TEMPLATE_TEST_CASE("an unexpected message is dropped, told once, and the channel goes on",
                   "[typed]", STRAIT_TEST_TRANSPORTS) {
  struct NoPadded {
    int small = 0;
    void operator()(const Small&) { ++small; }
  };
  TypedPair<TestType, NoPadded> pair;
  REQUIRE(pump_until(pair.server, pair.at_server, pair.client, pair.at_client, [&] {
    return !pair.server.waiting_connect() && !pair.client.waiting_connect();
  }));
  REQUIRE(pair.client.send(Small{1}));
  REQUIRE(pair.client.send(Padded{.letter = 'x', .number = 9, .half = 3}));
  REQUIRE(pair.client.send(Small{2}));
  REQUIRE(pair.client.send(Padded{.letter = 'x', .number = 9, .half = 3}));
  REQUIRE(pair.client.send(Padded{.letter = 'x', .number = 9, .half = 3}));
  REQUIRE(pair.client.send(Small{3}));
  int told = 0;
  for (const auto end = Clock::now() + long_enough;
       (pair.at_server.small < 3 || told < 3) && Clock::now() < end;) {
    const auto polled = pair.server.poll(pair.at_server);
    if (polled) continue;
    REQUIRE(polled.error() == Errc::unexpected_message);
    ++told;
  }
  CHECK(pair.at_server.small == 3);
  CHECK(told == 3);
  CHECK(pair.server.poll(pair.at_server).value() == 0);
  CHECK(pair.server.send(Small{77}));
}

TEMPLATE_TEST_CASE("an observer hears of which type an unexpected message is", "[typed]",
                   STRAIT_TEST_TRANSPORTS) {
  struct Unexpected {
    std::shared_ptr<std::vector<std::string>> log = std::make_shared<std::vector<std::string>>();
    void on_unexpected(std::string_view type, std::uint16_t tag, std::size_t bytes) {
      log->push_back(std::string(type) + " " + std::to_string(tag) + " " + std::to_string(bytes));
    }
  };
  using Link = strait::Channel<TestType, Types, strait::ChannelOptions{}, Unexpected>;
  const auto token = new_token();
  const auto name = unique_name();
  const Unexpected at_server;
  auto server = Link::listen(name, token, at_server).value();
  auto client = Link::connect(name, token).value();
  const auto small = [](const Small&) {};
  REQUIRE(client.send(Small{1}));
  REQUIRE(client.send(Aligned{}));
  REQUIRE(client.send(Empty{}));
  REQUIRE(pump_until(server, small, client, small, [&] { return at_server.log->size() == 2; }));
  CHECK(*at_server.log == std::vector<std::string>{"Aligned 3 64", "Empty 0 1"});
}

TEMPLATE_TEST_CASE("an observer hears of every message with its size", "[typed]",
                   STRAIT_TEST_TRANSPORTS) {
  struct Sizes {
    struct Log {
      std::vector<std::size_t> sent;
      std::vector<std::size_t> received;
    };
    std::shared_ptr<Log> log = std::make_shared<Log>();
    void on_send(std::size_t bytes) { log->sent.push_back(bytes); }
    void on_receive(std::size_t bytes) { log->received.push_back(bytes); }
  };
  using Link = RawLink<TestType, strait::ChannelOptions{.max_message_bytes = 1 << 20}, Sizes>;
  const auto token = new_token();
  const auto name = unique_name();
  Sizes at_server;
  Sizes at_client;
  Pair<Link> pair{Link::listen(name, token, at_server).value(),
                  Link::connect(name, token, 0ms, at_client).value()};
  const std::vector<std::size_t> sizes{0, 1, 5000, 300'000, 1 << 20};
  for (const std::size_t size : sizes) REQUIRE(pair.client.send(pattern(size)));
  CHECK_FALSE(pair.client.send(pattern((1 << 20) + 1)));
  REQUIRE(pair.deliver_to_server(sizes.size()));
  CHECK(at_client.log->sent == sizes);
  CHECK(at_server.log->received == sizes);
  CHECK(at_server.log->sent.empty());
  CHECK(pair.client.observer().log == at_client.log);
}
