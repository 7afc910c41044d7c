#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <system_error>
#include <utility>
#include <variant>
#include <vector>

#include "strait/base/chrono.hpp"
#include "strait/base/deadline.hpp"
#include "strait/result.hpp"

namespace strait {

/// What can happen to a link of a `FaultyTransport`.
namespace faults {

/// The link breaks. This side sees `peer_closed` at once, without what had arrived; the other side
/// sees it after all that was sent.
struct Close {};

/// The operation fails with this error, which ends the channel as the same error of the system
/// would. In place of a message that was to be sent: the message is not sent. In place of one that
/// was to come: it is not received.
struct Fail {
  std::error_code why;
};

/// There is no room for the next message, and so for none behind it, in so many attempts to send
/// it, or until `FaultScript::make_room`. Each `send`, `poll` or `flush` of a channel is one
/// attempt or several; one that waits makes one every ten milliseconds.
struct NoRoom {
  static constexpr std::size_t for_good = SIZE_MAX;
  std::size_t attempts = for_good;
};

/// The next message, and all behind it, leave only after this time.
struct Delay {
  std::chrono::nanoseconds duration;
};

/// What arrives together is seen in two parts: a `poll` ends here although there is more.
struct Split {};

}  // namespace faults

namespace detail {

using SendFault = std::variant<faults::Close, faults::Fail, faults::NoRoom, faults::Delay>;
using ReceiveFault = std::variant<faults::Close, faults::Fail, faults::Split>;

/// What a script and its link share; the test may be on another thread than the link.
class FaultState {
 public:
  template <class Fault>
  struct Step {
    std::uint64_t after;
    Fault fault;
  };

 private:
  template <class Steps>
  static auto due(Steps& steps, std::uint64_t count) {
    return std::find_if(steps.begin(), steps.end(),
                        [&](const auto& step) { return step.after <= count; });
  }
  template <class Fault>
  static std::optional<Fault> take_due(std::vector<Step<Fault>>& steps, std::uint64_t count) {
    const auto found = due(steps, count);
    if (found == steps.end()) return std::nullopt;
    const Fault fault = found->fault;
    steps.erase(found);
    return fault;
  }

 public:
  void add(Step<SendFault> step) {
    const std::lock_guard locked(mutex_);
    sends_.push_back(step);
  }
  void add(Step<ReceiveFault> step) {
    const std::lock_guard locked(mutex_);
    receives_.push_back(step);
  }
  void add_connect(std::error_code why) {
    const std::lock_guard locked(mutex_);
    connects_.push_back(why);
  }
  void make_room() {
    const std::lock_guard locked(mutex_);
    refusals_ = 0;
    until_ = Deadline::now();
  }
  std::uint64_t sent() {
    const std::lock_guard locked(mutex_);
    return sent_;
  }
  std::uint64_t received() {
    const std::lock_guard locked(mutex_);
    return received_;
  }

  /// What the next attempt to connect fails with; zero when it does not.
  std::error_code take_connect() {
    const std::lock_guard locked(mutex_);
    if (connects_.empty()) return {};
    const std::error_code why = connects_.front();
    connects_.pop_front();
    return why;
  }

  /// Whether the link breaks now.
  bool take_close() {
    const std::lock_guard locked(mutex_);
    const auto close = std::find_if(sends_.begin(), sends_.end(), [&](const auto& step) {
      return step.after <= sent_ && std::holds_alternative<faults::Close>(step.fault);
    });
    if (close == sends_.end()) return false;
    sends_.erase(close);
    return true;
  }

  /// Whether the next message may be sent. Errors: `would_block`, those of the script.
  Result<void> admit() {
    const std::lock_guard locked(mutex_);
    while (auto fault = take_due(sends_, sent_)) {
      if (const auto* fail = std::get_if<faults::Fail>(&*fault)) return fail->why;
      if (const auto* room = std::get_if<faults::NoRoom>(&*fault)) refusals_ = room->attempts;
      if (const auto* delay = std::get_if<faults::Delay>(&*fault)) {
        until_ = Deadline::after(delay->duration);
      }
    }
    if (refusals_ != 0) {
      if (refusals_ != faults::NoRoom::for_good) --refusals_;
      return Errc::would_block;
    }
    return until_.passed() ? Result<void>() : Errc::would_block;
  }
  void count_sent() {
    const std::lock_guard locked(mutex_);
    ++sent_;
  }

  std::optional<ReceiveFault> take_receive() {
    const std::lock_guard locked(mutex_);
    return take_due(receives_, received_);
  }
  bool has_receive() {
    const std::lock_guard locked(mutex_);
    return due(receives_, received_) != receives_.end();
  }
  void count_received() {
    const std::lock_guard locked(mutex_);
    ++received_;
  }

 private:
  std::mutex mutex_;
  std::vector<Step<SendFault>> sends_;
  std::vector<Step<ReceiveFault>> receives_;
  std::deque<std::error_code> connects_;
  std::uint64_t sent_ = 0;
  std::uint64_t received_ = 0;
  std::size_t refusals_ = 0;
  Deadline until_ = Deadline::now();
};

/// The scripts of this thread that have no link yet, oldest first.
class WaitingScripts {
 public:
  static WaitingScripts& of_this_thread() {
    static thread_local WaitingScripts scripts;
    return scripts;
  }

  void add(const std::shared_ptr<FaultState>& script) { scripts_.push_back(script); }

  /// That of the link which will be made next; null when there is none.
  std::shared_ptr<FaultState> next() {
    while (!scripts_.empty()) {
      if (auto script = scripts_.front().lock()) return script;
      scripts_.pop_front();  // its test has ended without a link
    }
    return nullptr;
  }
  std::shared_ptr<FaultState> take() {
    auto script = next();
    if (script) scripts_.pop_front();
    return script;
  }

 private:
  std::deque<std::weak_ptr<FaultState>> scripts_;
};

}  // namespace detail

/// Says what goes wrong on one link of a `FaultyTransport`, and when. Each fault happens once.
///
///     auto script = strait::FaultScript::for_next_link();
///     script.after_sent(2, strait::faults::NoRoom{});
///     auto [mine, theirs] = Link::pair().value();  // `mine` is the link with the script
///
/// Steps may be added while the link is in use: a count that has been reached means now, which is
/// the link's next operation.
///
/// Ownership: the script and its link share what it says; either may go first. Threads: any.
class FaultScript {
 public:
  /// For the next link that this thread makes: a server makes one when it lets a client in, a
  /// client in `connect`, `pair` two, of which the first comes first. Several scripts are for
  /// several links in order; one that is destroyed before is for none.
  [[nodiscard]] static FaultScript for_next_link() { return {}; }

  FaultScript(FaultScript&&) noexcept = default;
  FaultScript& operator=(FaultScript&&) noexcept = default;

  /// What happens when so many messages have left this side: `Close`, `Fail`, `NoRoom`, `Delay`.
  FaultScript& after_sent(std::uint64_t messages, detail::SendFault fault) {
    state_->add({messages, fault});
    return *this;
  }

  /// What happens when this side has received so many: `Close`, `Fail`, `Split`.
  FaultScript& after_received(std::uint64_t messages, detail::ReceiveFault fault) {
    state_->add({messages, fault});
    return *this;
  }

  /// Has so many attempts of this thread to find a server fail before the link is made. A `connect`
  /// with a timeout tries again after `not_found`.
  FaultScript& fail_connects(std::size_t attempts, std::error_code why) {
    for (; attempts != 0; --attempts) state_->add_connect(why);
    return *this;
  }

  /// Ends `NoRoom` and `Delay`: the link's next attempt to send finds room.
  void make_room() { state_->make_room(); }

  /// How many messages have left, and were received.
  std::uint64_t sent() const { return state_->sent(); }
  std::uint64_t received() const { return state_->received(); }

 private:
  FaultScript() : state_(std::make_shared<detail::FaultState>()) {
    detail::WaitingScripts::of_this_thread().add(state_);
  }

  std::shared_ptr<detail::FaultState> state_;
};

}  // namespace strait
