// Recordings: what was recorded is played, and nothing else, whatever is in the file.

#include "strait/observers/recording.hpp"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <set>
#include <span>
#include <string>
#include <thread>

#include "conformance/channels.hpp"
#include "process/forking.hpp"
#include "strait/acceptor.hpp"
#include "strait/observers/recorder.hpp"
#include "strait/overloaded.hpp"
#include "strait/serializers/trivial.hpp"
#include "strait/transports/loopback.hpp"
#include "strait/transports/socket.hpp"

using namespace strait_test;
using strait::Direction;
using strait::Recording;
using strait::RecordingErrc;
using strait::RecordingObserver;

// The sanitizers need more memory than a limit leaves them.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define STRAIT_TEST_SANITIZED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define STRAIT_TEST_SANITIZED true
#endif
#endif
#if !defined(STRAIT_TEST_SANITIZED)
#define STRAIT_TEST_SANITIZED false
#endif

namespace {

constexpr bool sanitized = STRAIT_TEST_SANITIZED;

struct Key {
  std::uint32_t code;
};
struct Click {
  std::int16_t x;
  std::int16_t y;
};
using Input = strait::TrivialSerializer<Key, Click>;
template <class T>
using RecordedLink = strait::Channel<T, Input, strait::ChannelOptions{}, RecordingObserver>;
using PlainLink = strait::Channel<strait::LoopbackTransport, Input>;

/// A path, whose file goes with this.
struct RecordingPath {
  std::string path = unique_path("recording");
  ~RecordingPath() { ::unlink(path.c_str()); }

  std::string text() const {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void write(const std::string& text) const {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
  }
};

/// What a program does with its input.
struct Editor {
  std::string done;
  void operator()(const Key& key) { done += 'k' + std::to_string(key.code) + ' '; }
  void operator()(const Click& click) {
    done += 'c' + std::to_string(click.x) + ',' + std::to_string(click.y) + ' ';
  }
};

/// Records a session at its server's side, which sends one message itself.
template <class T>
void record(const RecordingPath& path) {
  using Link = RecordedLink<T>;
  const auto token = new_token();
  const auto name = unique_name("recorded");
  auto server = Link::listen(name, token, RecordingObserver::create<Input>(path.path).value());
  auto client = Link::connect(name, token);
  REQUIRE(client->send(Key{1}));
  REQUIRE(client->send(Click{-2, 3}));
  REQUIRE(client->send(Key{4}));
  REQUIRE(server->send(Key{99}));
  Editor editor;
  Editor nothing;
  REQUIRE(pump_until(*server, editor, *client, nothing,
                     [&] { return editor.done == "k1 c-2,3 k4 " && nothing.done == "k99 "; }));
  CHECK_FALSE(server->observer().error());
}

struct Read {
  std::vector<std::string> messages;
  std::error_code end;
};

std::string in_words(std::span<const std::byte> bytes) {
  std::string words;
  for (const std::byte byte : bytes) words += ' ' + std::to_string(std::to_integer<int>(byte));
  return words;
}

/// All that is in a recording, and how it ends.
Read read_all(const std::string& path) {
  Read read;
  auto recording = Recording::open(path);
  if (!recording) {
    read.end = recording.error();
    return read;
  }
  for (;;) {
    const auto message = recording->front();
    if (!message) {
      read.end = message.error();
      CHECK(recording->front().error() == read.end);  // it comes again
      return read;
    }
    if (*message == nullptr) return read;
    std::string words = (*message)->direction == Direction::sent ? "sent" : "received";
    words += ' ' + std::to_string((*message)->channel) + ' ' + std::to_string((*message)->tag);
    read.messages.push_back(words + in_words((*message)->bytes));
    recording->pop();
  }
}

bool is_prefix(const std::vector<std::string>& part, const std::vector<std::string>& whole) {
  return part.size() <= whole.size() && std::equal(part.begin(), part.end(), whole.begin());
}

}  // namespace

TEMPLATE_TEST_CASE("what a program has received is played to it again in a unit test",
                   "[observer][recording]", strait::LoopbackTransport, strait::SocketTransport) {
  const RecordingPath path;
  record<TestType>(path);
  auto [player, tested] = PlainLink::pair().value();
  CHECK(strait::replay(path.path, player).value() == 3);
  Editor editor;
  while (tested.poll(editor).value() != 0) {
  }
  CHECK(editor.done == "k1 c-2,3 k4 ");
  CHECK(strait::replay(path.path, player, {.direction = Direction::sent}).value() == 1);
  CHECK(tested.poll(editor).value() == 1);
  CHECK(editor.done == "k1 c-2,3 k4 k99 ");
  CHECK(strait::replay(path.path, player, {.channel = 2}).value() == 0);
}

TEST_CASE("a recording tells direction, channel, tag, bytes and time", "[observer][recording]") {
  const RecordingPath path;
  record<strait::LoopbackTransport>(path);
  auto recording = Recording::open(path.path).value();
  CHECK(recording.schema_hash() == Input::schema_hash);
  std::chrono::nanoseconds before{};
  std::vector<std::size_t> sizes;
  for (; recording.front().value() != nullptr; recording.pop()) {
    const auto& message = *recording.front().value();
    CHECK(message.channel == 1);
    CHECK(message.time >= before);
    before = message.time;
    sizes.push_back(message.bytes.size());
  }
  CHECK(sizes == std::vector<std::size_t>{4, 4, 4, 4});
  CHECK(recording.front().value() == nullptr);
  struct stat status;
  REQUIRE(::stat(path.path.c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
}

TEST_CASE("a cut recording gives what is whole and then an error", "[observer][recording]") {
  const RecordingPath path;
  record<strait::LoopbackTransport>(path);
  const std::string text = path.text();
  const Read whole = read_all(path.path);
  REQUIRE_FALSE(whole.end);
  REQUIRE(whole.messages.size() == 4);
  const RecordingPath cut;
  for (std::size_t size = 0; size != text.size(); ++size) {
    CAPTURE(size);
    cut.write(text.substr(0, size));
    const Read read = read_all(cut.path);
    CHECK(read.end == RecordingErrc::unfinished);
    CHECK(is_prefix(read.messages, whole.messages));
    auto [player, tested] = PlainLink::pair().value();
    CHECK(strait::replay(cut.path, player).error() == RecordingErrc::unfinished);
  }
  cut.write(text + 'x');
  CHECK(read_all(cut.path).end == RecordingErrc::damaged);
  cut.write(text + text);
  CHECK(read_all(cut.path).end == RecordingErrc::damaged);
}

TEST_CASE("a recording in which any byte was changed gives what came before and then an error",
          "[observer][recording]") {
  const RecordingPath path;
  record<strait::LoopbackTransport>(path);
  const std::string text = path.text();
  const Read whole = read_all(path.path);
  const RecordingPath changed;
  std::set<std::string> ends;
  for (std::size_t at = 0; at != text.size(); ++at) {
    for (const int change : {1, 0x80, 0xff}) {
      CAPTURE(at, change);
      std::string bytes = text;
      bytes[at] = static_cast<char>(bytes[at] ^ change);
      changed.write(bytes);
      const Read read = read_all(changed.path);
      CHECK(read.end);
      CHECK(read.messages.size() < whole.messages.size() + (at + 32 >= text.size() ? 1 : 0));
      CHECK(is_prefix(read.messages, whole.messages));
      ends.insert(read.end.message());
    }
  }
  // Not a recording, another version, another machine, damaged, and, of a length, unfinished.
  CHECK(ends.size() == 5);
}

TEST_CASE("a recording whose records were exchanged, left out or doubled is damaged",
          "[observer][recording]") {
  const RecordingPath path;
  record<strait::LoopbackTransport>(path);
  const std::string text = path.text();
  constexpr std::size_t head = 32;
  constexpr std::size_t record_bytes = 32 + 4;
  const std::string first = text.substr(head, record_bytes);
  const std::string second = text.substr(head + record_bytes, record_bytes);
  const std::string rest = text.substr(head + 2 * record_bytes);
  const RecordingPath other;
  for (const std::string& records :
       {second + first + rest, second + rest, first + rest, first + first + second + rest}) {
    other.write(text.substr(0, head) + records);
    CHECK(read_all(other.path).end == RecordingErrc::damaged);
  }
}

TEST_CASE("a length that a file only claims costs no memory", "[observer][recording]") {
  const RecordingPath path;
  record<strait::LoopbackTransport>(path);
  std::string text = path.text();
  for (std::size_t at = 32 + 16; at != 32 + 20; ++at) text[at] = '\xff';
  const RecordingPath hostile;
  hostile.write(text);
  Fork child([&] {
    const rlimit little{std::size_t{1} << 30, RLIM_INFINITY};
    if (!sanitized) ::setrlimit(RLIMIT_DATA, &little);
    auto recording = Recording::open(hostile.path);
    ::_exit(recording && recording->front().error() == RecordingErrc::unfinished ? 0 : 1);
  });
  CHECK(child.ended_well());
}

TEST_CASE("what is no recording, or none for this program, is told so", "[observer][recording]") {
  const RecordingPath path;
  path.write("#!/bin/sh\nexec true\n");
  CHECK(Recording::open(path.path).error() == RecordingErrc::not_a_recording);
  path.write("");
  CHECK(Recording::open(path.path).error() == RecordingErrc::unfinished);
  CHECK(Recording::open("/nowhere/recording").error() == std::errc::no_such_file_or_directory);
  CHECK(Recording::open("/").error() == std::errc::is_a_directory);
  CHECK(Recording::open("/dev/zero").error() == RecordingErrc::not_a_recording);
  REQUIRE(::unlink(path.path.c_str()) == 0);
  REQUIRE(::mkfifo(path.path.c_str(), 0600) == 0);
  CHECK(Recording::open(path.path).error() == RecordingErrc::unfinished);  // and does not wait

  record<strait::LoopbackTransport>(path);
  using Other = strait::Channel<strait::LoopbackTransport, strait::TrivialSerializer<Click>>;
  auto [player, tested] = Other::pair().value();
  CHECK(strait::replay(path.path, player).error() == RecordingErrc::other_schema);
  Editor editor;
  CHECK(tested.poll(editor).value() == 0);
}

TEST_CASE("every error of a recording says what to do", "[observer][recording]") {
  std::set<std::string> messages;
  for (int value = 1; value <= 6; ++value) {
    const auto message = strait::make_error_code(static_cast<RecordingErrc>(value)).message();
    CHECK(message.find(": ") != message.npos);
    messages.insert(message);
  }
  CHECK(messages.size() == 6);
  CHECK(strait::detail::recording_category.message(7) == "unknown error of a recording");
}

TEST_CASE("a replay stops where the queue is full and goes on when there is room",
          "[observer][recording]") {
  using Raw = strait::RawSerializer;
  const RecordingPath path;
  constexpr std::size_t count = 1000;
  {
    auto recorder = RecordingObserver::create<Raw>(path.path).value();
    for (std::size_t i = 0; i != count; ++i) recorder.on_received_bytes(0, pattern(2000, i));
  }
  using Link = strait::Channel<strait::LoopbackTransport, Raw,
                               strait::ChannelOptions{.max_queued_bytes = 10'000}>;
  auto ends = Link::pair().value();
  Link& player = ends.first;
  Link& tested = ends.second;
  auto recording = Recording::open(path.path).value();
  Inbox inbox;
  std::size_t sent = 0;
  int rounds = 0;
  for (; recording.front().value() != nullptr; ++rounds) {
    const auto more = strait::replay(recording, player);
    REQUIRE(more);
    sent += *more;
    CHECK(player.queued_bytes() <= 20'000);
    while (tested.poll(inbox).value() != 0) {
    }
    static_cast<void>(player.poll(inbox));
  }
  CHECK(rounds > 3);
  CHECK(sent == count);
  REQUIRE(poll_until(tested, inbox, [&] {
    static_cast<void>(player.poll(inbox));
    return inbox.messages.size() == count;
  }));
  for (std::size_t i = 0; i != count; ++i) CHECK(same_bytes(inbox.messages[i], pattern(2000, i)));
  // A whole file at once waits for its peer, which nothing polls here.
  CHECK(strait::replay(path.path, player, {}, 10ms).error() == Errc::timed_out);
}

TEST_CASE("the clients of an acceptor are recorded under numbers of their own",
          "[observer][recording]") {
  const RecordingPath path;
  using Link = RecordedLink<strait::LoopbackTransport>;
  {
    const auto token = new_token();
    auto server = strait::Acceptor<Link>::listen(
                      "recorded", token, RecordingObserver::create<Input>(path.path).value())
                      .value();
    auto first = PlainLink::connect("recorded", token).value();
    auto second = PlainLink::connect("recorded", token).value();
    REQUIRE(first.send(Key{1}));
    REQUIRE(second.send(Key{2}));
    int heard = 0;
    const auto listener = [&](Link&, const Key&) { ++heard; };
    Editor unused;
    REQUIRE(repeat_until([&] {
      static_cast<void>(server.poll(listener));
      static_cast<void>(first.poll(unused));
      static_cast<void>(second.poll(unused));
      return heard == 2;
    }));
  }
  const Read read = read_all(path.path);
  CHECK_FALSE(read.end);
  const auto received = [](const char* channel, const Key& key) {
    return "received " + std::string(channel) + " 0" + in_words(std::as_bytes(std::span(&key, 1)));
  };
  CHECK(std::set<std::string>(read.messages.begin(), read.messages.end()) ==
        std::set<std::string>{received("1", Key{1}), received("2", Key{2})});
}

TEST_CASE("several threads record into one file", "[observer][recording]") {
  const RecordingPath path;
  {
    const auto recorder = RecordingObserver::create<strait::RawSerializer>(path.path).value();
    std::vector<std::thread> threads;
    for (std::uint16_t tag = 0; tag != 4; ++tag) {
      threads.emplace_back([copy = recorder, tag]() mutable {
        for (std::size_t i = 0; i != 100; ++i) copy.on_sent_bytes(tag, pattern(i, tag));
      });
    }
    for (auto& thread : threads) thread.join();
  }
  const Read read = read_all(path.path);
  CHECK_FALSE(read.end);
  CHECK(read.messages.size() == 400);
}

TEST_CASE("a recording of a process that has died, or found no room, is unfinished",
          "[observer][recording]") {
  const RecordingPath path;
  Fork died([&] {
    auto recorder = RecordingObserver::create<strait::RawSerializer>(path.path).value();
    recorder.on_sent_bytes(0, pattern(10));
    ::_exit(0);
  });
  REQUIRE(died.ended_well());
  Read read = read_all(path.path);
  CHECK(read.end == RecordingErrc::unfinished);
  CHECK(read.messages.size() == 1);

  Fork limited([&] {
    const rlimit little{200, RLIM_INFINITY};
    ::setrlimit(RLIMIT_FSIZE, &little);
    auto recorder = RecordingObserver::create<strait::RawSerializer>(path.path).value();
    recorder.on_sent_bytes(0, pattern(10));
    if (recorder.error()) ::_exit(1);
    recorder.on_sent_bytes(0, pattern(1000));
    if (recorder.error() != std::errc::file_too_large) ::_exit(2);
    recorder.on_sent_bytes(0, pattern(1));
    recorder = RecordingObserver();
  });
  REQUIRE(limited.ended_well());
  read = read_all(path.path);
  CHECK(read.end == RecordingErrc::unfinished);
  CHECK(read.messages.size() == 1);
}

TEST_CASE("a forked process does not write into its parent's recording", "[observer][recording]") {
  const RecordingPath path;
  {
    auto recorder = RecordingObserver::create<strait::RawSerializer>(path.path).value();
    recorder.on_sent_bytes(0, pattern(1));
    Fork child([&] {
      recorder.on_sent_bytes(0, pattern(2));
      recorder = RecordingObserver();
    });
    CHECK(child.ended_well());
    recorder.on_sent_bytes(0, pattern(3));
  }
  const Read read = read_all(path.path);
  CHECK_FALSE(read.end);
  CHECK(read.messages.size() == 2);
}
