// Both lanes of a link whose other end is a peer that writes to the shared memory whatever it
// likes, and sends whatever it likes over the socket. No message is larger than the limit, or than
// what a record can be; no call hangs; no descriptor is left.

#include <strait/serializers/raw.hpp>
#include <strait/transports/mach.hpp>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
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

using namespace strait_fuzz;
using strait::Errc;
using strait::MessageHeader;
using Kind = strait::detail::MessageKind;
namespace lane = strait::linux_mach;

constexpr std::size_t ring_bytes = 16384;
constexpr std::size_t max_message_bytes = 10'000;
constexpr std::size_t max_rights = 5;

template <class Send>
using Mach = strait::MachTransport<Send, strait::Block, ring_bytes>;
using Inline = Mach<strait::InlineOnly>;
using Cow = Mach<strait::OolThreshold<4096>>;
using Lending = Mach<strait::OolThreshold<4096, strait::LoanUpTo<(std::size_t{1} << 20)>>>;

/// The memory of a ring, with nothing to keep a peer from writing to any byte of it.
class Scribble {
 public:
  explicit Scribble(const strait::os::Descriptor& file) {
    auto mapping = strait::os::Mapping::map(strait::os::page_size() + ring_bytes,
                                            PROT_READ | PROT_WRITE, MAP_SHARED, file.get());
    require(mapping.has_value(), "a ring can be mapped");
    mapping_ = std::move(*mapping);
  }

  lane::RingControl& control() { return *reinterpret_cast<lane::RingControl*>(mapping_.data()); }
  /// A word of the ring, wherever in it.
  void store(std::uint64_t position, std::uint64_t word) {
    std::byte* const at =
        mapping_.data() + strait::os::page_size() + (position % ring_bytes & ~std::uint64_t{7});
    std::atomic_ref(*reinterpret_cast<std::uint64_t*>(at)).store(word);
  }

 private:
  strait::os::Mapping mapping_;
};

strait::os::Descriptor made(Input& input) {
  std::array<std::byte, 8192> bytes{};
  switch (input.below(6)) {
    case 0:
    case 1:
      return *strait::os::memory_file_of(std::span(bytes).first(input.below(2) * 4096 + 4096));
    case 2: return std::move((*strait::os::socket_pair(SOCK_SEQPACKET))[0]);
    case 3: {  // sparse, and sealed or not
      auto file = lane::create_memory_file("fuzz", std::size_t{1} << (12 + input.below(4)));
      if (input.below(2) == 0) static_cast<void>(lane::add_seals(file->get(), lane::seals_of_size));
      return std::move(*file);
    }
    case 4: return std::move((*strait::os::pipe_pair())[0]);
    default: return *strait::os::open("/dev/null", O_RDONLY);
  }
}

template <class T>
void run(Input& input) {
  auto pair = T::pair();
  require(pair.has_value(), "a pair");
  std::optional<T> link(std::move(pair->first));
  auto packed = pair->second.detach();
  require(packed.has_value(), "an end can be passed on");
  auto peer = lane::unpack(packed->descriptor, T::fragment_bytes);
  require(peer.has_value(), "its lanes can be taken out");
  Scribble to_link(peer->out.memory_file());
  Scribble from_link(peer->in.memory_file());

  strait::detail::FrameQueue queue;
  std::uint64_t position = 0;
  bool in_pieces = false;
  std::error_code error;

  // As an honest writer does it, but for the header.
  const auto record = [&](std::uint64_t word, std::size_t bytes) {
    for (std::size_t at = 0; at < bytes; at += 8) {
      to_link.store(position + 8 + at, input.empty() ? 0 : input.take());
    }
    const std::uint64_t next = position + 8 + lane::detail::round_up(bytes);
    to_link.store(next, 0);
    to_link.store(position, word);
    position = next;
  };
  const auto patch = [&] {
    strait::detail::PatchHeader content{};
    content.slot = input.below(10);
    content.offset = input.below(2) == 0 ? input.below(200) : input.take<std::uint64_t>();
    const auto bytes = static_cast<std::uint32_t>(input.below(3) == 0 ? 0 : input.below(250));
    const auto size =
        static_cast<std::uint32_t>(input.below(8) == 0 ? input.below(16) : sizeof content + bytes);
    std::array<std::uint64_t, sizeof content / 8> words;
    std::memcpy(words.data(), &content, sizeof content);
    const std::uint64_t body = position + 8;
    record(lane::detail::pack({size, 7, static_cast<std::uint8_t>(Kind::patch), 0}), size);
    for (std::size_t i = 0; i != words.size() && 8 * i < size; ++i) {
      to_link.store(body + 8 * i, words[i]);
    }
  };
  const auto note = [&](Kind kind, std::uint8_t descriptors) {
    strait::detail::OolReference content{};
    content.slot = input.below(10);
    content.place = static_cast<strait::detail::OolReference::Place>(input.below(8));
    content.bytes = input.below(2) == 0 ? 4096 : input.take<std::uint16_t>();
    const MessageHeader header{sizeof content, 7, static_cast<std::uint8_t>(kind), descriptors};
    std::array<std::uint64_t, sizeof content / 8> words;
    std::memcpy(words.data(), &content, sizeof content);
    if (input.below(4) == 0) words[input.below(words.size())] = input.take<std::uint64_t>();
    for (std::size_t i = 0; i != words.size(); ++i) to_link.store(position + 8 + 8 * i, words[i]);
    const std::uint64_t next = position + 8 + sizeof content;
    to_link.store(next, 0);
    to_link.store(position, lane::detail::pack(header));
    position = next;
  };
  const auto pass = [&](std::size_t count) {
    std::vector<strait::os::Descriptor> kept;
    std::vector<int> descriptors;
    for (std::size_t i = 0; i != count; ++i) {
      kept.push_back(made(input));
      descriptors.push_back(kept.back().get());
    }
    std::array<std::byte, 4> bytes{};
    static_cast<void>(strait::os::send_packet(
        peer->in.socket().handle(), std::span(bytes).first(1 + input.below(4) / 3), descriptors));
  };
  const auto check = [&](const strait::Result<void>& result) {
    if (result || result.error() == Errc::empty) return;
    error = result.error();
    constexpr Errc known[] = {Errc::malformed,       Errc::message_too_large, Errc::bad_region,
                              Errc::too_many_rights, Errc::rights_lost,       Errc::peer_closed};
    bool allowed = false;
    for (const Errc each : known) allowed = allowed || error == each;
    require(allowed, "an error that a peer can bring about");
  };
  std::vector<strait::detail::Lease> kept;
  const auto receive = [&] {
    check(link->receive(
        [&](const strait::Incoming& message) {
          const auto bytes = message.bytes;
          const bool whole = message.rights == nullptr && message.memory == nullptr;
          require(bytes.size() <= max_message_bytes, "no message is over the limit");
          require(in_pieces || !whole || bytes.size() <= T::fragment_bytes,
                  "no message that came in one piece is larger than a piece can be");
          unsigned sum = 0;  // every byte can be read
          for (const std::byte each : bytes) sum += std::to_integer<unsigned>(each);
          static std::atomic<unsigned> seen;
          seen = sum;
          return true;
        },
        strait::ReceiveLimits(max_message_bytes, max_rights)));
  };

  for (int i = 0; i != 96 && !input.empty() && !error; ++i) {
    switch (input.below(16)) {
      case 0:
      case 1: {
        const std::uint16_t bytes = input.take<std::uint16_t>() % 2100;
        record(lane::detail::pack({bytes, input.take(), static_cast<std::uint8_t>(Kind::whole), 0}),
               bytes);
        break;
      }
      case 2: {
        const auto kind = input.below(2) == 0 ? Kind::fragment : Kind::last_fragment;
        const std::uint16_t bytes = input.take<std::uint16_t>() % 2049;
        in_pieces = true;
        for (int pieces = input.below(6); pieces >= 0; --pieces) {
          record(lane::detail::pack({bytes, 7, static_cast<std::uint8_t>(kind),
                                     input.below(8) == 7 ? input.below(7) : std::uint8_t{0}}),
                 bytes);
        }
        break;
      }
      case 3: {  // any header
        MessageHeader header{input.take<std::uint32_t>(), input.take(), input.below(12),
                             input.below(128)};
        if (input.below(2) == 0) header.bytes %= 20'000;
        in_pieces = in_pieces || header.kind != static_cast<std::uint8_t>(Kind::whole);
        record(lane::detail::pack(header), 0);
        break;
      }
      case 4:
        in_pieces = true;
        record(input.take<std::uint64_t>(), 0);
        break;
      case 5:
        in_pieces = true;
        to_link.store(input.take<std::uint16_t>(), input.take<std::uint64_t>());
        break;
      case 6:
        for (int packets = input.below(4); packets >= 0; --packets) pass(input.below(9));
        break;
      case 7: {  // with rights, by the rules
        const std::uint8_t rights = input.below(7);
        const std::uint16_t bytes = input.take<std::uint16_t>() % 2000;
        pass(rights);
        record(lane::detail::pack(
                   {bytes, input.take(), static_cast<std::uint8_t>(Kind::whole), rights}),
               bytes);
        break;
      }
      case 8:
        pass(1);
        note(Kind::region, 1);
        break;
      case 9:
        switch (input.below(3)) {
          case 0: note(Kind::loan, input.below(2)); break;
          case 1: note(Kind::forget, input.below(2)); break;
          default: patch(); break;
        }
        break;
      case 10:
        pass(1);
        note(Kind::loan, 1);
        break;
      case 11: to_link.control().writer_asleep.store(input.take<std::uint32_t>() % 3); break;
      case 12: {
        // The lane from the link, of which this side is the reader.
        const auto head = input.below(4);
        auto& control = from_link.control();
        if (head == 3) ::shutdown(peer->in.socket().handle(), input.below(3));
        if (head == 0) control.head.store(input.take<std::uint64_t>());
        if (head == 1) control.head.store(control.head.load() + 8 * input.take<std::uint16_t>());
        if (head == 2) control.reader_asleep.store(input.take<std::uint32_t>() % 4);
        break;
      }
      case 13: {
        const std::vector<std::byte> bytes(input.take<std::uint16_t>() % 30'000);
        const std::span<const std::byte> view(bytes);
        const auto payload = strait::detail::payload_of<strait::RawSerializer>(view);
        const std::size_t rights = input.below(2) == 0 ? input.below(100) : 0;
        if (queue.bytes() > 200'000) {
        } else if (rights == 0) {
          check(link->send(payload, queue));
        } else {
          strait::detail::RightList list;
          for (std::size_t n = 0; n != rights; ++n) {
            require(list.push({*strait::os::open("/dev/null", O_RDONLY)}), "memory");
          }
          check(link->send(payload, queue, list));
        }
        break;
      }
      case 14: {
        // What a channel does before it sleeps, and after.
        check(link->flush(queue));
        const bool ready = link->arm(queue).ready || link->readable() || link->retries();
        static_cast<void>(link->unfinished());
        if constexpr (requires { link->bytes_under_way(); }) {
          static_cast<void>(link->bytes_under_way());
        }
        if (!ready && queue.empty() && input.below(2) == 0) {
          check(link->wait(strait::detail::Deadline::now()));
        }
        link->disarm();
        link->take_doorbells();
        if (input.below(8) == 0) ::shutdown(peer->in.socket().handle(), SHUT_RDWR);
        break;
      }
      default: receive();
    }
  }
  // What an end that is passed on takes along.
  if (!error && input.below(4) == 0) {
    auto right = link->detach();
    if (right) {
      link.reset();
      auto attached = T::attach(*right);
      if (attached) link.emplace(std::move(*attached));
    }
  }
  for (int i = 0; i != 4 && !error && link; ++i) receive();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(std::as_bytes(std::span(data, size)));
  const DescriptorsAsBefore checked;
  switch (input.below(3)) {
    case 0: run<Inline>(input); break;
    case 1: run<Cow>(input); break;
    default: run<Lending>(input);
  }
  return 0;
}
