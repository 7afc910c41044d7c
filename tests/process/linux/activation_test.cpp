// Servers at sockets that a service manager has made, as systemd does.

#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "process/forking.hpp"
#include "process/peers.hpp"
#include "strait/acceptor.hpp"
#include "strait/os/posix/activated_socket.hpp"
#include "strait/os/posix/unix_socket.hpp"

using namespace strait_test;
using strait::ActivatedSocket;
using strait::os::Descriptor;

namespace {

template <class T>
inline constexpr bool is_mach = std::is_same_v<T, Mach>;
template <class T>
inline constexpr int type_of = is_mach<T> ? SOCK_SEQPACKET : SOCK_STREAM;

/// A name that is a path, and the socket that leads to it.
template <class T>
struct Place {
  std::string name = unique_path("activated");
  std::string socket = is_mach<T> ? name : name + "/hello";

  Place() {
    if (!is_mach<T>) REQUIRE(::mkdir(name.c_str(), 0700) == 0);
  }
  ~Place() {
    ::unlink(socket.c_str());
    ::rmdir(name.c_str());
  }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
};

/// As a service manager makes one: it blocks.
Descriptor listen_at(const std::string& path, int type) {
  Descriptor socket(::socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
  const auto address = strait::os::SocketPath::of(path).value();
  REQUIRE(::bind(socket.get(), address.get(), address.size) == 0);
  REQUIRE(::listen(socket.get(), 16) == 0);
  return socket;
}

/// Ends this forked process unless it holds.
void must(bool condition, int line = __builtin_LINE()) {
  if (condition) return;
  static_cast<void>(::dprintf(STDERR_FILENO, "activation_test.cpp:%d: not so\n", line));
  ::_exit(1);
}

/// Makes of this forked process one that was started with these descriptors.
void hand_over(std::initializer_list<int> descriptors, const char* names) {
  std::vector<int> copies;
  for (const int fd : descriptors) copies.push_back(::fcntl(fd, F_DUPFD, 100));
  int number = 3;
  for (const int fd : copies) {
    must(::dup2(fd, number++) >= 0);
    ::close(fd);
  }
  ::setenv("LISTEN_FDS", std::to_string(copies.size()).c_str(), 1);
  ::setenv("LISTEN_PID", std::to_string(::getpid()).c_str(), 1);
  names != nullptr ? ::setenv("LISTEN_FDNAMES", names, 1) : ::unsetenv("LISTEN_FDNAMES");
}

std::error_code error_of(std::string_view name = {}) { return ActivatedSocket::take(name).error(); }

/// Echoes until the first client has gone.
template <class T>
int serve_one(ActivatedSocket socket, const strait::Token& token) {
  using Link = ProcessLink<T>;
  auto server = strait::Acceptor<Link>::listen(std::move(socket), token);
  if (!server) return 2;
  struct Echo {
    strait::Acceptor<Link>& server;
    void operator()(Link& client, View bytes) { static_cast<void>(client.send(bytes)); }
    void on_closed(Link&, std::error_code) { server.stop(); }
  };
  return server->run(Echo{*server}) ? 0 : 3;
}

template <class T>
void talk_over(const std::string& name, const strait::Token& token) {
  auto link = ProcessLink<T>::connect(name, token, long_enough);
  REQUIRE((link ? std::string() : link.error().message()) == "");
  REQUIRE(link->send(pattern(1000, 7)));
  Inbox inbox;
  REQUIRE(link->wait(inbox, long_enough).value() != 0);
  while (inbox.messages.empty()) REQUIRE(link->wait(inbox, long_enough));
  CHECK(same_bytes(inbox.messages.at(0), pattern(1000, 7)));
}

}  // namespace

TEMPLATE_TEST_CASE("a server listens at a socket that it was started with", "[process][activation]",
                   Mach, Socket) {
  const Place<TestType> place;
  const auto token = new_token();
  const auto manager = listen_at(place.socket, type_of<TestType>);
  for (int life = 0; life != 2; ++life) {
    Fork service([&] {
      hand_over({manager.get()}, "calc");
      must(error_of("other") == Errc::not_found);
      auto socket = ActivatedSocket::take("calc");
      must(socket.has_value());
      must((::fcntl(3, F_GETFD) & FD_CLOEXEC) != 0);
      must(error_of("calc") == Errc::not_found);
      must(error_of() == Errc::not_found);
      must(serve_one<TestType>(std::move(*socket), token) == 0);
      // The manager's socket, and what leads to it, are not the service's to remove.
      must(::access(place.socket.c_str(), F_OK) == 0);
      must(::fcntl(3, F_GETFD) < 0);
    });
    talk_over<TestType>(place.name, token);
    CHECK(service.ended_well());
  }
}

TEMPLATE_TEST_CASE("a channel with one client listens there, too", "[process][activation]", Mach,
                   Socket) {
  const Place<TestType> place;
  const auto token = new_token();
  const auto manager = listen_at(place.socket, type_of<TestType>);
  Fork service([&] {
    hand_over({manager.get()}, nullptr);
    using Link = ProcessLink<TestType>;
    auto link = Link::listen(ActivatedSocket::take().value(), token);
    must(link.has_value());
    must(link->run([&](View bytes) { must(link->send(bytes).has_value()); }).error() ==
         Errc::peer_closed);
  });
  // A wrong token is wrong here, too.
  CHECK(ProcessLink<TestType>::connect(place.name, new_token(), long_enough).error() ==
        Errc::bad_token);
  talk_over<TestType>(place.name, token);
  CHECK(service.ended_well());
}

TEST_CASE("sockets are found by name, in order, each once", "[process][activation]") {
  const Place<Mach> first, second, third;
  const auto a = listen_at(first.socket, SOCK_SEQPACKET);
  const auto b = listen_at(second.socket, SOCK_SEQPACKET);
  const auto c = listen_at(third.socket, SOCK_SEQPACKET);
  Fork service([&] {
    hand_over({a.get(), b.get(), c.get()}, "web:log:web");
    const auto path_of = [](strait::Result<ActivatedSocket> socket) {
      const auto listening = std::move(*socket).listening(SOCK_SEQPACKET);
      must(listening.has_value());
      sockaddr_un address{};
      socklen_t size = sizeof address;
      must(::getsockname(listening->get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
      return std::string(address.sun_path);
    };
    must(path_of(ActivatedSocket::take("log")) == second.socket);
    must(path_of(ActivatedSocket::take("web")) == first.socket);
    must(path_of(ActivatedSocket::take("web")) == third.socket);
    must(error_of("web") == Errc::not_found);
    must(error_of() == Errc::not_found);
  });
  CHECK(service.ended_well());
}

TEST_CASE("what is no socket for a server is told as what it is", "[process][activation]") {
  const Place<Mach> mach;
  const Place<Socket> stream;
  const auto packets = listen_at(mach.socket, SOCK_SEQPACKET);
  const auto streams = listen_at(stream.socket, SOCK_STREAM);
  const auto pipe = strait::os::pipe_pair().value();
  const auto pair = strait::os::stream_pair().value();
  const Descriptor internet(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  REQUIRE(internet);
  const auto refuses = [&]<class T>(int fd, std::errc why) {
    Fork service([&] {
      hand_over({fd}, nullptr);
      const auto server =
          strait::Acceptor<ProcessLink<T>>::listen(ActivatedSocket::take().value(), new_token());
      must(server.error() == why);
    });
    return service.ended_well();
  };
  CHECK(refuses.operator()<Mach>(streams.get(), std::errc::wrong_protocol_type));
  CHECK(refuses.operator()<Socket>(packets.get(), std::errc::wrong_protocol_type));
  CHECK(refuses.operator()<Socket>(pipe[0].get(), std::errc::not_a_socket));
  CHECK(refuses.operator()<Mach>(pipe[0].get(), std::errc::not_a_socket));
  CHECK(refuses.operator()<Socket>(internet.get(), std::errc::address_family_not_supported));
  CHECK(refuses.operator()<Socket>(pair[0].get(), std::errc::invalid_argument));
}

TEST_CASE("an environment that means another process, or nothing, hands nothing over",
          "[process][activation]") {
  const Place<Mach> place;
  const auto manager = listen_at(place.socket, SOCK_SEQPACKET);
  const auto garbled = std::make_error_code(std::errc::invalid_argument);
  Fork service([&] {
    hand_over({manager.get()}, "calc");
    const auto with = [&](const char* variable, const char* value) {
      const std::string before = ::getenv(variable);
      value != nullptr ? ::setenv(variable, value, 1) : ::unsetenv(variable);
      const auto error = error_of("calc");
      ::setenv(variable, before.c_str(), 1);
      return error;
    };
    must(with("LISTEN_PID", "1") == Errc::not_found);
    must(with("LISTEN_PID", nullptr) == Errc::not_found);
    must(with("LISTEN_FDS", nullptr) == Errc::not_found);
    must(with("LISTEN_FDS", "0") == Errc::not_found);
    must(with("LISTEN_FDNAMES", "calc2:calc") == Errc::not_found);
    must(with("LISTEN_FDNAMES", nullptr) == Errc::not_found);
    for (const char* text : {"", "-1", "1x", " 1", "0x1", "65", "4294967297", "99999999999999"}) {
      must(with("LISTEN_FDS", text) == garbled);
    }
    for (const char* text : {"", "x", "-1", "99999999999999"}) {
      must(with("LISTEN_PID", text) == garbled);
    }
    // A process that this one forks does not take what is meant for it.
    Fork helper([&] { must(error_of("calc") == Errc::not_found); });
    must(helper.ended_well());
    must(ActivatedSocket::take("calc").has_value());
  });
  CHECK(service.ended_well());
  Fork without([&] {
    hand_over({manager.get()}, "calc");
    ::close(3);
    must(error_of("calc") == std::errc::bad_file_descriptor);
  });
  CHECK(without.ended_well());
}

// --- by systemd's own ------------------------------------------------------------------------------

namespace {

/// Becomes systemd-socket-activate, which becomes the server when the first client comes.
const ChildRole activate_role("activation.activate", [](const ChildArguments& arguments) {
  const std::string listen = "--listen=" + arguments.at(1);
  const std::string self = std::filesystem::read_symlink("/proc/self/exe").string();
  std::vector<const char*> argv{"systemd-socket-activate", "--fdname=calc", listen.c_str(),
                                "--setenv=XDG_RUNTIME_DIR", "--setenv=TMPDIR"};
  if (arguments.at(0) == word_for<Mach>(Transports<Mach, Socket>())) argv.push_back("--seqpacket");
  for (const char* one : {self.c_str(), "--child", "activation.server", arguments.at(0).c_str(),
                          arguments.at(2).c_str()}) {
    argv.push_back(one);
  }
  argv.push_back(nullptr);
  ::execvp(argv[0], const_cast<char* const*>(argv.data()));
  return 1;
});

const ChildRole activated_server_role("activation.server", [](const ChildArguments& arguments) {
  return with_transport(
      arguments.at(0),
      [&]<class T>() {
        auto socket = ActivatedSocket::take("calc");
        child::require(socket.has_value(), "handed over");
        return serve_one<T>(std::move(*socket), strait::Token::from_hex(arguments.at(1)).value());
      },
      Transports<Mach, Socket>());
});

bool has_systemd() {
  for (const char* directory : {"/usr/bin/", "/bin/", "/usr/local/bin/"}) {
    if (::access((std::string(directory) + "systemd-socket-activate").c_str(), X_OK) == 0) {
      return true;
    }
  }
  return false;
}

}  // namespace

TEMPLATE_TEST_CASE("systemd starts a server when its first client comes", "[process][activation]",
                   Mach, Socket) {
  if (!has_systemd()) STRAIT_TEST_SKIP("systemd-socket-activate is not installed");
  const Place<TestType> place;
  const auto token = new_token();
  const auto which = word_for<TestType>(Transports<Mach, Socket>());
  auto child = Child::spawn("activation.activate", {which, place.socket, token.to_hex()});
  talk_over<TestType>(place.name, token);
  CHECK(child.wait().success());
}
