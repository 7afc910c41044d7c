#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <system_error>
#include <utility>

#include "strait/os/windows/close_unseen.hpp"
#include "strait/os/windows/descriptor.hpp"
#include "strait/os/windows/mapping.hpp"
#include "strait/os/windows/memory_file.hpp"
#include "strait/os/windows/peer_process.hpp"
#include "strait/os/windows/pipe_end.hpp"
#include "strait/result.hpp"
#include "strait/rights/right_list.hpp"
#include "strait/rights/windows/handle_inbox.hpp"
#include "strait/rights/windows/handles_under_way.hpp"

// How handles travel: the sender tells their numbers, as a part of the message, and the receiver
// takes them out of the sender's process. Before those of the first message go the numbers of the
// ledger, a section, and of the event that tells the sender to look there.
//
// A receiver that may not open the sender's process has an inbox instead, of which it tells the
// sender at the handshake, and then takes no number from a message: see handle_inbox.hpp. Each side
// decides this for what it receives by itself, so what a peer says can't change from which table
// the numbers are.

namespace strait::windows {

inline constexpr std::size_t ledger_numbers = 2;
/// As many as come with a message at the most.
inline constexpr std::size_t max_handle_numbers = strait::detail::max_rights + ledger_numbers;
/// What a receiver tells that needs no inbox.
inline constexpr HandleNumber no_inbox = 0;

/// The sending half.
class HandleSender {
 public:
  HandleSender() = default;
  HandleSender(HandleSender&& other) noexcept
      : under_way_(std::exchange(other.under_way_, nullptr)),
        introduced_(std::exchange(other.introduced_, false)),
        inbox_(std::move(other.inbox_)),
        refused_(other.refused_),
        wanted_(other.wanted_),
        put_in_(other.put_in_) {}
  HandleSender& operator=(HandleSender&& other) noexcept {
    std::swap(under_way_, other.under_way_);
    std::swap(introduced_, other.introduced_);
    std::swap(inbox_, other.inbox_);
    std::swap(refused_, other.refused_);
    std::swap(wanted_, other.wanted_);
    std::swap(put_in_, other.put_in_);
    return *this;
  }
  ~HandleSender() { leave({}); }

  /// To a receiver that has told this number of its inbox. `room` is set when there is room again.
  ///
  /// Errors: those of `HandleInboxWriter::open`.
  static Result<HandleSender> create(const PeerProcess& receiver, HandleNumber inbox, HANDLE room) {
    HandleSender made;
    if (inbox == no_inbox) return made;
    made.refused_ = !receiver;
    if (made.refused_) return made;
    auto opened = HandleInboxWriter::open(receiver.duplicate(), inbox, room);
    if (!opened) return opened.error();
    made.inbox_ = std::move(*opened);
    return made;
  }

  /// How many numbers go with the next message that has so many rights.
  std::size_t numbers_for(std::size_t rights) const {
    return inbox_ ? 0 : rights + (introduced_ ? 0 : ledger_numbers);
  }

  /// Whether the last message waits for the receiver to take others.
  bool waits_for_room() { return wanted_ != 0 && !inbox_.has_room(wanted_); }

  /// What tells of these rights' handles. Asked again before they are sent, it is the same.
  ///
  /// Errors: `permission_denied` if neither side may open the other's process; `would_block` while
  /// too many are under way; `peer_closed`; the system's.
  Result<std::span<const HandleNumber>> numbers_of(std::span<const NativeHandle> handles) {
    if (refused_) return Errc::permission_denied;
    if (inbox_) {
      if (!put_in_) {
        const auto put = inbox_.put(handles);
        wanted_ = put.failed_with(Errc::would_block) ? handles.size() : 0;
        if (!put) return put.error();
        put_in_ = true;
      }
      return std::span<const HandleNumber>();
    }
    if (under_way_ == nullptr) {
      auto made = HandlesUnderWay::create();
      if (!made) return made.error();
      under_way_ = *made;
    }
    std::size_t count = 0;
    if (!introduced_) {
      for (const HandleNumber number : under_way_->numbers()) numbers_[count++] = number;
    }
    for (const NativeHandle handle : handles) numbers_[count++] = number_of(handle);
    return std::span<const HandleNumber>(numbers_).first(count);
  }

  /// They were sent: keeps them open until the receiver has taken them, unless it has its own.
  void keep(strait::detail::RightList rights) {
    put_in_ = false;
    if (inbox_) return;
    introduced_ = true;
    under_way_->keep(std::move(rights));
  }

  /// Closes the link's pipe, or has it closed when nothing is under way any more.
  void leave(PipeEnd pipe) noexcept {
    introduced_ = false;
    if (auto* const under_way = std::exchange(under_way_, nullptr)) {
      under_way->leave(std::move(pipe));
    }
  }

 private:
  HandlesUnderWay* under_way_ = nullptr;
  /// Whether the receiver has the ledger, or will.
  bool introduced_ = false;
  /// Of a receiver that has one.
  HandleInboxWriter inbox_;
  /// Whether it can't be reached.
  bool refused_ = false;
  /// For how many handles there was no room, if there was none.
  std::size_t wanted_ = 0;
  /// Whether the handles of the next message are in there.
  bool put_in_ = false;
  std::array<HandleNumber, max_handle_numbers> numbers_;
};

/// The receiving half.
class HandleReceiver {
 public:
  HandleReceiver() = default;
  HandleReceiver(HandleReceiver&& other) noexcept = default;
  HandleReceiver& operator=(HandleReceiver&& other) noexcept = default;

  /// From a sender, with an inbox if its process can't be opened. Errors: the system's.
  static Result<HandleReceiver> create(PeerProcess sender) {
    HandleReceiver made;
    if (!sender) {
      auto inbox = HandleInbox::create();
      if (!inbox) return inbox.error();
      made.inbox_ = std::move(*inbox);
    }
    made.peer_ = std::move(sender);
    return made;
  }

  const PeerProcess& peer() const { return peer_; }
  /// What the sender has to be told.
  HandleNumber inbox_number() const { return inbox_ ? inbox_.number() : no_inbox; }

  /// How many numbers come with the next message that has so many rights.
  std::size_t numbers_for(std::size_t rights) const {
    return inbox_ ? 0 : rights + (page_.data() == nullptr ? ledger_numbers : 0);
  }

  /// Takes the handles of the next message, of which `numbers` tell as many as `numbers_for` says.
  ///
  /// Errors: as `PeerProcess::take` or `HandleInbox::take`, and nothing of the message is left
  /// then; `bad_region` if there is no ledger; `rights_lost` also if the sender has closed them.
  Result<void> take(std::span<const HandleNumber> numbers, std::span<UnseenDescriptor> handles) {
    if (inbox_) {
      auto taken = inbox_.take(handles);
      if (!taken) drop(handles);
      return taken;
    }
    if (page_.data() == nullptr) {
      if (auto met = meet(numbers[0], numbers[1]); !met) return met;
      numbers = numbers.subspan(ledger_numbers);
    }
    Result<void> outcome;
    for (std::size_t i = 0; i != handles.size() && outcome; ++i) {
      auto taken = peer_.take(numbers[i]);
      outcome = taken.outcome();
      if (taken) handles[i] = std::move(*taken);
    }
    // Partner: HandlesUnderWay, which stores it before it closes a handle that was not taken.
    if (outcome && ledger().revoked.load(std::memory_order_seq_cst) != 0) {
      outcome = Errc::rights_lost;
    }
    if (!outcome) {
      drop(handles);
      return outcome;
    }
    // Partner: HandlesUnderWay::close_taken.
    ledger().taken.store(++messages_, std::memory_order_release);
    ::SetEvent(event_.get());
    return {};
  }

 private:
  static void drop(std::span<UnseenDescriptor> handles) {
    for (UnseenDescriptor& handle : handles) handle.reset();
  }

  Result<void> meet(HandleNumber section_number, HandleNumber event_number) {
    auto section = peer_.take(section_number);
    if (!section) return section.error();
    auto event = peer_.take(event_number);
    if (!event) return event.error();
    const auto size = sealed_size(section->get(), seals_of_size);
    if (!size) return size.error();
    if (*size < sizeof(HandleLedger)) return Errc::bad_region;
    auto page = Mapping::map_received(sizeof(HandleLedger), Mapping::shared, section->get());
    if (!page) return page.error();
    page_ = std::move(*page);
    event_ = std::move(*event);
    return {};
  }

  HandleLedger& ledger() const {
    return *std::launder(reinterpret_cast<HandleLedger*>(page_.data()));
  }

  PeerProcess peer_;
  HandleInbox inbox_;
  Mapping page_;
  /// Of the sender's. What is none can't be set, which harms the sender alone.
  Descriptor event_;
  std::uint64_t messages_ = 0;
};

}  // namespace strait::windows
