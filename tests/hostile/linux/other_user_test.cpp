// A second user for real: only root can become one, so elsewhere this shows as skipped.

#include <sys/stat.h>
#include <unistd.h>
#include <strait/channel.hpp>
#include <strait/serializers/raw.hpp>
#include <strait/transports/mach.hpp>
#include <strait/transports/pipe.hpp>
#include <strait/transports/socket.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <string>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/process.hpp"
#include "support/refusals.hpp"
#include "support/runtime_dir.hpp"

using strait::Errc;
using strait::Token;
using strait_test::Child;
using strait_test::Refusals;
using namespace std::chrono_literals;

namespace {

constexpr uid_t nobody = 65534;

using Link = strait::Channel<strait::MachTransport<>, strait::RawSerializer,
                             strait::ChannelOptions{}, Refusals>;
using Trusting = strait::Channel<strait::MachTransport<>, strait::RawSerializer,
                                 strait::ChannelOptions{.passable = true,
                                                        .peers = strait::PeerPolicy::any_user}>;

template <class T>
using StrictEnd = strait::Channel<T, strait::RawSerializer>;
template <class T>
using TrustingEnd = strait::Channel<T, strait::RawSerializer,
                                    strait::ChannelOptions{.peers = strait::PeerPolicy::any_user}>;

const auto deaf = [](std::span<const std::byte>) {};

void become_nobody() {
  strait_test::child::require(::setgid(nobody) == 0 && ::setuid(nobody) == 0, "to be nobody");
}

const strait_test::ChildRole intruder(
    "other_user.intruder", [](const strait_test::ChildArguments& arguments) {
      become_nobody();
      // It does not mind who the server is, and it knows the token.
      auto link = Trusting::connect(arguments.at(0), Token::from_hex(arguments.at(1)).value());
      strait_test::child::require(link.has_value(), "to find the server");
      strait_test::child::write_line("said Hello");
      const auto ended = link->wait(deaf, 20s);
      strait_test::child::require(ended.error() == Errc::refused, "to be refused");
      return 0;
    });

const strait_test::ChildRole silent_crowd(
    "other_user.silent_crowd", [](const strait_test::ChildArguments& arguments) {
      become_nobody();
      const auto address = strait::linux_mach::Address::of(arguments.at(0)).value();
      std::vector<strait::os::Descriptor> open;
      for (int i = 0; i != 20; ++i) {
        open.push_back(strait::linux_mach::new_socket().value());
        strait_test::child::require(::connect(open.back().get(), address.get(), address.size) == 0,
                                    "to connect");
      }
      strait_test::child::write_line("there");
      strait_test::child::read_line();
      return 0;
    });

/// Echoes at its end until the other one is closed.
template <class End>
void echo_at(End& end) {
  const auto ended = end.run([&](std::span<const std::byte> bytes) {
    strait_test::child::require(end.send(bytes).has_value(), "to echo");
  });
  strait_test::child::require(ended.error() == Errc::peer_closed, "to see the end");
}

/// Makes a pair, sends one end to its parent and echoes at the other.
template <class End>
void hand_over_end(Trusting& link) {
  auto pair = End::pair().value();
  strait::Rights rights;
  strait_test::child::require(rights.add(std::move(pair.second)).has_value(), "an end");
  const std::array<std::byte, 1> bytes{};
  strait_test::child::require(link.send(bytes, std::move(rights)).has_value(), "to send it");
  echo_at(pair.first);
}

/// Connects to its parent twice and sends it its own end of the second channel over the first.
void hand_over_own_end(Trusting& link, const std::string& name, const Token& token) {
  auto second = Trusting::connect(name, token, 20s);
  strait_test::child::require(second.has_value(), "to connect again");
  strait::Rights rights;
  strait_test::child::require(rights.add(std::move(*second)).has_value(), "an end");
  const std::array<std::byte, 1> bytes{};
  strait_test::child::require(link.send(bytes, std::move(rights)).has_value(), "to send it");
  const auto ended = link.wait(deaf, 20s);
  strait_test::child::require(ended.error() == Errc::peer_closed, "to see the end");
}

const strait_test::ChildRole giver("other_user.giver",
                                   [](const strait_test::ChildArguments& arguments) {
                                     become_nobody();
                                     const auto token = Token::from_hex(arguments.at(1)).value();
                                     auto link = Trusting::connect(arguments.at(0), token, 20s);
                                     strait_test::child::require(link.has_value(), "to connect");
                                     const std::string& what = arguments.at(2);
                                     if (what == "mach")
                                       hand_over_end<TrustingEnd<strait::MachTransport<>>>(*link);
                                     if (what == "socket")
                                       hand_over_end<TrustingEnd<strait::SocketTransport>>(*link);
                                     if (what == "own")
                                       hand_over_own_end(*link, arguments.at(3), token);
                                     return 0;
                                   });

/// The rights of the next message from a client.
strait::Rights next_rights(Trusting& link) {
  strait::Rights received;
  const auto listener = [&](std::span<const std::byte>, strait::Rights rights) {
    received = std::move(rights);
  };
  for (int i = 0; i != 200 && received.empty(); ++i) REQUIRE(link.wait(listener, 100ms));
  return received;
}

/// Says something at an end and hears it again.
template <class End>
bool answers(End& end) {
  const std::array<std::byte, 3> bytes{};
  REQUIRE(end.send(bytes));
  std::size_t heard = 0;
  for (int i = 0; i != 200 && heard == 0; ++i) {
    REQUIRE(end.wait([&](std::span<const std::byte> answer) { heard = answer.size(); }, 100ms));
  }
  return heard == bytes.size();
}

const strait_test::ChildRole squatter(
    "other_user.squatter", [](const strait_test::ChildArguments& arguments) {
      become_nobody();
      auto port = strait::linux_mach::ServicePort::check_in(
          arguments.at(0), {.peers = strait::PeerPolicy::any_user});
      strait_test::child::require(port.has_value(), "to hold the name");
      strait_test::child::write_line("holds the name");
      strait_test::child::read_line();
      // Whoever came has sent nothing before it left.
      const auto request = port->receive();
      strait_test::child::require(request && request->failure == Errc::peer_closed,
                                  "to be told nothing");
      return 0;
    });

/// Connects as another user to a server that allows that.
template <class T>
int visit(const strait_test::ChildArguments& arguments) {
  become_nobody();
  const auto token = Token::from_hex(arguments.at(1)).value();
  const auto link = TrustingEnd<T>::connect(arguments.at(0), token, 20s);
  strait_test::child::require(link.has_value(), link ? "" : link.error().message());
  strait_test::child::require(
      StrictEnd<T>::connect(arguments.at(0) + "2", token).error() == Errc::permission_denied,
      "to refuse a server of another user by itself");
  return 0;
}
const strait_test::ChildRole mach_visitor("other_user.mach_visitor",
                                          visit<strait::MachTransport<>>);
const strait_test::ChildRole socket_visitor("other_user.socket_visitor",
                                            visit<strait::SocketTransport>);

/// A directory that other users can enter.
class OpenDirectory {
 public:
  OpenDirectory() {
    REQUIRE(::mkdtemp(path_.data()) != nullptr);
    REQUIRE(::chmod(path_.c_str(), 0755) == 0);
  }
  ~OpenDirectory() { ::rmdir(path_.c_str()); }

  std::string name() const { return path_ + "/name"; }

 private:
  /// Not in TMPDIR, which only its owner may enter.
  std::string path_ = "/tmp/strait-open-XXXXXX";
};

/// Another mask of modes while it lives.
class Umask {
 public:
  explicit Umask(mode_t mask) : before_(::umask(mask)) {}
  ~Umask() { ::umask(before_); }

 private:
  mode_t before_;
};

mode_t mode_of(const std::string& path) {
  struct stat file;
  REQUIRE(::lstat(path.c_str(), &file) == 0);
  return file.st_mode & 0777;
}

}  // namespace

TEMPLATE_TEST_CASE("a path is open to the users that the policy allows, whatever the umask",
                   "[credentials][path]", strait::MachTransport<>, strait::SocketTransport) {
  const bool socket = std::is_same_v<TestType, strait::SocketTransport>;
  const auto path = strait_test::unique_path("mode");
  const auto token = Token::generate().value();
  const auto file = socket ? path + "/hello" : path;
  for (const mode_t mask : {mode_t{0}, mode_t{022}, mode_t{077}}) {
    CAPTURE(mask);
    const Umask masked(mask);
    {
      const auto server = StrictEnd<TestType>::listen(path, token).value();
      CHECK(mode_of(file) == 0600);
      if (socket) CHECK(mode_of(path) == 0700);
    }
    const auto server = TrustingEnd<TestType>::listen(path, token).value();
    CHECK(mode_of(file) == 0666);
    if (socket) CHECK(mode_of(path) == 0711);
  }
}

TEST_CASE("a server of any user over FIFOs, which can't be, is unsupported",
          "[credentials][pipe]") {
  using strait::PipeTransport;
  const auto name = strait_test::unique_name("any");
  const auto token = Token::generate().value();
  CHECK(TrustingEnd<PipeTransport>::listen(name, token).error() == Errc::unsupported);
}

TEMPLATE_TEST_CASE("another user gets in by a path when the server allows it",
                   "[credentials][path][process]", strait::MachTransport<>,
                   strait::SocketTransport) {
  if (::geteuid() != 0) STRAIT_TEST_SKIP("only root can become another user");
  const OpenDirectory open;
  const auto token = Token::generate().value();
  const Umask masked(077);
  auto server = TrustingEnd<TestType>::listen(open.name(), token).value();
  const bool socket = std::is_same_v<TestType, strait::SocketTransport>;
  auto child =
      strait_test::Child::spawn(socket ? "other_user.socket_visitor" : "other_user.mach_visitor",
                                {open.name(), token.to_hex()});
  auto other = TrustingEnd<TestType>::listen(open.name() + "2", token).value();
  // It leaves at once, which is the end of the channel.
  for (int i = 0; i != 2000 && server.waiting_connect(); ++i) {
    static_cast<void>(server.wait(deaf, 10ms));
  }
  CHECK(server.peer().credentials.uid == nobody);
  CHECK(child.wait().success());
}

TEST_CASE("another user's process is refused though it knows the token", "[credentials][process]") {
  if (::geteuid() != 0) STRAIT_TEST_SKIP("only root can become another user");
  const auto name = strait_test::unique_name("own");
  const auto token = Token::generate().value();
  auto server = Link::listen(name, token).value();
  auto child = Child::spawn("other_user.intruder", {name, token.to_hex()});
  REQUIRE(child.read_line() == "said Hello");
  while (server.observer().seen.empty()) REQUIRE(server.wait(deaf, 1ms).value() == 0);
  CHECK(server.observer().seen[0].why == Errc::permission_denied);
  CHECK(server.observer().seen[0].who.uid == nobody);
  CHECK(server.observer().seen[0].who.gid == nobody);
  CHECK(server.observer().seen[0].who.pid == child.pid());
  CHECK(child.wait().success());
  CHECK(server.waiting_connect());
  auto client = Link::connect(name, token).value();
  REQUIRE(server.poll(deaf));
  CHECK_FALSE(server.waiting_connect());
}

TEST_CASE("another user's silent connections take no place of this user's",
          "[credentials][process]") {
  if (::geteuid() != 0) STRAIT_TEST_SKIP("only root can become another user");
  constexpr strait::ChannelOptions few{.handshake_timeout_ms = 3'600'000, .max_half_open = 2};
  using Small = strait::Channel<strait::MachTransport<>, strait::RawSerializer, few, Refusals>;
  const auto name = strait_test::unique_name("crowd");
  auto server = Small::listen(name, Token::generate().value()).value();
  // Of this user, and slow.
  const auto address = strait::linux_mach::Address::of(name).value();
  const auto slow = strait::linux_mach::new_socket().value();
  REQUIRE(::connect(slow.get(), address.get(), address.size) == 0);
  REQUIRE(server.poll(deaf).value() == 0);
  auto child = Child::spawn("other_user.silent_crowd", {name});
  REQUIRE(child.read_line() == "there");
  while (server.observer().seen.size() != 20) REQUIRE(server.wait(deaf, 1ms).value() == 0);
  for (const auto& refusal : server.observer().seen) {
    CHECK(refusal.why == Errc::permission_denied);
    CHECK(refusal.who.uid == nobody);
  }
  child.write_line("enough");
  CHECK(child.wait().success());
}

TEST_CASE("a name that another user holds is not talked to", "[credentials][process]") {
  if (::geteuid() != 0) STRAIT_TEST_SKIP("only root can become another user");
  const auto name = strait_test::unique_name("squatted");
  auto child = Child::spawn("other_user.squatter", {name});
  REQUIRE(child.read_line() == "holds the name");
  const auto token = Token::generate().value();
  CHECK(Link::connect(name, token).error() == Errc::permission_denied);
  CHECK(Link::listen(name, token).error() == Errc::name_taken);
  child.write_line("look");
  CHECK(child.wait().success());
}

TEMPLATE_TEST_CASE("an end that another user has made is taken only by who allows that",
                   "[credentials][ends][process]", strait::MachTransport<>,
                   strait::SocketTransport) {
  if (::geteuid() != 0) STRAIT_TEST_SKIP("only root can become another user");
  const auto name = strait_test::unique_name("ends");
  const auto token = Token::generate().value();
  auto server = Trusting::listen(name, token).value();
  const bool socket = std::is_same_v<TestType, strait::SocketTransport>;
  auto child = Child::spawn("other_user.giver", {name, token.to_hex(), socket ? "socket" : "mach"});
  auto rights = next_rights(server);
  REQUIRE(rights.size() == 1);
  CHECK(rights.take<StrictEnd<TestType>>().error() == Errc::permission_denied);
  REQUIRE(rights.size() == 1);
  {
    auto end = rights.take<TrustingEnd<TestType>>().value();
    CHECK(end.peer().credentials.uid == nobody);
    CHECK(end.peer().credentials.pid == child.pid());
    CHECK(answers(end));
  }
  CHECK(child.wait().success());
}

TEST_CASE("an end with a lane of this user and one of another is another's",
          "[credentials][ends][process]") {
  if (::geteuid() != 0) STRAIT_TEST_SKIP("only root can become another user");
  using Mach = strait::MachTransport<>;
  const auto name = strait_test::unique_name("first");
  const auto second = strait_test::unique_name("second");
  const auto token = Token::generate().value();
  auto server = Trusting::listen(name, token).value();
  auto other = Trusting::listen(second, token).value();
  auto child = Child::spawn("other_user.giver", {name, token.to_hex(), "own", second});
  for (int i = 0; i != 2000 && (server.waiting_connect() || other.waiting_connect()); ++i) {
    REQUIRE(server.poll(deaf));
    REQUIRE(other.wait(deaf, 10ms));
  }
  auto rights = next_rights(server);
  REQUIRE(rights.size() == 1);
  // Who made the lane that comes from there may have kept a sending end of it.
  CHECK(rights.take<StrictEnd<Mach>>().error() == Errc::permission_denied);
  auto end = rights.take<TrustingEnd<Mach>>().value();
  CHECK(end.peer().credentials.uid == nobody);
  // The other end is in this process.
  const std::array<std::byte, 3> bytes{};
  REQUIRE(end.send(bytes));
  std::size_t heard = 0;
  REQUIRE(other.wait([&](std::span<const std::byte> said) { heard = said.size(); }, 10s));
  CHECK(heard == 3);
  server.close();
  CHECK(child.wait().success());
}
