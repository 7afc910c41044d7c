// My messages come from a .capnp file: schemas/search.capnp, of which capnp makes search.capnp.h.

#include <chrono>
#include <cstdio>

#include <strait/serializers/capnproto.hpp>
#include <strait/strait.hpp>

#include "search.capnp.h"

using namespace std::chrono_literals;
using Link =
    strait::Channel<strait::SocketTransport, strait::CapnpSerializer<search::Query, search::Hits>>;

int main() {
  auto [client, server] = Link::pair().value();

  strait::CapnpMessage<search::Query> query;
  query.root().setPath("/var/log/syslog");
  query.root().initWords(1).set(0, "error");
  client.send(query).value();

  // A reader looks at the message where it lies, and ends with the call.
  const auto answer = [&server = server](search::Query::Reader asked) {
    std::printf("%s, %u word(s), at most %u lines\n", asked.getPath().cStr(),
                asked.getWords().size(), asked.getLimit());
    strait::CapnpMessage<search::Hits> hits;
    auto lines = hits.root().initLines(3);
    for (unsigned i = 0; i != lines.size(); ++i) lines.set(i, 14 + i);
    server.send(hits).value();
  };
  server.wait(answer, 5s).value();

  unsigned found = 0;
  const auto print = [&](search::Hits::Reader hits) { found = hits.getLines().size(); };
  client.wait(print, 5s).value();
  std::printf("%u lines\n", found);
  return found == 3 ? 0 : 1;
}
