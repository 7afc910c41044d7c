#pragma once

#include <cstdint>
#include <new>

#include "strait/base/atomic.hpp"

namespace strait::detail {

/// What the owners of an object count in.
class SharedCount {
 public:
  SharedCount() = default;
  SharedCount(const SharedCount&) = delete;
  SharedCount& operator=(const SharedCount&) = delete;

  void add_owner() noexcept { owners_.fetch_add(1, MemoryOrder::relaxed); }
  /// Unless there is none any more. Partner: `drop_owner`, whose last one this must see.
  bool try_add_owner() noexcept {
    std::uint32_t seen = owners_.load(MemoryOrder::relaxed);
    while (seen != 0) {
      if (owners_.compare_exchange_strong(seen, seen + 1, MemoryOrder::acq_rel)) return true;
    }
    return false;
  }
  void drop_owner() noexcept {
    // Partner: this, of the other owners. What they have done to the object comes before its end.
    if (owners_.fetch_sub(1, MemoryOrder::acq_rel) != 1) return;
    destroy_object();
    drop_observer();
  }
  void add_observer() noexcept { observers_.fetch_add(1, MemoryOrder::relaxed); }
  void drop_observer() noexcept {
    if (observers_.fetch_sub(1, MemoryOrder::acq_rel) == 1) delete this;
  }
  /// Partner: `drop_owner`.
  bool expired() const noexcept { return owners_.load(MemoryOrder::acquire) == 0; }

 protected:
  virtual ~SharedCount() = default;

 private:
  virtual void destroy_object() noexcept = 0;

  Atomic<std::uint32_t> owners_ = 1;
  Atomic<std::uint32_t> observers_ = 1;  // all the owners are one
};

template <class T>
class SharedObject final : public SharedCount {
 public:
  template <class... Args>
  explicit SharedObject(Args&&... args) : object(static_cast<Args&&>(args)...) {}
  ~SharedObject() override {}

  union {
    T object;
  };

 private:
  void destroy_object() noexcept override { object.~T(); }
};

/// As `std::shared_ptr`, without <memory>.
template <class T>
class Shared {
 public:
  Shared() = default;
  /// As `std::make_shared`.
  template <class... Args>
  static Shared make(Args&&... args) {
    auto* made = new SharedObject<T>(static_cast<Args&&>(args)...);
    return Shared(&made->object, made);
  }
  /// As `make`; null when there is no memory.
  template <class... Args>
  static Shared try_make(Args&&... args) {
    auto* made = new (std::nothrow) SharedObject<T>(static_cast<Args&&>(args)...);
    return made == nullptr ? Shared() : Shared(&made->object, made);
  }
  /// Adopts one owner that is counted already.
  Shared(T* object, SharedCount* count) noexcept : object_(object), count_(count) {}
  Shared(const Shared& other) noexcept : Shared(other.object_, other.count_) {
    if (count_ != nullptr) count_->add_owner();
  }
  Shared(Shared&& other) noexcept : Shared(other.object_, other.count_) { other.forget(); }
  template <class Derived>
  Shared(Shared<Derived>&& other) noexcept : Shared(other.object_, other.count_) {
    other.forget();
  }
  template <class Derived>
  Shared(const Shared<Derived>& other) noexcept : Shared(Shared<Derived>(other)) {}
  Shared& operator=(Shared other) noexcept {
    SharedCount* const dropped = count_;
    object_ = other.object_;
    count_ = other.count_;
    other.forget();
    if (dropped != nullptr) dropped->drop_owner();
    return *this;
  }
  ~Shared() {
    if (count_ != nullptr) count_->drop_owner();
  }

  T* get() const noexcept { return object_; }
  T* operator->() const noexcept { return object_; }
  T& operator*() const noexcept { return *object_; }
  explicit operator bool() const noexcept { return object_ != nullptr; }
  bool operator==(const Shared& other) const noexcept { return object_ == other.object_; }

 private:
  template <class>
  friend class Shared;
  template <class>
  friend class Weak;

  void forget() noexcept {
    object_ = nullptr;
    count_ = nullptr;
  }

  T* object_ = nullptr;
  SharedCount* count_ = nullptr;
};

/// As `std::weak_ptr`.
template <class T>
class Weak {
 public:
  Weak() = default;
  Weak(const Shared<T>& shared) noexcept : object_(shared.object_), count_(shared.count_) {
    if (count_ != nullptr) count_->add_observer();
  }
  Weak(const Weak& other) noexcept : object_(other.object_), count_(other.count_) {
    if (count_ != nullptr) count_->add_observer();
  }
  Weak(Weak&& other) noexcept : object_(other.object_), count_(other.count_) {
    other.count_ = nullptr;
  }
  Weak& operator=(Weak other) noexcept {
    SharedCount* const dropped = count_;
    object_ = other.object_;
    count_ = other.count_;
    other.count_ = nullptr;
    if (dropped != nullptr) dropped->drop_observer();
    return *this;
  }
  ~Weak() {
    if (count_ != nullptr) count_->drop_observer();
  }

  /// Null when the last owner is gone.
  Shared<T> lock() const noexcept {
    return count_ != nullptr && count_->try_add_owner() ? Shared<T>(object_, count_) : Shared<T>();
  }
  bool expired() const noexcept { return count_ == nullptr || count_->expired(); }

 private:
  T* object_ = nullptr;
  SharedCount* count_ = nullptr;
};

}  // namespace strait::detail
