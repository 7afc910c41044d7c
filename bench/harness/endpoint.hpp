#pragma once

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <stdexcept>
#include <utility>

#include "harness/clock.hpp"
#include "harness/payload.hpp"
#include "strait/message_size_histogram.hpp"

namespace bench {

/// The sizes of a stream's messages: all alike, or a list.
struct Sizes {
  std::size_t count = 0;
  std::size_t all_bytes = 0;
  std::span<const std::uint32_t> list = {};
  std::size_t largest_bytes = all_bytes;

  std::size_t operator[](std::size_t i) const noexcept {
    return list.empty() ? all_bytes : list[i];
  }
};

/// One end of a connected case. What is timed runs inside one virtual call, so no case pays for the
/// harness's flexibility. Each batch ends with one untimed message that is checked byte by byte.
///
/// Errors: everything that goes wrong is thrown.
class Endpoint {
 public:
  virtual ~Endpoint() = default;

  /// Round trips against the peer's `echo`: `warm_up` untimed ones, then one for each sample.
  virtual void ping(Work work, std::size_t bytes, std::size_t warm_up,
                    std::span<std::uint64_t> round_trip_ns) = 0;
  /// Answers `count` messages (warm-up and timed), and the closing one.
  virtual void echo(Work work, std::size_t bytes, std::size_t count) = 0;

  /// Sends against the peer's `stream_in`; returns when the first message was about to be sent.
  virtual std::uint64_t stream_out(const Sizes& sizes) = 0;
  /// Returns when the last message had arrived, and in `seen`, if given, what the receiver
  /// observed.
  virtual std::uint64_t stream_in(const Sizes& sizes, strait::MessageSizeHistogram* seen) = 0;

  /// Waits that long for a message, and throws if there is one.
  virtual void idle(std::chrono::milliseconds duration) = 0;
};

/// What a case must be able to do to be measured, blocking:
///
/// 1. `send(message)` hands a message over, or queues it.
/// 2. `flush()` returns when all is handed over.
/// 3. `receive(bytes, handle)` waits until at least one message is there, calls `handle` with each
/// in
///    order, and returns how many. `bytes` is the size of the next one, for cases without framing.
template <class Link>
concept MeasurableLink = requires(Link& link, std::span<const std::byte> message) {
  link.send(message);
  link.flush();
  {
    link.receive(std::size_t{}, [](std::span<const std::byte>) {})
    } -> std::convertible_to<std::size_t>;
};

/// Links that observe for themselves what arrives.
template <class Link>
concept ObservingLink = requires(Link& link) {
  { link.observer() } -> std::convertible_to<strait::MessageSizeHistogram&>;
};

/// Links that lend memory from which a message goes out: `send_made(bytes, make)` calls
/// `make(room)`.
template <class Link>
concept LendingLink = requires(Link& link) {
  link.send_made(std::size_t{}, [](std::span<std::byte>) {});
};

/// Links that can wait in vain: `idle(duration)` is false if a message came.
template <class Link>
concept IdleLink = requires(Link& link, std::chrono::milliseconds duration) {
  { link.idle(duration) } -> std::same_as<bool>;
};

/// Links that send one message again and again: `send_again(bytes, make)` calls `make(room)` for
/// the first of that size.
template <class Link>
concept RepeatingLink = requires(Link& link) {
  link.send_again(std::size_t{}, [](std::span<std::byte>) {});
};

/// Links that send one message again and again with a little of it written: `send_updated(bytes,
/// make)` calls `make(room)`, which writes the first and last eight bytes of it.
template <class Link>
concept UpdatingLink = requires(Link& link) {
  link.send_updated(std::size_t{}, [](std::span<std::byte>) {});
  link.send_whole(std::size_t{}, [](std::span<std::byte>) {});
};

template <MeasurableLink Link>
class EndpointOver final : public Endpoint {
 public:
  explicit EndpointOver(Link link) : link_(std::move(link)) {}

  void ping(Work work, std::size_t bytes, std::size_t warm_up,
            std::span<std::uint64_t> round_trip_ns) override {
    return work == Work::hand_off ? ping_with<Work::hand_off>(bytes, warm_up, round_trip_ns)
                                  : ping_with<Work::produce_consume>(bytes, warm_up, round_trip_ns);
  }
  void echo(Work work, std::size_t bytes, std::size_t count) override {
    return work == Work::hand_off ? echo_with<Work::hand_off>(bytes, count)
                                  : echo_with<Work::produce_consume>(bytes, count);
  }

  std::uint64_t stream_out(const Sizes& sizes) override {
    payload_.prepare(sizes.largest_bytes);
    const std::uint64_t start = now_ns();
    for (std::size_t i = 0; i < sizes.count; ++i) {
      link_.send(payload_.stamped(sizes[i], sent_++));
    }
    link_.flush();
    payload_.prepare(sizes.largest_bytes);
    link_.send(payload_.stamped(sizes.largest_bytes, sent_++));
    link_.flush();
    return start;
  }

  std::uint64_t stream_in(const Sizes& sizes, strait::MessageSizeHistogram* seen) override {
    if (seen != nullptr) return receive_stream<true>(sizes, *seen);
    strait::MessageSizeHistogram nobody_looks;
    return receive_stream<false>(sizes, nobody_looks);
  }

  void idle(std::chrono::milliseconds duration) override {
    if constexpr (IdleLink<Link>) {
      if (!link_.idle(duration)) throw std::runtime_error("a message came while nobody sent one");
    } else {
      throw std::logic_error("this case knows no end to its waiting");
    }
  }

 private:
  template <Work work>
  void ping_with(std::size_t bytes, std::size_t warm_up, std::span<std::uint64_t> round_trip_ns) {
    payload_.prepare(bytes);
    const auto round_trip = [&] {
      send_one<work>(bytes);
      receive_one<work>(bytes);
    };
    time_round_trips(warm_up, round_trip_ns, round_trip);
    send_last(bytes);
    receive_last(bytes);
  }

  template <Work work>
  void echo_with(std::size_t bytes, std::size_t count) {
    payload_.prepare(bytes);
    for (std::size_t i = 0; i < count; ++i) {
      receive_one<work>(bytes);
      send_one<work>(bytes);
    }
    receive_last(bytes);
    send_last(bytes);
    link_.flush();
  }

  template <class Make>
  void send_made(std::size_t bytes, const Make& make) {
    if constexpr (LendingLink<Link>) {
      link_.send_made(bytes, make);
    } else if constexpr (UpdatingLink<Link>) {
      link_.send_whole(bytes, make);
    } else {
      const std::span<std::byte> room = payload_.room(bytes);
      make(room);
      link_.send(room);
    }
  }
  std::uint64_t next_received() { return RepeatingLink<Link> ? only_number : received_++; }

  /// The number of the message that is always the same.
  static constexpr std::uint64_t only_number = 1;

  template <Work work>
  void send_one(std::size_t bytes) {
    if constexpr (RepeatingLink<Link>) return send_last(bytes);
    if constexpr (UpdatingLink<Link> && work == Work::hand_off) {
      return link_.send_updated(
          bytes, [&](std::span<std::byte> room) { Payload::make<work>(room, sent_++); });
    }
    send_made(bytes, [&](std::span<std::byte> room) { Payload::make<work>(room, sent_++); });
  }
  void send_last(std::size_t bytes) {
    if constexpr (RepeatingLink<Link>) {
      return link_.send_again(
          bytes, [&](std::span<std::byte> room) { payload_.make_whole(room, only_number); });
    }
    send_made(bytes, [&](std::span<std::byte> room) { payload_.make_whole(room, sent_++); });
  }

  template <class Check>
  void receive_one(std::size_t bytes, const Check& check) {
    if (link_.receive(bytes, check) != 1) throw std::runtime_error("more messages than were sent");
  }
  template <Work work>
  void receive_one(std::size_t bytes) {
    receive_one(bytes, [&](std::span<const std::byte> message) {
      Payload::check<work>(message, bytes, next_received());
    });
  }
  void receive_last(std::size_t bytes) {
    receive_one(bytes, [&](std::span<const std::byte> message) {
      payload_.check_whole(message, bytes, next_received());
    });
  }

  template <bool observed>
  std::uint64_t receive_stream(const Sizes& sizes, strait::MessageSizeHistogram& seen) {
    if constexpr (observed && ObservingLink<Link>) link_.observer() = seen;
    std::size_t done = 0;
    std::uint64_t end = 0;
    const auto handle = [&](std::span<const std::byte> message) {
      if (done == sizes.count) {
        payload_.check_whole(message, sizes.largest_bytes, received_++);
        ++done;
        return;
      }
      Payload::check_stamps(message, sizes[done], received_++);
      if constexpr (observed && !ObservingLink<Link>) seen.record(message.size());
      if (++done == sizes.count) {
        end = now_ns();
        if constexpr (observed && ObservingLink<Link>) seen = link_.observer();
      }
    };
    while (done <= sizes.count) {
      link_.receive(done < sizes.count ? sizes[done] : sizes.largest_bytes, handle);
    }
    return end;
  }

  Link link_;
  Payload payload_;
  std::uint64_t sent_ = 0;
  std::uint64_t received_ = 0;
};

template <MeasurableLink Link>
std::unique_ptr<Endpoint> make_endpoint(Link link) {
  return std::make_unique<EndpointOver<Link>>(std::move(link));
}

}  // namespace bench
