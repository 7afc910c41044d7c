// Rights as a peer can forge them: an end of a channel with all that waits in it, shared memory, a
// semaphore, made of any descriptors and labels. Taken is what can be used, the rest is refused.

#include <strait/channel.hpp>
#include <strait/rights/rights.hpp>
#include <strait/rights/semaphore.hpp>
#include <strait/rights/shared_memory.hpp>
#include <strait/serializers/raw.hpp>
#include <strait/transports/mach.hpp>
#include <strait/transports/socket.hpp>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <utility>
#include <vector>

#include "fuzz/input.hpp"

namespace {

using namespace strait_fuzz;
using strait::Errc;
using strait::os::Descriptor;
namespace lane = strait::linux_mach;

using MachLink =
    strait::Channel<strait::MachTransport<strait::OolThreshold<4096>, strait::Block, 16384>,
                    strait::RawSerializer, strait::ChannelOptions{.max_message_bytes = 100'000}>;
using SocketLink = strait::Channel<strait::SocketTransport, strait::RawSerializer,
                                   strait::ChannelOptions{.max_message_bytes = 100'000}>;

/// The other ends of what was made, so that not all of it is closed.
using Kept = std::vector<Descriptor>;

Descriptor one_of(std::array<Descriptor, 2> ends, Kept& kept, Input& input) {
  if (input.below(2) == 0) kept.push_back(std::move(ends[1]));
  return std::move(ends[0]);
}

Descriptor made(Input& input, Kept& kept) {
  const std::vector<std::byte> bytes(input.take<std::uint16_t>() % 9000, std::byte{1});
  switch (input.below(8)) {
    case 0:
    case 1: return one_of(*strait::os::socket_pair(SOCK_SEQPACKET), kept, input);
    case 2: return one_of(*strait::os::socket_pair(SOCK_STREAM), kept, input);
    case 3:
    case 4: {
      Descriptor file;
      const auto ring = lane::RingMemory::create(16384, file);
      return file;
    }
    case 5: return *strait::os::memory_file_of(bytes);
    case 6: {
      auto file = *strait::os::create_memory_file("fuzz", bytes.size());
      if (input.below(2) == 0) {
        static_cast<void>(strait::os::add_seals(file.get(), strait::os::seals_of_size));
      }
      return file;
    }
    default: return *strait::os::open("/dev/null", O_RDWR);
  }
}

/// A packet in a socket.
void put(Input& input, int socket, std::span<const std::byte> bytes, std::size_t count, Kept& kept,
         bool by_the_rules) {
  std::vector<Descriptor> sent;
  std::vector<int> descriptors;
  for (std::size_t i = 0; i != count; ++i) {
    if (by_the_rules && i < 4) {
      Descriptor file;
      if (i % 2 == 1) {
        const auto ring = lane::RingMemory::create(16384, file);
        sent.push_back(std::move(file));
      } else {
        sent.push_back(one_of(*strait::os::socket_pair(SOCK_SEQPACKET), kept, input));
      }
    } else {
      sent.push_back(made(input, kept));
    }
    descriptors.push_back(sent.back().get());
  }
  if (bytes.empty() && descriptors.empty()) return;
  static_cast<void>(strait::os::send_packet(socket, bytes, descriptors));
}

/// A packed endpoint of a link over Mach, right or wrong.
Descriptor packed_mach_endpoint(Input& input, Kept& kept) {
  auto ends = *strait::os::socket_pair(SOCK_SEQPACKET);
  lane::PackedEndpointLabel label{lane::PackedEndpointLabel::own_magic, 0, 0, 0, 0};
  switch (input.below(8)) {
    case 0: label.magic = input.take<std::uint64_t>(); break;
    case 1: label.read_position = input.take<std::uint64_t>(); break;
    case 2: label.write_position = input.take<std::uint64_t>(); break;
    case 3: label.begun = input.below(3); break;
    case 4:
      label.begun = 1;
      label.rights = input.below(6);
      break;
    case 5: label.rights = input.take<std::uint32_t>(); break;
    default: break;
  }
  const auto bytes = std::as_bytes(std::span(&label, 1));
  const std::size_t cut = input.below(8) == 0 ? input.below(33) : sizeof label;
  const std::size_t count = input.below(4) == 0 ? input.below(8) : 4u + (label.begun == 1 ? 1 : 0);
  put(input, ends[0].get(), bytes.first(cut), count, kept, input.below(4) != 0);
  for (int more = input.below(4); more != 0; --more) {
    std::array<std::byte, 1> packet{};
    put(input, ends[0].get(), packet, input.below(6), kept, false);
  }
  if (input.below(4) == 0) kept.push_back(std::move(ends[0]));
  return std::move(ends[1]);
}

/// An end of a stream, bare or with what was read of it.
Descriptor socket_end(Input& input, Kept& kept) {
  auto stream = *strait::os::socket_pair(SOCK_STREAM);
  const auto write = [&] {
    strait::detail::FrameHeader header{input.below(60), 7};
    if (input.below(4) == 0) header = input.take<strait::detail::FrameHeader>();
    std::vector<std::byte> frame(sizeof header + input.below(60));
    std::memcpy(frame.data(), &header, sizeof header);
    return frame;
  };
  for (int frames = input.below(3); frames != 0; --frames) {
    put(input, stream[1].get(), write(), input.below(4) / 2, kept, false);
  }
  if (input.below(2) == 0) {
    kept.push_back(std::move(stream[1]));
    return std::move(stream[0]);
  }
  auto ends = *strait::os::socket_pair(SOCK_SEQPACKET);
  const std::vector<std::byte> unread = write();
  const auto file = *strait::os::memory_file_of(unread);
  const Descriptor odd = input.below(4) == 0 ? made(input, kept) : Descriptor();
  std::array contents{stream[0].get(), file.get(), STDERR_FILENO};
  if (odd) contents[input.below(2)] = odd.get();
  std::array<std::byte, 2> packet{};
  static_cast<void>(
      strait::os::send_packet(ends[0].get(), std::span(packet).first(input.below(8) == 0 ? 2 : 1),
                              std::span<const int>(contents).first(input.below(8) == 0 ? 3 : 2)));
  for (int more = input.below(4); more != 0; --more) {
    put(input, ends[0].get(), std::span(packet).first(1), input.below(6), kept, false);
  }
  kept.push_back(std::move(stream[1]));
  return std::move(ends[1]);
}

/// Uses an end for what there is to do with one, and passes it on.
template <class Link>
void use(strait::Rights& rights, Input& input) {
  auto taken = rights.take<Link>();
  if (!taken) return;
  const auto listener = [](std::span<const std::byte> bytes, strait::Rights) {
    require(bytes.size() <= 100'000, "no message is over the limit");
  };
  for (int turn = 0; turn != 3; ++turn) {
    if (!taken->poll(listener)) break;
    const std::vector<std::byte> bytes(input.take<std::uint16_t>() % 20'000);
    static_cast<void>(taken->send(std::span<const std::byte>(bytes)));
  }
  strait::Rights on;
  if (on.add(std::move(*taken))) static_cast<void>(on.take<Link>());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(std::as_bytes(std::span(data, size)));
  const DescriptorsAsBefore checked;
  Kept kept;
  strait::detail::RightList list;
  Descriptor right;
  switch (input.below(4)) {
    case 0:
    case 1: right = packed_mach_endpoint(input, kept); break;
    case 2: right = socket_end(input, kept); break;
    default: right = made(input, kept);
  }
  require(list.push(strait::detail::Right::from_peer(std::move(right))), "memory");
  strait::Rights rights(std::move(list));
  // Each look leaves what it can't take for the next.
  for (int look = 0; look != 3 && !rights.empty(); ++look) {
    switch (input.below(4)) {
      case 0: use<MachLink>(rights, input); break;
      case 1: use<SocketLink>(rights, input); break;
      case 2: {
        const auto memory = rights.take<strait::SharedMemory>();
        if (!memory) break;
        const auto mapped = memory->map<const std::uint64_t>();
        if (mapped) static_cast<void>(mapped->span().size());
        break;
      }
      default: {
        const auto semaphore = rights.take<strait::Semaphore>();
        if (semaphore) static_cast<void>(semaphore->duplicate());
      }
    }
  }
  return 0;
}
