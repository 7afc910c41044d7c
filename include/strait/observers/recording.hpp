#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <system_error>
#include <type_traits>
#include <utility>

#include "strait/base/chrono.hpp"
#include "strait/base/min_max.hpp"
#include "strait/error.hpp"
#include "strait/memory/byte_buffer.hpp"
#include "strait/observers/recording_format.hpp"
#include "strait/os/descriptor.hpp"
#include "strait/os/output.hpp"
#include "strait/result.hpp"

namespace strait {

/// What can be wrong with a recording, beside the errors of the system.
enum class RecordingErrc {
  /// The file is something else. Take one that a `RecordingObserver` has made.
  not_a_recording = 1,
  /// Another release has made it. Replay it with that one.
  other_version,
  /// It comes from a machine with another order of bytes or another size of words. Replay it there.
  other_machine,
  /// Its channels had other message types. Replay it with the serializer that it was made for.
  other_schema,
  /// Something in it was changed. What came before that was as it was recorded; record it anew.
  damaged,
  /// Its end is missing: the process that made it has died, or could not write more. What came
  /// before was as it was recorded.
  unfinished,
};

namespace detail {

class RecordingCategory final : public std::error_category {
 public:
  constexpr RecordingCategory() = default;
  const char* name() const noexcept override { return "strait recording"; }
  std::string message(int value) const override {
    switch (static_cast<RecordingErrc>(value)) {
      case RecordingErrc::not_a_recording:
        return "the file is no recording: take one that a RecordingObserver has made";
      case RecordingErrc::other_version:
        return "another release has made this recording: replay it with that one";
      case RecordingErrc::other_machine:
        return "the recording comes from another kind of machine: replay it there";
      case RecordingErrc::other_schema:
        return "the recording has other message types: replay it with the serializer that it was "
               "made for";
      case RecordingErrc::damaged:
        return "the recording was changed behind what was read of it: record it anew";
      case RecordingErrc::unfinished:
        return "the recording has no end, since its process died or could not write more: take "
               "what was read of it, or record it anew";
      default: return "unknown error of a recording";
    }
  }
};

inline constinit const RecordingCategory recording_category;

}  // namespace detail

inline std::error_code make_error_code(RecordingErrc error) noexcept {
  return {static_cast<int>(error), detail::recording_category};
}

}  // namespace strait

template <>
struct std::is_error_code_enum<strait::RecordingErrc> : std::true_type {};

namespace strait {

enum class Direction : std::uint16_t { sent = 1, received = 2 };

/// A message in a recording.
struct RecordedMessage {
  /// Seen from the channel that was recorded.
  Direction direction = Direction::received;
  /// Which of the channels that wrote to this recording it was, from 1 on.
  std::uint32_t channel = 0;
  /// Since the recording began.
  std::chrono::nanoseconds time{};
  std::uint16_t tag = 0;
  /// Until the next message is read.
  std::span<const std::byte> bytes;
};

/// A recording that is read from its beginning to its end.
///
/// A file may be anything, cut or changed: what comes out of it is what a `RecordingObserver` has
/// written, in order, and then an error. It takes memory for what is in the file, not for what the
/// file claims.
class Recording {
 public:
  /// Errors: the system's; `not_a_recording`, `other_version`, `other_machine`, `damaged`,
  /// `unfinished` (of `RecordingErrc`).
  [[nodiscard]] static Result<Recording> open(const std::string& path) {
    auto file = os::open_to_read(path);
    if (!file) return file.error();
    Recording recording(std::move(*file));
    detail::RecordingHeader header;
    const auto got =
        os::read_up_to(recording.file_.get(), std::as_writable_bytes(std::span(&header, 1)));
    if (!got) return got.error();
    const std::size_t magic_bytes = (detail::min)(*got, header.magic.size());
    for (std::size_t i = 0; i != magic_bytes; ++i) {
      if (header.magic[i] != header.right_magic[i]) return failure(RecordingErrc::not_a_recording);
    }
    if (*got != sizeof header) return failure(RecordingErrc::unfinished);
    if (header.version != header.current_version) return failure(RecordingErrc::other_version);
    if (header.machine != header.this_machine) return failure(RecordingErrc::other_machine);
    if (header.check != check_of(header)) return failure(RecordingErrc::damaged);
    recording.schema_hash_ = header.schema_hash;
    recording.check_ = header.check;
    return recording;
  }

  /// Of the serializer that it was made for.
  std::uint64_t schema_hash() const noexcept { return schema_hash_; }

  /// The next message, again and again until `pop`; null at the end.
  ///
  /// Errors: `damaged`, `unfinished`; not_enough_memory; the system's. They come again.
  Result<const RecordedMessage*> front() {
    if (state_ == State::between) {
      if (auto read = read_record(); !read) {
        state_ = State::failed;
        failure_ = read.error();
      }
    }
    if (state_ == State::failed) return failure_;
    return state_ == State::ended ? nullptr : &message_;
  }
  void pop() noexcept {
    if (state_ == State::at_message) state_ = State::between;
  }

 private:
  enum class State : std::uint8_t { between, at_message, ended, failed };

  explicit Recording(os::Descriptor file) : file_(std::move(file)) {}

  static std::error_code failure(RecordingErrc error) { return make_error_code(error); }

  Result<void> read_record() {
    detail::RecordHeader header;
    const auto got = os::read_up_to(file_.get(), std::as_writable_bytes(std::span(&header, 1)));
    if (!got) return got.error();
    if (*got != sizeof header) return failure(RecordingErrc::unfinished);
    if (auto read = read_bytes(header.bytes); !read) return read;
    if (header.check != check_of(check_, header, bytes_.bytes())) {
      return failure(RecordingErrc::damaged);
    }
    check_ = header.check;
    if (header.kind == detail::last_record) {
      std::byte more{};
      const auto behind = os::read_up_to(file_.get(), std::span(&more, 1));
      if (!behind) return behind.error();
      if (*behind != 0) return failure(RecordingErrc::damaged);
      state_ = State::ended;
      return {};
    }
    message_ = {static_cast<Direction>(header.kind), header.channel,
                std::chrono::nanoseconds(header.nanoseconds), header.tag, bytes_.bytes()};
    if (message_.direction != Direction::sent && message_.direction != Direction::received) {
      return failure(RecordingErrc::damaged);
    }
    state_ = State::at_message;
    return {};
  }

  Result<void> read_bytes(std::size_t bytes) {
    constexpr std::size_t step = std::size_t{1} << 16;
    bytes_.clear();
    while (bytes_.size() != bytes) {
      const std::size_t wanted = (detail::min)(bytes - bytes_.size(), step);
      std::byte* const out = bytes_.extend(wanted);
      if (out == nullptr) return detail::no_memory();
      const auto got = os::read_up_to(file_.get(), std::span(out, wanted));
      if (!got) return got.error();
      if (*got != wanted) return failure(RecordingErrc::unfinished);
    }
    return {};
  }

  os::Descriptor file_;
  std::uint64_t schema_hash_ = 0;
  std::uint64_t check_ = 0;
  State state_ = State::between;
  std::error_code failure_;
  RecordedMessage message_;
  detail::ByteBuffer bytes_;
};

/// What of a recording is played.
struct ReplayOptions {
  /// What the recorded channel has received, to be sent to one that takes its place; or what it
  /// has sent.
  Direction direction = Direction::received;
  /// Of which of the channels in it.
  std::uint32_t channel = 1;
};

/// Sends the messages of a recording, without their rights and as fast as the channel takes them,
/// until the recording ends or the channel's queue is full; then call it again when there is room.
/// Returns how many it has sent; the recording is at its end when `recording.front()` is null.
///
/// A channel with the same serializer takes them, over any transport: in a unit test one end of a
/// `LoopbackTransport`, whose other end is what is tested.
///
/// Errors: `other_schema`; those of `Recording::front`, after all that came before was sent; those
/// of `send`, but `queue_full`.
template <class ChannelT>
Result<std::size_t> replay(Recording& recording, ChannelT& channel, ReplayOptions options = {}) {
  if (recording.schema_hash() != ChannelT::serializer::schema_hash) {
    return make_error_code(RecordingErrc::other_schema);
  }
  for (std::size_t sent = 0;;) {
    const auto message = recording.front();
    if (!message) return message.error();
    if (*message == nullptr) return sent;
    if ((*message)->direction == options.direction && (*message)->channel == options.channel) {
      const auto taken = channel.send_encoded((*message)->tag, (*message)->bytes);
      if (taken.failed_with(Errc::queue_full)) return sent;
      if (!taken) return taken.error();
      ++sent;
    }
    recording.pop();
  }
}

/// The same with a whole file, and waits while the queue is full: not for a channel whose other end
/// this thread has to poll.
///
/// Errors: as above; those of `Recording::open`; `timed_out` when the peer takes nothing for
/// `timeout`. Blocking: until all is sent.
template <class ChannelT>
Result<std::size_t> replay(const std::string& path, ChannelT& channel, ReplayOptions options = {},
                           std::chrono::milliseconds timeout = std::chrono::milliseconds{5000}) {
  auto recording = Recording::open(path);
  if (!recording) return recording.error();
  for (std::size_t sent = 0;;) {
    const auto more = replay(*recording, channel, options);
    if (!more) return more.error();
    sent += *more;
    const auto left = recording->front();
    if (!left) return left.error();
    if (*left == nullptr) return sent;
    if (auto flushed = channel.flush(timeout); !flushed) return flushed.error();
  }
}

}  // namespace strait
