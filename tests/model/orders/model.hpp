#pragma once

// What stands in for <atomic> in a header of the library when Relacy runs it: see check.sh.

#include <array>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

// After the standard library's headers, for it makes a macro of `delete`.
#include <relacy/relacy.hpp>

namespace model {

/// An atomic variable whose loads may give any value that the C++ memory model lets them.
template <class T>
class Atomic {
 public:
  static constexpr bool is_always_lock_free = true;

  Atomic() = default;
  Atomic(T value) : value_(value) {}

  T load(rl::memory_order order) const { return value_.load(order, $); }
  void store(T value, rl::memory_order order) { value_.store(value, order, $); }
  T exchange(T value, rl::memory_order order) { return value_.exchange(value, order, $); }
  T fetch_add(T value, rl::memory_order order) { return value_.fetch_add(value, order, $); }
  bool compare_exchange_strong(T& expected, T value, rl::memory_order order) {
    return value_($).compare_exchange_strong(expected, value, order);
  }

 private:
  rl::atomic<T> value_;
};

/// What wakes a thread, and orders nothing.
class Bell {
 public:
  void ring() { rung_.store(1, rl::mo_relaxed); }
  bool is_rung() { return rung_.exchange(0, rl::mo_relaxed) != 0; }
  void wait() {
    for (rl::linear_backoff backoff; !is_rung();) backoff.yield($);
  }

 private:
  Atomic<std::uint32_t> rung_{0};
};

/// The word of a record's header in the ring of the model that runs.
Atomic<std::uint64_t>& word_at(std::byte* at);

/// A futex that may always end early orders nothing, and keeps no thread for long.
inline void futex_wait(Atomic<std::uint32_t>& word, std::uint32_t expected,
                       std::chrono::nanoseconds) {
  for (int i = 0; i != 3 && word.load(rl::mo_relaxed) == expected; ++i) rl::yield(1, $);
}
inline void futex_wake(Atomic<std::uint32_t>&) {}

/// Runs a model in many orders of its threads' steps, taken at random but always the same. The exit
/// status of its program.
template <class Model>
int check() {
  rl::test_params parameters;
  parameters.iteration_count = 100'000;
  parameters.execution_depth_limit = 2'000;
  return rl::simulate<Model>(parameters) ? 0 : 1;
}

}  // namespace model
