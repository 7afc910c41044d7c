#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "strait/base/chrono.hpp"
#include "strait/base/deadline.hpp"
#include "strait/base/min_max.hpp"
#include "strait/os/windows/descriptor.hpp"
#include "strait/os/windows/event_wait.hpp"
#include "strait/result.hpp"

namespace strait::windows {

/// A way from a parent, which has the first end, to its child's standard input.
///
/// Errors: the system's.
inline Result<std::array<Descriptor, 2>> stream_pair() {
  HANDLE out = nullptr;
  HANDLE in = nullptr;
  if (!::CreatePipe(&out, &in, nullptr, 0)) return last_error();
  return std::array{Descriptor(in), Descriptor(out)};
}

/// Does with a pipe what `begin(overlapped)` begins, whether its handle is for overlapped calls or
/// for others, which do not mind. Errors: the system's.
template <class Begin>
Result<void> do_at_once(HANDLE pipe, Begin&& begin) {
  auto event = make_event();
  if (!event) return event.error();
  OVERLAPPED overlapped{};
  overlapped.hEvent = event->get();
  if (!begin(&overlapped) && ::GetLastError() != ERROR_IO_PENDING) return last_error();
  DWORD size = 0;
  if (!::GetOverlappedResult(pipe, &overlapped, &size, TRUE)) return last_error();
  return {};
}

/// Sends so little that there is room for it. Errors: the system's.
inline Result<void> send_packet(HANDLE to, std::span<const std::byte> bytes) {
  return do_at_once(to, [&](OVERLAPPED* overlapped) {
    return ::WriteFile(to, bytes.data(), static_cast<DWORD>(bytes.size()), nullptr, overlapped);
  });
}

/// What this process inherited as its standard input, which then is empty.
///
/// Errors: `not_found` if that is no pipe.
inline Result<Descriptor> take_standard_input() {
  const HANDLE standard = ::GetStdHandle(STD_INPUT_HANDLE);
  if (standard == nullptr || standard == INVALID_HANDLE_VALUE ||
      ::GetFileType(standard) != FILE_TYPE_PIPE) {
    return Errc::not_found;
  }
  Descriptor nothing(::CreateFileW(L"NUL", GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE,
                                   nullptr, OPEN_EXISTING, 0, nullptr));
  if (!nothing) return last_error();
  if (!::SetStdHandle(STD_INPUT_HANDLE, nothing.get())) return last_error();
  static_cast<void>(nothing.release());  // the process's
  return Descriptor(standard);
}

/// Reads a line, without its end, and leaves alone what stands behind it.
///
/// Errors: `malformed`; `peer_closed`; `handshake_timeout`.
inline Result<std::string> read_line(const Descriptor& input, std::size_t max_bytes,
                                     strait::detail::Deadline deadline) {
  std::string line(max_bytes, char());
  for (;;) {
    DWORD seen = 0;
    if (!::PeekNamedPipe(input.get(), line.data(), static_cast<DWORD>(line.size()), &seen, nullptr,
                         nullptr)) {
      return ::GetLastError() == ERROR_BROKEN_PIPE ? make_error_code(Errc::peer_closed)
                                                   : last_error();
    }
    const std::size_t end = std::string_view(line).substr(0, seen).find('\n');
    if (end != std::string_view::npos) {
      const auto taken = do_at_once(input.get(), [&](OVERLAPPED* overlapped) {
        return ::ReadFile(input.get(), line.data(), static_cast<DWORD>(end + 1), nullptr,
                          overlapped);
      });
      if (!taken) return taken.error();
      return line.substr(0, end);
    }
    if (seen == line.size()) return Errc::malformed;
    if (deadline.passed()) return Errc::handshake_timeout;
    // Such a pipe can't be waited for. A parent has written the line before it starts its child.
    constexpr std::chrono::milliseconds pause{5};
    const auto until = strait::detail::Deadline::after(pause);
    auto slept = wait_for({}, strait::detail::Deadline::earlier(deadline, until));
    if (!slept) return slept.error();
  }
}

}  // namespace strait::windows
