#include <fcntl.h>

#include <string>

#include "cases/byte_stream.hpp"
#include "cases/cases.hpp"
#include "harness/guard.hpp"

namespace bench {

namespace {

Descriptor open_fifo(const std::string& path, int mode) {
  int number;
  do {
    number = ::open(path.c_str(), mode | O_CLOEXEC);
  } while (number < 0 && errno == EINTR);
  if (number < 0) throw_errno(path);
  return Descriptor(number);
}

// Both sides open the FIFOs in the same order: each open waits for its counterpart.
std::unique_ptr<Endpoint> host(bool, const std::function<void(Invitation)>& invite) {
  guard::PrivateDirectory directory;
  const std::string there = directory.make_fifo("there");
  const std::string back = directory.make_fifo("back");
  invite({there + '\n' + back, {}});
  Descriptor out = open_fifo(there, O_WRONLY);
  Descriptor in = open_fifo(back, O_RDONLY);
  return make_endpoint(ByteStreamLink(std::move(in), std::move(out)));
}

std::unique_ptr<Endpoint> join(bool, Invitation invitation) {
  const std::size_t line_end = invitation.text.find('\n');
  Descriptor in = open_fifo(invitation.text.substr(0, line_end), O_RDONLY);
  Descriptor out = open_fifo(invitation.text.substr(line_end + 1), O_WRONLY);
  return make_endpoint(ByteStreamLink(std::move(in), std::move(out)));
}

}  // namespace

Case fifo_case() { return {"fifo", "two FIFOs, bare blocking read and write", host, join}; }

}  // namespace bench
