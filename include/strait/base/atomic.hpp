#pragma once

namespace strait::detail {

/// As `std::memory_order`.
enum class MemoryOrder : int {
  relaxed = __ATOMIC_RELAXED,
  acquire = __ATOMIC_ACQUIRE,
  release = __ATOMIC_RELEASE,
  acq_rel = __ATOMIC_ACQ_REL,
  seq_cst = __ATOMIC_SEQ_CST
};

/// What the library uses of `std::atomic`, without <atomic>, which brings waiting, mutexes and
/// strings, and was a tenth of what a transport costs to compile.
template <class T>
class Atomic {
 public:
  static constexpr bool is_always_lock_free = __atomic_always_lock_free(sizeof(T), nullptr);
  static_assert(is_always_lock_free, "strait: memory that processes share can hold no lock.");

  constexpr Atomic() = default;
  constexpr Atomic(T value) : value_(value) {}
  Atomic(const Atomic&) = delete;
  Atomic& operator=(const Atomic&) = delete;

  [[gnu::always_inline]] T load(MemoryOrder order = MemoryOrder::seq_cst) const noexcept {
    return __atomic_load_n(&value_, static_cast<int>(order));
  }
  [[gnu::always_inline]] void store(T value, MemoryOrder order = MemoryOrder::seq_cst) noexcept {
    __atomic_store_n(&value_, value, static_cast<int>(order));
  }
  [[gnu::always_inline]] T exchange(T value, MemoryOrder order = MemoryOrder::seq_cst) noexcept {
    return __atomic_exchange_n(&value_, value, static_cast<int>(order));
  }
  /// With an order that a load can have when it fails, as the standard's with one order.
  [[gnu::always_inline]] bool compare_exchange_strong(
      T& expected, T desired, MemoryOrder order = MemoryOrder::seq_cst) noexcept {
    const MemoryOrder failed = order == MemoryOrder::acq_rel   ? MemoryOrder::acquire
                               : order == MemoryOrder::release ? MemoryOrder::relaxed
                                                               : order;
    return __atomic_compare_exchange_n(&value_, &expected, desired, false, static_cast<int>(order),
                                       static_cast<int>(failed));
  }
  [[gnu::always_inline]] T fetch_add(T by, MemoryOrder order = MemoryOrder::seq_cst) noexcept {
    return __atomic_fetch_add(&value_, by, static_cast<int>(order));
  }
  [[gnu::always_inline]] T fetch_sub(T by, MemoryOrder order = MemoryOrder::seq_cst) noexcept {
    return __atomic_fetch_sub(&value_, by, static_cast<int>(order));
  }
  [[gnu::always_inline]] T fetch_or(T bits, MemoryOrder order = MemoryOrder::seq_cst) noexcept {
    return __atomic_fetch_or(&value_, bits, static_cast<int>(order));
  }

  operator T() const noexcept { return load(); }
  T operator=(T value) noexcept {
    store(value);
    return value;
  }

 private:
  // As the standard's: an eight-byte word is aligned to four on 32-bit x86.
  alignas(sizeof(T)) T value_{};
};

}  // namespace strait::detail
