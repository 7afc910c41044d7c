#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

/// Mach's messages and calls as they are in memory, in names of our own, so that everything but the
/// calls themselves compiles, is tested and is fuzzed on any system. `traps.hpp`, which only macOS
/// compiles, holds all of this against the system's headers.
///
/// Source: XNU, osfmk/mach/message.h, port.h, notify.h, kern_return.h.
namespace strait::darwin_mach {

/// A task's own name for a port, as a descriptor is for a file.
using PortName = std::uint32_t;
inline constexpr PortName null_port = 0;
/// What a right to a port arrives as that died under way.
inline constexpr PortName dead_port = 0xffff'ffff;

constexpr bool is_name(PortName name) { return name != null_port && name != dead_port; }

/// What all calls return (`kern_return_t`, `mach_msg_return_t`).
using Return = std::int32_t;
inline constexpr Return success = 0;

namespace kern {
inline constexpr Return no_space = 3;
inline constexpr Return invalid_argument = 4;
inline constexpr Return resource_shortage = 6;
inline constexpr Return invalid_name = 15;
inline constexpr Return invalid_right = 17;
inline constexpr Return invalid_value = 18;
inline constexpr Return invalid_capability = 20;
}  // namespace kern

namespace send {
inline constexpr Return invalid_dest = 0x1000'0003;
inline constexpr Return timed_out = 0x1000'0004;
inline constexpr Return interrupted = 0x1000'0007;
inline constexpr Return message_too_small = 0x1000'0008;
inline constexpr Return invalid_reply = 0x1000'0009;
inline constexpr Return invalid_right = 0x1000'000a;
inline constexpr Return invalid_memory = 0x1000'000c;
inline constexpr Return no_buffer = 0x1000'000d;
inline constexpr Return too_large = 0x1000'000e;
inline constexpr Return invalid_type = 0x1000'000f;
inline constexpr Return invalid_header = 0x1000'0010;
inline constexpr Return invalid_options = 0x1000'0013;
inline constexpr Return filtered = 0x1000'0017;
}  // namespace send

namespace receive {
inline constexpr Return invalid_name = 0x1000'4002;
inline constexpr Return timed_out = 0x1000'4003;
inline constexpr Return too_large = 0x1000'4004;
inline constexpr Return interrupted = 0x1000'4005;
inline constexpr Return port_changed = 0x1000'4006;
inline constexpr Return header_error = 0x1000'400b;
inline constexpr Return body_error = 0x1000'400c;
}  // namespace receive

/// Bits that a failed send or receive may have beside its reason: not everything could be given
/// back or delivered.
inline constexpr Return extra_failures = 0x3e00;
/// Such a bit alone: no memory in the kernel for what a message carries.
inline constexpr Return no_kernel_memory = 0x400;

namespace bootstrap {
inline constexpr Return not_privileged = 1100;
inline constexpr Return name_in_use = 1101;
inline constexpr Return unknown_service = 1102;
inline constexpr Return service_active = 1103;
inline constexpr std::size_t max_name_bytes = 128;  // with the zero at the end
}  // namespace bootstrap

using Options = std::int32_t;
namespace option {
inline constexpr Options send = 0x1;
inline constexpr Options receive = 0x2;
inline constexpr Options receive_large = 0x4;
inline constexpr Options send_timeout = 0x10;
inline constexpr Options send_interrupt = 0x40;
inline constexpr Options receive_timeout = 0x100;
inline constexpr Options receive_interrupt = 0x400;
/// Asks for the trailer with the sender's audit token.
inline constexpr Options audit_trailer = 0x0300'0000;
}  // namespace option

/// What is done with a right that a message names, and what a received one is.
enum class Disposition : std::uint8_t {
  none = 0,
  move_receive = 16,
  move_send = 17,
  move_send_once = 18,
  copy_send = 19,
  make_send = 20,
  make_send_once = 21,
};

enum class DescriptorType : std::uint8_t {
  port = 0,
  memory = 1,
  ports = 2,
  volatile_memory = 3,
  guarded_port = 4,
};

/// How out-of-line memory goes over: always by virtual copy.
enum class Copy : std::uint8_t { physical = 0, virtual_copy = 1 };

inline constexpr std::uint32_t complex_bit = 0x8000'0000;

constexpr std::uint32_t header_bits(Disposition remote, Disposition local = Disposition::none) {
  return static_cast<std::uint32_t>(remote) | static_cast<std::uint32_t>(local) << 8;
}
constexpr Disposition remote_right(std::uint32_t bits) {
  return static_cast<Disposition>(bits & 0x1f);
}
constexpr Disposition local_right(std::uint32_t bits) {
  return static_cast<Disposition>(bits >> 8 & 0x1f);
}

/// Messages of the kernel to what asked for them. Any process can send these numbers: only with the
/// kernel's audit token are they its own.
enum class Notification : std::int32_t {
  port_deleted = 65,
  send_possible = 66,
  no_senders = 70,
  send_once = 71,
  dead_name = 72,
};

/// As many messages as any port's queue can be made to take.
inline constexpr std::uint32_t max_queue_limit = 1024;

#pragma pack(push, 4)

struct Header {
  std::uint32_t bits;
  /// Of header, body and descriptors and data together; never of a trailer.
  std::uint32_t size;
  PortName remote;
  PortName local;
  std::uint32_t voucher;
  std::int32_t id;
};

struct Body {
  std::uint32_t descriptors;
};

struct PortDescriptor {
  PortName name;
  std::uint32_t unused;
  std::uint16_t unused_too;
  Disposition disposition;
  DescriptorType type;
};

/// The address is at an odd multiple of four: no reference to it may be made.
struct MemoryDescriptor {
  std::uint64_t address;
  std::uint8_t deallocate;
  Copy copy;
  std::uint8_t unused;
  DescriptorType type;
  std::uint32_t size;
};

struct PortsDescriptor {
  std::uint64_t address;
  std::uint8_t deallocate;
  Copy copy;
  Disposition disposition;
  DescriptorType type;
  std::uint32_t count;
};

struct GuardedPortDescriptor {
  std::uint64_t context;
  std::uint16_t flags;
  Disposition disposition;
  DescriptorType type;
  PortName name;
};

/// The sender of a message, as the kernel says. All zero: from the kernel itself.
struct AuditToken {
  std::uint32_t values[8];

  std::uint32_t user() const { return values[1]; }
  std::uint32_t group() const { return values[2]; }
  std::int32_t process() const { return static_cast<std::int32_t>(values[5]); }
  /// Which life of that process: the number of a process is used again, and an exec begins a new
  /// life.
  std::uint32_t process_version() const { return values[7]; }
  bool is_kernel() const { return *this == AuditToken{}; }
  /// The rest of a token is what the sender is at the time of each message: a process may change
  /// its user, its group and its session.
  bool is_same_process(const AuditToken& other) const {
    return process() == other.process() && process_version() == other.process_version();
  }

  friend bool operator==(const AuditToken& a, const AuditToken& b) {
    std::uint32_t different = 0;
    for (int i = 0; i != 8; ++i) different |= a.values[i] ^ b.values[i];
    return different == 0;
  }
};

/// What the kernel writes behind a received message.
struct AuditTrailer {
  std::uint32_t type;
  std::uint32_t size;
  std::uint32_t sequence;
  std::uint32_t security_token[2];
  AuditToken sender;
};

/// `dead_name`, `send_possible`, `port_deleted` with the name that it is about. (In a message to a
/// port that this task has, so it is never one that travels.)
struct NameNotification {
  Header header;
  std::uint64_t record;
  PortName name;
};

#pragma pack(pop)

/// Room for any trailer there is.
inline constexpr std::size_t max_trailer_bytes = 68;

/// Whatever message fits the kernel itself.
inline constexpr std::size_t max_message_bytes = (std::size_t{48} << 20) - max_trailer_bytes;

constexpr std::size_t round_message(std::size_t bytes) { return (bytes + 3) & ~std::size_t{3}; }

static_assert(sizeof(Header) == 24 && alignof(Header) == 4);
static_assert(offsetof(Header, size) == 4 && offsetof(Header, remote) == 8 &&
              offsetof(Header, local) == 12 && offsetof(Header, voucher) == 16 &&
              offsetof(Header, id) == 20);
static_assert(sizeof(Body) == 4);
static_assert(sizeof(PortDescriptor) == 12 && offsetof(PortDescriptor, disposition) == 10 &&
              offsetof(PortDescriptor, type) == 11);
static_assert(sizeof(MemoryDescriptor) == 16 && offsetof(MemoryDescriptor, deallocate) == 8 &&
              offsetof(MemoryDescriptor, copy) == 9 && offsetof(MemoryDescriptor, type) == 11 &&
              offsetof(MemoryDescriptor, size) == 12);
static_assert(sizeof(PortsDescriptor) == 16 && offsetof(PortsDescriptor, disposition) == 10 &&
              offsetof(PortsDescriptor, type) == 11 && offsetof(PortsDescriptor, count) == 12);
static_assert(sizeof(GuardedPortDescriptor) == 16 &&
              offsetof(GuardedPortDescriptor, disposition) == 10 &&
              offsetof(GuardedPortDescriptor, type) == 11 &&
              offsetof(GuardedPortDescriptor, name) == 12);
static_assert(sizeof(AuditTrailer) == 52 && offsetof(AuditTrailer, sender) == 20);
static_assert(sizeof(NameNotification) == 36 && offsetof(NameNotification, name) == 32);
static_assert(std::is_trivially_copyable_v<AuditTrailer>);

}  // namespace strait::darwin_mach
