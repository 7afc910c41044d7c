// A limit on the size of files counts for memory files, too, and the kernel raises SIGXFSZ for what
// is over it: the library asks first, and what there is no room for is an error.

#include <sys/resource.h>

#include <cstdint>

#include "process/peers.hpp"
#include "strait/rights/semaphore.hpp"
#include "strait/rights/shared_memory.hpp"

using namespace strait_test;

namespace {

constexpr int too_large = 40;

void limit_files(rlim_t bytes) {
  const rlimit limit{bytes, bytes};
  child::require(::setrlimit(RLIMIT_FSIZE, &limit) == 0, "a limit");
}

template <class T>
int code_of(const strait::Result<T>& result) {
  if (result) return 1;
  return result.error() == std::errc::file_too_large ? too_large : 2;
}

const ChildRole memory_role("limit.memory", [](const ChildArguments&) {
  limit_files(1 << 20);
  if (!strait::SharedMemory::create(1 << 20)) return 3;
  return code_of(strait::SharedMemory::create((1 << 20) + 1));
});

const ChildRole semaphore_role("limit.semaphore", [](const ChildArguments&) {
  limit_files(0);
  return code_of(strait::Semaphore::create());
});

const ChildRole pair_role("limit.pair", [](const ChildArguments&) {
  limit_files(512 << 10);
  return code_of(RawLink<Mach>::pair());
});

const ChildRole client_role("limit.client", [](const ChildArguments&) {
  const auto rendezvous = Rendezvous::take_over();
  limit_files(512 << 10);
  auto link = ProcessLink<Mach>::connect(rendezvous.name, rendezvous.token, long_enough);
  return link && link->send(pattern(100)) ? 0 : code_of(link);
});

const ChildRole server_role("limit.server", [](const ChildArguments&) {
  const auto rendezvous = Rendezvous::take_over();
  limit_files(512 << 10);
  auto link = ProcessLink<Mach>::listen(rendezvous.name, rendezvous.token).value();
  child::write_line("ready");
  Inbox inbox;
  const std::error_code ended = wait_until_error(link, inbox);
  return ended == std::errc::file_too_large ? too_large : 2;
});

/// Sends the parent a large message, as lvalue and in a buffer for it, with a limit that came after
/// the handshake.
const ChildRole sender_role("limit.sender", [](const ChildArguments& arguments) {
  return with_transport(
      arguments.at(0),
      []<class T> {
        const auto rendezvous = Rendezvous::take_over();
        auto link = RawLink<T>::connect(rendezvous.name, rendezvous.token, long_enough).value();
        Inbox inbox;
        if (!wait_while(link, inbox, [&] { return link.waiting_connect(); })) return 1;
        limit_files(4096);
        const Bytes large = pattern(1 << 20);
        if (!link.send(View(large))) return 2;
        auto buffer = link.out_of_line_bytes(large.size());
        const auto writable = buffer ? buffer->writable() : buffer.error();
        if (!writable) return 3;
        fill_pattern(*writable, 1);
        if (!link.send(std::move(*buffer))) return 4;
        if (!link.flush(long_enough)) return 5;
        return wait_until_error(link, inbox) == Errc::peer_closed ? 0 : 6;
      },
      Crossing());
});

ExitStatus exited(int code) { return {.exited = true, .code = code, .signal = 0}; }

}  // namespace

TEST_CASE("shared memory over the limit on files is an error and no signal", "[process][limit]") {
  for (const char* role : {"limit.memory", "limit.semaphore", "limit.pair"}) {
    INFO(role);
    CHECK(Child::spawn(role).wait() == exited(too_large));
  }
}

TEST_CASE("a client under a limit on files is let in, as the server makes the rings",
          "[process][limit]") {
  const Rendezvous rendezvous;
  auto server = ProcessLink<Mach>::listen(rendezvous.name, rendezvous.token).value();
  auto child = spawn_peer<Mach>("limit.client", rendezvous);
  Inbox inbox;
  CHECK(wait_while(server, inbox, [&] { return inbox.messages.empty(); }));
  CHECK(child.wait() == exited(0));
}

TEST_CASE("a server whose rings are over its limit on files hears of it", "[process][limit]") {
  const Rendezvous rendezvous;
  auto child = spawn_peer<Mach>("limit.server", rendezvous);
  REQUIRE(child.read_line() == "ready");
  CHECK_FALSE(ProcessLink<Mach>::connect(rendezvous.name, rendezvous.token, 500ms));
  CHECK(child.wait() == exited(too_large));
}

TEMPLATE_TEST_CASE("messages over the sender's limit on files arrive in another way",
                   "[process][limit]", STRAIT_TEST_CROSSING) {
  const Rendezvous rendezvous;
  auto server = RawLink<TestType>::listen(rendezvous.name, rendezvous.token).value();
  auto child = spawn_peer<TestType>("limit.sender", rendezvous);
  Inbox inbox;
  REQUIRE(wait_while(server, inbox, [&] { return inbox.messages.size() < 2; }));
  for (std::uint64_t i = 0; i != 2; ++i) {
    CHECK(same_bytes(inbox.messages[i], pattern(1 << 20, i)));
  }
  server.close();
  CHECK(child.wait() == exited(0));
}
