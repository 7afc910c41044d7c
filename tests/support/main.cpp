// The main program of every test executable. Besides Catch's own arguments it knows
//   --child ROLE ARGUMENTS...   be the second process of a test (support/process.hpp)
//   --write-ctest FILE PREFIX TIMEOUT TOGETHER
//                               write the test cases as ctest tests, for CMake to include: each by
//                               itself, or with TOGETHER over 1 up to so many in one process

#define CATCH_CONFIG_RUNNER

#include <sys/types.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <iostream>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/leak_check.hpp"
#include "support/leak_listener.hpp"
#include "support/process.hpp"
#include "support/runtime_dir.hpp"

namespace {

const pid_t started_as = ::getpid();

}  // namespace

/// Asked by the address sanitizer when a process ends. In a forked copy it waits for ever for locks
/// of threads that are not there, or takes what these have for lost.
extern "C" int __lsan_is_turned_off() { return ::getpid() != started_as ? 1 : 0; }

namespace strait_test {
namespace {

constexpr int exit_leak = 70;
constexpr int exit_skipped = 4;  // what Catch2 3 answers when every test was skipped

// Has Catch2 2 fail when a specification means no test case, as 3 does by itself.
#if STRAIT_TEST_CATCH_MAJOR >= 3
constexpr const char* no_tests_fail = "";
#else
constexpr const char* no_tests_fail = " --warn NoTests";
#endif

std::size_t skipped_tests = 0;

#if STRAIT_TEST_CATCH_MAJOR >= 3
const Catch::TestCaseInfo& info_of(const Catch::TestCaseHandle& test) {
  return test.getTestCaseInfo();
}
std::vector<std::string> tags_of(const Catch::TestCaseInfo& info) {
  std::vector<std::string> tags;
  for (const auto& tag : info.tags) tags.emplace_back(tag.original.begin(), tag.original.end());
  return tags;
}
#else
const Catch::TestCaseInfo& info_of(const Catch::TestCase& test) { return test; }
const std::vector<std::string>& tags_of(const Catch::TestCaseInfo& info) { return info.tags; }
#endif

// A test case's name as a Catch test specification that means that one case.
std::string as_specification(const std::string& name) {
  std::string escaped;
  for (const char c : name) {
    if (std::strchr("\\,[]\"", c) != nullptr) escaped += '\\';
    escaped += c;
  }
  return escaped;
}

// What becomes one ctest test: a test case, or several with the same tags.
struct CtestTest {
  std::string name;
  std::string specification;
  std::string labels;
  std::size_t cases = 0;
  bool slow = false;
  bool serial = false;
};

CtestTest ctest_test_of(const Catch::TestCaseInfo& info, const std::string& prefix) {
  CtestTest test{prefix + ": " + info.name, as_specification(info.name), prefix, 1};
  for (const std::string& tag : tags_of(info)) {
    test.labels += ";" + tag;
    test.slow = test.slow || tag == "slow";
    test.serial = test.serial || tag == "serial";
  }
  return test;
}

// Tags become labels, and three of them mean more: [slow] gets five times the time, [serial] runs
// with nothing beside it, and [.] is left out as Catch itself does.
bool write_ctest(Catch::Session& session, const char* self, const char* const* arguments) {
  std::ofstream file(arguments[0]);
  const std::string prefix = arguments[1];
  const int timeout = std::stoi(arguments[2]);
  const std::size_t together = std::stoul(arguments[3]);
  const auto quote = [](const std::string& text) { return "[==[" + text + "]==]"; };

  std::vector<CtestTest> tests;
  std::map<std::string, std::size_t> open;  // by labels: a test that has room for more cases
  for (const auto& one : Catch::getAllTestCasesSorted(session.config())) {
    const Catch::TestCaseInfo& info = info_of(one);
    if (info.isHidden()) continue;
    CtestTest test = ctest_test_of(info, prefix);
    const auto [place, fresh] = open.try_emplace(test.labels, tests.size());
    if (fresh || test.slow || tests[place->second].cases >= together) {
      place->second = tests.size();
      tests.push_back(std::move(test));
    } else {
      CtestTest& group = tests[place->second];
      group.specification += "," + test.specification;
      ++group.cases;
    }
  }
  for (const CtestTest& test : tests) {
    std::string name = test.name;
    if (test.cases > 1) name += " (and " + std::to_string(test.cases - 1) + " more)";
    file << "add_test(" << quote(name) << " " << quote(self) << " " << quote(test.specification)
         << no_tests_fail << ")\nset_tests_properties(" << quote(name) << " PROPERTIES TIMEOUT "
         << (test.slow || test.cases > 1 ? 5 * timeout : timeout) << " SKIP_RETURN_CODE "
         << exit_skipped << " LABELS " << quote(test.labels)
         << (test.serial ? " RUN_SERIAL ON" : "") << ")\n";
  }
  return static_cast<bool>(file.flush());
}

}  // namespace

void note_skipped_test() { ++skipped_tests; }

}  // namespace strait_test

int main(int argc, char** argv) {
  using namespace strait_test;
  if (const auto code = run_child_role(argc, argv)) return *code;

  close_inherited_descriptors_on_exec();
  const RuntimeDir directory;
  Catch::Session session;
  if (argc == 6 && std::strcmp(argv[1], "--write-ctest") == 0)
    return write_ctest(session, argv[0], argv + 2) ? 0 : 1;

  const int result = session.run(argc, argv);
  if (leaking_test_cases() != 0) {
    std::cerr << "FAILED: " << leaking_test_cases() << " test case(s) left something behind\n";
    return exit_leak;
  }
  // Catch says how many assertions failed, and four of them are no skipped test.
  if (result != 0) return 1;
  return skipped_tests != 0 && skipped_tests == started_test_cases() ? exit_skipped : 0;
}
