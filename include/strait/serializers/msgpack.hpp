#pragma once

#include <cstddef>
#include <cstdint>
#include <msgpack.hpp>
#include <span>
#include <string_view>
#include <type_traits>

#include "strait/memory/encode_buffer.hpp"
#include "strait/result.hpp"
#include "strait/serializers/listed.hpp"

namespace strait {

/// Whether msgpack's own adaptors, or those of the program, know a type without MSGPACK_DEFINE in
/// it: specialize it as true for such a message type.
template <class T>
inline constexpr bool msgpack_adapted = false;

namespace detail::msgpacks {

/// Lists and maps in each other.
inline constexpr std::size_t max_depth = 64;

struct Stream {
  EncodeBuffer& out;

  void write(const char* from, std::size_t bytes) { out.append(from, bytes); }
};

template <class T>
concept Defined = requires(const T& message, T& into, msgpack::packer<Stream>& packer,
                           const msgpack::object& object) {
  message.msgpack_pack(packer);
  into.msgpack_unpack(object);
};

/// Looks whether a message is one before memory is taken for it: msgpack makes room for as many
/// elements as a list says that it has, and calls itself for each level when it converts.
class Inspection : public msgpack::null_visitor {
 public:
  bool start_array(std::uint32_t) { return ++depth_ <= max_depth; }
  bool start_map(std::uint32_t) { return ++depth_ <= max_depth; }
  bool end_array() { return --depth_, true; }
  bool end_map() { return --depth_, true; }

 private:
  std::size_t depth_ = 0;
};

struct Library {
  static constexpr std::string_view name = "msgpack";

  template <class T>
  using Heard = const T&;

  template <class T, class Use>
  static Result<void> decode(std::span<const std::byte> bytes, Use&& use) {
    // The objects refer to strings where they lie, so both end after the message.
    msgpack::object_handle objects;
    T message{};
    const auto read = without_exceptions(Errc::malformed, [&]() -> Result<void> {
      const auto* const data = reinterpret_cast<const char*>(bytes.data());
      Inspection inspection;
      std::size_t end = 0;
      if (bytes.empty() || !msgpack::parse(data, bytes.size(), end, inspection) ||
          end != bytes.size()) {
        return Errc::malformed;
      }
      const auto refer = [](msgpack::type::object_type, std::size_t, void*) { return true; };
      msgpack::unpack(objects, data, bytes.size(), refer);
      objects.get().convert(message);
      return {};
    });
    return read ? use(message) : read;
  }
};

}  // namespace detail::msgpacks

/// Messages are classes with MSGPACK_DEFINE (or another of its kind) in them, or what else msgpack
/// has adaptors for, see `msgpack_adapted`. The listener gets a `const T&` that ends with the call;
/// views in it (`msgpack::type::raw_ref`, `std::string_view`) show what lies in the message.
///
/// Both sides list the same types in the same order; within these msgpack's own rules say what is
/// compatible: lists by place, MSGPACK_DEFINE_MAP by name.
///
/// Up to 64 lists and maps may be in each other; a message takes up to some 30 times the memory of
/// its bytes, beside what the message type itself makes of them. Errors of `send`:
/// `invalid_message` for what msgpack can't pack.
template <class... Ts>
class MsgpackSerializer : public detail::ListedMessages<detail::msgpacks::Library, Ts...> {
  using typename detail::ListedMessages<detail::msgpacks::Library, Ts...>::List;
  static_assert(((detail::msgpacks::Defined<Ts> || msgpack_adapted<Ts>)&&...),
                "strait: a message type of MsgpackSerializer has MSGPACK_DEFINE in it, or "
                "strait::msgpack_adapted says that msgpack knows it.");
  static_assert((std::is_default_constructible_v<Ts> && ...),
                "strait: a message type of MsgpackSerializer has a default constructor.");

 public:
  template <detail::PlacedIn<List> T>
  static void encode(const T& message, EncodeBuffer& out) {
    const auto packed = detail::without_exceptions(Errc::invalid_message, [&]() -> Result<void> {
      detail::msgpacks::Stream stream{out};
      msgpack::pack(stream, message);
      return {};
    });
    if (!packed) out.fail(packed.error());
  }
};

}  // namespace strait
