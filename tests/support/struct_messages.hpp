#pragma once

#include <strait/error.hpp>
#include <strait/serializers/struct.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <system_error>
#include <vector>

#include "support/catch.hpp"

namespace strait_test {

/// The bytes of a message, which have to be as many as its size says.
template <class Serializer, class T>
std::vector<std::byte> encoded(const T& message) {
  const std::size_t size = Serializer::size(message);
  std::vector<std::byte> out(size + 8, std::byte{0xee});
  Serializer::write(message, out.data());
  for (std::size_t i = size; i != out.size(); ++i) CHECK(out[i] == std::byte{0xee});
  out.resize(size);
  return out;
}

/// Bytes at a distance from what is aligned to 64, with nothing behind them.
class Placed {
 public:
  explicit Placed(std::span<const std::byte> bytes, std::size_t shift = 0) : size_(bytes.size()) {
    memory_.resize(64 + shift + size_);
    void* place = memory_.data();
    std::size_t room = memory_.size();
    place = std::align(64, 0, place, room);
    begin_ = static_cast<std::byte*>(place) + shift;
    if (size_ != 0) std::memcpy(begin_, bytes.data(), size_);
  }
  Placed(const Placed&) = delete;
  Placed& operator=(const Placed&) = delete;
  std::span<const std::byte> bytes() const { return {begin_, size_}; }

 private:
  std::vector<std::byte> memory_;
  std::byte* begin_;
  std::size_t size_;
};

/// Reads a `T` and gives it to `check`; the error if it is none.
template <class Serializer, class T, class Check>
std::error_code decode(std::span<const std::byte> bytes, Check&& check, unsigned tag = 0) {
  bool heard = false;
  auto listener = [&](const T& message) {
    heard = true;
    check(message);
  };
  const auto read = Serializer::read(static_cast<std::uint16_t>(tag), bytes, listener);
  CHECK(heard == read.has_value());
  return read.error();
}

/// Whether some bytes are a `T`.
template <class T, class Serializer = strait::StructSerializer<T>>
bool reads(std::span<const std::byte> bytes) {
  const Placed placed(bytes);
  const auto why = decode<Serializer, T>(placed.bytes(), [](const T&) {});
  CHECK((!why || why == strait::Errc::malformed));
  return !why;
}

/// Bytes by their numbers.
template <class... Ts>
std::vector<std::byte> raw(Ts... values) {
  return {static_cast<std::byte>(values)...};
}

}  // namespace strait_test
