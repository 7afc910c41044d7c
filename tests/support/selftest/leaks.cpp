// Test cases which leave things behind on purpose: the proof that the leak listener sees them.

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <fstream>

#include "support/catch.hpp"
#include "support/process.hpp"
#include "support/runtime_dir.hpp"
#include "support/scripted_mach.hpp"

namespace {

int make_memfd() {
  const int fd = ::memfd_create("strait-selftest", MFD_CLOEXEC);
  REQUIRE(fd >= 0);
  REQUIRE(::ftruncate(fd, 4096) == 0);
  return fd;
}

const strait_test::ChildRole idle("idle", [](const strait_test::ChildArguments&) {
  strait_test::child::read_line();
  return 0;
});

const strait_test::ChildRole leaker("leaker", [](const strait_test::ChildArguments&) {
  return ::open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0 ? 0 : 1;
});

}  // namespace

TEST_CASE("leaves nothing") {
  const int fd = make_memfd();
  void* memory = ::mmap(nullptr, 4096, PROT_READ, MAP_SHARED, fd, 0);
  REQUIRE(memory != MAP_FAILED);
  ::munmap(memory, 4096);
  ::close(fd);
  auto child = strait_test::Child::spawn("idle");
  child.close_stdin();
  CHECK(child.wait().success());
}

TEST_CASE("leaves a descriptor") { CHECK(::open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0); }

TEST_CASE("closes a descriptor twice") { CHECK(::close(STDIN_FILENO) == 0); }

TEST_CASE("leaves a shared mapping") {
  const int fd = make_memfd();
  CHECK(::mmap(nullptr, 4096, PROT_READ, MAP_SHARED, fd, 0) != MAP_FAILED);
  ::close(fd);
}

TEST_CASE("leaves a private mapping of a memfd") {
  const int fd = make_memfd();
  CHECK(::mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE, fd, 0) != MAP_FAILED);
  ::close(fd);
}

TEST_CASE("leaves a file") { std::ofstream(strait_test::unique_path()) << "left"; }

TEST_CASE("leaves a child") {
  static auto child = strait_test::Child::spawn("idle");
  CHECK(child.pid() > 0);
}

TEST_CASE("leaves a Mach right") {
  strait_test::ScriptedTraps::Name port = 0;
  CHECK(strait_test::ScriptedTraps::construct_port(1, port) == 0);
}

TEST_CASE("leaves Mach memory") {
  std::uint64_t address = 0;
  CHECK(strait_test::ScriptedTraps::allocate_memory(100, address) == 0);
}

TEST_CASE("gives back a Mach right twice") {
  strait_test::ScriptedTraps::Name port = 0;
  CHECK(strait_test::ScriptedTraps::construct_port(1, port) == 0);
  for (int i = 0; i != 2; ++i) strait_test::ScriptedTraps::destroy_receive(port);
}

TEST_CASE("sends to an object of the Mach kernel") {
  const auto object = strait_test::MachScript::kernel_object(2);
  strait::darwin_mach::Header header{19, sizeof header, object, 0, 0, 1};
  strait_test::ScriptedTraps::message(&header, strait::darwin_mach::option::send, sizeof header, 0,
                                      0, 0);
  strait_test::ScriptedTraps::deallocate(object);
}

TEST_CASE("has a child that leaks") {
  auto child = strait_test::Child::spawn("leaker");
  CHECK(child.wait().code == 0);
}

TEST_CASE("has a child that inherits") {
  const int fd = ::open("/dev/null", O_RDONLY);
  auto child = strait_test::Child::spawn("leaker");
  ::close(fd);
  CHECK(child.wait().code == 0);
}
