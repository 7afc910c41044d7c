#include "cases/byte_stream.hpp"
#include "cases/cases.hpp"
#include "harness/native.hpp"

namespace bench {

namespace {

std::unique_ptr<Endpoint> host(bool, const std::function<void(Invitation)>& invite) {
  auto [mine, theirs] = stream_sockets();
  invite({"", std::move(theirs)});
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
