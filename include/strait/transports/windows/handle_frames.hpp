#pragma once

#include <array>
#include <cstddef>
#include <cstring>
#include <span>
#include <utility>

#include "strait/base/slice.hpp"
#include "strait/framing/frame_queue.hpp"
#include "strait/os/gathered.hpp"
#include "strait/os/native_handle.hpp"
#include "strait/os/windows/peer_process.hpp"
#include "strait/os/windows/pipe_end.hpp"
#include "strait/result.hpp"
#include "strait/rights/right_list.hpp"
#include "strait/rights/windows/handle_transfer.hpp"

// A message with rights goes over a pipe as two frames: one with the numbers of the handles, whose
// header tells how many rights they are, and the message's own, whose header tells the same. To a
// receiver with an inbox the first one is empty.

namespace strait::detail {

/// Writes frames into a pipe, and before one with rights the frame that tells of them.
class HandleFrameWriter {
 public:
  HandleFrameWriter(os::PipeEnd& to, os::HandleSender& handles) : to_(to), handles_(handles) {}

  Result<std::size_t> operator()(Slice<const os::GatheredPart> parts) const {
    return to_.write(parts);
  }

  /// With the first `count` of the rights, which are those of the first frame in `parts`. How many
  /// bytes of the parts were written.
  Result<std::size_t> operator()(Slice<const os::GatheredPart> parts, const RightList& rights,
                                 std::size_t count) const {
    std::array<NativeHandle, max_rights> handles;
    std::size_t known = 0;
    rights.for_each([&](const Right& right) { handles[known++] = right.descriptor.get(); }, count);
    const auto numbers = handles_.numbers_of(std::span(handles).first(known));
    if (numbers.failed_with(Errc::would_block)) return std::size_t{0};
    if (!numbers) return numbers.error();
    FrameHeader header{static_cast<std::uint32_t>(numbers->size_bytes()), 0, 0,
                       static_cast<std::uint8_t>(count)};
    std::array<os::GatheredPart, 2 + max_parts> all{
        {{&header, sizeof header},
         {const_cast<os::HandleNumber*>(numbers->data()), numbers->size_bytes()}}};
    std::size_t used = 2;
    for (const os::GatheredPart& part : parts.first((min)(parts.size(), max_parts))) {
      all[used++] = part;
    }
    auto written = to_.write(Slice<const os::GatheredPart>(all).first(used));
    // What tells of the rights is so short that it goes in one piece with what comes behind.
    if (written && *written != 0) *written -= sizeof header + header.bytes;
    return written;
  }

  void keep(RightList rights) const { handles_.keep(std::move(rights)); }

 private:
  static constexpr std::size_t max_parts = 16;
  static_assert(sizeof(FrameHeader) + os::max_handle_numbers * sizeof(os::HandleNumber) <
                os::PipeOperation::capacity);

  os::PipeEnd& to_;
  os::HandleSender& handles_;
};

/// Puts the two frames together again.
class HandleFrameReader {
 public:
  HandleFrameReader() = default;
  explicit HandleFrameReader(os::HandleReceiver handles) : handles_(std::move(handles)) {}

  const os::PeerProcess& sender() const { return handles_.peer(); }

  /// Takes in the next frame: with its rights if it has any, or nothing if it only told of those of
  /// the next one.
  ///
  /// Errors: `malformed`, `too_many_rights`, `not_enough_memory`; as `HandleReceiver::take`.
  Result<bool> take(const FrameHeader& header, std::span<const std::byte> bytes, std::size_t limit,
                    RightList& rights) {
    if (count_ == 0) {
      if (header.rights == 0) return true;
      if (header.rights > limit) return Errc::too_many_rights;
      if (header.tag != 0 || bytes.size() != number_bytes(header.rights)) return Errc::malformed;
      if (!bytes.empty()) std::memcpy(numbers_.data(), bytes.data(), bytes.size());
      count_ = header.rights;
      return false;
    }
    if (header.rights != count_) return Errc::malformed;
    std::array<os::UnseenDescriptor, max_rights> taken;
    const auto handles = std::span(taken).first(std::exchange(count_, 0));
    const auto numbers = std::span(numbers_).first(handles_.numbers_for(handles.size()));
    if (auto got = handles_.take(numbers, handles); !got) return got.error();
    for (os::UnseenDescriptor& handle : handles) {
      if (!rights.push(Right::from_peer(std::move(handle)))) return no_memory();
    }
    return true;
  }

  /// How large a frame that tells of rights may be.
  static constexpr std::size_t max_bytes = os::max_handle_numbers * sizeof(os::HandleNumber);

 private:
  std::size_t number_bytes(std::size_t rights) const {
    return handles_.numbers_for(rights) * sizeof(os::HandleNumber);
  }

  os::HandleReceiver handles_;
  /// How many rights the next message has.
  std::size_t count_ = 0;
  std::array<os::HandleNumber, os::max_handle_numbers> numbers_;
};

}  // namespace strait::detail
