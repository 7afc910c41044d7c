#include "support/process.hpp"

#include <strait/os/windows/named_pipe.hpp>
#include <strait/os/windows/pipe_end.hpp>
#include <strait/os/windows/spawn.hpp>

#include <atomic>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <map>
#include <memory>
#include <system_error>
#include <utility>

#include "support/leak_check.hpp"

namespace strait_test {
namespace {

using strait::windows::Descriptor;
using Clock = std::chrono::steady_clock;

/// What a child that was killed ends with.
constexpr DWORD killed_exit_code = 0x4b494c4c;

std::map<std::string, ChildFunction>& roles() {
  static std::map<std::string, ChildFunction> all;
  return all;
}

std::optional<std::string> take_line(std::string& buffered) {
  const auto end = buffered.find('\n');
  if (end == std::string::npos) return std::nullopt;
  std::string line = buffered.substr(0, end);
  buffered.erase(0, end + 1);
  return line;
}

/// This process's end, which can be waited for, and the child's, which is an ordinary one.
std::pair<strait::windows::PipeEnd, Descriptor> pipe_to_child() {
  static std::atomic<unsigned> counter = 0;
  const std::wstring name = L"\\\\.\\pipe\\strait-test-" +
                            std::to_wstring(::GetCurrentProcessId()) + L"-" +
                            std::to_wstring(++counter);
  const auto protection = strait::windows::Protection::create().value();
  auto ours = strait::windows::make_pipe_instance(name, protection).value();
  Descriptor theirs(::CreateFileW(name.c_str(), GENERIC_READ | GENERIC_WRITE, 0, nullptr,
                                  OPEN_EXISTING, 0, nullptr));
  if (!theirs) throw std::system_error(strait::windows::last_error());
  return {strait::windows::PipeEnd::create(std::move(ours)).value(), std::move(theirs)};
}

}  // namespace

// --- the child's side ------------------------------------------------------------------------

ChildRole::ChildRole(const char* name, ChildFunction function) {
  if (!roles().emplace(name, function).second) {
    std::fprintf(stderr, "two child roles are called '%s'\n", name);
    std::abort();
  }
}

namespace child {

void write_line(std::string_view line) {
  const std::string bytes = std::string(line) + '\n';
  DWORD written = 0;
  ::WriteFile(::GetStdHandle(STD_OUTPUT_HANDLE), bytes.data(), static_cast<DWORD>(bytes.size()),
              &written, nullptr);
}

// The parent has the clock: it ends a child that waits too long.
std::optional<std::string> read_line(milliseconds) {
  static std::string buffered;
  for (;;) {
    if (auto line = take_line(buffered)) return line;
    char bytes[4096];
    DWORD count = 0;
    if (!::ReadFile(::GetStdHandle(STD_INPUT_HANDLE), bytes, sizeof bytes, &count, nullptr) ||
        count == 0) {
      return std::nullopt;
    }
    buffered.append(bytes, count);
  }
}

void require(bool condition, std::string_view what, int line, const char* file) {
  if (condition) return;
  std::fprintf(stderr, "%s:%d: child %lu: failed: %.*s\n", file, line, ::GetCurrentProcessId(),
               static_cast<int>(what.size()), what.data());
  ::ExitProcess(exit_requirement_failed);
}

}  // namespace child

std::optional<int> run_child_role(int argc, char** argv) {
  if (argc < 3 || std::strcmp(argv[1], "--child") != 0) return std::nullopt;
  const auto complain = [&](const std::string& what) {
    std::fprintf(stderr, "child role '%s' (%lu): %s\n", argv[2], ::GetCurrentProcessId(),
                 what.c_str());
  };
  const auto role = roles().find(argv[2]);
  if (role == roles().end()) {
    complain("nobody registered it");
    return exit_unknown_role;
  }
  // A channel to the parent takes over what comes in, and leaves nothing to read there.
  const auto input = [] {
    return static_cast<int>(reinterpret_cast<std::intptr_t>(::GetStdHandle(STD_INPUT_HANDLE)));
  };
  auto before = ResourceSnapshot::take();
  before.descriptors.erase(input());
  const int code = role->second(ChildArguments(argv + 3, argv + argc));
  const auto leaks = after_a_moment([&] {
    auto after = ResourceSnapshot::take();
    after.files = before.files;  // the directory is shared with the parent, which checks it
    after.descriptors.erase(input());
    return differences(before, after);
  });
  for (const std::string& leak : leaks) complain(leak);
  return code == 0 && !leaks.empty() ? exit_leaked : code;
}

// --- the parent's side -----------------------------------------------------------------------

std::ostream& operator<<(std::ostream& out, const ExitStatus& status) {
  if (status.exited) return out << "exited with " << status.code;
  if (status.signal != 0) return out << "killed by signal " << status.signal;
  return out << "still running";
}

struct Child::System {
  strait::windows::Spawned spawned;
  strait::windows::PipeEnd input;
  strait::windows::PipeEnd output;
  int killed_by = 0;
};

Child Child::spawn(std::string_view role, std::initializer_list<std::string> arguments) {
  wchar_t path[MAX_PATH];
  ::GetModuleFileNameW(nullptr, path, MAX_PATH);
  char program[4 * MAX_PATH];
  ::WideCharToMultiByte(CP_UTF8, 0, path, -1, program, sizeof program, nullptr, nullptr);
  std::vector<std::string> words{"--child", std::string(role)};
  words.insert(words.end(), arguments);

  auto [input, childs_input] = pipe_to_child();
  auto [output, childs_output] = pipe_to_child();
  auto spawned = strait::windows::spawn(program, words, {childs_input.get(), childs_output.get()});
  if (!spawned) throw std::system_error(spawned.error());
  Child child;
  child.pid_ = static_cast<pid_t>(spawned->id);
  child.system_ = std::make_shared<System>();
  child.system_->spawned = std::move(*spawned);
  child.system_->input = std::move(input);
  child.system_->output = std::move(output);
  return child;
}

Child::Child(Child&& other) noexcept { *this = std::move(other); }

Child& Child::operator=(Child&& other) noexcept {
  std::swap(pid_, other.pid_);
  std::swap(system_, other.system_);
  std::swap(buffered_, other.buffered_);
  std::swap(status_, other.status_);
  return *this;
}

Child::~Child() { release(); }

void Child::release() noexcept {
  if (system_ && system_->spawned.process) {
    ::TerminateProcess(system_->spawned.process.get(), 1);
    ::WaitForSingleObject(system_->spawned.process.get(), 5'000);
  }
  system_.reset();
}

bool Child::write_line(std::string_view line) {
  std::string bytes = std::string(line) + '\n';
  const strait::windows::GatheredPart part{bytes.data(), bytes.size()};
  for (;;) {
    const auto written = system_->input.write({&part, 1});
    if (!written) return false;
    if (*written != 0) return true;
    ::WaitForSingleObject(system_->input.to_write().handle, INFINITE);
  }
}

std::optional<std::string> Child::read_line(milliseconds timeout) {
  const auto deadline = Clock::now() + timeout;
  for (;;) {
    if (auto line = take_line(buffered_)) return line;
    std::array<std::byte, 4096> bytes;
    const auto got = system_->output.read(bytes);
    if (got) {
      buffered_.append(reinterpret_cast<const char*>(bytes.data()), *got);
      continue;
    }
    if (got.error() != strait::Errc::would_block) return std::nullopt;
    const auto left = std::chrono::ceil<milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) return std::nullopt;
    ::WaitForSingleObject(system_->output.to_read().handle, static_cast<DWORD>(left));
  }
}

void Child::close_stdin() { system_->input.reset(); }

void Child::kill(int signal) {
  if (!system_ || !system_->spawned.process) return;
  system_->killed_by = signal;
  ::TerminateProcess(system_->spawned.process.get(), killed_exit_code);
}

ExitStatus Child::wait(milliseconds timeout) {
  if (!system_ || !system_->spawned.process) return status_;
  const HANDLE process = system_->spawned.process.get();
  if (::WaitForSingleObject(process, static_cast<DWORD>(timeout.count())) != WAIT_OBJECT_0) {
    return status_;
  }
  DWORD code = 0;
  ::GetExitCodeProcess(process, &code);
  system_->spawned = {};
  pid_ = -1;
  if (code == killed_exit_code && system_->killed_by != 0) {
    status_ = {.exited = false, .code = -1, .signal = system_->killed_by};
  } else {
    status_ = {.exited = true, .code = static_cast<int>(code), .signal = 0};
  }
  return status_;
}

}  // namespace strait_test
