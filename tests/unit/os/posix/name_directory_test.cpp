// Where names live: the directories of a user, of root in a user's session, and none at all.

#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <strait/channel.hpp>
#include <strait/os/posix/name_directory.hpp>
#include <strait/serializers/raw.hpp>
#include <strait/transports/pipe.hpp>
#include <strait/transports/socket.hpp>

#include <chrono>
#include <cstdlib>
#include <string>

#include "support/catch.hpp"
#include "support/runtime_dir.hpp"

using strait::Errc;
using strait::Token;
using strait::os::NameDirectory;
using strait::os::NamePlace;
using namespace std::chrono_literals;

namespace {

/// Puts another runtime directory into the environment and the old one back.
class RuntimeDirectoryIs {
 public:
  explicit RuntimeDirectoryIs(const std::string& path) : before_(strait_test::runtime_dir()) {
    ::setenv("XDG_RUNTIME_DIR", path.c_str(), 1);
  }
  ~RuntimeDirectoryIs() { ::setenv("XDG_RUNTIME_DIR", before_.c_str(), 1); }

 private:
  std::string before_;
};

bool exists(const std::string& path) {
  struct stat file;
  return ::lstat(path.c_str(), &file) == 0;
}

}  // namespace

TEMPLATE_TEST_CASE("without a runtime directory both sides are told that it is missing",
                   "[name][places]", strait::SocketTransport, strait::PipeTransport) {
  using Link = strait::Channel<TestType, strait::RawSerializer>;
  const auto name = strait_test::unique_name("places");
  const auto token = Token::generate().value();
  const RuntimeDirectoryIs missing(strait_test::runtime_dir() + "/missing");
  CHECK(Link::listen(name, token).error() == Errc::no_runtime_directory);
  CHECK(Link::connect(name, token).error() == Errc::no_runtime_directory);
  CHECK(Link::connect(name, token, 1h).error() == Errc::no_runtime_directory);
}

TEMPLATE_TEST_CASE("a server whose path has no parent is told that there is no such directory",
                   "[name][places]", strait::SocketTransport, strait::PipeTransport) {
  using Link = strait::Channel<TestType, strait::RawSerializer>;
  const auto path = strait_test::runtime_dir() + "/missing/name";
  const auto token = Token::generate().value();
  CHECK(Link::listen(path, token).error() == std::error_code(ENOENT, std::system_category()));
  CHECK(Link::connect(path, token).error() == Errc::not_found);
}

TEST_CASE("a runtime directory is used only by its owner", "[name][places]") {
  if (::geteuid() != 0) STRAIT_TEST_SKIP("only root can give a directory away");
  const auto session = strait_test::unique_path("session");
  REQUIRE(::mkdir(session.c_str(), 0700) == 0);
  REQUIRE(::chown(session.c_str(), 1000, 1000) == 0);
  {
    const RuntimeDirectoryIs of_a_user(session);
    const auto name = strait_test::unique_name("root");
    CHECK(NamePlace::of(name).parent == "/tmp/strait-0");
    const auto held = NameDirectory::claim(name);
    CHECK(held);
    CHECK(strait::os::find_name_directory(NamePlace::of(name)));
  }
  CHECK_FALSE(exists(session + "/strait"));
  REQUIRE(::chown(session.c_str(), 0, 0) == 0);
  {
    const RuntimeDirectoryIs own(session);
    CHECK(NamePlace::of("name").parent == session + "/strait");
  }
  REQUIRE(::rmdir(session.c_str()) == 0);
}

TEST_CASE("a path that names a directory with other uses leaves what is not of a name",
          "[name][places]") {
  const auto path = strait_test::unique_path("used");
  const auto stem = path + "/" + std::string(32, 'a');
  REQUIRE(::mkdir(path.c_str(), 0700) == 0);
  REQUIRE(::mkfifo((path + "/of-the-user").c_str(), 0600) == 0);
  REQUIRE(::mkfifo((stem + ".up").c_str(), 0600) == 0);
  CHECK(NameDirectory::claim(path));
  CHECK(exists(path + "/of-the-user"));
  CHECK_FALSE(exists(stem + ".up"));
  REQUIRE(::unlink((path + "/of-the-user").c_str()) == 0);
  REQUIRE(::rmdir(path.c_str()) == 0);
}

TEST_CASE("the private directory that another user has made first is refused", "[name][places]") {
  if (::geteuid() != 0) STRAIT_TEST_SKIP("only root can give a directory away");
  const auto runtime = strait_test::unique_path("squatted");
  REQUIRE(::mkdir(runtime.c_str(), 0700) == 0);
  REQUIRE(::mkdir((runtime + "/strait").c_str(), 0700) == 0);
  REQUIRE(::chown((runtime + "/strait").c_str(), 1000, 1000) == 0);
  {
    const RuntimeDirectoryIs squatted(runtime);
    CHECK(NameDirectory::claim("name").error() == Errc::permission_denied);
  }
  REQUIRE(::rmdir((runtime + "/strait").c_str()) == 0);
  REQUIRE(::rmdir(runtime.c_str()) == 0);
}

TEST_CASE("a directory that is open to others is refused", "[name][places]") {
  const auto path = strait_test::unique_path("open");
  REQUIRE(::mkdir(path.c_str(), 0700) == 0);
  REQUIRE(::chmod(path.c_str(), 0777) == 0);
  CHECK(NameDirectory::claim(path).error() == Errc::permission_denied);
  CHECK(strait::os::find_name_directory(NamePlace::of(path)).error() == Errc::permission_denied);
  REQUIRE(::rmdir(path.c_str()) == 0);
}
