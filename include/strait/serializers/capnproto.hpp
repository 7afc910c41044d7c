#pragma once

#include <capnp/message.h>
#include <capnp/serialize.h>
#include <kj/io.h>

#include <cstddef>
#include <cstdint>
#include <new>
#include <span>
#include <string_view>
#include <utility>

#include "strait/memory/aligned.hpp"
#include "strait/result.hpp"
#include "strait/serializers/listed.hpp"

namespace strait {

/// A message for a `CapnpSerializer`, with a `Root` to fill in.
template <class Root>
class CapnpMessage {
 public:
  CapnpMessage() { builder_.template initRoot<Root>(); }

  typename Root::Builder root() { return builder_.template getRoot<Root>(); }

  std::size_t size_bytes() const {
    return capnp::computeSerializedSizeInWords(builder_) * sizeof(capnp::word);
  }
  void write_to(std::byte* out) const {
    kj::ArrayOutputStream stream(kj::arrayPtr(reinterpret_cast<kj::byte*>(out), size_bytes()));
    capnp::writeMessage(stream, builder_);
  }

 private:
  // What is only read from it is behind functions that are not const.
  mutable capnp::MallocMessageBuilder builder_;
};

namespace detail {

struct CapnpLibrary {
  static constexpr std::string_view name = "capnproto";

  template <class Root>
  using Heard = typename Root::Reader;

  template <class Root, class Use>
  static Result<void> decode(std::span<const std::byte> bytes, Use&& use) {
    constexpr auto alignment = sizeof(capnp::word);
    if (bytes.empty() || bytes.size() % alignment != 0) return Errc::malformed;
    return read_at_alignment<alignment>(bytes, [&](std::span<const std::byte> aligned) {
      return decode_aligned<Root>(aligned, use);
    });
  }

 private:
  template <class Root, class Use>
  static Result<void> decode_aligned(std::span<const std::byte> bytes, Use& use) {
    [[maybe_unused]] bool used = false;
#if defined(__cpp_exceptions)
    try {
#endif
      const auto* const words = reinterpret_cast<const capnp::word*>(bytes.data());
      const std::size_t count = bytes.size() / sizeof(capnp::word);
      capnp::ReaderOptions options;
      if (options.traversalLimitInWords / 4 < count) options.traversalLimitInWords = 4 * count;
      capnp::FlatArrayMessageReader message(kj::arrayPtr(words, count), options);
      if (message.getEnd() != words + count) return Errc::malformed;
      const auto root = message.getRoot<Root>();
      used = true;
      return use(root);
#if defined(__cpp_exceptions)
    } catch (const kj::Exception&) {
      return Errc::malformed;
    } catch (const std::bad_alloc&) {
      if (used) throw;  // the listener's
      return no_memory();
    }
#endif
  }
};

}  // namespace detail

/// Messages are structs of Cap'n Proto out of a list: `CapnpMessage<Root>` is sent, the listener
/// gets a `Root::Reader`, which reads the message where it lies and ends with the call.
///
/// Both sides list the same structs in the same order; within these the rules of Cap'n Proto say
/// which versions of a schema understand each other.
///
/// Cap'n Proto checks a pointer when it is followed, so a message that is none shows while the
/// listener reads it: a `kj::Exception` that leaves the listener is `malformed`, whatever has
/// thrown it. Its limits hold: 64 structs in each other, and 64 MiB, or four times the message if
/// that is more, that a listener may go through.
template <class... Roots>
class CapnpSerializer : public detail::ListedMessages<detail::CapnpLibrary, Roots...> {
  using typename detail::ListedMessages<detail::CapnpLibrary, Roots...>::List;
  static_assert((requires {
                  typename Roots::Reader;
                  typename Roots::Builder;
                } &&
                 ...),
                "strait: CapnpSerializer takes structs, as capnp makes them of a .capnp file.");

  template <class Message>
  struct RootOf {
    using Type = void;
  };
  template <class Root>
  struct RootOf<CapnpMessage<Root>> {
    using Type = Root;
  };

 public:
  template <class Message>
  static constexpr bool accepts = detail::PlacedIn<typename RootOf<Message>::Type, List>;

  template <class Root>
  static constexpr std::uint16_t tag(const CapnpMessage<Root>&) {
    return detail::index_in<Root, List>;
  }

  template <class Root>
  static std::size_t size(const CapnpMessage<Root>& message) {
    return message.size_bytes();
  }

  template <class Root>
  static void write(const CapnpMessage<Root>& message, std::byte* out) {
    message.write_to(out);
  }
};

}  // namespace strait
