#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "strait/base/min_max.hpp"
#include "strait/os/windows/descriptor.hpp"
#include "strait/os/windows/error.hpp"
#include "strait/os/windows/security.hpp"
#include "strait/os/windows/text.hpp"
#include "strait/result.hpp"

namespace strait::windows {

inline HANDLE standard_error() { return ::GetStdHandle(STD_ERROR_HANDLE); }

/// Writes a text by one system call, so that those of several threads and processes do not mix.
///
/// Errors: the system's; `ERROR_DISK_FULL` if only a part was written.
inline Result<void> write_once(HANDLE file, std::string_view text) {
  DWORD put = 0;
  if (!::WriteFile(file, text.data(), static_cast<DWORD>(text.size()), &put, nullptr)) {
    return last_error();
  }
  return put == text.size() ? Result<void>() : system_error(ERROR_DISK_FULL);
}

/// Writes two pieces, one behind the other, however many system calls it takes.
inline Result<void> write_all(HANDLE file, std::span<const std::byte> first,
                              std::span<const std::byte> second) {
  constexpr std::size_t most = std::size_t{1} << 30;
  for (auto piece : {first, second}) {
    while (!piece.empty()) {
      const auto size = static_cast<DWORD>((strait::detail::min)(piece.size(), most));
      DWORD put = 0;
      if (!::WriteFile(file, piece.data(), size, &put, nullptr)) return last_error();
      if (put == 0) return system_error(ERROR_DISK_FULL);
      piece = piece.subspan(put);
    }
  }
  return {};
}

/// Makes a new file that this user alone may open, and follows no link.
///
/// Errors: the system's; `std::errc::file_exists`.
inline Result<Descriptor> make_file(const std::wstring& path) {
  const auto protection = Protection::create();
  if (!protection) return protection.error();
  Descriptor file(protection->use([&](SECURITY_ATTRIBUTES* attributes) {
    return ::CreateFileW(path.c_str(), GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_DELETE,
                         attributes, CREATE_NEW,
                         FILE_ATTRIBUTE_NORMAL | FILE_FLAG_OPEN_REPARSE_POINT, nullptr);
  }));
  if (file) return file;
  const DWORD failed = ::GetLastError();
  const bool exists = failed == ERROR_FILE_EXISTS || failed == ERROR_ALREADY_EXISTS;
  return exists ? std::make_error_code(std::errc::file_exists) : system_error(failed);
}

/// The same in the place of a file that may be there.
///
/// Errors: the system's; `std::errc::file_exists` if that can't be removed.
inline Result<Descriptor> replace_file(const std::string& path) {
  const auto wide_path = wide(path);
  if (!wide_path) return wide_path.error();
  ::DeleteFileW(wide_path->c_str());
  return make_file(*wide_path);
}

/// Errors: the system's.
inline Result<Descriptor> open_to_read(const std::string& path) {
  const auto wide_path = wide(path);
  if (!wide_path) return wide_path.error();
  Descriptor file(::CreateFileW(wide_path->c_str(), GENERIC_READ,
                                FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, nullptr,
                                OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, nullptr));
  if (!file) return last_error();
  return file;
}

/// Cuts a file. Errors: the system's.
inline Result<void> cut_file(HANDLE file, std::uint64_t bytes) {
  LARGE_INTEGER end;
  end.QuadPart = static_cast<LONGLONG>(bytes);
  const bool cut = ::SetFilePointerEx(file, end, nullptr, FILE_BEGIN) && ::SetEndOfFile(file);
  return cut ? Result<void>() : last_error();
}

/// Reads up to so many bytes: fewer at the end of the file only.
///
/// Errors: the system's.
inline Result<std::size_t> read_up_to(HANDLE file, std::span<std::byte> out) {
  constexpr std::size_t most = std::size_t{1} << 30;
  std::size_t done = 0;
  while (done != out.size()) {
    const auto size = static_cast<DWORD>((strait::detail::min)(out.size() - done, most));
    DWORD got = 0;
    if (!::ReadFile(file, out.data() + done, size, &got, nullptr)) {
      if (::GetLastError() == ERROR_BROKEN_PIPE) break;
      return last_error();
    }
    if (got == 0) break;
    done += got;
  }
  return done;
}

}  // namespace strait::windows
