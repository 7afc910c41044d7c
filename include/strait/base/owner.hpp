#pragma once

namespace strait::detail {

struct Delete {
  template <class T>
  void operator()(T* object) const noexcept {
    delete object;
  }
};

/// As `std::unique_ptr`, without <memory>, which would be a seventh of what a transport costs to
/// compile.
template <class T, class Drop = Delete>
class Owner {
 public:
  Owner() = default;
  explicit Owner(T* owned) noexcept : owned_(owned) {}
  Owner(Owner&& other) noexcept : owned_(other.release()) {}
  Owner& operator=(Owner&& other) noexcept {
    reset(other.release());
    return *this;
  }
  ~Owner() { reset(); }

  T* get() const noexcept { return owned_; }
  T* operator->() const noexcept { return owned_; }
  T& operator*() const noexcept { return *owned_; }
  explicit operator bool() const noexcept { return owned_ != nullptr; }
  // Here and in others of this folder plain assignments: `std::exchange` and `std::swap` prove, for
  // each type, that it moves without throwing.
  T* release() noexcept {
    T* const owned = owned_;
    owned_ = nullptr;
    return owned;
  }
  void reset(T* owned = nullptr) noexcept {
    T* const old = owned_;
    owned_ = owned;
    if (old != nullptr) Drop()(old);
  }

  /// Becomes a `std::unique_ptr` or a `std::shared_ptr` of a program that uses those.
  template <class Pointer>
    requires __is_same(typename Pointer::element_type, T) &&
        __is_same(Drop, Delete) operator Pointer() && {
      return Pointer(release());
    }

   private:
    T* owned_ = nullptr;
};

}  // namespace strait::detail
