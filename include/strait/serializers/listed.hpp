#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <new>
#include <span>
#include <string_view>
#include <utility>

#include "strait/base/place_in_list.hpp"
#include "strait/base/type_name.hpp"
#include "strait/error.hpp"
#include "strait/result.hpp"

namespace strait::detail {

/// Runs code of a library that throws, and makes `otherwise` of what it throws.
template <class Work>
Result<void> without_exceptions(Errc otherwise, Work&& work) noexcept {
#if defined(__cpp_exceptions)
  try {
    return work();
  } catch (const std::bad_alloc&) {
    return no_memory();
  } catch (...) {
    return otherwise;
  }
#else
  static_cast<void>(otherwise);
  return work();
#endif
}

/// What the adapters of other libraries have in common: messages of types out of a list, of which
/// each has its place as its tag. `Library` has
///
///   - `name`, which tells the schemas of two libraries apart
///   - `Heard<T>`: what a listener gets for a `T`
///   - `decode<T>(bytes, use)`: returns `use(message)` if the bytes are one, else an error.
///
/// What is inside a type is the library's business, and so is what its older builds make of it.
template <class Library, class... Ts>
class ListedMessages {
  static_assert(sizeof...(Ts) > 0, "strait: this serializer needs at least one message type.");

 protected:
  using List = Places<std::index_sequence_for<Ts...>, Ts...>;
  static_assert((PlacedIn<Ts, List> && ...),
                "strait: a message type is listed twice in this serializer.");

 public:
  static constexpr std::uint64_t schema_hash = [] {
    std::uint64_t hash = fnv(fnv_basis, Library::name);
    ((hash = fnv(hash, normal_type_name_hash<Ts>())), ...);
    return hash;
  }();

  static constexpr std::uint64_t type_hashes[] = {normal_type_name_hash<Ts>()...};

  static std::string_view name(std::uint16_t tag) { return name_in_list<Ts...>(tag); }

  // Of a library whose messages are the types of the list.

  template <class T>
  static constexpr bool accepts = PlacedIn<T, List>;

  template <PlacedIn<List> T>
  static constexpr std::uint16_t tag(const T&) {
    return index_in<T, List>;
  }

  template <class Listener>
  static Result<void> read(std::uint16_t tag, std::span<const std::byte> bytes,
                           Listener& listener) {
    static_assert((Hears<Listener, Ts> || ...),
                  "strait: this listener takes none of the channel's message types.");
    Result<void> result = Errc::malformed;
    static_cast<void>(
        ((tag == index_in<Ts, List> && (result = read_as<Ts>(bytes, listener), true)) || ...));
    return result;
  }

 private:
  template <class Listener, class T>
  static constexpr bool Hears = std::invocable<Listener&, typename Library::template Heard<T>>;

  template <class T, class Listener>
  static Result<void> read_as(std::span<const std::byte> bytes, Listener& listener) {
    if constexpr (Hears<Listener, T>) {
      using Heard = typename Library::template Heard<T>;
      return Library::template decode<T>(bytes, [&](Heard message) -> Result<void> {
        listener(std::forward<Heard>(message));
        return {};
      });
    } else {
      return Errc::unexpected_message;
    }
  }
};

}  // namespace strait::detail
