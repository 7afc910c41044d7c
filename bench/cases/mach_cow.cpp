#include "cases/library_link.hpp"
#include "strait/transports/mach.hpp"

namespace bench {

namespace {

// All of it out of line, whatever the size, as in the reference's Mach OOL program.
using OutOfLine = strait::OolThreshold<1>;

}  // namespace

Case mach_cow_case() {
  return library_case<strait::MachTransport<OutOfLine>>(
      "mach-cow", "MachTransport, all out of line, default wait policy");
}

Case mach_cow_again_case() {
  return library_case<strait::MachTransport<OutOfLine>, How::repeating>(
      "mach-cow-again", "the same, one message sent again and again");
}

Case mach_ool_case() {
  return library_case<strait::MachTransport<OutOfLine>, How::updating>(
      "mach-ool", "one buffer again and again, its first and last eight bytes written each time");
}

Case mach_cow_block_case() {
  return library_case<strait::MachTransport<OutOfLine, strait::Block>>(
      "mach-cow-block", "the same, sleeping at once");
}

Case mach_cow_spin_case() {
  return library_case<strait::MachTransport<OutOfLine, strait::Spin>>("mach-cow-spin",
                                                                      "the same, never sleeping");
}

}  // namespace bench
