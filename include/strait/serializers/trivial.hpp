#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <span>
#include <type_traits>

#include "strait/config.hpp"
#include "strait/detail/byte_buffer.hpp"
#include "strait/detail/padding.hpp"
#include "strait/detail/type_name.hpp"
#include "strait/serializer.hpp"

namespace strait {

namespace detail {

template <class... Ts>
consteval std::uint64_t schema_hash_of() {
  std::uint64_t hash = fnv_basis;
  (..., (hash = fnv(fnv(fnv(hash, type_name<Ts>()), sizeof(Ts)), alignof(Ts))));
  return hash;
}

}  // namespace detail

/// Messages are trivially copyable structs, out of a closed set that both sides agree on. The
/// listener gets a `const T&` that ends with the call.
///
/// Padding never leaves the process: what a type does not use is sent as zeros. A compiler that
/// can't clear padding refuses types that have any.
///
/// A hostile peer chooses every bit of what arrives. Check ranges, and beware of types in which not
/// every bit pattern is a value (`bool`, enumerations): give these a `static bool
/// valid(std::span<const std::byte, sizeof(T)>)`, which is asked before a `T` is formed.
template <class... Ts>
class TrivialSerializer {
  static_assert(sizeof...(Ts) > 0, "strait: TrivialSerializer needs at least one message type.");
  static_assert(
      (std::is_trivially_copyable_v<Ts> && ...),
      "strait: TrivialSerializer sends trivially copyable types only; send others as bytes "
      "with RawSerializer or with a serializer of their own.");
  static_assert((!std::is_pointer_v<Ts> && ...),
                "strait: a pointer means nothing in another process.");
  static_assert(((alignof(Ts) <= detail::payload_alignment) && ...),
                "strait: messages are aligned to 64 bytes at the most.");
  static_assert(
      ((detail::padding_free<Ts>() || STRAIT_HAS_CLEAR_PADDING || std::is_empty_v<Ts>)&&...),
      "strait: this compiler can't clear padding; make the padding a member, or specialize "
      "strait::no_padding if there is none.");

  template <class T>
  static constexpr bool is_member = (std::same_as<T, Ts> || ...);

  template <class T>
  static consteval std::uint16_t index_of() {
    std::uint16_t index = 0;
    static_cast<void>(((std::same_as<T, Ts> || (++index, false)) || ...));
    return index;
  }

 public:
  static constexpr std::uint64_t schema_hash = detail::schema_hash_of<Ts...>();

  template <class T>
  static constexpr bool accepts = is_member<T>;

  template <class T>
  static constexpr std::uint16_t tag(const T&) {
    return index_of<T>();
  }

  template <class T>
  static constexpr std::integral_constant<std::size_t, sizeof(T)> size(const T&) {
    return {};
  }

  template <class T>
  static std::span<const std::byte> bytes(const T& message) requires(detail::padding_free<T>()) {
    return std::as_bytes(std::span<const T, 1>(&message, 1));
  }

  template <class T>
  static void write(const T& message, std::byte* out) {
    if constexpr (detail::padding_free<T>()) {
      std::memcpy(out, &message, sizeof(T));
    } else if constexpr (std::is_empty_v<T>) {
      std::memset(out, 0, sizeof(T));
    } else if constexpr (sizeof(T) <= 4096) {
      T copy = message;
      clear_padding(copy);
      std::memcpy(out, &copy, sizeof(T));
    } else {
      // Never in place: `out` may be seen by others before the padding is cleared.
      const auto copy = std::make_unique<T>(message);
      clear_padding(*copy);
      std::memcpy(out, copy.get(), sizeof(T));
    }
  }

  template <class Listener>
  static Result<void> read(std::uint16_t tag, std::span<const std::byte> bytes,
                           Listener& listener) {
    static_assert((std::invocable<Listener&, const Ts&> || ...),
                  "strait: this listener takes none of the channel's message types.");
    Result<void> result = Errc::malformed;
    static_cast<void>(
        ((tag == index_of<Ts>() && (result = read_as<Ts>(bytes, listener), true)) || ...));
    return result;
  }

 private:
  template <class T>
  static void clear_padding([[maybe_unused]] T& message) {
#if STRAIT_HAS_CLEAR_PADDING
    __builtin_clear_padding(&message);
#endif
  }

  template <class T, class Listener>
  static Result<void> read_as(std::span<const std::byte> bytes, Listener& listener) {
    if (bytes.size() != sizeof(T)) return Errc::malformed;
    if constexpr (requires { T::valid(bytes.template first<sizeof(T)>()); }) {
      if (!T::valid(bytes.template first<sizeof(T)>())) return Errc::malformed;
    }
    if constexpr (!std::invocable<Listener&, const T&>) {
      return Errc::unexpected_message;
    } else if (reinterpret_cast<std::uintptr_t>(bytes.data()) % alignof(T) == 0) {
      // The buffer was filled by memcpy or by the kernel, which makes a trivially copyable T there.
      listener(*std::launder(reinterpret_cast<const T*>(bytes.data())));
      return {};
    } else {
      // Small, by S7.
      return read_copy<T>(bytes, listener);
    }
  }

  template <class T, class Listener>
  static Result<void> read_copy(std::span<const std::byte> bytes, Listener& listener) {
    if constexpr (sizeof(T) > 4096) {
      return Errc::malformed;
    } else {
      alignas(T) std::byte copy[sizeof(T)];
      std::memcpy(copy, bytes.data(), sizeof(T));
      listener(*std::launder(reinterpret_cast<const T*>(copy)));
      return {};
    }
  }
};

}  // namespace strait
