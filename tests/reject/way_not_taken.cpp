// The other half of a proof: a channel of small types compiles over a kernel that can't make
// regions (tests/unit/mach_transport_test.cpp), and one with a large type does not.
// expect: strait: a region was made of a message.

#include <strait/serializer.hpp>
#include <strait/transports/mach.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <type_traits>

/// A serializer whose messages have one size, known from the type, and no bytes to point at.
struct Serializer {
  static constexpr std::uint64_t schema_hash = 0;
  static std::uint16_t tag(int) { return 0; }
  static std::integral_constant<std::size_t, 200> size(int) { return {}; }
  static void write(int, std::byte*) {}
};

template <class T>
constexpr bool never = false;

struct Kernel : strait::LinuxKernel {
  struct Region : strait::linux_mach::Region {
    static strait::Result<Region> copy_of(std::span<const std::byte>);
    static strait::Result<Region> create(std::size_t);
    strait::Result<Region> duplicate() const;
    template <class Size, class Fill>
    static strait::Result<Region> filled_by(Size, Fill&&) {
      static_assert(never<Fill>, "strait: a region was made of a message.");
      return strait::Errc::unsupported;
    }
  };
  struct ReceiveRight : strait::LinuxKernel::ReceiveRight {
    strait::Result<Region> take_region(std::size_t);
  };
  struct LinkPorts {
    ReceiveRight in;
    SendRight out;
  };
  struct Answer {
    strait::detail::HandshakeBytes body;
    std::optional<LinkPorts> ports;
  };
  struct Greeting : strait::LinuxKernel::Greeting {
    strait::Result<Answer> answer();
  };
  static strait::Result<Greeting> greet(ServiceRight&&, std::size_t, std::span<const std::byte>);
  static strait::Result<LinkPorts> welcome(Request&&, std::size_t, std::span<const std::byte>);
};

#if !defined(STRAIT_REJECT)
using Transport = strait::BasicMachTransport<Kernel, strait::OolThreshold<1024>>;
#else
using Transport = strait::BasicMachTransport<Kernel, strait::OolThreshold<128>>;
#endif

strait::Result<void> send(Transport& transport, strait::detail::FrameQueue& queue) {
  return transport.send(strait::detail::Payload<Serializer, int>(7), queue);
}
