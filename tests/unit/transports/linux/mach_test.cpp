#include <strait/channel.hpp>
#include <strait/overloaded.hpp>
#include <strait/serializers/raw.hpp>
#include <strait/serializers/trivial.hpp>
#include <strait/transports/mach.hpp>

#include <array>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <memory>
#include <numeric>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "support/archetypes.hpp"
#include "support/catch.hpp"
#include "support/refusals.hpp"
#include "support/runtime_dir.hpp"
#include "support/scripted_kernel.hpp"

using strait::BasicMachTransport;
using strait::Channel;
using strait::ChannelOptions;
using strait::Errc;
using strait::InlineOnly;
using strait::OolThreshold;
using strait::PeerCredentials;
using strait::RawSerializer;
using strait::Token;
using strait::TrivialSerializer;
using strait_test::LeastKernel;
using strait_test::Refusals;
using strait_test::Script;
using strait_test::ScriptedKernel;
using namespace std::chrono_literals;

namespace {

using Bytes = std::span<const std::byte>;

static_assert(strait::MachKernel<strait::LinuxKernel>);
static_assert(strait::MachKernelWithRegions<strait::LinuxKernel>);
static_assert(strait::Transport<strait::MachTransport<>>);
static_assert(strait::Transport<strait::MachTransport<InlineOnly, strait::Spin>>);
static_assert(strait::Transport<strait::MachTransport<OolThreshold<1>, strait::Block, 16384>>);
static_assert(strait::Transport<BasicMachTransport<LeastKernel, InlineOnly>>);
static_assert(strait::Transport<BasicMachTransport<ScriptedKernel>>);
static_assert(!strait::Transport<int>);

template <class T>
[[maybe_unused]] constexpr bool never = false;

/// A kernel whose regions must not even be compiled.
struct NoRegionsKernel : ScriptedKernel {
  struct Region : strait::linux_mach::Region {
    template <class Argument>
    static strait::Result<Region> create(Argument) {
      static_assert(never<Argument>, "the way not taken was compiled");
      return Errc::unsupported;
    }
    strait::Result<Region> duplicate() const { return Errc::unsupported; }
    template <class Argument>
    static strait::Result<Region> copy_of(Argument) {
      static_assert(never<Argument>, "the way not taken was compiled");
      return Errc::unsupported;
    }
    template <class Argument, class Fill>
    static strait::Result<Region> filled_by(Argument, Fill&&) {
      static_assert(never<Argument>, "the way not taken was compiled");
      return Errc::unsupported;
    }
  };
  struct ReceiveRight : ScriptedKernel::ReceiveRight {
    ReceiveRight() = default;
    explicit ReceiveRight(strait::LinuxKernel::ReceiveRight right)
        : ScriptedKernel::ReceiveRight(std::move(right)) {}
    template <class Argument>
    strait::Result<Region> take_region(Argument) {
      static_assert(never<Argument>, "the way not taken was compiled");
      return Errc::unsupported;
    }
  };
  using Greeting = Meeting<ReceiveRight>::Greeting;
  static auto greet(ServiceRight&& server, std::size_t queue_bytes, Bytes body) {
    return Meeting<ReceiveRight>::greet(std::move(server), queue_bytes, body);
  }
  static auto welcome(Request&& request, std::size_t queue_bytes, Bytes body) {
    return Meeting<ReceiveRight>::welcome(std::move(request), queue_bytes, body);
  }
};
static_assert(strait::MachKernelWithRegions<NoRegionsKernel>);

/// A kernel whose regions can be received, and copied for what had to be queued, but not made of a
/// message that is just being sent.
struct NoFilledRegionsKernel : ScriptedKernel {
  struct Region : strait::linux_mach::Region {
    Region() = default;
    template <class Argument>
    static strait::Result<Region> create(Argument) {
      static_assert(never<Argument>, "the way not taken was compiled");
      return Errc::unsupported;
    }
    strait::Result<Region> duplicate() const { return Errc::unsupported; }
    explicit Region(strait::linux_mach::Region region)
        : strait::linux_mach::Region(std::move(region)) {}
    static strait::Result<Region> copy_of(Bytes bytes) {
      return Region(std::move(strait::linux_mach::Region::copy_of(bytes)).value());
    }
    template <class Argument, class Fill>
    static strait::Result<Region> filled_by(Argument, Fill&&) {
      static_assert(never<Argument>, "the way not taken was compiled");
      return Errc::unsupported;
    }
  };
  struct ReceiveRight : ScriptedKernel::ReceiveRight {
    ReceiveRight() = default;
    explicit ReceiveRight(strait::LinuxKernel::ReceiveRight right)
        : ScriptedKernel::ReceiveRight(std::move(right)) {}
    strait::Result<Region> take_region(std::size_t size) {
      return Region(std::move(ScriptedKernel::ReceiveRight::take_region(size)).value());
    }
  };
  using Greeting = Meeting<ReceiveRight>::Greeting;
  static auto greet(ServiceRight&& server, std::size_t queue_bytes, Bytes body) {
    return Meeting<ReceiveRight>::greet(std::move(server), queue_bytes, body);
  }
  static auto welcome(Request&& request, std::size_t queue_bytes, Bytes body) {
    return Meeting<ReceiveRight>::welcome(std::move(request), queue_bytes, body);
  }
};

/// A serializer whose messages have one size, known from the type, and no bytes to point at.
template <std::size_t Size>
struct FixedSerializer {
  struct Message {
    std::byte fill;
  };
  static constexpr std::uint64_t schema_hash = Size;
  template <class M>
  static constexpr bool accepts = std::same_as<M, Message>;
  static std::uint16_t tag(const Message&) { return 0; }
  static std::integral_constant<std::size_t, Size> size(const Message&) { return {}; }
  static void write(const Message& message, std::byte* out) {
    std::memset(out, std::to_integer<int>(message.fill), Size);
  }
  template <class Listener>
  static strait::Result<void> read(std::uint16_t, std::span<const std::byte> bytes,
                                   Listener& listener) {
    if (bytes.size() != Size) return Errc::malformed;
    listener(Message{bytes[Size - 1]});
    return {};
  }
};

struct Small {
  std::array<std::uint64_t, 4> words;
};
struct Large {
  std::array<std::uint32_t, 250'000> words;
};

template <class Link>
struct Pair {
  Pair() {
    const auto name = strait_test::unique_name("pair");
    const auto token = Token::generate().value();
    server.emplace(Link::listen(name, token).value());
    client.emplace(Link::connect(name, token).value());
    const auto deaf = [](const auto&) {};
    REQUIRE(server->poll(deaf));
    REQUIRE(client->poll(deaf));
    REQUIRE_FALSE(client->waiting_connect());
  }
  std::optional<Link> server, client;
};

Large counting() {
  Large large;
  std::iota(large.words.begin(), large.words.end(), 0U);
  return large;
}

PeerCredentials somebody_else(PeerCredentials who) {
  ++who.uid;
  return who;
}

const auto deaf = [](Bytes) {};

}  // namespace

TEST_CASE("a kernel without regions carries everything inline", "[mach_transport]") {
  Pair<Channel<BasicMachTransport<LeastKernel, InlineOnly>, TrivialSerializer<Small, Large>>> pair;
  const auto sent = std::make_unique<Large>(counting());
  REQUIRE(pair.client->send(Small{{1, 2, 3, 4}}));
  REQUIRE(pair.client->send(*sent));
  int small = 0;
  bool large = false;
  strait::overloaded listener{
      [&](const Small& message) { small += static_cast<int>(message.words[3]); },
      [&](const Large& message) { large = message.words == sent->words; }};
  while (!large) {
    REQUIRE(pair.server->poll(listener));
    if (!large) REQUIRE(pair.client->flush(0ms).error() != Errc::peer_closed);
  }
  CHECK(small == 4);
}

TEST_CASE("a raw channel over a kernel without regions carries everything inline",
          "[mach_transport]") {
  Pair<Channel<BasicMachTransport<LeastKernel, InlineOnly>, RawSerializer>> pair;
  const std::vector<std::byte> message(100'000, std::byte{3});
  REQUIRE(pair.client->send(message));
  std::size_t got = 0;
  CHECK(pair.server->poll([&](Bytes bytes) { got = bytes.size(); }).value() == 1);
  CHECK(got == message.size());
}

// That the next two compile is the proof: each use of these regions is an error. (A whole channel
// over a policy with regions needs them for what it had to queue, whatever its types; so there only
// the making of a region from a message that is being sent can be left out.)
TEST_CASE("sending a small type never compiles the way out of line", "[mach_transport]") {
  using Transport = BasicMachTransport<NoRegionsKernel, OolThreshold<1024>>;
  const auto send = [](Transport& transport, const Small& message,
                       strait::detail::FrameQueue& queue) {
    return transport.send(strait::detail::payload_of<TrivialSerializer<Small, Large>>(message),
                          queue);
  };
  const auto name = strait_test::unique_name("pair");
  auto server = Transport::listen(name, {}).value();
  auto client = Transport::look_up(name).value().hello(std::array{std::byte{1}}).value();
  auto link = server.accept().value();
  auto connected = std::move(link).welcome(strait::detail::encode_welcome({}).bytes()).value();
  REQUIRE(client.welcome());
  strait::detail::FrameQueue queue;
  CHECK(send(client, Small{{7, 0, 0, 0}}, queue));
  CHECK(connected.readable());
}

TEST_CASE("a channel of small types never compiles the making of regions", "[mach_transport]") {
  using Serializer = FixedSerializer<1000>;
  Pair<Channel<BasicMachTransport<NoFilledRegionsKernel, OolThreshold<1024>>, Serializer>> pair;
  REQUIRE(pair.client->send(Serializer::Message{std::byte{7}}));
  std::byte got{};
  const auto listener = [&](const Serializer::Message& message) { got = message.fill; };
  CHECK(pair.server->poll(listener).value() == 1);
  CHECK(got == std::byte{7});
}

TEST_CASE("a name that somebody else holds gets no token", "[mach_transport][credentials]") {
  Script::Scope script;
  script->owner_of_name = somebody_else;
  using Link = Channel<BasicMachTransport<ScriptedKernel>, RawSerializer>;
  const auto name = strait_test::unique_name("squatted");
  const auto token = Token::generate().value();
  auto squatter = Link::listen(name, token).value();
  CHECK(Link::connect(name, token).error() == Errc::permission_denied);
  CHECK(Link::connect(name, token, 1h).error() == Errc::permission_denied);
  CHECK(script->requests_sent == 0);

  using Anybody = Channel<BasicMachTransport<ScriptedKernel>, RawSerializer,
                          ChannelOptions{.peers = strait::PeerPolicy::any_user}>;
  CHECK(Anybody::connect(name, token));
  CHECK(script->requests_sent == 1);
}

TEST_CASE("a client of somebody else is refused though it knows the token, and the server waits on",
          "[mach_transport][credentials]") {
  Script::Scope script;
  script->sender_of_request = somebody_else;
  using Link =
      Channel<BasicMachTransport<ScriptedKernel>, RawSerializer, ChannelOptions{}, Refusals>;
  const auto name = strait_test::unique_name("stranger");
  const auto token = Token::generate().value();
  auto server = Link::listen(name, token).value();
  auto stranger = Link::connect(name, token).value();
  CHECK(server.poll(deaf).value() == 0);
  CHECK(server.waiting_connect());
  REQUIRE(server.observer().seen.size() == 1);
  CHECK(server.observer().seen[0].why == Errc::permission_denied);
  CHECK(server.observer().seen[0].who.uid == ::geteuid() + 1);
  // Not a word to a stranger, not even why.
  CHECK(stranger.wait(deaf, 1h).error() == Errc::refused);

  script->sender_of_request = nullptr;
  auto client = Link::connect(name, token).value();
  CHECK(server.poll(deaf).value() == 0);
  CHECK_FALSE(server.waiting_connect());
  CHECK(server.peer().credentials.uid == ::geteuid());
  CHECK(client.poll(deaf));
  CHECK_FALSE(client.waiting_connect());
}

TEST_CASE("a flush sees room that came just before it went to sleep", "[mach_transport]") {
  Script::Scope script;
  Pair<Channel<BasicMachTransport<ScriptedKernel, InlineOnly, strait::Block>, RawSerializer>> pair;
  const std::vector<std::byte> message(30'000);
  while (pair.client->queued_bytes() == 0) REQUIRE(pair.client->send(message));
  // The other side reads all that there is between the look for room and the wish for a wake-up.
  script->before_arm_for_room = [&] { REQUIRE(pair.server->poll(deaf)); };
  CHECK(pair.client->flush(20s));
}

TEST_CASE("a flush is woken by room also while messages wait to be read", "[mach_transport]") {
  Script::Scope script;
  Pair<Channel<BasicMachTransport<ScriptedKernel, InlineOnly, strait::Block>, RawSerializer>> pair;
  const std::vector<std::byte> message(30'000);
  REQUIRE(pair.server->send(message));
  while (pair.client->queued_bytes() == 0) REQUIRE(pair.client->send(message));
  script->before_arm_for_room = [&] { REQUIRE(pair.server->poll(deaf)); };
  CHECK(pair.client->flush(20s));
  CHECK(pair.client->poll(deaf).value() == 1);
}

TEST_CASE("a client with something to say sleeps until it is welcome", "[mach_transport]") {
  Script::Scope script;
  int looks_for_room = 0;
  script->before_arm_for_room = [&] { ++looks_for_room; };
  using Link = Channel<BasicMachTransport<ScriptedKernel>, RawSerializer>;
  const auto name = strait_test::unique_name("pair");
  const auto token = Token::generate().value();
  auto server = Link::listen(name, token).value();
  auto client = Link::connect(name, token).value();
  REQUIRE(client.send(std::array{std::byte{1}}));
  CHECK(client.wait(deaf, 2ms).value() == 0);
  CHECK(client.flush(2ms).error() == Errc::timed_out);
  CHECK(looks_for_room == 0);
  REQUIRE(server.poll(deaf));
  CHECK(client.flush(1h));
  CHECK(server.poll(deaf).value() == 1);
}
