// My classes are serialized by cereal already.

#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include <cereal/types/memory.hpp>
#include <cereal/types/string.hpp>
#include <cereal/types/vector.hpp>
#include <strait/serializers/cereal.hpp>
#include <strait/strait.hpp>

using namespace std::chrono_literals;

/// A directory of files and, perhaps, the one that it lies in.
class Directory {
 public:
  Directory() = default;
  Directory(std::string name, std::vector<std::string> files)
      : name_(std::move(name)), files_(std::move(files)) {}

  void put_into(Directory outer) { outer_ = std::make_unique<Directory>(std::move(outer)); }
  std::string path() const { return (outer_ ? outer_->path() : std::string()) + "/" + name_; }
  std::size_t count() const { return files_.size(); }

  template <class Archive>
  void serialize(Archive& archive) {
    archive(name_, files_, outer_);
  }

 private:
  std::string name_;
  std::vector<std::string> files_;
  std::unique_ptr<Directory> outer_;
};
using Link = strait::Channel<strait::SocketTransport, strait::CerealSerializer<Directory>>;

int main() {
  auto [sender, receiver] = Link::pair().value();
  Directory log("log", {"syslog", "kern.log"});
  log.put_into(Directory("var", {}));
  sender.send(log).value();

  std::string path;
  const auto print = [&](const Directory& came) {
    path = came.path();
    std::printf("%s has %zu files\n", path.c_str(), came.count());
  };
  receiver.wait(print, 5s).value();
  return path == "/var/log" ? 0 : 1;
}
