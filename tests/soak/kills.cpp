// Processes that are killed, stopped, or turn into another program at random moments of whatever
// they do. The others get what was whole, in order and once, hear the end soon, and keep nothing.
//
//   STRAIT_SOAK_KILLS=N    how many
//   STRAIT_SOAK_SECONDS=N  and for how long at the most
//   STRAIT_SOAK_SEED=N     where the dice start; a failure tells the seed of its round, which comes
//                          first when it is given here

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <stdexcept>
#include <thread>

#include "process/peers.hpp"
#include "soak/soak.hpp"
#include "soak/talk.hpp"
#include "strait/acceptor.hpp"
#include "support/leak_check.hpp"

using namespace strait_test;

/// ThreadSanitizer asks this: else it waits a second at the end of a program for late races.
extern "C" const char* __tsan_default_options();
extern "C" const char* __tsan_default_options() { return "atexit_sleep_ms=0"; }

namespace {

#if STRAIT_TEST_BREADTH >= 2
using Played = Transports<Mach, MachCow, MachLoan, MachBlock, MachSpin, Pipe, Socket>;
constexpr const char* played_names[] = {"Mach",     "MachCow", "MachLoan", "MachBlock",
                                        "MachSpin", "Pipe",    "Socket"};
#else
using Played = Transports<Mach, MachCow, MachLoan, Pipe, Socket>;
constexpr const char* played_names[] = {"Mach", "MachCow", "MachLoan", "Pipe", "Socket"};
#endif

/// The one that lives on: the server, the client, the server of two clients, or a process that has
/// got its end of the channel from a third one.
enum class Survivor { server, client, acceptor, passed };
constexpr const char* survivor_names[] = {"server", "client", "acceptor", "passed"};

enum class Event { kill, stop, exit, exec };
constexpr const char* event_names[] = {"kill", "stop", "exit", "exec"};

struct Plan {
  std::uint64_t seed = 0;
  std::size_t transport = 0;
  Survivor survivor{};
  Load load{};
  Event event{};
  /// Before they are connected, if they ever are.
  bool early = false;

  std::string name() const {
    return std::string(played_names[transport]) + ", " +
           survivor_names[static_cast<int>(survivor)] + " survives, " +
           (early ? "connecting" : load_names[static_cast<int>(load)]) + ", " +
           event_names[static_cast<int>(event)] + ", seed " + std::to_string(seed);
  }
};

void require(bool condition, const std::string& what) {
  if (!condition) throw std::runtime_error(what);
}

// --- the processes -------------------------------------------------------------------------------

std::atomic<bool> to_exit{false};

void tell_the_time(const char* word) {
  child::write_line(word + (" " + std::to_string(Clock::now().time_since_epoch().count())));
}

/// Called in the listener.
void exit_if_told() {
  if (!to_exit) return;
  tell_the_time("now");
  if (::getpid() % 2 == 0) std::exit(0);
  ::_exit(0);
}

/// Does what the parent says, until that has nothing more to say.
class Obeying {
 public:
  ~Obeying() { thread_.join(); }

 private:
  static void obey() {
    while (const auto line = child::read_line(1h)) {
      if (*line == "exit") to_exit = true;
      if (*line == "exec") {
        tell_the_time("now");
        ::execl(own_program().c_str(), "strait", "--child", "kills.other_program", nullptr);
        child::require(false, "exec");
      }
    }
  }
  std::thread thread_{obey};
};

const ChildRole other_program_role("kills.other_program", [](const ChildArguments&) {
  child::write_line("other program");
  return child::read_line() ? 1 : 0;
});

/// Talks until the end, and says when that came.
template <class Link>
int talk_on(Link& link, const ChildArguments& arguments) {
  const Obeying obeying;
  Talk<Link> talk(link, static_cast<Load>(std::stoi(arguments.at(2))), std::stoull(arguments.at(3)),
                  std::stoull(arguments.at(4)));
  talk.in_listener = exit_if_told;
  std::error_code end;
  while (!end) {
    end = talk.step(20ms);
    child::require(talk.wrong().empty(), talk.wrong());
  }
  tell_the_time("heard");
  child::write_line(end.message());
  child::require(talk.finish(), talk.wrong());
  child::require(end == Errc::peer_closed || end == Errc::refused, end.message());
  link.close();
  return 0;
}

/// Arguments: the transport, how to meet, the load, the seeds of both sides.
const ChildRole talker_role("kills.talker", [](const ChildArguments& arguments) {
  return with_transport(
      arguments.at(0),
      [&]<class T>() {
        const auto rendezvous = Rendezvous::take_over();
        using Link = SoakLink<T>;
        auto link = arguments.at(1) == "listen"
                        ? Link::listen(rendezvous.name, rendezvous.token)
                        : Link::connect(rendezvous.name, rendezvous.token, long_enough);
        // The server may have been killed by now.
        if (!link && link.error() == Errc::refused) return 0;
        child::require(link.has_value(), link ? "" : link.error().message());
        if (arguments.at(1) == "listen") child::write_line("listening");
        if constexpr (strait::CarriesRights<T>) {
          if (arguments.at(1) == "passed") {
            std::optional<typename Talk<Link>::End> end;
            const auto listener = [&](View, Rights rights) {
              auto taken = rights.template take<typename Talk<Link>::End>();
              child::require(taken.has_value(), "an end");
              end = std::move(*taken);
            };
            child::require(wait_while(*link, listener, [&] { return !end; }), "an end");
            return talk_on(*end, arguments);
          }
        }
        return talk_on(*link, arguments);
      },
      Played());
});

// --- the matrix ----------------------------------------------------------------------------------

class Round {
 public:
  explicit Round(const Plan& plan) : plan_(plan), random_(plan.seed) {}

  /// How long it took the survivor to hear; none when they had never met.
  std::optional<std::chrono::nanoseconds> play() {
    with_transport(
        std::to_string(plan_.transport),
        [&]<class T>() {
          switch (plan_.survivor) {
            case Survivor::server: server_survives<T>(); break;
            case Survivor::client: client_survives<T>(); break;
            case Survivor::acceptor: acceptor_survives<T>(); break;
            case Survivor::passed:
              if constexpr (strait::CarriesRights<T>) passed_survives<T>();
              break;
          }
          return 0;
        },
        Played());
    if (!heard_) return {};
    return std::max(std::chrono::nanoseconds{0}, *heard_ - died_);
  }

 private:
  using Time = Clock::time_point;
  /// Goes on for so long; an error that came.
  using Pump = std::function<std::error_code(std::chrono::microseconds)>;

  std::chrono::microseconds dice(int most) {
    return std::chrono::microseconds(random_() % static_cast<unsigned>(most));
  }
  bool coin() { return random_() % 2 == 0; }

  Child talker(const char* how, Load load, std::uint64_t own, std::uint64_t peers) {
    Child child = Child::spawn("kills.talker", {std::to_string(plan_.transport), how,
                                                std::to_string(static_cast<int>(load)),
                                                std::to_string(own), std::to_string(peers)});
    require(child.write_line(rendezvous_.name) && child.write_line(rendezvous_.token.to_hex()),
            "a child that listens");
    return child;
  }
  Child victim(const char* how) { return talker(how, plan_.load, plan_.seed + 1, plan_.seed + 2); }
  template <class Link>
  Talk<Link> talk(Link& link) {
    return {link, plan_.load, plan_.seed + 2, plan_.seed + 1};
  }

  static Time time_in(const std::optional<std::string>& line, const std::string& word) {
    require(line && line->starts_with(word + " "),
            "'" + word + "' of a child, which said " + line.value_or("nothing"));
    return Time(Clock::duration(std::stoll(line->substr(word.size() + 1))));
  }

  /// Lets it happen.
  void strike(Child& victim, const Pump& pump) {
    const auto alive = [&](std::chrono::microseconds duration) {
      const auto end = pump(duration);
      require(!end, "too soon: " + end.message());
    };
    if (plan_.event == Event::exit || plan_.event == Event::exec) {
      victim.write_line(plan_.event == Event::exit ? "exit" : "exec");
      return;
    }
    if (plan_.event == Event::stop) {
      victim.kill(SIGSTOP);
      alive(dice(100'000));
      if (coin()) {
        victim.kill(SIGCONT);
        alive(dice(20'000));
      }
    }
    died_ = Clock::now();
    victim.kill(SIGKILL);
  }

  /// Waits for the end.
  std::error_code hear(const Pump& pump) {
    for (const auto limit = Clock::now() + long_enough; Clock::now() < limit;) {
      if (const auto end = pump(20ms)) {
        heard_ = Clock::now();
        return end;
      }
    }
    throw std::runtime_error("no end is heard");
  }

  /// After the end was heard.
  void bury(Child& victim) {
    if (plan_.event == Event::exit || plan_.event == Event::exec) {
      died_ = time_in(victim.read_line(), "now");
    }
    if (plan_.event == Event::exec) {
      const auto line = victim.read_line();
      require(line == "other program", "exec: " + line.value_or("nothing"));
      victim.close_stdin();
    }
    const auto status = victim.wait();
    const bool killed = plan_.event == Event::kill || plan_.event == Event::stop;
    require(killed ? status.killed_by(SIGKILL) : status.success(),
            "the victim: " + (status.exited ? "exited with " + std::to_string(status.code)
                                            : "signal " + std::to_string(status.signal)));
  }

  template <class TalkT>
  void finish(TalkT& talk) {
    require(talk.finish(), talk.wrong());
  }

  /// One that the survivor is about to serve or to talk to, for so long that it is a good moment.
  template <class TalkT>
  void get_going(const TalkT& talk, const Pump& pump) {
    if (!plan_.early) {
      const bool few = plan_.load == Load::large || plan_.load == Load::ends;
      const std::uint64_t some = random_() % (few ? 4 : 40);
      for (const auto end = Clock::now() + long_enough; talk.received() < 1 + some;) {
        require(Clock::now() < end, "no messages");
        const auto ended = pump(1ms);
        require(!ended, "too soon: " + ended.message());
      }
    }
    const auto ended = pump(dice(plan_.early ? 25'000 : 10'000));
    require(!ended, "too soon: " + ended.message());
    require(talk.unanswered() == 0, "answers on all ends that were passed");
  }

  template <class TalkT>
  Pump pump_of(TalkT& talk) {
    return [&](std::chrono::microseconds duration) {
      const auto until = Clock::now() + duration;
      std::error_code end;
      do {
        end = talk.step(1ms, !quiet_);
      } while (!end && Clock::now() < until && talk.wrong().empty());
      require(talk.wrong().empty(), talk.wrong());
      return end;
    };
  }

  template <class T>
  void server_survives() {
    auto link = SoakLink<T>::listen(rendezvous_.name, rendezvous_.token).value();
    auto talk = this->talk(link);
    Child child = victim("connect");
    const Pump pump = pump_of(talk);
    get_going(talk, pump);
    strike(child, pump);
    // Only one that is asked to exit has to hear something first.
    quiet_ = plan_.event != Event::exit && coin();
    if (plan_.early) {
      require(child.wait().killed_by(SIGKILL), "dead");
      // What it has said before its death is there now, and nothing comes after.
      for (int i = 0; i != 3 && link.waiting_connect(); ++i) {
        if (pump(1ms)) break;
      }
      if (link.waiting_connect()) {
        // The next one is let in.
        const auto deaf = [](View) {};
        auto late = SoakLink<T>::connect(rendezvous_.name, rendezvous_.token).value();
        require(pump_until(link, deaf, late, deaf,
                           [&] { return !link.waiting_connect() && !late.waiting_connect(); }),
                "a client in the dead one's place");
        return;
      }
    }
    const auto end = hear(pump);
    require(end == Errc::peer_closed, end.message());
    if (!plan_.early) bury(child);
    finish(talk);
  }

  template <class T>
  void client_survives() {
    Child child = victim("listen");
    const auto line = child.read_line();
    require(line == "listening", "a server: " + line.value_or("nothing"));
    {
      auto link = SoakLink<T>::connect(rendezvous_.name, rendezvous_.token).value();
      auto talk = this->talk(link);
      const Pump pump = pump_of(talk);
      get_going(talk, pump);
      strike(child, pump);
      quiet_ = plan_.event != Event::exit && coin();
      const auto end = hear(pump);
      require(end == Errc::peer_closed || (plan_.early && end == Errc::refused), end.message());
      bury(child);
      finish(talk);
    }
    const auto again = SoakLink<T>::listen(rendezvous_.name, rendezvous_.token);
    require(again.has_value(), "the dead server's name is free");
  }

  /// Two clients: the second one dies, the first one does not notice.
  template <class T>
  struct Clients {
    using Link = SoakLink<T>;
    struct Client {
      Talk<Link> talk;
      std::error_code ended{};
    };

    Round& round;
    std::map<Link*, Client> all{};
    std::vector<Link*> in_order{};

    void on_connected(Link& link) {
      const Load load = in_order.empty() ? Load::small : round.plan_.load;
      all.emplace(&link, Client{{link, load, round.plan_.seed + 2, round.plan_.seed + 1}});
      in_order.push_back(&link);
    }
    void operator()(Link& link, View bytes, Rights rights = {}) {
      all.at(&link).talk.take(bytes, std::move(rights));
    }
    void on_closed(Link& link, std::error_code why) { all.at(&link).ended = why; }

    Client& first() { return all.at(in_order.at(0)); }
    Client& second() { return all.at(in_order.at(1)); }
  };

  template <class T>
  void acceptor_survives() {
    auto server =
        strait::Acceptor<SoakLink<T>>::listen(rendezvous_.name, rendezvous_.token).value();
    Clients<T> clients{*this};
    const auto pump = [&](std::chrono::microseconds duration) {
      const auto until = Clock::now() + duration;
      do {
        const auto waited = server.wait(clients, 1ms);
        require(waited.has_value(), waited ? "" : waited.error().message());
        for (auto& [link, client] : clients.all) {
          if (!client.ended) client.talk.send_some();
          require(client.talk.wrong().empty(), client.talk.wrong());
        }
        if (clients.all.size() > 1 && clients.second().ended) return clients.second().ended;
      } while (Clock::now() < until);
      return std::error_code();
    };
    const auto pump_until = [&](auto done, const char* what) {
      for (const auto end = Clock::now() + long_enough; !done(); static_cast<void>(pump(1ms))) {
        require(Clock::now() < end, what);
        require(!clients.first().ended, "the other client is served");
      }
    };
    Child bystander = talker("connect", Load::small, plan_.seed + 1, plan_.seed + 2);
    for (const auto end = Clock::now() + long_enough; clients.all.empty();
         static_cast<void>(pump(1ms))) {
      require(Clock::now() < end, "a first client");
    }
    {
      Child child = victim("connect");
      if (plan_.early) {
        require(!pump(dice(25'000)), "too soon");
      } else {
        pump_until([&] { return clients.all.size() == 2; }, "a second client");
        get_going(clients.second().talk, pump);
      }
      strike(child, pump);
      if (plan_.early) require(child.wait().killed_by(SIGKILL), "dead");
      if (plan_.early) static_cast<void>(pump(2ms));
      if (clients.all.size() == 2) {
        const auto end = hear(pump);
        require(end == Errc::peer_closed, end.message());
        if (!plan_.early) bury(child);
        finish(clients.second().talk);
      }
    }
    const auto before = clients.first().talk.received();
    pump_until([&] { return clients.first().talk.received() > before + 20; }, "messages");
    require(server.size() == 1, "one client is left");
    server.close();
    time_in(bystander.read_line(), "heard");
    bystander.close_stdin();
    require(bystander.wait().success(), "the other client's end");
  }

  /// Two clients talk to each other over a channel whose ends they got from here.
  template <class T>
  void passed_survives() {
    using Link = SoakLink<T>;
    auto ends = Talk<Link>::End::pair().value();
    const auto employ = [&](Load load, std::uint64_t own, std::uint64_t peers, auto&& end) {
      rendezvous_.name = unique_name("kills");
      auto link = Link::listen(rendezvous_.name, rendezvous_.token).value();
      Rights rights;
      require(rights.add(std::move(end)).has_value(), "an end to give away");
      require(link.send(pattern(1), std::move(rights)).has_value(), "an end sent");
      return std::pair(std::move(link), talker("passed", load, own, peers));
    };
    auto [to_bystander, bystander] =
        employ(plan_.load, plan_.seed + 2, plan_.seed + 1, std::move(ends.first));
    auto [to_victim, child] =
        employ(plan_.load, plan_.seed + 1, plan_.seed + 2, std::move(ends.second));
    const Pump pump = [&, &near = to_bystander, &far = to_victim](std::chrono::microseconds time) {
      const auto until = Clock::now() + time;
      std::error_code end;
      do {
        const auto deaf = [](View) {};
        static_cast<void>(near.wait(deaf, 500us));
        end = far.wait(deaf, 500us).error();
      } while (!end && Clock::now() < until);
      return end;
    };
    if (!plan_.early) {
      for (const auto end = Clock::now() + long_enough;
           to_bystander.waiting_connect() || to_victim.waiting_connect();) {
        require(Clock::now() < end, "connected");
        static_cast<void>(pump(1ms));
      }
    }
    static_cast<void>(pump(dice(50'000)));
    strike(child, pump);
    const auto deaf = [](View) {};
    if (plan_.event == Event::kill || plan_.event == Event::stop) {
      require(child.wait().killed_by(SIGKILL), "dead");
      // It may have died before it knew of its end, which is then here still.
      if (!to_victim.wait(deaf, 1ms)) heard_ = Clock::now();
    }
    to_victim.close();
    for (const auto end = Clock::now() + long_enough; to_bystander.waiting_connect();) {
      require(Clock::now() < end, "connected");
      static_cast<void>(to_bystander.wait(deaf, 1ms));
    }
    require(to_bystander.flush(long_enough).has_value(), "given away");
    heard_ = time_in(bystander.read_line(), "heard");
    const auto why = bystander.read_line();
    require(why == make_error_code(Errc::peer_closed).message(), why.value_or("nothing"));
    if (plan_.event == Event::exit || plan_.event == Event::exec) bury(child);
    bystander.close_stdin();
    require(bystander.wait().success(), "the survivor's end");
  }

  Plan plan_;
  std::mt19937_64 random_;
  Rendezvous rendezvous_{unique_name("kills"), new_token()};
  bool quiet_ = false;
  Time died_{};
  std::optional<Time> heard_;
};

Plan plan_of(std::uint64_t seed) {
  for (std::mt19937_64 random(seed);;) {
    Plan plan;
    plan.seed = seed;
    plan.transport = random() % std::size(played_names);
    plan.survivor = static_cast<Survivor>(random() % 4);
    plan.load = static_cast<Load>(random() % 5);
    plan.event = static_cast<Event>(random() % 4);
    plan.early = random() % 6 == 0;
    const bool carries = played_names[plan.transport] != std::string("Pipe");
    if (!carries && plan.survivor == Survivor::passed) continue;
    if (!carries && (plan.load == Load::rights || plan.load == Load::ends)) continue;
    // It has to be there to be told.
    if (plan.early && plan.event != Event::kill && plan.event != Event::stop) continue;
    return plan;
  }
}

}  // namespace

TEST_CASE("a process that is killed, stopped, exits or turns into another at any moment",
          "[soak][kills][slow]") {
  const std::uint64_t seed = soak::seed();
  const auto kills = soak::number("STRAIT_SOAK_KILLS", soak::scaled(200));
  const auto until = Clock::now() + std::chrono::seconds(soak::number("STRAIT_SOAK_SECONDS", 250));
  soak::Times times;
  std::size_t done = 0;
  std::size_t late = 0;
  std::size_t resident = 0;
  for (; done != kills && Clock::now() < until; ++done) {
    const Plan plan = plan_of(seed + done);
    INFO(plan.name());
    const auto before = ResourceSnapshot::take();
    try {
      if (const auto heard = Round(plan).play()) {
        times.add(*heard);
        late += *heard > 1s;
        if (*heard > 1s) std::cout << "heard late: " << plan.name() << '\n';
        REQUIRE(*heard < 5s);
      }
    } catch (const std::exception& error) {
      FAIL(error.what());
    }
    const auto left = after_a_moment([&] { return differences(before, ResourceSnapshot::take()); });
    for (const std::string& what : left) UNSCOPED_INFO(what);
    REQUIRE(left.empty());
    if (done == std::min<std::uint64_t>(kills / 5, 100)) resident = soak::resident_bytes();
  }
  const auto resident_now = soak::resident_bytes();
  std::cout << done << " kills from seed " << seed << "; until the survivor heard: " << times
            << "; over 1 s: " << late << "; resident " << resident / 1024 << " KiB, then "
            << resident_now / 1024 << " KiB\n";
  if (!soak::sanitized) CHECK(resident_now < resident + soak::kept_by_malloc);
}
