#pragma once

#include <cstddef>
#include <utility>

namespace strait::detail {

/// First in, first out: what a `std::deque` is mostly used for.
template <class T>
class Queue {
 public:
  Queue() = default;
  Queue(Queue&& other) noexcept { take(other); }
  Queue& operator=(Queue&& other) noexcept {
    if (this != &other) {
      clear();
      take(other);
    }
    return *this;
  }
  ~Queue() { clear(); }

  bool empty() const noexcept { return size_ == 0; }
  std::size_t size() const noexcept { return size_; }
  T& front() noexcept { return first_->value; }
  void push(T value) {
    auto* added = new Node{std::move(value), nullptr};
    *(size_ == 0 ? &first_ : &last_->next) = added;
    last_ = added;
    ++size_;
  }
  T pop() {
    Node* const taken = first_;
    first_ = taken->next;
    --size_;
    T value = std::move(taken->value);
    delete taken;
    return value;
  }

 private:
  struct Node {
    T value;
    Node* next;
  };

  void clear() noexcept {
    while (!empty()) pop();
  }
  void take(Queue& other) noexcept {
    first_ = other.first_;
    last_ = other.last_;
    size_ = other.size_;
    other.size_ = 0;
  }

  Node* first_ = nullptr;
  Node* last_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace strait::detail
