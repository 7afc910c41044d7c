#pragma once

// What the fuzz targets have in common.

#include <dirent.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>
#include <thread>
#include <type_traits>

namespace strait_fuzz {

using Bytes = std::span<const std::byte>;

inline void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

/// The input, eaten from the front; zeros behind its end.
class Input {
 public:
  explicit Input(Bytes bytes) : bytes_(bytes) {}

  bool empty() const { return bytes_.empty(); }
  template <class T = std::uint8_t>
  T take() {
    T value{};
    const std::size_t size = bytes_.size() < sizeof value ? bytes_.size() : sizeof value;
    if (size != 0) std::memcpy(&value, bytes_.data(), size);
    bytes_ = bytes_.subspan(size);
    return value;
  }
  /// One of 0 to `count` - 1.
  template <class T = std::uint8_t>
  T below(std::type_identity_t<T> count) {
    return static_cast<T>(take<T>() % count);
  }
  Bytes take_bytes(std::size_t size) {
    const Bytes taken = bytes_.first(size < bytes_.size() ? size : bytes_.size());
    bytes_ = bytes_.subspan(taken.size());
    return taken;
  }

 private:
  Bytes bytes_;
};

/// How many descriptors this process has open, with the one that counts them.
inline std::size_t open_descriptors() {
  DIR* directory = ::opendir("/dev/fd");
  require(directory != nullptr, "the descriptors can be counted");
  std::size_t count = 0;
  while (const dirent* entry = ::readdir(directory)) count += entry->d_name[0] != '.';
  ::closedir(directory);
  return count;
}

/// Whether `holds()` comes true within ten seconds.
template <class Predicate>
bool eventually(Predicate&& holds) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds{10};
  while (!holds()) {
    if (std::chrono::steady_clock::now() >= end) return false;
    std::this_thread::yield();
  }
  return true;
}

/// Whether it is so many, after a moment: a thread may have to close what a peer had sent.
inline bool open_descriptors_are(std::size_t count) {
  return eventually([&] { return open_descriptors() == count; });
}

/// Checks that one input leaves as many descriptors as there were.
class DescriptorsAsBefore {
 public:
  DescriptorsAsBefore() = default;
  DescriptorsAsBefore(const DescriptorsAsBefore&) = delete;
  DescriptorsAsBefore& operator=(const DescriptorsAsBefore&) = delete;
  ~DescriptorsAsBefore() {
    require(open_descriptors_are(before_), "no descriptor is left, and none is closed twice");
  }

 private:
  const std::size_t before_ = open_descriptors();
};

}  // namespace strait_fuzz
