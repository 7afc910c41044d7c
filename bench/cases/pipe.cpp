#include "strait/transports/pipe.hpp"
#include "cases/library_link.hpp"
#include "strait/transports/bridged.hpp"

namespace bench {

Case pipe_case() {
  return library_case<strait::PipeTransport>("pipe", "PipeTransport: two FIFOs, framed");
}

Case pipe_bridged_case() {
  return library_case<strait::BridgedTransport<strait::PipeTransport>>(
      "pipe-bridged", "the same behind a thread and a pipe");
}

}  // namespace bench
