#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <ratio>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "strait/base/chrono.hpp"
#include "strait/base/deadline.hpp"
#include "strait/fwd.hpp"
#include "strait/loops/event_loop.hpp"
#include "strait/loops/operation.hpp"
#include "strait/loops/poll_loop.hpp"
#include "strait/loops/steps.hpp"
#include "strait/loops/task.hpp"
#include "strait/result.hpp"
#include "strait/token.hpp"

// Channels in coroutines, without a library: over a loop of the user's own, or over `PollLoop`.
//
//     strait::Task<> serve(strait::PollLoop& loop, Link& link) {
//       strait::Receiver receiver(loop, link);
//       while (auto message = co_await receiver.next()) link.send(answer_to(*message)).value();
//     }
//
// Threads: a loop, all that waits in it and the channels of that belong to one thread.

namespace strait {

namespace detail {

/// Waits for a time.
class SleepStep {
 public:
  using value_type = void;

  explicit SleepStep(Deadline until) : until_(until) {}

  std::optional<Result<void>> try_now() const {
    return until_.passed() ? std::optional<Result<void>>(std::in_place) : std::nullopt;
  }
  Result<LoopWait> wait() const { return LoopWait{no_handle, until_}; }

 private:
  Deadline until_;
};

/// How often in a row a receiver polls without giving the loop a turn: a peer that sends and sends
/// keeps out neither timers nor other channels.
inline constexpr int polls_per_turn = 16;

/// As `Step`, with a deadline, and now and then a turn for the loop.
template <class Step>
class InTurn {
 public:
  using value_type = typename Step::value_type;

  InTurn(Step step, Deadline deadline, int& polls)
      : step_(std::move(step)), deadline_(deadline), polls_(&polls) {}

  bool has_kept() const requires(requires(Step step) { step.has_kept(); }) {
    return step_.has_kept();
  }
  Result<value_type> take_kept() requires(requires(Step step) { step.take_kept(); }) {
    return step_.take_kept();
  }

  std::optional<Result<value_type>> try_now() {
    if (++*polls_ > polls_per_turn) return std::nullopt;
    auto result = step_.try_now();
    if (!result && deadline_.passed()) return Errc::timed_out;
    return result;
  }
  Result<LoopWait> wait() {
    *polls_ = 0;
    auto wait = step_.wait();
    if (wait) wait->until = Deadline::earlier(wait->until, deadline_);
    return wait;
  }

 private:
  Step step_;
  Deadline deadline_;
  int* polls_;
};

template <class SerializerT>
struct MessageOf {
  using Type = void;
};
// Others may have messages with views, which end with the listener's call.
template <class... Ts>
struct MessageOf<TrivialSerializer<Ts...>> {
  using Type = std::variant<Ts...>;
};
template <class T>
struct MessageOf<TrivialSerializer<T>> {
  using Type = T;
};
template <class Source>
struct MessageFrom {
  using Type = void;
};
template <class Source>
  requires requires { typename Source::serializer; }
struct MessageFrom<Source> {
  using Type = typename MessageOf<typename Source::serializer>::Type;
};

/// The listener that keeps messages until they are taken.
template <class Source, class Message>
class Kept {
 public:
  explicit Kept(Source& source) : source_(source) {}

  template <class... Arguments>
    requires std::constructible_from<Message, Arguments...>
  void operator()(Arguments&&... arguments) {
    messages_.emplace_back(std::forward<Arguments>(arguments)...);
    if (messages_.size() >= most) source_.stop();
  }

  /// The next one; polls when there is none.
  std::optional<Result<Message>> try_take() {
    std::error_code failed;
    if (empty()) {
      messages_.clear();
      next_ = 0;
      failed = source_.poll(*this).error();
    }
    if (!empty()) return take();
    if (failed) return failed;
    return std::nullopt;
  }
  Result<Message> take() { return std::move(messages_[next_++]); }
  bool empty() const { return next_ == messages_.size(); }

 private:
  /// As much as a ring holds: less makes more polls, more leaves the cache.
  static constexpr std::size_t most = (std::size_t{64} << 10) / sizeof(Message) + 1;

  Source& source_;
  std::vector<Message> messages_;
  std::size_t next_ = 0;
};
template <class Source>
class Kept<Source, void> {
 public:
  explicit Kept(Source&) {}
};

/// The next message.
template <class Source, class Message>
class NextStep {
 public:
  using value_type = Message;

  NextStep(Source& source, Kept<Source, Message>& kept) : source_(source), kept_(kept) {}

  /// Whether there is one without a poll.
  bool has_kept() const { return !kept_.empty(); }
  Result<Message> take_kept() { return kept_.take(); }
  std::optional<Result<Message>> try_now() { return kept_.try_take(); }
  Result<LoopWait> wait() {
    const auto handle = source_.native_handle();
    if (!handle) return handle.error();
    return LoopWait{*handle};
  }

 private:
  Source& source_;
  Kept<Source, Message>& kept_;
};

}  // namespace detail

/// Receives in coroutines what comes for a channel or an acceptor. Nothing is awaited, and the loop
/// is not gone to, while there is something to receive, but for a turn now and then.
///
/// `Message` is what `next` gives: by default the channel's one message type, or a `std::variant`
/// of them. Name another type if a serializer's messages are views, which must be copied, or are to
/// come with their rights: anything that can be made of a message, or of a message and `Rights`.
///
/// Errors: once the channel has ended, each call gives what ended it, after all that had arrived.
/// `unexpected_message` does not end it. Threads: those of the loop.
/// Ownership: the loop and the channel are the caller's and outlive this; neither is moved.
/// Messages that were received and not taken by `next` are this object's, and go with it.
template <EventLoop LoopT, class Source, class Message = typename detail::MessageFrom<Source>::Type>
class Receiver {
 public:
  Receiver(LoopT& loop, Source& source) : loop_(loop), source_(source), kept_(source) {}
  Receiver(const Receiver&) = delete;
  Receiver& operator=(const Receiver&) = delete;

  /// `co_await` gives the next message, a `Result<Message>`. One wait at a time.
  auto next() { return next_until(detail::Deadline::never()); }
  /// The same. Errors: also `timed_out`, and then nothing is lost.
  template <class Rep, class Period>
  auto next_for(std::chrono::duration<Rep, Period> duration) {
    return next_until(detail::Deadline::after(duration));
  }

  /// `co_await` calls the listener with what is there, once at least, and gives how many times: a
  /// `Result<std::size_t>`. Messages that `next` has not taken yet are not among it. One wait at a
  /// time.
  template <class Listener>
  auto receive(Listener listener) {
    return receive_until(std::move(listener), detail::Deadline::never());
  }
  /// The same. Errors: also `timed_out`, and then nothing is lost.
  template <class Listener, class Rep, class Period>
  auto receive_for(Listener listener, std::chrono::duration<Rep, Period> duration) {
    return receive_until(std::move(listener), detail::Deadline::after(duration));
  }

  /// Ends the wait, if there is one, with `std::errc::operation_canceled`; nothing is lost. The
  /// coroutine goes on within this call.
  void cancel() {
    if (waiting_ != nullptr) waiting_->cancel();
  }

 private:
  auto next_until(detail::Deadline deadline) {
    static_assert(!std::is_void_v<Message>,
                  "strait: this serializer's messages may end with the listener's call; name the "
                  "type to keep, Receiver<Loop, Link, Message>, or use receive(listener).");
    using Step = detail::InTurn<detail::NextStep<Source, Message>>;
    return LoopOperation<LoopT, Step>(loop_, Step({source_, kept_}, deadline, polls_), &waiting_);
  }
  template <class Listener>
  auto receive_until(Listener listener, detail::Deadline deadline) {
    using Step = detail::InTurn<detail::ReceiveStep<Source, Listener>>;
    return LoopOperation<LoopT, Step>(loop_, Step({source_, std::move(listener)}, deadline, polls_),
                                      &waiting_);
  }

  LoopT& loop_;
  Source& source_;
  detail::Kept<Source, Message> kept_;
  int polls_ = 0;
  detail::Cancellable* waiting_ = nullptr;
};
template <class LoopT, class Source>
Receiver(LoopT&, Source&) -> Receiver<LoopT, Source>;

/// `co_await` waits until everything queued is on its way, and gives a `Result<void>`: see
/// `Channel::flush`. Errors: `timed_out`: the rest stays queued; as `Channel::flush`.
///
/// While messages wait that nothing receives, or the peer has memory that is out of line, no
/// wake-up tells of room: then it looks every half to sixteen milliseconds.
template <EventLoop LoopT, class ChannelT, class Rep, class Period>
auto flush(LoopT& loop, ChannelT& channel, std::chrono::duration<Rep, Period> duration) {
  using Step = detail::FlushStep<ChannelT>;
  return LoopOperation<LoopT, Step>(loop, Step(channel, detail::Deadline::after(duration)));
}

/// `co_await` gives a connected channel, a `Result<ChannelT>`: see `Channel::connect`. Without a
/// timeout it is one attempt, which has the usual time of a handshake. Errors: as there.
template <class ChannelT, EventLoop LoopT, class Rep = std::int64_t, class Period = std::milli>
auto connect(LoopT& loop, const detail::NameOf<typename ChannelT::transport>& name,
             const Token& token, std::chrono::duration<Rep, Period> timeout = {},
             typename ChannelT::observer_type observer = {}) {
  using Step = detail::ConnectStep<ChannelT>;
  return LoopOperation<LoopT, Step>(
      loop, Step(name, token, detail::Deadline::after(timeout), std::move(observer)));
}

/// `co_await` gives the channel of the next client, a `Result<ChannelT>`. Errors: `closed`, the
/// system's.
template <EventLoop LoopT, class ChannelT>
auto accept(LoopT& loop, ChannelServer<ChannelT>& server) {
  using Step = detail::AcceptStep<ChannelServer<ChannelT>>;
  return LoopOperation<LoopT, Step>(loop, Step(server));
}

/// `co_await` waits for that long, and gives a `Result<void>`.
template <EventLoop LoopT, class Rep, class Period>
auto sleep_for(LoopT& loop, std::chrono::duration<Rep, Period> duration) {
  using Step = detail::SleepStep;
  return LoopOperation<LoopT, Step>(loop, Step(detail::Deadline::after(duration)));
}

}  // namespace strait
