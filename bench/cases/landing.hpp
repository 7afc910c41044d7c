#pragma once

#include <cstddef>
#include <memory>

namespace bench {

/// A buffer for one message, which keeps its memory.
class Landing {
 public:
  std::byte* room_for(std::size_t bytes) {
    if (bytes > capacity_) {
      data_ = std::make_unique_for_overwrite<std::byte[]>(bytes);
      capacity_ = bytes;
    }
    return data_.get();
  }

 private:
  std::unique_ptr<std::byte[]> data_;
  std::size_t capacity_ = 0;
};

}  // namespace bench
