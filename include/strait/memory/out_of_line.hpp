#pragma once

#include <concepts>
#include <cstddef>
#include <cstring>
#include <new>
#include <span>
#include <system_error>
#include <type_traits>
#include <utility>

#include "strait/base/object_bytes.hpp"
#include "strait/base/padding.hpp"
#include "strait/fwd.hpp"
#include "strait/memory/message_memory.hpp"
#include "strait/result.hpp"

namespace strait {

namespace detail {
struct OutOfLineAccess;
}

/// A buffer for one large message, in the memory in which the receiver will read it, so that it is
/// written once: `Channel::out_of_line_bytes` makes one, `Channel::send` takes it. Sent by
/// `std::move` it is given away; sent as it is, the receiver gets what it holds at that moment.
///
/// A listener that takes one may keep it after the call, and after the channel's end. Under a loan
/// the sender has the memory back when it is destroyed.
///
/// One of `Acceptor::out_of_line_bytes` is lent to all it is sent to, and none of them can write
/// it: `writable` of a receiver's makes a copy in memory of its own, and so does that of the
/// sender's while a receiver reads it. Best get a new one for each message.
///
/// Ownership: the buffer's own. Threads: any, one at a time.
class OutOfLineBytes {
 public:
  OutOfLineBytes() = default;
  OutOfLineBytes(OutOfLineBytes&& other) noexcept
      : lease_(std::move(other.lease_)), size_(std::exchange(other.size_, 0)) {}
  OutOfLineBytes& operator=(OutOfLineBytes&& other) noexcept {
    lease_ = std::move(other.lease_);
    size_ = std::exchange(other.size_, 0);
    return *this;
  }

  std::size_t size() const noexcept { return size_; }
  std::span<const std::byte> bytes() const noexcept {
    return {lease_ ? lease_->data() : nullptr, size_};
  }
  operator std::span<const std::byte>() const noexcept { return bytes(); }

  /// The bytes, to write. In a new buffer they are unspecified, but nothing of this process; of a
  /// received one they become its receiver's own. Ask again after each `send`: what is written by
  /// way of an older answer is seen here, but may not be when the buffer is sent again. A device
  /// that was given the memory before a `send` is given it anew: what it writes may be lost.
  ///
  /// Under copy-on-write a buffer of more than 16 KiB that is sent again costs the pages that were
  /// written since it was sent whole, as the kernel tells them, and a fresh region if these are an
  /// eighth of it or more. To ask takes some 4 us, and 8 more for each MiB of it that is mapped;
  /// where there is no /proc, and on other systems than Linux, all of it counts as written.
  ///
  /// Errors: the system's.
  Result<std::span<std::byte>> writable() { return writable(0, size_); }

  /// Some of the bytes, to write. Under copy-on-write a buffer that is sent again costs what was
  /// asked for in this way since: the receiver's copy is brought up to date. That is cheaper than
  /// whole pages, and the kernel is not asked.
  ///
  /// Errors: `std::errc::invalid_argument` if the buffer does not hold these bytes; the system's.
  Result<std::span<std::byte>> writable(std::size_t offset, std::size_t bytes) {
    if (offset > size_ || bytes > size_ - offset) {
      return std::make_error_code(std::errc::invalid_argument);
    }
    if (!lease_) return std::span<std::byte>();
    if (auto made = lease_->make_writable(lease_, offset, bytes); !made) return made.error();
    return std::span<std::byte>(lease_->data() + offset, bytes);
  }

 private:
  friend struct detail::OutOfLineAccess;
  OutOfLineBytes(detail::Lease lease, std::size_t size) : lease_(std::move(lease)), size_(size) {}

  detail::Lease lease_;
  std::size_t size_ = 0;
};

/// The same for one message of a type of its own, read and written in place, never on the stack.
template <class T>
class OutOfLine {
  static_assert(std::is_trivially_copyable_v<T>,
                "strait: OutOfLine holds trivially copyable types only.");
  static_assert(
      detail::padding_free<T>(),
      "strait: what lies out of line is sent as it lies there, with its padding; make the "
      "padding a member, or specialize strait::no_padding if there is none.");

 public:
  OutOfLine() = default;

  explicit operator bool() const noexcept { return !bytes_.bytes().empty(); }
  const T& operator*() const noexcept { return *get(); }
  const T* operator->() const noexcept { return get(); }
  const T* get() const noexcept { return std::launder(reinterpret_cast<const T*>(data())); }

  /// As `OutOfLineBytes::writable`.
  Result<T*> writable() {
    auto bytes = bytes_.writable();
    if (!bytes) return bytes.error();
    return std::launder(reinterpret_cast<T*>(bytes->data()));
  }

  /// One member, to write: `writable(&Frame::header)`. As `OutOfLineBytes::writable` of some bytes.
  template <class Member>
  Result<Member*> writable(Member T::*member) {
    const T& whole = **this;
    const auto* place = reinterpret_cast<const std::byte*>(&(whole.*member));
    const auto offset = static_cast<std::size_t>(place - data());
    auto bytes = bytes_.writable(offset, sizeof(Member));
    if (!bytes) return bytes.error();
    return &(std::launder(reinterpret_cast<T*>(bytes->data() - offset))->*member);
  }

 private:
  friend struct detail::OutOfLineAccess;
  explicit OutOfLine(OutOfLineBytes bytes) : bytes_(std::move(bytes)) {}
  const std::byte* data() const noexcept { return bytes_.bytes().data(); }

  OutOfLineBytes bytes_;
};

namespace detail {

/// For the library.
struct OutOfLineAccess {
  static OutOfLineBytes bytes(Lease lease, std::size_t size) {
    return OutOfLineBytes(std::move(lease), size);
  }
  template <class T>
  static OutOfLine<T> typed(Lease lease) {
    return OutOfLine<T>(bytes(std::move(lease), sizeof(T)));
  }
  static std::span<const std::byte> message(const OutOfLineBytes& buffer) { return buffer.bytes(); }
  template <class T>
  static const T& message(const OutOfLine<T>& buffer) {
    return *buffer;
  }
  template <class B>
  static void give_away(B& buffer) {
    if constexpr (requires { buffer.was_sent(); }) {
      buffer.was_sent();
    } else {
      buffer = B();
    }
  }
  template <class B>
    requires requires(B& buffer) { buffer.out_of_line(); }
  static const B& message(const B& buffer) { return buffer; }
  static Lease& lease(OutOfLineBytes& buffer) { return buffer.lease_; }
  template <class T>
  static Lease& lease(OutOfLine<T>& buffer) {
    return buffer.bytes_.lease_;
  }
  template <class B>
    requires requires(B& buffer) { buffer.out_of_line(); }
  static Lease& lease(B& buffer) { return buffer.out_of_line().lease_; }
};

/// A message that is built in such a buffer, which it shows to the library.
template <class B>
concept BuiltOutOfLine = requires(B& message) {
  { message.out_of_line() } -> std::same_as<OutOfLineBytes&>;
  message.was_sent();
};

template <class B>
inline constexpr bool is_out_of_line = BuiltOutOfLine<B>;
template <>
inline constexpr bool is_out_of_line<OutOfLineBytes> = true;
template <class T>
inline constexpr bool is_out_of_line<OutOfLine<T>> = true;

/// A message that lies in a buffer, on its way out: see `Payload`.
template <class SerializerT, class Message>
class OutOfLinePayload {
 public:
  /// `message` lies in `lease`, which is given away on success if `moved`.
  OutOfLinePayload(const Message& message, Lease& lease, bool moved)
      : message_(message), lease_(lease), moved_(moved) {}

  auto size() const { return SerializerT::size(message_); }
  std::uint16_t tag() const { return SerializerT::tag(message_); }
  void write_to(std::byte* out) const { SerializerT::write(message_, out); }

  static constexpr bool contiguous = true;
  std::span<const std::byte> bytes() const { return SerializerT::bytes(message_); }

  Lease& lease() const { return lease_; }
  bool moved() const { return moved_; }

 private:
  const Message& message_;
  Lease& lease_;
  bool moved_;
};

/// The buffer in which a message of this type can lie.
template <class Message>
struct BufferOf {};
template <class T>
  requires(std::is_trivially_copyable_v<T>&& padding_free<T>())
struct BufferOf<T> {
  using Type = OutOfLine<T>;
  static std::span<const std::byte> bytes(const T& message) {
    return detail::object_bytes(message);
  }
  static Type make(Lease lease, std::size_t) { return OutOfLineAccess::typed<T>(std::move(lease)); }
};
template <>
struct BufferOf<std::span<const std::byte>> {
  using Type = OutOfLineBytes;
  static std::span<const std::byte> bytes(std::span<const std::byte> message) { return message; }
  static Type make(Lease lease, std::size_t size) {
    return OutOfLineAccess::bytes(std::move(lease), size);
  }
};

}  // namespace detail
}  // namespace strait
