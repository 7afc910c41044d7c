#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "strait/base/slice.hpp"
#include "strait/mach/darwin/message.hpp"
#include "strait/os/posix/owner_process.hpp"
#include "strait/result.hpp"

namespace strait::darwin_mach {

using strait::detail::Slice;

// A forked process is another task and has no right of its parent's: there the names are free, or
// stand for rights of its own, so that copies of what is here leave them alone.

/// Owns one reference to a send right, or to what is left of it when the port has died.
template <class Traps>
class OwnedSend {
 public:
  OwnedSend() = default;
  explicit OwnedSend(PortName name) noexcept : name_(name) {}
  OwnedSend(OwnedSend&& other) noexcept
      : name_(std::exchange(other.name_, null_port)), owner_(other.owner_) {}
  OwnedSend& operator=(OwnedSend&& other) noexcept {
    std::swap(name_, other.name_);
    std::swap(owner_, other.owner_);
    return *this;
  }
  // Never by mod_refs(SEND): that fails, and leaks, once the port is dead.
  ~OwnedSend() {
    if (is_name(name_) && owner_.is_this()) Traps::deallocate(name_);
  }

  /// May be `dead_port`: what a right arrives as whose port died under way.
  PortName name() const noexcept { return name_; }

 private:
  PortName name_ = null_port;
  os::OwnerProcess owner_;
};

/// Owns the send rights of one message, in their order.
template <class Traps>
class OwnedSends {
 public:
  OwnedSends() = default;
  OwnedSends(OwnedSends&& other) noexcept { take(other); }
  OwnedSends& operator=(OwnedSends&& other) noexcept {
    if (this != &other) {
      clear();
      take(other);
    }
    return *this;
  }
  ~OwnedSends() {
    if (owner_.is_this()) clear();
  }

  /// As many as one message has at the most.
  void push(PortName name) noexcept { names_[size_++] = name; }
  Slice<const PortName> names() const noexcept { return {names_.data(), size_}; }
  /// The only one; none if there are none or several, which are all given back.
  OwnedSend<Traps> take_only() noexcept {
    if (size_ != 1) clear();
    return std::exchange(size_, 0) == 1 ? OwnedSend<Traps>(names_[0]) : OwnedSend<Traps>();
  }
  void clear() noexcept {
    while (size_ != 0) OwnedSend<Traps>{names_[--size_]};
  }

 private:
  void take(OwnedSends& other) noexcept {
    size_ = std::exchange(other.size_, 0);
    for (std::size_t i = 0; i != size_; ++i) names_[i] = other.names_[i];
    owner_ = other.owner_;
  }

  std::array<PortName, strait::detail::max_rights> names_;
  std::size_t size_ = 0;
  os::OwnerProcess owner_;
};

/// Owns a receive right, and with it the port: all that is in it ends with it.
template <class Traps>
class OwnedReceive {
 public:
  OwnedReceive() = default;
  explicit OwnedReceive(PortName name) noexcept : name_(name) {}
  OwnedReceive(OwnedReceive&& other) noexcept
      : name_(std::exchange(other.name_, null_port)), owner_(other.owner_) {}
  OwnedReceive& operator=(OwnedReceive&& other) noexcept {
    std::swap(name_, other.name_);
    std::swap(owner_, other.owner_);
    return *this;
  }
  ~OwnedReceive() {
    if (is_name(name_) && owner_.is_this()) Traps::destroy_receive(name_);
  }

  /// A new port whose queue takes so many messages.
  ///
  /// Errors: `not_enough_memory`.
  static Result<OwnedReceive> allocate(std::uint32_t queue_limit) {
    PortName name = null_port;
    if (Traps::construct_port(queue_limit, name) != success) {
      return strait::detail::no_memory();
    }
    return OwnedReceive(name);
  }

  PortName name() const noexcept { return name_; }
  const os::OwnerProcess& owner() const noexcept { return owner_; }

 private:
  PortName name_ = null_port;
  os::OwnerProcess owner_;
};

/// Gives back all that a received message carries: every right of every kind, all memory, and the
/// right to reply.
template <class Traps>
void destroy(std::span<const std::byte> message) {
  struct Visitor {
    static void drop(PortName name, Disposition disposition) {
      if (!is_name(name)) return;
      disposition == Disposition::move_receive ? Traps::destroy_receive(name)
                                               : Traps::deallocate(name);
    }
    void operator()(const PortDescriptor& port) const { drop(port.name, port.disposition); }
    void operator()(const MemoryDescriptor& memory) const {
      // Whatever `deallocate` says: it is only about how the sender made the copy.
      if (memory.size != 0) Traps::deallocate_memory(memory.address, memory.size);
    }
    void operator()(const PortsDescriptor& ports) const {
      if (ports.count == 0) return;
      const auto* names =
          reinterpret_cast<const std::byte*>(static_cast<std::uintptr_t>(ports.address));
      for (std::size_t i = 0; i != ports.count; ++i) {
        drop(read_at<PortName>({names, ports.count * sizeof(PortName)}, i * sizeof(PortName)),
             ports.disposition);
      }
      Traps::deallocate_memory(ports.address, ports.count * sizeof(PortName));
    }
    void operator()(const GuardedPortDescriptor& port) const { drop(port.name, port.disposition); }
  };
  if (message.size() < sizeof(Header)) return;
  const auto header = read_at<Header>(message, 0);
  if (is_name(header.remote)) Traps::deallocate(header.remote);
  static_cast<void>(visit_descriptors(message, Visitor{}));
}

/// Out-of-line memory: whole pages of this task's own. Sending it is sending what is in it then;
/// received, it is a copy that the sender can't reach any more.
template <class Traps>
class OwnedMemory {
 public:
  OwnedMemory() = default;
  OwnedMemory(std::uint64_t address, std::size_t size) noexcept : address_(address), size_(size) {}
  OwnedMemory(OwnedMemory&& other) noexcept
      : address_(std::exchange(other.address_, 0)), size_(std::exchange(other.size_, 0)) {}
  OwnedMemory& operator=(OwnedMemory&& other) noexcept {
    std::swap(address_, other.address_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~OwnedMemory() {
    if (size_ != 0) Traps::deallocate_memory(address_, size_);
  }

  std::byte* data() const noexcept {
    return reinterpret_cast<std::byte*>(static_cast<std::uintptr_t>(address_));
  }
  std::size_t size() const noexcept { return size_; }

 private:
  std::uint64_t address_ = 0;
  std::size_t size_ = 0;
};

}  // namespace strait::darwin_mach
