// Catch2 2 shows its listeners only to who asks.
#define CATCH_CONFIG_EXTERNAL_INTERFACES

#include "support/leak_listener.hpp"

#include <iostream>
#include <string>

#include "support/catch.hpp"
#include "support/leak_check.hpp"

namespace strait_test {
namespace {

std::size_t started = 0;
std::size_t leaking = 0;

#if STRAIT_TEST_CATCH_MAJOR >= 3
using ListenerBase = Catch::EventListenerBase;

const std::string& name_of(const Catch::TestCaseStats& stats) { return stats.testInfo->name; }
#else
using ListenerBase = Catch::TestEventListenerBase;

const std::string& name_of(const Catch::TestCaseStats& stats) { return stats.testInfo.name; }
#endif

// When Catch tells a listener that a test case has ended, its verdict has already been reached, so
// the listener can only keep count and the main program has to fail. (ctest runs each test case, or
// a few, by themselves, so there the right one fails.)
class LeakListener : public ListenerBase {
 public:
  using ListenerBase::ListenerBase;

  void testCaseStarting(const Catch::TestCaseInfo&) override {
    ++started;
    before_ = ResourceSnapshot::take();
  }

  void testCaseEnded(const Catch::TestCaseStats& stats) override {
    const auto leaks =
        after_a_moment([&] { return differences(before_, ResourceSnapshot::take()); });
    if (leaks.empty()) return;
    ++leaking;
    std::cerr << "\nLEAK: test case \"" << name_of(stats) << "\":\n";
    for (const std::string& leak : leaks) std::cerr << "  " << leak << '\n';
    std::cerr << std::flush;
  }

 private:
  ResourceSnapshot before_;
};

CATCH_REGISTER_LISTENER(LeakListener)

}  // namespace

std::size_t started_test_cases() { return started; }

std::size_t leaking_test_cases() { return leaking; }

}  // namespace strait_test
