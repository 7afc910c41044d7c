// What everybody can see of a process, in /proc.

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <type_traits>
#include <vector>

#include "process/launching.hpp"

using namespace strait_test;

namespace {

constexpr uid_t other_user = 12345;

template <class T>
using TrustingEnd = strait::Channel<T, strait::RawSerializer,
                                    strait::ChannelOptions{.peers = strait::PeerPolicy::any_user}>;

/// Runs as another user than its parent.
template <class T>
int set_user_child() {
  child::require(::geteuid() == other_user, "set-user-ID");
  auto link = strait::connect_to_parent<TrustingEnd<T>>(long_enough);
  child::require(link.has_value(), "connected: " + link.error().message());
  return link->run([](View) {}).error() == Errc::peer_closed ? 0 : 1;
}

const ChildRole set_user_role("linux_launch.set_user", [](const ChildArguments& arguments) {
  return arguments.at(0) == "socket" ? set_user_child<Socket>() : set_user_child<Mach>();
});

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

TEMPLATE_TEST_CASE("a child of a set-user-ID program is that user", "[process][launch]", Mach,
                   Socket) {
  if (::geteuid() != 0) return;  // only root can give a program away
  const std::string program = unique_path("set-user");
  std::filesystem::copy_file("/proc/self/exe", program);
  REQUIRE(::chown(program.c_str(), other_user, other_user) == 0);
  REQUIRE(::chmod(program.c_str(), 04755) == 0);
  const std::vector<std::string> arguments{"--child", "linux_launch.set_user",
                                           std::is_same_v<TestType, Socket> ? "socket" : "mach"};
  const auto trusting = strait::launch<TrustingEnd<TestType>, Inherited>(program, arguments,
                                                                         {.timeout = long_enough});
  REQUIRE(trusting);
  CHECK(trusting->channel.peer().credentials.uid == other_user);
  CHECK(trusting->channel.peer().credentials.pid == trusting->child.pid());
  const auto strict = strait::launch<strait::Channel<TestType, strait::RawSerializer>, Inherited>(
      program, arguments, {.timeout = long_enough});
  CHECK(strict.error() == Errc::permission_denied);
  REQUIRE(::unlink(program.c_str()) == 0);
}
