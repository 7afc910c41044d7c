#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "harness/case.hpp"
#include "harness/control.hpp"
#include "harness/cores.hpp"

namespace bench {

/// The second process and the cases opened with it. Both processes are pinned to their cores for as
/// long as the session lasts.
class Session {
 public:
  /// Starts this very program anew with the hidden subcommand `serve` (spawned, never only forked:
  /// some libraries do not survive a fork), and opens the cases.
  Session(const Cores& cores, std::span<const Case* const> cases, bool observed);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session();

  std::span<const Case* const> cases() const noexcept { return cases_; }

  /// Times one round trip for each sample, after `warm_up` untimed ones.
  void ping(std::size_t case_index, std::size_t bytes, std::size_t warm_up,
            std::span<std::uint64_t> round_trip_ns, Work work = Work::hand_off);

  struct StreamResult {
    double messages_per_s = 0;
    /// As printed by the receiving process; empty if it did not look.
    std::string histogram = {};
  };
  /// Sends one way. `browsing`: the first `sizes.count` messages of the hour of browsing.
  StreamResult stream(std::size_t case_index, const Sizes& sizes, bool browsing);

  /// Lets the second process wait that long for a message that does not come. Returns for how much
  /// of it, in nanoseconds, that process ran.
  std::uint64_t idle(std::size_t case_index, std::chrono::milliseconds duration);

  /// From here on each `ping` and `stream` counts what it takes from the heap.
  void count_allocations() noexcept { counts_allocations_ = true; }
  /// What the last one took, in both processes together.
  std::uint64_t allocations() const noexcept { return allocations_; }

  /// Ends the second process in good order; throws if it had something to complain about.
  void finish();

 private:
  void start_child(const Cores& cores);
  void open(std::uint32_t index, bool observed);
  void ask(const Request& request);
  ControlMessage<Reply> answer();

  std::vector<const Case*> cases_;
  std::vector<std::unique_ptr<Endpoint>> ends_;
  Descriptor socket_;
  bool counts_allocations_ = false;
  std::uint64_t allocations_ = 0;
  pid_t child_ = 0;
};

/// The second process: does what it is asked until it is told to quit.
int serve(int core);

}  // namespace bench
