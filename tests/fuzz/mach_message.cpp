// What arrives at a port, by the taste of a fuzzer: first as bytes that need not even be possible,
// then as messages that the played kernel lets through, from this peer and from others. Nothing may
// be read outside of a message, no right and no memory may be left, none given back twice.

#include <strait/mach/darwin/kernel.hpp>
#include <strait/mach/darwin/message.hpp>

#include <fcntl.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <span>
#include <utility>
#include <vector>

#include "fuzz/input.hpp"
#include "support/scripted_mach.hpp"

namespace {

using namespace strait_fuzz;
using namespace strait_test;
namespace mach = strait::darwin_mach;

/// As they come. A copy of their exact size, so that the address sanitizer sees a byte too far.
void take_apart(Bytes bytes) {
  const std::vector<std::byte> received(bytes.begin(), bytes.end());
  static_cast<void>(mach::sender_of(received));
  static_cast<void>(mach::was_given_back(
      received.size() < sizeof(mach::Header) ? Bytes(std::array<std::byte, 24>{}) : received));
  for (const Bytes message : {Bytes(received), mach::message_of(received)}) {
    const std::vector<std::byte> alone(message.begin(), message.end());
    std::size_t count = 0;
    static_cast<void>(mach::visit_descriptors(alone, [&](const auto&) { ++count; }));
    require(count <= alone.size() / sizeof(mach::PortDescriptor), "each descriptor is there");
    const auto parsed_message = mach::parse(alone);
    if (!parsed_message) continue;
    require(parsed_message->body_at + parsed_message->header.bytes <= alone.size(),
            "the body is there");
    require(parsed_message->header.descriptors == count && count <= strait::detail::max_rights,
            "what came with it is told");
    require((parsed_message->region_bytes != 0) + parsed_message->rights == count &&
                (parsed_message->region_bytes == 0 || count == 1),
            "it is rights or a region");
    for (std::size_t i = 0; i != parsed_message->rights; ++i) {
      require(mach::right_in(alone, i) != 0, "no right is null");
    }
  }
}

/// What an attacker has to put into messages.
struct Treasury {
  Treasury() {
    require(ScriptedTraps::construct_port(2, port) == 0, "a port");
    require(ScriptedTraps::make_send(port) == 0, "a right");
    mach::PortName dying = 0;
    require(ScriptedTraps::construct_port(1, dying) == 0, "a port that dies");
    require(ScriptedTraps::make_send(dying) == 0, "a right to it");
    ScriptedTraps::destroy_receive(dying);
    dead = dying;
    object = MachScript::kernel_object(3);
    file = ScriptedTraps::make_fileport(null_device.get()).value();
    require(ScriptedTraps::allocate_memory(memory_bytes, memory) == 0, "memory");
    for (std::size_t i = 0; i != memory_bytes / 4; ++i) {
      mach::write_at(reinterpret_cast<std::byte*>(static_cast<std::uintptr_t>(memory)), 4 * i,
                     port);
    }
  }
  Treasury(const Treasury&) = delete;
  Treasury& operator=(const Treasury&) = delete;
  ~Treasury() {
    ScriptedTraps::deallocate(file);
    ScriptedTraps::deallocate(object);
    ScriptedTraps::deallocate(dead);
    ScriptedTraps::destroy_receive(port);
    ScriptedTraps::deallocate(port);
    ScriptedTraps::deallocate_memory(memory, memory_bytes);
  }

  static constexpr std::size_t memory_bytes = 300;
  const strait::os::Descriptor null_device =
      strait::os::open("/dev/null", O_RDONLY | O_CLOEXEC).value();
  mach::PortName port = 0;
  mach::PortName dead = 0;
  mach::PortName object = 0;
  mach::PortName file = 0;
  std::uint64_t memory = 0;
};

mach::PortName some_name(Input& input, const Treasury& treasury, mach::Disposition& how) {
  using mach::Disposition;
  const auto choice = input.take();
  switch (choice % 8) {
    case 0: return mach::null_port;
    case 1: return mach::dead_port;
    case 2: how = Disposition::make_send_once; return treasury.port;
    case 3: how = Disposition::copy_send; return treasury.dead;
    case 4: how = Disposition::copy_send; return choice % 16 < 8 ? treasury.object : treasury.file;
    case 5: {
      // A receive right goes with the message.
      mach::PortName fresh = 0;
      require(ScriptedTraps::construct_port(1, fresh) == 0, "a port to give away");
      how = Disposition::move_receive;
      return fresh;
    }
    case 6: how = Disposition::make_send; return treasury.port;
    default: how = Disposition::copy_send; return treasury.port;
  }
}

void append(std::vector<std::byte>& message, const auto& value) {
  const std::size_t at = message.size();
  message.resize(at + sizeof value);
  mach::write_at(message.data(), at, value);
}

void add_descriptor(std::vector<std::byte>& message, Input& input, const Treasury& treasury) {
  using mach::Disposition;
  auto how = Disposition::copy_send;
  switch (input.take() % 4) {
    case 0:
    case 1: {
      const auto name = some_name(input, treasury, how);
      append(message, mach::PortDescriptor{name, 0, 0, how, mach::DescriptorType::port});
      break;
    }
    case 2: {
      const auto size = static_cast<std::uint32_t>(input.take() * 2 % (Treasury::memory_bytes + 1));
      append(message, mach::MemoryDescriptor{
                          treasury.memory, 0, static_cast<mach::Copy>(input.take() % 2), 0,
                          input.take() % 8 != 0 ? mach::DescriptorType::memory
                                                : mach::DescriptorType::volatile_memory,
                          size});
      break;
    }
    default:
      append(message, mach::PortsDescriptor{treasury.memory, 0, mach::Copy::virtual_copy,
                                            input.take() % 2 != 0 ? Disposition::copy_send
                                                                  : Disposition::make_send_once,
                                            mach::DescriptorType::ports, input.take() % 64u});
  }
}

/// Sends one message to `to`, of which the input says everything else.
void send_some(mach::PortName to, Input& input, const Treasury& treasury) {
  const auto flags = input.take();
  std::vector<std::byte> message(sizeof(mach::Header));
  mach::Header header{};
  header.bits = mach::header_bits(mach::Disposition::copy_send);
  header.remote = to;
  header.id = (flags & 1) != 0 ? mach::message_id : input.take<std::int32_t>() % 80;
  // Few, or about as many as there can be.
  std::uint8_t descriptors = (flags & 2) != 0 ? input.take() : 0;
  if (descriptors < 120 || descriptors > 130) descriptors %= 4;
  if ((flags & 2) != 0) {
    header.bits |= mach::complex_bit;
    append(message, mach::Body{descriptors});
    for (int i = 0; i != descriptors; ++i) add_descriptor(message, input, treasury);
  }
  if ((flags & 4) != 0) {
    header.local = treasury.port;
    header.bits |= mach::header_bits(mach::Disposition::none, mach::Disposition::make_send);
  }
  if ((flags & 8) != 0) {
    const Bytes body = input.take_bytes(input.take() % 96);
    append(message, strait::MessageHeader{static_cast<std::uint32_t>(body.size()), 0, 1, 0});
    message.insert(message.end(), body.begin(), body.end());
  } else {
    const Bytes body = input.take_bytes(input.take() % 32);
    message.insert(message.end(), body.begin(), body.end());
  }
  if ((flags & 16) != 0) message.resize(message.size() + input.take<std::uint16_t>() * 2);
  message.resize(mach::round_message(message.size()));
  header.size = static_cast<std::uint32_t>(message.size());
  mach::write_at(message.data(), 0, header);
  const AsTask task((flags & 32) != 0 ? other_task() : own_task());
  const auto result =
      ScriptedTraps::message(message.data(), mach::option::send | mach::option::send_timeout,
                             header.size, 0, mach::null_port, 0);
  if (result == mach::success) return;
  if (mach::was_given_back(message)) {
    const auto back = mach::read_at<mach::Header>(message, 0).local;
    if (mach::is_name(back)) ScriptedTraps::deallocate(back);
    mach::destroy<ScriptedTraps>(message);
    return;
  }
  // Not taken: what was to go with it and is still this side's is given up. What stood before the
  // descriptor that was wrong is gone, so what holds a receive right is looked for, not assumed.
  static_cast<void>(mach::visit_descriptors(message, [](const auto& descriptor) {
    if constexpr (requires { descriptor.name; }) {
      if (descriptor.disposition == mach::Disposition::move_receive &&
          MachScript::holds_receive(descriptor.name)) {
        ScriptedTraps::destroy_receive(descriptor.name);
      }
    }
  }));
}

void attack_port(Input& input) {
  const Treasury treasury;
  auto port = ScriptedDarwin::allocate(16 << 10).value();
  const auto right = port.make_send_right();
  while (!input.empty()) {
    const auto action = input.take();
    if (action % 4 != 0) {
      send_some(right.name(), input, treasury);
      continue;
    }
    const auto message = port.peek();
    if (!message) continue;
    unsigned sum = 0;
    for (std::uint32_t i = 0; i != message->bytes; ++i) {
      sum += std::to_integer<unsigned>(port.body()[i]);
    }
    static_cast<void>(sum);
    port.pop(*message);
    if ((action & 16) != 0) {
      const auto region = port.take_region(action / 2);
      require(!region || region->bytes().size() == action / 2u, "a region has its size");
    }
    if ((action & 64) != 0) {
      std::array<strait::os::UnseenDescriptor, strait::detail::max_rights> files;
      if (port.take_descriptors(std::span(files).first(message->descriptors))) {
        for (std::size_t i = 0; i != message->descriptors; ++i) {
          require(::fcntl(files[i].get(), F_GETFD) == FD_CLOEXEC, "a file that is open");
        }
      }
    }
    if ((action & 32) != 0) {
      if (auto taken = port.take_send_right()) {
        // Whatever could be adopted can be sent to.
        if (auto room = taken->reserve(1)) {
          **room = std::byte{1};
          static_cast<void>(taken->stage({1, 0, 1, 0}));
        }
      }
    }
  }
}

void attack_name(Input& input) {
  const Treasury treasury;
  auto port = ScriptedDarwin::check_in("fuzz", {}).value();
  mach::PortName name = 0;
  require(ScriptedTraps::look_up("strait.fuzz", name) == 0, "the name");
  const mach::OwnedSend<ScriptedTraps> right(name);
  while (!input.empty()) {
    if (input.take() % 4 != 0) {
      send_some(right.name(), input, treasury);
      continue;
    }
    auto request = port.receive();
    if (!request || request->failure) continue;
    require(request->body.bytes().size() <= strait::detail::HandshakeBytes::capacity, "a Hello");
    auto adopted = ScriptedDarwin::SendRight::adopt(std::move(request->reply));
    if (!adopted) continue;
    auto own = ScriptedDarwin::allocate_for(*request, 16 << 10).value();
    const auto travelling = own.make_send_right();
    static_cast<void>(adopted->send({0, 0, 5, 0}, {}, travelling));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const Bytes bytes = std::as_bytes(std::span(data, size)).subspan(1);
  Input input(bytes);
  switch (data[0] % 3) {
    case 0: take_apart(bytes); break;
    case 1: attack_port(input); break;
    default: attack_name(input);
  }
  const auto left = mach_holdings();
  for (const auto& holding : left) std::fprintf(stderr, "%s\n", holding.c_str());
  require(left.empty(), "nothing is left");
  return 0;
}
