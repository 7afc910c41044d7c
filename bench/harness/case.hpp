#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "harness/descriptor.hpp"
#include "harness/endpoint.hpp"

namespace bench {

/// What the second process needs to join a case; it travels over the control socket.
struct Invitation {
  std::string text = {};
  Descriptor descriptor = {};
};

/// One way to carry messages between two processes.
struct Case {
  std::string_view name;
  std::string_view about;

  /// Opens the first process's end. Calls `invite` once, as soon as the second process can join,
  /// and returns connected. `observed` asks for an end whose receiver keeps a histogram by itself.
  std::unique_ptr<Endpoint> (*host)(bool observed, const std::function<void(Invitation)>& invite);

  /// Opens the second process's end.
  std::unique_ptr<Endpoint> (*join)(bool observed, Invitation invitation);
};

/// Every case, in the order in which they are printed.
std::span<const Case> all_cases();

/// Throws when there is no such case.
const Case& case_named(std::string_view name);

}  // namespace bench
