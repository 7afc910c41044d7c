#pragma once

// What two processes say to each other until one of them dies: an endless stream each way of
// messages that can be told apart, with whatever else a message can carry.

#include <sys/stat.h>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <string>
#include <system_error>
#include <utility>

#include "conformance/rights.hpp"
#include "conformance/transports.hpp"
#include "strait/memory/out_of_line.hpp"
#include "support/native.hpp"

namespace strait_test {

enum class Load { small, large, rights, ends, loans };
inline constexpr const char* load_names[] = {"small", "large", "rights", "ends", "loans"};

inline constexpr strait::ChannelOptions soak_limits{.max_message_bytes = std::size_t{16} << 20,
                                                    .max_queued_bytes = std::size_t{20} << 20};
template <class T>
using SoakLink = RawLink<T, soak_limits>;

/// The size of a message in a stream, the same on both sides.
inline std::size_t soak_size(Load load, std::uint64_t index) {
  if (load != Load::large && load != Load::loans) return mixed_size(index);
  const std::uint64_t dice = (index + 1) * 0x9e37'79b9'7f4a'7c15 >> 40;
  const std::size_t floor = load == Load::large ? std::size_t{1} << 20 : std::size_t{8} << 10;
  const std::size_t span = load == Load::large ? std::size_t{7} << 20 : std::size_t{512} << 10;
  return index % 5 == 4 ? dice % 300 : floor + dice % span;
}

/// One side of a conversation: sends its stream, and checks that the peer's comes whole, in order
/// and once.
template <class LinkT>
class Talk {
 public:
  using Link = LinkT;
  using T = typename Link::transport;
  using End = SoakLink<Passable<T>>;

  Talk(Link& link, Load load, std::uint64_t own_seed, std::uint64_t peers_seed)
      : link_(link), load_(load), own_seed_(own_seed), peers_seed_(peers_seed) {}

  /// Called for each message, from inside the listener.
  void (*in_listener)() = nullptr;

  std::uint64_t received() const { return received_; }
  /// What was not as it should be, first.
  const std::string& wrong() const { return wrong_; }
  /// Ends that the peer dropped without the answer it owes.
  std::size_t unanswered() const { return unanswered_; }

  /// Sends some, as far as there is room.
  void send_some() {
    const std::size_t enough = load_ == Load::large || load_ == Load::loans ? 2 : 20;
    for (std::size_t i = 0; i != enough && !unsendable_ && send_one(); ++i) {
    }
    look_at_lent_ends();
  }

  /// Sends some and waits for messages; the error that ends the channel.
  std::error_code step(milliseconds duration, bool sending = true) {
    sending ? send_some() : look_at_lent_ends();
    if (load_ == Load::loans || (load_ == Load::large && received_ % 2 == 1)) {
      return link_
          .wait([this](strait::OutOfLineBytes bytes,
                       Rights rights = {}) { take(std::move(bytes), std::move(rights)); },
                duration)
          .error();
    }
    return link_
        .wait([this](View bytes, Rights rights = {}) { take(bytes, std::move(rights)); }, duration)
        .error();
  }

  void take(View bytes, Rights rights) {
    const std::uint64_t index = received_++;
    expected_.resize(soak_size(load_, index));
    fill_pattern(expected_, index + peers_seed_);
    if (!same_bytes(bytes, expected_)) complain("message", index);
    if constexpr (strait::CarriesRights<T>) {
      if (load_ == Load::rights) take_rights(index, rights);
      if (load_ == Load::ends) take_end(index, rights);
    }
    if (!rights.empty()) complain("too many rights of message", index);
    if (in_listener != nullptr) in_listener();
  }

  void take(strait::OutOfLineBytes bytes, Rights rights) {
    take(bytes.bytes(), std::move(rights));
    kept_.emplace_back(received_ - 1, std::move(bytes));
    // What is kept of a loan counts as not taken yet: the sender must have room for one more.
    if (kept_.size() > (load_ == Load::large ? 1 : 4)) drop_kept();
  }

  /// After the peer's end: whether all that is left of it is as it should be.
  bool finish() {
    while (!kept_.empty()) drop_kept();
    for (const auto end = Clock::now() + long_enough; !lent_.empty() && Clock::now() < end;) {
      look_at_lent_ends(10ms);
    }
    if (!lent_.empty()) complain("an end that does not hear that its peer has died", lent_.size());
    return wrong_.empty();
  }

 private:
  struct Lent {
    End end;
    std::uint64_t index;
    bool answered = false;
  };

  void complain(const std::string& what, std::uint64_t number) {
    if (wrong_.empty()) wrong_ = what + " " + std::to_string(number);
  }

  bool send_one() {
    const std::size_t size = soak_size(load_, next_);
    // Large ones are held back by the channel itself; what the peer keeps of a loan is queued, too.
    const bool large = load_ == Load::large || load_ == Load::loans;
    if (!large && link_.queued_bytes() > 500'000) return false;
    strait::Result<void> sent;
    if (load_ == Load::loans || (load_ == Load::large && next_ % 2 == 0)) {
      auto buffer = link_.out_of_line_bytes(size);
      if (!buffer) return refused(buffer.error());
      auto bytes = buffer->writable();
      if (!bytes) return refused(bytes.error());
      fill_pattern(*bytes, next_ + own_seed_);
      // Given away, and as it is.
      sent = next_ % 3 == 0 ? link_.send(*buffer) : link_.send(std::move(*buffer));
    } else if constexpr (strait::CarriesRights<T>) {
      if (load_ == Load::rights) {
        sent = link_.send(pattern(size, next_ + own_seed_), some_rights());
      } else if (load_ == Load::ends) {
        if (lent_.size() >= 4) return false;
        auto pair = End::pair();
        if (!pair) return refused(pair.error());
        Rights rights;
        if (auto added = rights.add(std::move(pair->second)); !added) return refused(added.error());
        sent = link_.send(pattern(size, next_ + own_seed_), std::move(rights));
        if (sent) lent_.push_back({std::move(pair->first), next_});
      } else {
        sent = link_.send(pattern(size, next_ + own_seed_));
      }
    } else {
      sent = link_.send(pattern(size, next_ + own_seed_));
    }
    if (!sent) return refused(sent.error());
    ++next_;
    return true;
  }

  bool refused(std::error_code why) {
    if (why == Errc::queue_full) return false;
    unsendable_ = true;
    if (why != Errc::peer_closed && why != Errc::refused) {
      complain("sending: " + why.message() + ", of message", next_);
    }
    return false;
  }

  static const char* device(std::uint64_t number) {
    return number / 2 % 2 == 0 ? "/dev/null" : "/dev/zero";
  }

  Rights some_rights() {
    Rights rights;
    for (std::uint64_t i = next_; i != next_ + next_ % 4; ++i) {
      const auto added = i % 2 == 0 ? rights.add(numbered(i))
                                    : rights.add(strait::os::open(device(i), O_RDONLY).value());
      if (!added) complain("adding a right", i);
    }
    return rights;
  }

  void take_rights(std::uint64_t index, Rights& rights) {
    for (std::uint64_t i = index; i != index + index % 4; ++i) {
      if (i % 2 == 0) {
        if (take_number(rights) != i) complain("memory with message", index);
      } else {
        const auto file = rights.take<Descriptor>();
        if (!file || target_of_descriptor(file->get()) != device(i)) {
          complain("a descriptor with message", index);
        }
      }
    }
  }

  void take_end(std::uint64_t index, Rights& rights) {
    auto end = rights.take<End>();
    if (!end) return complain("no end (" + end.error().message() + ") with message", index);
    const auto sent = end->send(pattern(16, index));
    if (!sent && sent.error() != Errc::peer_closed) {
      complain("answer (" + sent.error().message() + ") on the end of message", index);
    }
    borrowed_.push_back(std::move(*end));
    if (borrowed_.size() > 3) borrowed_.pop_front();
  }

  /// Waits a little at least: `poll` alone asks the system for the peer's end now and then only.
  void look_at_lent_ends(std::chrono::microseconds duration = 1us) {
    std::erase_if(lent_, [&](Lent& lent) {
      const auto listener = [&](View bytes) {
        if (lent.answered || !same_bytes(bytes, pattern(16, lent.index))) {
          complain("answer on the end of message", lent.index);
        }
        lent.answered = true;
      };
      const auto heard = lent.end.wait(listener, duration);
      if (heard) return false;
      if (heard.error() != Errc::peer_closed) {
        complain("end (" + heard.error().message() + ") of message", lent.index);
      }
      if (!lent.answered) ++unanswered_;
      return true;
    });
  }

  void drop_kept() {
    const auto& [index, bytes] = kept_.front();
    expected_.resize(soak_size(load_, index));
    fill_pattern(expected_, index + peers_seed_);
    if (!same_bytes(bytes, expected_)) complain("what was kept of message", index);
    kept_.pop_front();
  }

  Link& link_;
  Load load_;
  std::uint64_t own_seed_;
  std::uint64_t peers_seed_;
  std::uint64_t next_ = 0;
  std::uint64_t received_ = 0;
  std::uint64_t unanswered_ = 0;
  bool unsendable_ = false;
  std::string wrong_;
  Bytes expected_;
  std::deque<std::pair<std::uint64_t, strait::OutOfLineBytes>> kept_;
  std::deque<Lent> lent_;
  std::deque<End> borrowed_;
};

}  // namespace strait_test
