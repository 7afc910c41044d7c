#include <strait/serializers/flatbuffers.hpp>

#include "directory_generated.h"
#include "fuzz/adapters/reader.hpp"

namespace {

std::uint64_t sum;

void add(const flatbuffers::String* text) {
  if (text != nullptr) sum += text->str().size();
}
void add(const flat::Entry& entry) {
  add(entry.name());
  sum += static_cast<std::uint64_t>(entry.bytes());
  if (entry.entries() == nullptr) return;
  for (const auto* child : *entry.entries()) add(*child);
}

}  // namespace

// Both kinds of table, each with all that is in it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace strait_fuzz;
  if (size == 0) return 0;
  const auto bytes = input(data + 1, size - 1);
  if (data[0] % 2 == 0) {
    read<strait::FlatBuffersSerializer<flat::Request>>(bytes, [](const flat::Request& request) {
      add(request.path());
      add(request.user());
      if (request.limit()) sum += *request.limit();
      if (request.ids() == nullptr) return;
      for (const std::int32_t id : *request.ids()) sum += static_cast<std::uint64_t>(id);
    });
  } else {
    read<strait::FlatBuffersSerializer<flat::Entry>>(bytes,
                                                     [](const flat::Entry& entry) { add(entry); });
  }
  return 0;
}
