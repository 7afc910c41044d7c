#include <strait/transports/mach.hpp>

#include <sys/mman.h>
#include <sys/resource.h>

#include <cstddef>
#include <fstream>
#include <system_error>

#include "conformance/channels.hpp"

using namespace strait_test;

namespace {

/// While it lives, this process gets hardly any memory more than it has.
class NoMoreMemory {
 public:
  NoMoreMemory() {
    REQUIRE(::getrlimit(RLIMIT_AS, &before_) == 0);
    std::size_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    rlimit limit = before_;
    limit.rlim_cur = pages * strait::os::page_size() + (std::size_t{32} << 20);
    REQUIRE(::setrlimit(RLIMIT_AS, &limit) == 0);
  }
  ~NoMoreMemory() { ::setrlimit(RLIMIT_AS, &before_); }
  NoMoreMemory(const NoMoreMemory&) = delete;
  NoMoreMemory& operator=(const NoMoreMemory&) = delete;

 private:
  rlimit before_{};
};

}  // namespace

TEST_CASE("a message that memory runs out for half-way ends the link, and the peer hears of it",
          "[mach][no-asan][no-tsan]") {
  auto pair = connected_pair<RawLink<strait::MachTransport<>>>();
  constexpr std::size_t size = std::size_t{200} << 20;
  // Of pages that were never written to: they take no memory.
  const auto message =
      strait::os::Mapping::map(size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1)
          .value();
  REQUIRE(pair.client.send(pattern(10)));
  {
    const NoMoreMemory limited;
    CHECK(pair.client.send(View(message.data(), size)).error() ==
          std::make_error_code(std::errc::not_enough_memory));
  }
  CHECK(pair.client.send(pattern(10)).error() == Errc::peer_closed);
  CHECK(poll_until_error(pair.server, pair.at_server) == Errc::peer_closed);
  CHECK(pair.at_server.messages.size() == 1);
  CHECK(poll_until_error(pair.client, pair.at_client) == Errc::peer_closed);
}
