#pragma once

#include "strait/os/windows/api.hpp"
//
#include <bcrypt.h>

#include <cstddef>
#include <span>

#include "strait/os/windows/error.hpp"
#include "strait/result.hpp"

namespace strait::windows {

/// Fills from the system's random source.
inline Result<void> fill_random(std::span<std::byte> out) {
  const NTSTATUS status =
      ::BCryptGenRandom(nullptr, reinterpret_cast<unsigned char*>(out.data()),
                        static_cast<ULONG>(out.size()), BCRYPT_USE_SYSTEM_PREFERRED_RNG);
  return status >= 0 ? Result<void>() : system_error(ERROR_GEN_FAILURE);
}

}  // namespace strait::windows
