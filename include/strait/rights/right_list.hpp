#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <new>
#include <utility>

#include "strait/base/slice.hpp"
#include "strait/os/close_unseen.hpp"
#include "strait/os/descriptor.hpp"
#include "strait/os/native_handle.hpp"
#include "strait/peer.hpp"

namespace strait::detail {

/// How many rights a message has at the most, on any transport: what the header of a record in a
/// lane has room for. The kernel would let twice as many travel together.
inline constexpr std::size_t max_rights = 127;

/// A right that can't leave this process: an end of a loopback.
struct LocalRight {
  virtual ~LocalRight() = default;
};

/// Owns a local right.
class LocalRightOwner {
 public:
  LocalRightOwner(LocalRight* right = nullptr) noexcept : right_(right) {}
  LocalRightOwner(LocalRightOwner&& other) noexcept
      : right_(std::exchange(other.right_, nullptr)) {}
  LocalRightOwner& operator=(LocalRightOwner&& other) noexcept {
    std::swap(right_, other.right_);
    return *this;
  }
  ~LocalRightOwner() { delete right_; }

  LocalRight* get() const noexcept { return right_; }

 private:
  LocalRight* right_;
};

/// One right on its way: always one descriptor, or a local one. What needs more than a descriptor
/// travels as a packed endpoint, a socket with the rest waiting in it.
struct Right {
  os::Descriptor descriptor;
  LocalRightOwner local{};
  /// Whether a peer sent it; if it is of no use, it is closed as such.
  bool received = false;
  /// Which one, as the kernel says.
  PeerCredentials sender{};

  static Right from_peer(os::Descriptor descriptor) { return {std::move(descriptor), {}, true}; }
};

/// Rights in order. Whole lists move from one to the other without asking for memory, so nothing
/// can fail between taking rights from one owner and giving them to the next.
class RightList {
 public:
  RightList() = default;
  RightList(RightList&& other) noexcept
      : first_(std::exchange(other.first_, nullptr)),
        last_(std::exchange(other.last_, nullptr)),
        size_(std::exchange(other.size_, 0)) {}
  RightList& operator=(RightList&& other) noexcept {
    std::swap(first_, other.first_);
    std::swap(last_, other.last_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~RightList() { clear(); }

  bool empty() const noexcept { return size_ == 0; }
  std::size_t size() const noexcept { return size_; }
  /// The list must not be empty.
  Right& front() noexcept { return first_->right; }

  /// False, and the right closed, when there is no memory.
  [[nodiscard]] bool push(Right right) {
    auto* node = new (std::nothrow) Node{std::move(right)};
    if (node == nullptr) return false;
    (last_ != nullptr ? last_->next : first_) = node;
    last_ = node;
    ++size_;
    return true;
  }

  void pop() noexcept {
    const NativeHandle descriptor = drop_first();
    if (descriptor != no_handle) os::close_unseen(descriptor);
  }

  void append(RightList&& other) noexcept {
    if (other.first_ == nullptr) return;
    (last_ != nullptr ? last_->next : first_) = other.first_;
    last_ = std::exchange(other.last_, nullptr);
    size_ += std::exchange(other.size_, 0);
    other.first_ = nullptr;
  }

  /// Takes the first `count` off; there must be as many.
  RightList split(std::size_t count) noexcept {
    RightList taken;
    if (count == 0) return taken;
    Node* end = first_;
    for (std::size_t i = 1; i != count; ++i) end = end->next;
    taken.first_ = std::exchange(first_, std::exchange(end->next, nullptr));
    taken.last_ = end;
    taken.size_ = count;
    if (first_ == nullptr) last_ = nullptr;
    size_ -= count;
    return taken;
  }

  void clear() noexcept {
    while (first_ != nullptr) {
      std::array<NativeHandle, max_rights> closing;
      std::size_t count = 0;
      while (first_ != nullptr && count != closing.size()) closing[count++] = drop_first();
      os::close_unseen(Slice<NativeHandle>(closing).first(count));
    }
  }

  /// Calls `each(right)` for all of them, or the first `count`.
  template <class Each>
  void for_each(Each&& each, std::size_t count = SIZE_MAX) const {
    for (const Node* node = first_; node != nullptr && count-- != 0; node = node->next) {
      each(node->right);
    }
  }
  template <class Each>
  void for_each(Each&& each) {
    for (Node* node = first_; node != nullptr; node = node->next) each(node->right);
  }

  // For `FrameQueue`: at which byte of a stream the message of the first right begins, and of that
  // behind the first `count`, which are those of one message; `UINT64_MAX` if there is none.
  std::uint64_t position() const noexcept { return first_->position; }
  void set_position(std::uint64_t position) noexcept { first_->position = position; }
  /// For those of one message, which have left the stream.
  void set_positions(std::uint64_t position) noexcept {
    for (Node* node = first_; node != nullptr; node = node->next) node->position = position;
  }
  /// The stream has so many bytes less before each of these.
  void move_positions(std::size_t bytes) noexcept {
    for (Node* node = first_; node != nullptr; node = node->next) node->position -= bytes;
  }
  std::uint64_t position_after(std::size_t count) const noexcept {
    const Node* node = first_;
    while (node != nullptr && count-- != 0) node = node->next;
    return node != nullptr ? node->position : UINT64_MAX;
  }

 private:
  struct Node {
    Right right;
    Node* next = nullptr;
    std::uint64_t position = 0;
  };

  /// Returns what a peer sent and was not taken, for `close_unseen`; or `no_handle`.
  NativeHandle drop_first() noexcept {
    Node* node = first_;
    first_ = node->next;
    if (first_ == nullptr) last_ = nullptr;
    --size_;
    const NativeHandle unseen = node->right.received ? node->right.descriptor.release() : no_handle;
    delete node;
    return unseen;
  }

  Node* first_ = nullptr;
  Node* last_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace strait::detail
