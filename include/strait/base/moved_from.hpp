#pragma once

#include <optional>
#include <system_error>
#include <utility>

#include "strait/error.hpp"

namespace strait::detail {

// Members that leave behind what their owner shall be after it was moved from.

/// An optional that is empty then.
template <class T>
class ResetOnMove : public std::optional<T> {
 public:
  ResetOnMove() = default;
  ResetOnMove(ResetOnMove&& other) noexcept : std::optional<T>(std::move(other)) { other.reset(); }
  ResetOnMove& operator=(ResetOnMove&& other) noexcept {
    if (this == &other) return *this;
    std::optional<T>::operator=(std::move(other));
    other.reset();
    return *this;
  }
};

/// A state that is `left` then.
template <class T, T left>
class ValueOnMove {
 public:
  ValueOnMove(T value) : value_(value) {}
  ValueOnMove(ValueOnMove&& other) noexcept : value_(std::exchange(other.value_, left)) {}
  ValueOnMove& operator=(ValueOnMove&& other) noexcept {
    value_ = std::exchange(other.value_, left);
    return *this;
  }
  ValueOnMove& operator=(T value) noexcept {
    value_ = value;
    return *this;
  }
  operator T() const noexcept { return value_; }

 private:
  T value_;
};

/// Why something has ended: `closed` then.
class ClosedOnMove : public std::error_code {
 public:
  ClosedOnMove() = default;
  ClosedOnMove(ClosedOnMove&& other) noexcept : std::error_code(other) {
    other = make_error_code(Errc::closed);
  }
  ClosedOnMove& operator=(ClosedOnMove&& other) noexcept {
    std::error_code::operator=(other);
    other = make_error_code(Errc::closed);
    return *this;
  }
  ClosedOnMove& operator=(std::error_code why) noexcept {
    std::error_code::operator=(why);
    return *this;
  }
};

}  // namespace strait::detail
