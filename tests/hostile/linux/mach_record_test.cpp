// Peers that are through the handshake and then break the rules of a lane. What came before is
// delivered, then there is a typed error, and it stays.

#include <strait/channel.hpp>
#include <strait/serializers/raw.hpp>
#include <strait/serializers/trivial.hpp>
#include <strait/transports/mach.hpp>

#include <atomic>
#include <chrono>
#include <functional>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "support/hostile_peer.hpp"
#include "support/runtime_dir.hpp"

using strait::ChannelOptions;
using strait::Errc;
using strait::MessageHeader;
using strait::Token;
using namespace strait_test;
using namespace std::chrono_literals;

namespace {

using Bytes = std::span<const std::byte>;
using strait::detail::OolReference;
using Place = OolReference::Place;
constexpr ChannelOptions limits{.max_message_bytes = std::size_t{1} << 20};
using Link = strait::Channel<strait::MachTransport<>, strait::RawSerializer, limits>;

const auto deaf = [](Bytes) {};
constexpr std::array<std::byte, 8> eight{};
constexpr std::uint64_t published = strait::linux_mach::detail::published_bit;

MessageHeader header(std::uint8_t kind, std::size_t bytes = 0, std::uint8_t descriptors = 0,
                     std::uint16_t tag = 0) {
  return {static_cast<std::uint32_t>(bytes), tag, kind, descriptors};
}

struct Connected {
  std::string name = unique_name("hostile");
  Token token = Token::generate().value();
  Link link = Link::listen(name, token).value();
  RawClient peer{link, deaf, name, token};

  /// The error that ends the channel, and how many messages came before it.
  std::error_code end() {
    for (int i = 0; i != 100'000; ++i) {
      const auto handled = link.poll([&](Bytes) { ++messages; });
      if (handled) continue;
      CHECK(link.poll(deaf).error() == handled.error());
      CHECK(link.wait(deaf, 1h).error() == handled.error());
      CHECK(link.send(eight).error() == handled.error());
      return handled.error();
    }
    return {};
  }
  int messages = 0;

  void region(std::uint64_t size, int fd, Place place = Place::once, std::uint32_t slot = 0) {
    REQUIRE(peer.pass(std::array{fd}));
    note({size, slot, place}, 1);
  }
  void note(const OolReference& note, std::uint8_t descriptors, std::uint8_t kind = region_kind) {
    peer.out.ring.write(header(kind, sizeof note, descriptors), note.bytes_of());
  }
  void patch_region(std::uint32_t slot, std::uint64_t offset, std::size_t size,
                    std::uint8_t descriptors = 0) {
    const strait::detail::PatchHeader to{offset, slot, 0};
    std::vector<std::byte> body(sizeof to + size, std::byte{0x5a});
    std::memcpy(body.data(), &to, sizeof to);
    peer.out.ring.write(header(patch, static_cast<std::uint32_t>(body.size()), descriptors), body);
  }
  static constexpr auto region_kind = strait_test::region;
};

/// A good message, then what `attack` does.
std::error_code end_of(const std::function<void(Connected&)>& attack) {
  Connected channel;
  channel.peer.out.ring.write(header(whole, 8), eight);
  attack(channel);
  const auto error = channel.end();
  CHECK(channel.messages == 1);
  return error;
}

}  // namespace

TEST_CASE("a peer that keeps the rules by hand is heard", "[hostile][mach]") {
  Connected channel;
  auto& ring = channel.peer.out.ring;
  ring.write(header(whole, 8), eight);
  ring.write(header(fragment, 8), eight);
  ring.write(header(fragment, 8), eight);
  ring.write(header(last_fragment, 8), eight);
  const auto file = memory_file(5000, strait::linux_mach::seals_of_content);
  channel.region(5000, file.get());
  ring.write(header(whole, 0));
  std::vector<std::size_t> sizes;
  CHECK(channel.link.poll([&](Bytes bytes) { sizes.push_back(bytes.size()); }).value() == 4);
  CHECK(sizes == std::vector<std::size_t>{8, 24, 5000, 0});
  CHECK(channel.link.send(eight));
  std::vector<std::byte> body;
  CHECK(channel.peer.in.ring.read(&body)->kind == whole);
  CHECK(body.size() == 8);
}

TEST_CASE("a record header that makes no sense ends the channel", "[hostile][mach]") {
  for (const std::uint64_t word :
       {published | 0xffff'ffff | std::uint64_t{whole} << 48,
        // One byte more than a record can have in the ring of this channel.
        published | (strait::linux_mach::max_record_bytes(std::size_t{1} << 20) + 1) |
            std::uint64_t{whole} << 48,
        std::uint64_t{whole} << 48 | 8, std::uint64_t{1}, ~std::uint64_t{0}, published,
        published | std::uint64_t{7} << 48, published | std::uint64_t{255} << 48,
        published | std::uint64_t{welcome} << 48, published | std::uint64_t{refusal} << 48,
        published | std::uint64_t{region} << 48,
        published | std::uint64_t{1} << 56 | std::uint64_t{whole} << 48,
        published | std::uint64_t{127} << 56 | std::uint64_t{fragment} << 48}) {
    CAPTURE(word);
    CHECK(end_of([&](Connected& c) { c.peer.out.ring.write_word(word); }) == Errc::malformed);
  }
}

TEST_CASE("a message that begins inside of another one ends the channel", "[hostile][mach]") {
  CHECK(end_of([](Connected& c) {
          c.peer.out.ring.write(header(fragment, 8), eight);
          c.peer.out.ring.write(header(whole, 8), eight);
        }) == Errc::malformed);
  CHECK(end_of([](Connected& c) {
          c.peer.out.ring.write(header(fragment, 8), eight);
          const auto file = memory_file(8, strait::linux_mach::seals_of_content);
          c.region(8, file.get());
        }) == Errc::malformed);
}

TEST_CASE("a second handshake ends the channel", "[hostile][mach]") {
  const auto answer = strait::detail::encode_welcome({});
  for (const auto kind : {welcome, refusal}) {
    CHECK(end_of([&](Connected& c) {
            const auto sockets = socket_pair();
            const RawLane in(std::size_t{1} << 20);
            const RawLane out(std::size_t{1} << 20);
            REQUIRE(c.peer.pass(std::array{sockets[0].get(), in.memory.get(), out.memory.get()}));
            c.peer.out.ring.write(header(kind, 16, 3), answer.bytes());
          }) == Errc::malformed);
  }
}

TEST_CASE("a region record without its region ends the channel", "[hostile][mach]") {
  for (const auto place : {Place::once, Place::fresh, Place::cached}) {
    for (const bool one : {false, true}) {
      CHECK(end_of([&](Connected& c) { c.note({100, 0, place}, one); }) == Errc::malformed);
    }
  }
  const auto file = memory_file(100, strait::linux_mach::seals_of_content);
  for (const unsigned wrong : {0U, 8U, 15U, 17U, 32U}) {
    const std::vector<std::byte> other(wrong);
    CHECK(end_of([&](Connected& c) {
            REQUIRE(c.peer.pass(std::array{file.get()}));
            c.peer.out.ring.write(header(region, wrong, 1), other);
          }) == Errc::malformed);
  }
}

TEST_CASE("a region that is not what it claims ends the channel", "[hostile][mach]") {
  const auto with = [](std::uint64_t size, const Descriptor& file) {
    return end_of([&](Connected& c) { c.region(size, file.get()); });
  };
  const unsigned all = strait::linux_mach::seals_of_content;
  CHECK(with(4096, memory_file(4096, 0)) == Errc::bad_region);
  CHECK(with(4096, memory_file(4096, strait::linux_mach::seals_of_size)) == Errc::bad_region);
  CHECK(with(4097, memory_file(4096, all)) == Errc::bad_region);
  CHECK(with(1, memory_file(0, all)) == Errc::bad_region);
  CHECK(with(8, strait::os::open("/dev/zero", O_RDWR).value()) == Errc::bad_region);
  CHECK(with(8, socket_pair()[0]) == Errc::bad_region);
  for (const std::uint64_t huge :
       {std::uint64_t{1} << 63, ~std::uint64_t{0}, std::uint64_t{limits.max_message_bytes} + 1}) {
    CHECK(with(huge, memory_file(4096, all)) == Errc::message_too_large);
  }
}

TEST_CASE("a region is kept where there is a place for it, and found there", "[hostile][mach]") {
  Connected channel;
  const auto file = memory_file(5000, strait::linux_mach::seals_of_content);
  std::vector<std::size_t> sizes;
  const auto listener = [&](Bytes bytes) { sizes.push_back(bytes.size()); };
  for (std::uint32_t slot = 0; slot != strait::detail::kept_regions; ++slot) {
    channel.region(5000, file.get(), Place::fresh, slot);
    channel.region(100 + slot, file.get(), Place::fresh, slot);
    channel.note({100 + slot, slot, Place::cached}, 0);
  }
  CHECK(channel.link.poll(listener).value() == 3 * strait::detail::kept_regions);
  CHECK(sizes.back() == 100 + strait::detail::kept_regions - 1);
  channel.note({0, 3, Place::once}, 0, forget);
  channel.note({103, 3, Place::cached}, 0);
  CHECK(channel.link.poll(listener).error() == Errc::malformed);
}

TEST_CASE("a patch changes what is kept, within its bounds, and nothing else", "[hostile][mach]") {
  const auto file = memory_file(5000, strait::linux_mach::seals_of_content);
  Connected channel;
  std::vector<std::byte> seen;
  const auto listener = [&](Bytes bytes) { seen.assign(bytes.begin(), bytes.end()); };
  channel.region(5000, file.get(), Place::fresh, 2);
  CHECK(channel.link.poll(listener).value() == 1);
  auto expected = seen;
  channel.patch_region(2, 4990, 10);
  channel.patch_region(2, 0, 1);
  channel.patch_region(2, 5000, 0);
  CHECK(channel.link.poll(listener).value() == 0);  // it is no message
  channel.note({5000, 2, Place::cached}, 0);
  CHECK(channel.link.poll(listener).value() == 1);
  std::fill(expected.begin() + 4990, expected.end(), std::byte{0x5a});
  expected[0] = std::byte{0x5a};
  CHECK(seen == expected);

  const auto end_after = [&](std::uint32_t slot, std::uint64_t offset, std::size_t size,
                             std::uint8_t descriptors) {
    return end_of([&](Connected& c) {
      c.region(5000, file.get(), Place::fresh, 2);
      CHECK(c.link.poll(deaf).value() == 2);
      c.messages = 1;
      c.patch_region(slot, offset, size, descriptors);
    });
  };
  CHECK(end_after(2, 4991, 10, 0) == Errc::malformed);
  CHECK(end_after(2, 5001, 0, 0) == Errc::malformed);
  CHECK(end_after(2, ~std::uint64_t{0}, 1, 0) == Errc::malformed);
  CHECK(end_after(2, ~std::uint64_t{0} - 7, 16, 0) == Errc::malformed);
  CHECK(end_after(3, 0, 1, 0) == Errc::malformed);
  CHECK(end_after(strait::detail::kept_regions, 0, 1, 0) == Errc::malformed);
  CHECK(end_after(~std::uint32_t{0}, 0, 1, 0) == Errc::malformed);
  CHECK(end_after(2, 0, 1, 1) == Errc::malformed);
  // Too short to say where it belongs.
  CHECK(end_of([](Connected& c) { c.peer.out.ring.write(header(patch, 8), eight); }) ==
        Errc::malformed);
  // In the middle of another message.
  CHECK(end_of([&](Connected& c) {
          c.region(5000, file.get(), Place::fresh, 2);
          CHECK(c.link.poll(deaf).value() == 2);
          c.messages = 1;
          c.peer.out.ring.write(header(fragment, 8), eight);
          c.patch_region(2, 0, 1);
        }) == Errc::malformed);
}

TEST_CASE("a place that can't be, or is empty, ends the channel", "[hostile][mach]") {
  const auto file = memory_file(4096, strait::linux_mach::seals_of_content);
  const auto slots = static_cast<std::uint32_t>(strait::detail::kept_regions);
  for (const std::uint32_t slot : {slots, slots + 1, ~std::uint32_t{0}}) {
    CHECK(end_of([&](Connected& c) { c.region(4096, file.get(), Place::fresh, slot); }) ==
          Errc::malformed);
    CHECK(end_of([&](Connected& c) { c.note({4096, slot, Place::cached}, 0); }) == Errc::malformed);
    CHECK(end_of([&](Connected& c) {
            c.note({0, slot, Place::once}, 0, forget);
          }) == Errc::malformed);
  }
  CHECK(end_of([&](Connected& c) { c.region(4096, file.get(), Place{3}); }) == Errc::malformed);
  CHECK(end_of([&](Connected& c) { c.note({0, 0, Place::once}, 1, forget); }) == Errc::malformed);
  // Of another size than what lies there.
  for (const std::uint64_t size : {0u, 4095u, 4097u}) {
    Connected channel;
    channel.region(4096, file.get(), Place::fresh);
    channel.note({size, 0, Place::cached}, 0);
    CHECK(channel.end() == Errc::malformed);
    CHECK(channel.messages == 1);
  }
}

TEST_CASE("a loan for who has not agreed to any ends the channel", "[hostile][mach]") {
  const auto file = memory_file(8192, strait::linux_mach::seals_of_size);
  CHECK(end_of([&](Connected& c) {
          REQUIRE(c.peer.pass(std::array{file.get()}));
          c.note({4096, 0, Place::fresh}, 1, loan);
        }) == Errc::malformed);
}

TEST_CASE("a message that grows over the limit by fragments ends the channel where it does",
          "[hostile][mach]") {
  Connected channel;
  const std::vector<std::byte> piece(std::size_t{32} << 10);
  std::size_t sent = 0;
  std::error_code error;
  while (!error && sent < 16 * limits.max_message_bytes) {
    for (int i = 0; i != 2; ++i, sent += piece.size()) {
      channel.peer.out.ring.write(header(fragment, piece.size()), piece);
    }
    error = channel.link.poll(deaf).error();
  }
  CHECK(error == Errc::message_too_large);
  CHECK(sent <= limits.max_message_bytes + 2 * piece.size());
}

TEST_CASE("descriptors that come without records end the channel before they use up all",
          "[hostile][mach]") {
  Connected channel;
  channel.peer.out.ring.write(header(whole, 8), eight);
  const auto file = memory_file(8);
  const std::vector<int> many(200, file.get());
  for (int i = 0; i != 10; ++i) {
    if (!channel.peer.pass(many)) break;
  }
  CHECK(channel.end() == Errc::too_many_rights);
  CHECK(channel.messages == 1);
}

TEST_CASE("a packet with more than a doorbell in it ends the channel", "[hostile][mach]") {
  Connected channel;
  channel.peer.out.ring.write(header(whole, 8), eight);
  const std::vector<std::byte> large(1000);
  REQUIRE(channel.peer.pass({}, large));
  CHECK(channel.end() == Errc::malformed);
  CHECK(channel.messages == 1);
}

TEST_CASE("doorbells without end do not keep the channel from its user", "[hostile][mach]") {
  Connected channel;
  std::atomic<bool> stop = false;
  const auto flood = [&](int socket) {
    while (!stop) static_cast<void>(strait::os::send_packet(socket, RawClient::one_byte));
  };
  std::thread first(flood, channel.peer.socket.get());
  std::thread second(flood, channel.peer.socket.get());
  std::size_t handled = 0;
  bool good = true;
  for (int i = 0; i != 2000 && good; ++i) {
    if (i % 100 == 0) channel.peer.out.ring.write(header(whole, 8), eight);
    const auto now = channel.link.wait(deaf, 10us);
    good = now.has_value();
    handled += now.value_or(0);
  }
  stop = true;
  first.join();
  second.join();
  CHECK(good);
  CHECK(handled == 20);
}

TEST_CASE("a reader's index that can't be true ends the channel", "[hostile][mach]") {
  Connected channel;
  channel.peer.out.ring.write(header(whole, 8), eight);
  channel.peer.in.ring.control().head.store(std::uint64_t{1} << 40);
  const std::vector<std::byte> message(30'000);
  std::error_code sent;
  for (int i = 0; i != 100 && !sent; ++i) sent = channel.link.send(message).error();
  CHECK(sent == Errc::malformed);
  CHECK(channel.end() == Errc::malformed);
  CHECK(channel.messages == 1);
}

TEST_CASE("a reader's index that goes wrong while messages are queued ends the channel",
          "[hostile][mach]") {
  Connected channel;
  const std::vector<std::byte> message(30'000);
  while (channel.link.queued_bytes() == 0) REQUIRE(channel.link.send(message));
  channel.peer.out.ring.write(header(whole, 8), eight);
  channel.peer.in.ring.control().head.store(std::uint64_t{1} << 40);
  CHECK(channel.end() == Errc::malformed);
  CHECK(channel.messages == 1);
}

TEST_CASE("a peer that leaves while messages wait for it is gone after what it has sent",
          "[hostile][mach]") {
  Connected channel;
  channel.peer.out.ring.write(header(whole, 8), eight);
  channel.peer.socket.reset();
  const std::vector<std::byte> message(30'000);
  while (channel.link.queued_bytes() == 0) REQUIRE(channel.link.send(message));
  const auto listener = [&](Bytes) { ++channel.messages; };
  CHECK(channel.link.wait(listener, 1h).value() == 1);
  CHECK(channel.link.wait(listener, 1h).error() == Errc::peer_closed);
  CHECK(channel.end() == Errc::peer_closed);
  CHECK(channel.messages == 1);
}

TEST_CASE("a peer that no longer sends is gone after what it has sent", "[hostile][mach]") {
  Connected channel;
  channel.peer.out.ring.write(header(whole, 8), eight);
  const auto file = memory_file(50, strait::linux_mach::seals_of_content);
  channel.region(50, file.get());
  channel.peer.socket.reset();
  CHECK(channel.end() == Errc::peer_closed);
  CHECK(channel.messages == 2);
}

TEST_CASE("a message of no type, or of a wrong size for its type, ends the channel",
          "[hostile][mach]") {
  struct Ping {
    std::uint64_t id;
  };
  using Typed = strait::Channel<strait::MachTransport<>, strait::TrivialSerializer<Ping>>;
  for (const auto& [tag, size] : {std::pair{0, 7}, {0, 9}, {0, 0}, {1, 8}, {65535, 8}}) {
    const auto name = unique_name("hostile");
    const auto token = Token::generate().value();
    auto link = Typed::listen(name, token).value();
    int pings = 0;
    const auto listener = [&](const Ping&) { ++pings; };
    RawClient peer(link, listener, name, token);
    const std::vector<std::byte> body(static_cast<std::size_t>(size));
    peer.out.ring.write(header(whole, 8), eight);
    peer.out.ring.write(header(whole, body.size(), 0, static_cast<std::uint16_t>(tag)), body);
    CHECK(link.poll(listener).value() == 1);
    CHECK(link.poll(listener).error() == Errc::malformed);
    CHECK(pings == 1);
  }
}
