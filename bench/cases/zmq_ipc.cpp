#include "cases/zmq_link.hpp"

#include <memory>
#include <utility>

namespace bench {

Case zmq_ipc_case() {
  return {"zmq-ipc", "ZeroMQ, a PAIR over ipc://",
          [](bool, const std::function<void(Invitation)>& invite) {
            return host_zmq(invite, make_endpoint<ZmqLink>);
          },
          [](bool, Invitation invitation) { return join_zmq(invitation, make_endpoint<ZmqLink>); }};
}

}  // namespace bench
