#pragma once

#include "strait/base/moved_from.hpp"

namespace strait::detail {

/// Ends a server and frees its name, also while a forked process has a copy of what holds it. By
/// its destructor alone a server leaves the name to such a process.
template <class Server>
void withdraw(ResetOnMove<Server>& server) {
  if constexpr (requires { server->withdraw(); }) {
    if (server) server->withdraw();
  }
  server.reset();
}

}  // namespace strait::detail
