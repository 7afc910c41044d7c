#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string_view>
#include <utility>

#include "strait/mach/kernel.hpp"
#include "strait/mach/linux/lane.hpp"
#include "strait/mach/linux/link_ports.hpp"
#include "strait/mach/linux/packed_endpoint.hpp"
#include "strait/mach/linux/region.hpp"
#include "strait/mach/linux/rendezvous.hpp"
#include "strait/mach/linux/service_port.hpp"

namespace strait {

/// Mach's ports in user space: names are listening sockets, a send right is one end of a lane.
struct LinuxKernel {
  using ServicePort = linux_mach::ServicePort;
  using ServiceRight = linux_mach::ServiceRight;
  using Request = linux_mach::Request;
  using ReceiveRight = linux_mach::ReceiveRight;
  using SendRight = linux_mach::SendRight;
  using Greeting = linux_mach::Greeting;
  using Region = linux_mach::Region;

  static Result<ServicePort> check_in(std::string_view name, detail::AcceptLimits limits) {
    return ServicePort::check_in(name, limits);
  }
  static Result<ServicePort> check_in(ActivatedSocket socket, detail::AcceptLimits limits) {
    return ServicePort::check_in(std::move(socket), limits);
  }
  static Result<ServiceRight> look_up(std::string_view name) { return ServiceRight::look_up(name); }
  static Result<std::array<os::Descriptor, 2>> connected_pair() {
    return os::socket_pair(SOCK_SEQPACKET);
  }
  static Result<ServicePort> check_in(os::Descriptor client, const PeerCredentials& credentials,
                                      detail::AcceptLimits limits) {
    return ServicePort::check_in(std::move(client), credentials, limits);
  }
  static Result<ServiceRight> look_up(os::Descriptor server) {
    return ServiceRight::look_up(std::move(server));
  }
  static auto greet(ServiceRight&& server, std::size_t queue_bytes,
                    std::span<const std::byte> body) {
    return Greeting::send(std::move(server), queue_bytes, body);
  }
  static auto welcome(Request&& request, std::size_t queue_bytes, std::span<const std::byte> body) {
    return linux_mach::welcome(std::move(request), queue_bytes, body);
  }
  static void refuse(Request&& request, std::span<const std::byte> body) {
    linux_mach::refuse(std::move(request), body);
  }
  static auto pair(std::size_t queue_bytes) { return linux_mach::link_pair(queue_bytes); }
  static Result<os::Descriptor> pack(ReceiveRight& in, const SendRight& out,
                                     const os::Descriptor& begun, const detail::RightList& rights) {
    return linux_mach::pack(in, out, begun, rights);
  }
  static Result<linux_mach::Ports> unpack(const os::Descriptor& packed, std::size_t inline_bytes) {
    return linux_mach::unpack(packed, inline_bytes);
  }
};

}  // namespace strait
