#include "cases/library_link.hpp"
#include "strait/pipe_transport.hpp"

namespace bench {

Case pipe_case() {
  return library_case<strait::PipeTransport>("pipe", "PipeTransport: two FIFOs, framed");
}

}  // namespace bench
