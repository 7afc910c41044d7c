#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "strait/base/hex.hpp"
#include "strait/os/windows/descriptor.hpp"
#include "strait/os/windows/random.hpp"
#include "strait/os/windows/security.hpp"
#include "strait/os/windows/user.hpp"
#include "strait/peer.hpp"
#include "strait/result.hpp"

namespace strait::windows {

/// How much a pipe holds each way.
inline constexpr DWORD pipe_bytes = 256 << 10;

/// What others than the user may do with a pipe that is for all: use it, and not serve its name.
inline constexpr DWORD pipe_client_access =
    FILE_GENERIC_READ | (FILE_GENERIC_WRITE & ~static_cast<DWORD>(FILE_CREATE_PIPE_INSTANCE));

/// The server's end of a pipe that one client on this machine can connect to. The first one that is
/// made with a name says for all whose they are.
///
/// Errors: the system's.
inline Result<Descriptor> make_pipe_instance(const std::wstring& name, const Protection& protection,
                                             bool inherited = false) {
  const DWORD overlapped = FILE_FLAG_OVERLAPPED;
  Descriptor pipe(protection.use([&](SECURITY_ATTRIBUTES* attributes) {
    attributes->bInheritHandle = inherited ? TRUE : FALSE;
    return ::CreateNamedPipeW(
        name.c_str(), PIPE_ACCESS_DUPLEX | overlapped,
        PIPE_TYPE_BYTE | PIPE_READMODE_BYTE | PIPE_WAIT | PIPE_REJECT_REMOTE_CLIENTS,
        PIPE_UNLIMITED_INSTANCES, pipe_bytes, pipe_bytes, 0, attributes);
  }));
  if (!pipe) return last_error();
  return pipe;
}

/// The client's end. It lets the server ask for this process's user, and no more.
///
/// Errors: `not_found`; `would_block` while the server has no end to spare; the system's.
inline Result<Descriptor> connect_pipe(const std::wstring& name) {
  Descriptor pipe(::CreateFileW(
      name.c_str(), GENERIC_READ | GENERIC_WRITE, 0, nullptr, OPEN_EXISTING,
      FILE_FLAG_OVERLAPPED | SECURITY_SQOS_PRESENT | SECURITY_IDENTIFICATION, nullptr));
  if (pipe) return pipe;
  const DWORD failed = ::GetLastError();
  if (failed == ERROR_FILE_NOT_FOUND) return Errc::not_found;
  if (failed == ERROR_PIPE_BUSY) return Errc::would_block;
  return system_error(failed);
}

/// Both ends of a pipe that no other process can connect to.
///
/// Errors: the system's.
inline Result<std::array<Descriptor, 2>> pipe_pair() {
  std::array<std::byte, 16> random;
  if (auto filled = fill_random(random); !filled) return filled.error();
  std::array<char, 2 * random.size()> digits;
  strait::detail::write_hex(random, digits.data());
  const std::wstring name =
      L"\\\\.\\pipe\\strait-pair-" + std::wstring(digits.begin(), digits.end());
  auto protection = Protection::create();
  if (!protection) return protection.error();
  auto server = make_pipe_instance(name, *protection);
  if (!server) return server.error();
  auto client = connect_pipe(name);
  if (!client) return client.error();
  return std::array{std::move(*server), std::move(*client)};
}

/// Whether the other end is open, in whatever process.
inline bool is_whole(HANDLE pipe) {
  return ::PeekNamedPipe(pipe, nullptr, 0, nullptr, nullptr, nullptr) != 0;
}

/// The user of a pipe's client, from which something was read: that of the thread that wrote,
/// whatever it does or is later.
///
/// Errors: the system's.
inline Result<PeerCredentials> client_credentials(HANDLE pipe) {
  if (!::ImpersonateNamedPipeClient(pipe)) return last_error();
  HANDLE opened = nullptr;
  const bool has_token = ::OpenThreadToken(::GetCurrentThread(), TOKEN_QUERY, TRUE, &opened) != 0;
  const auto error = last_error();
  // Nothing else may run as somebody else.
  if (!::RevertToSelf()) std::abort();
  if (!has_token) return error;
  const Descriptor token(opened);
  const UserId user = user_of_token(token.get());
  if (!user) return last_error();
  ULONG process = 0;
  ::GetNamedPipeClientProcessId(pipe, &process);
  return PeerCredentials{user, 0, static_cast<std::int32_t>(process)};
}

/// Whose a pipe is that a client has connected to.
///
/// Errors: the system's.
inline Result<PeerCredentials> server_credentials(HANDLE pipe) {
  const auto owner = owner_of(pipe);
  if (!owner) return owner.error();
  ULONG process = 0;
  ::GetNamedPipeServerProcessId(pipe, &process);
  return PeerCredentials{*owner, 0, static_cast<std::int32_t>(process)};
}

}  // namespace strait::windows
