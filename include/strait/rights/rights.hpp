#pragma once

#include <concepts>
#include <cstddef>
#include <type_traits>
#include <utility>

#include "strait/fwd.hpp"
#include "strait/os/descriptor.hpp"
#include "strait/result.hpp"
#include "strait/rights/right_list.hpp"

namespace strait {

namespace detail {

/// How a `T` becomes a right and a right a `T`. Both leave what they were given as it was when they
/// fail, so that it is still its owner's.
template <class T>
struct RightAs {
  static Result<Right> from(T& right) { return right.into_right(); }
  static Result<T> to(Right& right) { return T::from_right(right); }
};

template <>
struct RightAs<os::Descriptor> {
  static Result<Right> from(os::Descriptor& descriptor) {
    if (!descriptor) return Errc::wrong_right;
    return Right{std::move(descriptor)};
  }
  static Result<os::Descriptor> to(Right& right) {
    if (!right.descriptor) return Errc::wrong_right;
    return std::move(right.descriptor);
  }
};

template <class T>
concept Transferable = std::same_as<T, os::Descriptor> || requires(T right, Right travelling) {
  { right.into_right() } -> std::same_as<Result<Right>>;
  { T::from_right(travelling) } -> std::same_as<Result<T>>;
};

}  // namespace detail

/// Resources of the system that travel with a message: `os::Descriptor`, `SharedMemory`,
/// `Semaphore`, a `Channel`'s own end. In order, whole or not at all.
///
/// Ownership: a right that was added is this object's, one that was taken the caller's; those that
/// are left in the end are closed.
class Rights {
 public:
  Rights() = default;
  explicit Rights(detail::RightList rights) noexcept : list_(std::move(rights)) {}

  bool empty() const noexcept { return list_.empty(); }
  std::size_t size() const noexcept { return list_.size(); }

  /// Puts a right behind the others: `add(std::move(right))`.
  ///
  /// Errors: `wrong_right` if there is nothing in it; of a channel's end those of
  /// `Channel::into_right`; `not_enough_memory`. Ownership: after an error still the caller's.
  template <class T>
  Result<void> add(T&& right) {
    static_assert(!std::is_lvalue_reference_v<T>,
                  "strait: a right is given away: add(std::move(right)).");
    static_assert(detail::Transferable<std::remove_cvref_t<T>>,
                  "strait: rights are os::Descriptor, SharedMemory, Semaphore and Channel over "
                  "a transport that carries rights.");
    detail::RightList one;  // first the room, then the right: nothing can fail in between
    if (!one.push({})) return detail::no_memory();
    auto travelling = detail::RightAs<std::remove_cvref_t<T>>::from(right);
    if (!travelling) return travelling.error();
    one.front() = std::move(*travelling);
    list_.append(std::move(one));
    return {};
  }

  /// Takes the first one that is left, as a `T`, after a check that it is one: a peer may have sent
  /// anything.
  ///
  /// Errors: `empty`; `wrong_right`, `bad_region`, those of the system: the right stays the first
  /// one and can be taken as something else, or passed over with `drop`.
  template <class T>
  Result<T> take() {
    static_assert(detail::Transferable<T>,
                  "strait: rights are os::Descriptor, SharedMemory, Semaphore and Channel over "
                  "a transport that carries rights.");
    if (empty()) return Errc::empty;
    auto taken = detail::RightAs<T>::to(list_.front());
    if (taken) list_.pop();
    return taken;
  }

  /// Closes the first one; there must be one.
  void drop() noexcept { list_.pop(); }

  /// For the library: the rights as they travel.
  detail::RightList& list() noexcept { return list_; }

 private:
  detail::RightList list_;
};

}  // namespace strait
