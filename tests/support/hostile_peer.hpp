#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <strait/handshake/hello.hpp>
#include <strait/mach/linux/kernel.hpp>

#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

#include "support/catch.hpp"
#include "support/message_kinds.hpp"
#include "support/refusals.hpp"

// A peer that speaks the protocol of Linux's Mach ports by hand, and so may break any rule of it.

namespace strait_test {

using strait::os::Descriptor;

inline std::size_t page() { return strait::os::page_size(); }

inline Descriptor memory_file(std::size_t size,
                              unsigned seals = strait::linux_mach::seals_of_size) {
  auto file = strait::linux_mach::create_memory_file("strait-hostile", size).value();
  // What is sealed against writing has to have its memory.
  if ((seals & F_SEAL_WRITE) != 0 && size != 0 && size < (std::size_t{64} << 20)) {
    REQUIRE(::fallocate(file.get(), 0, 0, static_cast<off_t>(size)) == 0);
  }
  if (seals != 0) REQUIRE(strait::linux_mach::add_seals(file.get(), seals));
  return file;
}

inline std::array<Descriptor, 2> socket_pair(int type = SOCK_SEQPACKET) {
  int ends[2];
  REQUIRE(::socketpair(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
  return {Descriptor(ends[0]), Descriptor(ends[1])};
}

/// The shared memory of a lane with nothing to keep one from writing to any byte of it.
class RawRing {
 public:
  RawRing() = default;
  explicit RawRing(const Descriptor& file) {
    struct stat status;
    REQUIRE(::fstat(file.get(), &status) == 0);
    mapping_ = strait::os::Mapping::map(static_cast<std::size_t>(status.st_size),
                                        PROT_READ | PROT_WRITE, MAP_SHARED, file.get())
                   .value();
  }

  strait::linux_mach::RingControl& control() {
    return *reinterpret_cast<strait::linux_mach::RingControl*>(mapping_.data());
  }
  std::size_t capacity() const { return mapping_.size() - page(); }
  std::byte* at(std::uint64_t offset) { return mapping_.data() + page() + offset % capacity(); }

  /// Puts a header word where the reader will look next.
  void write_word(std::uint64_t word) {
    reinterpret_cast<std::atomic<std::uint64_t>*>(at(position_))->store(word);
    position_ += 8;
  }
  /// A record with any header and any body; the space for it must be free.
  void write(strait::MessageHeader header, std::span<const std::byte> body = {}) {
    const std::uint64_t start = position_;
    position_ += 8;
    for (const std::byte b : body) *at(position_++) = b;
    position_ = (position_ + 7) & ~std::uint64_t{7};
    reinterpret_cast<std::atomic<std::uint64_t>*>(at(position_))->store(0);
    reinterpret_cast<std::atomic<std::uint64_t>*>(at(start))->store(
        strait::linux_mach::detail::pack(header));
  }
  /// The header of the oldest record that was sent here, stepping over it.
  strait::Result<strait::MessageHeader> read(std::vector<std::byte>* body = nullptr) {
    const auto word = reinterpret_cast<std::atomic<std::uint64_t>*>(at(position_))->load();
    if (word == 0) return strait::Errc::empty;
    const auto header = strait::linux_mach::detail::unpack(word);
    if (body != nullptr) {
      body->clear();
      for (std::size_t i = 0; i != header.bytes; ++i) body->push_back(*at(position_ + 8 + i));
    }
    position_ += 8 + strait::linux_mach::detail::round_up(header.bytes);
    return header;
  }

 private:
  strait::os::Mapping mapping_;
  std::uint64_t position_ = 0;
};

/// A lane, by its memory.
struct RawLane {
  RawLane() = default;
  explicit RawLane(Descriptor file) : memory(std::move(file)), ring(memory) {}
  explicit RawLane(std::size_t ring_bytes) : RawLane(memory_file(page() + ring_bytes)) {}

  Descriptor memory;
  RawRing ring;
};

/// A connection to a server's name, before or without a Hello.
inline Descriptor knock(std::string_view name) {
  const auto address = strait::linux_mach::Address::of(name).value();
  auto socket = strait::linux_mach::new_socket().value();
  REQUIRE(::connect(socket.get(), address.get(), address.size) == 0);
  return socket;
}

inline void say(const Descriptor& socket, std::span<const std::byte> bytes,
                std::span<const int> descriptors = {}) {
  REQUIRE(strait::os::send_packet(socket.get(), bytes, descriptors));
}

/// A client that says a proper Hello and from then on does what it likes.
struct RawClient {
  template <class Channel, class Listener>
  RawClient(Channel& server, Listener&& listener, std::string_view name,
            const strait::Token& token) {
    const auto door = knock(name);
    say(door, hello_of<Channel>(token).bytes());
    REQUIRE(server.poll(listener));
    REQUIRE_FALSE(server.waiting_connect());
    strait::os::DescriptorQueue descriptors;
    std::array<std::byte, strait::detail::HandshakeBytes::capacity> bytes;
    const auto size = strait::os::receive_packet(door.get(), bytes, descriptors);
    REQUIRE(size);
    REQUIRE(strait::detail::check_welcome(std::span(bytes).first(*size)));
    REQUIRE(descriptors.size() == 3);
    this->socket = descriptors.pop();
    in = RawLane(descriptors.pop());
    out = RawLane(descriptors.pop());
  }

  /// Puts descriptors under way, with a doorbell or any other bytes.
  strait::Result<void> pass(std::span<const int> descriptors,
                            std::span<const std::byte> bytes = one_byte) const {
    return strait::os::send_packet(socket.get(), bytes, descriptors);
  }
  static constexpr std::array<std::byte, 1> one_byte{};

  template <class Channel>
  static strait::detail::HandshakeBytes hello_of(const strait::Token& token) {
    return strait::detail::encode_hello(
        Channel::serializer::schema_hash, token,
        strait::detail::wire_options_of<typename Channel::transport>());
  }

  Descriptor socket;
  /// The lane from the server, and the one to it.
  RawLane in;
  RawLane out;
};

}  // namespace strait_test
