#include "strait/transports/pipe.hpp"
#include "cases/library_link.hpp"
#include "strait/config.hpp"

#if !STRAIT_HAS_WINDOWS
#include "strait/transports/bridged.hpp"
#endif

namespace bench {

Case pipe_case() {
  return library_case<strait::PipeTransport>("pipe", STRAIT_HAS_WINDOWS
                                                         ? "PipeTransport: a named pipe, framed"
                                                         : "PipeTransport: two FIFOs, framed");
}

#if !STRAIT_HAS_WINDOWS
Case pipe_bridged_case() {
  return library_case<strait::BridgedTransport<strait::PipeTransport>>(
      "pipe-bridged", "the same behind a thread and a pipe");
}
#endif

}  // namespace bench
