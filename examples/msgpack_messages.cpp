// My classes have MSGPACK_DEFINE in them already.

#include <chrono>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include <strait/serializers/msgpack.hpp>
#include <strait/strait.hpp>

using namespace std::chrono_literals;

struct Query {
  std::string path;
  std::vector<std::string> words;
  MSGPACK_DEFINE(path, words)
};
struct Hits {
  std::map<std::string, std::vector<int>> lines;
  MSGPACK_DEFINE_MAP(lines)
};
using Link = strait::Channel<strait::SocketTransport, strait::MsgpackSerializer<Query, Hits>>;

int main() {
  auto [client, server] = Link::pair().value();
  client.send(Query{"/var/log", {"error", "panic"}}).value();

  const auto answer = [&server = server](const Query& asked) {
    std::printf("%s, %zu words\n", asked.path.c_str(), asked.words.size());
    server.send(Hits{{{"syslog", {3, 14}}, {"kern.log", {15}}}}).value();
  };
  server.wait(answer, 5s).value();

  std::size_t files = 0;
  const auto print = [&](const Hits& hits) {
    for (const auto& [file, lines] : hits.lines) {
      std::printf("%s: %zu lines\n", file.c_str(), lines.size());
    }
    files = hits.lines.size();
  };
  client.wait(print, 5s).value();
  return files == 2 ? 0 : 1;
}
