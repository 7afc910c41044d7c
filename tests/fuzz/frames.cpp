// A peer that writes what it likes to a stream of frames, in pieces of any size and with
// descriptors: to the reader alone, over a socket, over a pair of FIFOs. What arrives has to be
// what a plain reading of the same bytes says, in order, and nothing may stay open.

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <strait/os/memory_file.hpp>
#include <strait/transports/pipe.hpp>
#include <strait/transports/socket.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "fuzz/input.hpp"
#include "support/runtime_dir.hpp"

namespace {

using namespace strait_fuzz;
using strait::Errc;
using strait::Result;
using strait::detail::FrameHeader;
using strait::os::Descriptor;

constexpr std::size_t max_message_bytes = 150'000;
constexpr std::size_t max_message_rights = 8;
constexpr std::size_t max_stream_bytes = 400'000;

/// What the peer can send: three files that close at once, and one that a thread has to close.
struct Files {
  static const Files& instance() {
    static const Files files;
    return files;
  }
  int operator[](std::size_t i) const { return files[i % files.size()].get(); }

 private:
  static Descriptor memory() {
    return strait::os::memory_file_of(std::array<std::byte, 1>{}).value();
  }
  std::array<Descriptor, 4> files{memory(), memory(), memory(),
                                  strait::os::open("/dev/null", O_RDONLY | O_CLOEXEC).value()};
};

/// As long as it lives, this process has room for so many descriptors more, or fewer.
class FewDescriptors {
 public:
  explicit FewDescriptors(rlim_t count) {
    require(::getrlimit(RLIMIT_NOFILE, &before_) == 0, "there is a limit");
    const Descriptor next(::fcntl(Files::instance()[0], F_DUPFD_CLOEXEC, 0));
    const rlimit low{static_cast<rlim_t>(next.get()) + count, before_.rlim_max};
    require(::setrlimit(RLIMIT_NOFILE, &low) == 0, "the limit can be lowered");
  }
  FewDescriptors(const FewDescriptors&) = delete;
  FewDescriptors& operator=(const FewDescriptors&) = delete;
  ~FewDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_;
};

/// What the peer has written, and what a plain reader makes of it.
class Script {
 public:
  struct Message {
    FrameHeader header;
    Bytes body;
  };

  void wrote(Bytes bytes, std::span<const int> files, bool with_its_frame) {
    if (!files.empty() && with_its_frame) frames_with_rights_[bytes_.size()] = files.size();
    if (!files.empty() && !with_its_frame) rights_astray_ = true;
    rights_.insert(rights_.end(), files.begin(), files.end());
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  }
  std::size_t size() const { return bytes_.size(); }
  bool rights_sent() const { return !rights_.empty(); }

  /// The next whole message, or how it ends here.
  Result<Message> next(std::uint8_t rights_limit) {
    const Bytes rest = Bytes(bytes_).subspan(at_);
    FrameHeader header;
    if (rest.size() < sizeof header) return Errc::empty;
    std::memcpy(&header, rest.data(), sizeof header);
    if (header.continued != 0 || header.rights > rights_limit) return Errc::malformed;
    if (header.bytes > max_message_bytes) return Errc::message_too_large;
    if (rest.size() - sizeof header < header.bytes) return Errc::empty;
    const auto promised = frames_with_rights_.find(at_);
    const std::size_t came = promised == frames_with_rights_.end() ? 0 : promised->second;
    rights_astray_ = rights_astray_ || came != header.rights;
    frames_kept_ += came != 0;
    at_ += sizeof header + header.bytes;
    return Message{header, rest.subspan(sizeof header, header.bytes)};
  }
  int next_right() {
    require(right_at_ < rights_.size(), "no more rights come than were sent");
    return rights_[right_at_++];
  }
  std::size_t rights_left() const { return rights_.size() - right_at_; }
  /// With how many the message that is not whole yet may have come.
  std::size_t rights_begun() const {
    if (unread() == 0) return 0;
    FrameHeader header;
    if (unread() < sizeof header) return strait::detail::max_rights;
    std::memcpy(&header, bytes_.data() + at_, sizeof header);
    return header.rights;
  }
  /// Whether all that was read up to here had its rights with its first byte, and no others.
  bool rights_kept() const { return !rights_astray_ && frames_kept_ == frames_with_rights_.size(); }
  std::size_t unread() const { return bytes_.size() - at_; }

 private:
  std::vector<std::byte> bytes_;
  std::vector<int> rights_;
  std::map<std::size_t, std::size_t> frames_with_rights_;
  std::size_t frames_kept_ = 0;
  std::size_t at_ = 0;
  std::size_t right_at_ = 0;
  bool rights_astray_ = false;
};

/// The reader alone, which gets what it asks for from memory.
struct ReaderWire {
  static constexpr bool carries_rights = false;
  static constexpr std::uint8_t rights_limit = 0;

  std::size_t write(Bytes bytes, std::span<const int>) {
    stream.insert(stream.end(), bytes.begin(), bytes.end());
    return bytes.size();
  }
  void hang_up() { closed = true; }
  template <class Sink>
  Result<void> receive(Sink&& sink) {
    const bool readable = reader.readable();
    std::size_t given = 0;
    const auto received = reader.receive(
        [&](std::span<std::byte> room) -> Result<std::size_t> {
          require(!room.empty(), "there is room to read into");
          // It doubles when the next step, twice of what is here, does not fit.
          require(room.size() <= std::max(std::size_t{64} << 10, 3 * read),
                  "memory grows with what has arrived");
          const std::size_t size = std::min(room.size(), stream.size() - read);
          if (size == 0) return closed ? Errc::peer_closed : Errc::would_block;
          std::memcpy(room.data(), stream.data() + read, size);
          read += size;
          return size;
        },
        [&](const FrameHeader& header, Bytes bytes) {
          ++given;
          return sink(strait::Incoming{header.tag, bytes});
        },
        max_message_bytes, strait::detail::fair_share);
    require(!readable || given != 0 || (!received && received.error() != Errc::empty),
            "what is readable can be received");
    return received;
  }
  void move_on() {
    strait::detail::ByteBuffer unread;
    require(reader.copy_unread(unread), "there is memory");
    require(std::ranges::equal(unread.bytes(),
                               Bytes(stream).subspan(read - unread.size(), unread.size())),
            "what was not given is the end of what was read");
    // To a reader that begins with that.
    read -= unread.size();
    reader = strait::detail::FrameReader();
  }

  strait::detail::FrameReader reader;
  std::vector<std::byte> stream;
  std::size_t read = 0;
  bool closed = false;
};

struct SocketWire {
  static constexpr bool carries_rights = true;
  static constexpr std::uint8_t rights_limit = strait::detail::max_rights;
  using Link = strait::SocketTransport;

  SocketWire() {
    auto ends = Link::connected_pair().value();
    peer = std::move(ends[0]);
    strait::detail::Right right{std::move(ends[1])};
    link = Link::attach(right).value();
  }
  std::size_t write(Bytes bytes, std::span<const int> files) {
    const iovec part{const_cast<std::byte*>(bytes.data()), bytes.size()};
    const auto sent = strait::os::send_parts(peer.get(), {&part, 1}, files);
    if (sent) return *sent;
    require(sent.error() == Errc::would_block, "a peer can write");
    return 0;
  }
  void hang_up() { peer.reset(); }
  template <class Sink>
  Result<void> receive(Sink&& sink) {
    static_cast<void>(link->readable());
    static_cast<void>(link->unfinished());
    return link->receive(sink, {max_message_bytes, max_message_rights});
  }
  void move_on() {
    auto right = link->detach();
    require(right.has_value(), "an end can be passed on");
    auto next = Link::attach(*right);
    require(next.has_value(), "and attached again");
    link = std::move(*next);
  }

  Descriptor peer;
  std::optional<Link> link;
};

struct PipeWire {
  static constexpr bool carries_rights = false;
  static constexpr std::uint8_t rights_limit = 0;
  using Link = strait::PipeTransport;

  /// One for all inputs: clients disturb neither it nor each other.
  struct Server {
    static Server& instance() {
      static Server server;
      return server;
    }
    static constexpr const char* name = "fuzz";
    strait_test::RuntimeDir runtime_dir;
    Link::Server server =
        Link::listen(name, {4, std::chrono::hours(1), strait::PeerPolicy::same_user}).value();
    std::string directory = strait::os::NamePlace::of(name).directory();
    Descriptor announcements =
        strait::os::open((directory + "/hello").c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC).value();
  };

  PipeWire() {
    auto& server = Server::instance();
    const std::string line = std::string(32, 'a') + "\n";
    const std::string stem = server.directory + "/" + line.substr(0, 32);
    const std::string up = stem + ".up", down = stem + ".dn";
    require(::mkfifo(up.c_str(), 0600) == 0 && ::mkfifo(down.c_str(), 0600) == 0, "two FIFOs");
    // For both ends, or the end of the server would show as that of the peer.
    peer = strait::os::open(up.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC).value();
    in = strait::os::open(down.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC).value();
    const std::array<std::byte, sizeof(FrameHeader)> hello{};
    require(write(hello, {}) == hello.size(), "a Hello");
    require(::write(server.announcements.get(), line.data(), line.size()) ==
                static_cast<ssize_t>(line.size()),
            "an announcement");
    auto request = server.server.accept().value();
    require(!request.failure && request.hello().empty(), "a client that came in");
    link = std::move(request).welcome({}).value();
  }
  std::size_t write(Bytes bytes, std::span<const int>) {
    const ssize_t written = ::write(peer.get(), bytes.data(), bytes.size());
    return written < 0 ? 0 : static_cast<std::size_t>(written);
  }
  void hang_up() { peer.reset(); }
  template <class Sink>
  Result<void> receive(Sink&& sink) {
    static_cast<void>(link->readable());
    return link->receive(sink, {max_message_bytes});
  }
  void move_on() { *link = Link(std::move(*link)); }

  Descriptor peer;
  Descriptor in;
  std::optional<Link> link;
};

template <class Wire>
class Attack {
 public:
  void run(Input& input) {
    while (!input.empty() && !closed_ && !ended_) act(input);
    write_pending({});
    if (!closed_) wire_.hang_up();
    closed_ = true;
    // Each call gives something, or reads something, or is the last.
    for (std::size_t calls = 0; !ended_; ++calls) {
      require(calls <= 16 + script_.size() / 1024, "it comes to an end");
      receive();
    }
    static_cast<void>(wire_.receive([](const strait::Incoming&) { return true; }));
  }

 private:
  void act(Input& input) {
    const auto action = input.take();
    switch (action % 8) {
      case 0: return append(input.take_bytes(input.take() % 64));
      case 1: {
        // Only a header: of what follows or not.
        FrameHeader header{input.take<std::uint16_t>(), input.take(), 0, 0};
        if ((action & 8) != 0) header.bytes *= 5;
        if ((action & 16) != 0) header.rights = input.take() % 4;
        if ((action & 32) != 0)
          header = {input.take<std::uint32_t>(), input.take<std::uint16_t>(), input.take(),
                    input.take()};
        return append(std::as_bytes(std::span(&header, 1)));
      }
      case 2: {
        const std::vector<std::byte> filling(input.take<std::uint16_t>(),
                                             static_cast<std::byte>(action / 8));
        return append(filling);
      }
      case 3: {
        // By the rules, with its rights.
        const std::size_t rights = Wire::carries_rights ? action / 8 % 4 : 0;
        const Bytes body = input.take_bytes(input.take() % 32);
        write_pending({});
        const FrameHeader header{static_cast<std::uint32_t>(body.size()), action, 0,
                                 static_cast<std::uint8_t>(rights)};
        append(std::as_bytes(std::span(&header, 1)));
        append(body);
        return write_pending(some_files(rights, input.take()), true);
      }
      case 4: {
        // A few, or so many that a queue of them is soon full.
        const auto rights = input.take();
        const std::size_t most = rights % 32 != 31 ? 16 : strait::os::max_descriptors + 1;
        return write_pending(some_files(Wire::carries_rights ? rights % most : 0, rights));
      }
      case 5:
        if ((action & 8) != 0) return wire_.move_on();
        write_pending({});
        wire_.hang_up();
        closed_ = true;
        return;
      case 6: write_pending({}); return receive(action / 8);
      default: {
        write_pending({});
        const FewDescriptors few(action / 8);
        few_ = true;
        receive();
        few_ = false;
      }
    }
  }

  std::vector<int> some_files(std::size_t count, std::size_t first) {
    std::vector<int> files;
    while (files.size() != count) files.push_back(Files::instance()[first++]);
    return files;
  }

  void append(Bytes bytes) {
    const std::size_t room =
        max_stream_bytes - std::min(max_stream_bytes, script_.size() + pending_.size());
    bytes = bytes.first(std::min(room, bytes.size()));
    pending_.insert(pending_.end(), bytes.begin(), bytes.end());
  }

  /// The descriptors go with the first byte.
  void write_pending(std::vector<int> files, bool with_its_frame = false) {
    for (Bytes rest = pending_; !rest.empty() && !closed_;) {
      const std::size_t written = wire_.write(rest, files);
      if (written != 0) script_.wrote(rest.first(written), files, with_its_frame);
      if (written != 0) files.clear();
      rest = rest.subspan(written);
      if (written != 0) continue;
      const std::size_t before = script_.unread();
      receive();
      if (ended_ || (script_.unread() == before && ++stuck_ == 100)) break;
    }
    pending_.clear();
  }

  /// `most`: after how many messages the sink has enough.
  void receive(std::size_t most = 0) {
    if (ended_) return;
    std::size_t given = 0;
    const auto received = wire_.receive([&](const strait::Incoming& message) {
      const auto expected = script_.next(Wire::rights_limit);
      require(expected.has_value(), "only what was sent is given");
      require(
          message.tag == expected->header.tag && std::ranges::equal(message.bytes, expected->body),
          "it is what was sent");
      const std::size_t rights = message.rights != nullptr ? message.rights->size() : 0;
      require(rights == expected->header.rights, "with as many rights");
      if (message.rights != nullptr) check(*message.rights);
      return ++given != most;
    });
    if (received) return;
    const auto why = received.error();
    if (why == Errc::empty) {
      require(!closed_, "the end is seen");
      require(script_.next(Wire::rights_limit).error() == Errc::empty, "nothing is held back");
      require(script_.rights_left() <= script_.rights_begun(), "rights belong to messages");
      return;
    }
    ended_ = true;
    const auto expected = script_.next(Wire::rights_limit);
    const auto end = expected ? std::error_code() : expected.error();
    if (end == Errc::empty ? closed_ && why == Errc::peer_closed : end && why == end) return;
    // Otherwise it is about descriptors.
    if (few_ && why == Errc::rights_lost) return;
    require(script_.rights_sent() || (expected && expected->header.rights != 0), "a right end");
    require(!script_.rights_kept() && (why == Errc::malformed || why == Errc::too_many_rights),
            "what keeps the rules is received");
  }

  void check(strait::detail::RightList& rights) {
    rights.for_each([&](const strait::detail::Right& right) {
      const int fd = right.descriptor.get();
      require(right.received && ::fcntl(fd, F_GETFD) == FD_CLOEXEC, "a right that is open");
      require(strait::os::same_file(fd, script_.next_right()), "rights keep their order");
    });
  }

  Wire wire_;
  Script script_;
  std::vector<std::byte> pending_;
  bool closed_ = false;
  bool ended_ = false;
  bool few_ = false;
  int stuck_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto& files = Files::instance();
  static const auto& server = PipeWire::Server::instance();
  static_cast<void>(files);
  static_cast<void>(server);
  if (size == 0) return 0;
  const std::size_t before = open_descriptors();
  Input input(std::as_bytes(std::span(data, size)).subspan(1));
  switch (data[0] % 3) {
    case 0: Attack<ReaderWire>().run(input); break;
    case 1: Attack<SocketWire>().run(input); break;
    default: Attack<PipeWire>().run(input);
  }
  require(open_descriptors_are(before), "nothing is left open");
  return 0;
}
