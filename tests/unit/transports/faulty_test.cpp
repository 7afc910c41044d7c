#include <strait/transports/faulty.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <system_error>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "strait/base/deadline.hpp"
#include "strait/channel.hpp"
#include "strait/os/interest.hpp"
#include "strait/os/poll.hpp"
#include "strait/rights/rights.hpp"
#include "strait/serializers/trivial.hpp"
#include "strait/token.hpp"
#include "strait/transports/loopback.hpp"
#include "strait/transports/pipe.hpp"
#include "strait/transports/socket.hpp"
#include "support/catch.hpp"
#include "support/runtime_dir.hpp"

namespace {

using namespace std::chrono_literals;
using strait::Errc;
using strait::FaultScript;
namespace faults = strait::faults;

struct Counted {
  std::uint64_t value;
};
struct Large {
  std::uint64_t value;
  std::uint8_t bytes[50'000];
};

template <class T>
using FaultyLink = strait::Channel<strait::FaultyTransport<T>, strait::TrivialSerializer<Counted>>;
using FaultyLoopback = FaultyLink<strait::LoopbackTransport>;

// What a transport can do, it can with faults, and no more.
static_assert(strait::Transport<strait::FaultyTransport<strait::PipeTransport>>);
static_assert(!strait::CarriesRights<strait::FaultyTransport<strait::PipeTransport>>);
static_assert(!strait::PassesEnds<strait::FaultyTransport<strait::PipeTransport>>);
static_assert(strait::PassesEnds<strait::FaultyTransport<strait::SocketTransport>>);
static_assert(strait::CarriesRights<strait::FaultyTransport<strait::LoopbackTransport>>);
// A direction has the faults that it can have.
static_assert(!std::is_constructible_v<strait::detail::SendFault, faults::Split>);
static_assert(!std::is_constructible_v<strait::detail::ReceiveFault, faults::NoRoom>);

struct Values {
  std::vector<std::uint64_t> values = {};
  void operator()(const Counted& message) { values.push_back(message.value); }
};

/// Receives until there is nothing, or an error.
template <class Link>
std::error_code drain(Link& link, Values& heard) {
  for (;;) {
    const auto handled = link.poll(heard);
    if (!handled) return handled.error();
    if (*handled == 0) return {};
  }
}

/// The same to the link's end. A socket with something unread in it is closed by a thread, which may
/// take its time.
template <class Link>
std::error_code drain_to_end(Link& link, Values& heard) {
  for (;;) {
    const auto handled = link.wait(heard, 10s);
    if (!handled) return handled.error();
    if (*handled == 0) return {};
  }
}

using Numbers = std::vector<std::uint64_t>;

}  // namespace

TEMPLATE_TEST_CASE("a faulty link without a script has no faults", "[faulty]",
                   strait::LoopbackTransport, strait::SocketTransport) {
  auto [mine, theirs] = FaultyLink<TestType>::pair().value();
  for (std::uint64_t i = 0; i != 100; ++i) mine.send(Counted{i}).value();
  Values heard;
  CHECK_FALSE(drain(theirs, heard));
  CHECK(heard.values.size() == 100);
  CHECK(heard.values.back() == 99);
}

TEMPLATE_TEST_CASE("a script refuses room, and what waits goes out in order afterwards", "[faulty]",
                   strait::LoopbackTransport, strait::SocketTransport) {
  auto script = FaultScript::for_next_link();
  script.after_sent(2, faults::NoRoom{});
  auto [mine, theirs] = FaultyLink<TestType>::pair().value();
  for (std::uint64_t i = 0; i != 5; ++i) mine.send(Counted{i}).value();
  CHECK(mine.queued_bytes() != 0);
  CHECK(script.sent() == 2);
  CHECK(mine.flush(0ms).error() == Errc::timed_out);
  Values heard;
  CHECK_FALSE(drain(theirs, heard));
  CHECK(heard.values == Numbers{0, 1});

  script.make_room();
  CHECK(mine.flush(0ms));
  CHECK(mine.queued_bytes() == 0);
  CHECK_FALSE(drain(theirs, heard));
  CHECK(heard.values == Numbers{0, 1, 2, 3, 4});
}

TEST_CASE("a queue fills while a script refuses room", "[faulty]") {
  using Link = strait::Channel<strait::FaultyTransport<strait::LoopbackTransport>,
                               strait::TrivialSerializer<Large>,
                               strait::ChannelOptions{.max_queued_bytes = 125'000}>;
  auto script = FaultScript::for_next_link();
  script.after_sent(0, faults::NoRoom{});
  auto [mine, theirs] = Link::pair().value();
  const auto message = std::make_unique<Large>();
  CHECK(mine.send(*message));
  CHECK(mine.send(*message));
  CHECK(mine.send(*message).error() == Errc::queue_full);
  script.make_room();
  CHECK(mine.send(*message));
  CHECK(mine.flush(0ms));
  CHECK(script.sent() == 3);
}

TEST_CASE("what a script has wait may be replaced", "[faulty]") {
  using Link =
      strait::Channel<strait::FaultyTransport<strait::LoopbackTransport>,
                      strait::TrivialSerializer<Counted>, strait::ChannelOptions{.keep_last = 2}>;
  auto script = FaultScript::for_next_link();
  script.after_sent(1, faults::NoRoom{});
  auto [mine, theirs] = Link::pair().value();
  for (std::uint64_t i = 0; i != 6; ++i) mine.send(Counted{i}).value();
  script.make_room();
  CHECK(mine.flush(0ms));
  Values heard;
  CHECK_FALSE(drain(theirs, heard));
  CHECK(heard.values == Numbers{0, 4, 5});
}

TEST_CASE("a script refuses room for a number of attempts", "[faulty]") {
  auto script = FaultScript::for_next_link();
  script.after_sent(0, faults::NoRoom{3});
  auto [mine, theirs] = FaultyLoopback::pair().value();
  const auto ignore = [](const Counted&) {};
  mine.send(Counted{1}).value();  // the first
  mine.poll(ignore).value();
  mine.poll(ignore).value();
  CHECK(script.sent() == 0);
  mine.poll(ignore).value();
  CHECK(script.sent() == 1);
}

TEST_CASE("a channel that waits for refused room finds it by itself", "[faulty]") {
  auto script = FaultScript::for_next_link();
  script.after_sent(0, faults::NoRoom{2}).after_sent(1, faults::Delay{1us});
  auto [mine, theirs] = FaultyLoopback::pair().value();
  for (std::uint64_t i = 0; i != 2; ++i) mine.send(Counted{i}).value();
  CHECK(mine.flush(40s));
  CHECK(script.sent() == 2);
}

TEST_CASE("a loop that waits for a channel hears of room that a script gives", "[faulty]") {
  auto script = FaultScript::for_next_link();
  script.after_sent(0, faults::NoRoom{4});
  auto [mine, theirs] = FaultyLoopback::pair().value();
  mine.send(Counted{7}).value();
  // Room that comes after a while makes the descriptor ready.
  Values none;
  while (script.sent() == 0) {
    const auto handle = strait::Interest::to_read(mine.native_handle());
    REQUIRE(strait::os::wait_for({handle}, strait::detail::Deadline::after(40s)));
    REQUIRE(strait::os::is_ready(handle));
    CHECK_FALSE(drain(mine, none));
  }
}

TEST_CASE("a delayed message holds up those behind it", "[faulty]") {
  auto script = FaultScript::for_next_link();
  script.after_sent(1, faults::Delay{1h});
  auto [mine, theirs] = FaultyLoopback::pair().value();
  for (std::uint64_t i = 0; i != 3; ++i) mine.send(Counted{i}).value();
  Values heard;
  CHECK_FALSE(drain(theirs, heard));
  CHECK(heard.values == Numbers{0});
  script.make_room();
  CHECK(mine.flush(0ms));
  CHECK_FALSE(drain(theirs, heard));
  CHECK(heard.values == Numbers{0, 1, 2});
}

TEMPLATE_TEST_CASE("a link that breaks after a message was sent delivers all before it", "[faulty]",
                   strait::LoopbackTransport, strait::SocketTransport) {
  auto script = FaultScript::for_next_link();
  script.after_sent(2, faults::Close{});
  auto [mine, theirs] = FaultyLink<TestType>::pair().value();
  theirs.send(Counted{9}).value();
  CHECK(mine.send(Counted{0}));
  CHECK(mine.send(Counted{1}));
  CHECK(mine.send(Counted{2}).error() == Errc::peer_closed);
  Values heard;
  CHECK(drain_to_end(theirs, heard) == Errc::peer_closed);
  CHECK(heard.values == Numbers{0, 1});
  CHECK(drain(mine, heard) == Errc::peer_closed);  // what had arrived is lost
  CHECK(heard.values.size() == 2);
}

TEST_CASE("a link breaks among messages that wait", "[faulty]") {
  auto script = FaultScript::for_next_link();
  script.after_sent(0, faults::NoRoom{1}).after_sent(2, faults::Close{});
  auto [mine, theirs] = FaultyLoopback::pair().value();
  for (std::uint64_t i = 0; i != 4; ++i) static_cast<void>(mine.send(Counted{i}));
  CHECK(mine.flush(0ms).error() == Errc::peer_closed);
  Values heard;
  CHECK(drain(theirs, heard) == Errc::peer_closed);
  CHECK(heard.values == Numbers{0, 1});
}

TEST_CASE("a link breaks after so many messages have come", "[faulty]") {
  auto script = FaultScript::for_next_link();
  script.after_received(2, faults::Close{});
  auto [mine, theirs] = FaultyLoopback::pair().value();
  for (std::uint64_t i = 0; i != 3; ++i) theirs.send(Counted{i}).value();
  Values heard;
  CHECK(drain(mine, heard) == Errc::peer_closed);
  CHECK(heard.values == Numbers{0, 1});
  CHECK(drain(theirs, heard) == Errc::peer_closed);
}

TEST_CASE("a link may break while its own listener is running", "[faulty]") {
  auto script = FaultScript::for_next_link();
  script.after_sent(1, faults::Close{});
  auto [mine, theirs] = FaultyLoopback::pair().value();
  for (std::uint64_t i = 0; i != 3; ++i) theirs.send(Counted{i}).value();
  std::vector<std::error_code> sent;
  auto& link = mine;
  const auto echo = [&](const Counted& message) { sent.push_back(link.send(message).error()); };
  while (mine.poll(echo)) {
  }
  REQUIRE(sent.size() == 1);
  CHECK_FALSE(sent[0]);
  Values heard;
  CHECK(drain(theirs, heard) == Errc::peer_closed);
  CHECK(heard.values == Numbers{0});
}

TEST_CASE("a break wakes a channel that waits", "[faulty]") {
  auto script = FaultScript::for_next_link();
  script.after_received(0, faults::Close{});
  auto [mine, theirs] = FaultyLoopback::pair().value();
  const auto ignore = [](const Counted&) {};
  CHECK(mine.wait(ignore, 40s).error() == Errc::peer_closed);
  CHECK(theirs.wait(ignore, 40s).error() == Errc::peer_closed);
}

TEST_CASE("a send fails with the script's error, once", "[faulty]") {
  auto script = FaultScript::for_next_link();
  const auto no_memory = std::make_error_code(std::errc::not_enough_memory);
  script.after_sent(1, faults::Fail{no_memory});
  auto [mine, theirs] = FaultyLoopback::pair().value();
  CHECK(mine.send(Counted{0}));
  CHECK(mine.send(Counted{1}).error() == no_memory);
  CHECK(mine.send(Counted{2}));
  Values heard;
  CHECK_FALSE(drain(theirs, heard));
  CHECK(heard.values == Numbers{0, 2});
}

TEST_CASE("a message that fails in the queue ends the channel", "[faulty]") {
  auto script = FaultScript::for_next_link();
  const auto broken = std::make_error_code(std::errc::io_error);
  script.after_sent(0, faults::NoRoom{2}).after_sent(1, faults::Fail{broken});
  auto [mine, theirs] = FaultyLoopback::pair().value();
  mine.send(Counted{0}).value();
  static_cast<void>(mine.send(Counted{1}));
  Values heard;
  CHECK(drain(mine, heard) == broken);
  CHECK(mine.send(Counted{2}).error() == broken);
  CHECK(drain(theirs, heard) == Errc::peer_closed);
  CHECK(heard.values == Numbers{0});
}

TEST_CASE("a receive fails with the script's error after all that came before", "[faulty]") {
  auto script = FaultScript::for_next_link();
  script.after_received(1, faults::Fail{make_error_code(Errc::malformed)});
  auto [mine, theirs] = FaultyLoopback::pair().value();
  for (std::uint64_t i = 0; i != 2; ++i) theirs.send(Counted{i}).value();
  Values heard;
  CHECK(drain(mine, heard) == Errc::malformed);
  CHECK(heard.values == Numbers{0});
  CHECK(mine.send(Counted{0}).error() == Errc::malformed);
}

TEST_CASE("what arrives together may be seen in parts", "[faulty]") {
  auto script = FaultScript::for_next_link();
  script.after_received(2, faults::Split{}).after_received(3, faults::Split{});
  auto [mine, theirs] = FaultyLoopback::pair().value();
  for (std::uint64_t i = 0; i != 5; ++i) theirs.send(Counted{i}).value();
  Values heard;
  CHECK(mine.poll(heard).value() == 2);
  CHECK(mine.poll(heard).value() == 1);
  CHECK(mine.poll(heard).value() == 2);
}

TEST_CASE("faults on messages with rights leave the rights where they belong", "[faulty]") {
  auto script = FaultScript::for_next_link();
  const auto failed = std::make_error_code(std::errc::no_buffer_space);
  script.after_sent(0, faults::Fail{failed}).after_sent(0, faults::NoRoom{1});
  auto [mine, theirs] = FaultyLink<strait::SocketTransport>::pair().value();
  auto [one, other] = FaultyLink<strait::SocketTransport>::pair().value();
  strait::Rights rights;
  REQUIRE(rights.add(std::move(one)));
  CHECK(mine.send(Counted{1}, std::move(rights)).error() == failed);
  CHECK(rights.size() == 1);
  CHECK(mine.send(Counted{2}, std::move(rights)));
  CHECK(rights.empty());
  CHECK(mine.queued_bytes() != 0);
  REQUIRE(mine.flush(0ms));

  std::size_t came = 0;
  theirs
      .poll([&](const Counted& message, strait::Rights with) {
        CHECK(message.value == 2);
        came = with.size();
      })
      .value();
  CHECK(came == 1);
  // A right that the listener did not take is closed behind its back, at its time.
  Values heard;
  CHECK(other.wait(heard, 40s).error() == Errc::peer_closed);
}

TEST_CASE("attempts to connect fail as often as a script says", "[faulty]") {
  const auto name = strait_test::unique_name();
  const auto token = strait::Token::generate().value();
  auto server = FaultyLoopback::listen(name, token).value();
  auto script = FaultScript::for_next_link();
  script.fail_connects(1, std::make_error_code(std::errc::permission_denied));
  CHECK(FaultyLoopback::connect(name, token).error() == std::errc::permission_denied);

  script.after_sent(0, faults::Close{});
  auto client = FaultyLoopback::connect(name, token).value();
  const auto ignore = [](const Counted&) {};
  server.poll(ignore).value();
  CHECK(client.wait(ignore, 40s).error() == Errc::peer_closed);
}

TEST_CASE("scripts are for links in order, and for this thread's", "[faulty]") {
  { const auto forgotten = FaultScript::for_next_link(); }
  auto first = FaultScript::for_next_link();
  auto second = FaultScript::for_next_link();
  std::thread([] { CHECK(FaultyLoopback::pair()); }).join();
  auto [mine, theirs] = FaultyLoopback::pair().value();
  mine.send(Counted{0}).value();
  Values heard;
  CHECK_FALSE(drain(theirs, heard));
  CHECK(first.sent() == 1);
  CHECK(second.received() == 1);
  CHECK(first.received() + second.sent() == 0);
}

TEST_CASE("a script may be another thread's", "[faulty]") {
  auto script = FaultScript::for_next_link();
  script.after_sent(10, faults::NoRoom{});
  auto [mine, theirs] = FaultyLoopback::pair().value();
  std::thread steering([&] {
    while (script.sent() != 10) std::this_thread::yield();
    script.make_room();
  });
  for (std::uint64_t i = 0; i != 20; ++i) mine.send(Counted{i}).value();
  CHECK(mine.flush(40s));
  steering.join();
  CHECK(script.sent() == 20);
}
