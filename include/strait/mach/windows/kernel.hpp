#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string_view>
#include <utility>

#include "strait/mach/kernel.hpp"
#include "strait/mach/windows/lane.hpp"
#include "strait/mach/windows/rendezvous.hpp"
#include "strait/os/native_handle.hpp"
#include "strait/os/windows/peer_process.hpp"

namespace strait {

/// Mach's ports in user space: names are named pipes, a port is a ring in a section. There are no
/// regions: a section has no seals, so nothing would keep the sender from changing what the
/// receiver reads. Handles travel with messages, but not the ports themselves.
struct WindowsKernel {
  /// Why there are no regions, for `BasicMachTransport` to say.
  static constexpr bool seals_memory = false;

  using ServicePort = windows_mach::ServicePort;
  using ServiceRight = windows_mach::ServiceRight;
  using Request = windows_mach::Request;
  using ReceiveRight = windows_mach::ReceiveRight;
  using SendRight = windows_mach::SendRight;
  using Greeting = windows_mach::Greeting;

  static Result<ServicePort> check_in(std::string_view name, detail::AcceptLimits limits) {
    return ServicePort::check_in(name, limits);
  }
  static Result<ServiceRight> look_up(std::string_view name) { return ServiceRight::look_up(name); }
  static Result<std::array<os::Descriptor, 2>> connected_pair() { return os::pipe_pair(); }
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
    return windows_mach::welcome(std::move(request), queue_bytes, body);
  }
  static bool carries(NativeHandle handle) { return os::can_travel(handle); }
  static void refuse(Request&& request, std::span<const std::byte> body) {
    windows_mach::refuse(std::move(request), body);
  }
};

}  // namespace strait
