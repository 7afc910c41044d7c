// The probes are notes in the program's file, where the tools look for them.

#include "strait/observers/usdt.hpp"

#include <unistd.h>

#include <array>
#include <cstdio>
#include <string>

#include "conformance/channels.hpp"
#include "strait/transports/loopback.hpp"

using namespace strait_test;

namespace {

/// What a command prints; nothing if there is no such command.
std::string output_of(const std::string& command) {
  std::string text;
  std::FILE* pipe = ::popen((command + " 2>/dev/null").c_str(), "re");
  REQUIRE(pipe != nullptr);
  std::array<char, 4096> part;
  for (std::size_t got; (got = std::fread(part.data(), 1, part.size(), pipe)) != 0;) {
    text.append(part.data(), got);
  }
  ::pclose(pipe);
  return text;
}

std::string this_program() {
  std::array<char, 4096> path{};
  REQUIRE(::readlink("/proc/self/exe", path.data(), path.size() - 1) > 0);
  return path.data();
}

}  // namespace

TEST_CASE("a program with the probes has their notes, which readelf shows", "[observer][usdt]") {
  // So that the probes are in this program.
  using ProbedLink = strait::Channel<strait::LoopbackTransport, strait::RawSerializer,
                                     strait::ChannelOptions{}, strait::UsdtObserver>;
  auto pair = ProbedLink::pair().value();
  REQUIRE(pair.first.send(pattern(10)));
  Inbox inbox;
  CHECK(pair.second.poll(inbox).value() == 2);
  pair.first.close();
  CHECK(pair.second.poll(inbox).error() == Errc::peer_closed);

  if (!STRAIT_HAS_USDT) {
    WARN("skipped: this was built without <sys/sdt.h>");
    return;
  }
  const std::string notes = output_of("readelf -n '" + this_program() + "'");
  if (notes.empty()) {
    WARN("skipped: there is no readelf here");
    return;
  }
  std::size_t found = 0;
  for (std::size_t at = 0; (at = notes.find("Provider: strait\n", at)) != notes.npos; ++at) ++found;
  CHECK(found >= 4);
  for (const char* name : {"connected", "ended", "send", "receive"}) {
    CAPTURE(name);
    CHECK(notes.find(std::string("Name: ") + name + "\n") != notes.npos);
  }
}
