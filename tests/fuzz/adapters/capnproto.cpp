#include <strait/serializers/capnproto.hpp>

#include "directory.capnp.h"
#include "fuzz/adapters/reader.hpp"

namespace {

std::uint64_t sum;

void add(packed::Entry::Reader entry) {
  sum += entry.getName().size() + static_cast<std::uint64_t>(entry.getBytes());
  for (const auto child : entry.getEntries()) add(child);
}

}  // namespace

// Both kinds of struct, each with all that is in it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace strait_fuzz;
  if (size == 0) return 0;
  const auto bytes = input(data + 1, size - 1);
  if (data[0] % 2 == 0) {
    read<strait::CapnpSerializer<packed::Request>>(bytes, [](packed::Request::Reader request) {
      sum += request.getPath().size() + request.getUser().size() + request.getLimit();
      for (const auto id : request.getIds()) sum += static_cast<std::uint64_t>(id);
    });
  } else {
    read<strait::CapnpSerializer<packed::Entry>>(bytes,
                                                 [](packed::Entry::Reader entry) { add(entry); });
  }
  return 0;
}
