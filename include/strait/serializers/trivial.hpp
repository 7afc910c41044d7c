#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

#include "strait/base/object_bytes.hpp"
#include "strait/base/padding.hpp"
#include "strait/base/place_in_list.hpp"
#include "strait/base/structure.hpp"
#include "strait/base/type_name.hpp"
#include "strait/config.hpp"
#include "strait/memory/byte_buffer.hpp"
#include "strait/serializer.hpp"

namespace strait {

namespace detail {

template <class... Ts>
consteval std::uint64_t schema_hash_of() {
  std::uint64_t hash = fnv_basis;
  (..., (hash = fnv(hash, structure_hash<Ts>())));
  return hash;
}

}  // namespace detail

/// Messages are trivially copyable structs, out of a closed set that both sides agree on. The
/// listener gets a `const T&` that ends with the call.
///
/// Padding never leaves the process: what a type does not use is sent as zeros. A compiler that
/// can't clear padding refuses types that have any.
///
/// Both sides must have the same list, in the same order, of types of the same structure: see
/// `detail::structure_hash`, which also says what can't be seen and needs a `schema_version`.
///
/// A hostile peer chooses every bit of what arrives. `bool` and enumerations are checked wherever
/// the structure shows them (see `detail::holds_values`); ranges are yours to check. A type with a
/// `static bool valid(std::span<const std::byte, sizeof(T)>)` is asked instead, before a `T` is
/// formed.
template <class... Ts>
class TrivialSerializer {
  static_assert(sizeof...(Ts) > 0, "strait: TrivialSerializer needs at least one message type.");
  static_assert(
      (std::is_trivially_copyable_v<Ts> && ...),
      "strait: TrivialSerializer sends trivially copyable types only; send others as bytes "
      "with RawSerializer or with a serializer of their own.");
  static_assert((!detail::has_address<Ts>() && ...),
                "strait: a pointer, a reference or a view means nothing in another process; send "
                "what it points to.");
  static_assert(((alignof(Ts) <= detail::payload_alignment) && ...),
                "strait: messages are aligned to 64 bytes at the most.");
  static_assert(
      ((detail::padding_free<Ts>() || STRAIT_HAS_CLEAR_PADDING || std::is_empty_v<Ts>)&&...),
      "strait: this compiler can't clear padding; make the padding a member, or specialize "
      "strait::no_padding if there is none.");

  using List = detail::Places<std::index_sequence_for<Ts...>, Ts...>;
  static_assert((detail::PlacedIn<Ts, List> && ...),
                "strait: a message type is listed twice in this TrivialSerializer.");

 public:
  static constexpr std::uint64_t schema_hash = detail::schema_hash_of<Ts...>();

  static constexpr std::uint64_t type_hashes[] = {detail::structure_hash<Ts>()...};

  /// Not for types so large that copying them takes longer than anything else.
  static constexpr std::size_t usual_bytes = [](std::size_t first, auto... others) {
    return first <= 256 && ((others == first) && ...) ? first : 0;
  }(sizeof(Ts)...);

  template <class T>
  static constexpr bool accepts = detail::PlacedIn<T, List>;

  static std::string_view name(std::uint16_t tag) { return detail::name_in_list<Ts...>(tag); }

  template <class T>
  static constexpr std::uint16_t tag(const T&) {
    return detail::index_in<T, List>;
  }

  template <class T>
  static constexpr std::integral_constant<std::size_t, sizeof(T)> size(const T&) {
    return {};
  }

  template <class T>
  static std::span<const std::byte> bytes(const T& message) requires(detail::padding_free<T>()) {
    return detail::object_bytes(message);
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
      auto* const copy = new T(message);
      clear_padding(*copy);
      std::memcpy(out, copy, sizeof(T));
      delete copy;
    }
  }

  template <class Listener>
  static Result<void> read(std::uint16_t tag, std::span<const std::byte> bytes,
                           Listener& listener) {
    static_assert((std::invocable<Listener&, const Ts&> || ...),
                  "strait: this listener takes none of the channel's message types.");
    Result<void> result;
    const bool known =
        ((tag == detail::index_in<Ts, List> && (result = read_as<Ts>(bytes, listener), true)) ||
         ...);
    return known ? result : Errc::malformed;
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
    } else if (!detail::holds_values<T>(bytes.data())) {
      return Errc::malformed;
    }
    if constexpr (!std::invocable<Listener&, const T&>) {
      return Errc::unexpected_message;
    } else if (reinterpret_cast<std::uintptr_t>(bytes.data()) % alignof(T) == 0) {
      // The buffer was filled by memcpy or by the kernel, which makes a trivially copyable T there.
      listener(*std::launder(reinterpret_cast<const T*>(bytes.data())));
      return {};
    } else {
      // Small, by S9.
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
