// A server that systemd starts when its first client comes. Its unit calc.socket says
//     ListenSequentialPacket=%t/calc.socket
// and clients connect to that path. Run by hand, this program plays systemd itself.

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>

#include <strait/strait.hpp>

using namespace std::chrono_literals;

struct Number {
  std::int32_t value;
};
using Link = strait::Channel<strait::MachTransport<>, strait::TrivialSerializer<Number>>;

int serve(const strait::Token& token) {
  auto socket = strait::ActivatedSocket::take();  // or by the name that the unit gives it
  if (!socket) return 1;
  auto link = Link::listen(std::move(*socket), token).value();
  const auto end = link.run([&](const Number& number) {
    static_cast<void>(link.send(Number{number.value * number.value}));
  });
  return end.error() == strait::Errc::peer_closed ? 0 : 1;
}

int main() {
  const std::string path = "/tmp/calc-" + std::to_string(::getpid()) + ".socket";
  // Programs that are not parent and child have it in a file: see shared_token.cpp.
  const auto token = strait::Token::generate().value();
  sockaddr_un address{AF_UNIX, {}};
  std::memcpy(address.sun_path, path.c_str(), path.size());
  const int manager = ::socket(AF_UNIX, SOCK_SEQPACKET, 0);
  if (::bind(manager, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return 1;
  if (::listen(manager, 8) != 0) return 1;
  if (::fork() == 0) {
    ::dup2(manager, 3);
    ::setenv("LISTEN_FDS", "1", 1);
    ::setenv("LISTEN_PID", std::to_string(::getpid()).c_str(), 1);
    ::_exit(serve(token));
  }
  auto link = Link::connect(path, token, 5s).value();
  link.send(Number{12}).value();
  link.wait([](const Number& square) { std::printf("%d\n", square.value); }, 5s).value();
  link.close();
  ::unlink(path.c_str());
  int status = 1;
  return ::wait(&status) > 0 ? status : 1;
}
