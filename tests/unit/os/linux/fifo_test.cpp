// How much of the user's budget for pipes the FIFOs take.

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <strait/channel.hpp>
#include <strait/os/posix/fifo.hpp>
#include <strait/serializers/raw.hpp>
#include <strait/transports/pipe.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/runtime_dir.hpp"

using strait::os::Descriptor;
using strait::os::FifoGrowth;
using namespace std::chrono_literals;

namespace {

using Link = strait::Channel<strait::PipeTransport, strait::RawSerializer>;

constexpr int usual_bytes = 1 << 16;
constexpr int grown_bytes = 1 << 20;

int capacity(int fd) { return ::fcntl(fd, F_GETPIPE_SZ); }

/// The capacity of the largest pipe that this process has open.
int largest_pipe() {
  int largest = 0;
  for (int fd = 3; fd != 256; ++fd) largest = std::max(largest, capacity(fd));
  return largest;
}

Descriptor new_fifo() {
  const auto path = strait_test::unique_path("fifo");
  REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  auto fifo = strait::os::open(path.c_str(), O_RDWR | O_NONBLOCK).value();
  REQUIRE(::unlink(path.c_str()) == 0);
  return fifo;
}

}  // namespace

TEST_CASE("a channel over FIFOs takes more of the user's pipe memory only under load",
          "[pipe][fifo]") {
  const auto name = strait_test::unique_name("load");
  const auto token = strait::Token::generate().value();
  std::size_t heard = 0;
  const auto listener = [&](std::span<const std::byte> bytes) { heard += bytes.size(); };
  auto server = Link::listen(name, token).value();
  auto client = Link::connect(name, token).value();
  for (int i = 0; i != 2000 && (server.waiting_connect() || client.waiting_connect()); ++i) {
    REQUIRE(server.poll(listener));
    REQUIRE(client.wait(listener, 10ms));
  }
  const std::vector<std::byte> small(1000);
  REQUIRE(client.send(small));
  REQUIRE(server.wait(listener, 10s));
  CHECK(heard == small.size());
  CHECK(largest_pipe() == usual_bytes);
  const std::vector<std::byte> large(2 << 20);
  REQUIRE(client.send(large));
  CHECK(largest_pipe() == grown_bytes);
  CHECK(strait::os::grown_fifo_bytes == grown_bytes - usual_bytes);
  for (int i = 0; i != 2000 && heard != small.size() + large.size(); ++i) {
    REQUIRE(client.poll(listener));
    REQUIRE(server.wait(listener, 10ms));
  }
  CHECK(heard == small.size() + large.size());
  client.close();
  CHECK(strait::os::grown_fifo_bytes == 0);
}

TEST_CASE("the FIFOs that grow leave other pipes of the user their memory", "[pipe][fifo]") {
  std::vector<std::pair<Descriptor, FifoGrowth>> fifos;
  std::size_t grown = 0;
  for (int i = 0; i != 40; ++i) {
    fifos.emplace_back(new_fifo(), FifoGrowth());
    if (fifos.back().second.grow(fifos.back().first)) {
      CHECK(capacity(fifos.back().first.get()) == grown_bytes);
      ++grown;
    } else {
      CHECK(capacity(fifos.back().first.get()) == usual_bytes);
    }
  }
  CHECK(grown != 0);
  CHECK(grown * (grown_bytes - usual_bytes) <= strait::os::max_grown_fifo_bytes());
  CHECK(capacity(strait::os::pipe_pair().value()[0].get()) == usual_bytes);
  // The share of one that ends is there for the next.
  const bool full = grown != fifos.size();
  fifos.erase(fifos.begin());
  if (full) CHECK(fifos.back().second.grow(fifos.back().first));
  fifos.clear();
  CHECK(strait::os::grown_fifo_bytes == 0);
}
