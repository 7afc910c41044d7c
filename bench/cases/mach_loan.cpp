#include "cases/library_link.hpp"
#include "strait/transports/mach.hpp"

namespace bench {

namespace {

// All of it, whatever the size, as with copy-on-write.
using Lent = strait::OolThreshold<1, strait::Loan>;

}  // namespace

Case mach_loan_case() {
  return library_case<strait::MachTransport<Lent>, How::lending>(
      "mach-loan", "MachTransport, all made in lent memory, default wait policy");
}

Case mach_loan_send_case() {
  return library_case<strait::MachTransport<Lent>>(
      "mach-loan-send", "the same, sent from the sender's own memory: one copy, read in place");
}

Case mach_loan_spin_case() {
  return library_case<strait::MachTransport<Lent, strait::Spin>, How::lending>(
      "mach-loan-spin", "mach-loan, never sleeping");
}

}  // namespace bench
