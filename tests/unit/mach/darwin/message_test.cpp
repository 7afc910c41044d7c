// The layout of Mach messages, and what is made of one that nobody honest sent.

#include <strait/mach/darwin/message.hpp>

#include <cstddef>
#include <cstring>
#include <string>
#include <vector>

#include "support/catch.hpp"

using namespace strait::darwin_mach;
using strait::Errc;
using strait::MessageHeader;

namespace {

using Bytes = std::vector<std::byte>;

const std::string text = "seventeen letters";

template <class... Descriptor>
Bytes laid_out(const Descriptor&... descriptor) {
  constexpr std::size_t body_at =
      sizeof...(Descriptor) == 0 ? plain_body_at : body_behind<PortDescriptor>;
  Bytes bytes(200, std::byte{0xaa});
  std::size_t at = body_at;
  if constexpr (sizeof...(Descriptor) != 0) at = (body_behind<Descriptor>, ...);
  std::memcpy(bytes.data() + at, text.data(), text.size());
  const MessageHeader header{static_cast<std::uint32_t>(text.size()), 7, 3, 99};
  bytes.resize(lay_out(bytes.data(), 0x1103, header, descriptor...));
  return bytes;
}

/// As the receiver gets it: its own port is local, and nobody waits for an answer.
Bytes received(Bytes bytes) {
  auto header = read_at<Header>(bytes, 0);
  header.bits =
      (header.bits & complex_bit) | header_bits(Disposition::none, Disposition::move_send);
  header.remote = null_port;
  header.local = 0x2203;
  write_at(bytes.data(), 0, header);
  return bytes;
}

Bytes with_right(PortName name = 0x3303, Disposition disposition = Disposition::move_send) {
  return received(laid_out(PortDescriptor{name, 0, 0, disposition, DescriptorType::port}));
}

template <class T>
Bytes& patch(Bytes& bytes, std::size_t at, T value) {
  write_at(bytes.data(), at, value);
  return bytes;
}

constexpr std::size_t count_at = sizeof(Header);
constexpr std::size_t descriptor_at = sizeof(Header) + sizeof(Body);
constexpr std::size_t type_at = descriptor_at + offsetof(PortDescriptor, type);

std::size_t visited(const Bytes& bytes) {
  std::size_t count = 0;
  static_cast<void>(visit_descriptors(bytes, [&](const auto&) { ++count; }));
  return count;
}

}  // namespace

TEST_CASE("a plain message is laid out as Mach wants it and read back", "[darwin]") {
  const Bytes bytes = laid_out();
  REQUIRE(bytes.size() == 52);  // 24 + 8 + 17, and three of padding
  const auto header = read_at<Header>(bytes, 0);
  CHECK(header.bits == 19);
  CHECK(header.size == 52);
  CHECK(header.remote == 0x1103);
  CHECK(header.local == 0);
  CHECK(header.id == message_id);
  for (std::size_t i = 49; i != 52; ++i) CHECK(bytes[i] == std::byte{0});

  const Bytes arrived = received(bytes);
  const auto parsed_message = parse(arrived).value();
  CHECK(parsed_message.header.bytes == text.size());
  CHECK(parsed_message.header.tag == 7);
  CHECK(parsed_message.header.kind == 3);
  CHECK(parsed_message.header.descriptors == 0);
  CHECK(std::memcmp(arrived.data() + parsed_message.body_at, text.data(), text.size()) == 0);
}

TEST_CASE("a message with a right, and one with memory, say so in the header's first bit",
          "[darwin]") {
  const Bytes right = with_right();
  CHECK(read_at<Header>(right, 0).bits >> 31 == 1);
  CHECK(read_at<Body>(right, 24).descriptors == 1);
  CHECK(right[38] == std::byte{17});
  CHECK(right[39] == std::byte{0});
  CHECK(parse(right)->rights == 1);
  CHECK(right_in(right, 0) == 0x3303);
  CHECK(parse(right)->header.descriptors == 1);

  auto descriptor = copy_of_memory(nullptr, 70'000);
  descriptor.address = 0x1'2345'6789'abc0;
  const Bytes memory = received(laid_out(descriptor));
  CHECK(memory[37] == std::byte{1});  // by virtual copy
  CHECK(memory[39] == std::byte{1});
  const auto parsed_message = parse(memory).value();
  CHECK(parsed_message.region_address == 0x1'2345'6789'abc0);
  CHECK(parsed_message.region_bytes == 70'000);
  CHECK(parsed_message.rights == 0);
  CHECK(std::memcmp(memory.data() + parsed_message.body_at, text.data(), text.size()) == 0);
}

TEST_CASE("a right that died under way is one, and a null right is none", "[darwin]") {
  CHECK(parse(with_right(dead_port))->rights == 1);
  CHECK(right_in(with_right(dead_port), 0) == dead_port);
  CHECK(parse(with_right(null_port)).error() == Errc::malformed);
}

TEST_CASE("only a send right is taken for one", "[darwin]") {
  const auto disposition = GENERATE(Disposition::none, Disposition::move_receive,
                                    Disposition::move_send_once, Disposition::copy_send);
  CHECK(parse(with_right(0x3303, disposition)).error() == Errc::malformed);
}

TEST_CASE("without the complex bit what looks like a descriptor is data", "[darwin]") {
  Bytes bytes = with_right();
  patch(bytes, 0, read_at<Header>(bytes, 0).bits & ~complex_bit);
  CHECK(visited(bytes) == 0);
  CHECK(parse(bytes).error() == Errc::malformed);
  Bytes plain = received(laid_out());
  patch(plain, 0, read_at<Header>(plain, 0).bits | complex_bit);
  CHECK(parse(plain).error() == Errc::malformed);
}

TEST_CASE("a count of descriptors that is not that of the descriptors is malformed", "[darwin]") {
  Bytes bytes = with_right();
  const std::uint32_t count = GENERATE(0u, 2u, 3u, 4u, 16'384u, 0x7fff'ffffu, 0xffff'ffffu);
  CAPTURE(count);
  patch(bytes, count_at, count);
  CHECK(parse(bytes).error() == Errc::malformed);
  CHECK(visited(bytes) <= bytes.size() / sizeof(PortDescriptor));
}

TEST_CASE("descriptors of kinds that are not ours are seen, and malformed", "[darwin]") {
  // Long enough for any of them.
  Bytes bytes = with_right();
  const auto type = GENERATE(DescriptorType::ports, DescriptorType::volatile_memory,
                             DescriptorType::guarded_port);
  patch(bytes, type_at, type);
  CHECK(visited(bytes) == 1);
  CHECK(parse(bytes).error() == Errc::malformed);
  patch(bytes, type_at, std::uint8_t{5});
  CHECK(visited(bytes) == 0);
  CHECK(parse(bytes).error() == Errc::malformed);
}

TEST_CASE("memory of no size is none", "[darwin]") {
  auto descriptor = copy_of_memory(nullptr, 0);
  CHECK(parse(received(laid_out(descriptor))).error() == Errc::malformed);
}

TEST_CASE("a message has as many rights as one of ours can have, and no more", "[darwin]") {
  constexpr std::size_t most = strait::detail::max_rights;
  static_assert(most == 127);
  const std::size_t count = GENERATE(1u, 2u, 127u, 128u, 255u);
  CAPTURE(count);
  std::vector<PortName> names(count);
  for (std::size_t i = 0; i != count; ++i) names[i] = static_cast<PortName>(0x1003 + 4 * i);
  Bytes bytes(body_behind_rights(count) + text.size() + 3);
  std::memcpy(bytes.data() + body_behind_rights(count), text.data(), text.size());
  const MessageHeader header{static_cast<std::uint32_t>(text.size()), 7, 3, 99};
  bytes.resize(lay_out_rights(bytes.data(), 0x1103, header, names));
  // As the receiver gets them.
  for (std::size_t i = 0; i != count; ++i) {
    patch(bytes, type_at - 1 + i * sizeof(PortDescriptor), Disposition::move_send);
  }
  bytes = received(std::move(bytes));
  CHECK(visited(bytes) == count);
  const auto parsed_message = parse(bytes);
  if (count > most) {
    CHECK(parsed_message.error() == Errc::malformed);
    return;
  }
  REQUIRE(parsed_message);
  CHECK(parsed_message->rights == count);
  CHECK(parsed_message->header.descriptors == count);
  for (std::size_t i = 0; i != count; ++i) CHECK(right_in(bytes, i) == names[i]);
  CHECK(std::memcmp(bytes.data() + parsed_message->body_at, text.data(), text.size()) == 0);
}

TEST_CASE("rights and memory do not come together, nor memory twice", "[darwin]") {
  const Bytes right = with_right();
  const Bytes memory = received(laid_out(copy_of_memory(nullptr, 5)));
  const auto first = GENERATE(true, false);
  const auto second = GENERATE(true, false);
  if (first && second) return;  // two rights
  const Bytes& front = first ? right : memory;
  const Bytes& back = second ? right : memory;
  Bytes two(front.begin(), front.begin() + descriptor_at +
                               (first ? sizeof(PortDescriptor) : sizeof(MemoryDescriptor)));
  two.insert(two.end(), back.begin() + descriptor_at, back.end());
  patch(two, count_at, 2u);
  CHECK(visited(two) == 2);
  CHECK(parse(two).error() == Errc::malformed);
}

TEST_CASE("a message cut anywhere is malformed, and nothing behind it is read", "[darwin]") {
  const Bytes whole =
      GENERATE(received(laid_out()), with_right(), received(laid_out(copy_of_memory(nullptr, 5))));
  for (std::size_t size = 0; size != whole.size(); ++size) {
    CAPTURE(size);
    const Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    CHECK(parse(cut).error() == Errc::malformed);
  }
}

TEST_CASE("lengths, numbers and rights to reply that are not ours are malformed", "[darwin]") {
  Bytes bytes = received(laid_out());
  SECTION("a body longer than the message") { patch(bytes, 24, 21u); }
  SECTION("a body that would wrap around") { patch(bytes, 24, 0xffff'fffdu); }
  SECTION("a body a word shorter than the message") { patch(bytes, 24, 16u); }
  SECTION("a number of the kernel") { patch(bytes, 20, 70); }
  SECTION("no number") { patch(bytes, 20, 0); }
  SECTION("a right to reply") { patch(bytes, 8, 0x4403u); }
  CHECK(parse(bytes).error() == Errc::malformed);
}

TEST_CASE("the sender is told by the whole trailer behind the message", "[darwin]") {
  Bytes bytes = received(laid_out());
  const std::size_t end = bytes.size();
  AuditTrailer trailer{0, sizeof trailer, 1, {}, {{1, 501, 20, 501, 20, 77, 8, 9}}};
  bytes.resize(end + max_trailer_bytes);
  patch(bytes, end, trailer);
  const auto sender = sender_of(bytes).value();
  CHECK(sender == trailer.sender);
  CHECK(sender.user() == 501);
  CHECK(sender.group() == 20);
  CHECK(sender.process() == 77);
  CHECK_FALSE(sender.is_kernel());

  SECTION("a trailer of another kind") { patch(bytes, end, 1u); }
  SECTION("a trailer without the audit token") { patch(bytes, end + 4, 20u); }
  SECTION("a buffer that ends before the trailer does") { bytes.resize(end + sizeof trailer - 1); }
  SECTION("a message longer than the buffer") { patch(bytes, 4, 1u << 20); }
  SECTION("a size below that of a header") { patch(bytes, 4, 23u); }
  SECTION("a size just below the greatest number") { patch(bytes, 4, 0xffff'fffeu); }
  CHECK(sender_of(bytes).error() == Errc::malformed);
}

TEST_CASE("no two lives of a program have the same audit token", "[darwin]") {
  const AuditToken token{{1, 501, 20, 501, 20, 77, 8, 9}};
  for (int i = 0; i != 8; ++i) {
    AuditToken other = token;
    ++other.values[i];
    CHECK_FALSE(other == token);
  }
  CHECK(AuditToken{}.is_kernel());
}
