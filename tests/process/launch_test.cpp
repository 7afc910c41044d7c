// Parents and the children they start: what a child gets, what it does not, and what is left.

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "process/launching.hpp"
#include "strait/serializers/trivial.hpp"
#include "support/descriptor_limit.hpp"

using namespace strait_test;

namespace {

/// Sends back what it gets until the parent ends.
template <class T>
int echo() {
  auto link = strait::connect_to_parent<ProcessLink<T>>(long_enough);
  child::require(link.has_value(), "connected: " + link.error().message());
  // It has nothing to read any more.
  char byte;
  child::require(::read(STDIN_FILENO, &byte, 1) == 0, "an empty standard input");
  child::require(strait::connect_to_parent<ProcessLink<T>>().error() == Errc::not_found, "once");
  const auto end = link->run([&](View bytes) { child::require(link->send(bytes).has_value()); });
  return end.error() == Errc::peer_closed ? 7 : 1;
}

const ChildRole launched_echo_role("launch.echo", [](const ChildArguments& arguments) {
  return with_transport(
      arguments.at(0), []<class T>() { return echo<T>(); }, Crossing());
});

const ChildRole mute_role("launch.mute", [](const ChildArguments&) {
  for (;;) ::pause();
  return 0;
});

const ChildRole gone_role("launch.gone", [](const ChildArguments&) { return 9; });

const ChildRole killed_role("launch.killed", [](const ChildArguments&) {
  ::kill(::getpid(), SIGKILL);
  return 0;
});

const ChildRole quitter_role("launch.quitter", [](const ChildArguments&) {
  ::close(STDIN_FILENO);
  for (;;) ::pause();
  return 0;
});

/// Reads what it was given and leaves without a word.
const ChildRole reader_role("launch.reader", [](const ChildArguments&) {
  const auto input = strait::os::take_standard_input();
  child::require(input.has_value(), "input");
  const auto line =
      strait::os::read_line(*input, 256, strait::detail::Deadline::after(long_enough));
  child::require(line.has_value(), "a line");
  return 0;
});

/// Says which signals it was born with blocked or ignored.
const ChildRole signals_role("launch.signals", [](const ChildArguments&) {
  sigset_t blocked;
  child::require(::sigprocmask(SIG_SETMASK, nullptr, &blocked) == 0);
  child::require(sigismember(&blocked, SIGTERM) == 0, "SIGTERM is not blocked");
  struct sigaction action;
  child::require(::sigaction(SIGINT, nullptr, &action) == 0);
  child::require(action.sa_handler == SIG_DFL, "SIGINT is not ignored");
  return 0;
});

struct Ping {
  std::uint64_t id;
};

const ChildRole stranger_role("launch.stranger", [](const ChildArguments& arguments) {
  return with_transport(
      arguments.at(0),
      []<class T>() {
        using Other = strait::Channel<T, strait::TrivialSerializer<Ping>>;
        const auto link = strait::connect_to_parent<Other>(long_enough);
        child::require(link.error() == Errc::schema_mismatch, "told why");
        return 0;
      },
      Crossing());
});

/// Is given anything but what a parent gives, and says what it makes of it.
const ChildRole misled_role("launch.misled", [](const ChildArguments& arguments) {
  const milliseconds limit(std::stoi(arguments.at(0)));
  const auto link = strait::connect_to_parent<ProcessLink<Pipe>>(limit);
  child::write_line(link.error().message());
  return link.has_value() ? 1 : 0;
});

/// A parent that has no standard input itself.
const ChildRole blind_role("launch.blind", [](const ChildArguments&) {
  ::close(STDIN_FILENO);
  auto launched = MachByName::launch("launch.echo");
  child::require(launched.has_value(), "launched: " + launched.error().message());
  child::require(launched->channel.send(pattern(5)).has_value(), "sent");
  Inbox inbox;
  child::require(wait_while(launched->channel, inbox, [&] { return inbox.messages.empty(); }));
  return 0;
});

template <class Launched>
void talk(Launched& launched) {
  Inbox inbox;
  for (std::size_t i = 0; i != 20; ++i) REQUIRE(launched.channel.send(pattern(i * 100, i)));
  REQUIRE(wait_while(launched.channel, inbox, [&] { return inbox.messages.size() < 20; }));
  for (std::size_t i = 0; i != 20; ++i) {
    CHECK(same_bytes(inbox.messages[i], pattern(i * 100, i)));
  }
}

}  // namespace

TEMPLATE_TEST_CASE("a launched child and its parent talk", "[process][launch]", STRAIT_TEST_WAYS) {
  auto launched = TestType::launch("launch.echo");
  REQUIRE(launched);
  CHECK_FALSE(launched->channel.waiting_connect());
  CHECK(launched->child.pid() > 0);
  CHECK(launched->channel.peer().credentials.uid == ::geteuid());
  if (!std::is_same_v<typename TestType::Transport, Pipe>) {
    CHECK(launched->channel.peer().credentials.pid == launched->child.pid());
  }
  talk(*launched);
  launched->channel.close();
  CHECK(launched->child.wait(long_enough).value() == strait::ExitStatus{7, 0});
}

TEMPLATE_TEST_CASE("a child gets no descriptor, close-on-exec or not", "[process][launch]",
                   STRAIT_TEST_WAYS) {
  // The child itself checks that it was born with three (support/process.hpp).
  const strait::os::Descriptor open_to_all(::open("/dev/null", O_RDONLY));
  const strait::os::Descriptor high(::fcntl(open_to_all.get(), F_DUPFD, 700));
  REQUIRE(high.get() >= 700);
  auto launched = TestType::launch("launch.echo");
  REQUIRE(launched);
  talk(*launched);
}

TEMPLATE_TEST_CASE("a child that never connects is a handshake_timeout and is gone",
                   "[process][launch]", STRAIT_TEST_WAYS) {
  const auto start = Clock::now();
  CHECK(TestType::launch("launch.mute", {.timeout = 100ms}).error() == Errc::handshake_timeout);
  CHECK(Clock::now() - start >= 100ms);
}

TEMPLATE_TEST_CASE("a child that ends before it connects is told at once, and how it ended",
                   "[process][launch]", STRAIT_TEST_WAYS) {
  const auto start = Clock::now();
  const auto end_of = [](const char* role) {
    return TestType::launch(role, {.timeout = 60s}).error();
  };
  const auto gone = end_of("launch.gone");
  CHECK(strait::exit_status(gone) == strait::ExitStatus{9, 0});
  CHECK(gone.message() ==
        "the child exited with code 9 before it was connected: look at what "
        "it has printed, and run it by hand");
  const auto killed = end_of("launch.killed");
  CHECK(strait::exit_status(killed) == strait::ExitStatus{0, SIGKILL});
  CHECK(killed.message() ==
        "the child was ended by signal 9 before it was connected: look at what "
        "it has printed, and run it by hand");
  CHECK(strait::exit_status(end_of("launch.reader")) == strait::ExitStatus{0, 0});
  CHECK(strait::exit_status(end_of("launch.nobody")));  // the test's program knows no such role
  CHECK_FALSE(strait::exit_status(make_error_code(Errc::peer_closed)));
  CHECK(Clock::now() - start < 60s);
}

TEMPLATE_TEST_CASE("a child that gives up and lives on is peer_closed", "[process][launch]",
                   STRAIT_TEST_WAYS) {
  CHECK(TestType::launch("launch.quitter", {.timeout = 60s}).error() == Errc::peer_closed);
}

TEMPLATE_TEST_CASE("a child with other message types is told so, and so is its parent",
                   "[process][launch]", STRAIT_TEST_WAYS) {
  CHECK(TestType::launch("launch.stranger").error() == Errc::schema_mismatch);
}

TEMPLATE_TEST_CASE("a program that can't be started is the system's error", "[process][launch]",
                   STRAIT_TEST_WAYS) {
  using Link = typename TestType::Link;
  const std::string file = unique_path("no-program");
  strait::os::open(file.c_str(), O_CREAT | O_WRONLY, 0600).value();
  CHECK(strait::launch<Link>("/nonexistent/program").error() ==
        std::errc::no_such_file_or_directory);
  CHECK(strait::launch<Link>(file).error() == std::errc::permission_denied);
  CHECK(strait::launch<Link>("/").error() == std::errc::permission_denied);
  REQUIRE(::unlink(file.c_str()) == 0);
}

// Not under the sanitizers: in the child, which has the same limit, they want descriptors, too.
TEMPLATE_TEST_CASE("without descriptors launch fails and leaves nothing",
                   "[process][launch][no-asan][no-tsan]", STRAIT_TEST_WAYS) {
  for (int spare = 0; spare != 8; ++spare) {
    CAPTURE(spare);
    strait::Result<strait::Launched<typename TestType::Link>> launched = Errc::empty;
    {
      const NoMoreDescriptors exhausted(spare);
      launched = TestType::launch("launch.echo", {.timeout = 300ms});
    }
    if (launched) {
      talk(*launched);
    } else {
      const bool expected = launched.error() == std::errc::too_many_files_open ||
                            launched.error() == Errc::handshake_timeout ||
                            launched.error() == Errc::peer_closed ||
                            strait::exit_status(launched.error()).has_value() ||
                            launched.error() == Errc::rights_lost;
      CAPTURE(launched.error());
      CHECK(expected);
    }
  }
}

TEMPLATE_TEST_CASE("without a timeout launch does not wait, and the child comes later",
                   "[process][launch]", STRAIT_TEST_WAYS) {
  auto launched = TestType::launch("launch.echo", {.timeout = 0ms});
  REQUIRE(launched);
  CHECK(launched->channel.waiting_connect());
  talk(*launched);
  launched->channel.close();
  CHECK(launched->child.wait(long_enough).value() == strait::ExitStatus{7, 0});
}

TEMPLATE_TEST_CASE("without a name the channel tells that the child is gone", "[process][launch]",
                   MachInherited, SocketInherited) {
  auto launched = TestType::launch("launch.gone", {.timeout = 0ms});
  REQUIRE(launched);
  Inbox inbox;
  CHECK(wait_until_error(launched->channel, inbox) == Errc::peer_closed);
  CHECK(launched->child.wait(long_enough).value() == strait::ExitStatus{9, 0});
}

TEMPLATE_TEST_CASE("a child that is killed is peer_closed, and its end is told once it is reaped",
                   "[process][launch]", STRAIT_TEST_WAYS) {
  auto launched = TestType::launch("launch.echo");
  REQUIRE(launched);
  talk(*launched);
  CHECK(launched->child.wait(0ms).error() == Errc::timed_out);
  CHECK(launched->child.wait(1ms).error() == Errc::timed_out);
  REQUIRE(launched->child.kill(SIGKILL));
  Inbox inbox;
  CHECK(wait_until_error(launched->channel, inbox) == Errc::peer_closed);
  if (launched->child.native_handle() >= 0) {
    pollfd entry{launched->child.native_handle(), POLLIN, 0};
    CHECK(::poll(&entry, 1, 10'000) == 1);
  }
  const strait::ExitStatus killed{0, SIGKILL};
  CHECK(launched->child.wait(long_enough).value() == killed);
  CHECK(launched->child.wait(0ms).value() == killed);
  CHECK(launched->child.pid() == 0);
  CHECK(launched->child.native_handle() == -1);
  CHECK(launched->child.kill(SIGKILL).error() == Errc::closed);
}

TEST_CASE("a child has no signal blocked or ignored, whatever its parent has",
          "[process][launch]") {
  sigset_t term, before;
  sigemptyset(&term);
  sigaddset(&term, SIGTERM);
  REQUIRE(::pthread_sigmask(SIG_BLOCK, &term, &before) == 0);
  const auto interrupt = ::signal(SIGINT, SIG_IGN);
  auto launched = MachByName::launch("launch.signals", {.timeout = 0ms});
  ::signal(SIGINT, interrupt);
  REQUIRE(::pthread_sigmask(SIG_SETMASK, &before, nullptr) == 0);
  REQUIRE(launched);
  CHECK(launched->child.wait(long_enough).value().success());
}

TEST_CASE("who lets go of a child has to reap it", "[process][launch]") {
  pid_t pid = 0;
  {
    auto launched = MachByName::launch("launch.echo");
    REQUIRE(launched);
    auto moved = std::move(launched->child);
    CHECK(launched->child.pid() == 0);
    pid = moved.release();
    CHECK(moved.pid() == 0);
  }
  int status = 0;
  // It saw the parent's end.
  REQUIRE(::waitpid(pid, &status, 0) == pid);
  CHECK(WEXITSTATUS(status) == 7);
}

TEST_CASE("a parent without standard input can launch", "[process][launch]") {
  auto parent = Child::spawn("launch.blind");
  CHECK(parent.wait().success());
}

TEST_CASE("a process that was not launched is told so", "[process][launch]") {
  const auto answer_to = [](auto act, milliseconds limit = default_timeout) {
    auto child = Child::spawn("launch.misled", {std::to_string(limit.count())});
    act(child);
    const auto line = child.read_line();
    CHECK(child.wait().success());
    return line;
  };
  const auto message = [](Errc error) { return make_error_code(error).message(); };
  const std::string hex = new_token().to_hex();
  const auto line_for = [&](const std::string& line, milliseconds limit = default_timeout) {
    return answer_to([&](Child& child) { CHECK(child.write_line(line)); }, limit);
  };
  CHECK(line_for("") == message(Errc::malformed));
  CHECK(line_for("hello") == message(Errc::malformed));
  CHECK(line_for("name " + hex.substr(1)) == message(Errc::malformed));
  CHECK(line_for("name " + hex + "0") == message(Errc::malformed));
  CHECK(line_for("name " + hex + " ") == message(Errc::malformed));
  CHECK(line_for(std::string(1000, 'x')) == message(Errc::malformed));
  CHECK(line_for("name\nname " + hex) == message(Errc::malformed));
  CHECK(line_for("/ " + hex) == message(Errc::invalid_name));
  CHECK(line_for("name-of-nobody " + hex, 3s) == message(Errc::not_found));
  // A way that this transport does not know.
  CHECK(line_for(". " + hex) == message(Errc::malformed));
  CHECK(answer_to([](Child& child) { child.close_stdin(); }) == message(Errc::peer_closed));
  CHECK(answer_to([](Child&) {}, 200ms) == message(Errc::handshake_timeout));
}
