#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <system_error>

#include "strait/os/windows/api.hpp"
#include "strait/result.hpp"

namespace strait::windows {

/// UTF-8 as the system wants it.
///
/// Errors: `std::errc::invalid_argument` if it is no UTF-8, or has a null character.
inline Result<std::wstring> wide(std::string_view text) {
  const auto invalid = std::make_error_code(std::errc::invalid_argument);
  if (text.empty()) return std::wstring();
  if (text.find('\0') != text.npos) return invalid;
  const auto convert = [&](wchar_t* out, int room) {
    return ::MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text.data(),
                                 static_cast<int>(text.size()), out, room);
  };
  const int size = convert(nullptr, 0);
  if (size <= 0) return invalid;
  std::wstring out(static_cast<std::size_t>(size), L'\0');
  convert(out.data(), size);
  return out;
}

}  // namespace strait::windows
