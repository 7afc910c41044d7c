#include <strait/os/posix/tcp_connection.hpp>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#include <strait/os/descriptors.hpp>

#include <array>
#include <cstdint>
#include <string>
#include <utility>

#include "support/catch.hpp"

using strait::os::Descriptor;
using strait::os::TcpConnection;

namespace {

/// Both ends of a connection over the loopback interface.
struct TcpPair {
  std::uint16_t port = 0;
  Descriptor client{::socket(AF_INET, SOCK_STREAM, 0)};
  Descriptor server;

  TcpPair() {
    const Descriptor listening(::socket(AF_INET, SOCK_STREAM, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t address_bytes = sizeof address;
    REQUIRE(::bind(listening.get(), reinterpret_cast<sockaddr*>(&address), address_bytes) == 0);
    REQUIRE(::listen(listening.get(), 1) == 0);
    REQUIRE(::getsockname(listening.get(), reinterpret_cast<sockaddr*>(&address), &address_bytes) ==
            0);
    port = ntohs(address.sin_port);
    REQUIRE(::connect(client.get(), reinterpret_cast<sockaddr*>(&address), address_bytes) == 0);
    server = Descriptor(::accept(listening.get(), nullptr, nullptr));
    REQUIRE(server);
  }
};

}  // namespace

TEST_CASE("a TCP connection counts what has come, and ends when it is shut", "[tcp]") {
  TcpPair pair;
  const auto connection = TcpConnection::find(pair.server.get(), pair.port);
  REQUIRE(connection);
  if (!connection->received()) STRAIT_TEST_SKIP("this kernel does not count");
  CHECK(connection->received() == 0U);
  const std::string bytes(1000, 'x');
  REQUIRE(::send(pair.client.get(), bytes.data(), bytes.size(), 0) == 1000);
  // Read or not.
  CHECK(connection->received() == 1000U);
  std::array<char, 600> some;
  REQUIRE(::recv(pair.server.get(), some.data(), some.size(), MSG_WAITALL) == 600);
  CHECK(connection->received() == 1000U);
  connection->shut();
  char end = 0;
  CHECK(::recv(pair.client.get(), &end, 1, 0) == 0);
}

TEST_CASE("a number that stands for something else is let alone", "[tcp]") {
  TcpPair pair;
  CHECK_FALSE(TcpConnection::find(pair.server.get(), static_cast<std::uint16_t>(pair.port ^ 1)));
  CHECK_FALSE(TcpConnection::find(-1, pair.port));
  const auto connection = TcpConnection::find(pair.server.get(), pair.port);
  REQUIRE(connection);
  const int number = pair.server.get();
  SECTION("for nothing") {
    pair.server.reset();
    CHECK_FALSE(connection->received());
    connection->shut();
  }
  SECTION("for a file") {
    const Descriptor file(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    REQUIRE(::dup2(file.get(), number) == number);
    CHECK_FALSE(connection->received());
    connection->shut();
    CHECK(::fcntl(number, F_GETFD) >= 0);
  }
  SECTION("for another connection") {
    TcpPair other;
    REQUIRE(::dup2(other.server.get(), number) == number);
    CHECK_FALSE(connection->received());
    connection->shut();
    CHECK(::send(other.client.get(), "y", 1, 0) == 1);
    char byte = 0;
    CHECK(::recv(number, &byte, 1, 0) == 1);
  }
}
