// Clients that break the handshake in every way, before a real server; an honest one gets in after.

#include <strait/channel.hpp>
#include <strait/mach_transport.hpp>
#include <strait/serializers/raw.hpp>

#include <chrono>
#include <string>
#include <system_error>
#include <vector>

#include "support/hostile_peer.hpp"
#include "support/runtime_dir.hpp"

using strait::ChannelOptions;
using strait::Errc;
using strait::Token;
using namespace strait_test;
using namespace std::chrono_literals;

namespace {

using Bytes = std::span<const std::byte>;
using Link =
    strait::Channel<strait::MachTransport<>, strait::RawSerializer, ChannelOptions{}, Refusals>;

const auto deaf = [](Bytes) {};

struct Server {
  std::string name = unique_name("hostile");
  Token token = Token::generate().value();
  Link link = Link::listen(name, token).value();

  Bytes hello() {
    hello_ = strait::detail::encode_hello(strait::RawSerializer::schema_hash, token);
    return hello_.bytes();
  }

  /// What the server says to clients that have come so far; they are all refused.
  std::vector<std::error_code> verdicts() {
    CHECK(link.poll(deaf).value() == 0);
    CHECK(link.waiting_connect());
    std::vector<std::error_code> result;
    for (const auto& refusal : link.observer().seen) {
      CHECK(refusal.who.uid == ::geteuid());
      CHECK(refusal.who.pid == ::getpid());
      result.push_back(refusal.why);
    }
    link.observer().seen.clear();
    return result;
  }

  bool admits_an_honest_client() {
    auto client = Link::connect(name, token).value();
    if (!link.poll(deaf) || link.waiting_connect()) return false;
    if (!client.poll(deaf) || client.waiting_connect()) return false;
    bool heard = false;
    return client.send(std::array{std::byte{5}}) &&
           link.poll([&](Bytes bytes) { heard = bytes.size() == 1 && bytes[0] == std::byte{5}; }) &&
           heard;
  }

 private:
  strait::detail::HandshakeBytes hello_;
};

using Verdicts = std::vector<std::error_code>;
Verdicts just(std::error_code error) { return {error}; }

}  // namespace

TEST_CASE("a Hello with a wrong number of descriptors is malformed", "[hostile][mach]") {
  Server server;
  OwnLane lane;
  const int socket = lane.far_socket.get();
  const int memory = lane.memory.get();
  for (const auto& descriptors :
       {std::vector<int>{}, std::vector<int>{socket}, std::vector<int>{socket, memory, memory},
        std::vector<int>(253, memory)}) {
    const auto client = knock(server.name);
    say(client, server.hello(), descriptors);
    CHECK(server.verdicts() == just(Errc::malformed));
  }
  CHECK(server.admits_an_honest_client());
}

TEST_CASE("a Hello of wrong bytes is malformed", "[hostile][mach]") {
  Server server;
  OwnLane lane;
  const std::array lane_end{lane.far_socket.get(), lane.memory.get()};
  std::vector<std::byte> garbage(100);
  for (std::size_t i = 0; i != garbage.size(); ++i) garbage[i] = static_cast<std::byte>(i * 37);
  std::vector<std::byte> wrong_magic(server.hello().begin(), server.hello().end());
  wrong_magic[0] ^= std::byte{1};
  std::vector<std::byte> too_long(server.hello().begin(), server.hello().end());
  too_long.resize(too_long.size() + 1);
  const std::vector<std::byte> over_capacity(4000);
  for (const Bytes bytes : {Bytes(garbage), Bytes(wrong_magic), Bytes(too_long),
                            Bytes(over_capacity), Bytes(), server.hello().first(20)}) {
    const auto client = knock(server.name);
    say(client, bytes, lane_end);
    CAPTURE(bytes.size());
    CHECK(server.verdicts() == just(Errc::malformed));
  }
  CHECK(server.admits_an_honest_client());
}

TEST_CASE("a client that leaves without a word is no trouble", "[hostile][mach]") {
  Server server;
  for (int i = 0; i != 5; ++i) {
    auto client = knock(server.name);
    if (i % 2 == 0) server.verdicts();
    client.reset();
    CHECK(server.verdicts() == just(Errc::peer_closed));
  }
  const auto silent = knock(server.name);
  say(silent, {});  // nothing at all looks like the end
  CHECK(server.verdicts() == just(Errc::peer_closed));
  CHECK(server.admits_an_honest_client());
}

TEST_CASE("a wrong version, token or schema is told to the client", "[hostile][mach]") {
  Server server;
  const auto answer_to = [&](strait::detail::Hello hello) {
    OwnLane lane;
    const auto client = knock(server.name);
    say(client, std::as_bytes(std::span(&hello, 1)),
        std::array{lane.far_socket.get(), lane.memory.get()});
    lane.far_socket.reset();
    const auto verdicts = server.verdicts();
    REQUIRE(verdicts.size() == 1);
    std::vector<std::byte> body;
    const auto header = lane.ring.read(&body);
    REQUIRE(header);
    CHECK(header->kind == refusal);
    CHECK(strait::detail::check_welcome(body).error() == verdicts[0]);
    CHECK(lane.ring.read().error() == Errc::empty);
    // And nothing but that: the lane's end is closed, no descriptor came.
    strait::posix::DescriptorQueue descriptors;
    std::array<std::byte, 1> packet;
    CHECK(strait::posix::receive_packet(lane.socket.get(), packet, descriptors).error() ==
          Errc::peer_closed);
    return verdicts[0];
  };
  strait::detail::Hello hello;
  std::memcpy(&hello, server.hello().data(), sizeof hello);
  auto wrong = hello;
  wrong.version = 2;
  CHECK(answer_to(wrong) == Errc::version_mismatch);
  wrong = hello;
  wrong.token[31] ^= std::byte{1};
  CHECK(answer_to(wrong) == Errc::bad_token);
  wrong = hello;
  wrong.schema_hash ^= 1;
  CHECK(answer_to(wrong) == Errc::schema_mismatch);
  wrong = hello;
  wrong.word_bytes = 4;
  CHECK(answer_to(wrong) == Errc::schema_mismatch);
  CHECK(server.admits_an_honest_client());
}

TEST_CASE("a lane whose memory is no ring is turned down", "[hostile][mach]") {
  Server server;
  const std::size_t ring = std::size_t{256} << 10;
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  const Descriptor pipe_out(ends[0]);
  const Descriptor pipe_in(ends[1]);
  std::vector<Descriptor> files;
  files.push_back(memory_file(page() + ring, 0));
  files.push_back(memory_file(page() + ring, F_SEAL_SHRINK | F_SEAL_GROW));
  files.push_back(memory_file(page() + ring, strait::linux_mach::seals_of_content));
  files.push_back(memory_file(0));
  files.push_back(memory_file(page()));
  files.push_back(memory_file(ring));
  files.push_back(memory_file(page() + ring + 8));
  files.push_back(memory_file(page() + (std::size_t{1} << 30)));
  files.push_back(memory_file(std::size_t{1} << 50));
  files.push_back(strait::posix::open("/dev/zero", O_RDWR).value());
  for (std::size_t i = 0; i != files.size() + 2; ++i) {
    auto lane = socket_pair();
    const int memory = i < files.size()    ? files[i].get()
                       : i == files.size() ? pipe_out.get()
                                           : lane[1].get();
    const auto client = knock(server.name);
    say(client, server.hello(), std::array{lane[1].get(), memory});
    CAPTURE(i);
    const auto verdicts = server.verdicts();
    REQUIRE(verdicts.size() == 1);
    CHECK(verdicts[0]);
  }
  CHECK(server.admits_an_honest_client());
}

TEST_CASE("a lane with a ring too small for this side's messages is turned down",
          "[hostile][mach]") {
  Server server;
  OwnLane lane(page());
  const auto client = knock(server.name);
  say(client, server.hello(), std::array{lane.far_socket.get(), lane.memory.get()});
  CHECK(server.verdicts() == just(Errc::bad_region));
  CHECK(server.admits_an_honest_client());
}

TEST_CASE("a lane whose socket is none, or of another kind, is turned down", "[hostile][mach]") {
  Server server;
  OwnLane lane;
  auto stream = socket_pair(SOCK_STREAM);
  auto datagram = socket_pair(SOCK_DGRAM);
  const Descriptor inet(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const auto null = strait::posix::open("/dev/null", O_RDWR).value();
  const auto unconnected = strait::linux_mach::new_socket().value();
  for (const int socket : {stream[0].get(), datagram[0].get(), inet.get(), null.get(),
                           lane.memory.get(), unconnected.get()}) {
    const auto client = knock(server.name);
    say(client, server.hello(), std::array{socket, lane.memory.get()});
    CAPTURE(socket);
    const auto verdicts = server.verdicts();
    REQUIRE(verdicts.size() == 1);
    CHECK((verdicts[0] == Errc::malformed || verdicts[0] == Errc::peer_closed));
  }
  // Swapped: the memory where the socket should be.
  const auto client = knock(server.name);
  say(client, server.hello(), std::array{lane.memory.get(), lane.far_socket.get()});
  CHECK(server.verdicts() == just(Errc::malformed));
  CHECK(server.admits_an_honest_client());
}

TEST_CASE("a lane whose socket nobody receives from is turned down", "[hostile][mach]") {
  Server server;
  OwnLane lane;
  lane.socket.reset();
  const auto client = knock(server.name);
  say(client, server.hello(), std::array{lane.far_socket.get(), lane.memory.get()});
  CHECK(server.verdicts() == just(Errc::peer_closed));
  CHECK(server.admits_an_honest_client());
}

TEST_CASE("a lane whose socket is full is turned down", "[hostile][mach]") {
  Server server;
  OwnLane lane;
  while (strait::posix::send_packet(lane.far_socket.get(), FarLane::one_byte)) {
  }
  const auto client = knock(server.name);
  say(client, server.hello(), std::array{lane.far_socket.get(), lane.memory.get()});
  CHECK(server.verdicts() == just(Errc::would_block));
  CHECK(server.admits_an_honest_client());
}

TEST_CASE("a lane whose ring is full from the beginning is turned down", "[hostile][mach]") {
  Server server;
  OwnLane lane;
  lane.ring.control().head.store(std::uint64_t{1} << 62);
  const auto client = knock(server.name);
  say(client, server.hello(), std::array{lane.far_socket.get(), lane.memory.get()});
  // The writer looks at that index when it runs out of room, not before: so this client is in.
  CHECK(server.link.poll(deaf).value() == 0);
  CHECK_FALSE(server.link.waiting_connect());
}

TEST_CASE("silent clients, however many, do not keep an honest one out", "[hostile][mach]") {
  constexpr ChannelOptions few{.handshake_timeout_ms = 3'600'000, .max_half_open = 4};
  using Small = strait::Channel<strait::MachTransport<>, strait::RawSerializer, few, Refusals>;
  const auto name = unique_name("silent");
  const auto token = Token::generate().value();
  auto server = Small::listen(name, token).value();
  std::vector<Descriptor> silent;
  for (int i = 0; i != 100; ++i) silent.push_back(knock(name));
  auto client = Small::connect(name, token).value();
  for (int i = 0; i != 100; ++i) silent.push_back(knock(name));
  REQUIRE(server.poll(deaf));
  CHECK_FALSE(server.waiting_connect());
  REQUIRE(client.poll(deaf));
  CHECK_FALSE(client.waiting_connect());
  CHECK(server.observer().seen.size() >= 96);
  for (const auto& refusal : server.observer().seen) {
    CHECK(refusal.why == Errc::handshake_timeout);
  }
}

TEST_CASE("a silent client's time runs out while the server waits", "[hostile][mach]") {
  constexpr ChannelOptions hasty{.handshake_timeout_ms = 20};
  using Hasty = strait::Channel<strait::MachTransport<>, strait::RawSerializer, hasty, Refusals>;
  const auto name = unique_name("silent");
  const auto token = Token::generate().value();
  auto server = Hasty::listen(name, token).value();
  const auto silent = knock(name);
  while (server.observer().seen.empty()) REQUIRE(server.wait(deaf, 20ms).value() == 0);
  CHECK(server.observer().seen[0].why == Errc::handshake_timeout);
  CHECK(server.waiting_connect());
  // The one that was given up is gone.
  strait::posix::DescriptorQueue descriptors;
  std::array<std::byte, 8> packet;
  CHECK(strait::posix::receive_packet(silent.get(), packet, descriptors).error() ==
        Errc::peer_closed);
}
