#pragma once

#include <google/protobuf/arena.h>
#include <google/protobuf/message_lite.h>

#include <climits>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <type_traits>

#include "strait/result.hpp"
#include "strait/serializers/listed.hpp"

namespace strait {

namespace detail {

struct ProtobufLibrary {
  static constexpr std::string_view name = "protobuf";

  template <class T>
  using Heard = const T&;

  template <class T, class Use>
  static Result<void> decode(std::span<const std::byte> bytes, Use&& use) {
    if (bytes.size() > INT_MAX) return Errc::malformed;
    alignas(std::max_align_t) char small_messages[4096];
    google::protobuf::ArenaOptions options;
    options.initial_block = small_messages;
    options.initial_block_size = sizeof small_messages;
    google::protobuf::Arena arena(options);
    const T* message = nullptr;
    const auto parsed = without_exceptions(Errc::malformed, [&]() -> Result<void> {
      T* const into = google::protobuf::Arena::CreateMessage<T>(&arena);
      // Not the whole parse, which would write to the standard error what it misses.
      if (!into->ParsePartialFromArray(bytes.data(), static_cast<int>(bytes.size())) ||
          !into->IsInitialized()) {
        return Errc::malformed;
      }
      message = into;
      return {};
    });
    return parsed ? use(*message) : parsed;
  }
};

}  // namespace detail

/// Messages are what protoc makes of a .proto file, also for the lite runtime. The listener gets a
/// `const T&`, which lies in an arena and ends with the call.
///
/// Both sides list the same types in the same order; within these the rules of protobuf say which
/// versions of a file understand each other.
///
/// The size is computed once, and the message is written into the transport's memory with nothing
/// between. Received ones of up to some 4 KiB take nothing from the heap but their long strings.
/// Protobuf's own bounds hold: 100 messages in each other, 2 GiB. A message may take a hundred
/// times the memory of its bytes, as many empty ones in a list do.
///
/// Errors of `send`: `invalid_message` if a required field is missing. Received bytes that are no
/// message are `malformed`; protobuf itself says on the standard error when a string of proto3 is
/// no UTF-8 (see `google::protobuf::SetLogHandler`).
template <class... Ts>
class ProtobufSerializer : public detail::ListedMessages<detail::ProtobufLibrary, Ts...> {
  using typename detail::ListedMessages<detail::ProtobufLibrary, Ts...>::List;
  static_assert((std::is_base_of_v<google::protobuf::MessageLite, Ts> && ...),
                "strait: ProtobufSerializer takes the classes that protoc makes of a .proto file.");

 public:
  template <detail::PlacedIn<List> T>
  static Result<void> check(const T& message) {
    return message.IsInitialized() ? Result<void>() : Errc::invalid_message;
  }

  template <detail::PlacedIn<List> T>
  static std::size_t size(const T& message) {
    const std::size_t bytes = message.ByteSizeLong();
    return bytes > INT_MAX ? SIZE_MAX : bytes;
  }

  /// `size` has left in the message what this needs.
  template <detail::PlacedIn<List> T>
  static void write(const T& message, std::byte* out) {
    message.SerializeWithCachedSizesToArray(reinterpret_cast<std::uint8_t*>(out));
  }
};

}  // namespace strait
