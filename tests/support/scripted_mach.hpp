#pragma once

#include <strait/mach/darwin/abi.hpp>
#include <strait/mach/darwin/kernel.hpp>
#include <strait/os/posix/descriptor.hpp>
#include <strait/os/posix/mapping.hpp>
#include <strait/os/wait_set.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <set>
#include <string>

namespace strait_test {

/// Mach, played in one process by its rules: names that coalesce and their references, queues with
/// limits, what a send that found no room gives back, notifications, out-of-line copies, files as
/// ports, audit trailers, launchd's names. One task that talks to itself, as the two ends of a
/// channel in one process do on macOS; `AsTask` sends in the name of another.
///
/// Threads: any.
struct ScriptedTraps {
  using Name = strait::darwin_mach::PortName;
  using Return = strait::darwin_mach::Return;
  using Options = strait::darwin_mach::Options;

  static Return message(void* message, Options options, std::uint32_t send_bytes,
                        std::uint32_t receive_bytes, Name receive, std::uint32_t timeout_ms);
  static Return construct_port(std::uint32_t queue_limit, Name& port);
  static Return destroy_receive(Name port);
  static Return deallocate(Name name);
  static Return make_send(Name port);
  static Return set_queue_limit(Name port, std::uint32_t queue_limit);
  static Return request_notification(Name name, strait::darwin_mach::Notification what,
                                     std::uint32_t sync, Name notify, Name& previous);
  static Return kernel_object(Name name, std::uint32_t& type);
  static Return allocate_memory(std::size_t size, std::uint64_t& address);
  static Return deallocate_memory(std::uint64_t address, std::size_t size);
  static Return check_in(const char* name, Name& port);
  static Return look_up(const char* name, Name& port);
  static strait::Result<Name> make_fileport(int descriptor);
  static strait::Result<strait::os::Descriptor> open_fileport(Name port);

  struct Bell;
  class PortEvents {
   public:
    PortEvents() = default;
    PortEvents(PortEvents&&) = default;
    PortEvents& operator=(PortEvents&& other) noexcept {
      std::swap(bell_, other.bell_);
      return *this;
    }
    ~PortEvents();

    static strait::Result<PortEvents> watch(Name port);
    strait::Result<void> watch_too(int descriptor);
    explicit operator bool() const { return bell_ != nullptr; }
    int native_handle() const;
    /// Has it be readable only if there still is a message.
    void clear();
    /// Its timer runs out at once.
    strait::Result<void> wake_in(std::chrono::milliseconds time);
    void cancel_wake();

   private:
    std::shared_ptr<Bell> bell_;
  };
};

using ScriptedDarwin = strait::BasicDarwinKernel<ScriptedTraps>;

/// What the played kernel does that it would not by itself. What was planned and not used up is
/// found as left over at the end of the test.
struct MachScript {
  /// The next sends fail. `given_back`: as those do that have waited in vain.
  static void fail_send(strait::darwin_mach::Return why, bool given_back, int times = 1);
  static void fail_notification_requests(int times);
  static void fail_memory(int times);
  static void fail_events(int times);
  static void fail_ports(int times);
  /// No memory to make a fileport; no room for the descriptor that one shall become.
  static void fail_fileports(int times);
  static void fail_descriptors(int times);
  /// From which size on memory goes over in pages instead of being copied: more than 16 KiB, or 32
  /// as on arm64.
  static void copies_up_to(std::size_t bytes);
  /// Whether the kind of a dead name is asked for in vain as it was before macOS 13.
  static void old_dead_names(bool old);
  /// `launchd` lets this process claim no names, as the next claims find.
  static void refuse_names(int times);
  /// A send right to an object of the kernel, which is the caller's.
  static strait::darwin_mach::PortName kernel_object(std::uint32_t type);
  static bool holds_receive(strait::darwin_mach::PortName port);
  /// How many messages there are in a port.
  static std::size_t queued(strait::darwin_mach::PortName port);
  static std::uint32_t queue_limit(strait::darwin_mach::PortName port);
  /// How many calls of `message` and of `PortEvents::clear` there were.
  static std::size_t calls();
};

/// Whom the kernel says that messages are from which this thread sends meanwhile.
class AsTask {
 public:
  explicit AsTask(strait::darwin_mach::AuditToken token);
  AsTask(const AsTask&) = delete;
  AsTask& operator=(const AsTask&) = delete;
  ~AsTask();

 private:
  strait::darwin_mach::AuditToken before_;
};

strait::darwin_mach::AuditToken own_task();
strait::darwin_mach::AuditToken other_task(std::int32_t process = 4242);

/// Every name and all memory that the task has now, what was planned, and every mistake made so far
/// for which macOS may kill a process.
std::multiset<std::string> mach_holdings();

}  // namespace strait_test
