#include "cases/library_link.hpp"
#include "strait/transports/mach.hpp"

namespace bench {

namespace {

// All of it out of line, whatever the size, as in the reference's Mach OOL program.
using OutOfLine = strait::OolThreshold<1>;

}  // namespace

Case mach_cow_fresh_case() {
  return library_case<strait::MachTransport<OutOfLine>>(
      "mach-cow-fresh", "MachTransport, all out of line, default wait policy");
}

Case mach_cow_again_case() {
  return library_case<strait::MachTransport<OutOfLine>, How::repeating>(
      "mach-cow-again", "the same, one message sent again and again");
}

Case mach_ool_case() {
  return library_case<strait::MachTransport<OutOfLine>, How::updating>(
      "mach-ool", "one buffer again and again, its first and last eight bytes written each time");
}

Case mach_ool_pages_case() {
  return library_case<strait::MachTransport<OutOfLine>, How::updating_pages>(
      "mach-ool-pages", "the same with eight bytes of every 64th page written, too");
}

Case mach_ool_kernel_case() {
  return library_case<strait::MachTransport<OutOfLine>, How::updating_unsaid>(
      "mach-ool-kernel", "the same as mach-ool-pages, but the kernel has to find out the pages");
}

Case mach_cow_fresh_block_case() {
  return library_case<strait::MachTransport<OutOfLine, strait::Block>>(
      "mach-cow-fresh-block", "mach-cow-fresh, sleeping at once");
}

Case mach_cow_fresh_spin_case() {
  return library_case<strait::MachTransport<OutOfLine, strait::Spin>>(
      "mach-cow-fresh-spin", "mach-cow-fresh, never sleeping");
}

}  // namespace bench
