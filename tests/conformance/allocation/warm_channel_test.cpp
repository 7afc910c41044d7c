// No memory is asked for once a channel is warm. A program of its own, because it stands in for
// malloc.

#include <errno.h>

#include <atomic>
#include <cstddef>
#include <cstdlib>

#include "conformance/channels.hpp"
#include "conformance/transports.hpp"

namespace {
std::atomic<std::size_t> allocations = 0;
}  // namespace

extern "C" {

void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);

void* malloc(std::size_t size) {
  ++allocations;
  return __libc_malloc(size);
}
void* calloc(std::size_t count, std::size_t size) {
  ++allocations;
  return __libc_calloc(count, size);
}
void* realloc(void* memory, std::size_t size) {
  ++allocations;
  return __libc_realloc(memory, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) {
  ++allocations;
  return __libc_memalign(alignment, size);
}
int posix_memalign(void** memory, std::size_t alignment, std::size_t size) {
  ++allocations;
  *memory = __libc_memalign(alignment, size);
  return *memory == nullptr ? ENOMEM : 0;
}

}  // extern "C"

using namespace strait_test;

namespace {

/// Sends messages of up to 4 KiB there and back; counts what comes.
template <class Link>
std::size_t ping_pong(Pair<Link>& pair, const Bytes& bytes, std::size_t rounds) {
  std::size_t echoed = 0;
  const auto echo = [&](View message) { static_cast<void>(pair.server.send(message)); };
  const auto count = [&](View) { ++echoed; };
  for (std::size_t i = 0; i != rounds; ++i) {
    // Several at a time, so that they also lie one behind the other.
    for (std::size_t k = 0; k != 8; ++k) {
      const View message(bytes.data(), (i * 509 + k * 1021) % (bytes.size() + 1));
      static_cast<void>(pair.client.send(message));
    }
    for (int turn = 0; turn != 10'000 && echoed != 8 * (i + 1); ++turn) {
      static_cast<void>(pair.server.poll(echo));
      static_cast<void>(pair.client.poll(count));
    }
  }
  return echoed;
}

}  // namespace

TEST_CASE("the counter counts", "[allocation]") {
  const std::size_t before = allocations;
  // Volatile, or the compiler would do without them.
  void* volatile memory = std::malloc(1);
  std::free(memory);
  memory = std::aligned_alloc(64, 64);
  std::free(memory);
  int* volatile number = new int;
  delete number;
  CHECK(allocations - before == 3);
}

// Not over the played kernel, which asks for memory itself.
TEMPLATE_TEST_CASE("a warm channel allocates nothing for messages of up to 4 KiB", "[allocation]",
                   STRAIT_TEST_CROSSING, Loopback) {
  auto pair = connected_pair<RawLink<TestType>>();
  const Bytes bytes = pattern(4096);
  const bool watched = GENERATE(false, true);
  if (watched) {
    REQUIRE(pair.server.native_handle() >= 0);
    REQUIRE(pair.client.native_handle() >= 0);
  }
  REQUIRE(ping_pong(pair, bytes, 500) == 4000);
  const std::size_t before = allocations;
  const std::size_t echoed = ping_pong(pair, bytes, 500);
  const std::size_t during = allocations - before;
  CHECK(echoed == 4000);
  CHECK(during == 0);
}
