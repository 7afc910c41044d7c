#pragma once

// A client that has said a proper Hello and from then on breaks the rules by hand; to be used in a
// child, where there are no assertions of Catch's. Each attack does a little and returns false when
// the server has cut it off.

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstring>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "conformance/channels.hpp"
#include "conformance/transports.hpp"
#include "strait/framing/frame_stream.hpp"
#include "strait/mach/linux/kernel.hpp"
#include "strait/mach/ool_method.hpp"

namespace strait_test {

using strait::os::Descriptor;

template <class T>
class Wire;

inline bool hung_up(const Descriptor& fd) {
  return strait::os::ready_now(strait::Interest::to_read(fd.get())).ended;
}
inline bool wait_readable(const Descriptor& fd) {
  pollfd wanted{fd.get(), POLLIN, 0};
  return ::poll(&wanted, 1, 2000) == 1;
}

/// Both lanes, with nothing to keep one from writing to any byte of them.
template <>
class Wire<Mach> {
 public:
  static std::optional<Wire> connect(std::string_view name, View hello) {
    const auto address = strait::linux_mach::Address::of(name).value();
    auto socket = strait::linux_mach::new_socket();
    if (!socket || ::connect(socket->get(), address.get(), address.size) != 0) return {};
    if (!strait::os::send_packet(socket->get(), hello) || !wait_readable(*socket)) return {};
    strait::os::DescriptorQueue lanes;
    std::array<std::byte, strait::detail::HandshakeBytes::capacity> bytes;
    const auto size = strait::os::receive_packet(socket->get(), bytes, lanes);
    if (!size || lanes.size() != 3) return {};
    Wire wire;
    wire.socket_ = lanes.pop();
    wire.in_.adopt(lanes.pop());
    wire.out_.adopt(lanes.pop());
    return wire;
  }

  bool descriptors() {
    const int on = 1;
    constexpr int pass_pidfd = 76;
    ::setsockopt(socket_.get(), SOL_SOCKET, pass_pidfd, &on, sizeof on);
    const std::array some{socket_.get(), out_.memory.get(), in_.memory.get()};
    static_cast<void>(strait::os::send_packet(socket_.get(), std::array{std::byte{0}}, some));
    return !hung_up(socket_);
  }

  bool unfinished() {
    // The room is what the server says that it has read.
    constexpr strait::MessageHeader piece{8, 0, 2, 0};
    for (int i = 0; i != 1000 && out_.room() > 64; ++i) {
      out_.put(std::array<std::byte, 8>(), piece);
    }
    static_cast<void>(strait::os::send_packet(socket_.get(), std::array{std::byte{0}}));
    return !hung_up(socket_);
  }

  bool slow(View wish) {
    constexpr strait::MessageHeader whole{16, 0, 1, 0};
    if (out_.room() > 64) out_.put(wish, whole);
    static_cast<void>(strait::os::send_packet(socket_.get(), std::array{std::byte{0}}));
    in_.skip();
    static_cast<void>(strait::os::send_packet(socket_.get(), std::array{std::byte{0}}));
    return !hung_up(socket_);
  }

  bool sparse() {
    constexpr std::size_t size = std::size_t{1} << 20;
    auto file = strait::linux_mach::create_memory_file("strait-hostile", size);
    if (!file || !strait::linux_mach::add_seals(file->get(), strait::linux_mach::seals_of_content))
      return false;
    using strait::detail::OolReference;
    const OolReference note{size, 0, OolReference::Place::once};
    if (out_.room() < 100) return !hung_up(socket_);
    const std::array region{file->get()};
    static_cast<void>(strait::os::send_packet(socket_.get(), std::array{std::byte{0}}, region));
    const auto bytes = std::as_bytes(std::span(&note, 1));
    out_.put(bytes, {static_cast<std::uint32_t>(bytes.size()), 0, 4, 1});
    return !hung_up(socket_);
  }

 private:
  struct Lane {
    Descriptor memory;
    strait::os::Mapping mapping;
    std::uint64_t position = 0;

    void adopt(Descriptor file) {
      memory = std::move(file);
      struct stat status;
      ::fstat(memory.get(), &status);
      mapping = strait::os::Mapping::map(static_cast<std::size_t>(status.st_size),
                                         PROT_READ | PROT_WRITE, MAP_SHARED, memory.get())
                    .value();
    }
    std::size_t capacity() const { return mapping.size() - strait::os::page_size(); }
    strait::linux_mach::RingControl& control() const {
      return *reinterpret_cast<strait::linux_mach::RingControl*>(mapping.data());
    }
    std::byte* at(std::uint64_t offset) const {
      return mapping.data() + strait::os::page_size() + offset % capacity();
    }
    std::atomic_ref<std::uint64_t> word(std::uint64_t offset) const {
      return std::atomic_ref<std::uint64_t>(*reinterpret_cast<std::uint64_t*>(at(offset)));
    }
    std::uint64_t room() const { return capacity() - (position - control().head.load()); }

    void put(View body, const strait::MessageHeader& header) {
      std::uint64_t next = position + 8;
      for (const std::byte b : body) *at(next++) = b;
      next = (next + 7) / 8 * 8;
      word(next).store(0);
      word(position).store(strait::linux_mach::detail::pack(header));
      control().reader_asleep.store(0);
      position = next;
    }
    /// Over one record, if there is any.
    void skip() {
      const std::uint64_t header = word(position).load();
      if (header == 0) return;
      position += 8 + strait::linux_mach::detail::round_up(static_cast<std::uint32_t>(header));
      control().head.store(position);
      control().writer_asleep.store(0);
    }
  };

  Descriptor socket_;
  Lane in_;
  Lane out_;
};

/// Frames that are written to a descriptor by hand.
class FrameWire {
 public:
  bool unfinished() {
    if (begun_) return write(std::array{std::byte{1}});
    begun_ = true;
    const strait::detail::FrameHeader header{1 << 20, 0};
    return write(std::as_bytes(std::span(&header, 1)));
  }

  bool slow(View wish) {
    const strait::detail::FrameHeader header{static_cast<std::uint32_t>(wish.size()), 0};
    Bytes frame(sizeof header + wish.size());
    std::memcpy(frame.data(), &header, sizeof header);
    std::memcpy(frame.data() + sizeof header, wish.data(), wish.size());
    if (asked_++ % 50 == 0 && !write(frame)) return false;
    std::array<std::byte, 100> some;
    const auto count = ::read(in_.get(), some.data(), some.size());
    return count > 0 || (count < 0 && errno == EAGAIN);
  }

 protected:
  /// Whole or not at all, as far as the server has room.
  bool write(View bytes) {
    const auto count = ::write(out_.get(), bytes.data(), bytes.size());
    return count >= 0 ? static_cast<std::size_t>(count) == bytes.size() : errno == EAGAIN;
  }

  Descriptor in_;
  Descriptor out_;

 private:
  bool begun_ = false;
  unsigned asked_ = 0;
};

template <>
class Wire<Socket> : public FrameWire {
 public:
  static std::optional<Wire> connect(std::string_view name, View hello) {
    auto server = Socket::look_up(name);
    if (!server) return {};
    auto link = std::move(*server).hello(hello);
    if (!link) return {};
    for (const auto end = Clock::now() + 2s; !link->welcome();) {
      if (Clock::now() > end) return {};
      const strait::Interests wanted = link->arm(strait::detail::FrameQueue());
      static_cast<void>(strait::os::wait_for(wanted, strait::detail::Deadline::after(100ms)));
    }
    auto right = link->detach();
    if (!right) return {};
    Wire wire;
    wire.out_ = std::move(right->descriptor);
    wire.in_ = Descriptor(::fcntl(wire.out_.get(), F_DUPFD_CLOEXEC, 3));
    ::fcntl(wire.out_.get(), F_SETFL, O_NONBLOCK);
    return wire;
  }

  bool descriptors() {
    const int on = 1;
    constexpr int pass_pidfd = 76;
    ::setsockopt(out_.get(), SOL_SOCKET, pass_pidfd, &on, sizeof on);
    const strait::detail::FrameHeader half{100, 0, 0, 1};
    const std::array some{out_.get(), in_.get(), STDERR_FILENO};
    const auto sent = strait::os::send_packet(out_.get(), std::as_bytes(std::span(&half, 1)), some);
    return sent.has_value() || sent.error() == Errc::would_block;
  }
  bool sparse() { return descriptors(); }
};

template <>
class Wire<Pipe> : public FrameWire {
 public:
  static std::optional<Wire> connect(std::string_view name, View hello) {
    static std::mt19937_64 random(static_cast<std::uint64_t>(::getpid()));
    const auto place = strait::os::NamePlace::of(name);
    const std::string directory = place.parent + "/" + place.name;
    std::string stem(32, '0');
    for (char& digit : stem) digit = "0123456789abcdef"[random() % 16];
    const std::string up = directory + "/" + stem + ".up", down = directory + "/" + stem + ".dn";
    Wire wire;
    if (::mkfifo(up.c_str(), 0600) != 0 || ::mkfifo(down.c_str(), 0600) != 0) return {};
    // Not for reading as well, or the server's end would not show.
    wire.in_ = Descriptor(::open(down.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    const Descriptor both(::open(up.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
    wire.out_ = Descriptor(::open(up.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
    const strait::detail::FrameHeader header{static_cast<std::uint32_t>(hello.size()), 0};
    Bytes frame(sizeof header + hello.size());
    std::memcpy(frame.data(), &header, sizeof header);
    std::memcpy(frame.data() + sizeof header, hello.data(), hello.size());
    const Descriptor door(::open((directory + "/hello").c_str(), O_WRONLY | O_NONBLOCK));
    stem += '\n';
    const bool told = wire.write(frame) &&
                      ::write(door.get(), stem.data(), stem.size()) == ssize_t{33} &&
                      wait_readable(wire.in_);
    ::unlink(up.c_str());
    ::unlink(down.c_str());
    if (!told) return {};
    return wire;
  }

  /// None travel here: a frame that says so.
  bool descriptors() {
    const strait::detail::FrameHeader header{0, 0, 0, 1};
    return write(std::as_bytes(std::span(&header, 1)));
  }
  bool sparse() {
    const strait::detail::FrameHeader header{0, 0, 0};
    return write(std::as_bytes(std::span(&header, 1)));
  }
};

}  // namespace strait_test
