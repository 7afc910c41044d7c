// What a server reads before it knows a client, and a client before it knows a server, in packets
// with descriptors and in streams. Let in is who says exactly what is right, and nobody else.

#include <strait/handshake/hello.hpp>
#include <strait/transports/mach.hpp>
#include <strait/transports/socket.hpp>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <system_error>
#include <utility>
#include <vector>

#include "fuzz/input.hpp"

namespace {

using namespace strait_fuzz;
using strait::Errc;
using Buffer = std::vector<std::byte>;
using Mach = strait::MachTransport<strait::InlineOnly, strait::Block, 16384>;

constexpr std::uint64_t schema_hash = 0x1234'5678'9abc'def0;

const strait::Token& token() {
  static const auto right = strait::Token::generate().value();
  return right;
}

bool equal(std::span<const std::byte> a, std::span<const std::byte> b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size()) == 0;
}

/// Of what is behind these bytes, the types' digests, nothing matters when the schemas are the same.
bool is_right_hello(std::span<const std::byte> hello, std::span<const std::byte> right) {
  constexpr std::size_t judged_bytes = 72;
  return hello.size() == right.size() &&
         equal(hello.first(judged_bytes), right.first(judged_bytes));
}

/// The right bytes with some of them changed, cut off, or put behind.
Buffer changed(Input& input, std::span<const std::byte> right) {
  Buffer bytes(right.begin(), right.end());
  for (int changes = input.below(4); changes != 0; --changes) {
    const std::size_t at = input.take() % bytes.size();
    bytes[at] = input.take<std::byte>();
  }
  switch (input.below(4)) {
    case 0: bytes.resize(input.take() % (bytes.size() + 1)); break;
    case 1: bytes.resize(bytes.size() + input.take() % 128); break;
    default: break;
  }
  return bytes;
}

template <class T>
strait::detail::HandshakeBytes hello_of() {
  return strait::detail::encode_hello(schema_hash, token(), strait::detail::wire_options_of<T>());
}

/// The bytes alone.
void by_hand(Input& input) {
  const strait::detail::WireOptions options{input.take(), input.take()};
  const auto right = strait::detail::encode_hello(schema_hash, token(), options);
  const Buffer hello = changed(input, right.bytes());
  const auto checked = strait::detail::check_hello(hello, schema_hash, token(), options);
  require(checked.has_value() == is_right_hello(hello, right.bytes()),
          "the right Hello, and no other");

  const auto yes = strait::detail::encode_welcome({});
  const auto no =
      strait::detail::encode_welcome(make_error_code(static_cast<Errc>(input.below(30))));
  const Buffer welcome = changed(input, input.below(2) == 0 ? yes.bytes() : no.bytes());
  const auto heard = strait::detail::check_welcome(welcome);
  require(heard.has_value() == equal(welcome, yes.bytes()), "a Welcome, and nothing else");
}

/// A descriptor to go with a packet.
strait::os::Descriptor made(Input& input) {
  switch (input.below(6)) {
    case 0: return std::move((*strait::os::socket_pair(SOCK_SEQPACKET))[0]);
    case 1: return std::move((*strait::os::socket_pair(SOCK_STREAM))[0]);
    case 2: {
      strait::os::Descriptor file;
      constexpr std::size_t sizes[] = {4096, 16384, 32768};
      const auto ring = strait::linux_mach::RingMemory::create(sizes[input.below(3)], file);
      return file;
    }
    case 3: return *strait::os::memory_file_of(std::array<std::byte, 5000>{});
    case 4: return std::move((*strait::os::pipe_pair())[0]);
    default: return *strait::os::open("/dev/null", O_RDONLY);
  }
}

void send(Input& input, int socket, std::span<const std::byte> bytes) {
  std::vector<strait::os::Descriptor> kept;
  std::vector<int> descriptors;
  const std::size_t count = input.below(3) == 0 ? input.below(7) : 0;
  for (std::size_t i = 0; i != count; ++i) {
    kept.push_back(made(input));
    descriptors.push_back(kept.back().get());
  }
  if (bytes.empty() && descriptors.empty()) return;
  static_cast<void>(strait::os::send_packet(socket, bytes, descriptors));
}

/// As a frame, where the transport has a stream.
template <class T>
Buffer framed(Input& input, const Buffer& body) {
  if constexpr (std::is_same_v<T, Mach>) return body;
  strait::detail::FrameHeader header{static_cast<std::uint32_t>(body.size()), 0};
  if (input.below(4) == 0) header = input.take<strait::detail::FrameHeader>();
  Buffer frame(sizeof header + body.size());
  std::memcpy(frame.data(), &header, sizeof header);
  if (!body.empty()) std::memcpy(frame.data() + sizeof header, body.data(), body.size());
  return frame;
}

/// A server and whatever a client says to it.
template <class T>
void serve(Input& input) {
  auto ends = T::connected_pair();
  require(ends.has_value(), "a pair of sockets");
  auto server = T::listen(std::move((*ends)[0]), {0, 0, 0}, {1, std::chrono::milliseconds{1000}});
  require(server.has_value(), "a server");
  const Buffer hello = changed(input, hello_of<T>().bytes());
  const Buffer all = framed<T>(input, hello);
  const std::size_t pieces = input.below(3) + 1u;
  for (std::size_t i = 0; i != pieces; ++i) {
    const std::size_t from = all.size() * i / pieces;
    const std::size_t to = all.size() * (i + 1) / pieces;
    send(input, (*ends)[1].get(), std::span(all).subspan(from, to - from));
    auto request = server->accept();
    if (!request) {
      require(request.error() == Errc::empty || request.error() == Errc::peer_closed,
              "nothing there, or the end");
      continue;
    }
    if (request->failure) return;
    const auto checked = strait::detail::check_hello(request->hello(), schema_hash, token(),
                                                     strait::detail::wire_options_of<T>());
    require(checked.has_value() == is_right_hello(request->hello(), hello_of<T>().bytes()),
            "the right Hello, and no other");
    const auto status = strait::detail::encode_welcome(checked.error());
    if (!checked) return std::move(*request).refuse(status.bytes());
    if (input.below(2) == 0) (*ends)[1].reset();
    auto link = std::move(*request).welcome(status.bytes());
    require(link.has_value() || link.error() == Errc::peer_closed, "a link, or the end");
    return;
  }
}

/// A client and whatever a server answers it.
template <class T>
void greet(Input& input) {
  auto ends = T::connected_pair();
  require(ends.has_value(), "a pair of sockets");
  auto name = T::look_up(std::move((*ends)[0]));
  require(name.has_value(), "a name");
  auto link = std::move(*name).hello(hello_of<T>().bytes());
  require(link.has_value(), "a Hello");
  for (int i = input.below(4); i >= 0; --i) {
    const auto yes = strait::detail::encode_welcome({});
    send(input, (*ends)[1].get(), framed<T>(input, changed(input, yes.bytes())));
    const auto answer = link->welcome();
    if (answer) {
      if (!strait::detail::check_welcome(answer->bytes())) return;
      for (int share = 0; share != 3; ++share) {
        static_cast<void>(
            link->receive([](auto&&...) { return true; }, strait::ReceiveLimits(10'000)));
      }
      return;
    }
    if (answer.error() != Errc::empty) return;
  }
  (*ends)[1].reset();
  require(!link->welcome(), "no answer after the end but what had come before");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(std::as_bytes(std::span(data, size)));
  token();
  const DescriptorsAsBefore checked;
  switch (input.below(5)) {
    case 0: serve<Mach>(input); break;
    case 1: greet<Mach>(input); break;
    case 2: serve<strait::SocketTransport>(input); break;
    case 3: greet<strait::SocketTransport>(input); break;
    default: by_hand(input);
  }
  return 0;
}
