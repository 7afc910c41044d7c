// My messages have no types, but are JSON. They travel as CBOR, its binary form.

#include <chrono>
#include <cstdio>
#include <string>

#include <nlohmann/json.hpp>
#include <strait/serializers/json.hpp>
#include <strait/strait.hpp>

using namespace std::chrono_literals;
using Link = strait::Channel<strait::SocketTransport, strait::JsonSerializer>;

int main() {
  auto [client, server] = Link::pair().value();
  client.send(nlohmann::json{{"path", "/var/log"}, {"words", {"error", "panic"}}}).value();

  // A peer may send any value: what has to be there is the listener's to check.
  const auto answer = [&server = server](const nlohmann::json& asked) {
    if (!asked.is_object() || !asked.contains("path")) return;
    std::printf("asked: %s\n", asked.dump().c_str());
    server.send(nlohmann::json{{"syslog", {3, 14}}, {"kern.log", {15}}}).value();
  };
  server.wait(answer, 5s).value();

  std::string answered;
  const auto print = [&](const nlohmann::json& hits) { answered = hits.dump(); };
  client.wait(print, 5s).value();
  std::printf("answered: %s\n", answered.c_str());
  return answered == R"({"kern.log":[15],"syslog":[3,14]})" ? 0 : 1;
}
