#include <fmt/format.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>

#include "harness/descriptor.hpp"
#include "harness/guard.hpp"

// A thread looks after both, since there are no signals. The second process ends with the job that
// it is in, however this one ends.

namespace bench::guard {

namespace {

using Clock = std::chrono::steady_clock;

// Longer than the slowest batch on the slowest machine.
constexpr std::chrono::seconds batch_limit{300};

struct Batch {
  std::mutex mutex;
  std::string name = "starting";
  Clock::time_point begin = Clock::now();
};
// Never destroyed: the thread may look at it while the process ends.
Batch& batch() {
  static Batch& only = *new Batch;
  return only;
}
std::atomic<bool> end_is_expected = false;

[[noreturn]] void leave(const std::string& why) {
  fmt::print(stderr, "\nstrait_bench: {}: {}\n", why, batch().name);
  std::fflush(nullptr);
  ::ExitProcess(1);
}

void look_after(HANDLE child) {
  const Descriptor owned(child);
  while (!end_is_expected) {
    const DWORD ended = ::WaitForSingleObject(child, 200);
    const std::lock_guard lock(batch().mutex);
    if (end_is_expected) return;
    if (ended == WAIT_OBJECT_0) {
      DWORD code = 0;
      ::GetExitCodeProcess(child, &code);
      leave(fmt::format("the second process ended unexpectedly (exit code {}) during", code));
    }
    if (Clock::now() - batch().begin > batch_limit) leave("no end in sight for");
  }
}

}  // namespace

void watch(pid_t child) {
  const HANDLE process = ::OpenProcess(SYNCHRONIZE | PROCESS_QUERY_LIMITED_INFORMATION, FALSE,
                                       static_cast<DWORD>(child));
  if (process == nullptr) {
    throw std::system_error(static_cast<int>(::GetLastError()), std::system_category(),
                            "OpenProcess");
  }
  end_is_expected = false;
  std::thread(look_after, process).detach();
}

void expect_end() { end_is_expected = true; }

void start_batch(const std::string& what) {
  const std::lock_guard lock(batch().mutex);
  batch().name = what;
  batch().begin = Clock::now();
}

}  // namespace bench::guard
