#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <system_error>
#include <utility>

#include "strait/base/chrono.hpp"
#include "strait/observer.hpp"
#include "strait/observers/recording.hpp"
#include "strait/observers/recording_format.hpp"
#include "strait/os/descriptor.hpp"
#include "strait/os/output.hpp"
#include "strait/os/owner_process.hpp"
#include "strait/peer.hpp"
#include "strait/result.hpp"

namespace strait {

namespace detail {

/// A recording that is being written.
class RecordingFile {
 public:
  static Result<std::shared_ptr<RecordingFile>> create(const std::string& path,
                                                       std::uint64_t schema_hash) {
    auto file = os::replace_file(path);
    if (!file) return file.error();
    auto made = std::make_shared<RecordingFile>(std::move(*file));
    RecordingHeader header;
    header.schema_hash = schema_hash;
    header.check = made->check_ = check_of(header);
    made->put(std::as_bytes(std::span(&header, 1)), {});
    if (made->error_) return made->error_;
    return made;
  }

  explicit RecordingFile(os::Descriptor file) : file_(std::move(file)) {}
  ~RecordingFile() { write(last_record, 0, 0, {}); }
  RecordingFile(const RecordingFile&) = delete;
  RecordingFile& operator=(const RecordingFile&) = delete;

  std::uint32_t next_channel() { return ++channels_; }

  std::error_code error() {
    const std::lock_guard locked(mutex_);
    return error_;
  }

  /// Nothing any more once something could not be written, and nothing in a forked process, which
  /// does not know what the other one writes.
  void write(std::uint16_t kind, std::uint32_t channel, std::uint16_t tag,
             std::span<const std::byte> message) {
    if (!owner_.is_this()) return;
    const std::lock_guard locked(mutex_);
    if (error_) return;
    const auto since = std::chrono::duration_cast<std::chrono::nanoseconds>(
        std::chrono::steady_clock::now() - start_);
    RecordHeader header;
    header.nanoseconds = static_cast<std::uint64_t>(since.count());
    header.bytes = static_cast<std::uint32_t>(message.size());
    header.channel = channel;
    header.tag = tag;
    header.kind = kind;
    header.check = check_ = check_of(check_, header, message);
    put(std::as_bytes(std::span(&header, 1)), message);
  }

 private:
  void put(std::span<const std::byte> header, std::span<const std::byte> message) {
    if (const auto put = os::write_all(file_.get(), header, message); !put) {
      error_ = put.error();
      static_cast<void>(os::cut_file(file_.get(), bytes_));  // what is whole stays readable
      return;
    }
    bytes_ += header.size() + message.size();
  }

  os::Descriptor file_;
  os::OwnerProcess owner_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::atomic<std::uint32_t> channels_{0};
  std::mutex mutex_;
  std::uint64_t bytes_ = 0;
  std::uint64_t check_ = 0;
  std::error_code error_;
};

}  // namespace detail

/// An observer that records all messages of a channel, both ways, in a file that `Recording` reads
/// and `replay` plays. The rights that come with messages are not recorded.
///
/// A copy writes to the same file, as an acceptor's clients do, under a number of its own; the last
/// one ends it. The file has the messages' contents, so this user alone may read it.
///
/// Cost: a system call and a check over the bytes for each message; a message that does not lie in
/// memory as it is sent is encoded twice. Threads: copies may be used by several at a time.
class RecordingObserver {
 public:
  /// Records nothing.
  RecordingObserver() = default;

  /// Makes the file, in the place of one that may be there, for channels with this serializer.
  ///
  /// Errors: the system's.
  template <class SerializerT>
  [[nodiscard]] static Result<RecordingObserver> create(const std::string& path) {
    auto file = detail::RecordingFile::create(path, SerializerT::schema_hash);
    if (!file) return file.error();
    return RecordingObserver(std::move(*file));
  }

  /// Why the recording ends before its channels do: the disk is full, for one. No error if it goes
  /// on.
  std::error_code error() const { return file_ ? file_->error() : std::error_code(); }

  void on_sent_bytes(std::uint16_t tag, std::span<const std::byte> message) {
    write(Direction::sent, tag, message);
  }
  void on_received_bytes(std::uint16_t tag, std::span<const std::byte> message) {
    write(Direction::received, tag, message);
  }
  void on_connected(const Peer&) { take_number(); }

 private:
  explicit RecordingObserver(std::shared_ptr<detail::RecordingFile> file)
      : file_(std::move(file)) {}

  void take_number() {
    if (file_ && channel_ == 0) channel_ = file_->next_channel();
  }
  void write(Direction direction, std::uint16_t tag, std::span<const std::byte> message) {
    if (!file_) return;
    take_number();  // a message may be sent before there is a peer
    file_->write(static_cast<std::uint16_t>(direction), channel_, tag, message);
  }

  std::shared_ptr<detail::RecordingFile> file_;
  std::uint32_t channel_ = 0;
};

}  // namespace strait
