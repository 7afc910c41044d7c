#include "strait/transports/socket.hpp"

#include "cases/library_link.hpp"

namespace bench {

Case socket_case() {
  return library_case<strait::SocketTransport>("socket",
                                               "SocketTransport: a Unix stream socket, framed");
}

}  // namespace bench
