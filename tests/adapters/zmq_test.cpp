// What a channel over ZeroMQ promises beside the conformance suite: keys, ends, attacks.

#include "strait/transports/zmq.hpp"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <limits>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "adapters/zmq_links.hpp"
#include "adapters/zmq_raw_client.hpp"
#include "strait/launch.hpp"
#include "support/catch.hpp"
#include "support/process.hpp"

using namespace strait_test;

/// What libzmq's threads tell each other the thread sanitizer does not see, as it is not compiled
/// for it.
extern "C" const char* __tsan_default_suppressions() {
  return "called_from_lib:libzmq.so.5\n"
         "called_from_lib:libsodium.so.23\n";
}

namespace {

const auto ignore = [](const auto&) {};

struct Counted {
  std::vector<std::uint64_t> values;
  strait::Peer peer;
  void operator()(const Count& count) { values.push_back(count.value); }
  void on_connected(const strait::Peer& who) { peer = who; }
};

/// What a client is told that must not get in, while the server serves.
template <class Client, class Server>
std::error_code refusal(Server& server, const strait::ZmqName& name, const strait::Token& token) {
  auto client = Client::connect(name, token).value();
  std::error_code told;
  REQUIRE(repeat_until([&] {
    static_cast<void>(server.poll(ignore));
    told = client.poll(ignore).error();
    return static_cast<bool>(told);
  }));
  return told;
}

/// Both are polled until a message has gone each way.
template <class Server, class Client>
void talk(Server& server, Client& client) {
  Counted at_server;
  Counted at_client;
  REQUIRE(client.send(Count{1}));
  REQUIRE(server.send(Count{2}));
  REQUIRE(pump_until(server, at_server, client, at_client,
                     [&] { return !at_server.values.empty() && !at_client.values.empty(); }));
  CHECK(at_server.values[0] == 1);
  CHECK(at_client.values[0] == 2);
}

}  // namespace

TEST_CASE("a key pair in a file is the same one each time, and this user's alone", "[zmq][keys]") {
  const std::string path = unique_path("key");
  const auto made = strait::KeyPair::load_or_create(path).value();
  const auto loaded = strait::KeyPair::load_or_create(path).value();
  CHECK(made.public_key() == loaded.public_key());
  CHECK(made.public_key() != strait::KeyPair::generate().value().public_key());
  CHECK(::chmod(path.c_str(), 0644) == 0);
  CHECK(strait::KeyPair::load_or_create(path).error() == Errc::unsafe_token_file);
  ::unlink(path.c_str());
}

TEST_CASE("a public key goes through text and back, and nothing else is one", "[zmq][keys]") {
  const auto key = strait::KeyPair::generate().value().public_key();
  const std::string text = strait::to_text(key);
  CHECK(text.size() == 40);
  CHECK(strait::public_key_from_text(text).value() == key);
  for (const std::string& wrong :
       {std::string(), text.substr(1), text + "0", std::string(40, '"'), std::string(40, '\0')}) {
    CHECK_FALSE(strait::public_key_from_text(wrong));
  }
}

TEST_CASE("an endpoint and a token are enough, and each side knows the other's key", "[zmq]") {
  const auto token = new_token();
  auto serving = serve_zmq<ZmqCountLink>({}, token);
  auto& server = serving.server;
  const std::string& endpoint = serving.endpoint;
  auto client = ZmqCountLink::connect(endpoint, token).value();
  talk(server, client);
  const auto key = strait::KeyPair::from_token(token).value().public_key();
  for (const strait::Peer* peer : {&server.peer(), &client.peer()}) {
    CHECK(peer->public_key == key);
    CHECK(peer->credentials.uid == strait::PeerCredentials::unknown_id);
    CHECK(peer->credentials.gid == strait::PeerCredentials::unknown_id);
    CHECK(peer->credentials.pid == 0);
  }
}

TEST_CASE("keys of one's own say who is who", "[zmq][keys]") {
  const auto token = new_token();
  const auto server_keys = strait::KeyPair::generate().value();
  const auto client_keys = strait::KeyPair::generate().value();
  auto serving =
      serve_zmq<ZmqCountLink>({.own = server_keys, .clients = {client_keys.public_key()}}, token);
  auto& server = serving.server;
  const std::string& endpoint = serving.endpoint;
  auto client = ZmqCountLink::connect(
                    {endpoint, {.own = client_keys, .server = server_keys.public_key()}}, token)
                    .value();
  talk(server, client);
  CHECK(server.peer().public_key == client_keys.public_key());
  CHECK(client.peer().public_key == server_keys.public_key());
}

TEST_CASE("a client that must not come in is told why, where that tells it nothing",
          "[zmq][keys][handshake]") {
  const auto token = new_token();
  const auto server_keys = strait::KeyPair::generate().value();
  const auto client_keys = strait::KeyPair::generate().value();
  const strait::CurveKeys right{.own = client_keys, .server = server_keys.public_key()};
  SharedRefusals refusals;
  auto serving = serve_zmq<WatchedZmqLink>(
      {.own = server_keys, .clients = {client_keys.public_key()}}, token, refusals);
  auto& server = serving.server;
  const std::string& endpoint = serving.endpoint;
  auto& seen = refusals.log->why;

  SECTION("its key is not on the list") {
    const strait::CurveKeys other{.own = strait::KeyPair::generate().value(),
                                  .server = server_keys.public_key()};
    CHECK(refusal<ZmqCountLink>(server, {endpoint, other}, token) == Errc::permission_denied);
    REQUIRE(repeat_until([&] { return server.poll(ignore) && !seen.empty(); }));
    CHECK(seen[0] == Errc::permission_denied);
  }
  SECTION("it has no key but the token's") {
    CHECK(refusal<ZmqCountLink>(server, {endpoint, {.server = server_keys.public_key()}}, token) ==
          Errc::bad_token);
  }
  SECTION("it takes another key for the server's") {
    const strait::CurveKeys other{.own = client_keys,
                                  .server = strait::KeyPair::generate().value().public_key()};
    CHECK(refusal<ZmqCountLink>(server, {endpoint, other}, token) == Errc::refused);
    CHECK(seen.empty());
  }
  SECTION("it does not encrypt") {
    CHECK(refusal<ZmqLinkOver<strait::Plaintext>>(server, endpoint, token) == Errc::refused);
    CHECK(seen.empty());
  }
  SECTION("its token is another one") {
    CHECK(refusal<ZmqCountLink>(server, {endpoint, right}, new_token()) == Errc::bad_token);
    CHECK(seen == std::vector{make_error_code(Errc::bad_token)});
  }
  SECTION("its messages are others") {
    using Other = strait::Channel<strait::ZmqTransport, strait::TrivialSerializer<Count, int>>;
    CHECK(refusal<Other>(server, {endpoint, right}, token) == Errc::schema_mismatch);
    CHECK(seen == std::vector{make_error_code(Errc::schema_mismatch)});
  }
  auto client = ZmqCountLink::connect({endpoint, right}, token).value();
  talk(server, client);
}

TEST_CASE("of a token that is wrong a server says nothing, as it can't even read it",
          "[zmq][keys]") {
  const auto token = new_token();
  auto serving = serve_zmq<ZmqCountLink>({}, token);
  auto& server = serving.server;
  const std::string& endpoint = serving.endpoint;
  CHECK(refusal<ZmqCountLink>(server, endpoint, new_token()) == Errc::refused);
  auto client = ZmqCountLink::connect(endpoint, token).value();
  talk(server, client);
}

TEST_CASE("without encryption there is no way past this machine", "[zmq][keys]") {
  using Link = ZmqLinkOver<strait::Plaintext>;
  for (const char* name : {"tcp://*:5555", "tcp://0.0.0.0:5555", "tcp://192.0.2.1:5555"}) {
    CHECK(Link::listen(name, new_token()).error() == Errc::unsupported);
    CHECK(Link::connect(name, new_token()).error() == Errc::unsupported);
  }
}

TEMPLATE_TEST_CASE("the other ways: a path, and a name within the process", "[zmq]", strait::Curve,
                   strait::Plaintext) {
  using Link = ZmqLinkOver<TestType>;
  const auto token = new_token();
  const std::string path = unique_path("zmq");
  const std::string name =
      GENERATE_COPY(as<std::string>(), "ipc://" + path, "inproc://" + unique_name("zmq"));
  {
    auto server = Link::listen(name, token).value();
    auto client = Link::connect(name, token).value();
    talk(server, client);
  }
  CHECK(repeat_until([&] { return ::access(path.c_str(), F_OK) != 0; }));
}

TEST_CASE("a path is taken from a server that is gone, and from nothing else", "[zmq]") {
  const auto token = new_token();
  const std::string path = unique_path("zmq");
  const std::string name = "ipc://" + path;
  SECTION("not from one that lives") {
    auto server = ZmqCountLink::listen(name, token).value();
    CHECK(ZmqCountLink::listen(name, token).error() == Errc::name_taken);
    auto client = ZmqCountLink::connect(name, token).value();
    talk(server, client);
  }
  SECTION("not from a file of another kind") {
    std::ofstream(path) << "precious";
    CHECK(ZmqCountLink::listen(name, token).error() == Errc::name_taken);
    std::string content;
    std::ifstream(path) >> content;
    CHECK(content == "precious");
    ::unlink(path.c_str());
  }
  SECTION("from one that was killed") {
    auto server = Child::spawn("zmq counting server", {name, token.to_hex()});
    REQUIRE(server.read_line() == "listening");
    server.kill(SIGKILL);
    static_cast<void>(server.wait());
    REQUIRE(::access(path.c_str(), F_OK) == 0);
    auto again = ZmqCountLink::listen(name, token).value();
    auto client = ZmqCountLink::connect(name, token).value();
    talk(again, client);
  }
  SECTION("a server that goes leaves the file of one that came after it") {
    auto first = ZmqCountLink::listen(name, token).value();
    ::unlink(path.c_str());
    auto second = ZmqCountLink::listen(name, token).value();
    first.close();
    auto client = ZmqCountLink::connect(name, token).value();
    talk(second, client);
  }
  CHECK(repeat_until([&] { return ::access(path.c_str(), F_OK) != 0; }));
}

TEST_CASE("what can't be an endpoint is invalid_name, and a port that is taken name_taken",
          "[zmq]") {
  const auto token = new_token();
  for (const char* name :
       {"", "plain", "tcp://", "tcp://127.0.0.1", "udp://127.0.0.1:1", "x://y"}) {
    CAPTURE(name);
    CHECK(ZmqCountLink::listen(name, token).error() == Errc::invalid_name);
    CHECK(ZmqCountLink::connect(name, token).error() == Errc::invalid_name);
  }
  auto serving = serve_zmq<ZmqCountLink>({}, token);
  const std::string& endpoint = serving.endpoint;
  CHECK(ZmqCountLink::listen(endpoint, token).error() == Errc::name_taken);
}

TEST_CASE("a server that is not there is not_found, and waited for when asked", "[zmq]") {
  const auto token = new_token();
  const std::string endpoint = endpoint_of(free_port());
  auto client = ZmqCountLink::connect(endpoint, token).value();
  CHECK(poll_until_error(client, ignore) == Errc::not_found);
  // The last of its attempts may have been cut short.
  const auto told = ZmqCountLink::connect(endpoint, token, 200ms).error();
  if (told != Errc::handshake_timeout) CHECK(told == Errc::not_found);
}

// --- ends --------------------------------------------------------------------------------------

namespace {

/// Serves, counts from 0 as fast as it can, and says so; until it is killed.
const ChildRole counting_server("zmq counting server", [](const ChildArguments& arguments) {
  const auto token = strait::Token::from_hex(arguments.at(1)).value();
  auto server = ZmqCountLink::listen(arguments.at(0), token);
  for (; !server && server.error() == Errc::name_taken;) {
    server = ZmqCountLink::listen(arguments.at(0), token);
  }
  child::require(server.has_value());
  child::write_line("listening");
  for (std::uint64_t next = 0;;) {
    const auto polled = server->wait(ignore, 1ms);
    if (!polled) return 0;
    for (int i = 0; i != 100 && !server->waiting_connect(); ++i) {
      if (server->send(Count{next})) ++next;
    }
  }
});

}  // namespace

TEST_CASE("a server that is killed ends the channel after what had come, and may come again",
          "[zmq][kill]") {
  const auto token = new_token();
  const std::string endpoint = endpoint_of(free_port());
  for (int life = 0; life != 3; ++life) {
    auto server = Child::spawn("zmq counting server", {endpoint, token.to_hex()});
    REQUIRE(server.read_line() == "listening");
    auto client = ZmqCountLink::connect(endpoint, token, long_enough).value();
    std::uint64_t next = 0;
    bool in_order = true;
    const auto check = [&](const Count& count) { in_order = in_order && count.value == next++; };
    REQUIRE(poll_until(client, check, [&] { return next > 1000; }));
    server.kill(SIGKILL);
    CHECK(poll_until_error(client, check) == Errc::peer_closed);
    CHECK(in_order);
    CHECK(client.send(Count{0}).error() == Errc::peer_closed);
    static_cast<void>(server.wait());
  }
}

namespace {

/// Sends one count, and waits until it is killed.
const ChildRole counting_client("zmq counting client", [](const ChildArguments& arguments) {
  const auto token = strait::Token::from_hex(arguments.at(1)).value();
  auto client = ZmqCountLink::connect(arguments.at(0), token, long_enough);
  child::require(client && client->send(Count{7}));
  while (client->wait(ignore, 1h)) {
  }
  return 0;
});

}  // namespace

TEST_CASE("a client that is killed ends its channel at the server, and no other", "[zmq][kill]") {
  const auto token = new_token();
  using Server = strait::Acceptor<ZmqCountLink>;
  auto serving = serve_zmq<Server>({}, token);
  auto& server = serving.server;
  const std::string& endpoint = serving.endpoint;
  struct Listener {
    std::size_t connected = 0;
    std::vector<std::error_code> ends;
    std::uint64_t heard = 0;
    void operator()(ZmqCountLink&, const Count&) { ++heard; }
    void on_connected(ZmqCountLink&) { ++connected; }
    void on_closed(ZmqCountLink&, std::error_code why) { ends.push_back(why); }
  } listener;
  auto stays = ZmqCountLink::connect(endpoint, token).value();
  auto victim = Child::spawn("zmq counting client", {endpoint, token.to_hex()});
  REQUIRE(repeat_until([&] {
    static_cast<void>(server.wait(listener, 1ms));
    static_cast<void>(stays.poll(ignore));
    return listener.heard == 1 && listener.connected == 2;
  }));
  victim.kill(SIGKILL);
  REQUIRE(repeat_until([&] {
    static_cast<void>(server.wait(listener, 1ms));
    return !listener.ends.empty();
  }));
  CHECK(listener.ends == std::vector{make_error_code(Errc::peer_closed)});
  REQUIRE(stays.send(Count{8}));
  CHECK(repeat_until([&] {
    static_cast<void>(server.wait(listener, 1ms));
    return listener.heard == 2;
  }));
  CHECK(victim.wait().killed_by(SIGKILL));
}

TEST_CASE("a forked process's copy ends nothing and sends nothing", "[zmq][fork]") {
  const auto token = new_token();
  auto serving = serve_zmq<ZmqCountLink>({}, token);
  auto& server = serving.server;
  const std::string& endpoint = serving.endpoint;
  std::optional<ZmqCountLink> client(ZmqCountLink::connect(endpoint, token).value());
  talk(server, *client);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const bool sent = client->send(Count{9}).has_value();
    client.reset();
    server.close();
    ::_exit(sent ? 1 : 0);
  }
  int status = -1;
  CHECK(::waitpid(child, &status, 0) == child);
  CHECK(status == 0);
  talk(server, *client);
}

TEST_CASE("200 clients are served, each by itself, and come and go", "[zmq][acceptor]") {
  const auto token = new_token();
  // So many handshakes may take a busy machine longer than a channel waits for one.
  using Link = strait::Channel<strait::ZmqTransport, strait::TrivialSerializer<Count>,
                               strait::ChannelOptions{.handshake_timeout_ms = 60'000}>;
  using Server = strait::Acceptor<Link>;
  auto serving = serve_zmq<Server>({}, token);
  auto& server = serving.server;
  const std::string& endpoint = serving.endpoint;
  std::size_t ended = 0;
  struct Listener {
    std::size_t& ended;
    void operator()(Link& client, const Count& count) {
      client.send(Count{count.value + 1}).value();
    }
    void on_closed(Link&, std::error_code why) { ended += why == Errc::peer_closed; }
  } listener{ended};
  constexpr std::size_t many = 200;
  std::vector<Link> clients;
  for (std::size_t i = 0; i != many; ++i) {
    clients.push_back(Link::connect(endpoint, token).value());
    REQUIRE(clients.back().send(Count{1000 * i}));
  }
  std::vector<std::uint64_t> heard(many);
  std::size_t done = 0;
  REQUIRE(repeat_until([&] {
    static_cast<void>(server.poll(listener));
    for (std::size_t i = 0; i != many; ++i) {
      static_cast<void>(clients[i].poll([&](const Count& count) {
        ++heard[i];
        if (count.value != 1000 * i + heard[i]) FAIL("not its own");
        if (heard[i] == 20) ++done;
        if (heard[i] < 20) clients[i].send(count).value();
      }));
    }
    return done == many;
  }));
  CHECK(server.size() == many);
  clients.erase(clients.begin() + many / 2, clients.end());
  CHECK(repeat_until([&] {
    static_cast<void>(server.poll(listener));
    return ended == many / 2;
  }));
}

TEST_CASE("libzmq gives a handshake as long as the channel, and some seconds at least", "[zmq]") {
  using strait::detail::zmq_handshake_limit;
  CHECK(zmq_handshake_limit(0ms) == 5000);
  CHECK(zmq_handshake_limit(5001ms) == 5001);
  CHECK(zmq_handshake_limit(1h) == 3'600'000);
  CHECK(zmq_handshake_limit(10'000h) == std::numeric_limits<int>::max());
}

TEST_CASE("a million messages arrive, in order and once", "[zmq][slow]") {
  const auto token = new_token();
  auto serving = serve_zmq<ZmqCountLink>({}, token);
  auto& server = serving.server;
  const std::string& endpoint = serving.endpoint;
  constexpr std::uint64_t many = 1'000'000;
  std::thread sending([&] {
    auto client = ZmqCountLink::connect(endpoint, token, long_enough).value();
    for (std::uint64_t i = 0; i != many; ++i) {
      while (!client.send(Count{i})) static_cast<void>(client.flush(1s));
    }
    static_cast<void>(client.flush(long_enough));
    static_cast<void>(client.wait(ignore, long_enough));
  });
  std::uint64_t next = 0;
  bool in_order = true;
  while (next != many) {
    const auto heard = server.wait(
        [&](const Count& count) { in_order = in_order && count.value == next++; }, long_enough);
    if (!heard || *heard == 0) break;
  }
  server.close();
  sending.join();
  CHECK(in_order);
  CHECK(next == many);
}

TEST_CASE("a link on which nothing is sent says so once a minute, and no other", "[zmq]") {
  strait::detail::ZmqLinkState link;
  const auto said_in_a_minute = [&](bool sends) {
    int said = 0;
    for (int checks = 0; checks != strait::detail::zmq_quiet_checks; ++checks) {
      if (sends) ++link.next_out;
      if (link.is_quiet()) ++said;
    }
    return said;
  };
  CHECK(strait::detail::zmq_quiet_checks * strait::detail::zmq_check_interval == 60s);
  CHECK(said_in_a_minute(false) == 0);
  link.linked = true;
  CHECK(said_in_a_minute(true) == 0);
  CHECK(said_in_a_minute(false) == 1);
  CHECK(said_in_a_minute(false) == 1);
  link.left = true;
  CHECK(said_in_a_minute(false) == 0);
}

// --- attacks -----------------------------------------------------------------------------------

TEST_CASE("bytes that are no ZeroMQ do no harm, hold nothing, and keep nobody out",
          "[zmq][hostile]") {
  const auto token = new_token();
  auto serving = serve_zmq<ZmqCountLink>({}, token);
  auto& server = serving.server;
  const std::string& endpoint = serving.endpoint;
  auto client = ZmqCountLink::connect(endpoint, token).value();
  talk(server, client);
  std::string greeting("\xff\0\0\0\0\0\0\0\x01\x7f\x03\x01", 12);
  std::string null_mechanism = greeting + "NULL" + std::string(48, '\0');
  std::string curve = greeting + "CURVE" + std::string(47, '\0');
  const std::string attacks[] = {
      std::string(1 << 16, '\0'),
      std::string(1 << 16, '\xff'),
      "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
      greeting,
      null_mechanism + std::string("\x06\xff\xff\xff\xff\xff\xff\xff\xff", 9),
      curve + std::string("\x06\x7f\xff\xff\xff\xff\xff\xff\xff", 9) + std::string(1 << 16, 'x'),
      curve + std::string("\x04\xc8\x05HELLO", 8) + std::string(194, '\1'),
      curve + std::string("\x04\xc8\x05HELLO\x01\x00", 10) + std::string(192, '\0'),
  };
  const std::size_t before = resident_bytes();
  for (int round = 0; round != 40; ++round) {
    for (const std::string& attack : attacks) {
      const auto socket = connect_plainly(serving.port);
      static_cast<void>(::send(socket.get(), attack.data(), attack.size(), MSG_NOSIGNAL));
      static_cast<void>(server.poll(ignore));
    }
  }
  talk(server, client);
  if (counts_memory) CHECK(resident_bytes() < before + (std::size_t{32} << 20));
}

TEST_CASE("a client with the keys that breaks the rules is closed, and no other notices",
          "[zmq][hostile]") {
  using strait::detail::ZmqKind;
  const auto token = new_token();
  using Server = strait::Acceptor<ZmqCountLink>;
  auto serving = serve_zmq<Server>({}, token);
  auto& server = serving.server;
  const std::string& endpoint = serving.endpoint;
  struct Listener {
    std::vector<std::error_code> ends;
    std::size_t connected = 0;
    void operator()(ZmqCountLink& client, const Count& count) {
      static_cast<void>(client.send(count));
    }
    void on_connected(ZmqCountLink&) { ++connected; }
    void on_closed(ZmqCountLink&, std::error_code why) { ends.push_back(why); }
  } listener;
  auto honest = ZmqCountLink::connect(endpoint, token).value();
  RawClient bad(endpoint, token);
  bad.hello(token);
  REQUIRE(repeat_until([&] {
    static_cast<void>(server.poll(listener));
    static_cast<void>(honest.poll(ignore));
    bad.answer_if_asked();
    return listener.connected == 2;
  }));
  const std::string count_frame("\x08\0\0\0\0\0\0\0abcdefgh", 16);
  SECTION("a number is missing") {
    bad.skip_a_number();
    bad.send(ZmqKind::data, count_frame);
  }
  SECTION("too short for a header") { bad.send("short"); }
  SECTION("of several frames") {
    bad.send("first", ZMQ_SNDMORE);
    bad.send("second");
  }
  SECTION("no kind that there is") { bad.send(static_cast<ZmqKind>(77), count_frame); }
  SECTION("a second Hello") { bad.hello(token); }
  SECTION("a second answer") { bad.send(ZmqKind::answer, ""); }
  SECTION("a server's question") { bad.send(ZmqKind::ask, ""); }
  SECTION("a Welcome for a server") { bad.send(ZmqKind::welcome, count_frame); }
  SECTION("data without any") { bad.send(ZmqKind::data, ""); }
  SECTION("a frame that can't be") { bad.send(ZmqKind::data, std::string(64, '\xff')); }
  SECTION("credit that was not used") { bad.send(ZmqKind::credit, "", 1 << 30); }
  bool floods = false;
  SECTION("more than it has credit for") { floods = true; }
  REQUIRE(repeat_until([&] {
    // More than one poll takes.
    for (int i = 0; floods && i != 400; ++i) bad.send(ZmqKind::data, count_frame);
    static_cast<void>(server.poll(listener));
    return !listener.ends.empty();
  }));
  CHECK(listener.ends == std::vector{make_error_code(Errc::malformed)});
  // It goes on, and no listener hears it.
  for (int i = 0; i != 100; ++i) bad.send(ZmqKind::data, count_frame);
  std::uint64_t answer = 0;
  REQUIRE(honest.send(Count{42}));
  CHECK(repeat_until([&] {
    static_cast<void>(server.poll(listener));
    static_cast<void>(honest.poll([&](const Count& count) { answer = count.value; }));
    return answer == 42;
  }));
  CHECK(server.size() == 1);
}

TEST_CASE("a client that does not read holds up no other, and costs no more than a queue",
          "[zmq][hostile]") {
  const auto token = new_token();
  constexpr std::size_t most = std::size_t{1} << 20;
  using Link = strait::Channel<strait::ZmqTransport, strait::RawSerializer,
                               strait::ChannelOptions{.max_queued_bytes = most}>;
  using Server = strait::Acceptor<Link>;
  auto serving = serve_zmq<Server>({}, token);
  auto& server = serving.server;
  const std::string& endpoint = serving.endpoint;
  auto deaf = Link::connect(endpoint, token).value();
  auto honest = Link::connect(endpoint, token).value();
  const auto no_answer = [](Link&, View) {};
  Inbox at_honest;
  REQUIRE(repeat_until([&] {
    static_cast<void>(server.poll(no_answer));
    static_cast<void>(deaf.poll(at_honest));
    static_cast<void>(honest.poll(at_honest));
    return server.size() == 2 && at_honest.connected == 2;
  }));
  const Bytes large = pattern(10'000);
  const std::size_t before = resident_bytes();
  std::size_t heard = 0;
  std::size_t full = 0;
  for (std::size_t i = 1; i <= 2000; ++i) {
    full += 2 - server.send_all(large);
    REQUIRE(repeat_until([&] {
      static_cast<void>(honest.poll([&](View) { ++heard; }));
      static_cast<void>(server.poll(no_answer));
      return heard == i;
    }));
  }
  CHECK(full > 1000);
  if (counts_memory) CHECK(resident_bytes() < before + (std::size_t{16} << 20));
}
