#include <strait/os/posix/descriptor.hpp>

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <system_error>
#include <type_traits>
#include <utility>

#include "support/catch.hpp"

using strait::os::Descriptor;

namespace {

bool is_open(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }
Descriptor null_device() { return strait::os::open("/dev/null", O_RDONLY).value(); }

static_assert(!std::is_copy_constructible_v<Descriptor>);
static_assert(std::is_nothrow_move_constructible_v<Descriptor>);

}  // namespace

TEST_CASE("a descriptor is closed once, by its last owner", "[descriptor]") {
  int number = -1;
  {
    Descriptor first = null_device();
    number = first.get();
    Descriptor second = std::move(first);
    CHECK_FALSE(first);
    CHECK(first.get() == -1);
    CHECK(second.get() == number);
    CHECK(is_open(number));
    Descriptor& same = second;
    second = std::move(same);
    CHECK(is_open(number));
  }
  CHECK_FALSE(is_open(number));
}

TEST_CASE("assigning closes what was owned before", "[descriptor]") {
  Descriptor first = null_device();
  Descriptor second = null_device();
  const int number = first.get();
  first = std::move(second);
  CHECK_FALSE(is_open(number));
  first.reset();
  CHECK_FALSE(first);
}

TEST_CASE("a released descriptor is the caller's to close", "[descriptor]") {
  Descriptor owner = null_device();
  const int number = owner.release();
  owner.reset();
  CHECK(is_open(number));
  CHECK(::close(number) == 0);
}

TEST_CASE("what is opened does not survive exec", "[descriptor]") {
  CHECK((::fcntl(null_device().get(), F_GETFD) & FD_CLOEXEC) != 0);
}

TEST_CASE("what can't be opened is an error of the system", "[descriptor]") {
  const auto missing = strait::os::open("/nonexistent/file", O_RDONLY);
  CHECK(missing.error() == std::errc::no_such_file_or_directory);
}

TEST_CASE("a call is repeated for as long as signals interrupt it", "[descriptor]") {
  int calls = 0;
  const auto result = strait::os::retry([&] {
    ++calls;
    errno = EINTR;
    return calls == 3 ? 5 : -1;
  });
  CHECK(result == 5);
  CHECK(calls == 3);
  calls = 0;
  strait::os::retry([&] {
    ++calls;
    errno = EIO;
    return -1;
  });
  CHECK(calls == 1);
}
