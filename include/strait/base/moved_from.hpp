#pragma once

#include <optional>
#include <system_error>
#include <utility>

#include "strait/error.hpp"

namespace strait::detail {

// Members that leave behind what their owner shall be after it was moved from.

/// An optional that is empty then.
template <class T>
class Held : public std::optional<T> {
 public:
  Held() = default;
  Held(Held&& other) noexcept : std::optional<T>(std::move(other)) { other.reset(); }
  Held& operator=(Held&& other) noexcept {
    if (this == &other) return *this;
    std::optional<T>::operator=(std::move(other));
    other.reset();
    return *this;
  }
};

/// A state that is `left` then.
template <class T, T left>
class State {
 public:
  State(T value) : value_(value) {}
  State(State&& other) noexcept : value_(std::exchange(other.value_, left)) {}
  State& operator=(State&& other) noexcept {
    value_ = std::exchange(other.value_, left);
    return *this;
  }
  State& operator=(T value) noexcept {
    value_ = value;
    return *this;
  }
  operator T() const noexcept { return value_; }

 private:
  T value_;
};

/// Why something has ended: `closed` then.
class Ending : public std::error_code {
 public:
  Ending() = default;
  Ending(Ending&& other) noexcept : std::error_code(other) {
    other = make_error_code(Errc::closed);
  }
  Ending& operator=(Ending&& other) noexcept {
    std::error_code::operator=(other);
    other = make_error_code(Errc::closed);
    return *this;
  }
  Ending& operator=(std::error_code why) noexcept {
    std::error_code::operator=(why);
    return *this;
  }
};

}  // namespace strait::detail
