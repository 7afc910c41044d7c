#pragma once

#include <cstddef>

#include "strait/fwd.hpp"
#include "strait/mach/kernel.hpp"
#include "strait/mach/loan_pool.hpp"
#include "strait/mach/region_cache.hpp"

namespace strait::detail {

/// How a send policy's large messages travel over a kernel, on the sending side; not at all, if
/// there is no such way.
template <class KernelT, class How>
struct OolMethod {
  static constexpr bool exists = false;
  static constexpr bool lends = false;
};

template <MachKernelWithRegions KernelT>
struct OolMethod<KernelT, CopyOnWrite> : RegionSender<KernelT> {
  static constexpr bool exists = true;
  static constexpr bool lends = false;
};

template <MachKernelWithDescriptors KernelT, std::size_t max_bytes>
struct OolMethod<KernelT, LoanUpTo<max_bytes>> : LoanSender<KernelT, max_bytes> {
  static constexpr bool exists = true;
  static constexpr bool lends = true;
};

/// How much memory a policy lends; 0 if it lends none.
template <class How>
inline constexpr std::size_t loan_bytes_of = 0;
template <std::size_t max_bytes>
inline constexpr std::size_t loan_bytes_of<LoanUpTo<max_bytes>> = max_bytes;

/// The receiving side: regions are taken whatever this side's policy is, loans only if it lends,
/// too.
template <class KernelT, class How>
struct LoanReceiverOf {};
template <MachKernelWithDescriptors KernelT, std::size_t max_bytes>
struct LoanReceiverOf<KernelT, LoanUpTo<max_bytes>> : LoanReceiver<KernelT, max_bytes> {};

template <class KernelT>
struct RegionReceiverOf {};
template <MachKernelWithRegions KernelT>
struct RegionReceiverOf<KernelT> : RegionReceiver<KernelT> {};

}  // namespace strait::detail
