#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <system_error>

#include "harness/control.hpp"
#include "harness/native.hpp"

// A message is the head, the numbers of handles in the first process, and the text. The second
// process takes the handles from there.

namespace bench {

namespace {

using Numbers = std::array<std::uint64_t, 2>;

[[noreturn]] void throw_last(const char* what) {
  throw std::system_error(static_cast<int>(::GetLastError()), std::system_category(), what);
}

Descriptor take_from(HANDLE process, std::uint64_t number) {
  HANDLE taken = nullptr;
  if (!::DuplicateHandle(process, reinterpret_cast<HANDLE>(static_cast<std::uintptr_t>(number)),
                         ::GetCurrentProcess(), &taken, 0, FALSE,
                         DUPLICATE_SAME_ACCESS | DUPLICATE_CLOSE_SOURCE)) {
    throw_last("DuplicateHandle");
  }
  return Descriptor(taken);
}

}  // namespace

void send_message(HANDLE socket, const void* head, std::size_t head_bytes, const std::string& text,
                  const TwoDescriptors& descriptors) {
  if (text.size() > max_text_bytes) throw std::length_error("control message");
  Numbers numbers{};
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    if (!descriptors[i]) continue;
    // What the second process takes; the sender's own may be closed by then.
    HANDLE copy = nullptr;
    const HANDLE self = ::GetCurrentProcess();
    if (!::DuplicateHandle(self, descriptors[i].get(), self, &copy, 0, FALSE,
                           DUPLICATE_SAME_ACCESS)) {
      throw_last("DuplicateHandle");
    }
    numbers[i] = reinterpret_cast<std::uintptr_t>(copy);
  }
  std::string message(head_bytes + sizeof numbers, '\0');
  std::memcpy(message.data(), head, head_bytes);
  std::memcpy(message.data() + head_bytes, &numbers, sizeof numbers);
  message += text;
  DWORD written = 0;
  if (!::WriteFile(socket, message.data(), static_cast<DWORD>(message.size()), &written, nullptr)) {
    throw_last("control pipe");
  }
}

bool receive_message(HANDLE socket, void* head, std::size_t head_bytes, std::string& text,
                     TwoDescriptors& descriptors) {
  Numbers numbers{};
  const std::size_t fixed_bytes = head_bytes + sizeof numbers;
  std::string message(fixed_bytes + max_text_bytes, '\0');
  DWORD size = 0;
  if (!::ReadFile(socket, message.data(), static_cast<DWORD>(message.size()), &size, nullptr)) {
    if (::GetLastError() == ERROR_BROKEN_PIPE) return false;
    throw_last("control pipe");
  }
  if (size < fixed_bytes) throw std::runtime_error("control pipe: a cut message");
  std::memcpy(head, message.data(), head_bytes);
  std::memcpy(&numbers, message.data() + head_bytes, sizeof numbers);
  text.assign(message, fixed_bytes, size - fixed_bytes);
  if (numbers == Numbers{}) return true;
  ULONG first = 0;
  if (!::GetNamedPipeServerProcessId(socket, &first)) throw_last("control pipe");
  const Descriptor process(::OpenProcess(PROCESS_DUP_HANDLE, FALSE, first));
  if (!process) throw_last("OpenProcess");
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    if (numbers[i] != 0) descriptors[i] = take_from(process.get(), numbers[i]);
  }
  return true;
}

}  // namespace bench
