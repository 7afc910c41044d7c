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

/// An error that is cheap to pass about: no call into the standard library until it is asked for.
class Failure {
 public:
  constexpr Failure() = default;
  Failure(std::error_code error) : category_(&error.category()), value_(error.value()) {}

  /// Rarely: a compiler that is not told so takes most pointers for not null.
  constexpr bool failed() const noexcept { return __builtin_expect(category_ != nullptr, false); }
  [[gnu::always_inline]] bool is(Errc error) const noexcept {
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

/// By value, so that a result whose error is asked for can stay in registers.
inline std::error_code code_of(Failure failure) noexcept { return failure.code(); }

[[noreturn]] inline void throw_bad_access(Failure failure) {
#if defined(__cpp_exceptions)
  throw std::system_error(failure.code());
#else
  static_cast<void>(failure);
  std::abort();
#endif
}

// By the compiler's own traits, as of this class there are many: the standard's cost it more.
template <class T>
inline constexpr bool fits_registers = __is_trivially_copyable(T) && __is_constructible(T);

/// A failure or a value, which is there when nothing failed.
template <class T, bool plain>
class ResultStorage {
 public:
  ResultStorage(Failure failure) : failure_(failure) {}
  template <class Value>
  ResultStorage(std::in_place_t, Value&& value) : value_(std::forward<Value>(value)) {}
  ResultStorage(const ResultStorage& other) requires(__is_constructible(T, const T&))
      : failure_(other.failure_) {
    if (!failure_.failed()) ::new (&value_) T(other.value_);
  }
  ResultStorage(ResultStorage&& other) noexcept(__is_nothrow_constructible(T, T&&))
      : failure_(other.failure_) {
    if (!failure_.failed()) ::new (&value_) T(std::move(other.value_));
  }
  ResultStorage& operator=(ResultStorage other) noexcept(__is_nothrow_constructible(T, T&&)) {
    if (!failure_.failed()) value_.~T();
    failure_ = other.failure_;
    if (!failure_.failed()) ::new (&value_) T(std::move(other.value_));
    return *this;
  }
  ~ResultStorage() {
    if (!failure_.failed()) value_.~T();
  }

  Failure failure_;
  union {
    T value_;
  };
};

/// One that the compiler can keep in registers.
template <class T>
class ResultStorage<T, true> {
 public:
  ResultStorage(Failure failure) : failure_(failure) {}
  ResultStorage(std::in_place_t, const T& value) : value_(value) {}

  Failure failure_;
  T value_{};
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
class Result : detail::ResultStorage<T, detail::fits_registers<T>> {
  using Storage = detail::ResultStorage<T, detail::fits_registers<T>>;
  using Storage::failure_;
  using Storage::value_;

 public:
  using value_type = T;
  using error_type = std::error_code;

  Result(const T& value) requires(__is_constructible(T, const T&))
      : Storage(std::in_place, value) {}
  Result(T&& value) : Storage(std::in_place, std::move(value)) {}
  Result(std::error_code error) : Storage(detail::Failure(error)) {}
  Result(Errc error) : Storage(detail::Failure(make_error_code(error))) {}

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
  std::error_code error() const noexcept { return detail::code_of(failure_); }
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
    if (!has_value()) detail::throw_bad_access(failure_);
  }
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
    if (!has_value()) detail::throw_bad_access(failure_);
  }
  std::error_code error() const noexcept { return detail::code_of(failure_); }
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
