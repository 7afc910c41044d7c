#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <system_error>

#include "strait/base/slice.hpp"
#include "strait/framing/frame_queue.hpp"
#include "strait/handshake/handshake_bytes.hpp"
#include "strait/os/descriptor.hpp"
#include "strait/os/gathered.hpp"
#include "strait/result.hpp"
#include "strait/transport.hpp"

// Frames on a stream of bytes. `write(parts)` writes what there is room for and returns how much
// that was, which may be nothing; `write(parts, rights, count)`, where the stream carries rights,
// does so with the first rights of a list, and `write.keep(rights)`, where there is one, gets those
// that were sent; `read(room)` reads at least a byte, or says `would_block`.

namespace strait::detail {

/// A frame as it goes out from where it lies.
class FrameParts {
 public:
  FrameParts(std::uint16_t tag, std::span<const std::byte> bytes)
      : header_{static_cast<std::uint32_t>(bytes.size()), tag},
        parts_{{{&header_, sizeof header_}, {const_cast<std::byte*>(bytes.data()), bytes.size()}}} {
  }
  FrameParts(const FrameParts&) = delete;
  FrameParts& operator=(const FrameParts&) = delete;

  Slice<const os::GatheredPart> get() const { return parts_; }
  std::size_t size() const { return sizeof header_ + header_.bytes; }

 private:
  FrameHeader header_;
  std::array<os::GatheredPart, 2> parts_;
};

/// Writes a frame so short that an empty stream takes it whole or not at all.
///
/// Errors: `would_block`, those of `write`.
template <class Write>
Result<void> write_frame(Write&& write, std::span<const std::byte> bytes) {
  const FrameParts frame(0, bytes);
  const Result<std::size_t> written = write(frame.get());
  if (!written) return written.error();
  if (*written == 0) return Errc::would_block;
  return *written == frame.size() ? Result<void>() : Errc::malformed;
}

/// Whether the header says nothing but the length, as in the frames of `write_frame`.
inline bool is_plain(const FrameHeader& header) {
  return header.tag == 0 && header.continued == 0 && header.rights == 0;
}

/// Reads the frame of a Hello, which came whole (see `write_frame`), or not yet.
///
/// Errors: `would_block`; `malformed`; those of `read`.
template <class Read>
Result<HandshakeBytes> read_hello(Read&& read) {
  FrameHeader header;
  std::array<std::byte, sizeof header + HandshakeBytes::capacity> frame;
  const Result<std::size_t> got = read(std::span<std::byte>(frame));
  if (!got) return got.error();
  if (*got < sizeof header) return Errc::malformed;
  std::memcpy(&header, frame.data(), sizeof header);
  if (header.bytes != *got - sizeof header || !is_plain(header)) return Errc::malformed;
  return HandshakeBytes({frame.data() + sizeof header, header.bytes});
}

/// Sends all that is queued, or what there is room for.
template <class Write>
Result<void> flush_frames(FrameQueue& queue, Write&& write) {
  while (!queue.empty()) {
    std::array<os::GatheredPart, 16> parts;
    const std::size_t count = queue.gather(parts);
    const auto filled = Slice<const os::GatheredPart>(parts).first(count);
    const std::size_t due = queue.rights_due();
    const Result<std::size_t> written = [&] {
      if constexpr (requires { write(filled, queue.rights(), due); }) {
        if (due != 0) return write(filled, queue.rights(), due);
      }
      return write(filled);
    }();
    if (!written) return written.error();
    if (*written == 0) return {};
    // The receiver has its own by now, or takes them from here.
    RightList sent = queue.take_rights(due);
    if constexpr (requires { write.keep(std::move(sent)); }) {
      if (due != 0) write.keep(std::move(sent));
    }
    queue.consume(*written);
  }
  return {};
}

/// Sends a message as T6 says: from where it lies, if it does, and only what finds no room is
/// copied to the queue. Closes `out` if half a frame went out and there is no memory for the rest.
template <class Payload, class Out, class Write>
Result<void> send_frame(const Payload& payload, FrameQueue& queue, Out& out, Write&& write) {
  constexpr std::size_t small_bytes = 1024;
  const std::size_t size = payload.size();
  Result<std::size_t> written = std::size_t{0};
  if (size <= small_bytes) {
    // Copying a little costs less than a system call with two parts.
    const FrameHeader header{static_cast<std::uint32_t>(size), payload.tag()};
    std::byte frame[sizeof header + small_bytes];
    std::memcpy(frame, &header, sizeof header);
    payload.write_to(frame + sizeof header);
    const os::GatheredPart part{frame, sizeof header + size};
    written = write(Slice<const os::GatheredPart>(&part, 1));
  } else if constexpr (Payload::contiguous) {
    written = write(FrameParts(payload.tag(), payload.bytes()).get());
  } else {
    if (auto queued = enqueue(queue, payload); !queued) return queued;
    return flush_frames(queue, write);
  }
  if (!written) return written.error();
  if (*written == sizeof(FrameHeader) + size) return {};
  if (auto queued = enqueue(queue, payload); !queued) {
    if (*written != 0) out.reset();  // nothing can follow half a frame
    return queued;
  }
  queue.consume(*written);
  return {};
}

}  // namespace strait::detail
