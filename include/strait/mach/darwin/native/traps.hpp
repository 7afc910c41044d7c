#pragma once

// The calls themselves: the one header of this directory that only macOS can compile.

#include <mach/mach.h>
#include <mach/mach_port.h>
#include <mach/message.h>
#include <mach/notify.h>
#include <sys/event.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <utility>

#include "strait/base/chrono.hpp"
#include "strait/mach/darwin/abi.hpp"
#include "strait/os/darwin/kqueue.hpp"
#include "strait/os/posix/descriptor.hpp"
#include "strait/os/posix/error.hpp"
#include "strait/result.hpp"

// <servers/bootstrap.h> is not part of every SDK; these are the functions of it that are used.
extern "C" {
kern_return_t bootstrap_check_in(mach_port_t bootstrap, const char* name, mach_port_t* receive);
kern_return_t bootstrap_look_up(mach_port_t bootstrap, const char* name, mach_port_t* send);
extern mach_port_t bootstrap_port;

// <sys/fileport.h> is not, either.
int fileport_makeport(int descriptor, mach_port_t* port);
int fileport_makefd(mach_port_t port);
}

namespace strait::darwin_mach {

/// Mach's calls by the names that the rest of this directory uses. Tests have others instead.
///
/// Threads: any.
struct Traps {
  /// `mach_msg`: sends, receives, or both. Never the bare trap, for which newer systems kill.
  static Return message(void* message, Options options, std::uint32_t send_bytes,
                        std::uint32_t receive_bytes, PortName receive, std::uint32_t timeout_ms) {
    return ::mach_msg(static_cast<mach_msg_header_t*>(message), options, send_bytes, receive_bytes,
                      receive, timeout_ms, MACH_PORT_NULL);
  }

  /// A new receive right.
  static Return construct_port(std::uint32_t queue_limit, PortName& port) {
    mach_port_options_t options{};
    options.flags = MPO_QLIMIT;
    options.mpl.mpl_qlimit = queue_limit;
    return ::mach_port_construct(::mach_task_self(), &options, 0, &port);
  }
  static Return destroy_receive(PortName port) {
    return ::mach_port_mod_refs(::mach_task_self(), port, MACH_PORT_RIGHT_RECEIVE, -1);
  }
  /// Gives back a reference to a send right, a send-once right, or a dead name.
  static Return deallocate(PortName name) {
    return ::mach_port_deallocate(::mach_task_self(), name);
  }
  /// Makes a send right, under the receive right's own name.
  static Return make_send(PortName port) {
    return ::mach_port_insert_right(::mach_task_self(), port, port, MACH_MSG_TYPE_MAKE_SEND);
  }
  static Return set_queue_limit(PortName port, std::uint32_t queue_limit) {
    mach_port_limits_t limits{queue_limit};
    return ::mach_port_set_attributes(::mach_task_self(), port, MACH_PORT_LIMITS_INFO,
                                      reinterpret_cast<mach_port_info_t>(&limits),
                                      MACH_PORT_LIMITS_INFO_COUNT);
  }
  static Return request_notification(PortName name, Notification what, std::uint32_t sync,
                                     PortName notify, PortName& previous) {
    return ::mach_port_request_notification(::mach_task_self(), name,
                                            static_cast<mach_msg_id_t>(what), sync, notify,
                                            MACH_MSG_TYPE_MAKE_SEND_ONCE, &previous);
  }
  /// What kind of the kernel's own objects a port is; 0 for an ordinary port.
  static Return kernel_object(PortName name, std::uint32_t& type) {
    natural_t kind = 0;
    mach_vm_address_t address = 0;
    const kern_return_t result = ::mach_port_kobject(::mach_task_self(), name, &kind, &address);
    type = kind;
    return result;
  }

  static Return allocate_memory(std::size_t size, std::uint64_t& address) {
    vm_address_t allocated = 0;
    const kern_return_t result =
        ::vm_allocate(::mach_task_self(), &allocated, size, VM_FLAGS_ANYWHERE);
    address = allocated;
    return result;
  }
  /// All pages that the range touches.
  static Return deallocate_memory(std::uint64_t address, std::size_t size) {
    return ::vm_deallocate(::mach_task_self(), static_cast<vm_address_t>(address), size);
  }

  static Return check_in(const char* name, PortName& port) {
    return ::bootstrap_check_in(::bootstrap_port, name, &port);
  }
  static Return look_up(const char* name, PortName& port) {
    return ::bootstrap_look_up(::bootstrap_port, name, &port);
  }

  /// A send right that stands for an open file: the receiver can open it.
  ///
  /// Errors: `EINVAL` for files that can't travel, such as a kqueue; `EAGAIN` without memory.
  static Result<PortName> make_fileport(int descriptor) {
    mach_port_t port = MACH_PORT_NULL;
    if (::fileport_makeport(descriptor, &port) != 0) return os::last_error();
    return port;
  }
  /// The file behind such a right, which stays the caller's; closed on exec.
  ///
  /// Errors: `EINVAL` if the right is to anything else; `EMFILE`.
  static Result<os::Descriptor> open_fileport(PortName port) {
    os::Descriptor file = os::adopt_new(::fileport_makefd(port));
    if (!file) return os::last_error();
    return file;
  }

  /// A descriptor that is readable when a message has come to a port, until `clear` finds none
  /// there: a kqueue, which `poll`, `select` and other kqueues take.
  class PortEvents {
   public:
    PortEvents() = default;

    static Result<PortEvents> watch(PortName port) {
      auto queue = os::Kqueue::create();
      if (!queue) return queue.error();
      PortEvents events;
      events.queue_ = std::move(*queue);
      if (auto added = events.change(port, EVFILT_MACHPORT, EV_ADD, 0); !added) {
        return added.error();
      }
      return events;
    }

    /// Has it be readable also when a descriptor is, as long as that is open.
    Result<void> watch_too(int descriptor) {
      return change(static_cast<std::uint64_t>(descriptor), EVFILT_READ, EV_ADD, 0);
    }

    explicit operator bool() const { return static_cast<bool>(queue_); }
    int native_handle() const { return queue_.get(); }

    /// Has it be readable only if there still is a message. Receiving does not take what the kqueue
    /// has found off it; only a look into the kqueue does, and leaves there what still holds.
    void clear() {
      if (!queue_) return;
      kevent64_s found[3];  // of a port, a descriptor, and a timer
      const timespec at_once{};
      static_cast<void>(::kevent64(queue_.get(), nullptr, 0, found, 3, 0, &at_once));
    }

    /// Makes it readable after a time, until `cancel_wake`.
    Result<void> wake_in(std::chrono::milliseconds time) {
      return change(timer, EVFILT_TIMER, EV_ADD | EV_ONESHOT, time.count());
    }
    void cancel_wake() {
      if (queue_) static_cast<void>(change(timer, EVFILT_TIMER, EV_DELETE, 0));
    }

   private:
    static constexpr std::uint64_t timer = 1;

    Result<void> change(std::uint64_t which, std::int16_t filter, std::uint16_t flags,
                        std::int64_t data) {
      kevent64_s event{};
      event.ident = which;
      event.filter = filter;
      event.flags = flags;
      event.data = data;
      if (os::retry([&] { return ::kevent64(queue_.get(), &event, 1, nullptr, 0, 0, nullptr); }) <
          0) {
        return os::last_error();
      }
      return {};
    }

    os::Kqueue queue_;
  };
};

// What abi.hpp says, held against the system's own headers.
static_assert(sizeof(Header) == sizeof(mach_msg_header_t) &&
              offsetof(Header, bits) == offsetof(mach_msg_header_t, msgh_bits) &&
              offsetof(Header, size) == offsetof(mach_msg_header_t, msgh_size) &&
              offsetof(Header, remote) == offsetof(mach_msg_header_t, msgh_remote_port) &&
              offsetof(Header, local) == offsetof(mach_msg_header_t, msgh_local_port) &&
              offsetof(Header, voucher) == offsetof(mach_msg_header_t, msgh_voucher_port) &&
              offsetof(Header, id) == offsetof(mach_msg_header_t, msgh_id));
static_assert(sizeof(Body) == sizeof(mach_msg_body_t));
static_assert(sizeof(PortDescriptor) == sizeof(mach_msg_port_descriptor_t) &&
              offsetof(PortDescriptor, name) == offsetof(mach_msg_port_descriptor_t, name));
static_assert(sizeof(MemoryDescriptor) == sizeof(mach_msg_ool_descriptor_t) &&
              offsetof(MemoryDescriptor, address) == offsetof(mach_msg_ool_descriptor_t, address) &&
              offsetof(MemoryDescriptor, size) == offsetof(mach_msg_ool_descriptor_t, size));
static_assert(sizeof(PortsDescriptor) == sizeof(mach_msg_ool_ports_descriptor_t) &&
              offsetof(PortsDescriptor, count) == offsetof(mach_msg_ool_ports_descriptor_t, count));
static_assert(sizeof(GuardedPortDescriptor) == sizeof(mach_msg_guarded_port_descriptor_t) &&
              offsetof(GuardedPortDescriptor, name) ==
                  offsetof(mach_msg_guarded_port_descriptor_t, name));
static_assert(sizeof(AuditToken) == sizeof(audit_token_t));
static_assert(sizeof(AuditTrailer) == sizeof(mach_msg_audit_trailer_t) &&
              offsetof(AuditTrailer, sender) == offsetof(mach_msg_audit_trailer_t, msgh_audit) &&
              max_trailer_bytes == sizeof(mach_msg_mac_trailer_t));
static_assert(offsetof(NameNotification, name) ==
                  offsetof(mach_dead_name_notification_t, not_port) &&
              offsetof(NameNotification, name) ==
                  offsetof(mach_send_possible_notification_t, not_port));
static_assert(null_port == MACH_PORT_NULL && dead_port == MACH_PORT_DEAD &&
              success == KERN_SUCCESS && success == MACH_MSG_SUCCESS);
static_assert(kern::no_space == KERN_NO_SPACE && kern::invalid_argument == KERN_INVALID_ARGUMENT &&
              kern::resource_shortage == KERN_RESOURCE_SHORTAGE &&
              kern::invalid_name == KERN_INVALID_NAME &&
              kern::invalid_right == KERN_INVALID_RIGHT &&
              kern::invalid_value == KERN_INVALID_VALUE &&
              kern::invalid_capability == KERN_INVALID_CAPABILITY);
static_assert(send::invalid_dest == MACH_SEND_INVALID_DEST &&
              send::timed_out == MACH_SEND_TIMED_OUT &&
              send::interrupted == MACH_SEND_INTERRUPTED &&
              send::message_too_small == MACH_SEND_MSG_TOO_SMALL &&
              send::invalid_reply == MACH_SEND_INVALID_REPLY &&
              send::invalid_right == MACH_SEND_INVALID_RIGHT &&
              send::invalid_memory == MACH_SEND_INVALID_MEMORY &&
              send::no_buffer == MACH_SEND_NO_BUFFER && send::too_large == MACH_SEND_TOO_LARGE &&
              send::invalid_type == MACH_SEND_INVALID_TYPE &&
              send::invalid_header == MACH_SEND_INVALID_HEADER);
static_assert(receive::invalid_name == MACH_RCV_INVALID_NAME &&
              receive::timed_out == MACH_RCV_TIMED_OUT &&
              receive::too_large == MACH_RCV_TOO_LARGE &&
              receive::interrupted == MACH_RCV_INTERRUPTED &&
              receive::port_changed == MACH_RCV_PORT_CHANGED &&
              receive::header_error == MACH_RCV_HEADER_ERROR &&
              receive::body_error == MACH_RCV_BODY_ERROR);
static_assert(option::send == MACH_SEND_MSG && option::receive == MACH_RCV_MSG &&
              option::receive_large == MACH_RCV_LARGE &&
              option::send_timeout == MACH_SEND_TIMEOUT &&
              option::send_interrupt == MACH_SEND_INTERRUPT &&
              option::receive_timeout == MACH_RCV_TIMEOUT &&
              option::receive_interrupt == MACH_RCV_INTERRUPT &&
              option::audit_trailer == (MACH_RCV_TRAILER_TYPE(MACH_MSG_TRAILER_FORMAT_0) |
                                        MACH_RCV_TRAILER_ELEMENTS(MACH_RCV_TRAILER_AUDIT)));
static_assert(static_cast<int>(Disposition::move_receive) == MACH_MSG_TYPE_MOVE_RECEIVE &&
              static_cast<int>(Disposition::move_send) == MACH_MSG_TYPE_MOVE_SEND &&
              static_cast<int>(Disposition::move_send_once) == MACH_MSG_TYPE_MOVE_SEND_ONCE &&
              static_cast<int>(Disposition::copy_send) == MACH_MSG_TYPE_COPY_SEND &&
              static_cast<int>(Disposition::make_send) == MACH_MSG_TYPE_MAKE_SEND &&
              static_cast<int>(Disposition::make_send_once) == MACH_MSG_TYPE_MAKE_SEND_ONCE);
static_assert(static_cast<int>(DescriptorType::port) == MACH_MSG_PORT_DESCRIPTOR &&
              static_cast<int>(DescriptorType::memory) == MACH_MSG_OOL_DESCRIPTOR &&
              static_cast<int>(DescriptorType::ports) == MACH_MSG_OOL_PORTS_DESCRIPTOR &&
              static_cast<int>(DescriptorType::volatile_memory) ==
                  MACH_MSG_OOL_VOLATILE_DESCRIPTOR &&
              static_cast<int>(DescriptorType::guarded_port) == MACH_MSG_GUARDED_PORT_DESCRIPTOR);
static_assert(static_cast<int>(Copy::physical) == MACH_MSG_PHYSICAL_COPY &&
              static_cast<int>(Copy::virtual_copy) == MACH_MSG_VIRTUAL_COPY &&
              complex_bit == MACH_MSGH_BITS_COMPLEX && max_queue_limit == MACH_PORT_QLIMIT_MAX);
static_assert(static_cast<int>(Notification::port_deleted) == MACH_NOTIFY_PORT_DELETED &&
              static_cast<int>(Notification::send_possible) == MACH_NOTIFY_SEND_POSSIBLE &&
              static_cast<int>(Notification::no_senders) == MACH_NOTIFY_NO_SENDERS &&
              static_cast<int>(Notification::send_once) == MACH_NOTIFY_SEND_ONCE &&
              static_cast<int>(Notification::dead_name) == MACH_NOTIFY_DEAD_NAME);

}  // namespace strait::darwin_mach
