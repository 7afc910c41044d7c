#pragma once

#include <concepts>
#include <cstdlib>
#include <new>
#include <system_error>
#include <type_traits>
#include <utility>

#include "strait/error.hpp"

namespace strait {

namespace detail {

[[noreturn]] inline void throw_bad_access(const std::error_code& error) {
#if defined(__cpp_exceptions)
  throw std::system_error(error);
#else
  static_cast<void>(error);
  std::abort();
#endif
}

/// An error that is cheap to pass about: no call into the standard library until it is asked for.
class Failure {
 public:
  constexpr Failure() = default;
  Failure(std::error_code error) : category_(&error.category()), value_(error.value()) {}

  constexpr bool failed() const noexcept { return category_ != nullptr; }
  bool is(Errc error) const noexcept {
    return value_ == static_cast<int>(error) &&
           (category_ == &error_category() || (failed() && is_named_strait(*category_)));
  }
  std::error_code code() const noexcept {
    return failed() ? std::error_code(value_, *category_) : std::error_code();
  }

 private:
  const std::error_category* category_ = nullptr;  // none: there is no error
  int value_ = 0;
};

}  // namespace detail

template <class T>
class [[nodiscard("strait: look whether it failed, or cast it to void.")]] Result;
template <>
class Result<void>;

/// A value or a `std::error_code`; shaped like `std::expected<T, std::error_code>`.
///
/// Errors: `value()` on an error throws `std::system_error` (aborts without exceptions). Nothing
/// else in the library throws but `std::bad_alloc`, where memory is out: `launch`, `ChildProcess`,
/// `ChannelProxy::start`, `TaskQueue`, `RightsTable`, an `Acceptor` that lets a client in, and
/// `send` of a type over 4 KiB that has padding.
template <class T>
class Result {
 public:
  using value_type = T;
  using error_type = std::error_code;

  Result(const T& value) requires std::copy_constructible<T> : value_(value) {}
  Result(T&& value) : value_(std::move(value)) {}
  Result(std::error_code error) : failure_(error) {}
  Result(Errc error) : failure_(make_error_code(error)) {}

  Result(const Result& other) requires std::copy_constructible<T> : failure_(other.failure_) {
    if (other.has_value()) ::new (&value_) T(other.value_);
  }
  Result(Result&& other) noexcept(std::is_nothrow_move_constructible_v<T>)
      : failure_(other.failure_) {
    if (other.has_value()) ::new (&value_) T(std::move(other.value_));
  }
  Result& operator=(Result other) noexcept(std::is_nothrow_move_constructible_v<T>) {
    if (has_value()) value_.~T();
    failure_ = other.failure_;
    if (has_value()) ::new (&value_) T(std::move(other.value_));
    return *this;
  }
  ~Result() {
    if (has_value()) value_.~T();
  }

  bool has_value() const noexcept { return !failure_.failed(); }
  explicit operator bool() const noexcept { return has_value(); }

  T& value() & { return checked(), value_; }
  const T& value() const& { return checked(), value_; }
  T&& value() && { return checked(), std::move(value_); }
  T& operator*() & noexcept { return value_; }
  const T& operator*() const& noexcept { return value_; }
  T&& operator*() && noexcept { return std::move(value_); }
  T* operator->() noexcept { return &value_; }
  const T* operator->() const noexcept { return &value_; }

  /// No error (a zero code) when there is a value.
  std::error_code error() const noexcept { return failure_.code(); }
  /// As `error() == error`, but cheap enough for every message.
  bool failed_with(Errc error) const noexcept { return failure_.is(error); }

  /// The same without the value.
  Result<void> outcome() const noexcept;

  template <class U>
  T value_or(U&& other) const& {
    return has_value() ? value_ : static_cast<T>(std::forward<U>(other));
  }

 private:
  void checked() const {
    if (!has_value()) detail::throw_bad_access(error());
  }

  detail::Failure failure_;
  union {
    T value_;
  };
};

/// Success or a `std::error_code`.
template <>
class [[nodiscard]] Result<void> {
 public:
  using value_type = void;
  using error_type = std::error_code;

  constexpr Result() = default;
  Result(std::error_code error) : failure_(error) {}
  Result(Errc error) : failure_(make_error_code(error)) {}

  constexpr bool has_value() const noexcept { return !failure_.failed(); }
  constexpr explicit operator bool() const noexcept { return has_value(); }
  void value() const {
    if (!has_value()) detail::throw_bad_access(error());
  }
  std::error_code error() const noexcept { return failure_.code(); }
  bool failed_with(Errc error) const noexcept { return failure_.is(error); }

 private:
  template <class T>
  friend class Result;
  explicit Result(detail::Failure failure) : failure_(failure) {}

  detail::Failure failure_;
};

template <class T>
Result<void> Result<T>::outcome() const noexcept {
  return Result<void>(failure_);
}

}  // namespace strait
