#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace strait::linux_mach {

/// The records with descriptors that a receiver has not read yet. The kernel bounds what all
/// processes of a user have under way; no lane takes a large part of that.
class DescriptorsUnderWay {
 public:
  /// As many as the largest message has.
  static constexpr std::size_t max_descriptors = 127;

  /// Whether `count` more may go when the reader has come up to `read`; the first message always.
  bool admits(std::size_t count, std::uint64_t read) {
    while (records_ != 0 && at(0).end <= read) {
      descriptors_ -= at(0).descriptors;
      bytes_ -= at(0).bytes;
      first_ = (first_ + 1) % max_records;
      --records_;
    }
    return records_ == 0 || (records_ != max_records && count <= max_descriptors - descriptors_);
  }

  /// A record that ends at this position of the ring, with a region of so many bytes.
  void add(std::size_t count, std::uint64_t end, std::size_t bytes) {
    at(records_++) = {end, count, bytes};
    descriptors_ += count;
    bytes_ += bytes;
  }

  /// How many bytes are in the regions among them.
  std::size_t bytes(std::uint64_t read) {
    if (bytes_ != 0) static_cast<void>(admits(0, read));
    return bytes_;
  }

 private:
  static constexpr std::size_t max_records = 64;
  struct Record {
    std::uint64_t end = 0;
    std::size_t descriptors = 0;
    std::size_t bytes = 0;
  };

  Record& at(std::size_t index) { return under_way_[(first_ + index) % max_records]; }

  std::array<Record, max_records> under_way_;
  std::size_t first_ = 0;
  std::size_t records_ = 0;
  std::size_t descriptors_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace strait::linux_mach
