#include <sys/socket.h>

#include "cases/byte_stream.hpp"
#include "cases/cases.hpp"

namespace bench {

namespace {

std::unique_ptr<Endpoint> host(bool, const std::function<void(Invitation)>& invite) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) throw_errno("socketpair");
  Descriptor mine(ends[0]);
  invite({"", Descriptor(ends[1])});
  return make_endpoint(ByteStreamLink(std::move(mine)));
}

std::unique_ptr<Endpoint> join(bool, Invitation invitation) {
  return make_endpoint(ByteStreamLink(std::move(invitation.descriptor)));
}

}  // namespace

Case unix_stream_case() {
  return {"unix-stream", "a Unix stream socket, bare blocking read and write", host, join};
}

}  // namespace bench
