// Channels in a GLib program, as GTK's are: a client whose server goes and comes again, and a timer.

#include <glib.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <system_error>

#include <strait/loops/glib.hpp>
#include <strait/reconnecting.hpp>
#include <strait/strait.hpp>

struct Track {
  std::uint32_t number;
};
using Link = strait::Channel<strait::SocketTransport, strait::TrivialSerializer<Track>>;
using Server = strait::Acceptor<Link>;

GMainLoop* const main_loop = ::g_main_loop_new(nullptr, FALSE);
const auto player = "player-" + std::to_string(::getpid());
const auto secret = strait::Token::generate().value();

struct Player {
  int ups = 0;

  void on_up(Link&) {
    std::printf("the player is there\n");
    if (++ups == 2) ::g_main_loop_quit(main_loop);
  }
  void on_down(std::error_code why) { std::printf("gone: %s\n", why.message().c_str()); }
  void operator()(const Track& track) { std::printf("now track %u\n", unsigned{track.number}); }
};

// Another program in earnest. It tells each client what is playing; a timer starts it anew.
struct Service {
  Server server = Server::listen(player, secret).value();
  strait::GlibWatch watch = strait::GlibWatch::start(server, Listener()).value();

  struct Listener {
    void on_connected(Link& client) { client.send(Track{7}).value(); }
    void operator()(Link&, const Track&) {}
  };
};
std::optional<Service> service;

int main() {
  auto client = strait::Reconnecting<Link>::connect(player, secret).value();
  const auto watch = strait::GlibWatch::start(client, Player()).value();
  const auto restart = [](gpointer) -> gboolean {
    service.reset();
    service.emplace();
    return G_SOURCE_CONTINUE;
  };
  ::g_timeout_add(50, restart, nullptr);
  ::g_main_loop_run(main_loop);
}
