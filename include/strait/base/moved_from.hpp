#pragma once

#include <new>
#include <system_error>
#include <utility>

#include "strait/error.hpp"

namespace strait::detail {

// Members that leave behind what their owner shall be after it was moved from.

/// An optional that is empty then, and takes a compiler a tenth of the time of the standard one.
template <class T>
class ResetOnMove {
 public:
  ResetOnMove() : nothing_() {}
  ResetOnMove(ResetOnMove&& other) noexcept : nothing_() { take(other); }
  ResetOnMove& operator=(ResetOnMove&& other) noexcept {
    if (this == &other) return *this;
    reset();
    take(other);
    return *this;
  }
  ~ResetOnMove() { reset(); }

  template <class... Args>
  T& emplace(Args&&... args) {
    reset();
    make(static_cast<Args&&>(args)...);
    return value_;
  }
  void reset() noexcept {
    if (!has_value_) return;
    has_value_ = false;
    value_.~T();
  }

  explicit operator bool() const noexcept { return has_value_; }
  T& operator*() noexcept { return value_; }
  const T& operator*() const noexcept { return value_; }
  T* operator->() noexcept { return &value_; }
  const T* operator->() const noexcept { return &value_; }

 private:
  template <class... Args>
  void make(Args&&... args) {
    ::new (static_cast<void*>(&value_)) T(static_cast<Args&&>(args)...);
    has_value_ = true;
  }
  /// For an empty one, which is not looked at again: g++ would warn of what it then can't see.
  void take(ResetOnMove& other) noexcept {
    if (!other.has_value_) return;
    make(static_cast<T&&>(other.value_));
    other.reset();
  }

  union {
    char nothing_;
    T value_;
  };
  bool has_value_ = false;
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
