#include "support/leak_check.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <system_error>

#include "support/native.hpp"
#include "support/runtime_dir.hpp"
#include "support/scripted_mach.hpp"

namespace strait_test {
namespace {

std::map<int, std::string> open_descriptors() {
  std::map<int, std::string> found;
  DIR* directory = ::opendir("/dev/fd");
  if (directory == nullptr) return found;
  while (const dirent* entry = ::readdir(directory)) {
    if (entry->d_name[0] == '.') continue;
    const int fd = std::atoi(entry->d_name);
    if (fd == ::dirfd(directory)) continue;
    found[fd] = target_of_descriptor(fd);
  }
  ::closedir(directory);
  return found;
}

std::set<std::string> runtime_files() {
  std::set<std::string> found;
  const std::string root = runtime_dir();
  if (root.empty()) return found;
  std::error_code error;
  std::filesystem::recursive_directory_iterator entry(root, error), end;
  while (!error && entry != end) {
    std::error_code status_error;
    const auto status = entry->symlink_status(status_error);
    if (!status_error && status.type() != std::filesystem::file_type::directory)
      found.insert(entry->path().string());
    entry.increment(error);
  }
  return found;
}

bool has_children() {
  siginfo_t info{};
  return ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

}  // namespace

ResourceSnapshot ResourceSnapshot::take() {
  ResourceSnapshot now;
  now.descriptors = open_descriptors();
  now.mappings = shared_mappings();
  now.files = runtime_files();
  now.mach = mach_holdings();
  now.has_children = strait_test::has_children();
  return now;
}

std::vector<std::string> differences(const ResourceSnapshot& before,
                                     const ResourceSnapshot& after) {
  std::vector<std::string> found;
  for (const auto& [fd, target] : after.descriptors) {
    const auto old = before.descriptors.find(fd);
    if (old == before.descriptors.end())
      found.push_back("leaked descriptor " + std::to_string(fd) + " (" + target + ")");
    else if (old->second != target)
      found.push_back("replaced descriptor " + std::to_string(fd) + " (was " + old->second +
                      ", is " + target + ")");
  }
  for (const auto& [fd, target] : before.descriptors)
    if (!after.descriptors.contains(fd))
      found.push_back("closed a descriptor it did not own: " + std::to_string(fd) + " (" + target +
                      ")");
  for (const std::string& mapping : after.mappings)
    if (after.mappings.count(mapping) > before.mappings.count(mapping))
      found.push_back("leaked mapping " + mapping);
  for (const std::string& mapping : before.mappings)
    if (before.mappings.count(mapping) > after.mappings.count(mapping))
      found.push_back("unmapped a mapping it did not own: " + mapping);
  for (const std::string& file : after.files)
    if (!before.files.contains(file)) found.push_back("left file " + file);
  for (const std::string& holding : after.mach)
    if (after.mach.count(holding) > before.mach.count(holding))
      found.push_back("leaked " + holding);
  for (const std::string& holding : before.mach)
    if (before.mach.count(holding) > after.mach.count(holding))
      found.push_back("gave back what it did not own: " + holding);
  if (after.has_children && !before.has_children)
    found.push_back("left a child process running or not reaped");
  return found;
}

void close_inherited_descriptors_on_exec() {
  for (const auto& [fd, target] : open_descriptors())
    if (fd > STDERR_FILENO) ::fcntl(fd, F_SETFD, FD_CLOEXEC);
}

}  // namespace strait_test
