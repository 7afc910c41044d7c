#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <system_error>

#include "strait/base/hex.hpp"
#include "strait/os/windows/descriptor.hpp"
#include "strait/os/windows/error.hpp"
#include "strait/os/windows/output.hpp"
#include "strait/os/windows/random.hpp"
#include "strait/os/windows/security.hpp"
#include "strait/os/windows/text.hpp"
#include "strait/os/windows/user.hpp"
#include "strait/result.hpp"

namespace strait::windows {

/// Whether a file is this user's, and its list lets in this user alone, and those whom nothing is
/// kept from: the system and its administrators.
///
/// Errors: the system's.
inline Result<bool> is_private(HANDLE file) {
  PSID owner = nullptr;
  PACL list = nullptr;
  PSECURITY_DESCRIPTOR descriptor = nullptr;
  const DWORD failed = ::GetSecurityInfo(file, SE_FILE_OBJECT,
                                         OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION,
                                         &owner, nullptr, &list, nullptr, &descriptor);
  if (failed != ERROR_SUCCESS) return system_error(failed);
  const LocalMemory owned(descriptor);
  // Without a list everyone is let in.
  if (!is_effective_user(user_of_sid(owner)) || list == nullptr) return false;
  for (DWORD i = 0; i != list->AceCount; ++i) {
    void* at = nullptr;
    if (!::GetAce(list, i, &at)) return last_error();
    const auto& header = *static_cast<const ACE_HEADER*>(at);
    if (header.AceType == ACCESS_DENIED_ACE_TYPE) continue;
    if (header.AceType != ACCESS_ALLOWED_ACE_TYPE) return false;
    auto& entry = *static_cast<ACCESS_ALLOWED_ACE*>(at);
    const PSID sid = &entry.SidStart;
    const bool trusted = is_effective_user(user_of_sid(sid)) ||
                         ::IsWellKnownSid(sid, WinLocalSystemSid) ||
                         ::IsWellKnownSid(sid, WinBuiltinAdministratorsSid);
    if (!trusted && entry.Mask != 0) return false;
  }
  return true;
}

/// Reads a file that holds just so much text and a newline, and that this user alone may open.
///
/// Errors: `unsafe_token_file` if it is another user's, or others may open it, or it is no plain
/// file but a link, say; `garbled_token_file` if it holds another amount of text; the system's.
inline Result<void> read_secret(const char* path, char* text, std::size_t size) {
  const auto wide_path = wide(path);
  if (!wide_path) return wide_path.error();
  // A directory or a link is opened itself, to be told from a file.
  const Descriptor file(::CreateFileW(
      wide_path->c_str(), GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
      nullptr, OPEN_EXISTING, FILE_FLAG_OPEN_REPARSE_POINT | FILE_FLAG_BACKUP_SEMANTICS, nullptr));
  if (!file) return last_error();
  BY_HANDLE_FILE_INFORMATION status;
  if (::GetFileType(file.get()) != FILE_TYPE_DISK) return Errc::unsafe_token_file;
  if (!::GetFileInformationByHandle(file.get(), &status)) return last_error();
  constexpr DWORD not_plain = FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_REPARSE_POINT;
  if ((status.dwFileAttributes & not_plain) != 0) return Errc::unsafe_token_file;
  const auto kept = is_private(file.get());
  if (!kept) return kept.error();
  if (!*kept) return Errc::unsafe_token_file;
  if (status.nFileSizeHigh != 0 || status.nFileSizeLow != size + 1) {
    return Errc::garbled_token_file;
  }
  const auto got = read_up_to(file.get(), std::as_writable_bytes(std::span(text, size)));
  if (!got) return got.error();
  // It was cut meanwhile.
  return *got == size ? Result<void>() : Errc::garbled_token_file;
}

/// Makes such a file, whole or not at all, if there is none.
///
/// Errors: `std::errc::file_exists`; the system's.
inline Result<void> create_secret(const std::string& path, std::string_view text) {
  std::array<std::byte, 8> random;
  if (auto filled = fill_random(random); !filled) return filled;
  std::string hidden = path + "." + std::string(2 * random.size(), '0');
  strait::detail::write_hex(random, hidden.data() + path.size() + 1);
  const auto wide_path = wide(path);
  if (!wide_path) return wide_path.error();
  const auto wide_hidden = wide(hidden);
  if (!wide_hidden) return wide_hidden.error();

  auto file = make_file(*wide_hidden);
  if (!file) return file.error();
  auto made = write_once(file->get(), std::string(text) + '\n');
  if (made && !::FlushFileBuffers(file->get())) made = last_error();
  file->reset();
  // It does not replace what another process has made meanwhile.
  if (made && !::MoveFileExW(wide_hidden->c_str(), wide_path->c_str(), MOVEFILE_WRITE_THROUGH)) {
    const DWORD failed = ::GetLastError();
    const bool exists = failed == ERROR_ALREADY_EXISTS || failed == ERROR_FILE_EXISTS;
    made = exists ? std::make_error_code(std::errc::file_exists) : system_error(failed);
  }
  if (!made) ::DeleteFileW(wide_hidden->c_str());
  return made;
}

}  // namespace strait::windows
