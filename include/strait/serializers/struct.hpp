#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

#include "strait/base/aggregate.hpp"
#include "strait/base/place_in_list.hpp"
#include "strait/base/type_name.hpp"
#include "strait/memory/aligned.hpp"
#include "strait/memory/byte_buffer.hpp"
#include "strait/result.hpp"
#include "strait/serializer.hpp"
#include "strait/serializers/struct/codec.hpp"
#include "strait/serializers/struct/kinds.hpp"
#include "strait/serializers/struct/schema.hpp"

namespace strait {

namespace detail::structs {

template <class... Ts>
consteval std::size_t size_of_list(TypeList<Ts...>) {
  return sizeof...(Ts);
}

/// Beyond this, an object that is read is made on the heap.
inline constexpr std::size_t max_stack_bytes = 16 << 10;

/// Has a sizer or a writer take members, those from `first` on with a digest of their type before.
template <std::size_t first, class Pass>
struct WithDigests {
  Pass& pass;

  template <class... Ts>
  void operator()(const Ts&... values) {
    std::size_t at = 0;
    const auto add = [&](const auto& value, std::uint32_t its_digest) {
      if (at++ >= first) pass.add(its_digest);
      pass.add(value);
    };
    (..., add(values, digest<Ts>));
  }
};

/// Reads members, of which those from `first` on may be missing.
template <std::size_t first>
struct ReadAppended {
  Reader& reader;

  template <class... Ts>
  bool operator()(Ts&... values) {
    std::size_t at = 0;
    return ((at++ < first ? reader.read(values) : reader.at_end() || read(values)) && ...);
  }

 private:
  template <class T>
  bool read(T& value) {
    std::uint32_t came = 0;
    return reader.read(came) && came == digest<T> && reader.read(value);
  }
};

/// An object that is made on the heap; not made where there is no memory.
template <class T>
struct OnHeap {
  T* const object = new (std::nothrow) T{};
  OnHeap() = default;
  OnHeap(const OnHeap&) = delete;
  OnHeap& operator=(const OnHeap&) = delete;
  ~OnHeap() { delete object; }
};

/// Reads a message. Errors: `malformed`, `not_enough_memory`.
template <std::size_t first_appended, bool evolves, bool appended, class T>
Result<void> decode(T& message, std::span<const std::byte> bytes) {
  Reader reader(bytes);
  bool read = true;
  if constexpr (appended) {
    std::uint32_t came = 0;
    read = reader.read(came) && came == message_digest<T>;
  }
  if constexpr (first_appended == 0) {
    read = read && reader.read(message);
  } else {
    read = read && with_members<count_members<T>()>(message, ReadAppended<first_appended>{reader});
  }
  return reader.result(read, evolves);
}

template <class Listener, class T>
concept Hears = requires(Listener& listener, const T& message) {
  listener(message);
};

/// `Base`: of these types the first release is what both sides must agree on. An empty list if that
/// is all types as they are.
template <class Base, class... Ts>
class Serializer {
  static_assert(sizeof...(Ts) > 0, "strait: StructSerializer needs at least one message type.");
  static_assert(((message_schema<Ts>.view_alignment <= payload_alignment) && ...) &&
                    ((alignof(Ts) <= payload_alignment) && ...),
                "strait: messages are aligned to 64 bytes at the most.");

  using List = Places<std::index_sequence_for<Ts...>, Ts...>;
  static_assert((PlacedIn<Ts, List> && ...),
                "strait: a message type is listed twice in this StructSerializer.");

  static constexpr bool evolves = !std::is_same_v<Base, TypeList<>>;

  template <class T>
  static constexpr std::uint16_t index_of = index_in<T, List>;

  /// The member from which on they have come later, or 0 if none has.
  template <class T>
  static consteval std::size_t first_appended() {
    if constexpr (evolves && kind<T> == Kind::aggregate) {
      return base_members<T>() == count_members<T>() ? 0 : base_members<T>();
    } else {
      return 0;
    }
  }
  /// Whether it came later itself.
  template <class T>
  static constexpr bool appended = evolves&& index_of<T> >= size_of_list(Base());

  template <class T>
  static consteval bool in_place() {
    return flat<T> && first_appended<T>() == 0 && !appended<T>;
  }

 public:
  static constexpr std::uint64_t schema_hash = hash_of_list<Ts...>(Base());
  static constexpr std::array type_hashes = hashes_of_list<Ts...>(Base());

  /// When all are of the same few bytes: as `TrivialSerializer`'s.
  static constexpr std::size_t usual_bytes = [](std::size_t first, auto... others) {
    return first <= 256 && ((others == first) && ...) ? first : 0;
  }((in_place<Ts>() ? sizeof(Ts) : SIZE_MAX)...);

  template <class T>
  static constexpr bool accepts = PlacedIn<T, List>;

  static std::string_view name(std::uint16_t tag) { return name_in_list<Ts...>(tag); }

  template <PlacedIn<List> T>
  static constexpr std::uint16_t tag(const T&) {
    return index_of<T>;
  }

  template <PlacedIn<List> T>
  static auto size(const T& message) {
    if constexpr (extent<T>.fixed) {
      constexpr std::size_t first = first_appended<T>();
      constexpr std::size_t digests = appended<T> + (first == 0 ? 0 : count_members<T>() - first);
      return std::integral_constant<std::size_t, extent<T>.min + digests * sizeof(digest<T>)>();
    } else {
      Sizer sizer;
      add(message, sizer);
      return sizer.size();
    }
  }

  template <PlacedIn<List> T>
  static std::span<const std::byte> bytes(const T& message) requires(in_place<T>()) {
    return std::as_bytes(std::span<const T, 1>(&message, 1));
  }

  template <PlacedIn<List> T>
  static void write(const T& message, std::byte* out) {
    Writer writer(out);
    add(message, writer);
  }

  template <class Listener>
  static Result<void> read(std::uint16_t tag, std::span<const std::byte> bytes,
                           Listener& listener) {
    static_assert((Hears<Listener, Ts> || ...),
                  "strait: this listener takes none of the channel's message types.");
    // A newer peer may know more types.
    Result<void> result = evolves ? Errc::unexpected_message : Errc::malformed;
    static_cast<void>(
        ((tag == index_of<Ts> && (result = read_as<Ts>(bytes, listener), true)) || ...));
    return result;
  }

 private:
  template <class T, class Pass>
  static void add(const T& message, Pass& pass) {
    constexpr std::size_t first = first_appended<T>();
    if constexpr (appended<T>) pass.add(message_digest<T>);
    if constexpr (first == 0) {
      pass.add(message);
    } else {
      with_members<count_members<T>()>(message, WithDigests<first, Pass>{pass});
    }
  }

  template <class T, class Listener>
  static Result<void> read_as(std::span<const std::byte> bytes, Listener& listener) {
    constexpr std::size_t alignment = in_place<T>() ? alignof(T) : message_schema<T>.view_alignment;
    return read_at_alignment<alignment>(bytes, [&](std::span<const std::byte> aligned) {
      return read_aligned<T>(aligned, listener);
    });
  }

  template <class T, class Listener>
  static Result<void> read_aligned(std::span<const std::byte> bytes, Listener& listener) {
    if constexpr (in_place<T>()) {
      const bool fits = evolves ? bytes.size() >= sizeof(T) : bytes.size() == sizeof(T);
      if (!fits || !holds_flat<T>(bytes.data())) return Errc::malformed;
      // The buffer was filled by memcpy or by the kernel, which makes a trivially copyable T there.
      return tell(*std::launder(reinterpret_cast<const T*>(bytes.data())), listener);
    } else {
      [[maybe_unused]] bool read = false;
#if defined(__cpp_exceptions)
      try {
#endif
        return make<T>(bytes, [&](const T& message) {
          read = true;
          return tell(message, listener);
        });
#if defined(__cpp_exceptions)
      } catch (const std::bad_alloc&) {
        if (read) throw;  // the listener's
        return no_memory();
      }
#endif
    }
  }

  template <class T, class Use>
  static Result<void> make(std::span<const std::byte> bytes, Use&& use) {
    constexpr auto read = decode<first_appended<T>(), evolves, appended<T>, T>;
    if constexpr (sizeof(T) <= max_stack_bytes) {
      T message{};
      const Result<void> done = read(message, bytes);
      return done ? use(message) : done;
    } else {
      const OnHeap<T> message;
      if (message.object == nullptr) return no_memory();
      const Result<void> done = read(*message.object, bytes);
      return done ? use(*message.object) : done;
    }
  }

  template <class T, class Listener>
  static Result<void> tell(const T& message, Listener& listener) {
    if constexpr (Hears<Listener, T>) {
      listener(message);
      return {};
    } else {
      return Errc::unexpected_message;
    }
  }
};

}  // namespace detail::structs

/// Message types that may grow, as the first argument of a `StructSerializer`:
/// `StructSerializer<Evolving<Request, Reply>>`. Builds of both ages talk to each other when since
/// the first release
///
///   - members were appended to these types, of which each says how many it had at first, by
///     `static constexpr std::size_t schema_base_members = 2;`
///   - types were appended to the list, behind `Evolving`:
///     `StructSerializer<Evolving<Request, Reply>, Cancel>`.
///
/// An older build does not see the new members, a newer one finds them as the type's author
/// initialized them. A message of a type that a build does not know is `unexpected_message`. All
/// else is refused at the handshake: another first release, or a change in a struct that is a
/// member of these (append to the message instead). What was appended once stays: a later member or
/// type that two builds have differently is `malformed` when it comes.
template <class... Ts>
struct Evolving;

/// Messages are structs as they are, out of a closed set that both sides agree on, or any other
/// type that can be a member of one. The listener gets a `const T&` that ends with the call.
///
/// Members may be
///
///   - numbers, `bool`, enumerations, `std::chrono` durations and time points
///   - `std::string`, `std::vector` and other lists, `std::map`, `std::unordered_map`
///   - `std::string_view` and `std::span<const T>`: sent whole, with nothing allocated; on arrival
///     they show what lies in the message, so they end with the call, too
///   - arrays, `std::pair`, `std::tuple`, `std::optional`, `std::variant`, `std::unique_ptr`
///   - structs of such members, of 32 at the most and each with a default; also of themselves, by a
///     list, a map or a `std::unique_ptr`
///   - what `StructTraits` says how to represent.
///
/// Both sides must have the same list, in the same order, of types of the same structure: the names
/// of structs (without namespaces) and the types of their members in their order. A list is a list:
/// one side may have a `std::string` where the other one has a `std::string_view`, or a vector and
/// a span. What changes only in meaning needs a `schema_version`.
///
/// The bytes, in the order of the members and with nothing between: numbers as they lie in memory,
/// a bool as 0 or 1; a list as a count of 32 bits, zeros up to its elements' alignment from the
/// beginning of the message (if they are numbers or structs of numbers without padding, and there
/// are any), and the elements; a map as a count, keys and values; an optional or an owned object as
/// a bool and what is there; a variant as an index of 8 bits and that alternative. An element of no
/// bytes is a zero. Before what was appended (see `Evolving`) stand 32 bits of its type's hash.
///
/// Nothing is allocated to send. A struct of numbers without padding is one copy, and is read where
/// it lies. What can't be sent is as large as no channel takes, so that `send` answers
/// `message_too_large`: a list of 2^32 elements, a variant without a value, more than 64 lists,
/// maps and owned objects in each other.
///
/// Reading believes nothing. Errors: `malformed` for whatever is no message: a count of more than
/// the bytes behind it can hold, a bool or an enumeration of no value (see `StructTraits`), a key
/// twice or not equal to itself, more than 128 keys in one bucket, more depth than is sent, bytes
/// that are left over; `not_enough_memory`, which without exceptions ends the process where the
/// standard library allocates.
template <class... Ts>
class StructSerializer : public detail::structs::Serializer<detail::TypeList<>, Ts...> {};

template <class... Base, class... Later>
class StructSerializer<Evolving<Base...>, Later...>
    : public detail::structs::Serializer<detail::TypeList<Base...>, Base..., Later...> {};

}  // namespace strait
