#pragma once

#include <flatbuffers/flatbuffers.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

#include "strait/memory/aligned.hpp"
#include "strait/memory/out_of_line.hpp"
#include "strait/result.hpp"
#include "strait/serializers/listed.hpp"

namespace strait {

/// A message for a `FlatBuffersSerializer`: a builder of FlatBuffers whose root is a `Root`. After
/// `clear` another message can be built in the same memory.
template <class Root>
class FlatBufferMessage {
 public:
  explicit FlatBufferMessage(std::size_t expected_bytes = 1024) : builder_(expected_bytes) {}

  flatbuffers::FlatBufferBuilder& builder() { return builder_; }

  /// The message is complete, and can be sent.
  void finish(flatbuffers::Offset<Root> root) {
    builder_.Finish(root);
    finished_ = true;
  }
  void clear() {
    builder_.Clear();
    finished_ = false;
  }

  bool finished() const { return finished_; }
  std::span<const std::byte> bytes() const {
    if (!finished_) return {};
    return {reinterpret_cast<const std::byte*>(builder_.GetBufferPointer()), builder_.GetSize()};
  }

 private:
  flatbuffers::FlatBufferBuilder builder_;
  bool finished_ = false;
};

/// The same in a buffer of `Channel::out_of_line_bytes`, so that the receiver reads the message
/// where it was built: `send(std::move(message))`, after which there is nothing in it. All of the
/// buffer is sent, also what the message has not used of it. A message that outgrows it is built in
/// other memory, and is not sent.
///
/// Ownership: the buffer's. It is not built on any more when it has been sent.
template <class Root>
class FlatBufferInPlace {
 public:
  explicit FlatBufferInPlace(OutOfLineBytes buffer)
      : buffer_(std::move(buffer)),
        allocator_(room_in(buffer_)),
        builder_(allocator_.room().empty() ? 1024 : allocator_.room().size(), &allocator_) {}
  FlatBufferInPlace(const FlatBufferInPlace&) = delete;
  FlatBufferInPlace& operator=(const FlatBufferInPlace&) = delete;

  flatbuffers::FlatBufferBuilder& builder() { return builder_; }

  /// The message is complete, and can be sent. Errors: `message_too_large` if it has outgrown the
  /// buffer.
  Result<void> finish(flatbuffers::Offset<Root> root) {
    builder_.Finish(root);
    // A builder fills its memory from the end. All of it is one message when what it begins with
    // leads to the root.
    const std::span<std::byte> room = allocator_.room();
    const auto* const front = reinterpret_cast<const std::uint8_t*>(room.data());
    const std::uint8_t* const begin = builder_.GetBufferPointer();
    if (begin + builder_.GetSize() != front + room.size()) return Errc::message_too_large;
    const auto its_root = flatbuffers::ReadScalar<flatbuffers::uoffset_t>(begin);
    const auto unused = static_cast<flatbuffers::uoffset_t>(begin - front);
    flatbuffers::WriteScalar(room.data(), unused + its_root);
    finished_ = true;
    return {};
  }

  bool finished() const { return finished_; }
  std::span<const std::byte> bytes() const { return buffer_.bytes(); }

  /// For the library.
  OutOfLineBytes& out_of_line() { return buffer_; }
  void was_sent() {
    finished_ = false;
    buffer_ = {};
  }

 private:
  /// Gives out the buffer first, and other memory to what has outgrown that.
  class Allocator final : public flatbuffers::Allocator {
   public:
    explicit Allocator(std::span<std::byte> room) : room_(room) {}

    std::span<std::byte> room() const { return room_; }

    std::uint8_t* allocate(std::size_t bytes) override {
      if (bytes == room_.size() && !std::exchange(given_, true)) {
        return reinterpret_cast<std::uint8_t*>(room_.data());
      }
      return new std::uint8_t[bytes];
    }
    void deallocate(std::uint8_t* from, std::size_t) override {
      if (from != reinterpret_cast<std::uint8_t*>(room_.data())) delete[] from;
    }

   private:
    std::span<std::byte> room_;
    bool given_ = false;
  };

  /// FlatBuffers are aligned as seen from their end.
  static std::span<std::byte> room_in(OutOfLineBytes& buffer) {
    const auto all = buffer.writable();
    constexpr std::size_t alignment = detail::payload_alignment;
    return all ? all->first(all->size() / alignment * alignment) : std::span<std::byte>();
  }

  OutOfLineBytes buffer_;
  Allocator allocator_;
  flatbuffers::FlatBufferBuilder builder_;
  bool finished_ = false;
};

namespace detail {

struct FlatBuffersLibrary {
  static constexpr std::string_view name = "flatbuffers";

  template <class Root>
  using Heard = const Root&;

  /// Each part of a message says where the next one is, so that lines from another core's cache
  /// would be waited for one after the other.
  static void fetch_ends(const std::uint8_t* data, std::size_t bytes) {
    constexpr std::size_t line_bytes = 64;
    for (std::size_t line = 0; line != 3; ++line) __builtin_prefetch(data + line * line_bytes);
    __builtin_prefetch(data + bytes - 1);
  }

  template <class Root, class Use>
  static Result<void> decode(std::span<const std::byte> bytes, Use&& use) {
    // As large as the largest alignment that a field of a table usually has.
    return read_at_alignment<16>(bytes, [&](std::span<const std::byte> aligned) -> Result<void> {
      if (aligned.size() >= FLATBUFFERS_MAX_BUFFER_SIZE) return Errc::malformed;
      const auto* const data = reinterpret_cast<const std::uint8_t*>(aligned.data());
      if (aligned.size() > detail::max_unaligned_bytes) fetch_ends(data, aligned.size());
      flatbuffers::Verifier verifier(data, aligned.size());
      if (!verifier.VerifyBuffer<Root>(nullptr)) return Errc::malformed;
      return use(*flatbuffers::GetRoot<Root>(data));
    });
  }
};

}  // namespace detail

/// Messages are FlatBuffers whose roots are tables out of a list: `FlatBufferMessage<Root>` and
/// `FlatBufferInPlace<Root>` are sent, the listener gets a `const Root&` that ends with the call,
/// and reads the message where it lies, verified (up to 64 tables in each other, a million in all).
///
/// Both sides list the same tables in the same order; within these the rules of FlatBuffers say
/// which versions of a schema understand each other. What is read in place under a loan, a peer can
/// change after it was verified: see `LoanUpTo`.
///
/// Errors of `send`: `invalid_message` for a message that is not finished.
template <class... Roots>
class FlatBuffersSerializer : public detail::ListedMessages<detail::FlatBuffersLibrary, Roots...> {
  using typename detail::ListedMessages<detail::FlatBuffersLibrary, Roots...>::List;
  static_assert((std::is_base_of_v<flatbuffers::Table, Roots> && ...),
                "strait: FlatBuffersSerializer takes tables, as flatc makes them of a .fbs file.");

  template <class Message>
  struct RootOf {
    using Type = void;
  };
  template <class Root>
  struct RootOf<FlatBufferMessage<Root>> {
    using Type = Root;
  };
  template <class Root>
  struct RootOf<FlatBufferInPlace<Root>> {
    using Type = Root;
  };
  template <class Message>
  using Root = typename RootOf<Message>::Type;

 public:
  template <class Message>
  static constexpr bool accepts = detail::PlacedIn<Root<Message>, List>;

  template <class Message>
  static constexpr std::uint16_t tag(const Message&) {
    return detail::index_in<Root<Message>, List>;
  }

  template <class Message>
  static Result<void> check(const Message& message) {
    return message.finished() ? Result<void>() : Errc::invalid_message;
  }

  template <class Message>
  static std::size_t size(const Message& message) {
    return message.bytes().size();
  }

  template <class Message>
  static std::span<const std::byte> bytes(const Message& message) {
    return message.bytes();
  }

  template <class Message>
  static void write(const Message& message, std::byte* out) {
    const auto all = message.bytes();
    if (!all.empty()) std::memcpy(out, all.data(), all.size());
  }
};

}  // namespace strait
