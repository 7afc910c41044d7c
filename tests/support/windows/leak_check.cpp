#include "support/leak_check.hpp"

#include <strait/os/windows/api.hpp>
//
#include <winternl.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <system_error>

#include "support/runtime_dir.hpp"

namespace strait_test {
namespace {

/// What kind of object a handle stands for; asking for its name could hang.
std::wstring type_of(HANDLE handle) {
  alignas(16) std::byte bytes[1024];
  ULONG size = 0;
  constexpr auto type_information = static_cast<OBJECT_INFORMATION_CLASS>(2);
  if (::NtQueryObject(handle, type_information, bytes, sizeof bytes, &size) < 0) return L"?";
  const auto& name = *reinterpret_cast<const UNICODE_STRING*>(bytes);
  return {name.Buffer, name.Length / sizeof(wchar_t)};
}

/// A process has no list of its handles under Wine, so all the numbers are tried.
void look_at_handles(ResourceSnapshot& now) {
  int misses = 0;
  for (std::uintptr_t value = 4; misses != 512; value += 4) {
    const auto handle = reinterpret_cast<HANDLE>(value);
    DWORD flags = 0;
    if (!::GetHandleInformation(handle, &flags)) {
      ++misses;
      continue;
    }
    misses = 0;
    const std::wstring type = type_of(handle);
    // The runtime and the system's pool of threads have some of these, and make them as they like.
    if (type == L"Event") {
      ++now.events;
    } else if (type == L"File" || type == L"Section" || type == L"Process" || type == L"Mutant" ||
               type == L"Job") {
      now.descriptors[static_cast<int>(value)] = std::string(type.begin(), type.end());
    }
  }
}

std::multiset<std::string> mapped_sections() {
  std::multiset<std::string> found;
  MEMORY_BASIC_INFORMATION memory{};
  void* last = nullptr;
  for (std::uintptr_t at = 0;
       ::VirtualQuery(reinterpret_cast<void*>(at), &memory, sizeof memory) != 0;
       at = reinterpret_cast<std::uintptr_t>(memory.BaseAddress) + memory.RegionSize) {
    if (memory.Type != MEM_MAPPED || memory.AllocationBase == last) continue;
    last = memory.AllocationBase;
    found.insert("a view at " + std::to_string(reinterpret_cast<std::uintptr_t>(last)));
  }
  return found;
}

std::set<std::string> runtime_files() {
  std::set<std::string> found;
  std::error_code error;
  std::filesystem::recursive_directory_iterator entry(runtime_dir(), error), end;
  for (; !error && entry != end; entry.increment(error)) found.insert(entry->path().string());
  return found;
}

}  // namespace

ResourceSnapshot ResourceSnapshot::take() {
  ResourceSnapshot now;
  look_at_handles(now);
  now.mappings = mapped_sections();
  now.files = runtime_files();
  return now;
}

std::vector<std::string> differences(const ResourceSnapshot& before,
                                     const ResourceSnapshot& after) {
  std::vector<std::string> found;
  for (const auto& [handle, type] : after.descriptors)
    if (!before.descriptors.contains(handle))
      found.push_back("leaked handle " + std::to_string(handle) + " (" + type + ")");
  for (const auto& [handle, type] : before.descriptors)
    if (!after.descriptors.contains(handle))
      found.push_back("closed a handle it did not own: " + std::to_string(handle) + " (" + type +
                      ")");
  constexpr std::size_t of_others = 8;
  if (after.events > before.events + of_others)
    found.push_back("leaked " + std::to_string(after.events - before.events) + " events");
  for (const std::string& mapping : after.mappings)
    if (!before.mappings.contains(mapping)) found.push_back("leaked " + mapping);
  for (const std::string& file : after.files)
    if (!before.files.contains(file)) found.push_back("left file " + file);
  return found;
}

void close_inherited_descriptors_on_exec() {}  // a child gets what is listed, and no more

}  // namespace strait_test
