#include <strait/os/posix/socket.hpp>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <system_error>
#include <vector>

#include "support/catch.hpp"

using strait::Errc;
using strait::os::Descriptor;
using strait::os::DescriptorQueue;
using strait::os::receive_packet;
using strait::os::send_packet;

namespace {

struct Pair {
  Pair() {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
    a.reset(ends[0]);
    b.reset(ends[1]);
  }
  Descriptor a, b;
};

constexpr std::array<std::byte, 1> one{std::byte{42}};

Descriptor new_file() {
  Descriptor file(::memfd_create("strait-test", MFD_CLOEXEC));
  REQUIRE(file);
  return file;
}

bool same_file(int a, int b) {
  struct stat first, second;
  return ::fstat(a, &first) == 0 && ::fstat(b, &second) == 0 && first.st_dev == second.st_dev &&
         first.st_ino == second.st_ino;
}

int count_descriptors() {
  int open = 0;
  for (int fd = 0; fd != 1024; ++fd) open += ::fcntl(fd, F_GETFD) >= 0;
  return open;
}

}  // namespace

TEST_CASE("a packet arrives whole with its descriptors in order", "[socket]") {
  Pair pair;
  const Descriptor first = new_file();
  const Descriptor second = new_file();
  const std::array<std::byte, 3> sent{std::byte{1}, std::byte{2}, std::byte{3}};
  REQUIRE(send_packet(pair.a.get(), sent, std::array{first.get(), second.get()}));
  std::array<std::byte, 8> got{};
  DescriptorQueue descriptors;
  CHECK(receive_packet(pair.b.get(), got, descriptors).value() == 3);
  CHECK(got[2] == std::byte{3});
  REQUIRE(descriptors.size() == 2);
  const Descriptor passed = descriptors.pop();
  CHECK(passed.get() != first.get());
  CHECK(same_file(passed.get(), first.get()));
  CHECK(same_file(descriptors.pop().get(), second.get()));
  CHECK((::fcntl(passed.get(), F_GETFD) & FD_CLOEXEC) != 0);
}

TEST_CASE("an empty socket, and a full one, would block", "[socket]") {
  Pair pair;
  std::array<std::byte, 8> got;
  DescriptorQueue descriptors;
  CHECK(receive_packet(pair.b.get(), got, descriptors).error() == Errc::would_block);
  for (;;) {
    if (const auto sent = send_packet(pair.a.get(), one); !sent) {
      CHECK(sent.error() == Errc::would_block);
      break;
    }
  }
}

TEST_CASE("a peer that is gone is told from one that is silent", "[socket]") {
  Pair pair;
  REQUIRE(send_packet(pair.a.get(), one));
  pair.a.reset();
  std::array<std::byte, 8> got;
  DescriptorQueue descriptors;
  CHECK(send_packet(pair.b.get(), one).error() == Errc::peer_closed);
  CHECK(receive_packet(pair.b.get(), got, descriptors).value() == 1);
  CHECK(receive_packet(pair.b.get(), got, descriptors).error() == Errc::peer_closed);
}

TEST_CASE("what a peer sent before it closed is received, also if it left packets unread",
          "[socket]") {
  Pair pair;
  const Descriptor file = new_file();
  REQUIRE(send_packet(pair.b.get(), one));  // never read by the peer
  REQUIRE(send_packet(pair.a.get(), one, std::array{file.get()}));
  pair.a.reset();
  std::array<std::byte, 8> got;
  DescriptorQueue descriptors;
  CHECK(receive_packet(pair.b.get(), got, descriptors).value() == 1);
  CHECK(descriptors.size() == 1);
  CHECK(receive_packet(pair.b.get(), got, descriptors).error() == Errc::peer_closed);
}

TEST_CASE("a packet that is too large is malformed and leaves no descriptor behind", "[socket]") {
  Pair pair;
  const Descriptor file = new_file();
  const std::vector<std::byte> large(100);
  REQUIRE(send_packet(pair.a.get(), large, std::array{file.get(), file.get()}));
  REQUIRE(send_packet(pair.a.get(), one, std::array{file.get()}));
  const int before = count_descriptors();
  std::array<std::byte, 8> got;
  DescriptorQueue descriptors;
  CHECK(receive_packet(pair.b.get(), got, descriptors).error() == Errc::malformed);
  CHECK(descriptors.size() == 0);
  CHECK(count_descriptors() == before);
  CHECK(receive_packet(pair.b.get(), got, descriptors).value() == 1);
  CHECK(descriptors.size() == 1);
}

TEST_CASE("descriptors for which this process has no room are lost, and none of them stays",
          "[socket]") {
  Pair pair;
  const Descriptor file = new_file();
  const std::vector<int> many(20, file.get());
  REQUIRE(send_packet(pair.a.get(), one, many));
  rlimit limit;
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &limit) == 0);
  const int before = count_descriptors();
  const int highest = ::dup(file.get());
  REQUIRE(::close(highest) == 0);
  // Room for some of the twenty, but not for all.
  rlimit tight = limit;
  tight.rlim_cur = static_cast<rlim_t>(highest + 5);
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &tight) == 0);
  std::array<std::byte, 8> got;
  DescriptorQueue descriptors;
  const auto received = receive_packet(pair.b.get(), got, descriptors);
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &limit) == 0);
  CHECK(received.error() == Errc::rights_lost);
  CHECK(descriptors.size() == 0);
  CHECK(count_descriptors() == before);
}

TEST_CASE("as many descriptors as the kernel allows travel together", "[socket]") {
  Pair pair;
  const Descriptor file = new_file();
  const std::vector<int> many(strait::os::max_descriptors, file.get());
  REQUIRE(send_packet(pair.a.get(), one, many));
  std::array<std::byte, 8> got;
  DescriptorQueue descriptors;
  CHECK(receive_packet(pair.b.get(), got, descriptors).value() == 1);
  CHECK(descriptors.size() == many.size());
  CHECK(descriptors.has_room());
}

TEST_CASE("more descriptors than that are refused before they are copied anywhere", "[socket]") {
  Pair pair;
  const std::vector<int> many(strait::os::max_descriptors + 1, 0);
  CHECK(send_packet(pair.a.get(), one, many).error() == std::errc::invalid_argument);
}

TEST_CASE("a queue of descriptors is first in, first out, and owns them", "[socket]") {
  const int before = count_descriptors();
  {
    DescriptorQueue queue;
    std::vector<int> numbers;
    for (int round = 0; round != 5; ++round) {
      for (int i = 0; i != 150; ++i) {
        Descriptor file = new_file();
        numbers.push_back(file.get());
        queue.push(std::move(file));
      }
      for (std::size_t i = 0; i != 150; ++i) {
        if (round == 4 && i == 100) break;
        CHECK(queue.pop().get() == numbers[i]);
      }
      numbers.clear();
    }
    CHECK(queue.size() == 50);
    queue.truncate(20);
    CHECK(queue.size() == 20);
    CHECK(count_descriptors() == before + 20);
  }
  CHECK(count_descriptors() == before);
}
