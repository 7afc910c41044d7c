// Processes that break the rules and die, and systems that forbid what is needed.

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <filesystem>
#include <iterator>
#include <thread>
#include <vector>

#include "conformance/rights.hpp"
#include "process/peers.hpp"
#include "strait/acceptor.hpp"
#include "strait/transports/mach.hpp"
#include "support/hostile_peer.hpp"

using namespace strait_test;

namespace {

using MachLink = RawLink<strait::MachTransport<>>;

/// Connects by hand, sends the other side this side's own end without a record, and dies.
const ChildRole zombie_role("hostile.zombie", [](const ChildArguments&) {
  const auto rendezvous = Rendezvous::take_over();
  const auto address = strait::linux_mach::Address::of(rendezvous.name).value();
  const auto socket = strait::linux_mach::new_socket().value();
  child::require(::connect(socket.get(), address.get(), address.size) == 0, "found");
  const auto hello = RawClient::hello_of<MachLink>(rendezvous.token);
  child::require(strait::os::send_packet(socket.get(), hello.bytes()).has_value(), "Hello");
  const strait::Interests welcome_comes{strait::Interest::to_read(socket.get())};
  child::require(strait::os::wait_for(welcome_comes, strait::detail::Deadline::after(long_enough))
                     .has_value());
  strait::os::DescriptorQueue lanes;
  std::array<std::byte, 128> bytes;
  child::require(strait::os::receive_packet(socket.get(), bytes, lanes).has_value(), "lanes");
  child::require(lanes.size() == 3, "three descriptors");
  const std::array own{lanes.at(0)};
  child::require(strait::os::send_packet(own[0], std::array{std::byte{0}}, own).has_value(),
                 "sent");
  return 0;
});

/// The same over a socket, with half a message.
const ChildRole half_zombie_role("hostile.half_zombie", [](const ChildArguments&) {
  const auto rendezvous = Rendezvous::take_over();
  auto server = strait::SocketTransport::look_up(rendezvous.name).value();
  const auto hello =
      strait::detail::encode_hello(strait::RawSerializer::schema_hash, rendezvous.token);
  auto link = std::move(server).hello(hello.bytes()).value();
  const auto end = Clock::now() + long_enough;
  while (!link.welcome() && Clock::now() < end) {
  }
  const auto right = link.detach().value();
  const strait::detail::FrameHeader half{100, 0, 0, 1};
  const std::array own{right.descriptor.get()};
  child::require(
      strait::os::send_packet(right.descriptor.get(), std::as_bytes(std::span(&half, 1)), own)
          .has_value(),
      "sent");
  return 0;
});

std::size_t open_descriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

/// A message of more descriptors than this user may have under way.
const ChildRole crowded_role("hostile.crowded", [](const ChildArguments&) {
  // Descriptors under way are counted by user: this one is nobody else's, and no other test's.
  if (::geteuid() == 0) {
    const auto alone = static_cast<uid_t>(30'000 + ::getpid() % 30'000);
    child::require(::setgid(alone) == 0 && ::setuid(alone) == 0, "to be a user of its own");
  }
  const rlimit few{64, 64};
  child::require(::setrlimit(RLIMIT_NOFILE, &few) == 0, "a limit");
  auto hog = strait::os::socket_pair(SOCK_STREAM).value();
  const auto file = strait::os::open("/dev/null", O_RDONLY).value();
  const std::vector<int> some(30, file.get());
  int packets = 0;
  while (strait::os::send_packet(hog[0].get(), std::array{std::byte{0}}, some)) ++packets;
  child::require(packets != 0, "something under way");
  for (const bool mach : {true, false}) {
    const auto run = [&](auto ends) {
      Rights rights;
      child::require(rights.add(strait::SharedMemory::create(8).value()).has_value());
      // No room is no error, and nothing overtakes.
      child::require(ends.near.send(pattern(1), std::move(rights)).has_value(), "queued");
      child::require(ends.near.send(pattern(2)).has_value(), "queued behind");
      child::require(ends.near.queued_bytes() != 0, "waiting");
      child::require(!ends.near.flush(std::chrono::milliseconds{30}).has_value(), "still waiting");
      strait::os::DescriptorQueue arrived;
      std::array<std::byte, 1> byte;
      for (int i = 0; i != packets; ++i) {
        // What arrived before is closed by another thread, and there is room for no more than once
        // as many.
        const auto patience = strait::detail::Deadline::after(long_enough);
        while (open_descriptors() >= 32 && !patience.passed()) std::this_thread::yield();
        child::require(strait::os::receive_packet(hog[1].get(), byte, arrived).has_value(),
                       "arrived");
        arrived.truncate(0);
      }
      child::require(ends.near.flush(long_enough).has_value(), "gone");
      child::require(
          poll_until(ends.far, ends.at_far, [&] { return ends.at_far.messages.size() == 2; }),
          "heard");
      child::require(ends.at_far.rights[0].size() == 1, "with its right");
      for (int i = 0; i != packets; ++i) {
        child::require(
            strait::os::send_packet(hog[0].get(), std::array{std::byte{0}}, some).has_value());
      }
    };
    mach ? run(Ends<MachLink>::make()) : run(Ends<RawLink<strait::SocketTransport>>::make());
  }
  return 0;
});

void forbid_memory_files() {
  std::array filter{
      sock_filter{BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, nr)},
      sock_filter{BPF_JMP | BPF_JEQ | BPF_K, 0, 1, SYS_memfd_create},
      sock_filter{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | EPERM},
      sock_filter{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW},
  };
  const sock_fprog program{filter.size(), filter.data()};
  child::require(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "no new privileges");
  child::require(::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0, "a filter");
}

const ChildRole sandboxed_server_role(
    "hostile.sandboxed_server", [](const ChildArguments& arguments) {
      const auto rendezvous = Rendezvous::take_over();
      forbid_memory_files();
      const auto deaf = [](auto&&...) {};
      if (arguments.at(0) == "acceptor") {
        auto server = strait::Acceptor<MachLink>::listen(rendezvous.name, rendezvous.token).value();
        child::write_line("listening");
        child::require(server.run(deaf).error() == std::errc::operation_not_permitted,
                       "run says why");
      } else {
        auto server = MachLink::listen(rendezvous.name, rendezvous.token).value();
        child::write_line("listening");
        child::require(server.wait(deaf, long_enough).error() == std::errc::operation_not_permitted,
                       "wait says why");
      }
      return 0;
    });

const ChildRole sandboxed_client_role("hostile.sandboxed_client", [](const ChildArguments&) {
  const auto rendezvous = Rendezvous::take_over();
  forbid_memory_files();
  auto link = MachLink::connect(rendezvous.name, rendezvous.token, long_enough);
  child::require(link.has_value(), "connected");
  child::require(link->send(pattern(100'000)).has_value(), "sent");
  child::require(link->flush(long_enough).has_value(), "flushed");
  const auto deaf = [](View) {};
  child::require(link->run(deaf).error() == Errc::peer_closed, "the end");
  return 0;
});

}  // namespace

TEMPLATE_TEST_CASE("a client that has sent its own end and died is noticed", "[process][hostile]",
                   strait::MachTransport<>, strait::SocketTransport) {
  using Link = RawLink<TestType>;
  const bool socket = std::is_same_v<TestType, strait::SocketTransport>;
  const Rendezvous rendezvous;
  auto server = strait::Acceptor<Link>::listen(rendezvous.name, rendezvous.token).value();
  auto child = Child::spawn(socket ? "hostile.half_zombie" : "hostile.zombie");
  rendezvous.hand_over(child);
  struct Listener {
    std::error_code why;
    void operator()(Link&, View) {}
    void on_closed(Link&, std::error_code ended) { why = ended; }
  } listener;
  const auto end = Clock::now() + long_enough;
  while (!listener.why && Clock::now() < end) REQUIRE(server.wait(listener, 1s));
  CHECK(listener.why == Errc::peer_closed);
  CHECK(server.size() == 0);
  CHECK(child.wait().success());
}

TEST_CASE("too many descriptors of this user under way is no room now, and passes",
          "[process][rights][serial]") {
  auto child = Child::spawn("hostile.crowded");
  CHECK(child.wait(60s).success());
}

TEST_CASE("a server that may make no memory is told so", "[process][sandbox]") {
  for (const char* kind : {"channel", "acceptor"}) {
    CAPTURE(kind);
    const Rendezvous rendezvous;
    auto child = Child::spawn("hostile.sandboxed_server", {kind});
    rendezvous.hand_over(child);
    REQUIRE(child.read_line() == "listening");
    CHECK_FALSE(MachLink::connect(rendezvous.name, rendezvous.token, 300ms));
    CHECK(child.wait().success());
  }
}

TEST_CASE("a client that may make no memory talks over its server's", "[process][sandbox]") {
  const Rendezvous rendezvous;
  auto server = MachLink::listen(rendezvous.name, rendezvous.token).value();
  auto child = Child::spawn("hostile.sandboxed_client");
  rendezvous.hand_over(child);
  Inbox inbox;
  while (inbox.messages.empty()) REQUIRE(server.wait(inbox, long_enough));
  CHECK(inbox.messages[0].size() == 100'000);
  server.close();
  CHECK(child.wait().success());
}
