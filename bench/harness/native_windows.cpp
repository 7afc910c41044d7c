#include <fmt/format.h>

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "harness/native.hpp"
#include "strait/os/windows/security.hpp"
#include "strait/os/windows/spawn.hpp"

namespace bench {

namespace {

[[noreturn]] void throw_last(const char* what) {
  throw std::system_error(static_cast<int>(::GetLastError()), std::system_category(), what);
}

/// It is killed when this goes, which no number of a process can be relied on for.
std::optional<strait::windows::Spawned> second_process;

}  // namespace

std::vector<int> allowed_cores() {
  DWORD_PTR allowed = 0;
  DWORD_PTR all = 0;
  if (!::GetProcessAffinityMask(::GetCurrentProcess(), &allowed, &all)) {
    throw_last("GetProcessAffinityMask");
  }
  std::vector<int> cores;
  for (int core = 0; core < 64; ++core) {
    if ((allowed >> core & 1) != 0) cores.push_back(core);
  }
  return cores;
}

bool can_pin() noexcept { return true; }

void pin_to_core(int core) {
  if (core < 0 || core > 63 ||
      !::SetProcessAffinityMask(::GetCurrentProcess(), DWORD_PTR{1} << core)) {
    throw std::invalid_argument(fmt::format("core {} is not there for this process", core));
  }
}

std::string processor_name() {
  char name[256] = "";
  const DWORD size = ::GetEnvironmentVariableA("PROCESSOR_IDENTIFIER", name, sizeof name);
  return size != 0 && size < sizeof name ? name : "unknown processor";
}

std::string frequency_governor(int) { return "no frequency governor"; }

std::string system_name() {
  const HMODULE ntdll = ::GetModuleHandleW(L"ntdll.dll");
  const auto wine_version = reinterpret_cast<const char* (*)()>(
      reinterpret_cast<void*>(::GetProcAddress(ntdll, "wine_get_version")));
  return wine_version == nullptr ? "Windows"
                                 : fmt::format("Wine {} (no measure of Windows)", wine_version());
}

std::string own_program() {
  wchar_t path[MAX_PATH];
  char text[4 * MAX_PATH];
  if (::GetModuleFileNameW(nullptr, path, MAX_PATH) == 0 ||
      ::WideCharToMultiByte(CP_UTF8, 0, path, -1, text, sizeof text, nullptr, nullptr) == 0) {
    throw_last("path of this program");
  }
  return text;
}

/// Its job does that.
void die_with_parent() {}

pid_t start_second_process(const Descriptor& socket, const std::vector<std::string>& arguments) {
  auto spawned = strait::windows::spawn(own_program(), arguments, {.input = socket.get()});
  if (!spawned) throw std::system_error(spawned.error(), "second process");
  second_process = std::move(*spawned);
  return static_cast<pid_t>(second_process->id);
}

void kill_second_process(pid_t) {
  ::TerminateProcess(second_process->process.get(), 1);
  ::WaitForSingleObject(second_process->process.get(), INFINITE);
  second_process.reset();
}

bool second_process_succeeded(pid_t) {
  DWORD code = 0;
  ::WaitForSingleObject(second_process->process.get(), INFINITE);
  if (!::GetExitCodeProcess(second_process->process.get(), &code)) throw_last("exit code");
  second_process.reset();
  return code == 0;
}

HANDLE be_second_process() { return ::GetStdHandle(STD_INPUT_HANDLE); }

std::array<Descriptor, 2> message_sockets() {
  const std::wstring name =
      L"\\\\.\\pipe\\strait-bench-" + std::to_wstring(::GetCurrentProcessId());
  const auto protection = strait::windows::Protection::create().value();
  constexpr DWORD buffer_bytes = 64 * 1024;
  Descriptor first(protection.use([&](SECURITY_ATTRIBUTES* attributes) {
    const HANDLE pipe = ::CreateNamedPipeW(
        name.c_str(), PIPE_ACCESS_DUPLEX | FILE_FLAG_FIRST_PIPE_INSTANCE,
        PIPE_TYPE_MESSAGE | PIPE_READMODE_MESSAGE | PIPE_WAIT | PIPE_REJECT_REMOTE_CLIENTS, 1,
        buffer_bytes, buffer_bytes, 0, attributes);
    return pipe == INVALID_HANDLE_VALUE ? nullptr : pipe;
  }));
  if (!first) throw_last("CreateNamedPipe");
  const HANDLE opened = ::CreateFileW(name.c_str(), GENERIC_READ | GENERIC_WRITE, 0, nullptr,
                                      OPEN_EXISTING, 0, nullptr);
  Descriptor second(opened == INVALID_HANDLE_VALUE ? nullptr : opened);
  DWORD mode = PIPE_READMODE_MESSAGE;
  if (!second || !::SetNamedPipeHandleState(second.get(), &mode, nullptr, nullptr)) {
    throw_last("control pipe");
  }
  return {std::move(first), std::move(second)};
}

Descriptor shared_memory(std::size_t bytes) {
  const auto size = static_cast<std::uint64_t>(bytes);
  Descriptor section(
      ::CreateFileMappingW(INVALID_HANDLE_VALUE, nullptr, PAGE_READWRITE | SEC_COMMIT,
                           static_cast<DWORD>(size >> 32), static_cast<DWORD>(size), nullptr));
  if (!section) throw_last("CreateFileMapping");
  return section;
}

void* map_shared(HANDLE section, std::size_t bytes, std::size_t offset, void* where) {
  const auto at = static_cast<std::uint64_t>(offset);
  void* const memory =
      ::MapViewOfFileEx(section, FILE_MAP_READ | FILE_MAP_WRITE, static_cast<DWORD>(at >> 32),
                        static_cast<DWORD>(at), bytes, where);
  if (memory == nullptr) throw_last("MapViewOfFileEx");
  return memory;
}

void enter_private_place() { throw std::logic_error("no case of this system asks for it"); }

void unmap(void* memory, std::size_t) noexcept { ::UnmapViewOfFile(memory); }

std::byte* map_twice(HANDLE section, std::size_t offset, std::size_t once, std::size_t twice) {
  // This process has no other thread that maps at the same moment.
  void* const space = ::VirtualAlloc(nullptr, once + 2 * twice, MEM_RESERVE, PAGE_NOACCESS);
  if (space == nullptr) throw_last("VirtualAlloc");
  ::VirtualFree(space, 0, MEM_RELEASE);
  auto* const memory = static_cast<std::byte*>(map_shared(section, once + twice, offset, space));
  map_shared(section, twice, offset + once, memory + once + twice);
  return memory;
}

void unmap_twice(std::byte* memory, std::size_t once, std::size_t twice) noexcept {
  ::UnmapViewOfFile(memory + once + twice);
  ::UnmapViewOfFile(memory);
}

}  // namespace bench
