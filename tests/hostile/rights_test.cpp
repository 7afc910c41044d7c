// Peers that send descriptors by hand, and not by the rules. The check around each test sees that
// none is left.

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <vector>

#include "conformance/rights.hpp"
#include "strait/transports/socket.hpp"
#include "support/catch.hpp"

using namespace strait_test;
using strait::detail::FrameHeader;
using strait::detail::Right;
using strait::os::socket_pair;

namespace {

using Link = RawLink<strait::SocketTransport,
                     strait::ChannelOptions{.max_message_bytes = 1 << 20, .max_rights = 8}>;

Bytes frame(std::size_t size, std::uint8_t rights) {
  const FrameHeader header{static_cast<std::uint32_t>(size), 0, 0, rights};
  Bytes bytes = pattern(sizeof header + size);
  std::memcpy(bytes.data(), &header, sizeof header);
  return bytes;
}

/// Two pipes' worth of descriptors to send copies of.
struct Files {
  Descriptor file = strait::os::open("/dev/null", O_RDONLY).value();
  std::vector<int> copies(std::size_t count) const { return std::vector<int>(count, file.get()); }
};

/// One end is a channel, the other a socket in rogue hands.
struct Rogue {
  Rogue() {
    auto sockets = socket_pair(SOCK_STREAM).value();
    socket = std::move(sockets[0]);
    Right right{std::move(sockets[1])};
    link.emplace(Link::from_right(right).value());
  }
  void say(View bytes, std::span<const int> descriptors = {}) const {
    const iovec part{const_cast<std::byte*>(bytes.data()), bytes.size()};
    REQUIRE(strait::os::send_parts(socket.get(), {&part, 1}, descriptors).value() == bytes.size());
  }
  std::error_code end() { return poll_until_error(*link, inbox); }

  Descriptor socket;
  std::optional<Link> link;
  RightsInbox inbox;
};

Right right_of(Descriptor descriptor) { return {std::move(descriptor)}; }

/// A packed endpoint with these in its first packet.
Descriptor packed(std::span<const int> contents, std::size_t bytes = 1) {
  auto sockets = strait::os::packet_pair().value();
  REQUIRE(strait::os::send_packet(sockets[0].get(), pattern(bytes), contents));
  return std::move(sockets[1]);
}

}  // namespace

TEST_CASE("rights by the rules, by hand, are heard", "[hostile][rights]") {
  Rogue rogue;
  const Files files;
  rogue.say(frame(10, 2), files.copies(2));
  rogue.say(frame(0, 0));
  rogue.say(frame(0, 8), files.copies(8));
  REQUIRE(poll_until(*rogue.link, rogue.inbox, [&] { return rogue.inbox.messages.size() == 3; }));
  CHECK(rogue.inbox.rights[0].size() == 2);
  CHECK(rogue.inbox.rights[1].size() == 0);
  CHECK(rogue.inbox.rights[2].size() == 8);
}

TEST_CASE("a message that promises more rights than come is malformed", "[hostile][rights]") {
  Rogue rogue;
  const Files files;
  SECTION("none at all") { rogue.say(frame(10, 1)); }
  SECTION("one less") { rogue.say(frame(10, 3), files.copies(2)); }
  SECTION("in a large message") { rogue.say(frame(100'000, 3), files.copies(2)); }
  CHECK(rogue.end() == Errc::malformed);
  CHECK(rogue.inbox.messages.empty());
}

TEST_CASE("rights that no message asks for are malformed", "[hostile][rights]") {
  Rogue rogue;
  const Files files;
  const auto whole = frame(5000, 1);
  SECTION("with a message of none") { rogue.say(frame(10, 0), files.copies(1)); }
  SECTION("one more") { rogue.say(frame(10, 1), files.copies(2)); }
  SECTION("with a later byte of a message that has all of its own") {
    rogue.say(View(whole).first(2500), files.copies(1));
    CHECK(rogue.link->poll(rogue.inbox).value() == 0);
    rogue.say(View(whole).subspan(2500, 100), files.copies(1));
  }
  SECTION("with one byte of a header") {
    rogue.say(View(whole).first(1), files.copies(1));
    CHECK(rogue.link->poll(rogue.inbox).value() == 0);
    rogue.say(View(whole).subspan(1, 7), files.copies(1));
  }
  CHECK(rogue.end() == Errc::malformed);
}

TEST_CASE("more rights at once than any message has are too many", "[hostile][rights]") {
  Rogue rogue;
  const Files files;
  rogue.say(frame(10, 0), files.copies(253));
  CHECK(rogue.end() == Errc::too_many_rights);
}

TEST_CASE("rights in front of a message that comes later are found when they come too late",
          "[hostile][rights]") {
  // The first byte has them: half a header is no reason to turn them down.
  Rogue rogue;
  const Files files;
  const auto whole = frame(100, 1);
  rogue.say(View(whole).first(1), files.copies(1));
  CHECK(rogue.link->poll(rogue.inbox).value() == 0);
  rogue.say(View(whole).subspan(1));
  REQUIRE(rogue.link->poll(rogue.inbox).value() == 1);
  CHECK(rogue.inbox.rights[0].size() == 1);
  // And rights that come only with the end of their message still are its own.
  rogue.say(View(whole).first(50));
  CHECK(rogue.link->poll(rogue.inbox).value() == 0);
  rogue.say(View(whole).subspan(50), files.copies(1));
  REQUIRE(rogue.link->poll(rogue.inbox).value() == 1);
  CHECK(rogue.inbox.rights[1].size() == 1);
}

TEST_CASE("no flood of rights with the bytes of one message gets past the room for them",
          "[hostile][rights]") {
  Rogue rogue;
  const Files files;
  const auto header = frame(500'000, 127);
  rogue.say(View(header).first(8), files.copies(127));
  std::error_code ended;
  for (int i = 0; i != 20 && !ended; ++i) {
    const Bytes more = pattern(1000);
    const iovec part{const_cast<std::byte*>(more.data()), more.size()};
    const auto sent = strait::os::send_parts(rogue.socket.get(), {&part, 1}, files.copies(253));
    if (!sent) break;
    ended = rogue.link->poll(rogue.inbox).error();
  }
  CHECK(ended == Errc::too_many_rights);
}

TEST_CASE("more rights than the channel's limit, or than any, end it", "[hostile][rights]") {
  Rogue rogue;
  const Files files;
  SECTION("the channel's") {
    rogue.say(frame(10, 9), files.copies(9));
    CHECK(rogue.end() == Errc::too_many_rights);
  }
  SECTION("any") {
    rogue.say(frame(10, 128), files.copies(128));
    CHECK(rogue.end() == Errc::too_many_rights);
  }
}

TEST_CASE("rights for which this process has no descriptor left are lost, all of them",
          "[hostile][rights]") {
  Rogue rogue;
  const Files files;
  rogue.say(frame(10, 8), files.copies(8));
  rlimit limit;
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &limit) == 0);
  const int highest = ::dup(files.file.get());
  REQUIRE(::close(highest) == 0);
  rlimit tight = limit;
  tight.rlim_cur = static_cast<rlim_t>(highest + 5);
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &tight) == 0);
  const auto ended = rogue.link->poll(rogue.inbox).error();
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &limit) == 0);
  CHECK(ended == Errc::rights_lost);
  CHECK(rogue.link->poll(rogue.inbox).error() == Errc::rights_lost);
  CHECK(rogue.inbox.messages.empty());
}

TEST_CASE("a peer that dies in the middle of a message with rights leaves none of them",
          "[hostile][rights]") {
  Rogue rogue;
  const Files files;
  rogue.say(View(frame(1000, 4)).first(500), files.copies(4));
  if (GENERATE(false, true)) CHECK(rogue.link->poll(rogue.inbox).value() == 0);
  rogue.socket.reset();
  CHECK(rogue.end() == Errc::peer_closed);
}

TEST_CASE("what is no end of a channel is not taken for one", "[hostile][rights]") {
  const Files files;
  const auto attach = [](Descriptor descriptor) {
    Right right = right_of(std::move(descriptor));
    auto link = Link::from_right(right);
    CHECK(right.descriptor);
    return link ? std::error_code() : link.error();
  };
  CHECK(attach(strait::os::open("/dev/null", O_RDONLY).value()) == Errc::wrong_right);
  CHECK(attach(std::move(socket_pair(SOCK_DGRAM).value()[0])) == Errc::wrong_right);
  CHECK(attach(strait::os::stream_socket().value()) == Errc::wrong_right);
  CHECK(attach(Descriptor(::socket(AF_INET, SOCK_STREAM, 0))) == Errc::wrong_right);
  CHECK(attach(strait::os::create_memory_file("x", 1).value()) == Errc::wrong_right);
}

TEST_CASE("a packed endpoint with wrong contents is turned down", "[hostile][rights]") {
  const Files files;
  auto streams = socket_pair(SOCK_STREAM).value();
  auto packets = strait::os::packet_pair().value();
  const auto sealed = strait::os::memory_file_of(frame(10, 0)).value();
  const int stream = streams[0].get();
  const auto open = [](Descriptor descriptor) {
    Right right = right_of(std::move(descriptor));
    auto link = Link::from_right(right);
    return link ? std::error_code() : link.error();
  };
  CHECK_FALSE(open(packed(std::array{stream, sealed.get()})));
  CHECK(open(packed({})) == Errc::wrong_right);
  CHECK(open(packed(std::array{stream})) == Errc::wrong_right);
  CHECK(open(packed(std::array{stream, sealed.get(), sealed.get()})) == Errc::wrong_right);
  CHECK(open(packed(std::array{sealed.get(), stream})) == Errc::wrong_right);
  CHECK(open(packed(std::array{packets[0].get(), sealed.get()})) == Errc::wrong_right);
  CHECK(open(packed(std::array{stream, files.file.get()})) == Errc::bad_region);
  CHECK(open(packed(std::array{stream, sealed.get()}, 2)) == Errc::wrong_right);
  CHECK(open(std::move(packets[1])) == Errc::wrong_right);  // empty
}

TEST_CASE("the bytes in a packed endpoint are a peer's bytes", "[hostile][rights]") {
  const Files files;
  auto streams = socket_pair(SOCK_STREAM).value();
  auto sockets = strait::os::packet_pair().value();
  const auto pack = [&](View bytes, std::span<const std::size_t> rights) {
    const auto file = strait::os::memory_file_of(bytes).value();
    const std::array contents{streams[1].get(), file.get()};
    REQUIRE(strait::os::send_packet(sockets[0].get(), pattern(1), contents));
    for (const std::size_t count : rights) {
      REQUIRE(strait::os::send_packet(sockets[0].get(), pattern(1), files.copies(count)));
    }
    streams[1].reset();
    Right right = right_of(std::move(sockets[1]));
    return Link::from_right(right).value();
  };
  RightsInbox inbox;
  SECTION("nonsense") {
    auto link = pack(pattern(100), {});
    CHECK(poll_until_error(link, inbox));
  }
  SECTION("half a message, the rest of which comes by the socket") {
    const auto whole = frame(100, 2);
    auto link = pack(View(whole).first(50), std::array<std::size_t, 1>{2});
    CHECK(link.poll(inbox).value() == 0);
    const iovec rest{const_cast<std::byte*>(whole.data()) + 50, whole.size() - 50};
    REQUIRE(strait::os::send_parts(streams[0].get(), {&rest, 1}));
    REQUIRE(link.poll(inbox).value() == 1);
    CHECK(inbox.rights[0].size() == 2);
  }
  SECTION("rights without end") {
    const std::vector<std::size_t> many(10, 253);
    auto link = pack(frame(10, 1), many);
    CHECK(poll_until_error(link, inbox) == Errc::malformed);
  }
  SECTION("rights that nobody asks for") {
    auto link = pack(frame(10, 1), std::array<std::size_t, 2>{1, 1});
    CHECK(poll_until_error(link, inbox) == Errc::malformed);
    CHECK(inbox.messages.size() == 1);
  }
}

TEST_CASE("a peer that has the kernel add a descriptor of its process leaves none here",
          "[hostile][rights]") {
  auto sockets = socket_pair(SOCK_STREAM).value();
  // A copy of the socket that the peer had before it gave it away.
  const Descriptor kept(::fcntl(sockets[1].get(), F_DUPFD_CLOEXEC, 0));
  Right right{std::move(sockets[1])};
  auto link = Link::from_right(right).value();
  constexpr int pass_pidfd = 76;  // SO_PASSPIDFD, since Linux 6.5
  const int on = 1;
  if (::setsockopt(kept.get(), SOL_SOCKET, pass_pidfd, &on, sizeof on) != 0) {
    STRAIT_TEST_SKIP("this kernel has no SO_PASSPIDFD");
  }
  const auto count = [] {
    int open = 0;
    for (int fd = 0; fd != 1024; ++fd) open += ::fcntl(fd, F_GETFD) >= 0;
    return open;
  };
  const int before = count();
  RightsInbox inbox;
  const auto message = frame(0, 0);
  for (int i = 0; i != 100; ++i) {
    REQUIRE(::write(sockets[0].get(), message.data(), message.size()) == 8);
    REQUIRE(link.poll(inbox).value() == 1);
  }
  // They may be closed by a thread in the background.
  CHECK(repeat_until([&] { return count() == before; }));
}
