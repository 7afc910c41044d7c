#pragma once

#include <cstddef>
#include <cstring>
#include <new>
#include <span>
#include <utility>

#include "strait/base/min_max.hpp"
#include "strait/os/interest.hpp"
#include "strait/os/windows/descriptor.hpp"
#include "strait/os/windows/event_wait.hpp"
#include "strait/os/windows/gathered.hpp"
#include "strait/result.hpp"

namespace strait::windows {

/// What of a pipe the system is asked to do, and the bytes for that: both stay in place until it is
/// done.
struct PipeOperation {
  static constexpr std::size_t capacity = std::size_t{64} << 10;

  OVERLAPPED overlapped{};
  std::size_t size = 0;
  std::size_t taken = 0;
  bool started = false;
  std::byte bytes[capacity];

  bool done() const { return !started || HasOverlappedIoCompleted(&overlapped); }
};

/// One end of a pipe, which is read ahead all the time: that shows what has come, and the peer's
/// end, without a call. What is written goes out from a buffer of this end, one piece at a time.
///
/// The system gives up what a thread has begun when that thread ends. Reading is begun anew then;
/// but of a piece that was on its way no system tells how much has arrived, so that is the end.
class PipeEnd {
 public:
  PipeEnd() = default;
  PipeEnd(PipeEnd&& other) noexcept
      : pipe_(std::move(other.pipe_)),
        read_event_(std::move(other.read_event_)),
        write_event_(std::move(other.write_event_)),
        in_(std::exchange(other.in_, nullptr)),
        out_(std::exchange(other.out_, nullptr)) {}
  PipeEnd& operator=(PipeEnd&& other) noexcept {
    if (this != &other) {
      reset();
      pipe_ = std::move(other.pipe_);
      read_event_ = std::move(other.read_event_);
      write_event_ = std::move(other.write_event_);
      in_ = std::exchange(other.in_, nullptr);
      out_ = std::exchange(other.out_, nullptr);
    }
    return *this;
  }
  ~PipeEnd() { reset(); }

  /// An end that is read once from now on, which sets `event`.
  ///
  /// Errors: the system's.
  static Result<PipeEnd> create(Descriptor pipe, HANDLE event) {
    PipeEnd end;
    end.in_ = new (std::nothrow) PipeOperation;
    if (end.in_ == nullptr) return strait::detail::no_memory();
    end.pipe_ = std::move(pipe);
    end.in_->overlapped.hEvent = event;
    if (auto begun = end.read_on(); !begun) return begun.error();
    return end;
  }
  /// The same with an event of its own, and all that is needed to write.
  static Result<PipeEnd> create(Descriptor pipe) {
    auto event = make_event();
    if (!event) return event.error();
    auto end = create(std::move(pipe), event->get());
    if (!end) return end;
    end->read_event_ = std::move(*event);
    if (auto made = end->prepare_to_write(); !made) return made.error();
    return end;
  }

  /// Has an end that was read once go on, with events of its own.
  Result<void> own_events() {
    auto event = make_event();
    if (!event) return event.error();
    read_event_ = std::move(*event);
    in_->overlapped.hEvent = read_event_.get();
    if (in_->started) {
      ::SetEvent(read_event_.get());
    } else if (auto begun = read_on(); !begun) {
      return begun;
    }
    return prepare_to_write();
  }

  /// Has an end that was read once be read on, and set `event` when it was.
  Result<void> watch(HANDLE event) {
    in_->overlapped.hEvent = event;
    return in_->started ? Result<void>() : read_on();
  }
  /// Has an end whose input does not matter any more be read on, and set `event` when something
  /// came, or the peer is gone: what was on its way out goes on.
  ///
  /// Errors: `peer_closed`; the system's.
  Result<void> discard_input(HANDLE event) {
    if (in_ == nullptr) return Errc::peer_closed;
    cancel(*in_);
    in_->started = false;
    in_->overlapped.hEvent = event;
    return read_on();
  }
  /// Gets what is needed to write.
  Result<void> prepare_to_write() {
    auto event = make_event();
    if (!event) return event.error();
    write_event_ = std::move(*event);
    ::SetEvent(write_event_.get());
    out_ = new (std::nothrow) PipeOperation;
    if (out_ == nullptr) return strait::detail::no_memory();
    out_->overlapped.hEvent = write_event_.get();
    return {};
  }

  explicit operator bool() const { return static_cast<bool>(pipe_); }
  HANDLE get() const { return pipe_.get(); }
  /// Set while there is something to `read`.
  Interest to_read() const { return Interest::to_read(read_event_.get()); }
  /// Set unless something is being written.
  Interest to_write() const { return Interest::to_write(write_event_.get()); }
  bool readable() const { return in_ != nullptr && in_->done(); }
  bool is_writing() const { return out_ != nullptr && out_->started; }
  /// How much is on its way.
  std::size_t bytes_in_flight() const { return is_writing() ? out_->size : 0; }

  /// Gives what has come, at least one byte.
  ///
  /// Errors: `would_block`; `peer_closed`, after all that came; the system's.
  Result<std::size_t> read(std::span<std::byte> room) {
    if (in_ == nullptr) return Errc::peer_closed;
    while (in_->taken == in_->size) {
      if (!in_->started) {
        if (auto begun = read_on(); !begun) return begun.error();
      }
      if (!in_->done()) return Errc::would_block;
      DWORD size = 0;
      const bool read = ::GetOverlappedResult(pipe_.get(), &in_->overlapped, &size, FALSE) != 0;
      const DWORD failed = read ? ERROR_SUCCESS : ::GetLastError();
      if (!read && failed != ERROR_OPERATION_ABORTED) return error_of(failed);
      in_->started = false;
      in_->taken = 0;
      in_->size = size;
      if (read && size == 0) {  // the peer wrote nothing, which it may do again and again
        if (auto begun = read_on(); !begun) return begun.error();
        return Errc::would_block;
      }
    }
    const std::size_t size = (strait::detail::min)(room.size(), in_->size - in_->taken);
    std::memcpy(room.data(), in_->bytes + in_->taken, size);
    in_->taken += size;
    // What fails is told by the next call.
    if (in_->taken == in_->size && read_event_) static_cast<void>(read_on());
    return size;
  }

  /// Writes the first of these bytes and returns how many were: none while a piece is on its way.
  /// It counts when it is through, in a later call, which has to begin with the same bytes.
  ///
  /// Errors: `peer_closed`; the system's.
  Result<std::size_t> write(std::span<const GatheredPart> parts) {
    if (out_ == nullptr) return Errc::peer_closed;
    if (!out_->started) {
      out_->size = 0;
      for (const GatheredPart& part : parts) {
        const std::size_t size =
            (strait::detail::min)(part.iov_len, PipeOperation::capacity - out_->size);
        if (size != 0) std::memcpy(out_->bytes + out_->size, part.iov_base, size);
        out_->size += size;
      }
      ::ResetEvent(write_event_.get());
      if (!::WriteFile(pipe_.get(), out_->bytes, static_cast<DWORD>(out_->size), nullptr,
                       &out_->overlapped)) {
        const DWORD failed = ::GetLastError();
        if (failed != ERROR_IO_PENDING) {
          ::SetEvent(write_event_.get());
          return error_of(failed);
        }
      }
      out_->started = true;
    }
    if (!out_->done()) return std::size_t{0};
    out_->started = false;
    DWORD written = 0;
    if (!::GetOverlappedResult(pipe_.get(), &out_->overlapped, &written, FALSE)) {
      return error_of(::GetLastError());
    }
    return written == out_->size ? std::size_t{written} : Result<std::size_t>(Errc::malformed);
  }

  /// Closes the end; a piece that is on its way is lost.
  void reset() noexcept {
    for (PipeOperation* const operation : {in_, out_}) {
      if (operation == nullptr) continue;
      cancel(*operation);
      delete operation;
    }
    in_ = out_ = nullptr;
    pipe_.reset();
    read_event_.reset();
    write_event_.reset();
  }

 private:
  void cancel(PipeOperation& operation) noexcept {
    if (operation.done()) return;
    ::CancelIoEx(pipe_.get(), &operation.overlapped);
    DWORD size = 0;
    do {  // its event may be set by another one
      ::GetOverlappedResult(pipe_.get(), &operation.overlapped, &size, TRUE);
    } while (!operation.done());
  }

  static std::error_code error_of(DWORD failed) {
    switch (failed) {
      case ERROR_BROKEN_PIPE:
      case ERROR_NO_DATA:
      case ERROR_PIPE_NOT_CONNECTED: return make_error_code(Errc::peer_closed);
      default: return system_error(failed);
    }
  }

  /// Has the system read. That the peer is gone is what is read then.
  Result<void> read_on() {
    in_->size = in_->taken = 0;
    ::ResetEvent(in_->overlapped.hEvent);
    const bool read = ::ReadFile(pipe_.get(), in_->bytes, PipeOperation::capacity, nullptr,
                                 &in_->overlapped) != 0;
    in_->started = true;
    if (read) return {};
    const DWORD failed = ::GetLastError();
    if (failed == ERROR_IO_PENDING) return {};
    in_->started = false;
    ::SetEvent(in_->overlapped.hEvent);
    return error_of(failed);
  }

  Descriptor pipe_;
  Descriptor read_event_;
  Descriptor write_event_;
  PipeOperation* in_ = nullptr;
  PipeOperation* out_ = nullptr;
};

}  // namespace strait::windows
