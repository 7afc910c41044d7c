// Usage: host PLUGIN...: errors that cross the border between shared objects, both ways.

#include <dlfcn.h>
#include <strait/error.hpp>

#include <cstdio>
#include <system_error>

using strait::Errc;

namespace {

int failures = 0;

void check(bool right, const char* what) {
  if (right) return;
  ++failures;
  std::printf("FAILED: %s\n", what);
}

const char* switched(const std::error_code& error) {
  switch (strait::errc(error)) {
    case Errc::not_found: return "not_found";
    case Errc::peer_closed: return "peer_closed";
    default: return "another";
  }
}

template <class Function>
Function* find(void* plugin, const char* name) {
  return reinterpret_cast<Function*>(::dlsym(plugin, name));
}

void try_plugin(const char* path) {
  std::printf("%s\n", path);
  void* plugin = ::dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (plugin == nullptr) return check(false, ::dlerror());
  auto* make = find<void(int, std::error_code&)>(plugin, "plugin_error");
  auto* raise = find<void()>(plugin, "plugin_throw");
  auto* knows = find<bool(const std::error_code&)>(plugin, "plugin_knows");
  if (make == nullptr || raise == nullptr || knows == nullptr) return check(false, "its functions");
  const auto made = [&](Errc error) {
    std::error_code code;
    make(static_cast<int>(error), code);
    return code;
  };
  const std::error_code error = made(Errc::not_found);
  check(error == Errc::not_found, "equal to the enumerator");
  check(Errc::not_found == error, "the enumerator is equal to it");
  check(!(error != Errc::not_found), "not unequal");
  check(error != Errc::closed && Errc::closed != error, "unequal to another");
  check(switched(error) == switched(Errc::not_found), "a switch");
  check(switched(made(Errc::peer_closed)) == switched(Errc::peer_closed), "another switch");
  const std::error_code own = Errc::not_found;
  check(own == error.default_error_condition(), "a code and a condition of the plug-in's");
  check(error == own.default_error_condition(), "the plug-in's code and a condition");
  check(error != std::error_code(Errc::closed).default_error_condition(), "another condition");
  check(knows(std::error_code(Errc::queue_full)), "known to the plug-in");
  check(!knows(std::error_code(Errc::closed)), "another one known to the plug-in");
  try {
    raise();
    check(false, "thrown");
  } catch (const std::system_error& thrown) {
    check(thrown.code() == Errc::not_found, "caught");
  }
  ::dlclose(plugin);
}

}  // namespace

int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) try_plugin(argv[i]);
  const std::error_code system(static_cast<int>(Errc::not_found), std::system_category());
  check(system != Errc::not_found && strait::errc(system) == Errc{}, "the system's");
  return failures == 0 && argc > 1 ? 0 : 1;
}
