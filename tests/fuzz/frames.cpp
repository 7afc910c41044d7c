// A stream of frames, as a peer can write it: whole ones, broken ones, in pieces, with rights. What
// arrives is what a plain reading of the same bytes gives, over a socket and over a pipe.

#include <strait/detail/frame_reader.hpp>
#include <strait/socket_transport.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <system_error>
#include <utility>
#include <vector>

#include "fuzz/input.hpp"

namespace {

using namespace strait_test;
using strait::Errc;
using strait::detail::FrameHeader;
using Bytes = std::vector<std::byte>;

constexpr std::size_t max_message_bytes = 20'000;
constexpr std::size_t max_rights = 5;

struct Message {
  std::uint16_t tag;
  Bytes bytes;
  std::size_t rights;

  friend bool operator==(const Message&, const Message&) = default;
};

/// What a stream means, read by the simplest means.
struct Meaning {
  std::vector<Message> messages;
  std::error_code end;
  bool promises_rights = false;

  Meaning(std::span<const std::byte> stream, std::size_t rights_limit) {
    while (stream.size() >= sizeof(FrameHeader)) {
      FrameHeader header;
      std::memcpy(&header, stream.data(), sizeof header);
      promises_rights = promises_rights || header.rights != 0;
      if (header.continued != 0 || header.rights > rights_limit) end = Errc::malformed;
      if (!end && header.bytes > max_message_bytes) end = Errc::message_too_large;
      if (end || stream.size() - sizeof header < header.bytes) return;
      const auto bytes = stream.subspan(sizeof header, header.bytes);
      messages.push_back({header.tag, Bytes(bytes.begin(), bytes.end()), header.rights});
      stream = stream.subspan(sizeof header + header.bytes);
    }
  }
};

/// The reader of a FIFO, which is a pipe here.
class PipeEnd {
 public:
  static constexpr std::size_t rights_limit = 0;

  PipeEnd() {
    auto ends = strait::posix::pipe_pair();
    require(ends.has_value(), "a pipe");
    in_ = std::move((*ends)[0]);
    out_ = std::move((*ends)[1]);
  }
  std::size_t write(std::span<const std::byte> bytes, std::span<const int>) {
    const ssize_t written = ::write(out_.get(), bytes.data(), bytes.size());
    return written > 0 ? static_cast<std::size_t>(written) : 0;
  }
  void hang_up() { out_.reset(); }
  template <class Sink>
  strait::Result<void> receive(Sink&& sink) {
    return reader_.receive(
        [&](std::span<std::byte> room) -> strait::Result<std::size_t> {
          const ssize_t got = ::read(in_.get(), room.data(), room.size());
          if (got < 0)
            return errno == EAGAIN ? make_error_code(Errc::would_block)
                                   : strait::posix::last_error();
          if (got == 0) return Errc::peer_closed;
          return static_cast<std::size_t>(got);
        },
        [&](const FrameHeader& header, std::span<const std::byte> bytes) {
          return sink(header.tag, bytes);
        },
        max_message_bytes, 16);
  }

 private:
  strait::posix::Descriptor in_;
  strait::posix::Descriptor out_;
  strait::detail::FrameReader reader_;
};

class SocketEnd {
 public:
  static constexpr std::size_t rights_limit = strait::detail::max_rights;

  SocketEnd() : SocketEnd(strait::SocketTransport::pair()) {}
  std::size_t write(std::span<const std::byte> bytes, std::span<const int> descriptors) {
    const iovec part{const_cast<std::byte*>(bytes.data()), bytes.size()};
    const auto sent = strait::posix::send_parts(far_.get(), {&part, 1}, descriptors);
    return sent.value_or(std::size_t{0});
  }
  void hang_up() { far_.reset(); }
  template <class Sink>
  strait::Result<void> receive(Sink&& sink) {
    return link_->receive(sink, strait::ReceiveLimits(max_message_bytes, max_rights));
  }
  /// What was read and not given moves with an end that is passed on.
  void move_on() {
    auto right = link_->detach();
    require(right.has_value(), "an end can be passed on");
    link_.reset();
    auto attached = strait::SocketTransport::attach(*right);
    require(attached.has_value(), "an end that was passed on can be taken");
    link_.emplace(std::move(*attached));
  }

 private:
  using Pair = std::pair<strait::SocketTransport, strait::SocketTransport>;
  explicit SocketEnd(strait::Result<Pair> pair) {
    require(pair.has_value(), "a pair");
    link_.emplace(std::move(pair->first));
    auto right = pair->second.detach();
    require(right.has_value(), "a bare socket");
    far_ = std::move(right->descriptor);
  }

  std::optional<strait::SocketTransport> link_;
  strait::posix::Descriptor far_;
};

template <class End>
void run(Input& input) {
  End end;
  Bytes stream;
  std::vector<Message> heard;
  std::error_code error;
  bool passed_descriptors = false;

  const auto write = [&](std::span<const std::byte> bytes, std::size_t descriptors = 0) {
    if (bytes.empty()) return;
    int passed[16];
    for (int& each : passed) each = STDERR_FILENO;
    passed_descriptors = passed_descriptors || descriptors != 0;
    const std::size_t written = end.write(bytes, std::span<const int>(passed).first(descriptors));
    stream.insert(stream.end(), bytes.begin(),
                  bytes.begin() + static_cast<std::ptrdiff_t>(written));
  };
  const auto frame = [&](std::uint32_t bytes, std::uint8_t rights, std::size_t length) {
    FrameHeader header{bytes, input.take<std::uint16_t>(), 0, rights};
    Bytes whole(sizeof header + length, std::byte{input.take()});
    std::memcpy(whole.data(), &header, sizeof header);
    return whole;
  };
  const auto receive = [&] {
    if (error) return;
    const auto received =
        end.receive([&](std::uint16_t tag, std::span<const std::byte> bytes, auto&&... rights) {
          std::size_t count = 0;
          (static_cast<void>(count = rights.size()), ...);
          heard.push_back({tag, Bytes(bytes.begin(), bytes.end()), count});
          return true;
        });
    if (!received && received.error() != Errc::empty) error = received.error();
  };

  for (int i = 0; i != 64 && !input.empty(); ++i) {
    switch (input.below(8)) {
      case 0:
      case 1: {
        constexpr std::uint32_t sizes[] = {0, 1, 7, 4095, 4096, 4097, 9000, 20'000};
        const std::uint32_t size = sizes[input.below(8)];
        write(frame(size, 0, size));
        break;
      }
      case 2: {
        const std::uint8_t rights = input.below<std::uint8_t>(8);
        const std::uint8_t descriptors = input.below<std::uint8_t>(8);
        const std::uint32_t size = input.below<std::uint16_t>(6000);
        write(frame(size, rights, size), descriptors);
        break;
      }
      case 3: {
        const auto header = input.take<FrameHeader>();
        write(std::as_bytes(std::span(&header, 1)));
        break;
      }
      case 4:
        write(input.take_bytes(input.below<std::uint8_t>(40)), input.below(4) == 3 ? 2 : 0);
        break;
      case 5: write(frame(input.take<std::uint16_t>(), 0, input.below<std::uint16_t>(5000))); break;
      case 6: receive(); break;
      default:
        if constexpr (requires { end.move_on(); }) {
          if (!error) end.move_on();
        }
    }
  }
  end.hang_up();
  for (int i = 0; i != 2000 && !error; ++i) receive();
  require(static_cast<bool>(error), "a stream that has ended comes to an end");

  const Meaning meaning(stream, End::rights_limit);
  require(heard.size() <= meaning.messages.size(), "nothing is made up");
  for (std::size_t i = 0; i != heard.size(); ++i) {
    require(heard[i] == meaning.messages[i], "each message is what was written");
  }
  // A wrong number of rights ends a channel early.
  if (passed_descriptors || meaning.promises_rights) {
    require(error == Errc::malformed || error == Errc::peer_closed ||
                error == Errc::too_many_rights || error == Errc::message_too_large,
            "an error that a peer can bring about");
    return;
  }
  require(heard.size() == meaning.messages.size(), "all that was written is heard");
  require(error == (meaning.end ? meaning.end : make_error_code(Errc::peer_closed)),
          "the end is what was written");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(std::as_bytes(std::span(data, size)));
  const DescriptorsAsBefore checked;
  input.below(2) == 0 ? run<PipeEnd>(input) : run<SocketEnd>(input);
  return 0;
}
