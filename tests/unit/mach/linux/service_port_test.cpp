#include <strait/mach/linux/service_port.hpp>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/descriptor_limit.hpp"
#include "support/hostile_peer.hpp"
#include "support/runtime_dir.hpp"

using strait::Errc;
using strait::linux_mach::ServicePort;
using strait::linux_mach::ServiceRight;
using strait_test::unique_name;
using strait_test::unique_path;
using namespace std::chrono_literals;

namespace {

constexpr strait::detail::AcceptLimits limits{};

bool exists(const std::string& path) {
  struct stat file;
  return ::lstat(path.c_str(), &file) == 0;
}

/// A socket's file without anybody behind it, as a killed server leaves it.
void leave_stale_socket(const std::string& path) {
  const auto address = strait::linux_mach::Address::of(path).value();
  const auto socket = strait::linux_mach::new_socket().value();
  REQUIRE(::bind(socket.get(), address.get(), address.size) == 0);
  REQUIRE(::listen(socket.get(), 1) == 0);
}

void round_trip(const std::string& name) {
  auto port = ServicePort::check_in(name, limits).value();
  CHECK(port.receive().error() == Errc::empty);
  auto right = ServiceRight::look_up(name).value();
  CHECK(right.credentials().uid == ::geteuid());
  CHECK(right.credentials().pid == ::getpid());
  const std::array<std::byte, 3> body{std::byte{1}, std::byte{2}, std::byte{3}};
  const auto socket = std::move(right).take_socket();
  REQUIRE(strait::os::send_packet(socket.get(), body));
  const auto request = port.receive().value();
  CHECK_FALSE(request.failure);
  CHECK(request.credentials.pid == ::getpid());
  CHECK(request.body.bytes().size() == 3);
  CHECK(request.client);
}

}  // namespace

TEST_CASE("a name is found while its port lives and free afterwards", "[name]") {
  for (const std::string& name : {unique_name("name"), unique_path("name")}) {
    CAPTURE(name);
    CHECK(ServiceRight::look_up(name).error() == Errc::not_found);
    round_trip(name);
    CHECK(ServiceRight::look_up(name).error() == Errc::not_found);
    round_trip(name);
    CHECK_FALSE(exists(name));
  }
}

TEST_CASE("a name that a living server holds is taken", "[name]") {
  for (const std::string& name : {unique_name("name"), unique_path("name")}) {
    auto port = ServicePort::check_in(name, limits).value();
    CHECK(ServicePort::check_in(name, limits).error() == Errc::name_taken);
    CHECK(ServiceRight::look_up(name));
  }
}

TEST_CASE("a plain name leaves nothing in any file system", "[name]") {
  const auto name = unique_name("name");
  const auto port = ServicePort::check_in(name, limits).value();
  const auto address = strait::linux_mach::Address::of(name).value();
  CHECK_FALSE(address.is_path());
}

TEST_CASE("a socket's file that a killed server left is taken over", "[name]") {
  const std::string path = unique_path("stale");
  leave_stale_socket(path);
  CHECK(exists(path));
  CHECK(ServiceRight::look_up(path).error() == Errc::not_found);
  round_trip(path);
  CHECK_FALSE(exists(path));
}

TEST_CASE("what is no socket is left alone", "[name]") {
  const std::string file = unique_path("file");
  strait::os::open(file.c_str(), O_CREAT | O_WRONLY, 0600).value();
  CHECK(ServicePort::check_in(file, limits).error() == Errc::name_taken);
  CHECK(exists(file));
  CHECK_FALSE(ServiceRight::look_up(file));

  const std::string link = unique_path("link");
  REQUIRE(::symlink(file.c_str(), link.c_str()) == 0);
  CHECK(ServicePort::check_in(link, limits).error() == Errc::name_taken);
  CHECK(exists(link));
  CHECK(exists(file));

  const std::string dangling = unique_path("dangling");
  REQUIRE(::symlink("/nonexistent/target", dangling.c_str()) == 0);
  CHECK_FALSE(ServicePort::check_in(dangling, limits));
  CHECK(exists(dangling));
  for (const auto& path : {file, link, dangling}) REQUIRE(::unlink(path.c_str()) == 0);
}

TEST_CASE("a link to a stale socket does not get the socket removed", "[name]") {
  const std::string socket = unique_path("socket");
  const std::string link = unique_path("link");
  leave_stale_socket(socket);
  REQUIRE(::symlink(socket.c_str(), link.c_str()) == 0);
  CHECK_FALSE(ServicePort::check_in(link, limits));
  CHECK(exists(socket));
  CHECK(exists(link));
  REQUIRE(::unlink(socket.c_str()) == 0);
  REQUIRE(::unlink(link.c_str()) == 0);
}

TEST_CASE("a port does not remove a file that took its file's place", "[name]") {
  const std::string path = unique_path("moved");
  {
    auto port = ServicePort::check_in(path, limits).value();
    REQUIRE(::unlink(path.c_str()) == 0);
    leave_stale_socket(path);
    auto moved = std::move(port);
  }
  CHECK(exists(path));
  REQUIRE(::unlink(path.c_str()) == 0);
}

TEST_CASE("a directory that is not there is an error of the system", "[name]") {
  CHECK(ServicePort::check_in("/nonexistent/directory/name", limits).error() ==
        std::errc::no_such_file_or_directory);
  CHECK(ServiceRight::look_up("/nonexistent/directory/name").error() == Errc::not_found);
}

TEST_CASE("a reader of the directory that keeps it locked keeps no server from its name",
          "[name][hostile]") {
  const int how = GENERATE(LOCK_SH, LOCK_EX);
  const auto directory =
      strait::os::open(strait_test::runtime_dir().c_str(), O_RDONLY | O_DIRECTORY).value();
  REQUIRE(::flock(directory.get(), how) == 0);
  const auto path = unique_path("name");
  round_trip(path);
  leave_stale_socket(path);
  round_trip(path);
  const auto port = ServicePort::check_in(path, limits).value();
  CHECK(ServicePort::check_in(path, limits).error() == Errc::name_taken);
  CHECK(ServiceRight::look_up(path));
}

TEST_CASE("a listener of another kind is no server", "[name]") {
  const std::string path = unique_path("stream");
  const auto address = strait::linux_mach::Address::of(path).value();
  const strait::os::Descriptor stream(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  REQUIRE(::bind(stream.get(), address.get(), address.size) == 0);
  REQUIRE(::listen(stream.get(), 1) == 0);
  CHECK_FALSE(ServiceRight::look_up(path));
  CHECK(ServicePort::check_in(path, limits).error() == Errc::name_taken);
  REQUIRE(::unlink(path.c_str()) == 0);
}

TEST_CASE("a server without a descriptor to spare lets clients wait and recovers",
          "[name][no-asan]") {
  const auto name = unique_name("emfile");
  auto port = ServicePort::check_in(name, limits).value();
  const auto readable = [&] { return strait::os::is_ready(port.interest()); };
  std::vector<strait::os::Descriptor> clients;
  for (int i = 0; i != 3; ++i) clients.push_back(strait_test::knock(name));
  {
    const strait_test::NoMoreDescriptors exhausted;
    CHECK(readable());
    for (int i = 0; i != 6; ++i) CHECK(port.receive().error() == Errc::empty);
    // Nobody makes the port readable for ever; it looks again by itself.
    CHECK_FALSE(readable());
    CHECK_FALSE(port.deadline().is_never());
    CHECK(strait::os::wait_for({}, port.deadline()));
    CHECK(port.receive().error() == Errc::empty);
    CHECK_FALSE(readable());
  }
  REQUIRE(strait::os::wait_for({}, port.deadline()));
  CHECK(port.receive().error() == Errc::empty);
  for (const auto& client : clients) strait_test::say(client, std::array{std::byte{1}});
  for (int i = 0; i != 3; ++i) CHECK(port.receive().value().body.bytes().size() == 1);
  CHECK(port.receive().error() == Errc::empty);
  CHECK(port.deadline().is_never());
  const auto late = strait_test::knock(name);
  CHECK(readable());
}

TEST_CASE("a port is readable when a client comes and when it speaks", "[name]") {
  const auto name = unique_name("interest");
  auto port = ServicePort::check_in(name, limits).value();
  const auto readable = [&] { return strait::os::is_ready(port.interest()); };
  CHECK_FALSE(readable());
  CHECK(port.deadline().is_never());
  const auto client = strait_test::knock(name);
  CHECK(readable());
  CHECK(port.receive().error() == Errc::empty);
  CHECK_FALSE(readable());
  CHECK_FALSE(port.deadline().is_never());
  strait_test::say(client, std::array{std::byte{1}});
  CHECK(readable());
  CHECK(port.receive().value().body.bytes().size() == 1);
  CHECK_FALSE(readable());
  CHECK(port.deadline().is_never());
}

TEST_CASE("a server that lets too many wait tells the next to come back", "[name]") {
  const auto name = unique_name("busy");
  const auto address = strait::linux_mach::Address::of(name).value();
  const auto socket = strait::linux_mach::new_socket().value();
  REQUIRE(::bind(socket.get(), address.get(), address.size) == 0);
  REQUIRE(::listen(socket.get(), 0) == 0);
  std::vector<strait::Result<ServiceRight>> rights;
  while (rights.empty() || rights.back()) {
    REQUIRE(rights.size() < 100);
    rights.push_back(ServiceRight::look_up(name));
  }
  CHECK(rights.back().error() == Errc::would_block);
}
