#pragma once

#include <cereal/cereal.hpp>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <type_traits>

#include "strait/memory/encode_buffer.hpp"
#include "strait/result.hpp"
#include "strait/serializers/listed.hpp"

namespace strait {

namespace detail::cereals {

/// Objects in each other.
inline constexpr int max_depth = 256;

template <class T>
concept Number = std::is_arithmetic_v<T> && !std::is_same_v<T, long double>;
template <class T>
concept Pointed = Number<std::remove_cvref_t<std::remove_pointer_t<std::remove_cvref_t<T>>>>;

/// Counts how deep the objects are that an archive is in.
class Depth {
 public:
  void enter() {
    if (++depth_ > max_depth) throw cereal::Exception("too many objects in each other");
  }
  void leave() { --depth_; }

 private:
  int depth_ = 0;
};

/// Writes what cereal's binary archive would.
class Output : public cereal::OutputArchive<Output, cereal::AllowEmptyClassElision>, public Depth {
 public:
  explicit Output(EncodeBuffer& out) : OutputArchive(this), out_(out) {}

  void save(const void* from, std::size_t bytes) { out_.append(from, bytes); }

 private:
  EncodeBuffer& out_;
};

/// Reads it, and believes nothing: lists may not say that they have more elements, all together,
/// than the message has bytes, so that no memory is taken for what is not there.
class Input : public cereal::InputArchive<Input, cereal::AllowEmptyClassElision>, public Depth {
 public:
  explicit Input(std::span<const std::byte> bytes)
      : InputArchive(this), rest_(bytes), elements_left_(bytes.size()) {}

  void load(void* into, std::size_t bytes) {
    if (bytes > rest_.size()) throw cereal::Exception("the message ends too early");
    if (bytes != 0) std::memcpy(into, rest_.data(), bytes);
    rest_ = rest_.subspan(bytes);
  }
  /// A bool of another value than these is none.
  void load_bools(void* into, std::size_t count) {
    for (const std::byte value : rest_.first(count < rest_.size() ? count : rest_.size())) {
      if (value > std::byte{1}) throw cereal::Exception("not a bool");
    }
    load(into, count);
  }
  void take_elements(std::uint64_t count) {
    if (count > elements_left_) throw cereal::Exception("more elements than there can be");
    elements_left_ -= count;
  }
  bool at_end() const { return rest_.empty(); }

 private:
  std::span<const std::byte> rest_;
  std::uint64_t elements_left_;
};

// What cereal looks for.

template <Number T>
void CEREAL_SAVE_FUNCTION_NAME(Output& archive, const T& value) {
  archive.save(&value, sizeof value);
}
template <Number T>
void CEREAL_LOAD_FUNCTION_NAME(Input& archive, T& value) {
  if constexpr (std::is_same_v<T, bool>) {
    archive.load_bools(&value, 1);
  } else {
    archive.load(&value, sizeof value);
  }
}
template <Pointed T>
void CEREAL_SAVE_FUNCTION_NAME(Output& archive, const cereal::BinaryData<T>& data) {
  archive.save(data.data, static_cast<std::size_t>(data.size));
}
template <Pointed T>
void CEREAL_LOAD_FUNCTION_NAME(Input& archive, cereal::BinaryData<T>& data) {
  using Element = std::remove_cvref_t<std::remove_pointer_t<std::remove_cvref_t<T>>>;
  const auto bytes = static_cast<std::size_t>(data.size);
  if constexpr (std::is_same_v<Element, bool>) {
    archive.load_bools(data.data, bytes);
  } else {
    archive.load(data.data, bytes);
  }
}
template <class T>
void CEREAL_SAVE_FUNCTION_NAME(Output& archive, const cereal::SizeTag<T>& tag) {
  archive(tag.size);
}
template <class T>
void CEREAL_LOAD_FUNCTION_NAME(Input& archive, cereal::SizeTag<T>& tag) {
  archive(tag.size);
  archive.take_elements(tag.size);
}
template <class T>
void CEREAL_SAVE_FUNCTION_NAME(Output& archive, const cereal::NameValuePair<T>& pair) {
  archive(pair.value);
}
template <class T>
void CEREAL_LOAD_FUNCTION_NAME(Input& archive, cereal::NameValuePair<T>& pair) {
  archive(pair.value);
}

template <class T>
inline constexpr bool is_shared = false;
template <class T>
inline constexpr bool is_shared<std::shared_ptr<T>> = true;
template <class T>
inline constexpr bool is_shared<std::weak_ptr<T>> = true;

template <class T>
constexpr void check_type() {
  static_assert(!is_shared<T>,
                "strait: a std::shared_ptr is read as any type that a peer chooses; use "
                "std::unique_ptr in messages of CerealSerializer.");
}
template <class T>
void prologue(Output& archive, const T&) {
  check_type<T>();
  archive.enter();
}
template <class T>
void prologue(Input& archive, const T&) {
  check_type<T>();
  archive.enter();
}
template <class T>
void epilogue(Output& archive, const T&) {
  archive.leave();
}
template <class T>
void epilogue(Input& archive, const T&) {
  archive.leave();
}

struct Library {
  static constexpr std::string_view name = "cereal";

  template <class T>
  using Heard = const T&;

  template <class T, class Use>
  static Result<void> decode(std::span<const std::byte> bytes, Use&& use) {
    T message{};
    const auto read = without_exceptions(Errc::malformed, [&]() -> Result<void> {
      Input archive(bytes);
      archive(message);
      return archive.at_end() ? Result<void>() : Errc::malformed;
    });
    return read ? use(message) : read;
  }
};

}  // namespace detail::cereals

/// Messages are what cereal serializes: classes with `serialize`, or `save` and `load`, in them or
/// beside them, of members for which the program includes cereal's headers (`cereal/types/`). The
/// listener gets a `const T&` that ends with the call.
///
/// The bytes are those of cereal's binary archive. Both sides list the same types in the same
/// order, and must be built with the same members: cereal's class versions alone are told apart.
///
/// Not taken: `std::shared_ptr` and `std::weak_ptr`, which cereal reads as any type that a peer
/// chooses; `long double`, which has padding; polymorphic types. Lists of empty classes don't
/// arrive, since an element must have a byte. Up to 256 objects may be in each other. Errors of
/// `send`: `invalid_message` for what is deeper, or what cereal refuses.
///
/// Needs exceptions, as cereal does.
template <class... Ts>
class CerealSerializer : public detail::ListedMessages<detail::cereals::Library, Ts...> {
  using typename detail::ListedMessages<detail::cereals::Library, Ts...>::List;
  static_assert((cereal::traits::is_output_serializable<Ts, detail::cereals::Output>::value && ...),
                "strait: cereal can't save this message type: it needs a `serialize`, or `save` "
                "and `load`.");
  static_assert((cereal::traits::is_input_serializable<Ts, detail::cereals::Input>::value && ...),
                "strait: cereal can't load this message type: it needs a `serialize`, or `save` "
                "and `load`.");
  static_assert((std::is_default_constructible_v<Ts> && ...),
                "strait: a message type of CerealSerializer has a default constructor.");

 public:
  template <detail::PlacedIn<List> T>
  static void encode(const T& message, EncodeBuffer& out) {
    const auto saved = detail::without_exceptions(Errc::invalid_message, [&]() -> Result<void> {
      detail::cereals::Output archive(out);
      archive(message);
      return {};
    });
    if (!saved) out.fail(saved.error());
  }
};

}  // namespace strait
