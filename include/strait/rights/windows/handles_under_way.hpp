#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <new>
#include <system_error>
#include <utility>

#include "strait/base/chrono.hpp"
#include "strait/base/deadline.hpp"
#include "strait/os/windows/descriptor.hpp"
#include "strait/os/windows/mapping.hpp"
#include "strait/os/windows/memory_file.hpp"
#include "strait/os/windows/peer_process.hpp"
#include "strait/os/windows/pipe_end.hpp"
#include "strait/result.hpp"
#include "strait/rights/right_list.hpp"

namespace strait::windows {

/// What two processes share about the handles that go from one to the other: a section of one page.
/// A side that lies there harms what it sends or receives itself, and no more.
struct HandleLedger {
  /// How many messages' handles the receiver has taken.
  alignas(128) std::atomic<std::uint64_t> taken;
  /// 1 once the sender has closed handles that were not taken, whose numbers may be others' now.
  alignas(128) std::atomic<std::uint32_t> revoked;
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free &&
              std::atomic<std::uint32_t>::is_always_lock_free);

/// The handles that were sent and that the receiver has not taken out of this process yet. They
/// have to stay open until it has. A thread of the system's pool closes them then, or when the
/// receiver is gone, so that no end of a pipe lives on here because its channel is idle.
///
/// When the link is closed here before they are taken, this holds the link's pipe open as well: the
/// peer sees the end when it has taken them. A peer that takes none for ten seconds loses them.
///
/// Threads: the link's own, and the pool's.
class HandlesUnderWay {
 public:
  /// Ends by `leave`. Errors: the system's.
  static Result<HandlesUnderWay*> create() {
    auto section = create_memory_file("strait-handles", sizeof(HandleLedger));
    if (!section) return section.error();
    auto page = Mapping::map(sizeof(HandleLedger), Mapping::shared, section->get());
    if (!page) return page.error();
    auto event = make_event();
    if (!event) return event.error();
    auto* made = new (std::nothrow) HandlesUnderWay;
    if (made == nullptr) return strait::detail::no_memory();
    made->ledger_ = ::new (page->data()) HandleLedger{};
    made->page_ = std::move(*page);
    made->section_ = std::move(*section);
    made->event_ = std::move(*event);
    made->wait_ = ::CreateThreadpoolWait(&on_event, made, nullptr);
    if (made->wait_ == nullptr) {
      const auto error = last_error();
      delete made;
      return error;
    }
    ::SetThreadpoolWait(made->wait_, made->event_.get(), nullptr);
    return made;
  }

  /// What the receiver needs for its part: the section, and the event that it sets.
  std::array<HandleNumber, 2> numbers() const {
    return {number_of(section_.get()), number_of(event_.get())};
  }

  /// Those of one message, which was sent.
  void keep(strait::detail::RightList rights) {
    const Locked locked(lock_);
    rights.set_positions(++sent_);
    rights_.append(std::move(rights));
  }

  /// Closes the link's pipe, and ends this object, once there is no more to do: at once if all was
  /// taken, or the peer is gone.
  void leave(PipeEnd pipe) {
    {
      const Locked locked(lock_);
      left_ = true;
      deadline_ = strait::detail::Deadline::after(patience);
      close_taken();
      if (!rights_.empty() && pipe.discard_input(event_.get())) pipe_ = std::move(pipe);
    }
    pipe.reset();
    ::SetEvent(event_.get());
    release();
  }

 private:
  class Locked {
   public:
    explicit Locked(SRWLOCK& lock) : lock_(lock) { ::AcquireSRWLockExclusive(&lock_); }
    ~Locked() { ::ReleaseSRWLockExclusive(&lock_); }
    Locked(const Locked&) = delete;
    Locked& operator=(const Locked&) = delete;

   private:
    SRWLOCK& lock_;
  };

  HandlesUnderWay() = default;
  ~HandlesUnderWay() {
    // Partner: HandleReceiver::take, which looks here after it has taken a handle. The handles are
    // closed later, so one that is another's by then is not used.
    if (!rights_.empty()) ledger_->revoked.store(1, std::memory_order_seq_cst);
  }

  static void CALLBACK on_event(PTP_CALLBACK_INSTANCE, void* context, PTP_WAIT wait,
                                TP_WAIT_RESULT) {
    auto* const self = static_cast<HandlesUnderWay*>(context);
    {
      const Locked locked(self->lock_);
      if (!self->is_done()) return self->wait_on();
    }
    ::CloseThreadpoolWait(wait);
    self->release();
  }
  void release() {
    // Release: for what was done here; acquire: for the one that ends the object.
    if (uses_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }

  static constexpr std::chrono::seconds patience{10};
  static constexpr int max_reads = 16;

  void wait_on() {
    // In units of 100 ns, and negative for a time from now on.
    ULARGE_INTEGER time;
    time.QuadPart = static_cast<ULONGLONG>(deadline_.left_up_to(patience).count() / -100);
    FILETIME limit{time.LowPart, time.HighPart};
    ::SetThreadpoolWait(wait_, event_.get(), left_ ? &limit : nullptr);
  }

  bool is_done() {
    ::ResetEvent(event_.get());
    const bool peer_is_gone = left_ && !discard_input();
    // After all that resets the event: what comes from now on sets it again.
    if (close_taken()) deadline_ = strait::detail::Deadline::after(patience);
    if (!left_) return false;
    return rights_.empty() || peer_is_gone || deadline_.passed();
  }

  /// False when the peer is gone. What it sends to a closed link is dropped.
  bool discard_input() {
    std::array<std::byte, 4096> bytes;
    for (int reads = 0; reads != max_reads; ++reads) {
      const auto got = pipe_.read(bytes);
      if (!got) return got.error() == Errc::would_block;
    }
    ::SetEvent(event_.get());  // there may be more, which is read another time
    return true;
  }

  /// Whether there were some.
  bool close_taken() {
    // Partner: HandleReceiver::take, which has handles of its own by then.
    const std::uint64_t taken = ledger_->taken.load(std::memory_order_acquire);
    bool closed = false;
    while (!rights_.empty() && rights_.position() <= taken) {
      rights_.pop();
      closed = true;
    }
    return closed;
  }

  SRWLOCK lock_ = SRWLOCK_INIT;
  Mapping page_;
  HandleLedger* ledger_ = nullptr;
  Descriptor section_;
  Descriptor event_;
  PTP_WAIT wait_ = nullptr;
  strait::detail::RightList rights_;
  std::uint64_t sent_ = 0;
  /// Of a link that is closed.
  PipeEnd pipe_;
  strait::detail::Deadline deadline_ = strait::detail::Deadline::never();
  bool left_ = false;
  /// The link's, and the pool's.
  std::atomic<int> uses_ = 2;
};

}  // namespace strait::windows
