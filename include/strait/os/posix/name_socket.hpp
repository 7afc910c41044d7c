#pragma once

#include <sys/socket.h>

#include <cerrno>
#include <string>
#include <string_view>
#include <utility>

#include "strait/os/descriptors.hpp"
#include "strait/os/posix/descriptor.hpp"
#include "strait/os/posix/error.hpp"
#include "strait/os/posix/name_directory.hpp"
#include "strait/os/posix/other_transport.hpp"
#include "strait/os/posix/unix_socket.hpp"
#include "strait/result.hpp"

namespace strait::os {

/// The address of the socket in the directory of a name.
inline Result<SocketPath> path_in(const NamePlace& place, int directory) {
  auto path = SocketPath::of(place.hello());
  if (path) return path;
  // An address has room for some hundred bytes only: a deep place is reached by its descriptor.
  return SocketPath::of("/dev/fd/" + std::to_string(directory) + "/" + NamePlace::hello_name);
}

/// A socket that is connected to the server of a name, whichever that is.
///
/// Errors: `not_found`, `other_transport`, `no_runtime_directory`; `would_block` when the server
/// has too many waiting; the system's.
inline Result<Descriptor> connect_to_name(std::string_view name) {
  const auto place = NamePlace::of(name);
  // The socket tells whose it is, and another user's directory can't be opened.
  auto path = SocketPath::of(place.hello());
  Descriptor directory;
  if (!path) {
    auto opened = find_name_directory(place);
    if (!opened) return opened.error();
    directory = std::move(*opened);
    path = path_in(place, directory.get());
  }
  if (!path) return path.error();
  auto socket = stream_socket();
  if (!socket) return socket.error();
  if (retry([&] { return ::connect(socket->get(), path->get(), path->size); }) != 0) {
    if (errno == EAGAIN) return Errc::would_block;
    const auto error = last_error();
    if (!place.has_root()) return Errc::no_runtime_directory;
    return or_other_transport(or_not_found(error), name, MeetingPoint::socket);
  }
  return socket;
}

}  // namespace strait::os
