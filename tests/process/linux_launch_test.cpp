// What everybody can see of a process, in /proc.

#include <fstream>
#include <iterator>
#include <string>
#include <type_traits>

#include "process/launching.hpp"

using namespace strait_test;

namespace {

std::string contents(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

TEMPLATE_TEST_CASE("a child has nothing secret on its command line or in its environment",
                   "[process][launch]", STRAIT_TEST_WAYS) {
  auto launched = TestType::launch("launch.echo");
  REQUIRE(launched);
  const std::string process = "/proc/" + std::to_string(launched->child.pid());
  const std::string words = std::string("/proc/self/exe") + '\0' + "--child" + '\0' +
                            "launch.echo" + '\0' + word<typename TestType::Transport>() + '\0';
  CHECK(contents(process + "/cmdline") == words);
  // Under a sanitizer a process may show its environment in another order: compare the size.
  CHECK(contents(process + "/environ").size() <= contents("/proc/self/environ").size() + 4096);
  CHECK(contents(process + "/environ").find("launched-") == std::string::npos);
}
