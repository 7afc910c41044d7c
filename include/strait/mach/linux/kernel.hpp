#pragma once

#include <array>
#include <cstddef>
#include <string_view>
#include <utility>

#include "strait/mach/kernel.hpp"
#include "strait/mach/linux/lane.hpp"
#include "strait/mach/linux/name.hpp"
#include "strait/mach/linux/parcel.hpp"
#include "strait/mach/linux/region.hpp"

namespace strait {

/// Mach's ports in user space: names are listening sockets, a send right is one end of a lane.
struct LinuxKernel {
  using NamePort = linux_mach::NamePort;
  using NameRight = linux_mach::NameRight;
  using Request = linux_mach::Request;
  using ReceiveRight = linux_mach::ReceiveRight;
  using SendRight = linux_mach::SendRight;
  using TravellingRight = linux_mach::LaneEnd;
  using Region = linux_mach::Region;

  static Result<NamePort> check_in(std::string_view name, detail::AcceptLimits limits) {
    return NamePort::check_in(name, limits);
  }
  static Result<NameRight> look_up(std::string_view name) { return NameRight::look_up(name); }
  static Result<std::array<posix::Descriptor, 2>> connected_pair() {
    return posix::socket_pair(SOCK_SEQPACKET);
  }
  static Result<NamePort> check_in(posix::Descriptor client, const PeerCredentials& who,
                                   detail::AcceptLimits limits) {
    return NamePort::check_in(std::move(client), who, limits);
  }
  static Result<NameRight> look_up(posix::Descriptor server) {
    return NameRight::look_up(std::move(server));
  }
  static Result<ReceiveRight> allocate(std::size_t queue_bytes) {
    return ReceiveRight::create(queue_bytes);
  }
  static Result<posix::Descriptor> pack(ReceiveRight& in, const SendRight& out,
                                        const posix::Descriptor& begun,
                                        const detail::RightList& rights) {
    return linux_mach::pack(in, out, begun, rights);
  }
  static Result<linux_mach::Ports> unpack(const posix::Descriptor& parcel,
                                          std::size_t inline_bytes) {
    return linux_mach::unpack(parcel, inline_bytes);
  }
  static Result<PeerCredentials> maker(const ReceiveRight& in, const SendRight& out) {
    return linux_mach::maker(in, out);
  }
  /// Nothing tells whom a record is from, and nobody can hand a lane on unseen but who has it.
  static Result<ReceiveRight> allocate_for(const Request&, std::size_t queue_bytes) {
    return allocate(queue_bytes);
  }
};

}  // namespace strait
