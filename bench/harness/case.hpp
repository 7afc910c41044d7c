#pragma once

#include <cstddef>
#include <cstdint>
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
  Descriptor second_descriptor = {};
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

  /// What the case can carry at all.
  std::size_t largest_bytes = SIZE_MAX;
  /// False if it has room for one message only, so that each must be answered before the next.
  bool streams = true;
  /// Whether it uses names in /tmp and /dev/shm that cannot be chosen.
  bool private_place = false;
};

/// Every case of this build.
std::span<const Case> all_cases();

/// Null when there is no such case in this build.
const Case* find_case(std::string_view name);

/// Throws when there is no such case.
const Case& case_named(std::string_view name);

}  // namespace bench
