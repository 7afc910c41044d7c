#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "strait/base/chrono.hpp"
#include "strait/observer.hpp"
#include "strait/observers/text.hpp"
#include "strait/observers/user_text.hpp"
#include "strait/os/descriptor.hpp"
#include "strait/os/output.hpp"
#include "strait/os/owner_process.hpp"
#include "strait/os/process.hpp"
#include "strait/peer.hpp"
#include "strait/result.hpp"

namespace strait {

namespace detail {

/// A file of events, one a line, each written whole by one system call.
class TraceFile {
 public:
  /// More than any event needs: one that is cut would not be JSON.
  using Line = BoundedText<2048>;

  /// Writes the beginning. Errors: the system's.
  static Result<std::shared_ptr<TraceFile>> create(const std::string& path) {
    auto file = os::replace_file(path);
    if (!file) return file.error();
    auto made = std::make_shared<TraceFile>(std::move(*file));
    Line line;
    const auto pid = os::own_credentials().pid;
    line << R"([{"name":"process_name","ph":"M","pid":)" << pid
         << R"(,"tid":0,"args":{"name":"pid )" << pid << R"("}})";
    if (auto written = os::write_once(made->file_.get(), line.view()); !written) {
      return written.error();
    }
    return made;
  }

  explicit TraceFile(os::Descriptor file) : file_(std::move(file)) {}
  ~TraceFile() {
    if (owner_.is_this()) static_cast<void>(os::write_once(file_.get(), "\n]\n"));
  }
  TraceFile(const TraceFile&) = delete;
  TraceFile& operator=(const TraceFile&) = delete;

  /// A number for one more channel.
  std::uint64_t next_channel() { return ++channels_; }

  /// Begins an event: its name and the part after it are still to come. In the array each has the
  /// comma in front of it, so that a file that ends after any of them lacks nothing but a bracket.
  static void begin(Line& line, std::string_view kind, std::uint64_t channel) {
    const auto now = std::chrono::duration_cast<std::chrono::nanoseconds>(
        std::chrono::steady_clock::now().time_since_epoch());
    const auto nanoseconds = static_cast<std::uint64_t>(now.count());
    line << ",\n{\"ph\":\"" << kind << R"(","cat":"strait","pid":)" << os::own_credentials().pid
         << R"(,"tid":)" << this_thread() << R"(,"ts":)" << nanoseconds / 1000 << ".";
    line.padded(nanoseconds % 1000, 3);
    if (channel != 0) {
      line << R"(,"id2":{"local":")" << channel << "\"}";
    } else {
      line << R"(,"s":"p")";
    }
    line << R"(,"name":")";
  }
  /// Only this process: in a forked one the array may be at its end already.
  void write(const Line& line) const {
    if (owner_.is_this()) static_cast<void>(os::write_once(file_.get(), line.view()));
  }

 private:
  /// A number for each thread, in the order in which they have come here.
  static std::uint64_t this_thread() {
    static std::atomic<std::uint64_t> threads{0};
    thread_local const std::uint64_t number = ++threads;
    return number;
  }

  os::Descriptor file_;
  os::OwnerProcess owner_;
  std::atomic<std::uint64_t> channels_{0};
};

}  // namespace detail

/// An observer that writes what happens as a trace: a JSON file that ui.perfetto.dev and
/// chrome://tracing open. Each channel is a track from `connected` to `ended`, with its messages on
/// it. The clock is the system's steady one, so that traces of several processes can be laid over
/// each other.
///
/// A copy writes to the same file, as an acceptor's clients do; the last one ends it. A file whose
/// process has died lacks the last bracket, which the viewers do not mind. Message contents are not
/// in it.
///
/// Cost: a system call for each event. Threads: copies may be used by several at a time.
class TraceObserver {
 public:
  /// Writes nothing.
  TraceObserver() = default;

  /// Makes the file, in the place of one that may be there. Errors: the system's.
  [[nodiscard]] static Result<TraceObserver> create(const std::string& path) {
    auto file = detail::TraceFile::create(path);
    if (!file) return file.error();
    return TraceObserver(std::move(*file));
  }

  void on_name(std::string_view name) {
    name_.clear();
    name_ << name;
  }
  void on_connected(const Peer& peer) {
    if (!file_) return;
    channel_ = file_->next_channel();
    write("b", [&](Line& line) {
      put_channel(line) << R"(","args":{"peer_pid":)" << peer.credentials.pid << R"(,"peer_uid":)";
      detail::put_json_user(line, peer.credentials.uid);
      line << "}";
    });
  }
  void on_ended(const ChannelEnd& end) {
    const std::string why = file_ ? end.why.message() : std::string();
    write(channel_ == 0 ? "i" : "e", [&](Line& line) {
      if (channel_ == 0) line << "not connected: ";
      put_channel(line) << R"(","args":{"by":")" << word(end.by) << R"(","status":)" << end.status
                        << R"(,"why":")";
      line.json(short_text(why)) << "\"}";
    });
    channel_ = 0;
  }
  void on_refused(std::error_code why, const PeerCredentials& client) {
    const std::string text = file_ ? why.message() : std::string();
    write("i", [&](Line& line) {
      line << "refused: ";
      put_channel(line) << R"(","args":{"pid":)" << client.pid << R"(,"uid":)";
      detail::put_json_user(line, client.uid);
      line << R"(,"why":")";
      line.json(short_text(text)) << "\"}";
    });
  }
  void on_send(std::string_view type, std::uint16_t tag, std::size_t bytes) {
    write_message("send", type, tag, bytes);
  }
  void on_send_failed(std::error_code why, std::string_view type, std::uint16_t tag,
                      std::size_t bytes) {
    write_message("not sent", type, tag, bytes, why);
  }
  void on_conflated(std::size_t messages) {
    write("n", [&](Line& line) {
      line << R"(conflated","args":{"messages":)" << std::uint64_t{messages} << "}";
    });
  }
  void on_receive(std::string_view type, std::uint16_t tag, std::size_t bytes) {
    write_message("receive", type, tag, bytes);
  }
  void on_unexpected(std::string_view type, std::uint16_t tag, std::size_t bytes) {
    write_message("unexpected", type, tag, bytes);
  }

 private:
  using Line = detail::TraceFile::Line;

  explicit TraceObserver(std::shared_ptr<detail::TraceFile> file) : file_(std::move(file)) {}

  static std::string_view word(EndedBy by) {
    switch (by) {
      case EndedBy::this_side: return "this side";
      case EndedBy::peer: return "peer";
      case EndedBy::peer_exited: return "peer exited";
      case EndedBy::peer_killed: return "peer killed";
      case EndedBy::peer_gone: return "peer gone";
      default: return "";
    }
  }

  static std::string_view short_text(std::string_view text, std::size_t max_bytes = 160) {
    return text.substr(0, max_bytes);
  }

  Line& put_channel(Line& line) const {
    return line.json(name_.view().empty() ? std::string_view("channel") : name_.view());
  }

  void write_message(std::string_view what, std::string_view type, std::uint16_t tag,
                     std::size_t bytes, std::error_code why = {}) const {
    if (!file_) return;
    const std::string text = why ? why.message() : std::string();
    write("n", [&](Line& line) {
      line << what << " ";
      if (type.empty()) {
        line << "tag " << std::uint64_t{tag};
      } else {
        line.json(short_text(type, 48));
      }
      line << R"(","args":{"tag":)" << std::uint64_t{tag} << R"(,"bytes":)" << std::uint64_t{bytes};
      if (why) {
        line << R"(,"why":")";
        line.json(short_text(text)) << "\"";
      }
      line << "}";
    });
  }

  /// An event of this channel, or of the process while there is no channel.
  template <class Describe>
  void write(std::string_view kind, Describe&& describe) const {
    if (!file_) return;
    Line line;
    detail::TraceFile::begin(line, channel_ == 0 ? "i" : kind, channel_);
    describe(line);
    line << "}";
    file_->write(line);
  }

  std::shared_ptr<detail::TraceFile> file_;
  detail::ShortText name_;
  std::uint64_t channel_ = 0;
};

}  // namespace strait
