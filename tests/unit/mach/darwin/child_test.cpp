// A parent and its child, which meet under a name that the kernel makes for them alone.

#include "unit/mach/darwin/kernel_fixture.hpp"

using namespace strait_test;
using namespace strait_test::darwin;
using namespace std::chrono_literals;

namespace {

static_assert(strait::Inheritable<Transport>);

/// What a parent has, and what its child inherits. Here they are one process.
struct Family {
  Family() {
    auto ends = ScriptedDarwin::connected_pair().value();
    parent = std::move(ends[0]);
    child = std::move(ends[1]);
  }
  strait::Result<ScriptedDarwin::ServicePort> check_in(std::int32_t process = ::getpid()) {
    return ScriptedDarwin::check_in(std::move(parent), {::geteuid(), ::getegid(), process},
                                    {1, std::chrono::seconds{1}});
  }
  strait::Result<ScriptedDarwin::ServiceRight> look_up() {
    return ScriptedDarwin::look_up(std::move(child));
  }

  Descriptor parent, child;
};

}  // namespace

TEST_CASE("a parent and its child meet under a name that only their socket tells",
          "[darwin][launch]") {
  Family family;
  CHECK(family.look_up().error() == Errc::would_block);
  REQUIRE(family.child);
  auto port = family.check_in().value();
  CHECK(port.receive().error() == Errc::empty);
  CHECK_FALSE(is_readable(port));
  std::optional right = family.look_up().value();
  CHECK_FALSE(family.child);
  REQUIRE_FALSE(say_hello(*right));
  right.reset();
  // What it had sent before its end comes before that.
  CHECK(is_readable(port));
  const auto request = port.receive().value();
  CHECK_FALSE(request.failure);
  CHECK(request.credentials.pid == ::getpid());
  CHECK(std::ranges::equal(request.body.bytes(), text()));
  CHECK(is_readable(port));
  CHECK(port.receive().error() == Errc::peer_closed);
  CHECK(port.receive().error() == Errc::peer_closed);
}

TEST_CASE("a child that ends without a word is told at once", "[darwin][launch]") {
  Family family;
  auto port = family.check_in().value();
  SECTION("before it has looked the name up") { family.child.reset(); }
  SECTION("after that") { static_cast<void>(family.look_up().value()); }
  CHECK(is_readable(port));
  CHECK(port.receive().error() == Errc::peer_closed);
}

TEST_CASE("a child that is gone before the name is told is peer_closed, and so is a parent",
          "[darwin][launch]") {
  Family family;
  SECTION("the child") {
    family.child.reset();
    CHECK(family.check_in().error() == Errc::peer_closed);
  }
  SECTION("the parent, before it told") {
    family.parent.reset();
    CHECK(family.look_up().error() == Errc::peer_closed);
  }
  SECTION("the parent, after that") {
    static_cast<void>(family.check_in().value());
    CHECK(family.look_up().error() == Errc::not_found);
    CHECK(family.child);
  }
}

TEST_CASE("nobody but the child is let in, whoever has found the name",
          "[darwin][launch][hostile]") {
  Family family;
  auto port = family.check_in().value();
  const auto name = mach::PrivateName::told(family.child.get()).value();
  auto stolen = mach::ServiceRight<ScriptedTraps>::look_up(name.service("strait.").value()).value();
  {
    const AsTask stranger(other_task());
    REQUIRE_FALSE(say_hello(stolen));
  }
  const auto refused = port.receive().value();
  CHECK(refused.failure == Errc::permission_denied);
  CHECK(refused.credentials.pid == other_task().process());
  auto right = family.look_up().value();
  REQUIRE_FALSE(say_hello(right));
  CHECK_FALSE(port.receive()->failure);
}

TEST_CASE("what is no name is not looked up, and the socket stays", "[darwin][launch][hostile]") {
  Family family;
  const std::string told =
      GENERATE(std::string(32, 'g'), std::string(31, 'a') + '\0', std::string(31, '0'),
               std::string(200, '.'), std::string("0123456789abcdef0123456789abcdeF"));
  REQUIRE(strait::os::send_packet(family.parent.get(), std::as_bytes(std::span(told))));
  const bool more_may_come = told.size() < 32;
  CHECK(family.look_up().error() == (more_may_come ? Errc::would_block : Errc::malformed));
  CHECK(family.child);
}

TEST_CASE("without means for it a parent claims no name", "[darwin][launch]") {
  Family family;
  MachScript::fail_events(1);
  CHECK(family.check_in().error() == std::errc::too_many_files_open);
}
