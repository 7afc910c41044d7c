#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <new>
#include <span>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

#include "strait/base/deadline.hpp"
#include "strait/base/moved_from.hpp"
#include "strait/calls/frame.hpp"
#include "strait/result.hpp"
#include "strait/rights/rights.hpp"

namespace strait::detail {

/// What is to be done with a call's replies: any callable, moved here and called until the end of
/// the call, which it is told once.
class ReplyHandler {
 public:
  static constexpr std::size_t inline_bytes = 64;

  ReplyHandler() = default;
  /// `SerializerT` reads the replies. The handler takes the messages that may be replies, and why
  /// there is none: a `std::error_code`.
  template <class SerializerT, class F>
  static ReplyHandler make(F handler) {
    if constexpr (sizeof(F) <= inline_bytes && alignof(F) <= alignof(std::max_align_t) &&
                  std::is_nothrow_move_constructible_v<F>) {
      return ReplyHandler(std::in_place_type<Code<SerializerT, F>>, std::move(handler));
    } else {
      return make<SerializerT>(Boxed<F>{std::make_unique<F>(std::move(handler))});
    }
  }
  ReplyHandler(ReplyHandler&& other) noexcept { take(other); }
  ReplyHandler& operator=(ReplyHandler&& other) noexcept {
    if (this == &other) return *this;
    reset();
    take(other);
    return *this;
  }
  ~ReplyHandler() { reset(); }

  explicit operator bool() const { return functions_ != nullptr; }
  void reset() {
    if (functions_ != nullptr) std::exchange(functions_, nullptr)->destroy(storage_);
  }

  /// Errors: as those of the serializer's `read`.
  Result<void> reply(std::uint16_t tag, std::span<const std::byte> bytes, Rights& rights) {
    return functions_->reply(storage_, tag, bytes, rights);
  }
  void end(std::error_code why) { functions_->end(storage_, why); }

 private:
  struct Functions {
    Result<void> (*reply)(std::byte*, std::uint16_t, std::span<const std::byte>, Rights&);
    void (*end)(std::byte*, std::error_code);
    void (*move)(std::byte* from, std::byte* to);
    void (*destroy)(std::byte*);
  };

  template <class F>
  struct Boxed {
    std::unique_ptr<F> handler;

    template <class... Arguments>
      requires std::invocable<F&, Arguments...>
    void operator()(Arguments&&... arguments) { (*handler)(std::forward<Arguments>(arguments)...); }
  };

  /// A handler as a serializer's `read` calls it, with the reply's rights if it takes them.
  template <class F>
  struct Reader {
    F& handler;
    Rights& rights;

    template <class Message>
      requires(std::invocable<F&, Message, Rights> || std::invocable<F&, Message>)
    void operator()(Message&& message) {
      if constexpr (std::invocable<F&, Message, Rights>) {
        handler(std::forward<Message>(message), std::move(rights));
      } else {
        handler(std::forward<Message>(message));
      }
    }
  };

  template <class SerializerT, class F>
  struct Code {
    using Handler = F;
    static F& in(std::byte* storage) { return *std::launder(reinterpret_cast<F*>(storage)); }
    static constexpr Functions functions = {
        [](std::byte* storage, std::uint16_t tag, std::span<const std::byte> bytes,
           Rights& rights) {
          Reader<F> reader{in(storage), rights};
          return SerializerT::read(tag, bytes, reader);
        },
        [](std::byte* storage, std::error_code why) { in(storage)(why); },
        [](std::byte* from, std::byte* to) {
          ::new (static_cast<void*>(to)) F(std::move(in(from)));
          in(from).~F();
        },
        [](std::byte* storage) { in(storage).~F(); },
    };
  };

  template <class CodeT>
  ReplyHandler(std::in_place_type_t<CodeT>, typename CodeT::Handler handler)
      : functions_(&CodeT::functions) {
    ::new (static_cast<void*>(storage_)) typename CodeT::Handler(std::move(handler));
  }

  void take(ReplyHandler& other) {
    functions_ = std::exchange(other.functions_, nullptr);
    if (functions_ != nullptr) functions_->move(other.storage_, storage_);
  }

  alignas(std::max_align_t) std::byte storage_[inline_bytes];
  const Functions* functions_ = nullptr;
};

/// The calls under way. Each has a place here until its last reply has come, also when it is given
/// up before, so that a reply to it is told from one to nothing.
class CallTable {
 public:
  static constexpr std::uint32_t max_calls = std::uint32_t{1} << 20;

  /// How many are waited for.
  std::size_t waiting() const { return waiting_; }

  /// Errors: `queue_full`.
  Result<CallId> add(ReplyHandler handler, Deadline deadline, bool streams) {
    if (free_.empty()) {
      if (slots_.size() == max_calls) return Errc::queue_full;
      free_.push_back(static_cast<std::uint32_t>(slots_.size()));
      slots_.emplace_back();
    }
    const std::uint32_t place = free_.back();
    free_.pop_back();
    Slot& slot = slots_[place];
    slot.handler = std::move(handler);
    slot.deadline = deadline;
    slot.state = State::waiting;
    slot.streams = streams;
    waiting_ = waiting_ + 1;
    if (!deadline.is_never()) push(place);
    return id_of(place);
  }

  /// Takes back a call that was not sent: its handler is not called.
  void remove(CallId id) {
    const std::uint32_t place = place_of(id);
    stop_waiting(place);
    slots_[place].handler.reset();
    release(place);
  }

  /// Ends a call whose reply, when it comes, is of no use any more. False if there is none waiting.
  bool give_up(CallId id, std::error_code why) {
    const std::uint32_t place = place_of(id);
    if (place == nowhere || slots_[place].state != State::waiting) return false;
    give_up_at(place, why);
    return true;
  }

  Deadline next_deadline() const {
    return by_deadline_.empty() ? Deadline::never() : slots_[by_deadline_.front()].deadline;
  }

  /// Ends one call whose time is up. False if there is none.
  bool expire_one() {
    if (!next_deadline().passed()) return false;
    give_up_at(by_deadline_.front(), make_error_code(Errc::timed_out));
    return true;
  }

  /// Ends all calls. Those that their handlers make meanwhile are ended, too, as nothing is sent
  /// any more.
  void end_all(std::error_code why) {
    for (std::uint32_t place = 0; waiting_ != 0; place = (place + 1) % slot_count()) {
      if (slots_[place].state == State::waiting) give_up_at(place, why);
    }
  }

  /// Ends all calls, and forgets those that were given up: no reply to them will come, as the next
  /// connection is another one.
  void end_connection(std::error_code why) {
    end_all(why);
    for (std::uint32_t place = 0; place != slot_count(); ++place) {
      if (slots_[place].state == State::given_up) release(place);
    }
  }

  /// Gives a reply to its call. Errors: `malformed` for a reply to no call, or one that is no
  /// message.
  Result<void> reply(const IncomingCall& in, Rights rights = {}) {
    const std::uint32_t place = place_of(in.trailer.id);
    if (place == nowhere) return Errc::malformed;
    const bool last = in.trailer.kind != CallKind::part;
    if (slots_[place].state != State::waiting) {
      // It was given up; a part of a reply that is being handled can't be followed by another.
      if (last) release(place);
      return {};
    }
    if (in.trailer.kind == CallKind::unanswered) {
      finish(place, make_error_code(Errc::unanswered), true);
      return in.bytes.empty() ? Result<void>() : Errc::malformed;
    }
    // Its handler may make and give up calls, this one too, so it is not in the table meanwhile.
    ReplyHandler handler = std::move(slots_[place].handler);
    const bool streams = slots_[place].streams;
    const auto end = [&](std::error_code why) {
      stop_waiting(place);
      slots_[place].state = State::given_up;
      handler.end(why);
    };
    if (!last) {
      if (!streams) {
        end(make_error_code(Errc::unexpected_message));
        return {};
      }
      const Returned returned{slots_[place], handler};
      const Result<void> read = handler.reply(in.tag, in.bytes, rights);
      if (slots_[place].state != State::waiting) {
        // Its handler has given the call up, which could not be told yet.
        handler.end(slots_[place].why);
      } else if (!read) {
        end(read.error());
      }
      return read.failed_with(Errc::malformed) ? read : Result<void>();
    }
    stop_waiting(place);
    release(place);
    const Result<void> read = handler.reply(in.tag, in.bytes, rights);
    if (!read) {
      handler.end(read.error());
    } else if (streams) {
      handler.end({});
    }
    return read.failed_with(Errc::malformed) ? read : Result<void>();
  }

 private:
  enum class State : std::uint8_t { free, waiting, given_up };
  static constexpr std::uint32_t nowhere = UINT32_MAX;

  struct Slot {
    ReplyHandler handler;
    Deadline deadline = Deadline::never();
    std::error_code why;  // it was given up while its handler was running
    std::uint32_t generation = 1;
    std::uint32_t in_heap = nowhere;
    State state = State::free;
    bool streams = false;
  };

  /// Puts the handler of a call that goes on back to its place, also when it throws.
  struct Returned {
    Slot& slot;
    ReplyHandler& handler;
    ~Returned() {
      if (slot.state == State::waiting) slot.handler = std::move(handler);
    }
  };

  std::uint32_t slot_count() const { return static_cast<std::uint32_t>(slots_.size()); }

  // A number is a place and how often it was taken; the first one has no zero in it.
  static constexpr int place_bits = 24;

  CallId id_of(std::uint32_t place) const {
    return CallId{static_cast<std::uint64_t>(slots_[place].generation) << place_bits | place};
  }
  std::uint32_t place_of(CallId id) const {
    const auto value = static_cast<std::uint64_t>(id);
    const auto place = static_cast<std::uint32_t>(value & ((1U << place_bits) - 1));
    if (place >= slots_.size()) return nowhere;
    const Slot& slot = slots_[place];
    const bool is_it = slot.state != State::free && slot.generation == value >> place_bits;
    return is_it ? place : nowhere;
  }

  void release(std::uint32_t place) {
    Slot& slot = slots_[place];
    slot.state = State::free;
    slot.why = {};
    if (++slot.generation == 0) slot.generation = 1;
    free_.push_back(place);
  }

  void stop_waiting(std::uint32_t place) {
    if (slots_[place].in_heap != nowhere) erase(place);
    waiting_ = waiting_ - 1;
  }

  void finish(std::uint32_t place, std::error_code why, bool answered) {
    ReplyHandler handler = std::move(slots_[place].handler);
    stop_waiting(place);
    if (answered) {
      release(place);
    } else {
      slots_[place].state = State::given_up;
    }
    if (handler) handler.end(why);
  }

  void give_up_at(std::uint32_t place, std::error_code why) {
    slots_[place].why = why;
    finish(place, why, false);
  }

  // A heap of the calls that have a deadline, the earliest at its front; each knows its place.

  bool earlier(std::uint32_t a, std::uint32_t b) const {
    const Deadline first = slots_[a].deadline;
    return first != slots_[b].deadline && Deadline::earlier(first, slots_[b].deadline) == first;
  }
  void put(std::size_t at, std::uint32_t place) {
    by_deadline_[at] = place;
    slots_[place].in_heap = static_cast<std::uint32_t>(at);
  }
  void push(std::uint32_t place) {
    by_deadline_.push_back(place);
    rise(by_deadline_.size() - 1, place);
  }
  void erase(std::uint32_t place) {
    const std::size_t at = slots_[place].in_heap;
    slots_[place].in_heap = nowhere;
    const std::uint32_t last = by_deadline_.back();
    by_deadline_.pop_back();
    if (last == place) return;
    at != 0 && earlier(last, by_deadline_[(at - 1) / 2]) ? rise(at, last) : sink(at, last);
  }
  void rise(std::size_t at, std::uint32_t place) {
    for (; at != 0 && earlier(place, by_deadline_[(at - 1) / 2]); at = (at - 1) / 2) {
      put(at, by_deadline_[(at - 1) / 2]);
    }
    put(at, place);
  }
  void sink(std::size_t at, std::uint32_t place) {
    for (std::size_t child = 2 * at + 1; child < by_deadline_.size(); child = 2 * at + 1) {
      if (child + 1 < by_deadline_.size() &&
          earlier(by_deadline_[child + 1], by_deadline_[child])) {
        ++child;
      }
      if (!earlier(by_deadline_[child], place)) break;
      put(at, by_deadline_[child]);
      at = child;
    }
    put(at, place);
  }

  std::deque<Slot> slots_;  // a handler may stay where it is while there are more
  std::vector<std::uint32_t> free_;
  std::vector<std::uint32_t> by_deadline_;
  ValueOnMove<std::size_t, 0> waiting_ = 0;
};

}  // namespace strait::detail
