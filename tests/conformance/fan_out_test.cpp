// One message to many: serialized once, whatever the size, and delivered to all that take it.

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "conformance/channels.hpp"
#include "conformance/transports.hpp"
#include "strait/acceptor.hpp"
#include "strait/memory/encode_buffer.hpp"

using namespace strait_test;

namespace {

/// A text that counts how often it is made bytes, by `write` or by `encode`.
struct WrittenText {
  std::string text;
};
struct EncodedText {
  std::string text;
};

struct CountingSerializer {
  static inline int written = 0;
  static inline int encoded = 0;
  static inline int checked = 0;

  static constexpr std::uint64_t schema_hash = 4711;
  template <class M>
  static constexpr bool accepts = std::is_same_v<M, WrittenText> || std::is_same_v<M, EncodedText>;

  static std::uint16_t tag(const WrittenText&) { return 1; }
  static std::size_t size(const WrittenText& message) { return message.text.size(); }
  static void write(const WrittenText& message, std::byte* out) {
    ++written;
    std::memcpy(out, message.text.data(), message.text.size());
  }

  static std::uint16_t tag(const EncodedText&) { return 2; }
  static void encode(const EncodedText& message, strait::EncodeBuffer& out) {
    ++encoded;
    out.append(message.text.data(), message.text.size());
  }

  template <class M>
  static strait::Result<void> check(const M& message) {
    ++checked;
    return message.text == "refused" ? Errc::unsupported : strait::Result<void>();
  }

  template <class Listener>
  static strait::Result<void> read(std::uint16_t tag, std::span<const std::byte> bytes,
                                   Listener& listener) {
    std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    if (tag == 1) return listener(WrittenText{std::move(text)}), strait::Result<void>();
    if (tag == 2) return listener(EncodedText{std::move(text)}), strait::Result<void>();
    return Errc::malformed;
  }
};

template <class T>
struct Audience {
  using Link =
      strait::Channel<T, CountingSerializer, strait::ChannelOptions{.max_message_bytes = 1 << 20}>;

  explicit Audience(std::size_t count) : heard(count) {
    for (std::size_t i = 0; i != count; ++i) {
      clients.push_back(std::make_unique<Link>(Link::connect(name, token).value()));
    }
    const auto all_connected = [&] {
      turn();
      bool connected = server.size() == count;
      for (auto& client : clients) connected = connected && !client->waiting_connect();
      return connected;
    };
    REQUIRE(repeat_until(all_connected));
    CountingSerializer::written = CountingSerializer::encoded = CountingSerializer::checked = 0;
  }

  void turn() {
    static_cast<void>(server.poll([](Link&, const auto&) {}));
    for (std::size_t i = 0; i != clients.size(); ++i) {
      if (!clients[i]) continue;
      static_cast<void>(
          clients[i]->poll([&](const auto& message) { heard[i].push_back(message.text); }));
    }
  }
  bool deliver(std::size_t messages) {
    return repeat_until([&] {
      turn();
      for (std::size_t i = 0; i != clients.size(); ++i) {
        if (clients[i] && heard[i].size() < messages) return false;
      }
      return true;
    });
  }

  strait::Token token = new_token();
  std::string name = unique_name("audience");
  strait::Acceptor<Link> server = strait::Acceptor<Link>::listen(name, token).value();
  std::vector<std::unique_ptr<Link>> clients{};
  std::vector<std::vector<std::string>> heard;
};

}  // namespace

TEMPLATE_TEST_CASE("what is sent to all is serialized once", "[acceptor]", STRAIT_TEST_TRANSPORTS) {
  constexpr std::size_t count = 5;
  Audience<TestType> audience(count);
  std::size_t messages = 0;
  for (const std::size_t size : {0ul, 10ul, 5'000ul, 300'000ul}) {
    CAPTURE(size);
    const std::string text(size, static_cast<char>('a' + messages % 26));
    CHECK(audience.server.send_all(WrittenText{text}) == count);
    CHECK(audience.server.send_all(EncodedText{text}) == count);
    messages += 2;
    CHECK(CountingSerializer::written == static_cast<int>(messages / 2));
    CHECK(CountingSerializer::encoded == static_cast<int>(messages / 2));
    CHECK(CountingSerializer::checked == static_cast<int>(messages));
    REQUIRE(audience.deliver(messages));
    for (const auto& heard : audience.heard) {
      CHECK(heard[messages - 2] == text);
      CHECK(heard[messages - 1] == text);
    }
  }
  // What can't be sent reaches none, and the channels go on.
  CHECK(audience.server.send_all(WrittenText{"refused"}) == 0);
  CHECK(audience.server.send_all(WrittenText{std::string((1 << 20) + 1, 'x')}) == 0);
  CHECK(audience.server.send_all(EncodedText{std::string((1 << 20) + 1, 'x')}) == 0);
  CHECK(audience.server.send_all(WrittenText{"after"}) == count);
  REQUIRE(audience.deliver(messages + 1));
  for (const auto& heard : audience.heard) CHECK(heard.back() == "after");
}

TEMPLATE_TEST_CASE("one of many that is gone in the middle keeps nothing from the others",
                   "[acceptor]", STRAIT_TEST_TRANSPORTS) {
  constexpr std::size_t count = 4;
  Audience<TestType> audience(count);
  const std::string text(50'000, 't');
  CHECK(audience.server.send_all(EncodedText{text}) == count);
  audience.clients[1].reset();
  // Its end may be seen now, or by a later call.
  CHECK(audience.server.send_all(EncodedText{text}) >= count - 1);
  REQUIRE(audience.deliver(2));
  REQUIRE(repeat_until([&] {
    audience.turn();
    return audience.server.size() == count - 1;
  }));
  CHECK(audience.server.send_all(WrittenText{text}) == count - 1);
  REQUIRE(audience.deliver(3));
}

TEMPLATE_TEST_CASE("a buffer for all is written once and sent to each, whatever the transport",
                   "[acceptor]", STRAIT_TEST_TRANSPORTS) {
  using Link = RawLink<TestType>;
  const auto token = new_token();
  const auto name = unique_name("buffers");
  auto server = strait::Acceptor<Link>::listen(name, token).value();
  CHECK(server.out_of_line_bytes(std::size_t{1} << 30).error() == Errc::message_too_large);
  auto early = server.out_of_line_bytes(5'000).value();  // before the first of them is there
  fill_pattern(early.writable().value(), 1);
  CHECK(server.send_all(early) == 0);

  std::vector<std::unique_ptr<Link>> clients;
  for (int i = 0; i != 3; ++i) {
    clients.push_back(std::make_unique<Link>(Link::connect(name, token).value()));
  }
  std::vector<Bytes> heard;
  const auto turn = [&] {
    static_cast<void>(server.poll([](Link&, View) {}));
    for (auto& client : clients) {
      static_cast<void>(
          client->poll([&](View bytes) { heard.emplace_back(bytes.begin(), bytes.end()); }));
    }
  };
  REQUIRE(repeat_until([&] {
    turn();
    bool connected = server.size() == clients.size();
    for (auto& client : clients) connected = connected && !client->waiting_connect();
    return connected;
  }));
  REQUIRE(server.send_all(early) == 3);
  for (const std::size_t size : {100ul, 300'000ul}) {
    auto buffer = server.out_of_line_bytes(size).value();
    fill_pattern(buffer.writable().value(), size);
    server.for_each([&](Link& client) { CHECK(client.send(buffer)); });
    fill_pattern(buffer.writable().value(), size + 1);  // what was sent stays what it was
    REQUIRE(server.send_all(buffer) == 3);
  }
  REQUIRE(repeat_until([&] {
    turn();
    return heard.size() == 15;
  }));
  for (const std::size_t size : {100ul, 300'000ul}) {
    CHECK(std::count(heard.begin(), heard.end(), pattern(size, size)) == 3);
    CHECK(std::count(heard.begin(), heard.end(), pattern(size, size + 1)) == 3);
  }
  CHECK(std::count(heard.begin(), heard.end(), pattern(5'000, 1)) == 3);
}
