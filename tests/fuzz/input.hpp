#pragma once

// What the fuzz targets share.

#include <dirent.h>
#include <poll.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>
#include <type_traits>

namespace strait_test {

inline void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

/// The input, eaten from the front; zeros behind its end.
class Input {
 public:
  explicit Input(std::span<const std::byte> bytes) : bytes_(bytes) {}

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
  std::span<const std::byte> take_bytes(std::size_t size) {
    const auto taken = bytes_.first(size < bytes_.size() ? size : bytes_.size());
    bytes_ = bytes_.subspan(taken.size());
    return taken;
  }

 private:
  std::span<const std::byte> bytes_;
};

/// How many descriptors this process has.
inline std::size_t open_descriptors() {
  std::size_t count = 0;
  DIR* all = ::opendir("/proc/self/fd");
  require(all != nullptr, "the list of descriptors is there");
  while (::readdir(all) != nullptr) ++count;
  ::closedir(all);
  return count;
}

/// Checks that one input leaves as many descriptors as there were.
class DescriptorsAsBefore {
 public:
  DescriptorsAsBefore() : before_(open_descriptors()) {}
  DescriptorsAsBefore(const DescriptorsAsBefore&) = delete;
  DescriptorsAsBefore& operator=(const DescriptorsAsBefore&) = delete;
  ~DescriptorsAsBefore() {
    // A thread in the background closes what a peer has sent.
    for (int i = 0; i != 2000 && open_descriptors() > before_; ++i) ::poll(nullptr, 0, 1);
    require(open_descriptors() == before_, "no descriptor is left, and none is closed twice");
  }

 private:
  std::size_t before_;
};

}  // namespace strait_test
