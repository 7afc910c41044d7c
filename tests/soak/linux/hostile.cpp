// Many honest clients of one server, beside ones that do all they can to keep it from serving them.
//
//   STRAIT_SOAK_SECONDS=N  how long, over each transport; from a minute on, and where the
//                         compiler optimises, the times count, too
//   STRAIT_SOAK_SEED=N     where the dice start

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>

#include "conformance/rights.hpp"
#include "process/peers.hpp"
#include "soak/soak.hpp"
#include "soak/wire.hpp"
#include "strait/acceptor.hpp"

using namespace strait_test;

namespace {

using Served = Transports<Mach, Pipe, Socket>;
constexpr const char* served_names[] = {"Mach", "Pipe", "Socket"};

constexpr strait::ChannelOptions limits{.max_message_bytes = std::size_t{1} << 20,
                                        .max_queued_bytes = std::size_t{1} << 20};
template <class T>
using Link = RawLink<T, limits>;

/// What a client says, and what the server answers to it.
enum class Wish : std::uint64_t { echo, nothing, much };
struct Note {
  Wish wish{};
  std::uint64_t number = 0;

  View bytes() const { return std::as_bytes(std::span(this, 1)); }
  static Note of(View bytes) {
    Note note{Wish::nothing};
    if (bytes.size() == sizeof note) std::memcpy(&note, bytes.data(), sizeof note);
    return note;
  }
};

/// A client, however long it takes.
template <class T>
Link<T> client_of(const Rendezvous& rendezvous) {
  for (;;) {
    auto link = Link<T>::connect(rendezvous.name, rendezvous.token, long_enough);
    if (link) return std::move(*link);
  }
}

const ChildRole server_role("soak.server", [](const ChildArguments& arguments) {
  return with_transport(
      arguments.at(0),
      []<class T>() {
        const auto rendezvous = Rendezvous::take_over();
        auto server = strait::Acceptor<Link<T>>::listen(rendezvous.name, rendezvous.token).value();
        child::write_line("listening");
        std::atomic<bool> stopped = false;
        std::thread stopping([&] {
          while (child::read_line(24h)) {
          }
          stopped = true;
          server.stop();
        });
        const Bytes much(500'000);
        const auto listener = [&](Link<T>& client, View bytes, Rights = {}) {
          const Note note = Note::of(bytes);
          // It is the client's business to have room for an answer.
          if (note.wish == Wish::echo) static_cast<void>(client.send(bytes));
          if (note.wish == Wish::much) static_cast<void>(client.send(much));
        };
        soak::Times calls;
        while (!stopped) {
          const auto start = Clock::now();
          child::require(server.wait(listener, 10ms).has_value(), "served");
          calls.add(Clock::now() - start);
        }
        stopping.join();
        child::require(server.size() == 0, "all clients are gone");
        server.close();
        child::write_line(calls.to_text());
        return 0;
      },
      Served());
});

/// Clients in one process, each of which asks every 20 ms. Their times go to the parent.
const ChildRole honest_role("soak.honest", [](const ChildArguments& arguments) {
  return with_transport(
      arguments.at(0),
      [&]<class T>() {
        struct Client {
          Link<T> link;
          std::uint64_t number = 0;
          bool waiting = false;
          Clock::time_point moment{};  // asked at, or to ask at
        };
        constexpr auto pause = 20ms;
        const auto rendezvous = Rendezvous::take_over();
        std::vector<Client> clients;
        std::vector<pollfd> ready{{STDIN_FILENO, POLLIN, 0}};
        for (auto i = std::stoi(arguments.at(1)); i != 0; --i) {
          clients.push_back({client_of<T>(rendezvous)});
          clients.back().moment = Clock::now() + i * pause / 20;
          ready.push_back({clients.back().link.native_handle(), POLLIN, 0});
        }
        child::write_line("here");
        soak::Times times;
        // Until the parent says so.
        while (ready[0].revents == 0) {
          auto now = Clock::now();
          auto next = now + pause;
          for (std::size_t i = 0; i != clients.size(); ++i) {
            Client& client = clients[i];
            if (!client.waiting && client.moment <= now) {
              client.waiting = true;
              client.moment = Clock::now();
              child::require(
                  client.link.send(Note{Wish::echo, ++client.number}.bytes()).has_value(),
                  "an honest client may send");
            }
            if (!client.waiting) next = std::min(next, client.moment);
          }
          now = Clock::now();
          const auto left = std::chrono::ceil<milliseconds>(next - now);
          child::require(::poll(ready.data(), ready.size(), static_cast<int>(left.count())) >= 0);
          for (std::size_t i = 0; i != clients.size(); ++i) {
            Client& client = clients[i];
            if (client.waiting) {
              child::require(Clock::now() - client.moment < long_enough, "an answer in time");
            }
            if (ready[i + 1].revents == 0) continue;
            const auto polled = client.link.poll([&](View bytes) {
              const Note note = Note::of(bytes);
              child::require(
                  client.waiting && note.wish == Wish::echo && note.number == client.number,
                  "the right answer");
              client.waiting = false;
              times.add(Clock::now() - std::exchange(client.moment, client.moment + pause));
              client.moment = std::max(client.moment, Clock::now());
            });
            child::require(polled.has_value(), polled ? "" : polled.error().message());
          }
        }
        child::write_line(times.to_text());
        return 0;
      },
      Served());
});

/// Honest, too: comes, asks once, and goes, over and over. What counts is that it comes in.
const ChildRole newcomer_role("soak.newcomer", [](const ChildArguments& arguments) {
  return with_transport(
      arguments.at(0),
      [&]<class T>() {
        const auto rendezvous = Rendezvous::take_over();
        soak::Times times;
        std::size_t kept_out = 0;
        for (pollfd told{STDIN_FILENO, POLLIN, 0}; told.revents == 0; ::poll(&told, 1, 200)) {
          const auto start = Clock::now();
          auto link = Link<T>::connect(rendezvous.name, rendezvous.token, long_enough);
          if (!link) {
            ++kept_out;
            continue;
          }
          child::require(link->send(Note{Wish::echo, 1}.bytes()).has_value());
          bool answered = false;
          const auto listener = [&](View) { answered = true; };
          child::require(wait_while(*link, listener, [&] { return !answered; }), "an answer");
          times.add(Clock::now() - start);
        }
        child::write_line(times.to_text());
        child::write_line(std::to_string(kept_out));
        return 0;
      },
      Served());
});

// --- the hostile ones ----------------------------------------------------------------------------

enum class Attack {
  silent,       // connect, say nothing or nonsense, in a storm
  descriptors,  // without a message, and with what makes the kernel add some
  flood,        // small messages without end
  unfinished,   // pieces of messages that are never whole
  deaf,         // asks and asks, and never reads an answer
  slow,         // reads one piece of an answer at a time
  sparse,       // memory that has a size and nothing in it
  short_lived,  // honest until it is killed
  count
};

/// One hostile client.
template <class T>
class Attacker {
 public:
  Attacker(const Rendezvous& rendezvous, Attack attack)
      : rendezvous_(rendezvous), attack_(attack) {}

  /// Does a little harm; false when the server has cut it off, or did not let it in.
  bool go() {
    if (step()) return true;
    link_.reset();
    wire_.reset();
    return false;
  }

 private:
  /// False when the server has cut it off.
  bool step() {
    switch (attack_) {
      case Attack::silent: return say_nothing();
      case Attack::flood: return connected() && flood(Wish::nothing, 3000);
      case Attack::deaf: return connected() && flood(Wish::echo, 3000);
      case Attack::sparse:
        if constexpr (strait::CarriesRights<T>) {
          if (steps_++ % 2 == 0) return connected() && send_sparse_memory();
        }
        return wired() && wire_->sparse();
      case Attack::descriptors: return wired() && wire_->descriptors();
      case Attack::unfinished: return wired() && wire_->unfinished();
      case Attack::slow: return wired() && wire_->slow(Note{Wish::much}.bytes());
      case Attack::short_lived: return connected() && flood(Wish::echo, 20) && read();
      case Attack::count: break;
    }
    return false;
  }

  bool say_nothing() {
    // Each of them a hundred times a second.
    if (++steps_ % 10 != 0) return true;
    silent_.reset();
    name_.reset();
    auto server = T::look_up(rendezvous_.name);
    if (!server) return false;
    if (steps_ % 20 == 0) {
      auto sent = std::move(*server).hello(pattern(60, steps_));
      if (sent) silent_.emplace(std::move(*sent));
    } else {
      name_.emplace(std::move(*server));
    }
    return true;
  }

  bool connected() {
    if (link_) return true;
    auto link = Link<T>::connect(rendezvous_.name, rendezvous_.token, 1s);
    if (link) link_.emplace(std::move(*link));
    return link_.has_value();
  }
  bool wired() {
    if (!wire_) {
      const auto hello =
          strait::detail::encode_hello(strait::RawSerializer::schema_hash, rendezvous_.token,
                                       strait::detail::wire_options_of<T>());
      wire_ = Wire<T>::connect(rendezvous_.name, hello.bytes());
    }
    return wire_.has_value();
  }

  bool flood(Wish wish, int count) {
    for (; count != 0 && link_->queued_bytes() < 10'000; --count) {
      const auto sent = link_->send(Note{wish, 0}.bytes());
      if (!sent) return sent.error() == Errc::queue_full;
    }
    // Nothing is read, but what is queued shall go.
    return link_->queued_bytes() == 0 || link_->flush(0ms).error() != Errc::peer_closed;
  }
  bool read() {
    return link_->poll([](View) {}).has_value();
  }

  bool send_sparse_memory() {
    if constexpr (strait::CarriesRights<T>) {
      Rights rights;
      for (int i = 0; i != 8; ++i) {
        auto memory = strait::SharedMemory::create(std::size_t{256} << 20);
        if (!memory || !rights.add(std::move(*memory))) return false;
      }
      return link_->send(Note{Wish::nothing}.bytes(), std::move(rights)).has_value();
    }
    return false;
  }

  const Rendezvous& rendezvous_;
  Attack attack_;
  std::uint64_t steps_ = 0;
  std::optional<Link<T>> link_;
  std::optional<Wire<T>> wire_;
  std::optional<T> silent_;
  std::optional<typename T::Connector> name_;
};

const ChildRole hostile_role("soak.hostile", [](const ChildArguments& arguments) {
  return with_transport(
      arguments.at(0),
      [&]<class T>() {
        ::signal(SIGPIPE, SIG_IGN);
        const auto rendezvous = Rendezvous::take_over();
        const auto attack = static_cast<Attack>(std::stoi(arguments.at(1)));
        std::vector<std::unique_ptr<Attacker<T>>> clients;
        for (auto i = std::stoi(arguments.at(2)); i != 0; --i) {
          clients.push_back(std::make_unique<Attacker<T>>(rendezvous, attack));
        }
        bool at_work = false;
        // What is to be kept busy is the server, not every processor.
        for (;; std::this_thread::sleep_for(1ms)) {
          for (auto& client : clients) {
            if (client->go() && !std::exchange(at_work, true)) child::write_line("at work");
          }
        }
        return 0;
      },
      Served());
});

// --- the test ------------------------------------------------------------------------------------

/// What a process has open.
std::multiset<std::string> descriptors_of(const Child& process) {
  std::multiset<std::string> found;
  std::error_code error;
  const std::string all = "/proc/" + std::to_string(process.pid()) + "/fd";
  for (const auto& entry : std::filesystem::directory_iterator(all, error)) {
    const auto target = std::filesystem::read_symlink(entry, error).string();
    // A timer is made when the first client is late, and stays.
    if (target == "anon_inode:[timerfd]") continue;
    // Without a number that says which one it is.
    found.insert(target.starts_with("socket:") ? "socket" : target);
  }
  return found;
}
std::size_t resident_bytes_of(const Child& process) {
  return soak::resident_bytes(std::to_string(process.pid()));
}

template <class T>
Child spawn_beside(std::string_view role, const Rendezvous& rendezvous, int what = 0,
                   int count = 0) {
  Child child =
      Child::spawn(role, {word_for<T>(Served()), std::to_string(what), std::to_string(count)});
  rendezvous.hand_over(child);
  return child;
}

}  // namespace

TEMPLATE_TEST_CASE("honest clients are served beside hostile ones", "[soak][hostile][slow][serial]",
                   Mach, Pipe, Socket) {
  const auto seconds = soak::number("STRAIT_SOAK_SECONDS", 5);
  std::mt19937_64 random(soak::seed());
  const Rendezvous rendezvous;
  Child server = spawn_beside<TestType>("soak.server", rendezvous);
  REQUIRE(server.read_line() == "listening");
  const auto descriptors = descriptors_of(server);
  const auto resident = resident_bytes_of(server);

  std::vector<Child> honest;
  for (const int count : {17, 17, 16}) {
    honest.push_back(spawn_beside<TestType>("soak.honest", rendezvous, count));
  }
  for (Child& child : honest) REQUIRE(child.read_line() == "here");
  Child newcomer = spawn_beside<TestType>("soak.newcomer", rendezvous);

  std::vector<Child> hostile;
  for (int attack = 0; attack != static_cast<int>(Attack::short_lived); ++attack) {
    const bool many = attack == static_cast<int>(Attack::flood);
    hostile.push_back(spawn_beside<TestType>("soak.hostile", rendezvous, attack, many ? 16 : 10));
  }
  for (Child& child : hostile) REQUIRE(child.read_line() == "at work");
  std::vector<Child> short_lived;
  for (int i = 0; i != 10; ++i) {
    short_lived.push_back(spawn_beside<TestType>("soak.hostile", rendezvous,
                                                 static_cast<int>(Attack::short_lived), 1));
  }
  std::size_t most_descriptors = 0;
  std::size_t most_resident = 0;
  std::size_t killed = 0;
  for (const auto end = Clock::now() + std::chrono::seconds(seconds); Clock::now() < end;) {
    // It ends when one of the honest does.
    CHECK(honest[0].read_line(milliseconds(100 + random() % 200)) == std::nullopt);
    for (Child& child : honest) REQUIRE(child.wait(0ms).still_running());
    REQUIRE(server.wait(0ms).still_running());
    short_lived[random() % short_lived.size()] = spawn_beside<TestType>(
        "soak.hostile", rendezvous, static_cast<int>(Attack::short_lived), 1);
    ++killed;
    most_descriptors = std::max(most_descriptors, descriptors_of(server).size());
    most_resident = std::max(most_resident, resident_bytes_of(server));
  }

  soak::Times times;
  for (Child& child : honest) {
    child.close_stdin();
    const auto text = child.read_line();
    REQUIRE(text);
    times.add(*text);
    CHECK(child.wait().success());
  }
  newcomer.close_stdin();
  const auto newcomers = newcomer.read_line(40s);
  REQUIRE(newcomers);
  const auto kept_out = newcomer.read_line();
  soak::Times coming;
  coming.add(*newcomers);
  CHECK(newcomer.wait().success());
  for (Child& child : hostile) CHECK(child.wait(0ms).still_running());
  hostile.clear();
  short_lived.clear();

  // The ends of clients that were in the middle of something take the server some seconds, and more
  // where other programs share its core.
  for (const auto end = Clock::now() + 90s;
       descriptors_of(server) != descriptors && Clock::now() < end;) {
    static_cast<void>(server.wait(50ms));
  }
  const auto descriptors_left = descriptors_of(server);
  const auto resident_left = resident_bytes_of(server);
  std::cout << served_names[std::stoul(word_for<TestType>(Served()))] << ": " << times.count()
            << " answers in " << seconds << " s: " << times << "; refused: 0; " << coming.count()
            << " newcomers: " << coming << "; kept out: " << *kept_out << "; " << killed
            << " killed; server's descriptors " << descriptors.size() << ", at most "
            << most_descriptors << ", then " << descriptors_left.size() << "; its memory "
            << resident / 1024 << " KiB, at most " << most_resident / 1024 << " KiB, then "
            << resident_left / 1024 << " KiB" << std::endl;
  CHECK(descriptors_left == descriptors);
  if (!soak::sanitized) CHECK(resident_left < resident + soak::kept_by_malloc);
  server.close_stdin();
  const auto calls_text = server.read_line();
  REQUIRE(calls_text);
  soak::Times calls;
  calls.add(*calls_text);
  std::cout << "  its " << calls.count() << " calls of wait(10ms): " << calls << std::endl;
  CHECK(server.wait().success());
  CHECK(times.count() > 0);
  if (seconds >= 60 && soak::times_count) {
    CHECK(times.at(.999) < 100ms);
    CHECK(calls.at(.999) < 50ms);
  }
}
