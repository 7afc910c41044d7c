// What clients and servers say to each other before anything else: the bytes of a Hello and of a
// Welcome by themselves, clients of any kind at a server of sockets and at one of FIFOs, and a
// server that answers what it likes. Only a right Hello is let in, and only a right Welcome
// connects.

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <strait/channel.hpp>
#include <strait/serializers/raw.hpp>
#include <strait/transports/pipe.hpp>
#include <strait/transports/socket.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "fuzz/input.hpp"
#include "support/refusals.hpp"
#include "support/runtime_dir.hpp"

namespace {

using namespace strait_fuzz;
using strait::Errc;
using strait::Token;
using strait::detail::FrameHeader;
using strait::detail::HandshakeBytes;
using strait::detail::WireOptions;
using strait::os::Descriptor;
using Buffer = std::vector<std::byte>;

constexpr std::uint64_t raw_schema = strait::RawSerializer::schema_hash;

const Token& token() {
  static const Token token = [] {
    std::array<std::byte, Token::size_bytes> bytes;
    for (std::size_t i = 0; i != bytes.size(); ++i) bytes[i] = static_cast<std::byte>(0x40 + i);
    return Token::from_bytes(bytes);
  }();
  return token;
}

HandshakeBytes right_hello() { return strait::detail::encode_hello(raw_schema, token()); }

/// The bytes that differ from the right ones, by offset, in the order in which they count.
struct Field {
  std::size_t at;
  std::size_t size;
  Errc why;
};
constexpr std::size_t hello_bytes = 120;
/// What is behind these is of no matter when the schemas are the same.
constexpr std::size_t judged_bytes = 72;
constexpr std::array<Field, 2> stable_fields{
    {{0, 8, Errc::malformed}, {8, 4, Errc::version_mismatch}}};
constexpr std::array<Field, 5> other_fields{{{24, 32, Errc::bad_token},
                                             {12, 4, Errc::malformed},
                                             {16, 8, Errc::schema_mismatch},
                                             {56, 8, Errc::send_policy_mismatch},
                                             {64, 8, Errc::queue_size_mismatch}}};

/// What is to be said of a Hello when `right` is the one that is let in.
std::error_code verdict(Bytes hello, Bytes right) {
  require(right.size() == hello_bytes, "a Hello is as large as it is");
  const auto first_wrong = [&](std::span<const Field> fields) {
    for (const auto& field : fields) {
      if (!std::ranges::equal(hello.subspan(field.at, field.size),
                              right.subspan(field.at, field.size))) {
        return make_error_code(field.why);
      }
    }
    return std::error_code();
  };
  if (hello.size() < 12) return Errc::malformed;
  if (const auto wrong = first_wrong(stable_fields)) return wrong;
  if (hello.size() != hello_bytes) return Errc::malformed;
  return first_wrong(other_fields);
}

std::error_code welcome_verdict(Bytes welcome) {
  const auto right = strait::detail::encode_welcome({});
  if (welcome.size() < 16) return Errc::malformed;
  std::uint32_t status;
  std::memcpy(&status, welcome.data() + 12, sizeof status);
  const bool tells_types = status == static_cast<std::uint32_t>(Errc::schema_mismatch);
  if (welcome.size() != (tells_types ? 16 + 48 : 16)) return Errc::malformed;
  if (!std::ranges::equal(welcome.first(8), right.bytes().first(8))) return Errc::malformed;
  if (status == 0) {
    const bool same = std::ranges::equal(welcome, right.bytes());
    return same ? std::error_code() : make_error_code(Errc::version_mismatch);
  }
  for (const auto& reason :
       {Errc::bad_token, Errc::version_mismatch, Errc::schema_mismatch, Errc::malformed,
        Errc::send_policy_mismatch, Errc::queue_size_mismatch}) {
    if (status == static_cast<std::uint32_t>(reason)) return reason;
  }
  return Errc::refused;
}

/// `right` with some bytes changed, and longer or shorter; or anything.
Buffer some_bytes(Input& input, Bytes right) {
  const auto how = input.take();
  if (how % 8 == 7) {
    const Bytes raw = input.take_bytes(input.take());
    return {raw.begin(), raw.end()};
  }
  Buffer bytes(right.begin(), right.end());
  for (int changes = how % 4; changes != 0; --changes) {
    const std::size_t at = input.take() % bytes.size();
    bytes[at] ^= input.take<std::byte>();
  }
  if ((how & 16) != 0) bytes.resize(input.take());
  if ((how & 32) != 0) {
    const Bytes more = input.take_bytes(input.take());
    bytes.insert(bytes.end(), more.begin(), more.end());
  }
  return bytes;
}

void check_bytes(Input& input) {
  const auto hash = input.take<std::uint64_t>();
  const WireOptions options{input.take(), input.take()};
  const auto right = strait::detail::encode_hello(hash, token(), options);
  const strait::PeerCredentials who{::geteuid() ^ input.take(), 0, 0};
  require(strait::detail::check_peer(who, strait::PeerPolicy::any_user).has_value(),
          "all may come");
  require(who.uid == ::geteuid() ||
              strait::detail::check_peer(who, strait::PeerPolicy::same_user).error() ==
                  Errc::permission_denied,
          "another user may not");
  while (!input.empty()) {
    const Buffer hello = some_bytes(input, right.bytes());
    const auto checked = strait::detail::check_hello(hello, hash, token(), options);
    require(checked.error() == verdict(hello, right.bytes()), "a Hello is judged as it is");
    const bool is_right =
        hello.size() == hello_bytes &&
        std::ranges::equal(Bytes(hello).first(judged_bytes), right.bytes().first(judged_bytes));
    require(checked.has_value() == is_right, "only the right Hello is one");
    const auto status = static_cast<Errc>(input.take() % 40);
    const auto answer = strait::detail::encode_welcome(make_error_code(status));
    const Buffer welcome = some_bytes(input, answer.bytes());
    require(strait::detail::check_welcome(welcome).error() == welcome_verdict(welcome),
            "a Welcome is judged as it is");
    const HandshakeBytes cut{Bytes(hello)};
    require(std::ranges::equal(
                cut.bytes(), Bytes(hello).first(std::min(hello.size(), HandshakeBytes::capacity))),
            "no more is kept than fits");
  }
}

Buffer frame(Bytes body) {
  const FrameHeader header{static_cast<std::uint32_t>(body.size()), 0, 0, 0};
  Buffer bytes(sizeof header + body.size());
  std::memcpy(bytes.data(), &header, sizeof header);
  std::ranges::copy(body, bytes.begin() + sizeof header);
  return bytes;
}

/// Of one frame, of which anything may have been changed.
Buffer some_frame(Input& input, Bytes right) {
  const auto how = input.take();
  Buffer bytes = frame(some_bytes(input, right));
  if ((how & 1) != 0) {
    const std::size_t at = input.take() % sizeof(FrameHeader);
    bytes[at] ^= input.take<std::byte>();
  }
  if ((how & 2) != 0) bytes.resize(input.take());
  return bytes;
}

/// The header of a frame of the handshake says nothing but how long it is.
bool is_plain(Bytes bytes, std::size_t size) {
  const FrameHeader plain{static_cast<std::uint32_t>(size), 0, 0, 0};
  return bytes.size() >= sizeof plain && std::memcmp(bytes.data(), &plain, sizeof plain) == 0;
}

int a_file() {
  static const Descriptor file = strait::os::open("/dev/null", O_RDONLY | O_CLOEXEC).value();
  return file.get();
}

constexpr strait::ChannelOptions options{
    .max_message_bytes = 1000, .handshake_timeout_ms = 3'600'000, .max_half_open = 4};

/// What has been heard from the other side.
struct Heard {
  Buffer bytes;
  bool end = false;

  bool anything() const { return end || !bytes.empty(); }
};

struct SocketClient {
  static constexpr const char* name = "sockets";
  using Transport = strait::SocketTransport;

  explicit SocketClient(Input&) {
    const auto path = strait::os::SocketPath::of(strait::os::NamePlace::of(name).hello()).value();
    require(::connect(socket.get(), path.get(), path.size) == 0, "anybody may come");
  }
  bool can_enter() const { return true; }
  void say(Bytes bytes, std::span<const int> files = {}) {
    const iovec part{const_cast<std::byte*>(bytes.data()), bytes.size()};
    // The server may have turned it away.
    static_cast<void>(strait::os::send_parts(socket.get(), {&part, 1}, files));
  }
  static void announce(Bytes) {}
  void leave() { socket.reset(); }
  Heard hear() {
    Heard heard;
    std::array<std::byte, 200> bytes;
    for (int resets = 0;;) {
      const ssize_t got = ::recv(socket.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
      if (got < 0 && errno == ECONNRESET && ++resets < 3) continue;
      heard.end = got == 0 || (got < 0 && errno != EAGAIN);
      if (got <= 0) return heard;
      heard.bytes.insert(heard.bytes.end(), bytes.begin(), bytes.begin() + got);
    }
  }

  Descriptor socket = strait::os::stream_socket().value();
};

struct PipeClient {
  static constexpr const char* name = "fifos";
  using Transport = strait::PipeTransport;

  explicit PipeClient(Input& input) {
    static unsigned number = 0;
    stem = "0123456789abcdef0123456789" + std::to_string(100'000 + ++number % 900'000);
    const auto kinds = input.take();
    // Mostly as it should be.
    make(".up", kinds % 16);
    make(".dn", kinds / 16);
    enters = kinds % 16 < 12 && kinds / 16 < 12;
    if (enters) {
      out = strait::os::open(path(".up").c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC).value();
      in = strait::os::open(path(".dn").c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC).value();
    }
    const std::string line = "\n" + stem + "\n";
    announce(std::as_bytes(std::span(line.data(), line.size())));
  }
  PipeClient(PipeClient&&) = default;
  PipeClient& operator=(PipeClient&&) = default;
  ~PipeClient() {
    std::error_code ignored;
    for (const char* suffix : {".up", ".dn"}) std::filesystem::remove(path(suffix), ignored);
  }

  static std::string directory() { return strait::os::NamePlace::of(name).directory(); }
  std::string path(const char* suffix) const { return directory() + "/" + stem + suffix; }
  void make(const char* suffix, int kind) {
    const std::string file = path(suffix);
    bool made = true;
    switch (kind) {
      case 12: break;
      case 13: made = ::mkdir(file.c_str(), 0700) == 0; break;
      case 14: made = ::symlink("hello", file.c_str()) == 0; break;
      case 15:
        static_cast<void>(strait::os::open(file.c_str(), O_CREAT | O_WRONLY, 0600).value());
        break;
      default: made = ::mkfifo(file.c_str(), 0600) == 0;
    }
    require(made, "a client may make what it likes");
  }
  static void announce(Bytes bytes) {
    const auto hello =
        strait::os::open((directory() + "/hello").c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    // Nobody reads it any more once a client is in.
    if (hello) static_cast<void>(!::write(hello->get(), bytes.data(), bytes.size()));
  }

  bool can_enter() const { return enters; }
  void say(Bytes bytes, std::span<const int> = {}) {
    if (out) static_cast<void>(!::write(out.get(), bytes.data(), bytes.size()));
  }
  void leave() { out.reset(); }
  Heard hear() {
    Heard heard;
    std::array<std::byte, 200> bytes;
    while (in) {
      const ssize_t got = ::read(in.get(), bytes.data(), bytes.size());
      heard.end = got == 0;
      if (got <= 0) break;
      heard.bytes.insert(heard.bytes.end(), bytes.begin(), bytes.begin() + got);
    }
    return heard;
  }

  std::string stem;
  bool enters = false;
  Descriptor out;
  Descriptor in;
};

template <class Client>
class Siege {
 public:
  /// One server for all inputs, until one lets somebody in.
  static void prepare() {
    auto& server = place();
    if (server && server->waiting_connect()) return;
    server.reset();
    server.emplace(Server::listen(Client::name, token()).value());
  }

  void run(Input& input) {
    const bool to_the_end = input.take() % 4 == 0;
    while (!input.empty() && server_.waiting_connect()) act(input);
    for (auto& guest : guests_) guest.leave();
    for (int polls = 0; polls != 3 && server_.waiting_connect(); ++polls) poll();
    guests_.clear();
    // Whatever came before, the right one gets in.
    if (server_.waiting_connect() && to_the_end) admit_the_right_one();
    prepare();
  }

 private:
  using Server = strait::Channel<typename Client::Transport, strait::RawSerializer, options,
                                 strait_test::Refusals>;

  static std::optional<Server>& place() {
    static std::optional<Server> server;
    return server;
  }

  void admit_the_right_one() {
    Input plain{Bytes()};
    guests_.push_back({Client(plain)});
    guests_.back().say(right());
    poll();
    require(!server_.waiting_connect(), "the right client is let in");
  }

  static constexpr std::size_t most_read = sizeof(FrameHeader) + HandshakeBytes::capacity;

  struct Guest {
    Client client;
    Buffer said{};
    bool files = false;
    bool left = false;
    bool answered = false;

    void say(Bytes bytes, bool with_files = false) {
      if (bytes.empty() || left) return;
      if (with_files) {
        client.say(bytes, std::array{a_file()});
      } else {
        client.say(bytes);
      }
      // What comes behind all that is ever read does not count.
      files = files || (with_files && said.size() < most_read);
      said.insert(said.end(), bytes.begin(), bytes.end());
    }
    void leave() {
      client.leave();
      left = true;
    }
    /// What is to be said of it, and whether in words.
    std::pair<std::error_code, bool> verdict() const {
      const Bytes read = Bytes(said).first(std::min(said.size(), most_read));
      constexpr bool takes_files = std::is_same_v<Client, SocketClient>;
      if (takes_files && files) return {Errc::malformed, false};
      if (read.size() < sizeof(FrameHeader) || !is_plain(read, read.size() - sizeof(FrameHeader)))
        return {Errc::malformed, false};
      return {::verdict(read.subspan(sizeof(FrameHeader)), right_hello().bytes()), true};
    }
  };

  static HandshakeBytes right_hello() { return strait::detail::encode_hello(raw_schema, token()); }
  static Buffer right() { return frame(right_hello().bytes()); }

  void act(Input& input) {
    const auto action = input.take();
    Guest* guest = guests_.empty() ? nullptr : &guests_[action / 8 % guests_.size()];
    switch (action % 8) {
      case 0:
      case 1:
        if (guests_.size() == max_guests) return;
        guests_.push_back({Client(input)});
        if (action % 8 == 1) guests_.back().say(some_frame(input, right_hello().bytes()));
        return;
      case 2:
        if (guest != nullptr) guest->say(some_frame(input, right_hello().bytes()));
        return;
      case 3:
        if (guest != nullptr) guest->say(some_frame(input, right_hello().bytes()), true);
        return;
      case 4:
        if (guest != nullptr) guest->say(input.take_bytes(input.take() % 100));
        return;
      case 5:
        if (guest == nullptr) return;
        guest->leave();
        return;
      case 6: return Client::announce(input.take_bytes(input.take()));
      default: return poll();
    }
  }

  void poll() {
    server_.observer().seen.clear();
    const auto polled = server_.poll([](Bytes) {});
    // One that left can have said the right thing before.
    bool admitted = std::ranges::any_of(
        guests_, [](const Guest& guest) { return guest.left && !guest.verdict().first; });
    require(polled ? *polled == 0 : admitted && polled.error() == Errc::peer_closed,
            "a server goes on");
    bool connected = false;
    for (auto& guest : guests_) {
      if (guest.answered || guest.left || !guest.client.can_enter()) continue;
      const Heard heard = guest.client.hear();
      if (!heard.anything()) continue;
      guest.answered = true;
      const auto [why, in_words] = guest.verdict();
      if (heard.bytes.empty()) {
        // Also when it had said nothing and had to make room, or another one was let in.
        require(!in_words || guest.said.empty() || !server_.waiting_connect(), "a silent refusal");
        continue;
      }
      require(in_words, "what is no frame gets no answer");
      const auto right = frame(strait::detail::encode_welcome(why).bytes());
      require(heard.bytes == right, "the answer says why");
      // What came behind the Hello may hold files, and the socket that holds them is closed on
      // another thread.
      require(why ? eventually([&] { return heard.end || guest.client.hear().end; }) : !heard.end,
              "who is refused has to go");
      if (!why) {
        require(!connected && !server_.waiting_connect(), "one is let in");
        admitted = connected = true;
        talk(guest.client);
      } else {
        const auto& told = server_.observer().seen;
        require(std::ranges::find(told, why, &strait_test::Refusals::Refusal::why) != told.end(),
                "the observer is told why");
      }
    }
    require(admitted || server_.waiting_connect(), "who is let in has said the right Hello");
  }

  void talk(Client& client) {
    client.say(frame(std::array{std::byte{7}}));
    std::size_t heard = 0;
    const auto polled = server_.poll([&](Bytes bytes) { heard += bytes.size(); });
    require(polled && heard == 1, "who is let in is heard");
  }

  static constexpr std::size_t max_guests = std::is_same_v<Client, PipeClient> ? 4 : 7;
  Server& server_ = *place();
  std::vector<Guest> guests_;
};

/// A server that answers what it likes over a socket, and the client.
struct SocketServer {
  using Link = strait::SocketTransport;
  static constexpr bool carries_files = true;

  static Link connect(Descriptor& server) {
    auto ends = Link::connected_pair().value();
    server = std::move(ends[0]);
    return Link::look_up(std::move(ends[1])).value().hello(right_hello().bytes()).value();
  }
  ssize_t read(std::span<std::byte> room) const {
    return ::recv(out.get(), room.data(), room.size(), MSG_DONTWAIT);
  }

  Descriptor out;
  Link link = connect(out);
};

/// The same over FIFOs.
struct PipeServer {
  using Link = strait::PipeTransport;
  static constexpr bool carries_files = false;

  struct Name {
    Name() {
      require(::mkdir(path.c_str(), 0700) == 0, "a directory");
      const std::string hello = path + "/hello";
      require(::mkfifo(hello.c_str(), 0600) == 0, "a FIFO");
      announcements = strait::os::open(hello.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC).value();
    }

    std::string path = strait_test::runtime_dir() + "/answers";
    Descriptor announcements;
  };
  static const Name& name() {
    static const Name name;
    return name;
  }

  PipeServer() {
    std::array<char, 33> line;
    require(
        ::read(name().announcements.get(), line.data(), line.size()) == 33 && line.back() == '\n',
        "a client announces its FIFOs");
    const std::string stem = name().path + "/" + std::string(line.data(), 32);
    in = strait::os::open((stem + ".up").c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC).value();
    out = strait::os::open((stem + ".dn").c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC).value();
  }
  ssize_t read(std::span<std::byte> room) const {
    return ::read(in.get(), room.data(), room.size());
  }

  Link link = Link::look_up(name().path).value().hello(right_hello().bytes()).value();
  Descriptor in;
  Descriptor out;
};

template <class Server>
void answer(Input& input) {
  Server server;
  std::array<std::byte, 200> bytes;
  const ssize_t size = server.read(bytes);
  require(size > 0 && std::ranges::equal(Bytes(bytes).first(static_cast<std::size_t>(size)),
                                         frame(right_hello().bytes())),
          "a client says Hello");
  Buffer said;
  bool files = false;
  for (int pieces = 0; pieces != 4; ++pieces) {
    const auto how = input.take();
    const auto status = static_cast<Errc>(how % 2 == 0 ? 0 : input.take() % 40);
    Buffer answer;
    if ((how & 2) != 0) {
      const Bytes raw = input.take_bytes(how / 8);
      answer.assign(raw.begin(), raw.end());
    } else {
      answer = some_frame(input, strait::detail::encode_welcome(make_error_code(status)).bytes());
    }
    if (!answer.empty()) {
      const bool with_file = Server::carries_files && (how & 4) != 0;
      const std::array file{a_file()};
      const iovec part{answer.data(), answer.size()};
      const auto sent = with_file ? strait::os::send_parts(server.out.get(), {&part, 1}, file)
                                  : strait::os::write_parts(server.out, {&part, 1});
      require(sent && *sent == answer.size(), "a server can answer");
      files = files || with_file;
      said.insert(said.end(), answer.begin(), answer.end());
    }
    const bool last = pieces == 3 || input.empty();
    if (last) server.out.reset();
    const auto welcome = server.link.welcome();
    if (!welcome) {
      const auto why = welcome.error();
      FrameHeader header{};
      if (said.size() >= sizeof header) std::memcpy(&header, said.data(), sizeof header);
      if (why == Errc::empty) {
        require(!last && said.size() < sizeof header + header.bytes, "an answer is taken");
        continue;
      }
      if (why == Errc::peer_closed) {
        require(last && said.size() < sizeof header + header.bytes, "no answer came");
      } else if (why == Errc::message_too_large) {
        require(header.bytes > HandshakeBytes::capacity, "an answer is short");
      } else {
        require(why == Errc::malformed && (files || !is_plain(said, header.bytes)),
                "an answer can be received");
      }
      return;
    }
    const auto judged = strait::detail::check_welcome(welcome->bytes());
    if (judged) {
      const auto right = frame(strait::detail::encode_welcome({}).bytes());
      require(
          said.size() >= right.size() && std::ranges::equal(right, Bytes(said).first(right.size())),
          "only a right Welcome connects");
    } else if (is_plain(said, welcome->bytes().size())) {
      require(judged.error() == welcome_verdict(Bytes(said).subspan(sizeof(FrameHeader),
                                                                    welcome->bytes().size())),
              "a refusal says why");
    } else {
      require(judged.error() == Errc::malformed, "what is no answer is malformed");
    }
    return;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const strait_test::RuntimeDir runtime_dir;
  static_cast<void>(a_file());
  static_cast<void>(PipeServer::name());
  if (size == 0) return 0;
  Siege<SocketClient>::prepare();
  Siege<PipeClient>::prepare();
  const std::size_t before = open_descriptors();
  Input input(std::as_bytes(std::span(data, size)).subspan(1));
  switch (data[0] % 5) {
    case 0: check_bytes(input); break;
    case 1: Siege<SocketClient>().run(input); break;
    case 2: Siege<PipeClient>().run(input); break;
    case 3: answer<SocketServer>(input); break;
    default: answer<PipeServer>(input);
  }
  require(open_descriptors_are(before), "nothing is left open");
  return 0;
}
