#include <strait/os/posix/close_unseen.hpp>

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <strait/os/posix/socket.hpp>

#include <array>
#include <chrono>
#include <optional>
#include <vector>

#include "conformance/rights.hpp"
#include "strait/transports/mach.hpp"
#include "support/catch.hpp"

using namespace strait_test;
using strait::os::UnseenDescriptor;

namespace {

/// A connected TCP socket with bytes under way that are not taken: its last `close` waits until
/// they are, or a minute.
struct LingeringSocket {
  LingeringSocket() {
    const Descriptor listening(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int room = 2048;
    ::setsockopt(listening.get(), SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* where = reinterpret_cast<sockaddr*>(&address);
    REQUIRE(::bind(listening.get(), where, size) == 0);
    REQUIRE(::listen(listening.get(), 1) == 0);
    REQUIRE(::getsockname(listening.get(), where, &size) == 0);
    near.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(::connect(near.get(), where, size) == 0);
    far.reset(::accept4(listening.get(), nullptr, nullptr, SOCK_CLOEXEC));
    REQUIRE(far);
    REQUIRE(::fcntl(near.get(), F_SETFL, O_NONBLOCK) == 0);
    const std::vector<std::byte> junk(1 << 16);
    while (::send(near.get(), junk.data(), junk.size(), MSG_NOSIGNAL) > 0) {
    }
    const linger minute{1, 60};
    REQUIRE(::setsockopt(near.get(), SOL_SOCKET, SO_LINGER, &minute, sizeof minute) == 0);
  }

  Descriptor near;
  Descriptor far;
};

template <class Act>
bool is_quick(Act&& act) {
  const auto start = Clock::now();
  act();
  return Clock::now() - start < 20s;
}

}  // namespace

TEST_CASE("closing what a peer sent does not wait for its peer's peer", "[close_unseen][hostile]") {
  LingeringSocket socket;
  CHECK(is_quick([&] { UnseenDescriptor unseen(std::move(socket.near)); }));
  LingeringSocket many[3];
  CHECK(is_quick([&] {
    strait::os::DescriptorQueue queue;
    for (auto& each : many) queue.push(std::move(each.near));
  }));
}

TEST_CASE("a memory file is closed at once", "[close_unseen]") {
  const int fd = ::memfd_create("strait-test", MFD_CLOEXEC);
  REQUIRE(fd >= 0);
  CHECK(strait::os::closes_at_once(fd));
  strait::os::close_unseen(fd);
  CHECK(::fcntl(fd, F_GETFD) == -1);
  const auto null = strait::os::open("/dev/null", O_RDONLY).value();
  CHECK_FALSE(strait::os::closes_at_once(null.get()));
}

TEST_CASE("more than can be waited for stays away from this process", "[close_unseen]") {
  CHECK(strait::os::can_close_unseen(2 * strait::os::max_descriptors));
  CHECK(strait::os::can_close_unseen(strait::os::BackgroundCloser::capacity));
  CHECK_FALSE(strait::os::can_close_unseen(strait::os::BackgroundCloser::capacity + 1));
}

TEMPLATE_TEST_CASE("rights that a listener does not take hold up nothing when they linger",
                   "[close_unseen][hostile][rights]", strait::SocketTransport,
                   strait::MachTransport<>) {
  using Link = RawLink<TestType>;
  LingeringSocket socket;
  auto ends = Ends<Link>::make();
  Rights rights;
  REQUIRE(rights.add(std::move(socket.near)));
  REQUIRE(ends.near.send(pattern(10), std::move(rights)));
  Inbox deaf_to_rights;
  CHECK(is_quick([&] {
    CHECK(
        poll_until(ends.far, deaf_to_rights, [&] { return deaf_to_rights.messages.size() == 1; }));
  }));
}

TEMPLATE_TEST_CASE("the end of a channel does not wait for what lies in it unread",
                   "[close_unseen][hostile][rights]", strait::SocketTransport,
                   strait::MachTransport<>) {
  using Link = RawLink<TestType>;
  LingeringSocket socket;
  std::optional<Ends<Link>> ends(Ends<Link>::make());
  Rights rights;
  REQUIRE(rights.add(std::move(socket.near)));
  REQUIRE(ends->near.send(pattern(10), std::move(rights)));
  CHECK(is_quick([&] { ends.reset(); }));
}
