#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "strait/base/chrono.hpp"
#include "strait/mach/darwin/right.hpp"

namespace strait::darwin_mach {

/// A request to be told when a full port has room again, or is gone, and the port to which the
/// kernel says so: no other process can send to that one.
template <class Traps>
class SendPossibleRequest {
 public:
  enum class Answer : std::uint8_t { none, room, gone };

  SendPossibleRequest() = default;
  SendPossibleRequest(SendPossibleRequest&& other) noexcept
      : notify_(std::move(other.notify_)),
        events_(std::move(other.events_)),
        about_(std::exchange(other.about_, null_port)) {}
  SendPossibleRequest& operator=(SendPossibleRequest&& other) noexcept {
    std::swap(notify_, other.notify_);
    std::swap(events_, other.events_);
    std::swap(about_, other.about_);
    return *this;
  }
  /// The send right must still be there. A request that outlived this, or an answer that was not
  /// taken, would hold on to the name of a dead port.
  ~SendPossibleRequest() {
    if (!pending() || !notify_.owner().is_this()) return;
    take();
    if (!pending()) return;
    const bool keeps_place = is_gone(about_);
    if (!keeps_place) cancel(about_);
    take(keeps_place);
  }

  /// Makes the port, once; false without the means for it.
  bool prepare() {
    if (events_) return true;
    auto port = OwnedReceive<Traps>::allocate(queue_limit);
    if (!port) return false;
    auto events = Traps::PortEvents::watch(port->name());
    if (!events) return false;
    notify_ = std::move(*port);
    events_ = std::move(*events);
    return true;
  }

  /// Asks about a send right's port. If there is room by now, the answer comes at once.
  bool ask(PortName right) {
    if (!prepare()) return false;
    PortName previous = null_port;
    const Return asked = Traps::request_notification(right, Notification::send_possible, 1,
                                                     notify_.name(), previous);
    // Two rights to one port share one request: the other one is told that it has lost its own.
    if (is_name(previous)) Traps::deallocate(previous);
    about_ = right;
    // The latter says only that what had asked before is gone: the request stands.
    if (asked == success || asked == kern::invalid_capability) return true;
    take();  // the kernel tells that the right to tell was not used
    about_ = null_port;
    return false;
  }

  bool pending() const { return about_ != null_port; }

  /// Takes the answer, if it has come. `keeps_place`: the request was not taken back before.
  Answer take(bool keeps_place = true) {
    struct {
      NameNotification message;
      std::byte trailer[max_trailer_bytes];
    } received;
    auto answer = Answer::none;
    bool received_some = false;
    while (pending() &&
           Traps::message(&received,
                          option::receive | option::receive_timeout | option::audit_trailer, 0,
                          sizeof received, notify_.name(), 0) == success) {
      received_some = true;
      const std::span bytes = std::as_bytes(std::span(&received, 1));
      const auto sender = sender_of(bytes);
      if (!sender || !sender->is_kernel()) {
        destroy<Traps>(message_of(bytes));
        continue;
      }
      const PortName about = std::exchange(about_, null_port);
      answer = Answer::room;
      switch (static_cast<Notification>(received.message.header.id)) {
        case Notification::dead_name:
          // It comes with one more reference to what is left of the name.
          Traps::deallocate(received.message.name);
          answer = Answer::gone;
          break;
        case Notification::send_possible:
          if (keeps_place && give_up_place(about)) answer = Answer::gone;
          break;
        case Notification::port_deleted:
        case Notification::no_senders:
        case Notification::send_once:
        default: break;  // the request is lost: a look at the port, and it is made again
      }
    }
    if (received_some) events_.clear();
    return answer;
  }

  /// Readable when there is an answer, or the time of `wake_in` has passed; -1 before `prepare`.
  int native_handle() const { return events_.native_handle(); }
  /// False without the means for it.
  bool wake_in(std::chrono::milliseconds time) { return events_ && events_.wake_in(time); }
  void cancel_retry() { events_.cancel_wake(); }

 private:
  /// The kernel keeps the place of a request that it has answered, and adds a reference for it when
  /// the port ends in this task. True if that has happened. A port that ends between the two looks
  /// leaves its dead name behind, which is less than to drop a reference that was never added.
  static bool give_up_place(PortName right) {
    if (is_gone(right)) return Traps::deallocate(right), true;
    cancel(right);
    return false;
  }

  static bool is_gone(PortName right) {
    std::uint32_t object = 0;
    const Return asked = Traps::kernel_object(right, object);
    return asked == kern::invalid_name || asked == kern::invalid_right;
  }

  static void cancel(PortName right) {
    PortName previous = null_port;
    Traps::request_notification(right, Notification::send_possible, 0, null_port, previous);
    // What another right to the same port has asked meanwhile: that one is told, and asks again.
    if (is_name(previous)) Traps::deallocate(previous);
  }

  static constexpr std::uint32_t queue_limit = 5;

  OwnedReceive<Traps> notify_;
  typename Traps::PortEvents events_;
  PortName about_ = null_port;
};

}  // namespace strait::darwin_mach
