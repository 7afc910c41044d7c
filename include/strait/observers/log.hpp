#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <system_error>

#include "strait/error.hpp"
#include "strait/observer.hpp"
#include "strait/observers/text.hpp"
#include "strait/observers/user_text.hpp"
#include "strait/os/clock.hpp"
#include "strait/os/native_handle.hpp"
#include "strait/os/output.hpp"
#include "strait/os/process.hpp"
#include "strait/peer.hpp"

namespace strait {

/// How much a `LogObserver` prints: all that is as grave as this, or graver.
enum class LogLevel : std::uint8_t {
  off,
  /// A peer was killed or broke the rules; there is no channel.
  error,
  /// A client was refused; a message was not sent, or has no callable; a peer exited with a code.
  warn,
  /// A channel was connected, or has ended as usual.
  info,
  /// Each message.
  debug,
};

namespace detail {

struct Log {
  static constexpr std::size_t max_line_bytes = 512;  // a pipe takes these whole on every system
  using Line = BoundedText<max_line_bytes - 1>;

  static std::string_view word(LogLevel level) {
    switch (level) {
      case LogLevel::off: return "off";
      case LogLevel::error: return "error";
      case LogLevel::warn: return "warn";
      case LogLevel::info: return "info";
      case LogLevel::debug: return "debug";
      default: return "";
    }
  }

  /// Begins a line: time, level, and process.
  static void begin(Line& line, LogLevel level) {
    const os::UtcTime now = os::utc_time();
    const auto put = [&](int number, std::size_t digits, std::string_view behind) {
      line.padded(static_cast<std::uint64_t>(number), digits) << behind;
    };
    put(now.year, 4, "-");
    put(now.month, 2, "-");
    put(now.day, 2, "T");
    put(now.hour, 2, ":");
    put(now.minute, 2, ":");
    put(now.second, 2, ".");
    put(now.microsecond, 6, "Z ");
    const std::string_view name = word(level);
    line << name << std::string_view("      ").substr(name.size()) << "strait["
         << os::own_credentials().pid << "] ";
  }

  /// Prints it. What can't be printed is lost: a log is no reason to fail.
  static void end(const Line& line, NativeHandle descriptor) {
    BoundedText<max_line_bytes> whole;
    whole << line.view() << "\n";
    static_cast<void>(os::write_once(descriptor, whole.view()));
  }

  /// What STRAIT_LOG says, asked for once.
  static LogLevel level_of_environment() {
    static const LogLevel level = [] {
      const char* const text = std::getenv("STRAIT_LOG");
      return text == nullptr ? LogLevel::off : level_of(text, os::standard_error());
    }();
    return level;
  }

  /// The level of a word; of any other one `info`, and that is the first line.
  static LogLevel level_of(std::string_view text, NativeHandle descriptor) {
    if (text.empty() || text == "0") return LogLevel::off;
    for (const LogLevel level :
         {LogLevel::off, LogLevel::error, LogLevel::warn, LogLevel::info, LogLevel::debug}) {
      if (text == word(level)) return level;
    }
    Line line;
    begin(line, LogLevel::warn);
    line << "-: STRAIT_LOG is one of off, error, warn, info, debug; info is used instead of ";
    line.escaped(text);
    end(line, descriptor);
    return LogLevel::info;
  }
};

}  // namespace detail

/// An observer that prints a line to standard error for each thing that happens:
///
///     2026-11-28T02:31:05.123456Z info  strait[42] renderer peer=47: connected uid=1000 gid=1000
///
/// Off by default: the environment variable STRAIT_LOG is a level (`error`, `warn`, `info`,
/// `debug`) and turns it on for a run of the program. A line has 512 bytes at the most and is
/// written by one system call, so that the lines of several threads and processes do not mix. What
/// is not printable in it is escaped. What can't be written is lost, without a signal.
///
/// Cost: while it is off, some 20 instructions for each message.
class LogObserver {
 public:
  LogObserver() : LogObserver(detail::Log::level_of_environment()) {}
  explicit LogObserver(LogLevel level, NativeHandle descriptor = os::standard_error())
      : level_(level), descriptor_(descriptor) {}

  void on_name(std::string_view name) {
    name_.clear();
    name_.escaped(name);
  }
  void on_connected(const Peer& peer) {
    peer_ = peer.credentials.pid;
    if (!prints(LogLevel::info)) return;
    print(LogLevel::info, [&](Line& line) {
      line << "connected";
      if (detail::is_known(peer.credentials.uid)) {
        detail::put_user(line << " uid=", peer.credentials.uid);
        if (!STRAIT_HAS_WINDOWS) line << " gid=" << std::uint64_t{peer.credentials.gid};
      }
      if (peer.passed_on) line << ", by a process that has passed this end on";
    });
  }
  void on_client(ClientId client) { client_ = static_cast<std::uint64_t>(client); }
  void on_ended(const ChannelEnd& end) {
    const LogLevel level = level_of(end);
    if (!prints(level)) return;
    print(level, [&](Line& line) {
      line << "ended ";
      switch (end.by) {
        case EndedBy::this_side: line << "by this side"; break;
        case EndedBy::peer: line << "by the peer"; break;
        case EndedBy::peer_exited:
          line << "by the peer, which exited with code " << end.status;
          break;
        case EndedBy::peer_killed:
          line << "by the peer, which was killed by signal " << end.status;
          break;
        case EndedBy::peer_gone: line << "by the peer, which is gone"; break;
        default: break;
      }
      line << ": ";
      line.escaped(end.why.message());
    });
  }
  void on_refused(std::error_code why, const PeerCredentials& client) {
    if (!prints(LogLevel::warn)) return;
    print(LogLevel::warn, [&](Line& line) {
      line << "refused pid=" << client.pid;
      detail::put_user(line << " uid=", client.uid);
      line << ": ";
      line.escaped(why.message());
    });
  }
  void on_schema_mismatch(std::string_view type, std::uint16_t tag) {
    if (!prints(LogLevel::warn)) return;
    print(LogLevel::warn, [&](Line& line) {
      line << "schema mismatch from ";
      line.escaped(type.empty() ? "a type that this side has not" : type);
      line << " tag=" << std::uint64_t{tag};
    });
  }
  void on_send(std::string_view type, std::uint16_t tag, std::size_t bytes) {
    if (prints(LogLevel::debug)) [[unlikely]]
      print_message(LogLevel::debug, "sent", type, tag, bytes);
  }
  void on_send_failed(std::error_code why, std::string_view type, std::uint16_t tag,
                      std::size_t bytes) {
    if (prints(LogLevel::warn)) print_message(LogLevel::warn, "not sent", type, tag, bytes, why);
  }
  void on_conflated(std::size_t messages) {
    if (!prints(LogLevel::debug)) return;
    print(LogLevel::debug,
          [&](Line& line) { line << "conflated messages=" << std::uint64_t{messages}; });
  }
  void on_receive(std::string_view type, std::uint16_t tag, std::size_t bytes) {
    if (prints(LogLevel::debug)) [[unlikely]]
      print_message(LogLevel::debug, "received", type, tag, bytes);
  }
  void on_unexpected(std::string_view type, std::uint16_t tag, std::size_t bytes) {
    if (prints(LogLevel::warn)) print_message(LogLevel::warn, "unexpected", type, tag, bytes);
  }

 private:
  using Line = detail::Log::Line;

  bool prints(LogLevel level) const { return level <= level_; }

  static LogLevel level_of(const ChannelEnd& end) {
    if (end.by == EndedBy::peer_killed) return LogLevel::error;
    if (end.by == EndedBy::peer_exited && end.status != 0) return LogLevel::warn;
    const bool usual = end.why == Errc::closed || end.why == Errc::peer_closed ||
                       (end.by == EndedBy::peer_exited && end.status == 0);
    return usual ? LogLevel::info : LogLevel::error;
  }

  [[gnu::cold, gnu::noinline]] void print_message(LogLevel level, std::string_view what,
                                                  std::string_view type, std::uint16_t tag,
                                                  std::size_t bytes,
                                                  std::error_code why = {}) const {
    print(level, [&](Line& line) {
      line << what << " ";
      if (!type.empty()) line.escaped(type) << " ";
      line << "tag=" << std::uint64_t{tag} << " bytes=" << std::uint64_t{bytes};
      if (!why) return;
      line << ": ";
      line.escaped(why.message());
    });
  }

  template <class Describe>
  [[gnu::cold, gnu::noinline]] void print(LogLevel level, Describe&& describe) const {
    Line line;
    detail::Log::begin(line, level);
    line << (name_.view().empty() ? std::string_view("-") : name_.view());
    if (client_ != 0) line << " client=" << client_;
    if (peer_ != 0) line << " peer=" << peer_;
    line << ": ";
    describe(line);
    detail::Log::end(line, descriptor_);
  }

  LogLevel level_;
  NativeHandle descriptor_;
  detail::ShortText name_;
  std::uint64_t client_ = 0;
  std::int32_t peer_ = 0;
};

}  // namespace strait
