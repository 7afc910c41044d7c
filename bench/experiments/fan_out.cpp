#include "experiments/fan_out.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

#include "experiments/experiments.hpp"
#include "harness/clock.hpp"
#include "harness/csv.hpp"
#include "harness/figures.hpp"
#include "harness/guard.hpp"
#include "harness/native.hpp"
#include "harness/payload.hpp"
#include "harness/progress.hpp"
#include "strait/acceptor.hpp"
#include "strait/launch.hpp"
#include "strait/memory/out_of_line.hpp"
#include "strait/os/processor.hpp"
#include "strait/serializers/raw.hpp"
#include "strait/transports/mach.hpp"

// One message to many receivers, each of which is a process of its own: fragments copied for each;
// one region that is made of the bytes and that each maps; one buffer in which the message is made,
// of which each is told what has changed; and one lent segment, which each reads in place.

namespace bench {

namespace {

using FanBytes = std::span<const std::byte>;
using InlineFan = strait::Channel<strait::MachTransport<strait::InlineOnly>, strait::RawSerializer>;
using OolFan =
    strait::Channel<strait::MachTransport<strait::OolThreshold<1>>, strait::RawSerializer>;
using LentFan = strait::Channel<strait::MachTransport<strait::OolThreshold<1, strait::Loan>>,
                                strait::RawSerializer>;

constexpr std::string_view inline_way = "inline";
constexpr std::string_view region_way = "region";
constexpr std::string_view buffer_way = "buffer";
constexpr std::string_view lent_way = "lent";
constexpr std::chrono::seconds fan_timeout{30};
/// At which backlog the sender waits for the slowest receiver, as in the other cases.
constexpr std::size_t fan_backlog_bytes = std::size_t{64} << 10;
/// And how much a receiver may have that is lent: several messages, so that not each has to wake it,
/// and of small ones what two rings would hold.
constexpr std::size_t max_lent_messages = 8;
constexpr std::size_t min_lent_bytes = std::size_t{2} << 20;

/// What comes before the messages of a batch. Their numbers go from 0 on.
struct FanOrder {
  std::uint64_t messages;
  std::uint64_t bytes;
  Work work;
  std::uint32_t reserved;
};

/// What one receiver does with what it hears.
template <class Link>
class FanReceiver {
 public:
  explicit FanReceiver(Link& link) : link_(link) {}

  void operator()(FanBytes message) {
    if (next_ == order_.messages) {
      std::memcpy(&order_, message.data(), sizeof order_);
      next_ = 0;
      return;
    }
    order_.work == Work::hand_off
        ? Payload::check<Work::hand_off>(message, order_.bytes, next_)
        : Payload::check<Work::produce_consume>(message, order_.bytes, next_);
    if (++next_ == order_.messages) link_.send(std::as_bytes(std::span(&next_, 1))).value();
  }

 private:
  Link& link_;
  FanOrder order_{};
  std::uint64_t next_ = 0;
};

template <class Link>
int receive_until_closed(int core) {
  die_with_parent();
  pin_to_core(core);
  auto link = strait::connect_to_parent<Link>(fan_timeout).value();
  const auto ended = link.run(FanReceiver<Link>(link));
  return ended.error() == strait::Errc::peer_closed ? 0 : 1;
}

/// A sender with its receivers.
template <class Link>
class Fan {
 public:
  Fan(std::string_view way, std::size_t receivers, int core)
      : server_(strait::Acceptor<Link>::listen(
                    "strait-bench-fan-" + strait::Token::generate().value().to_hex().substr(0, 16),
                    strait::Token::generate().value())
                    .value()) {
    for (std::size_t i = 0; i != receivers; ++i) {
      auto started = strait::launch<Link>(
          own_program(), {"receive", std::string(way), std::to_string(core)}, {fan_timeout});
      if (!started) throw std::system_error(started.error(), "starting a receiver");
      children_.push_back(std::move(started->child));
      const auto adopted = server_.adopt(std::move(started->channel));
      if (!adopted) throw std::system_error(adopted.error(), "a receiver's channel");
    }
  }

  /// Messages a second, each of which has gone to all; made in memory of the channels' own if
  /// `in_buffer`: one buffer that goes on to the next message, or a lent one for each.
  double rate(std::size_t bytes, std::uint64_t messages, Work work, bool in_buffer) {
    const FanOrder order{messages, bytes, work, 0};
    send(FanBytes(std::as_bytes(std::span(&order, 1))));
    message_.resize(bytes);
    strait::OutOfLineBytes buffer;
    if (in_buffer && !lends) buffer = new_buffer(bytes);
    const std::uint64_t start = now_ns();
    for (std::uint64_t i = 0; i != messages; ++i) {
      if (lends) {
        buffer = server_.out_of_line_bytes(bytes).value();
        make(buffer.writable().value(), work, i);
        send(buffer);
        await_returns((std::max)(max_lent_messages * bytes, min_lent_bytes));
      } else if (in_buffer) {
        make(work == Work::hand_off ? stamped_part(buffer) : buffer.writable().value(), work, i);
        send(buffer);
      } else {
        make(message_, work, i);
        send(FanBytes(message_));
      }
    }
    std::size_t finished = 0;
    const auto listener = [&](Link&, FanBytes answer) {
      std::uint64_t received = 0;
      std::memcpy(&received, answer.data(), sizeof received);
      if (received != messages) throw std::runtime_error("a receiver has counted wrong");
      ++finished;
    };
    while (finished != children_.size()) {
      const auto handled = server_.wait(listener, fan_timeout);
      if (!handled) throw std::system_error(handled.error(), "wait");
      if (*handled == 0 || server_.size() != children_.size()) {
        throw std::runtime_error("a receiver is gone, or answers no more");
      }
    }
    return static_cast<double>(messages) / (static_cast<double>(now_ns() - start) / 1e9);
  }

 private:
  static constexpr bool lends = std::is_same_v<Link, LentFan>;

  strait::OutOfLineBytes new_buffer(std::size_t bytes) {
    strait::OutOfLineBytes buffer = server_.out_of_line_bytes(bytes).value();
    const auto whole = buffer.writable().value();
    std::fill(whole.begin(), whole.end(), std::byte{0});
    return buffer;
  }
  /// All of a buffer, of which the first and last eight bytes may be written.
  static std::span<std::byte> stamped_part(strait::OutOfLineBytes& buffer) {
    const std::size_t stamp = std::min(sizeof(std::uint64_t), buffer.size());
    const auto head = buffer.writable(0, stamp).value();
    static_cast<void>(buffer.writable(buffer.size() - stamp, stamp).value());
    return {head.data(), buffer.size()};
  }
  static void make(std::span<std::byte> room, Work work, std::uint64_t number) {
    work == Work::hand_off ? Payload::make<Work::hand_off>(room, number)
                           : Payload::make<Work::produce_consume>(room, number);
  }

  /// When a receiver has more than this, waits until each has given back half of it: with several
  /// messages to come none is woken for one. A receiver whose processor is another one is not worth
  /// a sleep.
  void await_returns(std::size_t max_bytes) {
    bool full = false;
    server_.for_each([&](Link& client) { full = full || client.queued_bytes() > max_bytes; });
    if (!full) return;
    server_.for_each([&](Link& client) {
      const std::uint64_t start = now_ns();
      while (client.queued_bytes() > max_bytes / 2) {
        strait::os::pause_processor();
        if (now_ns() - start > std::uint64_t{30'000'000'000}) {
          throw std::runtime_error("a receiver gives back no more");
        }
      }
    });
  }

  template <class Message>
  void send(const Message& message) {
    if (server_.send_all(message) != children_.size()) {
      throw std::runtime_error("a receiver has not taken a message");
    }
    server_.for_each([](Link& client) {
      if (client.queued_bytes() <= fan_backlog_bytes) return;
      if (const auto flushed = client.flush(fan_timeout); !flushed) {
        throw std::system_error(flushed.error(), "flush");
      }
    });
  }

  strait::Acceptor<Link> server_;
  std::vector<strait::ChildProcess> children_;
  std::vector<std::byte> message_;
};

constexpr std::array<std::size_t, 4> fan_receivers = {1, 4, 16, 64};
constexpr std::array<Work, 2> fan_works = {Work::hand_off, Work::produce_consume};

/// The rates of one way, by kind of work, number of receivers and size.
class FanRates {
 public:
  FanRates(std::string_view way, std::size_t sizes) : way_(way) {
    for (auto& by_receivers : rates_) {
      for (auto& by_size : by_receivers) by_size.resize(sizes);
    }
  }

  std::string_view way() const { return way_; }
  std::vector<double>& at(std::size_t work, std::size_t receivers, std::size_t size) {
    return rates_[work][receivers][size];
  }
  double rate(std::size_t work, std::size_t receivers, std::size_t size) const {
    return median(rates_[work][receivers][size]);
  }

 private:
  std::string_view way_;
  std::array<std::array<std::vector<std::vector<double>>, fan_receivers.size()>, fan_works.size()>
      rates_;
};

/// As many messages as a batch of about a tenth of a second has.
std::uint64_t messages_for(double first_rate) {
  return std::clamp<std::uint64_t>(static_cast<std::uint64_t>(first_rate / 10), 5, 20'000);
}

template <class Link>
void measure_fan(FanRates& rates, const std::vector<std::size_t>& sizes, const Options& options,
                 Progress& progress) {
  for (std::size_t n = 0; n != fan_receivers.size(); ++n) {
    progress.announce(fmt::format("{} to {} receivers", rates.way(), fan_receivers[n]));
    Fan<Link> fan(rates.way(), fan_receivers[n], options.cores.second);
    for (std::size_t work = 0; work != fan_works.size(); ++work) {
      for (std::size_t i = 0; i != sizes.size(); ++i) {
        guard::start_batch(
            fmt::format("{} bytes {} to {} receivers", sizes[i], rates.way(), fan_receivers[n]));
        const bool in_buffer = rates.way() == buffer_way || rates.way() == lent_way;
        const auto rate_of = [&](std::uint64_t messages) {
          return fan.rate(sizes[i], messages, fan_works[work], in_buffer);
        };
        std::uint64_t messages = 5;
        double rate = rate_of(messages);
        // The first batches have fresh memory and processes that sleep: what counts is one that is
        // as long as a batch shall be.
        for (int tries = 0; tries != 4 && !options.quick; ++tries) {
          const std::uint64_t enough = messages_for(rate);
          if (tries != 0 && enough < 2 * messages) break;
          messages = enough;
          rate = rate_of(messages);
        }
        rates.at(work, n, i).push_back(rate);
        progress.done(1);
      }
    }
  }
}

/// The smallest of these sizes from which on, up to the largest, one way is ahead of the other.
std::optional<std::size_t> crossover(const FanRates& ahead, const FanRates& behind,
                                     std::size_t work, std::size_t receivers,
                                     const std::vector<std::size_t>& sizes) {
  std::optional<std::size_t> from;
  for (std::size_t i = sizes.size(); i-- != 0;) {
    if (ahead.rate(work, receivers, i) < behind.rate(work, receivers, i)) break;
    from = sizes[i];
  }
  return from;
}

void print_fan(const std::vector<FanRates>& ways, std::size_t work,
               const std::vector<std::size_t>& sizes) {
  const FanRates& fragments = ways.front();
  const std::span<const FanRates> others(ways.begin() + 1, ways.end());
  for (std::size_t n = 0; n != fan_receivers.size(); ++n) {
    fmt::print("{:>2} receivers", fan_receivers[n]);
    for (const FanRates& way : ways) fmt::print("{:>12}", way.way());
    for (const FanRates& way : others) fmt::print("{:>18}", fmt::format("{} / inline", way.way()));
    fmt::print("\n");
    for (std::size_t i = 0; i != sizes.size(); ++i) {
      fmt::print("{:>12}", sizes[i]);
      for (const FanRates& way : ways) fmt::print("{:>12}", short_number(way.rate(work, n, i)));
      for (const FanRates& way : others) {
        fmt::print("{:>18}", short_number(way.rate(work, n, i) / fragments.rate(work, n, i)));
      }
      fmt::print("\n");
    }
    for (const FanRates& one : others) {
      const auto from = crossover(one, fragments, work, n, sizes);
      const std::string_view method = one.way() == lent_way ? ", Loan" : "";
      fmt::print("   {} is ahead of inline {}\n", one.way(),
                 from ? fmt::format("from {} bytes on: OolThreshold<{}{}>", *from, *from, method)
                      : std::string("at no size here: InlineOnly"));
    }
  }
}

void write_fan(CsvFile& csv, const FanRates& rates, const std::vector<std::size_t>& sizes,
               std::size_t rounds) {
  for (std::size_t work = 0; work != fan_works.size(); ++work) {
    for (std::size_t n = 0; n != fan_receivers.size(); ++n) {
      const std::string name = fmt::format("{}-to-{}", rates.way(), fan_receivers[n]);
      for (std::size_t i = 0; i != sizes.size(); ++i) {
        csv.write({.experiment = work == 0 ? "fan-out-hand-off" : "fan-out-produce-consume",
                   .case_name = name,
                   .bytes = sizes[i],
                   .rounds = rounds,
                   .messages_per_s = rates.rate(work, n, i)});
      }
    }
  }
}

}  // namespace

int receive_fan_out(std::string_view way, int core) {
  if (way == inline_way) return receive_until_closed<InlineFan>(core);
  if (way == lent_way) return receive_until_closed<LentFan>(core);
  return receive_until_closed<OolFan>(core);
}

int run_fan_out(const Options& options) {
  std::vector<std::size_t> sizes = options.sizes;
  if (sizes.empty()) {
    for (std::size_t bytes = 4096; bytes <= std::size_t{4} << 20; bytes *= 4) {
      sizes.push_back(bytes);
    }
  }
  if (!options.cases.empty()) {
    throw std::invalid_argument("--cases: fan-out has four ways, and measures all");
  }
  std::sort(sizes.begin(), sizes.end());
  const std::size_t rounds = options.rounds_or(3, 1);
  CsvFile csv(options.csv_path);
  pin_to_core(options.cores.first);
  std::vector<FanRates> ways;
  for (const auto way : {inline_way, region_way, buffer_way, lent_way}) {
    ways.emplace_back(way, sizes.size());
  }
  const std::size_t batches = ways.size() * fan_receivers.size() * fan_works.size() * sizes.size();
  in_rounds(rounds, batches, static_cast<double>(batches), [&](Progress& progress) {
    measure_fan<InlineFan>(ways[0], sizes, options, progress);
    measure_fan<OolFan>(ways[1], sizes, options, progress);
    measure_fan<OolFan>(ways[2], sizes, options, progress);
    measure_fan<LentFan>(ways[3], sizes, options, progress);
  });
  for (const FanRates& way : ways) write_fan(csv, way, sizes, rounds);
  csv.finish();

  print_heading("strait_bench fan-out: one message to many receivers, messages a second", options);
  fmt::print(
      "HAND-OFF: the first and last eight bytes are written, and read where they arrive\n\n");
  print_fan(ways, 0, sizes);
  fmt::print("\nPRODUCE AND CONSUME: every byte is written, and read where it arrives\n\n");
  print_fan(ways, 1, sizes);
  return 0;
}

}  // namespace bench
