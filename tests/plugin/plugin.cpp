// What a plug-in with a copy of the library of its own gives to its host.

#include <strait/error.hpp>
#include <strait/result.hpp>
#include <strait/token.hpp>

#include <system_error>

#define EXPORTED extern "C" __attribute__((visibility("default")))

EXPORTED void plugin_error(int value, std::error_code& error) {
  error = static_cast<strait::Errc>(value);
}

EXPORTED void plugin_throw() {
  static_cast<void>(strait::Result<int>(strait::Errc::not_found).value());
}

EXPORTED bool plugin_knows(const std::error_code& error) {
  return error == strait::Errc::queue_full && strait::errc(error) == strait::Errc::queue_full;
}
