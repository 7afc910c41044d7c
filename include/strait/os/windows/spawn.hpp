#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "strait/os/windows/descriptor.hpp"
#include "strait/os/windows/error.hpp"
#include "strait/os/windows/text.hpp"
#include "strait/os/windows/user.hpp"
#include "strait/peer.hpp"
#include "strait/result.hpp"

namespace strait::windows {

/// A child that was just started, and the job that ends it when the last handle of that is closed:
/// by its owner, or by the system at the end of this process.
struct Spawned {
  Descriptor process;
  Descriptor job;
  DWORD id = 0;
};

/// Appends a word to a command line, so that a program's `argv` has it again as it was.
inline void append_quoted(std::wstring& line, std::wstring_view word) {
  if (!line.empty()) line += L' ';
  line += L'"';
  std::size_t backslashes = 0;
  for (const wchar_t c : word) {
    // Before a quotation mark, and only there, each of them has to be doubled.
    if (c == L'"') line.append(backslashes + 1, L'\\');
    backslashes = c == L'\\' ? backslashes + 1 : 0;
    line += c;
  }
  line.append(backslashes, L'\\');
  line += L'"';
}

/// Handles that a child inherits, and no others: also not what another thread of this process makes
/// inheritable at the same moment.
class InheritedHandles {
 public:
  /// A duplicate is inherited; a null handle is none. Errors: the system's.
  Result<HANDLE> add(HANDLE handle) {
    if (handle == nullptr || handle == INVALID_HANDLE_VALUE) return HANDLE{};
    Descriptor made = duplicate(handle);
    if (!made) return last_error();
    if (!::SetHandleInformation(made.get(), HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT)) {
      return last_error();
    }
    values_[count_] = made.get();
    owned_[count_] = std::move(made);
    return values_[count_++];
  }

  /// Calls `start(list)` with what `CreateProcessW` wants. Errors: the system's, those of `start`.
  template <class Start>
  Result<void> use(Start&& start) {
    SIZE_T bytes = 0;
    ::InitializeProcThreadAttributeList(nullptr, 1, 0, &bytes);
    const auto memory = std::make_unique<std::byte[]>(bytes);
    const auto list = reinterpret_cast<LPPROC_THREAD_ATTRIBUTE_LIST>(memory.get());
    if (!::InitializeProcThreadAttributeList(list, 1, 0, &bytes)) return last_error();
    Result<void> started;
    if (count_ != 0 &&
        !::UpdateProcThreadAttribute(list, 0, PROC_THREAD_ATTRIBUTE_HANDLE_LIST, values_.data(),
                                     count_ * sizeof(HANDLE), nullptr, nullptr)) {
      started = last_error();
    }
    if (started) started = start(list, count_ != 0);
    ::DeleteProcThreadAttributeList(list);
    return started;
  }

 private:
  std::array<HANDLE, 4> values_{};
  std::array<Descriptor, 4> owned_;
  std::size_t count_ = 0;
};

/// What a child has for its standard streams.
struct StandardHandles {
  HANDLE input = nullptr;
  HANDLE output = ::GetStdHandle(STD_OUTPUT_HANDLE);
  HANDLE error = ::GetStdHandle(STD_ERROR_HANDLE);
};

/// Starts a program, a path, with these standard streams and no other handle of this process.
///
/// Errors: those of `CreateProcess`, such as that there is no such file.
inline Result<Spawned> spawn(const std::string& program, const std::vector<std::string>& arguments,
                             const StandardHandles& streams) {
  const auto path = wide(program);
  if (!path) return path.error();
  std::wstring line;
  append_quoted(line, *path);
  for (const std::string& argument : arguments) {
    const auto word = wide(argument);
    if (!word) return word.error();
    append_quoted(line, *word);
  }

  Spawned child;
  child.job = Descriptor(::CreateJobObjectW(nullptr, nullptr));
  if (!child.job) return last_error();
  JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits{};
  limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE;
  if (!::SetInformationJobObject(child.job.get(), JobObjectExtendedLimitInformation, &limits,
                                 sizeof limits)) {
    return last_error();
  }

  InheritedHandles inherited;
  STARTUPINFOEXW startup{};
  startup.StartupInfo.cb = sizeof startup;
  startup.StartupInfo.dwFlags = STARTF_USESTDHANDLES;
  for (const auto& [handle, place] : {std::pair(streams.input, &startup.StartupInfo.hStdInput),
                                      std::pair(streams.output, &startup.StartupInfo.hStdOutput),
                                      std::pair(streams.error, &startup.StartupInfo.hStdError)}) {
    const auto added = inherited.add(handle);
    if (!added) return added.error();
    *place = *added;
  }
  PROCESS_INFORMATION made{};
  auto started = inherited.use([&](LPPROC_THREAD_ATTRIBUTE_LIST list, bool any) -> Result<void> {
    startup.lpAttributeList = list;
    if (!::CreateProcessW(path->c_str(), line.data(), nullptr, nullptr, any ? TRUE : FALSE,
                          CREATE_SUSPENDED | EXTENDED_STARTUPINFO_PRESENT, nullptr, nullptr,
                          &startup.StartupInfo, &made)) {
      return last_error();
    }
    return {};
  });
  if (!started) return started.error();
  child.process = Descriptor(made.hProcess);
  child.id = made.dwProcessId;
  const Descriptor thread(made.hThread);
  // It runs when nothing can happen to this process any more that would leave it behind.
  if (!::AssignProcessToJobObject(child.job.get(), child.process.get()) ||
      ::ResumeThread(thread.get()) == static_cast<DWORD>(-1)) {
    const auto error = last_error();
    ::TerminateProcess(child.process.get(), 1);
    return error;
  }
  return child;
}

/// Has a child outlive this process, and its job's last handle. Errors are not told: it is then as
/// before.
inline void let_live(const Spawned& child) noexcept {
  JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits{};
  ::SetInformationJobObject(child.job.get(), JobObjectExtendedLimitInformation, &limits,
                            sizeof limits);
}

/// Those of a child that was just started.
inline PeerCredentials credentials_of_child(std::int32_t child) {
  const Descriptor process(
      ::OpenProcess(PROCESS_QUERY_INFORMATION, FALSE, static_cast<DWORD>(child)));
  return {process ? user_of_process(process.get()) : UserId(), 0, child};
}

}  // namespace strait::windows
