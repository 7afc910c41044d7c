#pragma once

#include <atomic>
#include <cstddef>
#include <new>
#include <ratio>
#include <utility>

#include "strait/base/chrono.hpp"
#include "strait/base/deadline.hpp"
#include "strait/base/slice.hpp"
#include "strait/os/interest.hpp"
#include "strait/os/windows/event_wait.hpp"
#include "strait/os/windows/owner_process.hpp"
#include "strait/result.hpp"

namespace strait::windows {

/// One event that is set while any of its members is.
///
/// The system has no handle for many others, so its pool of threads waits for each member, once,
/// and sets the event. A member that is set no more is waited for anew, and the event reset, when
/// its owner has looked: by `ready`, `clear` or `watch`.
///
/// Threads: one at a time, but for `interrupt`.
class WaitSet {
 public:
  WaitSet() = default;
  WaitSet(WaitSet&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
  WaitSet& operator=(WaitSet&& other) noexcept {
    std::swap(state_, other.state_);
    return *this;
  }
  ~WaitSet() { delete state_; }

  static Result<WaitSet> create() {
    auto event = make_event();
    if (!event) return event.error();
    WaitSet set;
    set.state_ = new (std::nothrow) State(std::move(*event));
    if (set.state_ == nullptr) return strait::detail::no_memory();
    return set;
  }

  NativeHandle native_handle() const { return state_ == nullptr ? no_handle : event(); }
  explicit operator bool() const { return state_ != nullptr; }
  OwnerProcess owner() const { return {}; }

  /// Adds a handle. One that is to be ready for nothing is taken out.
  Result<void> watch(const Interest& interest) {
    if (!interest.read && !interest.write) {
      forget(interest.handle);
      return {};
    }
    Member* member = find(interest.handle);
    if (member == nullptr) {
      Descriptor kept = duplicate(interest.handle, SYNCHRONIZE);
      if (!kept) return last_error();
      member = new (std::nothrow) Member(event(), interest.handle, std::move(kept));
      if (member == nullptr) return strait::detail::no_memory();
      member->next = std::exchange(state_->first, member);
      member->wait = ::CreateThreadpoolWait(&Member::on_set, member, nullptr);
      if (member->wait == nullptr) {
        const auto error = last_error();
        forget(interest.handle);
        return error;
      }
      member->look();
    } else if (member->fired()) {
      member->look();
    }
    return {};
  }

  void forget(NativeHandle handle) {
    for (Member** at = &state_->first; *at != nullptr; at = &(*at)->next) {
      if ((*at)->handle != handle) continue;
      delete std::exchange(*at, (*at)->next);
      return;
    }
  }

  /// Takes out one that is closed already.
  void forget_closed(NativeHandle handle) { forget(handle); }

  /// Fills `ready` with members that are set, without waiting, and returns how many there are.
  /// What is left out comes in a later call. The set's own signal is none of them; an
  /// `interrupt` is taken in.
  Result<std::size_t> ready(detail::Slice<NativeHandle> ready) {
    state_->interrupted.store(false, std::memory_order_relaxed);
    return look(ready);
  }

  /// Makes the set ready at a time, once; replaces the time that was set before. Without a timer
  /// for that it does nothing.
  void wake_at(strait::detail::Deadline at) {
    if (at == state_->wake_at) return;
    if (state_->timer == nullptr) {
      if (at.is_never()) return;
      state_->timer = ::CreateThreadpoolTimer(&State::on_time, state_, nullptr);
      if (state_->timer == nullptr) return;
    }
    state_->stop_timer();
    state_->wake_at = at;
    if (at.is_never()) return;
    // Negative: from now, in units of 100 ns.
    using Units = std::chrono::duration<LONGLONG, std::ratio<1, 10'000'000>>;
    ULARGE_INTEGER units;
    units.QuadPart =
        static_cast<ULONGLONG>(-1 - std::chrono::duration_cast<Units>(at.left()).count());
    FILETIME due{units.LowPart, units.HighPart};
    ::SetThreadpoolTimer(state_->timer, &due, 0, 0);
  }

  /// Makes the set ready until `clear`.
  Result<void> signal() {
    state_->signalled = true;
    if (!::SetEvent(event())) return last_error();
    return {};
  }
  Result<void> renew() { return signal(); }

  /// Makes the set ready until `ready`. Threads: any.
  void interrupt() const noexcept {
    // Partner: look(), which resets the event before it asks. The event's own calls order the two.
    state_->interrupted.store(true, std::memory_order_relaxed);
    ::SetEvent(event());
  }

  void clear() {
    state_->signalled = false;
    static_cast<void>(look({}));
  }

 private:
  struct Member {
    Member(HANDLE set_event, HANDLE member, Descriptor duplicate)
        : event(set_event), handle(member), kept(std::move(duplicate)) {}
    ~Member() {
      if (wait == nullptr) return;
      ::SetThreadpoolWait(wait, nullptr, nullptr);
      ::WaitForThreadpoolWaitCallbacks(wait, TRUE);
      ::CloseThreadpoolWait(wait);
    }
    Member(const Member&) = delete;
    Member& operator=(const Member&) = delete;

    /// Partner: on_set(), whose wait is over then: another one may be begun.
    bool fired() const { return seen.load(std::memory_order_acquire); }

    /// Whether it is set; if not, it is waited for.
    bool look() {
      if (is_set(kept.get())) {
        seen.store(true, std::memory_order_relaxed);
        ::SetEvent(event);
        return true;
      }
      seen.store(false, std::memory_order_relaxed);
      ::SetThreadpoolWait(wait, kept.get(), nullptr);
      return false;
    }

    static void CALLBACK on_set(PTP_CALLBACK_INSTANCE, void* self, PTP_WAIT, TP_WAIT_RESULT) {
      auto* const member = static_cast<Member*>(self);
      // Partner: fired().
      member->seen.store(true, std::memory_order_release);
      ::SetEvent(member->event);
    }

    Member* next = nullptr;
    /// The set's.
    HANDLE event;
    /// As its owner knows it, which may close it at any time; `kept` is the same object.
    HANDLE handle;
    Descriptor kept;
    PTP_WAIT wait = nullptr;
    /// It was set, and is not waited for since then.
    std::atomic<bool> seen = false;
  };

  struct State {
    explicit State(Descriptor made) : event(std::move(made)) {}
    ~State() {
      while (first != nullptr) delete std::exchange(first, first->next);
      if (timer == nullptr) return;
      stop_timer();
      ::CloseThreadpoolTimer(timer);
    }
    State(const State&) = delete;
    State& operator=(const State&) = delete;

    /// No callback of it is running or to come when this returns.
    void stop_timer() {
      ::SetThreadpoolTimer(timer, nullptr, 0, 0);
      ::WaitForThreadpoolTimerCallbacks(timer, TRUE);
      due.store(false, std::memory_order_relaxed);
    }

    static void CALLBACK on_time(PTP_CALLBACK_INSTANCE, void* self, PTP_TIMER) {
      auto* const state = static_cast<State*>(self);
      // Partner: look(). It sees this, or its reset of the event came before the event is set here.
      state->due.store(true, std::memory_order_release);
      ::SetEvent(state->event.get());
    }

    Descriptor event;
    Member* first = nullptr;
    PTP_TIMER timer = nullptr;
    strait::detail::Deadline wake_at = strait::detail::Deadline::never();
    std::atomic<bool> due = false;
    std::atomic<bool> interrupted = false;
    bool signalled = false;
  };

  HANDLE event() const { return state_->event.get(); }

  Member* find(HANDLE handle) const {
    Member* member = state_->first;
    while (member != nullptr && member->handle != handle) member = member->next;
    return member;
  }

  /// Has the event show what is set now, and gives that. What comes meanwhile sets it after this
  /// has reset it.
  std::size_t look(detail::Slice<NativeHandle> ready) {
    ::ResetEvent(event());
    std::size_t found = 0;
    Member** last_found = nullptr;
    for (Member** at = &state_->first; *at != nullptr; at = &(*at)->next) {
      if (!(*at)->fired() || !(*at)->look() || found == ready.size()) continue;
      ready[found++] = (*at)->handle;
      last_found = at;
    }
    // The next call begins behind the last one that is told now.
    if (found != 0 && found == ready.size()) rotate(&(*last_found)->next);
    if (state_->signalled || state_->due.load(std::memory_order_acquire) ||
        state_->interrupted.load(std::memory_order_relaxed)) {
      ::SetEvent(event());
    }
    return found;
  }

  void rotate(Member** behind) {
    Member* const rest = std::exchange(*behind, nullptr);
    if (rest == nullptr) return;
    Member* last = rest;
    while (last->next != nullptr) last = last->next;
    last->next = std::exchange(state_->first, rest);
  }

  State* state_ = nullptr;
};

}  // namespace strait::windows
