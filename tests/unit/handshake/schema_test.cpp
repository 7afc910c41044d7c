#include <strait/handshake/schema.hpp>

#include <strait/channel.hpp>
#include <strait/serializers/struct.hpp>
#include <strait/serializers/trivial.hpp>
#include <strait/transports/loopback.hpp>
#include <strait/transports/mach.hpp>
#include <strait/transports/pipe.hpp>
#include <strait/transports/socket.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "support/catch.hpp"
#include "support/runtime_dir.hpp"

using namespace std::chrono_literals;
using strait::Errc;
using strait::StructSerializer;
using strait::TrivialSerializer;
using strait::detail::first_difference;
using strait::detail::schema_of;
using strait::detail::TypeDigests;

namespace schema_test {

struct Ping {
  std::uint64_t number = 0;
};
struct Pong {
  std::uint64_t number = 0;
};
struct Stop {
  std::uint32_t why = 0;
};
namespace changed {
struct Pong {
  std::uint32_t number = 0;
};
}  // namespace changed

/// What an observer is told, once.
struct Told {
  std::vector<std::string>* told;
  void on_schema_mismatch(std::string_view type, std::uint16_t tag) {
    told->push_back(std::string(type) + " " + std::to_string(tag));
  }
};

template <class Own, class Peers>
std::optional<std::uint16_t> difference() {
  return first_difference(schema_of<Own>().digests, schema_of<Peers>().digests);
}

TEST_CASE("schema: the first type that differs is found", "[handshake]") {
  using Own = TrivialSerializer<Ping, Pong>;
  CHECK(difference<Own, Own>() == std::nullopt);
  CHECK(difference<Own, TrivialSerializer<Ping, changed::Pong>>() == 1);
  CHECK(difference<Own, TrivialSerializer<Pong, Ping>>() == 0);
  CHECK(difference<Own, TrivialSerializer<Ping>>() == 1);
  CHECK(difference<Own, TrivialSerializer<Ping, Pong, Stop>>() == 2);
  CHECK(difference<StructSerializer<Ping, Pong>, StructSerializer<Ping, changed::Pong>>() == 1);
  // Of what was appended both sides may have another list.
  using Old = StructSerializer<strait::Evolving<Ping>>;
  CHECK(difference<Old, StructSerializer<strait::Evolving<Ping>, Stop>>() == std::nullopt);
}

TEST_CASE("schema: what a peer says of its types is not believed", "[handshake]") {
  TypeDigests many;
  many.count = 0xffff;
  CHECK(first_difference(TypeDigests(), many) == 0);
  CHECK(first_difference(many, many) == std::nullopt);
  TypeDigests full;
  full.count = TypeDigests::capacity;
  CHECK(first_difference(full, many) == std::nullopt);
  CHECK(first_difference(TypeDigests(), TypeDigests()) == std::nullopt);
}

template <class TransportT, class Own, class Peers>
void expect(const std::string& at_server, const std::string& at_client) {
  std::vector<std::string> server_told;
  std::vector<std::string> client_told;
  using Server = strait::Channel<TransportT, Own, strait::ChannelOptions{}, Told>;
  using Client = strait::Channel<TransportT, Peers, strait::ChannelOptions{}, Told>;
  const auto name = strait_test::unique_name("schema");
  const auto token = strait::Token::generate().value();
  auto server = Server::listen(name, token, Told{&server_told}).value();
  auto client = Client::connect(name, token, 0s, Told{&client_told}).value();
  const auto ignore = [](const auto&) {};
  strait::Result<std::size_t> heard = 0;
  for (int i = 0; i != 2000 && heard; ++i) {
    static_cast<void>(server.poll(ignore));
    heard = client.wait(ignore, 5ms);
  }
  CHECK(heard.failed_with(Errc::schema_mismatch));
  CHECK(server_told == std::vector{at_server});
  CHECK(client_told == std::vector{at_client});
}

TEST_CASE("schema: both observers hear of the type that differs", "[handshake]") {
  using Own = TrivialSerializer<Ping, Pong>;
  using Changed = TrivialSerializer<Ping, changed::Pong>;
  expect<strait::LoopbackTransport, Own, Changed>("Pong 1", "Pong 1");
  expect<strait::SocketTransport, Own, Changed>("Pong 1", "Pong 1");
  expect<strait::PipeTransport, Own, Changed>("Pong 1", "Pong 1");
  expect<strait::MachTransport<>, Own, Changed>("Pong 1", "Pong 1");
  // One that has more types than the other.
  expect<strait::MachTransport<>, Own, TrivialSerializer<Ping, Pong, Stop>>(" 2", "Stop 2");
}

TEST_CASE("schema: connect with a timeout tells its observer, too", "[handshake]") {
  using Own = StructSerializer<Ping, Pong>;
  using Changed = StructSerializer<Ping, changed::Pong>;
  std::vector<std::string> told;
  const auto name = strait_test::unique_name("schema");
  const auto token = strait::Token::generate().value();
  auto server = strait::Channel<strait::SocketTransport, Own>::listen(name, token).value();
  std::atomic<bool> done = false;
  std::thread serving([&] {
    while (!done) static_cast<void>(server.wait([](const auto&) {}, 5ms));
  });
  using Client = strait::Channel<strait::SocketTransport, Changed, strait::ChannelOptions{}, Told>;
  const auto client = Client::connect(name, token, 20s, Told{&told});
  done = true;
  serving.join();
  CHECK(client.error() == Errc::schema_mismatch);
  CHECK(told == std::vector<std::string>{"Pong 1"});
}

}  // namespace schema_test
