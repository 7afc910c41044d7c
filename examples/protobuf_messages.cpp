// My messages come from a .proto file: schemas/search.proto, of which protoc makes search.pb.h.

#include <chrono>
#include <cstdio>

#include <strait/serializers/protobuf.hpp>
#include <strait/strait.hpp>

#include "search.pb.h"

using namespace std::chrono_literals;
using Link = strait::Channel<strait::SocketTransport,
                             strait::ProtobufSerializer<search::Query, search::Hits>>;

int main() {
  auto [client, server] = Link::pair().value();

  search::Query query;
  query.set_path("/var/log/syslog");
  query.add_words("error");
  client.send(query).value();

  // What the listener gets ends with the call; a copy would be its own.
  const auto answer = [&server = server](const search::Query& asked) {
    std::printf("%s, %d word(s), %s limit\n", asked.path().c_str(), asked.words_size(),
                asked.has_limit() ? "a" : "no");
    search::Hits hits;
    for (const unsigned line : {3u, 14u, 15u}) hits.add_lines(line);
    server.send(hits).value();
  };
  server.wait(strait::overloaded{answer, [](const search::Hits&) {}}, 5s).value();

  int found = 0;
  const auto print = [&](const search::Hits& hits) { found = hits.lines_size(); };
  client.wait(print, 5s).value();
  std::printf("%d lines\n", found);
  return found == 3 ? 0 : 1;
}
