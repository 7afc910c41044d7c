// Peers that break the rules of the FIFO transport by hand.

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <strait/serializers/trivial.hpp>
#include <strait/transports/pipe.hpp>

#include <memory>
#include <string>
#include <vector>

#include "support/hostile_frames.hpp"

using strait::Errc;
using strait::Token;
using strait::os::Descriptor;
using namespace strait_test::frames;

namespace {

using Server = strait_test::frames::FrameServer<strait::PipeTransport>;
using Link = Server::Link;

void write_all(const Descriptor& to, Bytes bytes) {
  REQUIRE(::write(to.get(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
}

/// A client that makes its FIFOs and says what it likes.
struct RawClient {
  explicit RawClient(const std::string& name, int number = 0) {
    const auto place = strait::os::NamePlace::of(name);
    directory = place.parent + "/" + place.name;
    stem = std::string(32 - std::to_string(number).size(), 'a') + std::to_string(number);
  }
  ~RawClient() {
    ::unlink(path(".up").c_str());
    ::unlink(path(".dn").c_str());
  }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  std::string path(const char* suffix) const { return directory + "/" + stem + suffix; }
  void make() {
    for (const char* suffix : {".up", ".dn"}) {
      REQUIRE(::mkfifo(path(suffix).c_str(), 0600) == 0);
    }
    out = strait::os::open(path(".up").c_str(), O_RDWR | O_NONBLOCK).value();
    in = strait::os::open(path(".dn").c_str(), O_RDONLY | O_NONBLOCK).value();
  }
  void announce(const std::string& line) {
    const auto hello =
        strait::os::open((directory + "/hello").c_str(), O_WRONLY | O_NONBLOCK).value();
    write_all(hello, std::as_bytes(std::span(line.data(), line.size())));
  }
  void come_with(Bytes hello) {
    make();
    say(hello);
    announce(stem + "\n");
  }
  void say(Bytes bytes) const { write_all(out, bytes); }
  ssize_t receive(std::span<std::byte> into) const {
    return ::read(in.get(), into.data(), into.size());
  }
  void leave() { out.reset(); }

  std::string directory, stem;
  Descriptor out, in;
};

std::error_code end_of(Bytes bytes, bool and_close) {
  Server server;
  RawClient client(server.name);
  client.come_with(server.hello());
  REQUIRE(server.link.poll(deaf));
  REQUIRE_FALSE(server.link.waiting_connect());
  return server.end_by(client, bytes, and_close);
}

}  // namespace

TEST_CASE("a peer that keeps the rules of FIFOs by hand is heard", "[hostile][pipe]") {
  check_rules_kept_by_hand<Server, RawClient>();
}

TEST_CASE("a client that speaks as ever through FIFOs is understood, and answered as ever",
          "[wire][pipe]") {
  check_wire_bytes<Server, RawClient>();
}

TEST_CASE("nonsense in the FIFO of announcements is passed over", "[hostile][pipe]") {
  Server server;
  RawClient client(server.name);
  const std::string good(32, 'b');
  for (const std::string& line :
       {std::string("\n\n\n"), std::string("hello\n"), good + "\n" /* no such FIFOs */,
        good + "b\n", std::string(32, 'G') + "\n", std::string("../../../../../../etc/passwd\n"),
        std::string("../../../../../../../etc/passwd0\n"), std::string(31, '\0') + "\n",
        std::string(4000, 'x') + "\n", std::string(4000, '\n'), std::string("no end")}) {
    client.announce(line);
    CHECK(server.verdicts().empty());
  }
  client.announce("\n");
  CHECK(server.admits_an_honest_client());
}

TEST_CASE("an announcement of what are no FIFOs is passed over", "[hostile][pipe]") {
  Server server;
  RawClient client(server.name);
  // Files.
  for (const char* suffix : {".up", ".dn"}) {
    strait::os::open(client.path(suffix).c_str(), O_CREAT | O_WRONLY, 0600).value();
  }
  client.announce(client.stem + "\n");
  CHECK(server.verdicts().empty());
  for (const char* suffix : {".up", ".dn"}) ::unlink(client.path(suffix).c_str());
  // Links, to FIFOs even.
  RawClient other(server.name, 7);
  other.make();
  for (const char* suffix : {".up", ".dn"}) {
    REQUIRE(::symlink(other.path(suffix).c_str(), client.path(suffix).c_str()) == 0);
  }
  client.announce(client.stem + "\n");
  CHECK(server.verdicts().empty());
  // One of the two is missing.
  REQUIRE(::unlink(other.path(".dn").c_str()) == 0);
  client.announce(other.stem + "\n");
  CHECK(server.verdicts().empty());
  CHECK(server.admits_an_honest_client());
}

TEST_CASE("announcements of nonsense without end do not keep the server", "[hostile][pipe]") {
  Server server;
  RawClient client(server.name);
  const std::string lines(60'000, '\n');
  for (int i = 0; i != 50; ++i) {
    client.announce(lines);
    CHECK(server.verdicts().empty());
    // It may leave some for later, but not all.
    while (strait::os::is_ready(strait::Interest::to_read(server.link.native_handle())))
      server.verdicts();
  }
  CHECK(server.admits_an_honest_client());
}

TEST_CASE("a Hello of wrong bytes through a FIFO is malformed", "[hostile][pipe]") {
  Server server;
  int number = 0;
  for (const Bytes bytes : server.wrong_hellos()) {
    RawClient client(server.name, ++number);
    client.come_with(bytes);
    CAPTURE(number);
    CHECK(server.verdicts() == Verdicts{Errc::malformed});
  }
  CHECK(server.admits_an_honest_client());
}

TEST_CASE("a wrong token through a FIFO is told to the client", "[hostile][pipe]") {
  Server server;
  const auto other = Token::generate().value();
  auto client = Link::connect(server.name, other).value();
  CHECK(server.verdicts() == Verdicts{Errc::bad_token});
  CHECK(client.poll(deaf).error() == Errc::bad_token);
  CHECK(server.admits_an_honest_client());
}

TEST_CASE("silent clients at FIFOs, however many, do not keep an honest one out",
          "[hostile][pipe]") {
  Server server;
  std::vector<std::unique_ptr<RawClient>> silent;
  const auto come = [&](int number) {
    silent.push_back(std::make_unique<RawClient>(server.name, number));
    silent.back()->come_with({});
  };
  for (int i = 0; i != 20; ++i) come(i);
  auto client = Link::connect(server.name, server.token).value();
  for (int i = 20; i != 40; ++i) come(i);
  REQUIRE(server.link.poll(deaf));
  CHECK_FALSE(server.link.waiting_connect());
  CHECK(client.poll(deaf));
  CHECK_FALSE(client.waiting_connect());
}

TEST_CASE("a frame that makes no sense ends the channel", "[hostile][pipe]") {
  check_senseless_frames(end_of);
}

TEST_CASE("a frame that is cut off by the end is not a message", "[hostile][pipe]") {
  check_cut_frames(end_of);
}

TEST_CASE("a message of a wrong size for its type ends a channel of FIFOs", "[hostile][pipe]") {
  struct Ping {
    std::uint64_t id;
  };
  using Serializer = strait::TrivialSerializer<Ping>;
  using Typed = strait::Channel<strait::PipeTransport, Serializer>;
  const auto name = strait_test::unique_name("hostile");
  const auto token = Token::generate().value();
  auto link = Typed::listen(name, token).value();
  RawClient client(name);
  client.come_with(frame(strait::detail::encode_hello(Serializer::schema_hash, token).bytes()));
  int pings = 0;
  const auto listener = [&](const Ping&) { ++pings; };
  REQUIRE(link.poll(listener));
  const std::vector<std::byte> body(9);
  client.say(frame(Bytes(body).first(8)));
  client.say(frame(body));
  CHECK(link.poll(listener).value() == 1);
  CHECK(link.poll(listener).error() == Errc::malformed);
  CHECK(pings == 1);
}

TEST_CASE("a Welcome that is a message with a tag is malformed", "[hostile][pipe]") {
  const auto name = strait_test::unique_path("hostile");
  REQUIRE(::mkdir(name.c_str(), 0700) == 0);
  const auto hello_path = name + "/hello";
  REQUIRE(::mkfifo(hello_path.c_str(), 0600) == 0);
  const auto announced = strait::os::open(hello_path.c_str(), O_RDWR | O_NONBLOCK).value();
  for (std::uint16_t tag = 0; tag != 2; ++tag) {
    CAPTURE(tag);
    auto link = strait::PipeTransport::look_up(name).value().hello({}).value();
    std::string line(33, '\0');
    REQUIRE(::read(announced.get(), line.data(), line.size()) == 33);
    line.resize(32);
    const auto out =
        strait::os::open((name + "/" + line + ".dn").c_str(), O_WRONLY | O_NONBLOCK).value();
    write_all(out, frame(strait::detail::encode_welcome({}).bytes(), tag));
    const auto heard = strait::detail::check_welcome(link.welcome().value().bytes());
    CHECK(heard.error() == (tag == 0 ? std::error_code() : Errc::malformed));
  }
  REQUIRE(::unlink(hello_path.c_str()) == 0);
  REQUIRE(::rmdir(name.c_str()) == 0);
}
