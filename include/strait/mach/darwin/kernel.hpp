#pragma once

#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <span>
#include <string_view>
#include <utility>

#include "strait/handshake/half_open.hpp"
#include "strait/mach/darwin/receive_right.hpp"
#include "strait/mach/darwin/region.hpp"
#include "strait/mach/darwin/send_right.hpp"
#include "strait/mach/darwin/service_port.hpp"
#include "strait/mach/kernel.hpp"
#include "strait/mach/reply_port.hpp"
#include "strait/os/descriptors.hpp"
#include "strait/os/posix/descriptor.hpp"
#include "strait/peer.hpp"

namespace strait {

/// What stands before every channel's name where `launchd` lists them. A sandboxed application
/// chooses its own, which has to begin with one of its groups: a type with such a `prefix`, as the
/// second argument of `BasicDarwinKernel`.
struct DefaultServicePrefix {
  static constexpr std::string_view prefix = "strait.";
};

/// Mach's own ports, through the calls that `Traps` makes: those of macOS (`DarwinKernel`), or of a
/// kernel that tests play. None of it survives `fork`: no right does.
template <class Traps, class ServicePrefix = DefaultServicePrefix>
struct BasicDarwinKernel {
  using ServicePort = darwin_mach::ServicePort<Traps>;
  using ServiceRight = darwin_mach::ServiceRight<Traps>;
  using Request = darwin_mach::Request<Traps>;
  using ReceiveRight = darwin_mach::ReceiveRight<Traps>;
  using SendRight = darwin_mach::SendRight<Traps>;
  using Greeting = typename detail::ReplyPort<BasicDarwinKernel>::Greeting;
  using Region = darwin_mach::Region<Traps>;

  static Result<ServicePort> check_in(std::string_view name, detail::AcceptLimits) {
    const auto service = darwin_mach::ServiceName::of(ServicePrefix::prefix, name);
    if (!service) return service.error();
    return ServicePort::check_in(*service);
  }
  static Result<ServiceRight> look_up(std::string_view name) {
    const auto service = darwin_mach::ServiceName::of(ServicePrefix::prefix, name);
    if (!service) return service.error();
    return ServiceRight::look_up(*service);
  }
  static auto greet(ServiceRight&& server, std::size_t queue_bytes,
                    std::span<const std::byte> body) {
    return Greeting::send(std::move(server), queue_bytes, body);
  }
  static auto welcome(Request&& request, std::size_t queue_bytes, std::span<const std::byte> body) {
    return detail::ReplyPort<BasicDarwinKernel>::welcome(std::move(request), queue_bytes, body);
  }
  static void refuse(Request&& request, std::span<const std::byte> body) {
    detail::ReplyPort<BasicDarwinKernel>::refuse(std::move(request), body);
  }
  static Result<ReceiveRight> allocate(std::size_t queue_bytes) {
    return ReceiveRight::create(queue_bytes);
  }
  static Result<ReceiveRight> allocate_for(const Request& request, std::size_t queue_bytes) {
    return ReceiveRight::create_for(request.sender, queue_bytes);
  }
  static Result<std::array<os::Descriptor, 2>> connected_pair() {
    return os::socket_pair(SOCK_STREAM);
  }
  /// Only the process that the credentials name is believed to be the client.
  static Result<ServicePort> check_in(os::Descriptor client, const PeerCredentials& credentials,
                                      detail::AcceptLimits) {
    const auto name = darwin_mach::PrivateName::generate();
    if (!name) return name.error();
    return ServicePort::check_in(*name, ServicePrefix::prefix, std::move(client), credentials);
  }
  static Result<ServiceRight> look_up(os::Descriptor&& server) {
    return ServiceRight::look_up(ServicePrefix::prefix, std::move(server));
  }
  static bool carries(int descriptor) { return SendRight::carries(descriptor); }
};

}  // namespace strait
