#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <ostream>
#include <span>
#include <streambuf>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "strait/memory/encode_buffer.hpp"
#include "strait/result.hpp"
#include "strait/serializers/listed.hpp"

namespace strait {

namespace detail::json {

/// Objects and lists in each other.
inline constexpr std::size_t max_depth = 64;

inline bool is_too_deep(const nlohmann::json& value, std::size_t depth = 0) {
  if (!value.is_structured() || value.empty()) return false;
  if (depth == max_depth) return true;
  for (const auto& element : value) {
    if (is_too_deep(element, depth + 1)) return true;
  }
  return false;
}

/// An output stream's way into an `EncodeBuffer`.
class StreamBuffer final : public std::streambuf {
 public:
  explicit StreamBuffer(EncodeBuffer& out) : out_(out) {}

 private:
  std::streamsize xsputn(const char* from, std::streamsize bytes) override {
    out_.append(from, static_cast<std::size_t>(bytes));
    return bytes;
  }
  int_type overflow(int_type byte) override {
    const char one = traits_type::to_char_type(byte);
    out_.append(&one, 1);
    return traits_type::not_eof(byte);
  }

  EncodeBuffer& out_;
};

/// Builds a value from the events of nlohmann's parser, which calls itself for each level, and so
/// has to be stopped before the stack ends.
class Builder {
 public:
  using Json = nlohmann::json;

  bool null() { return add(nullptr); }
  bool boolean(bool value) { return add(value); }
  bool number_integer(Json::number_integer_t value) { return add(value); }
  bool number_unsigned(Json::number_unsigned_t value) { return add(value); }
  bool number_float(Json::number_float_t value, const std::string&) { return add(value); }
  bool string(std::string& value) { return add(std::move(value)); }
  bool binary(Json::binary_t& value) { return add(std::move(value)); }
  bool start_object(std::size_t) { return open(Json::object()); }
  bool start_array(std::size_t) { return open(Json::array()); }
  bool end_object() { return close(); }
  bool end_array() { return close(); }
  bool key(std::string& name) {
    key_ = std::move(name);
    return !open_.back()->contains(key_);
  }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) {
    return false;
  }

  Json take() { return std::move(root_); }

 private:
  template <class Value>
  bool add(Value&& value) {
    static_cast<void>(put(Json(std::forward<Value>(value))));
    return true;
  }
  bool open(Json&& value) {
    if (open_.size() == max_depth) return false;
    open_.push_back(put(std::move(value)));
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }
  Json* put(Json&& value) {
    if (open_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    Json& into = *open_.back();
    if (into.is_object()) return &(into[key_] = std::move(value));
    into.push_back(std::move(value));
    return &into.back();
  }

  Json root_;
  std::vector<Json*> open_;
  std::string key_;
};

struct Library {
  static constexpr std::string_view name = "json";

  template <class T>
  using Heard = const T&;

  template <class T, class Use>
  static Result<void> decode(std::span<const std::byte> bytes, Use&& use) {
    nlohmann::json message;
    const auto read = without_exceptions(Errc::malformed, [&]() -> Result<void> {
      Builder builder;
      const auto* const begin = reinterpret_cast<const std::uint8_t*>(bytes.data());
      if (!nlohmann::json::sax_parse(begin, begin + bytes.size(), &builder,
                                     nlohmann::json::input_format_t::cbor)) {
        return Errc::malformed;
      }
      message = builder.take();
      return {};
    });
    return read ? use(std::as_const(message)) : read;
  }
};

}  // namespace detail::json

/// Messages are values of `nlohmann::json`, sent as CBOR. The listener gets a
/// `const nlohmann::json&` that ends with the call. Both sides agree on nothing but that: whether a
/// message has what is looked for in it is for the listener to see, whose own exceptions are its
/// own (`value("key", default)` throws where `[]` would not be defined).
///
/// An object with a key twice is `malformed`. Up to 64 lists and objects may be in each other; a
/// message may take a hundred times the memory of its bytes.
///
/// Errors of `send`: `invalid_message` for what is deeper.
class JsonSerializer : public detail::ListedMessages<detail::json::Library, nlohmann::json> {
 public:
  template <class T>
  static constexpr bool accepts = std::is_same_v<T, nlohmann::json>;

  static constexpr std::uint16_t tag(const nlohmann::json&) { return 0; }

  static void encode(const nlohmann::json& message, EncodeBuffer& out) {
    const auto encoded = detail::without_exceptions(Errc::invalid_message, [&]() -> Result<void> {
      if (detail::json::is_too_deep(message)) return Errc::invalid_message;
      detail::json::StreamBuffer buffer(out);
      std::ostream stream(&buffer);
      nlohmann::json::to_cbor(message, stream);
      return {};
    });
    if (!encoded) out.fail(encoded.error());
  }
};

}  // namespace strait
