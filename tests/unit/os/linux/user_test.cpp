// Which ids are this process's user, where the kernel can't express them all.

#include <fcntl.h>
#include <sched.h>
#include <sys/types.h>
#include <unistd.h>
#include <strait/channel.hpp>
#include <strait/os/posix/user.hpp>
#include <strait/serializers/raw.hpp>
#include <strait/transports/mach.hpp>

#include <cstddef>
#include <span>
#include <string>

#include "support/catch.hpp"
#include "support/process.hpp"
#include "support/runtime_dir.hpp"

using strait::Errc;
using strait::Token;

namespace {

using Link = strait::Channel<strait::MachTransport<>, strait::RawSerializer>;

/// What the child reports when the system lets it make no user namespace.
constexpr int exit_no_namespace = 7;

bool write_map(const std::string& line) {
  const auto map = strait::os::open("/proc/self/uid_map", O_WRONLY);
  return map && ::write(map->get(), line.data(), line.size()) == static_cast<ssize_t>(line.size());
}

/// Enters a user namespace in which this user is 65534: because it has no mapping at all, or
/// because the only mapping says so.
const strait_test::ChildRole stranger(
    "linux_user.overflow", [](const strait_test::ChildArguments& arguments) {
      const uid_t outside = ::geteuid();
      if (::unshare(CLONE_NEWUSER) != 0) return exit_no_namespace;
      if (arguments.at(0) == "mapped" && !write_map("65534 " + std::to_string(outside) + " 1\n")) {
        return exit_no_namespace;
      }
      strait_test::child::require(::geteuid() == strait::os::overflow_user(), "to be 65534");
      strait_test::child::require(!strait::os::is_effective_user(::geteuid()),
                                  "not to be taken for itself");
      const auto name = strait_test::unique_name("overflow");
      const auto token = Token::generate().value();
      auto server = Link::listen(name, token);
      strait_test::child::require(server.has_value(), "to listen");
      strait_test::child::require(Link::connect(name, token).error() == Errc::permission_denied,
                                  "not to talk to a server of the overflow id");
      return 0;
    });

const strait_test::ChildRole nobody("linux_user.nobody", [](const strait_test::ChildArguments&) {
  strait_test::child::require(::setgid(65534) == 0 && ::setuid(65534) == 0, "to be nobody");
  return strait::os::is_effective_user(65534) == strait::os::expresses_every_user() ? 0 : 1;
});

}  // namespace

TEST_CASE("the overflow id of a user namespace is not the same user, not even itself",
          "[credentials][process]") {
  for (const char* how : {"unmapped", "mapped"}) {
    CAPTURE(how);
    auto child = strait_test::Child::spawn("linux_user.overflow", {how});
    const auto status = child.wait();
    if (status.code == exit_no_namespace) STRAIT_TEST_SKIP("no user namespace can be made here");
    CHECK(status.success());
  }
}

TEST_CASE("the user whose id is the overflow id is one where every user has an id",
          "[credentials][process]") {
  if (::geteuid() != 0) STRAIT_TEST_SKIP("only root can become another user");
  CHECK(strait_test::Child::spawn("linux_user.nobody").wait().success());
}

TEST_CASE("this process's effective user is its own, any other is not", "[credentials]") {
  const auto self = strait::os::effective_user();
  if (self == strait::os::overflow_user()) STRAIT_TEST_SKIP("this user is the overflow id");
  CHECK(strait::os::is_effective_user(self));
  CHECK_FALSE(strait::os::is_effective_user(self + 1));
  CHECK_FALSE(strait::os::is_effective_user(strait::os::overflow_user()));
}
