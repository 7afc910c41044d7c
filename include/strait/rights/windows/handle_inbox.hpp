#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <new>
#include <span>
#include <utility>

#include "strait/os/windows/close_unseen.hpp"
#include "strait/os/windows/descriptor.hpp"
#include "strait/os/windows/mapping.hpp"
#include "strait/os/windows/memory_file.hpp"
#include "strait/os/windows/peer_process.hpp"
#include "strait/result.hpp"
#include "strait/rights/right_list.hpp"

// How handles come to a receiver that may not open their sender's process, such as a child with
// less rights than its parent: the sender puts them into the receiver's table, and tells their
// numbers in a section, the inbox. A receiver that took numbers of its own table from a message
// could be made to give away, or close, whatever it has. The inbox shows that the sender may do so
// by itself: the section has no name and is in the receiver's table alone, so only a process that
// may take handles out of there, and so do anything with the receiver, can write to it.

namespace strait::windows {

/// What lies in the section.
struct InboxPage {
  /// How many handles may be under way.
  static constexpr std::size_t capacity = 1024;

  /// Twice as many as the sender has put in, and 1 more once the receiver takes no more. The side
  /// that changes it first decides which one closes a handle: what was counted is the receiver's.
  alignas(128) std::atomic<std::uint64_t> put;
  /// How many the receiver has taken.
  alignas(128) std::atomic<std::uint64_t> taken;
  /// Their numbers, in turn.
  alignas(128) std::array<std::atomic<HandleNumber>, capacity> numbers;
};
static_assert(std::atomic<HandleNumber>::is_always_lock_free &&
              InboxPage::capacity > strait::detail::max_rights);

inline InboxPage& inbox_page(const Mapping& mapping) {
  return *std::launder(reinterpret_cast<InboxPage*>(mapping.data()));
}

/// The receiver's half. The first handle in it is an event that tells the sender of room.
///
/// What was put in and not taken is closed with it. Of a sender that ends while it puts handles in
/// those of one message stay open.
class HandleInbox {
 public:
  HandleInbox() = default;
  HandleInbox(HandleInbox&& other) noexcept = default;
  HandleInbox& operator=(HandleInbox&& other) noexcept {
    close();
    section_ = std::move(other.section_);
    page_ = std::move(other.page_);
    room_ = std::move(other.room_);
    taken_ = other.taken_;
    return *this;
  }
  ~HandleInbox() { close(); }

  /// Errors: the system's.
  static Result<HandleInbox> create() {
    auto section = create_memory_file("strait-inbox", sizeof(InboxPage));
    if (!section) return section.error();
    auto page = Mapping::map(sizeof(InboxPage), Mapping::shared, section->get());
    if (!page) return page.error();
    ::new (page->data()) InboxPage{};
    HandleInbox made;
    made.section_ = std::move(*section);
    made.page_ = std::move(*page);
    return made;
  }

  explicit operator bool() const { return page_.data() != nullptr; }
  /// That of the section, by which the sender finds it.
  HandleNumber number() const { return number_of(section_.get()); }

  /// Takes the next handles.
  ///
  /// Errors: `malformed` if the sender has not put in so many, or something else.
  Result<void> take(std::span<UnseenDescriptor> handles) {
    const std::size_t count = handles.size() + (room_ ? 0 : 1);
    // Acquire: for the numbers. Partner: HandleInboxWriter::put.
    const std::uint64_t here = page().put.load(std::memory_order_acquire) / 2 - taken_;
    if (here > InboxPage::capacity || here < count) return Errc::malformed;
    if (!room_) {
      if (auto got = take_next(room_); !got) return got;
    }
    for (UnseenDescriptor& handle : handles) {
      if (auto got = take_next(handle); !got) return got;
    }
    // Partner: HandleInboxWriter::has_room, which may use the places anew.
    page().taken.store(taken_, std::memory_order_release);
    ::SetEvent(room_.get());
    return {};
  }

 private:
  InboxPage& page() const { return inbox_page(page_); }
  HandleNumber next_number() {
    return page().numbers[taken_++ % InboxPage::capacity].load(std::memory_order_relaxed);
  }

  Result<void> take_next(Descriptor& to) {
    const HandleNumber number = next_number();
    DWORD flags = 0;
    if (!is_handle_number(number) || !::GetHandleInformation(handle_of(number), &flags)) {
      return Errc::malformed;
    }
    to.reset(handle_of(number));
    return {};
  }

  void close() noexcept {
    if (page_.data() == nullptr) return;
    // From here on the sender takes back what it puts in. Acquire: for the numbers.
    const std::uint64_t put = page().put.fetch_or(1, std::memory_order_acq_rel) / 2;
    if (put - taken_ > InboxPage::capacity) return;
    while (taken_ != put) {
      Descriptor handle;
      static_cast<void>(take_next(handle));
    }
  }

  Descriptor section_;
  Mapping page_;
  /// Of the sender's. What is none can't be set, which harms the sender alone.
  Descriptor room_;
  std::uint64_t taken_ = 0;
};

/// The sender's half, of a process that may open the receiver's.
class HandleInboxWriter {
 public:
  HandleInboxWriter() = default;

  /// `number` is that of the section in the receiver's table. `room`, an event, is set whenever
  /// something was taken.
  ///
  /// Errors: as those of `PeerProcess`; `bad_region` if it is no inbox; the system's.
  static Result<HandleInboxWriter> open(PeerProcess receiver, HandleNumber number, HANDLE room) {
    const auto section = receiver.take(number);
    if (!section) return section.error();
    const auto size = sealed_size(section->get(), seals_of_size);
    if (!size) return size.error();
    if (*size < sizeof(InboxPage)) return Errc::bad_region;
    auto page = Mapping::map_received(sizeof(InboxPage), Mapping::shared, section->get());
    if (!page) return page.error();
    HandleInboxWriter made;
    made.receiver_ = std::move(receiver);
    made.page_ = std::move(*page);
    const HANDLE handles[] = {room};
    if (auto put = made.put(handles, EVENT_MODIFY_STATE); !put) return put.error();
    return made;
  }

  explicit operator bool() const { return page_.data() != nullptr; }

  /// Whether so many more handles may be under way.
  bool has_room(std::size_t count) {
    // Acquire: the receiver has read the numbers. It can harm itself alone when it lies.
    const std::uint64_t taken = page().taken.load(std::memory_order_acquire);
    if (taken > taken_ && taken <= put_) taken_ = taken;
    return put_ - taken_ + count <= InboxPage::capacity;
  }

  /// Gives the receiver handles like these, all or none.
  ///
  /// Errors: `would_block` without room; `peer_closed` if the receiver takes no more, or has ended;
  /// the system's.
  Result<void> put(std::span<const NativeHandle> handles, DWORD access = 0) {
    if (!has_room(handles.size())) return Errc::would_block;
    std::array<HandleNumber, strait::detail::max_rights> numbers;
    std::size_t count = 0;
    Result<void> outcome;
    for (const NativeHandle handle : handles) {
      const auto number = receiver_.put(handle, access);
      outcome = number.outcome();
      if (!outcome) break;
      page().numbers[(put_ + count) % InboxPage::capacity].store(*number,
                                                                 std::memory_order_relaxed);
      numbers[count++] = *number;
    }
    std::uint64_t expected = 2 * put_;
    // Release: for the numbers. Partner: HandleInbox, in `take` and `close`.
    if (outcome && !page().put.compare_exchange_strong(expected, 2 * (put_ + count),
                                                       std::memory_order_acq_rel)) {
      outcome = Errc::peer_closed;
    }
    if (outcome) {
      put_ += count;
    } else {
      for (std::size_t i = 0; i != count; ++i) receiver_.take_back(numbers[i]);
    }
    return outcome;
  }

 private:
  InboxPage& page() const { return inbox_page(page_); }

  PeerProcess receiver_;
  Mapping page_;
  std::uint64_t put_ = 0;
  std::uint64_t taken_ = 0;
};

}  // namespace strait::windows
