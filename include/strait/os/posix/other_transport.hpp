#pragma once

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string>
#include <string_view>
#include <system_error>

#include "strait/base/channel_name.hpp"
#include "strait/os/descriptors.hpp"
#include "strait/os/posix/descriptor.hpp"
#include "strait/os/posix/error.hpp"
#include "strait/os/posix/name_directory.hpp"
#include "strait/os/posix/unix_socket.hpp"
#include "strait/result.hpp"

namespace strait::os {

/// What the server of a name is met at, by transport.
enum class MeetingPoint { fifo, socket, mach_socket };

/// Whether a server is at this address. It does not hear of the question: to a datagram the system
/// says that a socket which takes connections is of the wrong type.
inline bool has_server(const Result<SocketPath>& address) {
  if (!address) return false;
  const auto probe = socket_pair(SOCK_DGRAM);
  return probe && ::connect((*probe)[0].get(), address->get(), address->size) != 0 &&
         errno == EPROTOTYPE;
}

/// Whether a server holds the abstract address of a plain name. The system looks for those of the
/// asking socket's type alone, so this is read from its list of all.
inline bool has_abstract_server(std::string_view name) {
  const auto list = open("/proc/net/unix", O_RDONLY);
  if (!list) return false;
  const std::string line_end = " @strait." + std::string(name) + "\n";
  std::array<char, 16384> text;
  for (std::size_t kept = 0;;) {
    const ssize_t got =
        retry([&] { return ::read(list->get(), text.data() + kept, text.size() - kept); });
    if (got <= 0) return false;
    const std::string_view seen(text.data(), kept + static_cast<std::size_t>(got));
    if (seen.find(line_end) != seen.npos) return true;
    // The rest of what is looked for may come with the next piece.
    kept = seen.size() < line_end.size() ? seen.size() : line_end.size() - 1;
    std::memmove(text.data(), seen.data() + seen.size() - kept, kept);
  }
}

/// Whether a server reads the FIFO at this path. It reads nothing of the question.
inline bool has_reader(const char* path) {
  struct stat file;
  return ::lstat(path, &file) == 0 && S_ISFIFO(file.st_mode) &&
         open(path, O_WRONLY | O_NONBLOCK | O_NOFOLLOW).has_value();
}

/// Whether a server of this transport holds the name.
inline bool is_met_at(MeetingPoint point, std::string_view name) {
  switch (point) {
    case MeetingPoint::fifo: return has_reader(NamePlace::of(name).hello().c_str());
    case MeetingPoint::socket: return has_server(SocketPath::of(NamePlace::of(name).hello()));
    case MeetingPoint::mach_socket:
      return detail::is_path(name) ? has_server(SocketPath::of(name)) : has_abstract_server(name);
    default: return false;
  }
}

/// The error of a look at a name, where a server of the transport that asks, which has `own`, was
/// not found: it is `other_transport` if the name is held by a server of another one.
inline std::error_code or_other_transport(std::error_code error, std::string_view name,
                                          MeetingPoint own) {
  // ENOTDIR: the path of a name, which is a directory here, is a socket.
  if (error != Errc::not_found && error != std::errc::not_a_directory) return error;
  for (const auto point : {MeetingPoint::fifo, MeetingPoint::socket, MeetingPoint::mach_socket}) {
    if (point != own && is_met_at(point, name)) return Errc::other_transport;
  }
  return error;
}

}  // namespace strait::os
